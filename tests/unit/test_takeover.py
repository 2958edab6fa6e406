"""`--into`: a folder of the user's own that takes a store over, whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor.embed import preflight, takeover
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.store import HardLinked, InCache, Room, StoreFacts
from cpgpt_doctor.store import layout, metadata, observe
from cpgpt_doctor.store.layout import WORK, StorePaths
from tests.findings import errors, found, said
from tests.unit.test_store import FIRST, LLM, WIDTH, content, holds, new_store, set_rows, values

ROWS = f"dna_embeddings/homo_sapiens/{LLM}/201bp_dna_embeddings.mmap"
NAMES = ("homo_sapiens", LLM, 201)


class Quiet:
    """Progress that is kept as lines; `at` is called with each."""

    def __init__(self, at: Callable[[str], None] = lambda text: None) -> None:
        self.said: list[str] = []
        self.at = at

    def phase(self, text: str) -> None:
        self.said.append(text)
        self.at(text)

    def expect(self, total: int) -> None: ...
    def advance(self, done: int) -> None: ...


def fill(folder: Path) -> StorePaths:
    """A dependencies folder with a store, its genome, its metadata and a manifest."""
    paths = new_store(folder)
    paths.folder.mkdir(parents=True)
    paths.rows.write_bytes(values(FIRST).tobytes() + bytes(WIDTH * 4 * 3))
    set_rows(paths, {each: row for row, each in enumerate(FIRST)})
    (folder / "genomes").mkdir()
    (folder / "genomes" / "homo_sapiens.x.dna.toplevel.fa").write_text(">1\nACGT\n")
    (folder / "genomes" / "mus_musculus.y.dna.toplevel.fa").write_text(">1\nACGT\n")
    (folder / "genomes" / "species_metadata_EnsemblVertebrates.json").write_text("[]")
    (folder / "manifests" / "EPIC").mkdir(parents=True)
    (folder / "manifests" / "EPIC" / "a.tsv.gz").write_bytes(b"x")
    return paths


def cached(snapshot: Path, folder: Path, blobs: Path) -> None:
    """Put a folder's files into a cache, as huggingface_hub does, with links to them."""
    blobs.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(each for each in folder.rglob("*") if each.is_file())):
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = blobs / f"{number:064x}"
        path.rename(blob)
        link.symlink_to(os.path.relpath(blob, link.parent))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """What `download_cpgpt` returns: a snapshot folder, with the store in human/."""
    hub = tmp_path / "hub" / "models--lucascamillomd--CpGPT"
    fill(tmp_path / "plain")
    snapshot = hub / "snapshots" / "abc"
    cached(snapshot / "human", tmp_path / "plain", hub / "blobs")
    return snapshot


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note each finished copy, as those of large files are."""
    monkeypatch.setattr(takeover, "NOTED", 1)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "mine" / "dependencies"


@pytest.fixture
def taking(snapshot: Path, into: Path) -> takeover.TakeOver:
    into.parent.mkdir()
    return takeover.plan(snapshot, into, *NAMES, own_genome=False)


def is_whole(into: Path) -> bool:
    return holds(StorePaths(into, *NAMES, WIDTH), FIRST)


def frozen(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, with its time: what must not change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_rows_index_genome_and_metadata_of_a_snapshot_are_taken_over(
    taking: takeover.TakeOver, snapshot: Path, into: Path
) -> None:
    hub = snapshot.parents[1]
    before = frozen(hub)
    assert taking.source == snapshot / "human"
    assert list(into.parent.iterdir()) == []  # to plan is not to write
    takeover.take(taking, Quiet())
    assert is_whole(into)
    there = content(into)
    assert there[ROWS] == (snapshot / "human" / ROWS).read_bytes()
    assert not [each for each in into.rglob("*") if each.is_symlink()]
    assert {each for each in there if not each.startswith(WORK)} == {
        ROWS,
        metadata.FILE,
        "genomes/homo_sapiens.x.dna.toplevel.fa",
        "genomes/species_metadata_EnsemblVertebrates.json",
        "manifests/EPIC/a.tsv.gz",
    }
    assert frozen(hub) == before
    assert [each.name for each in into.parent.iterdir()] == [into.name]
    # No block is shared under two names.
    assert all(path.stat().st_nlink == 1 for path in into.rglob("*") if path.is_file())


def test_the_new_index_names_only_rows_that_came_along(
    taking: takeover.TakeOver, into: Path
) -> None:
    takeover.take(taking, Quiet())
    with sqlitedict.SqliteDict(into / metadata.FILE, flag="r") as table:
        species = dict(table)
    assert set(species["homo_sapiens"][LLM]) == {201}  # 512 has no rows there
    assert species["homo_sapiens"]["assembly"] == "x"
    assert species["mus_musculus"] == {LLM: {}}


def test_a_folder_that_was_taken_over_is_gone_on_with(
    taking: takeover.TakeOver, snapshot: Path, into: Path, tmp_path: Path
) -> None:
    assert takeover.already(into, snapshot) is None
    takeover.take(taking, Quiet())
    for given in (snapshot, snapshot / "human"):
        assert "was taken over from" in str(takeover.already(into, given))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="was taken over from"):
        takeover.already(into, other)


def test_an_empty_folder_is_taken(taking: takeover.TakeOver, snapshot: Path, into: Path) -> None:
    into.mkdir()
    assert takeover.already(into, snapshot) is None
    takeover.take(taking, Quiet())
    assert is_whole(into)


def test_what_cannot_be_the_new_folder_is_refused(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name of its own"):
        takeover.already(tmp_path / "a" / "..", snapshot)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("x")
    link = tmp_path / "link"
    link.symlink_to(full)
    for path, words in ((full, "is not empty"), (link, "is no folder"), (full / "x", None)):
        if words is not None:
            with pytest.raises(InputError, match=words):
                takeover.already(path, snapshot)
    for path, words in (
        (snapshot / "mine", "lies in a Hugging Face cache"),
        (tmp_path / "a" / "b", "no folder can be made"),
        (tmp_path / "hub", "holds"),
    ):
        with pytest.raises(InputError, match=words):
            takeover.plan(snapshot, path, *NAMES, own_genome=False)
    assert (full / "thesis.tex").read_text() == "x"


def test_the_store_is_found_with_its_own_index_or_not_at_all(
    snapshot: Path, tmp_path: Path
) -> None:
    assert takeover.home(snapshot, *NAMES) == snapshot / "human"
    # Rows that were linked to where CpGPT looks, and their index was not.
    (snapshot / "dna_embeddings").symlink_to(snapshot / "human" / "dna_embeddings")
    assert takeover.home(snapshot, *NAMES) == snapshot / "human"
    assert takeover.home(snapshot / "human", *NAMES) == snapshot / "human"
    fill(snapshot / "mammalian")
    with pytest.raises(InputError, match="both hold rows"):
        takeover.home(snapshot, *NAMES)
    with pytest.raises(InputError, match="nothing to take over"):
        takeover.home(tmp_path, *NAMES)
    with pytest.raises(InputError, match="nothing to take over"):
        takeover.home(snapshot, "mus_musculus", LLM, 201)


def test_a_genome_that_is_named_is_not_copied(snapshot: Path, into: Path) -> None:
    into.parent.mkdir()
    taking = takeover.plan(snapshot, into, *NAMES, own_genome=True)
    assert taking.genome is None
    takeover.take(taking, Quiet())
    assert not list(into.rglob("*.fa"))


def test_a_genome_beside_the_downloaded_folder_is_found(snapshot: Path, into: Path) -> None:
    """CpGPT, given the snapshot, keeps genomes in it, and the published rows are in human/."""
    for name in ("genomes", "manifests"):
        shutil.copytree(snapshot / "human" / name, snapshot / name)
        shutil.rmtree(snapshot / "human" / name)
    into.parent.mkdir()
    takeover.take(takeover.plan(snapshot, into, *NAMES, own_genome=False), Quiet())
    assert (into / "genomes" / "homo_sapiens.x.dna.toplevel.fa").is_file()
    assert (into / "genomes" / "species_metadata_EnsemblVertebrates.json").is_file()
    assert (into / "manifests" / "EPIC" / "a.tsv.gz").is_file()


@pytest.mark.parametrize("which", [ROWS, metadata.FILE])
def test_a_source_that_changes_meanwhile_is_not_taken_over(
    taking: takeover.TakeOver, snapshot: Path, into: Path, which: str
) -> None:
    def change(text: str) -> None:
        if "the index" in text:
            path = (snapshot / "human" / which).resolve()
            with path.open("r+b") as stream:
                first = stream.read(1)
                stream.seek(0)
                stream.write(first)

    with pytest.raises(InputError, match="changed while it was copied"):
        takeover.take(taking, Quiet(change))
    assert not into.exists()
    again = Quiet()
    takeover.take(takeover.plan(snapshot, into, *NAMES, own_genome=False), again)
    assert is_whole(into)
    assert any(ROWS.rpartition("/")[2] in each for each in again.said) == (which == ROWS)


def test_a_copy_that_was_ended_goes_on_with_the_file_that_it_was_at(
    taking: takeover.TakeOver, into: Path
) -> None:
    def stop(text: str) -> None:
        if "toplevel.fa" in text:
            raise OSError(errno.EIO, "stopped")

    first, second = Quiet(stop), Quiet()
    with pytest.raises(OSError, match="stopped"):
        takeover.take(taking, first)
    assert not into.exists()
    assert 0 < taking.bytes < sum(takeover.taken(each) for each in taking.files.values())
    takeover.take(taking, second)
    assert is_whole(into)
    assert not {each for each in second.said if each.startswith("copying")} & set(first.said[:-1])


def in_child(taking: takeover.TakeOver, end_at: int) -> int:
    """Take over in a child that is killed at its nth dealing with a file; its status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count = 0

    def hook(event: str, _: object) -> None:
        nonlocal count
        if event.partition(".")[0] in ("open", "os", "shutil", "fcntl", "sqlite3"):
            count += 1
            if count == end_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        takeover.take(taking, Quiet())
    except BaseException:
        os._exit(7)
    os._exit(0)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(each, marks=pytest.mark.full) for each in range(1, 5))]
)
def test_killed_at_any_moment_there_is_no_folder_or_a_whole_one(
    taking: takeover.TakeOver, into: Path, tmp_path: Path, seed: int
) -> None:
    points = 0
    while in_child(taking, points + 50) != 0:  # how many moments there are, in steps
        points += 50
        shutil.rmtree(into, ignore_errors=True)
        shutil.rmtree(taking.staging, ignore_errors=True)
    assert points >= 100
    shutil.rmtree(into)
    for end_at in sorted(random.Random(seed).sample(range(1, points + 50), 20)):
        status = in_child(taking, end_at)
        assert status in (0, signal.SIGKILL)
        assert not into.exists() or is_whole(into)
        if not into.exists():
            assert in_child(taking, random.Random(end_at).randrange(1, points)) in (
                0,
                signal.SIGKILL,
            )
        if not into.exists():
            takeover.take(taking, Quiet())
        assert is_whole(into)
        assert takeover.already(into, taking.source)
        assert not taking.staging.exists()
        shutil.rmtree(into)


