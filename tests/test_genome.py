"""Our index and our windows are those of pyfaidx and CpGPT; a malformed genome is refused."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pyfaidx
import pytest

from cpgpt_doctor.embed import genome
from cpgpt_doctor.embed.genome import Genome
from cpgpt_doctor.errors import InputError
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
    genome.write_index(genome.build_index(path), tmp_path / "ours.fai")
    pyfaidx.Faidx(str(path), indexname=str(tmp_path / "theirs.fai")).close()
    assert (tmp_path / "ours.fai").read_bytes() == (tmp_path / "theirs.fai").read_bytes()


def test_an_index_is_kept_in_our_folder_and_read_again(tmp_path: Path) -> None:
    path, cache = tmp_path / "genome.fa", tmp_path / "cache"
    cache.mkdir()
    write_genome(path)
    sequences = genome.index(path, cache)
    assert list(cache.iterdir()) == []
    kept = genome.keep_index(sequences, path, cache)
    assert genome.read_index(kept) == sequences == genome.index(path, cache)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cache", "genome.fa"]


@pytest.mark.parametrize("damage", ["", "1\t5\n", "1\tx\t3\t4\t5\n", "1\t2\t3\t4\t5\t6\n"])
def test_a_damaged_kept_index_is_built_again(file, tmp_path: Path, damage: str) -> None:
    path = file(GENOMES["several"])
    right = genome.build_index(path)
    kept = genome.keep_index(right, path, tmp_path)
    kept.write_text(damage)
    assert genome.index(path, tmp_path) == right
    assert genome.read_index(genome.keep_index(right, path, tmp_path)) == right


def test_a_changed_genome_is_indexed_anew(file, tmp_path: Path) -> None:
    path = file(GENOMES["one line"])
    genome.keep_index(genome.build_index(path), path, tmp_path)
    file(GENOMES["several"])
    assert [each.name for each in genome.index(path, tmp_path)] == ["1", "MT", "KI270728.1"]


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
    reader = Genome(path, genome.build_index(path))
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
    sequences = genome.build_index(path)
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
    sequences = genome.build_index(path)
    locations = [f"{each.name}:{p}" for each in sequences for p in range(each.length)]
    assert our_windows(path, locations, 101) == cpgpt_windows(dataset, path, locations, 101)


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
    ],
)
def test_a_malformed_genome_is_refused_with_the_line(
    file, content: bytes, line: int, said: str
) -> None:
    path = file(content)
    with pytest.raises(InputError) as caught:
        genome.build_index(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_genome_is_refused(file, content: bytes) -> None:
    with pytest.raises(InputError, match="holds no sequence"):
        genome.build_index(file(content))


def test_a_compressed_genome_is_refused_with_the_command(file) -> None:
    path = file(gzip.compress(b">1\nACGT\n"))
    with pytest.raises(InputError, match=f"gzip -dk {path}"):
        genome.build_index(path)


def test_a_genome_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.fa"):
        with pytest.raises(InputError, match=f"{path}: the genome cannot be read"):
            genome.build_index(path)


def test_reading_windows_writes_nothing_beside_the_genome(file, tmp_path: Path) -> None:
    path = file(GENOMES["several"])
    Genome(path, genome.index(path, tmp_path / "none")).window("MT", 5, 100)
    assert [each.name for each in tmp_path.iterdir()] == ["genome.fa"]
