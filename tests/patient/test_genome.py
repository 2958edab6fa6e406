"""Our index and our windows are those of pyfaidx and CpGPT; a malformed genome is refused."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pyfaidx
import pytest

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.genome import fasta
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.patient import upstream
from tests.conftest import write_genome

GENOMES = {
    "one line": b">1 dna\nACGTN\n",
    "no final newline": b">1\nACGT\nAC",
    "one line, no final newline": b">1\nACGTACGT",
    "several": b">1 dna:chromosome\nACGT\nAC\n>MT\nACGTACGT\nACGTACGT\n>KI270728.1 x\nA\n",
    "full last line": b">1\nACGT\nACGT\n>2\nACGT\n",
    "CRLF": b">1 dna\r\nACGT\r\nACGT\r\nA\r\n>2\r\nAC\r\n",
    "CRLF, no final newline": b">1\r\nACGT\r\nACG",
    "blank line between": b">1\nACGT\nAC\n\n>2\nACGT\n",
    "blank lines first": b"\n\n>1\nACGT\n",
    "lower case and IUPAC": b">1\nacgtRYN\nNNN\n",
    "tab after the name": b">1\tdna\nACGT\n",
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "genome.fa"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("content", GENOMES.values(), ids=GENOMES)
def test_the_index_is_the_one_that_pyfaidx_writes(file, tmp_path: Path, content: bytes) -> None:
    path = file(content)
    fasta.write_index(fasta.build_index(path), tmp_path / "ours.fai")
    pyfaidx.Faidx(str(path), indexname=str(tmp_path / "theirs.fai")).close()
    assert (tmp_path / "ours.fai").read_bytes() == (tmp_path / "theirs.fai").read_bytes()


def test_an_index_is_kept_in_our_folder_and_read_again(tmp_path: Path) -> None:
    path, cache = tmp_path / "genome.fa", tmp_path / "cache"
    cache.mkdir()
    write_genome(path)
    built = fasta.index(path, cache)
    assert list(cache.iterdir()) == []
    kept = fasta.keep_index(built, path, cache)
    assert fasta.read_index(kept, built.identity) == built.sequences
    assert fasta.index(path, cache) == built
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cache", "genome.fa"]


DAMAGES = ["", "1\t5\n", "1\tx\t3\t4\t5\n", "1\t2\t3\t4\t5\t6\n", "\0", "[]", "{}", "[" * 100_000]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
@pytest.mark.parametrize("which", ["fai", "digests"])
def test_a_damaged_kept_index_is_built_again(file, tmp_path: Path, damage: str, which: str) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    kept = fasta.keep_index(built, path, tmp_path)
    damaged = kept if which == "fai" else fasta.digests_file(kept)
    damaged.write_text(damage)
    assert fasta.read_index(kept, built.identity) == ()
    assert fasta.index(path, tmp_path) == built
    assert fasta.keep_index(built, path, tmp_path) == kept
    assert fasta.read_index(kept, built.identity) == built.sequences


@pytest.mark.parametrize("lost", ["fai", "digests"])
def test_half_of_a_kept_index_counts_as_none(file, tmp_path: Path, lost: str) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    kept = fasta.keep_index(built, path, tmp_path)
    (kept if lost == "fai" else fasta.digests_file(kept)).unlink()
    assert fasta.read_index(kept, built.identity) == ()
    assert fasta.index(path, tmp_path) == built


@pytest.mark.parametrize("which", ["fai", "digests"])
@pytest.mark.parametrize("kind", ["FIFO", "folder", "endless", "dangling", "huge"])
def test_what_is_no_kept_index_is_passed_by_at_once(
    file, tmp_path: Path, which: str, kind: str
) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    fai = fasta.keep_index(built, path, tmp_path)
    kept = fai if which == "fai" else fasta.digests_file(fai)
    kept.unlink()
    if kind == "FIFO":
        os.mkfifo(kept)
    elif kind == "folder":
        kept.mkdir()
    elif kind == "endless":
        kept.symlink_to("/dev/zero")
    elif kind == "dangling":
        kept.symlink_to(tmp_path / "none")
    else:
        with kept.open("wb") as stream:
            stream.truncate(1 << 40)
    assert fasta.index(path, tmp_path) == built
    if kind != "folder":
        assert fasta.read_index(fasta.keep_index(built, path, tmp_path), built.identity)
    assert not (tmp_path / "none").exists()


def test_an_index_is_not_written_through_a_link(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    fai = fasta.cached_index(path, tmp_path, built.identity)
    other = tmp_path / "another's file"
    other.write_text("kept")
    for kept in (fai, fasta.digests_file(fai)):
        kept.symlink_to(other)
        kept.with_name(kept.name + ".new").symlink_to(other)
    fasta.keep_index(built, path, tmp_path)
    assert other.read_text() == "kept"
    assert fasta.read_index(fai, built.identity) == built.sequences


def test_a_changed_digest_is_damage(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    beside = fasta.digests_file(fasta.keep_index(built, path, tmp_path))
    digest = built.sequences[0].digest
    beside.write_text(beside.read_text().replace(digest, digest[::-1]))
    assert fasta.index(path, tmp_path) == built


def test_an_index_changed_during_a_run_is_no_longer_the_one_kept(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    fai = fasta.keep_index(built, path, tmp_path)
    fasta.check_kept(built, fai)
    fai.write_bytes(fai.read_bytes().replace(b"\t6\t", b"\t5\t"))
    with pytest.raises(fasta.IndexWrong, match="was changed by something else"):
        fasta.check_kept(built, fai)


def test_the_digests_of_one_index_do_not_serve_another(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    built = fasta.index(path, tmp_path)
    kept = fasta.keep_index(built, path, tmp_path)
    kept.write_bytes(kept.read_bytes().replace(b"\t6\t", b"\t5\t"))
    assert fasta.read_index(kept, built.identity) == ()
    other = fasta.Identity(*(each + 1 for each in vars(built.identity).values()))
    assert fasta.read_index(fasta.keep_index(built, path, tmp_path), other) == ()


def test_a_changed_genome_is_indexed_anew(file, tmp_path: Path) -> None:
    path = file(GENOMES["one line"])
    fasta.keep_index(fasta.index(path, tmp_path), path, tmp_path)
    file(GENOMES["several"])
    found = fasta.index(path, tmp_path)
    assert [each.name for each in found.sequences] == ["1", "MT", "KI270728.1"]


def test_a_genome_replaced_by_one_of_equal_size_and_time_has_another_identity(
    file, tmp_path: Path
) -> None:
    path = file(GENOMES["one line"])
    link = tmp_path / "link.fa"
    link.symlink_to(path)
    before = fasta.identity(link)
    assert before == fasta.identity(path)
    other = tmp_path / "other.fa"
    other.write_bytes(path.read_bytes().replace(b"A", b"C"))
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.replace(path)
    assert fasta.identity(link) != before
    with pytest.raises(InputError, match="the genome changed since the run began"):
        fasta.check_same(link, before, "since the run began")


def test_a_genome_that_changes_while_it_is_read_is_refused(
    file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(GENOMES["one line"])
    build = fasta.build_index

    def build_and_change(path: Path) -> tuple[fasta.Sequence, ...]:
        built = build(path)
        file(GENOMES["several"])
        return built

    monkeypatch.setattr(fasta, "build_index", build_and_change)
    with pytest.raises(InputError, match="changed while it was read"):
        fasta.index(path, tmp_path)


@pytest.mark.parametrize("content", GENOMES.values(), ids=GENOMES)
@pytest.mark.parametrize("block", [18, 19, 20, 21, 23])  # a header has to fit
def test_blocks_of_any_size_give_the_same_index(
    file, monkeypatch: pytest.MonkeyPatch, content: bytes, block: int
) -> None:
    path = file(content)
    whole = fasta.build_index(path)
    monkeypatch.setattr(fasta, "BLOCK", block)
    assert fasta.build_index(path) == whole
    for each in whole:
        assert each.digest == hashlib.sha256(bases(content)[each.name]).hexdigest()


def bases(content: bytes) -> dict[str, bytes]:
    """The sequences of a FASTA text, read in the plainest way."""
    found = {}
    for part in content.decode().split(">")[1:]:
        header, _, text = part.partition("\n")
        found[header.split()[0]] = text.replace("\n", "").replace("\r", "").encode()
    return found


@pytest.mark.parametrize("width", [1, 7, 60, 70, 10**9])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("block", [100, 4096, 1 << 23])
def test_a_genome_wrapped_otherwise_has_the_same_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, line_end: str, block: int
) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    right = bases(path.read_bytes())
    with path.open("w", newline=line_end) as out:
        for name, text in right.items():
            out.write(f">{name} wrapped\n")
            for at in range(0, len(text), width):
                out.write(text[at : at + width].decode() + "\n")
    monkeypatch.setattr(fasta, "BLOCK", block)
    for each in fasta.build_index(path):
        assert each.digest == hashlib.sha256(right[each.name]).hexdigest()
        assert each.length == len(right[each.name])


def test_one_changed_base_changes_its_sequences_digest_only(file) -> None:
    before = fasta.build_index(file(GENOMES["several"]))
    after = fasta.build_index(file(GENOMES["several"].replace(b"AC\n>MT", b"Ac\n>MT")))
    changed = [one.digest != other.digest for one, other in zip(before, after, strict=True)]
    assert changed == [True, False, False]


def test_windows_have_digests_of_their_text(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    reader = Genome(path, fasta.build_index(path))
    locations = ["1:0", "1:5000", "2:4000"]
    found = fasta.sample_digests(reader, locations, 201)
    assert list(found) == locations
    text = bases(path.read_bytes())["1"][4900:5100]
    assert found["1:5000"] == hashlib.sha256(text).hexdigest()
    assert len(set(found.values())) == 3
    reader.close()


@pytest.fixture(scope="module")
def dataset() -> type:
    """The class with which CpGPT reads windows."""
    return upstream.import_alone().GenomicSequenceDataset


def cpgpt_windows(dataset: type, path: Path, locations: list[str], context_len: int) -> list[str]:
    fasta = pyfaidx.Fasta(str(path), indexname=str(path.with_name("index")))
    windows = dataset(locations, fasta, context_len)
    read = [windows[number]["sequence"] for number in range(len(windows))]
    fasta.close()
    return read


def our_windows(path: Path, locations: list[str], context_len: int) -> list[str]:
    reader = Genome(path, fasta.build_index(path))
    split = [location.split(":") for location in locations]
    read = [reader.window(name, int(position), context_len) for name, position in split]
    reader.close()
    return read


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("context_len", [100, 201, 2001])
def test_each_window_is_the_one_that_cpgpt_reads(
    dataset: type, tmp_path: Path, context_len: int, line_end: bytes
) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    path.write_bytes(path.read_bytes().replace(b"\n", line_end))
    sequences = fasta.build_index(path)
    rng = random.Random(7)
    locations = []
    for each in sequences:
        ends = [0, 1, 69, 70, 71, context_len // 2, each.length - context_len // 2 - 1]
        ends += [each.length - 70, each.length - 2, each.length - 1]
        ends += [rng.randrange(each.length) for _ in range(100)]
        locations += [f"{each.name}:{position}" for position in ends]
    theirs = cpgpt_windows(dataset, path, locations, context_len)
    assert our_windows(path, locations, context_len) == theirs
    assert sorted(each.name for each in tmp_path.iterdir()) == ["genome.fa", "index"]


def test_windows_of_tiny_sequences_are_those_of_cpgpt(dataset: type, file) -> None:
    path = file(b">1\nA\n>2\nAC\n>3\nACG\n>4\nACGT\nA\n")
    sequences = fasta.build_index(path)
    locations = [f"{each.name}:{p}" for each in sequences for p in range(each.length)]
    assert our_windows(path, locations, 101) == cpgpt_windows(dataset, path, locations, 101)


def lying(path: Path, **lies: int) -> tuple[fasta.Sequence, ...]:
    """The index of a genome with each number of each entry changed by that much."""
    return tuple(
        dataclasses.replace(each, **{name: getattr(each, name) + by for name, by in lies.items()})
        for each in fasta.build_index(path)
    )


def test_cpgpt_reads_other_windows_with_an_index_that_lies_by_seven_bytes(
    dataset: type, tmp_path: Path
) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    locations = [f"1:{position}" for position in range(1000, 41_000, 400)]
    right = cpgpt_windows(dataset, path, locations, 201)
    fasta.write_index(lying(path, offset=7), path.with_name("index"))
    wrong = cpgpt_windows(dataset, path, locations, 201)
    assert all(one != other for one, other in zip(right, wrong, strict=True))


NUMBERS = ("length", "offset", "line_bases", "line_bytes")
LIES = [-(10**30), -1000, -71, -70, -8, -7, -5, -4, -2, -1, 1, 2, 4, 5, 7, 8, 70, 71, 1000, 10**30]


@pytest.mark.parametrize("content", [*GENOMES.values(), None], ids=[*GENOMES, "lambda"])
@pytest.mark.parametrize("number", NUMBERS)
def test_an_index_that_lies_is_refused_or_reads_every_base_right(
    file, tmp_path: Path, content: bytes | None, number: str
) -> None:
    path = file(content or b"")
    if content is None:
        write_genome(path)
    right = bases(path.read_bytes())
    refused = 0
    for by in LIES:
        for entry in lying(path, **{number: by}):
            try:
                fasta.check_index(path, [entry], [entry.name])
            except fasta.IndexWrong:
                refused += 1
            else:
                reader = Genome(path, (entry,))
                assert reader.read(entry, 0, entry.length).encode() == right[entry.name]
                reader.close()
    assert refused >= len(LIES) - 3


def test_names_that_were_exchanged_are_refused(file) -> None:
    path = file(b">1\nACGT\n>2\nGGGG\n")
    one, two = fasta.build_index(path)
    exchanged = dataclasses.replace(one, name="2"), dataclasses.replace(two, name="1")
    for name in ("1", "2"):
        with pytest.raises(fasta.IndexWrong, match="its header does not end at byte"):
            fasta.check_index(path, exchanged, [name])
    fasta.check_index(path, exchanged, ["3"])


@pytest.mark.parametrize("content", GENOMES.values(), ids=GENOMES)
def test_a_right_index_is_right(file, content: bytes) -> None:
    path = file(content)
    built = fasta.build_index(path)
    fasta.check_index(path, built, [each.name for each in built])


def test_a_right_index_of_an_empty_sequence_is_right(file) -> None:
    for content in (
        b">1\n>2\nAC\n",
        b">1\nAC\n>2\n",
        b">1\nAC\n>2",
        b">1\n\n>2\nAC",
        b">1\r\n>2\r\nAC\r\n",
    ):
        path = file(content)
        built = fasta.build_index(path)
        assert [each.name for each in built] == ["1", "2"]
        assert sum(each.length for each in built) == 2
        fasta.check_index(path, built, ["1", "2"])


def test_a_window_is_not_read_with_an_index_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    reader = Genome(path, lying(path, offset=7))
    with pytest.raises(fasta.IndexWrong):
        reader.window("1", 5000, 201)
    reader.close()


def test_line_ends_within_a_window_are_where_the_index_has_them(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    reader = Genome(path, fasta.build_index(path))
    reader.window("1", 40_000, 201)
    text = bytearray(path.read_bytes())
    moved = reader.sequences["1"].at(5005)
    text[moved : moved + 1] = b"\n"  # a line that no sample of lines looks at
    path.write_bytes(text)
    with pytest.raises(fasta.IndexWrong, match="bases 4900 to 5099 are not where it has them"):
        reader.window("1", 5000, 201)
    reader.close()


@pytest.mark.parametrize("kind", ["FIFO", "link to a FIFO", "folder", "device"])
def test_what_cannot_be_read_by_position_is_refused_without_waiting(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "genome.fa"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        os.mkfifo(tmp_path / "fifo")
        path.symlink_to(tmp_path / "fifo")
    with pytest.raises(InputError, match="cannot be read: it is a"):
        fasta.index(path, tmp_path)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"ACGT\n", 1, "does not begin with '>'"),
        (b"\nchrom,pos\n1,5\n", 2, "does not begin with '>'"),
        (b"\x89PNG\r\n\x1a\n", 1, "does not begin with '>'"),
        (b">1\nACGT\nACG\nACGT\n", 3, "shorter than the other lines of '1'"),
        (b">1\nACGT\n\nACGT\n", 3, "shorter than the other lines of '1'"),
        (b">1\nACG\nACGT\n", 3, "longer than the other lines of '1'"),
        (b">1\nACGT\r\nACGT\nACGT\n", 3, "shorter"),
        (b">1\nACGT\n>2\nACGT\n>1\nACGT\n", 5, "'1' stands twice"),
        (b">1\nACGT\n>\nACGT\n", 3, "without a name"),
        (b"> 1\nACGT\n", 1, "without a name"),
        (b">1\nACGT\nAC\0T\n", 3, "holds a zero byte"),
        (b">1\nACGT\nACGT\n" + b"\0" * 5000, 4, "holds a zero byte"),
        (b">1 \0\nACGT\n", 1, "holds a zero byte"),
        (b">1\rACGT\rACGT\r", 1, "ends in CR without LF"),
        (b">1\nACGT\nACGT\rACGT\n", 3, "ends in CR without LF"),
        (b">1\r\nACGT\r\nACGT\r", 3, "ends in CR without LF"),
        (b">1\nACGT\r\r\n", 2, "ends in CR without LF"),
        (b">1\nACGTA\nACGT\r\nACGTA\n", 3, "shorter"),
    ],
)
def test_a_malformed_genome_is_refused_with_the_line(
    file, content: bytes, line: int, said: str
) -> None:
    path = file(content)
    with pytest.raises(InputError) as caught:
        fasta.build_index(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_genome_is_refused(file, content: bytes) -> None:
    with pytest.raises(InputError, match="holds no sequence"):
        fasta.build_index(file(content))


def test_a_compressed_genome_is_refused_with_the_command(file) -> None:
    path = file(gzip.compress(b">1\nACGT\n"))
    with pytest.raises(InputError, match=f"gzip -dk {path}"):
        fasta.build_index(path)


def test_a_genome_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.fa"):
        with pytest.raises(InputError, match=f"{path}: the genome cannot be read"):
            fasta.build_index(path)


@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux whose bytes cannot be read")
def test_a_genome_whose_bytes_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match="/proc/self/mem: the genome cannot be read: "):
        fasta.build_index(Path("/proc/self/mem"))


def test_a_users_own_index_is_neither_trusted_nor_touched(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    own = tmp_path / "genome.fa.fai"
    fasta.write_index(lying(path, offset=1), own)
    before = own.read_bytes(), own.stat().st_mtime_ns
    cache = tmp_path / "cache"
    cache.mkdir()
    found = fasta.index(path, cache)
    assert found.sequences == fasta.build_index(path)
    fasta.keep_index(found, path, cache)
    assert (own.read_bytes(), own.stat().st_mtime_ns) == before


def test_reading_windows_writes_nothing_beside_the_genome(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    Genome(path, fasta.index(path, tmp_path / "none").sequences).window("MT", 5, 100)
    assert [each.name for each in tmp_path.iterdir()] == ["genome.fa"]