def test_a_full_disk_leaves_no_folder_and_the_next_run_goes_on(
    snapshot: Path, tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        filler = place / "filler"
        filler.write_bytes(b"x" * ((1 << 20) - 60_000))
        taking = takeover.plan(snapshot, place / "deps", *NAMES, own_genome=False)
        with pytest.raises(OSError) as caught:  # noqa: PT011
            takeover.take(taking, Quiet())
        assert caught.value.errno == errno.ENOSPC
        assert not taking.into.exists()
        filler.unlink()
        takeover.take(taking, Quiet())
        assert is_whole(taking.into)
    finally:
        gc.collect()  # SqliteDict, which CpGPT reads with, is freed in cycles
        subprocess.run(["umount", place], check=True)


def test_two_runs_do_not_take_over_into_one_folder(taking: takeover.TakeOver, into: Path) -> None:
    def second(text: str) -> None:
        with pytest.raises(InputError, match="is at work on this folder"):
            takeover.take(taking, Quiet())

    takeover.take(taking, Quiet(second))
    assert is_whole(into)


def test_what_stands_where_is_copied_to_and_is_not_ours_is_left_alone(
    taking: takeover.TakeOver, tmp_path: Path
) -> None:
    mine = tmp_path / "precious"
    mine.mkdir()
    (mine / "a.part").write_text("x")
    taking.staging.symlink_to(mine)
    with pytest.raises(InputError, match="is in the way"):
        takeover.take(taking, Quiet())
    taking.staging.unlink()
    shutil.copytree(mine, taking.staging)
    with pytest.raises(InputError, match="is in the way"):
        takeover.take(taking, Quiet())
    shutil.rmtree(taking.staging)
    (taking.staging / WORK).mkdir(parents=True)
    takeover.write_note(taking.staging, takeover.Note("/elsewhere", "homo_sapiens"))
    with pytest.raises(InputError, match="for another run"):
        takeover.take(taking, Quiet())
    (taking.staging / "dna_embeddings").symlink_to(mine)
    source = str(taking.source.resolve())
    takeover.write_note(taking.staging, takeover.Note(source, "homo_sapiens"))
    with pytest.raises(InputError, match="is a link, which --into did not make"):
        takeover.take(taking, Quiet())
    assert (mine / "a.part").read_text() == "x"


def test_a_note_that_lies_removes_nothing_outside(
    taking: takeover.TakeOver, into: Path, tmp_path: Path
) -> None:
    precious = into.parent / "precious"
    precious.write_text("x")
    (taking.staging / WORK).mkdir(parents=True)
    files = dict.fromkeys(("../precious", str(precious), ROWS), (1, 2, 3, 4))
    source = str(taking.source.resolve())
    takeover.write_note(taking.staging, takeover.Note(source, "homo_sapiens", files=files))
    takeover.take(taking, Quiet())
    assert precious.read_text() == "x"
    assert is_whole(into)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": "x"}', "[" * 100_000, '{"schema": 5}'])
def test_a_note_that_is_none_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / takeover.NOTE).write_text(text)
    assert takeover.read_note(tmp_path) is None


def test_what_was_never_written_takes_no_room(
    taking: takeover.TakeOver, snapshot: Path, into: Path
) -> None:
    rows = (snapshot / "human" / ROWS).resolve()
    os.truncate(rows, 1 << 28)
    taking = takeover.plan(snapshot, into, *NAMES, own_genome=False)
    assert taking.bytes < 1 << 20
    takeover.take(taking, Quiet())
    copy = (into / ROWS).stat()
    assert copy.st_size == 1 << 28
    assert copy.st_blocks * 512 < 1 << 26
    assert is_whole(into)


def test_where_the_disk_shares_blocks_nothing_is_copied(
    taking: takeover.TakeOver, snapshot: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a file system with FICLONE: it has the source's bytes at once."""
    asked = []

    def share(source, target) -> bool:
        asked.append(source.name)
        target.write(source.read())
        return True

    monkeypatch.setattr(takeover, "clone", share)
    monkeypatch.setattr(takeover, "copied", lambda *_: pytest.fail("copied"))
    taking = takeover.plan(snapshot, into, *NAMES, own_genome=False)
    assert taking.bytes == 0
    takeover.take(taking, Quiet())
    assert is_whole(into)
    assert len(asked) == 1 + len(taking.files)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="FICLONE")
def test_a_disk_that_cannot_share_blocks_says_so(snapshot: Path, tmp_path: Path) -> None:
    """tmpfs has no shared blocks, and leaves nothing of the try."""
    place = tmp_path / "other"
    place.mkdir()
    assert not takeover.shares_blocks(snapshot / "human" / ROWS, Path("/dev/shm"))
    takeover.shares_blocks(snapshot / "human" / ROWS, place)
    assert list(place.iterdir()) == []


def test_a_store_in_a_cache_is_an_error_unless_it_is_taken_over() -> None:
    for seen in (
        StoreFacts(in_cache=(InCache("a", "hub/blobs", "hub/snapshots/x"),)),
        StoreFacts(hard_linked=(HardLinked("deps/ensembl_metadata.db", 2),)),
    ):
        (finding,) = errors(store=seen)
        assert finding.code == "CPG521"
        assert "into" in [each.id for each in finding.remedies]
        assert errors(("into",), store=seen) == []
        (finding,) = [each for each in found(("into",), store=seen) if each.code == "CPG521"]
        assert finding.treated


def test_a_disk_without_room_for_the_copy_is_told_before_it_begins() -> None:
    (finding,) = errors(store=StoreFacts(room=Room("mine", 10**6, 5 * 10**9, 4 * 10**9)))
    assert finding.code == "CPG107"
    assert "of these for the copy: 4,000 MB" in said(finding)


def test_rows_are_read_as_the_new_index_says(taking: takeover.TakeOver, into: Path) -> None:
    takeover.take(taking, Quiet())
    paths = StorePaths(into, *NAMES, WIDTH)
    rows = layout.named_rows(paths)
    data = b"".join(layout.read_rows(paths, [rows[each] for each in FIRST]))
    assert np.array_equal(np.frombuffer(data, np.float32).reshape(-1, WIDTH), values(FIRST))
    note = json.loads((into / WORK / takeover.NOTE).read_text())
    assert note["status"] == "done"
    assert dataclasses.asdict(takeover.read_note(into) or takeover.Note())["files"]


def test_an_index_that_names_models_elsewhere_leads_nothing_outside(
    tmp_path: Path, into: Path
) -> None:
    paths = fill(tmp_path / "deps")
    outside = f"../../../{'x' * 5}"
    (tmp_path / "xxxxx").mkdir()
    (tmp_path / "xxxxx" / "201bp_dna_embeddings.mmap").write_text("x")
    with sqlitedict.SqliteDict(paths.database, autocommit=True) as table:
        table["homo_sapiens"] = {**table["homo_sapiens"], outside: {201: {"1:1": 0}}}
    assert StorePaths(paths.dependencies, "homo_sapiens", outside, 201).rows.is_file()
    into.parent.mkdir()
    taking = takeover.plan(paths.dependencies, into, *NAMES, own_genome=False)
    assert taking.kept == ((LLM, 201),)
    takeover.take(taking, Quiet())
    assert is_whole(into)
    with sqlitedict.SqliteDict(into / metadata.FILE, flag="r") as table:
        assert table["homo_sapiens"][outside] == {}


def test_hidden_files_and_links_to_folders_of_the_manifests_stay_behind(
    snapshot: Path, into: Path, tmp_path: Path
) -> None:
    manifests = snapshot / "human" / "manifests"
    (manifests / ".git").mkdir()
    (manifests / ".git" / "object").write_text("x")
    (manifests / "link").symlink_to(tmp_path)
    os.mkfifo(manifests / "fifo")
    into.parent.mkdir()
    takeover.take(takeover.plan(snapshot, into, *NAMES, own_genome=False), Quiet())
    assert [each for each in content(into) if each.startswith("manifests")] == [
        "manifests/EPIC/a.tsv.gz"
    ]


def request(folder: Path, into: Path | None = None) -> preflight.EmbedRequest:
    return preflight.EmbedRequest(
        dependencies=folder,
        locations="x",
        species="homo_sapiens",
        dna_llm=LLM,
        context_len=201,
        batch_size=8,
        num_workers=0,
        start_method=None,
        genome=None,
        device="cpu",
        python=sys.executable,
        allow_all_n=False,
        allow_non_cpg=False,
        positions=None,
        set_aside_unnamed=False,
        facts=None,
        into=into,
    )


def test_rows_under_an_index_that_another_one_contradicts_are_refused_before_anything_is_computed(
    tmp_path: Path,
) -> None:
    """Rows that were copied to where CpGPT looks, under an index in another order."""
    paths = fill(tmp_path / "deps")
    shutil.copytree(tmp_path / "deps", tmp_path / "human")
    (tmp_path / "human").rename(tmp_path / "deps" / "human")
    report = preflight.judged(Facts(store=observe.look(paths).facts), request(tmp_path / "deps"))
    assert report.exit_code == 0
    assert preflight.with_indexes_near_by(report, paths).exit_code == 0
    set_rows(paths, {each: row for row, each in enumerate(reversed(FIRST))})
    report = preflight.with_indexes_near_by(report, paths)
    assert report.exit_code == 2
    assert "CPG519" in [each.code for each in report.findings]
