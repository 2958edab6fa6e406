"""Repair: what it would do, what it does, what it leaves as it was, and that it can be killed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import filelock
import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor import cli
from cpgpt_doctor.audit import run as auditing
from cpgpt_doctor.audit.inspect import Source
from cpgpt_doctor.audit.patient import rows_in
from cpgpt_doctor.embed import admission, examine
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.repair import run, steps
from cpgpt_doctor.repair.plan import Chosen
from cpgpt_doctor.repair.rows import NOT_LOOKED_AT
from cpgpt_doctor.repair.run import Asked
from cpgpt_doctor.rules.registry import judge
from cpgpt_doctor.store import layout, metadata, observe, record
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Part, Record
from tests import folders
from tests.audits import Silent
from tests.folders import LLM, SPECIES, findings, names, observed, store, values

SHUFFLED = random.Random(3).sample(names(300), 300)
WIDTH = 256


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder with no other test's folders beside it: indexes near by are looked at."""
    (tmp_path / "alone").mkdir()
    return tmp_path / "alone"


def files(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their bytes, and links with their targets, but those of ours."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and ".cpgpt-doctor" not in path.parts
    }


def read(folder: Path, species: str = SPECIES) -> dict[str, np.ndarray]:
    """Each location's row as CpGPT reads it: `len(index)` rows of the file are mapped."""
    with sqlitedict.SqliteDict(folder / metadata.FILE, flag="r") as entries:
        table = entries[species][LLM][201]
    if not table:
        return {}
    paths = StorePaths(folder, species, LLM, 201, WIDTH)
    rows = np.memmap(paths.rows, np.float32, "r", shape=(len(table), WIDTH))
    return {location: np.array(rows[row]) for location, row in table.items()}


def right(folder: Path, locations: list[str]) -> bool:
    """Whether these locations, and no others, read their own rows."""
    found = read(folder)
    own = dict(zip(locations, values(locations), strict=True))
    return found.keys() == own.keys() and all(np.array_equal(found[k], own[k]) for k in own)


def codes(folder: Path) -> list[str]:
    """What check finds there."""
    return sorted(each.code for each in findings(observed(folder)) if each.location)


def apply(folder: Path, **asked: Any) -> run.Done:
    return run.apply(Asked(folder, **asked), lambda line: None, Silent())


def look(folder: Path, **asked: Any) -> run.Looked:
    with tempfile.TemporaryFile() as spool:
        return run.look(Asked(folder, **asked), Silent(), spool)


def undo(folder: Path) -> tuple[Path, ...]:
    return run.undo(folder, lambda line: None)


# Folders that need mending; each returns the locations that read their own rows afterwards.


def copied_without_its_index(folder: Path) -> list[str]:
    store(folder / "human", SHUFFLED)
    shutil.copytree(folder / "human" / "dna_embeddings", folder / "dna_embeddings")
    folders.set_index(folder, {each: np.int64(at) for at, each in enumerate(sorted(SHUFFLED)[:9])})
    return SHUFFLED


def linked_without_its_index(folder: Path) -> list[str]:
    store(folder / "human", SHUFFLED)
    (folder / "dna_embeddings").symlink_to(folder / "human" / "dna_embeddings")
    mine = sorted(SHUFFLED)[:250]
    folders.set_index(folder, {each: np.int64(at) for at, each in enumerate(mine)})
    return SHUFFLED


def index_replaced_by_an_older_one(folder: Path) -> list[str]:
    store(folder, names(50))
    shutil.move(folder / metadata.FILE, folder / f"{metadata.FILE}.new")
    folders.set_index(folder, {each: np.int64(at) for at, each in enumerate(names(30))})
    return names(50)


def without_any_index(folder: Path) -> list[str]:
    store(folder / "human", SHUFFLED)
    (folder / "dna_embeddings").symlink_to(folder / "human" / "dna_embeddings")
    return SHUFFLED


def old_checkpoint(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    paths.checkpoint.write_text("{}")
    return names(40)


def half_made_copy(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    paths.unfinished.write_bytes(bytes(20 * paths.row_bytes))
    return names(40)


def unfinished_alone(folder: Path) -> list[str]:
    paths = store(folder, names(40), allocated=100)
    paths.rows.rename(paths.unfinished)
    return names(40)


def unfinished_alone_with_more(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    paths.rows.rename(paths.unfinished)
    folders.set_index(folder, {each: at for at, each in enumerate(names(30))})
    return names(30)


def unfinished_beside_a_shorter_one(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    shutil.copyfile(paths.rows, paths.unfinished)
    with paths.rows.open("r+b") as stream:
        stream.truncate(25 * paths.row_bytes)
    return names(40)


def unfinished_with_zeros_for_the_old_rows(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    rows = values(names(40))
    rows[:25] = 0
    rows.tofile(paths.unfinished)
    with paths.rows.open("r+b") as stream:
        stream.truncate(25 * paths.row_bytes + 12)
    return names(40)


def rows_that_nobody_names(folder: Path) -> list[str]:
    store(folder, names(50))
    folders.set_index(folder, {each: np.int64(at) for at, each in enumerate(names(30))})
    return names(30)


def two_faults(folder: Path) -> list[str]:
    paths = store(folder, names(50))
    folders.set_index(folder, {each: np.int64(at) for at, each in enumerate(names(30))})
    paths.checkpoint.write_text("{}")
    return names(30)


def two_locations_on_one_row(folder: Path) -> list[str]:
    """As CpGPT leaves it where a location was given twice: the later one wrote the row."""
    paths = store(folder, names(40))
    table = {each: at for at, each in enumerate(names(40))}
    first = names(40)[5]
    table[first] = 39
    folders.set_index(folder, {first: 39, **table})
    assert paths.rows.exists()
    return [each for each in names(40) if each != first]


def rows_numbered_from_one(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    folders.set_rows(paths, np.concatenate([np.ones((1, WIDTH)), values(names(40))]))
    folders.set_index(folder, {each: at + 1 for at, each in enumerate(names(40))})
    return names(40)


def a_file_cut_short(folder: Path) -> list[str]:
    paths = store(folder, names(40))
    with paths.rows.open("r+b") as stream:
        stream.truncate(25 * paths.row_bytes + 100)
    return names(25)


FAULTS: dict[Callable[[Path], list[str]], list[str]] = {
    copied_without_its_index: ["CPG519"],
    linked_without_its_index: ["CPG519"],
    index_replaced_by_an_older_one: ["CPG520"],
    without_any_index: ["CPG520"],
    old_checkpoint: ["CPG510"],
    half_made_copy: ["CPG515"],
    unfinished_alone: ["CPG505"],
    unfinished_alone_with_more: ["CPG505"],
    unfinished_beside_a_shorter_one: ["CPG505"],
    unfinished_with_zeros_for_the_old_rows: ["CPG505"],
    rows_that_nobody_names: ["CPG520"],
    two_faults: ["CPG510", "CPG520"],
    two_locations_on_one_row: ["CPG506"],
    rows_numbered_from_one: ["CPG506"],
    a_file_cut_short: ["CPG506"],
}
every_fault = pytest.mark.parametrize("spoil", FAULTS, ids=lambda each: each.__name__)


@every_fault
def test_what_is_mended_is_named_before_and_gone_afterwards(
    tmp_path: Path, spoil: Callable[[Path], list[str]]
) -> None:
    own = spoil(tmp_path)
    before = files(tmp_path)
    looked = look(tmp_path)
    assert sorted(each.code for each in looked.plan.actions) == FAULTS[spoil]
    assert looked.report.exit_code == 1
    assert files(tmp_path) == before
    assert not (tmp_path / ".cpgpt-doctor").exists()
    done = apply(tmp_path)
    assert (done.left.report.exit_code, done.left.plan.actions) == (0, ())
    assert codes(tmp_path) == []
    assert right(tmp_path, own)


@every_fault
def test_undo_puts_every_byte_back_and_a_second_apply_mends_it_again(
    tmp_path: Path, spoil: Callable[[Path], list[str]]
) -> None:
    own = spoil(tmp_path)
    before = files(tmp_path)
    apply(tmp_path)
    undo(tmp_path)
    assert files(tmp_path) == before
    with pytest.raises(InputError, match="no repair stands there"):
        undo(tmp_path)
    apply(tmp_path)
    assert right(tmp_path, own)


@every_fault
def test_a_repaired_folder_is_left_alone(
    tmp_path: Path, spoil: Callable[[Path], list[str]]
) -> None:
    spoil(tmp_path)
    apply(tmp_path)
    after = files(tmp_path)
    assert apply(tmp_path).actions == ()
    assert files(tmp_path) == after


@pytest.mark.parametrize("spoil", [copied_without_its_index, rows_that_nobody_names, two_faults])
def test_undo_is_refused_where_rows_were_added_since(
    tmp_path: Path, spoil: Callable[[Path], list[str]]
) -> None:
    own = spoil(tmp_path)
    apply(tmp_path)
    more = [*own, "1:900", "1:901"]
    folders.set_index(tmp_path, {each: at for at, each in enumerate(more)})
    folders.set_rows(StorePaths(tmp_path, SPECIES, LLM, 201, WIDTH), values(more))
    after = files(tmp_path)
    with pytest.raises(InputError, match="2 rows were added"):
        undo(tmp_path)
    assert files(tmp_path) == after


def test_undo_is_refused_where_a_file_was_changed_since(tmp_path: Path) -> None:
    paths = store(tmp_path, names(40))
    paths.checkpoint.write_text("{}")
    apply(tmp_path)
    paths.checkpoint.write_text("another")
    with pytest.raises(InputError, match="was changed since the repair"):
        undo(tmp_path)
    assert paths.checkpoint.read_text() == "another"


def test_undo_is_refused_where_a_file_that_got_its_name_was_written_since(tmp_path: Path) -> None:
    """The index is as it was: only the bytes tell."""
    paths = store(tmp_path, names(40))
    paths.rows.rename(paths.unfinished)
    assert [each.code for each in apply(tmp_path).actions] == ["CPG505"]
    rows = np.memmap(paths.rows, np.float32, "r+")
    rows[:WIDTH] = 7
    rows.flush()
    before = files(tmp_path)
    with pytest.raises(steps.Changed, match="was changed since the repair"):
        undo(tmp_path)
    assert files(tmp_path) == before


def test_the_index_is_adopted_without_a_row_being_read_or_written(tmp_path: Path) -> None:
    """Others stand there meanwhile."""
    copied_without_its_index(tmp_path)
    paths = StorePaths(tmp_path, SPECIES, LLM, 201, WIDTH)
    (action,) = look(tmp_path).plan.actions
    paths.rows.rename(tmp_path / "away")
    paths.rows.touch()
    os.truncate(paths.rows, (tmp_path / "away").stat().st_size)
    (tmp_path / ".cpgpt-doctor").mkdir()
    run.do(tmp_path, tmp_path / ".cpgpt-doctor", action, "20250101T000000Z", False)
    paths.rows.unlink()
    (tmp_path / "away").rename(paths.rows)
    assert right(tmp_path, SHUFFLED)


def test_the_other_stores_of_the_index_stay(tmp_path: Path) -> None:
    copied_without_its_index(tmp_path)
    store(tmp_path, names(20), length=2001)
    store(tmp_path, names(10), species="mus_musculus")
    apply(tmp_path)
    for species, length, count in ((SPECIES, 2001, 20), ("mus_musculus", 201, 10)):
        paths = StorePaths(tmp_path, species, LLM, length, WIDTH)
        assert layout.named_rows(paths) == {each: at for at, each in enumerate(names(count))}
    assert right(tmp_path, SHUFFLED)


def test_the_user_names_the_index(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "far").mkdir()
    folder, index = tmp_path / "d", tmp_path / "far" / "kept.db"
    store(folder, SHUFFLED)
    (folder / metadata.FILE).rename(index)
    folders.set_index(folder, {each: at for at, each in enumerate(sorted(SHUFFLED))})
    assert look(folder).plan.actions == ()
    looked = look(folder, index=index)
    assert [each.code for each in looked.plan.actions] == ["CPG519"]
    assert "CPG519" in [each.code for each in looked.report.findings]
    apply(folder, index=index)
    assert right(folder, SHUFFLED)


@pytest.mark.parametrize(
    ("named", "why"),
    [(names(301), "names 301 rows, and"), ([], "names no row"), (None, "no such file")],
)
def test_an_index_that_the_rows_cannot_be_of_is_refused(
    tmp_path: Path, named: list[str] | None, why: str
) -> None:
    store(tmp_path / "d", SHUFFLED)
    if named is not None:
        folders.set_index(tmp_path / "far", {each: at for at, each in enumerate(named)})
    before = files(tmp_path)
    with pytest.raises(InputError, match=why):
        apply(tmp_path / "d", index=tmp_path / "far" / metadata.FILE)
    assert files(tmp_path) == before


def test_stores_that_were_not_chosen_stay_as_they_are(tmp_path: Path) -> None:
    for length in (201, 2001):
        store(tmp_path, names(40), length=length).checkpoint.write_text("{}")
    apply(tmp_path, chosen=Chosen(context_len=2001))
    assert codes(tmp_path) == ["CPG510"]
    with pytest.raises(InputError, match="--context-len 201"):
        apply(tmp_path, chosen=Chosen(context_len=99))


def test_rows_in_a_folder_below_are_moved_only_where_the_user_says_so(tmp_path: Path) -> None:
    store(tmp_path / "human", SHUFFLED)
    folders.set_index(tmp_path, {})
    before = files(tmp_path)
    looked = look(tmp_path)
    assert (looked.plan.actions, looked.report.exit_code) == ((), 1)
    assert "--move-here" in looked.plan.left[0].why.en
    assert apply(tmp_path, move_here=True).left.report.exit_code == 0
    assert right(tmp_path, SHUFFLED)
    assert codes(tmp_path) == []
    undo(tmp_path)
    assert files(tmp_path) == before


def test_rows_in_a_folder_below_are_not_moved_over_others(tmp_path: Path) -> None:
    store(tmp_path / "human", SHUFFLED)
    store(tmp_path, names(20, "2"))
    before = files(tmp_path)
    assert "--against" in apply(tmp_path, move_here=True).left.plan.left[0].why.en
    assert files(tmp_path) == before


# What must never be written


def test_an_index_in_a_shared_cache_is_never_written(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--lucascamillo--CpGPT"
    snapshot = cache / "snapshots" / "abc" / "human"
    folder = tmp_path / "deps"
    copied_without_its_index(folder)
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    (folder / metadata.FILE).rename(cache / "blobs" / "1234")
    (snapshot / metadata.FILE).symlink_to(cache / "blobs" / "1234")
    (folder / metadata.FILE).symlink_to(snapshot / metadata.FILE)
    before = files(tmp_path)
    with pytest.raises(InputError, match="never written to"):
        apply(folder)
    assert files(tmp_path) == before


@pytest.mark.parametrize("spoil", [old_checkpoint, half_made_copy])
def test_nothing_is_moved_out_of_a_shared_cache(
    tmp_path: Path, spoil: Callable[[Path], list[str]]
) -> None:
    """A folder on the way is a link into it."""
    folder = tmp_path / "deps"
    spoil(folder)
    snapshot = tmp_path / "hub" / "models--lucascamillo--CpGPT" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "dna_embeddings").rename(snapshot / "dna_embeddings")
    (folder / "dna_embeddings").symlink_to(snapshot / "dna_embeddings")
    before = files(tmp_path)
    with pytest.raises(InputError, match="never written to"):
        apply(folder)
    assert files(tmp_path) == before


@pytest.mark.parametrize("ending", ["-journal", "-wal"])
def test_no_index_is_made_where_the_journal_of_a_lost_one_stands(
    tmp_path: Path, ending: str
) -> None:
    """SQLite would "recover" the new index from it, or remove what the lost one needs."""
    without_any_index(tmp_path)
    (tmp_path / f"{metadata.FILE}{ending}").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" * 999)
    before = files(tmp_path)
    with pytest.raises(InputError, match="journal of a database that is not there"):
        apply(tmp_path)
    assert files(tmp_path) == before


def test_rows_that_have_another_name_are_not_written(tmp_path: Path) -> None:
    rows_that_nobody_names(tmp_path)
    paths = StorePaths(tmp_path, SPECIES, LLM, 201, WIDTH)
    os.link(paths.rows, tmp_path / "other")
    before = files(tmp_path)
    with pytest.raises(InputError, match="several names"):
        apply(tmp_path)
    assert files(tmp_path) == before


def test_an_index_that_is_a_link_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    own = copied_without_its_index(folder)
    (folder / metadata.FILE).rename(tmp_path / "elsewhere.db")
    (folder / metadata.FILE).symlink_to(tmp_path / "elsewhere.db")
    before = files(tmp_path)
    apply(folder)
    assert (folder / metadata.FILE).is_symlink()
    assert right(folder, own)
    undo(folder)
    assert files(tmp_path) == before


def test_who_holds_the_lock_is_waited_for_by_nobody(tmp_path: Path) -> None:
    copied_without_its_index(tmp_path)
    (tmp_path / ".cpgpt-doctor").mkdir()
    before = files(tmp_path)
    with (
        filelock.FileLock(tmp_path / ".cpgpt-doctor" / "lock"),
        pytest.raises(InputError, match="another run-embed or repair"),
    ):
        apply(tmp_path)
    assert files(tmp_path) == before


def test_a_database_that_another_program_writes_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LOCKED_SECONDS", 0.1)
    copied_without_its_index(tmp_path)
    before = files(tmp_path)
    other = sqlite3.connect(tmp_path / metadata.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InputError, match="cannot be locked for writing"):
        apply(tmp_path)
    other.execute("ROLLBACK")
    other.close()
    assert files(tmp_path) == before


@pytest.mark.parametrize("spoil", [copied_without_its_index, index_replaced_by_an_older_one])
def test_an_index_to_which_rows_were_added_since_the_plan_is_not_replaced(
    tmp_path: Path, spoil: Callable[[Path], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(tmp_path)
    doing = run.do

    def after_another_program(*arguments: Any) -> Any:
        with sqlitedict.SqliteDict(tmp_path / metadata.FILE, flag="r") as entries:
            table = entries[SPECIES][LLM][201]
        folders.set_index(tmp_path, {**table, "2:777": len(table)})
        before.update(files(tmp_path))
        return doing(*arguments)

    before: dict[str, bytes] = {}
    monkeypatch.setattr(run, "do", after_another_program)
    with pytest.raises(InputError, match="changed meanwhile"):
        apply(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who writes")
def test_a_file_that_another_program_writes_is_not_moved(tmp_path: Path) -> None:
    half_made_copy(tmp_path)
    paths = StorePaths(tmp_path, SPECIES, LLM, 201, WIDTH)
    code = "import sys; f = open(sys.argv[1], 'r+b'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, paths.unfinished],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        before = files(tmp_path)
        with pytest.raises(InputError, match=f"process {writer.pid}"):
            apply(tmp_path)
        assert files(tmp_path) == before
        writer.communicate(b"\n")
    apply(tmp_path)
    assert codes(tmp_path) == []


def test_a_backup_whose_manifest_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    copied_without_its_index(tmp_path)
    (backup,) = apply(tmp_path).backups
    (backup / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="is no manifest of a repair"):
        undo(tmp_path)


def test_a_backup_that_lost_a_file_is_not_undone_in_part(tmp_path: Path) -> None:
    two_faults(tmp_path)
    first, *_ = apply(tmp_path).backups
    after = files(tmp_path)
    (first / "1.rows").unlink()
    with pytest.raises(InputError, match="is not there in full"):
        undo(tmp_path)
    assert files(tmp_path) == after


def test_two_indexes_that_fit_alike_are_left_for_verify(tmp_path: Path) -> None:
    store(tmp_path / "one", SHUFFLED)
    store(tmp_path / "two", sorted(SHUFFLED))
    paths = StorePaths(tmp_path / "two", SPECIES, LLM, 201, WIDTH)
    shutil.copyfile(StorePaths(tmp_path / "one", SPECIES, LLM, 201).rows, paths.rows)
    looked = look(tmp_path / "two")
    assert looked.plan.actions == ()
    assert "--index" in looked.plan.left[0].why.en


def test_a_shared_report_has_the_actions_without_personal_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    copied_without_its_index(tmp_path)
    (found,) = (each for each in look(tmp_path).public().findings if each.code == "CPG519")
    told = " ".join(value.en for _, value in found.evidence.seen)
    assert "adopt ~/human/ensembl_metadata.db" in told
    assert str(tmp_path) not in told


# Killed


def killed_at(line: int | None, folder: Path, what: Callable[[Path], object]) -> int:
    """Run it in a child that dies, as by SIGKILL, before so many lines of ours were run.

    Returns how many lines there were, where it was not killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal count
            name = frame.f_code.co_filename
            if not any(part in name for part in ("/repair/", "/disk.py", "/store/transaction.py")):
                return None
            if event == "line":
                count += 1
                if count == line:
                    os._exit(9)
            return trace

        try:
            sys.settrace(trace)
            what(folder)
            sys.settrace(None)
            os.write(writing, str(count).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        count = said.read()
    os.waitpid(child, 0)
    return int(count or 0)


KILLED = [
    copied_without_its_index,
    index_replaced_by_an_older_one,
    unfinished_alone_with_more,
    unfinished_beside_a_shorter_one,
    unfinished_with_zeros_for_the_old_rows,
    two_faults,
    two_locations_on_one_row,
    rows_numbered_from_one,
    a_file_cut_short,
]


@pytest.mark.parametrize(
    "count", [12, pytest.param(100, marks=pytest.mark.full)], ids=lambda each: f"{each}-moments"
)
@pytest.mark.parametrize("spoil", KILLED, ids=lambda each: each.__name__)
def test_killed_at_any_moment_it_is_finished_or_undone(
    tmp_path: Path, spoil: Callable[[Path], list[str]], count: int
) -> None:
    first = tmp_path / "first" / "folder"
    first.mkdir(parents=True)
    own = spoil(first)
    before = files(first)
    rows_before = read(first) if has_index(first) else None
    whole = copy(first, tmp_path / "whole")
    total = killed_at(None, whole, apply)
    after, rows_after = files(whole), read(whole)
    assert right(whole, own)
    assert total > count
    rng = random.Random(spoil.__name__)
    for line in rng.sample(range(1, total), count):
        killed = copy(first, tmp_path / f"{line}")
        killed_at(line, killed, apply)
        readable(killed, rows_before, rows_after)
        other = copy(killed, tmp_path / f"{line}-undone")
        undo_if_any(other)
        assert files(other) == before, line
        apply(killed)
        assert files(killed) == after, line
        undo(killed)
        assert files(killed) == before, line


def test_where_neither_going_on_nor_going_back_works_it_says_that_it_stands_half_done(
    tmp_path: Path,
) -> None:
    """As on a full disk. A folder stands where the new index is made."""
    own = copied_without_its_index(tmp_path)
    before = files(tmp_path)
    (tmp_path / f".{metadata.FILE}.cpgpt-doctor").mkdir()
    with pytest.raises(DoctorError, match=r"cpgpt-doctor: .*; the repair stands half done"):
        apply(tmp_path)
    assert files(tmp_path) == before
    assert "CPG527" in codes(tmp_path)
    (tmp_path / f".{metadata.FILE}.cpgpt-doctor").rmdir()
    apply(tmp_path)
    assert right(tmp_path, own)


def test_check_and_run_embed_say_that_a_repair_stands_half_done(tmp_path: Path) -> None:
    copied_without_its_index(tmp_path)
    killed_in(tmp_path, "Swap.do")
    assert "CPG527" in codes(tmp_path)
    paths = StorePaths(tmp_path, SPECIES, LLM, 201, WIDTH)
    seen = Facts(store=observe.look(paths).facts)
    assert [
        each.severity.name
        for judged in judge(seen, Intent("run-embed"))
        for each in judged.check.findings
        if each.code == "CPG527"
    ] == ["error"]
    looked = look(tmp_path)
    assert "CPG527" in [each.code for each in looked.report.findings]
    apply(tmp_path)
    assert codes(tmp_path) == []


def killed_in(folder: Path, method: str) -> None:
    """Kill `repair --apply` before a step is done."""
    kind, name = method.split(".")
    child = os.fork()
    if child == 0:
        setattr(getattr(steps, kind), name, lambda *_: os._exit(9))
        apply(folder)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("what", ["-5", "7", "x", "fifo"])
def test_a_note_of_steps_that_is_none_is_said_in_one_line(tmp_path: Path, what: str) -> None:
    copied_without_its_index(tmp_path)
    killed_in(tmp_path, "Swap.do")
    before = files(tmp_path)
    (backup,) = (tmp_path / ".cpgpt-doctor").glob("backup-*")
    if what == "fifo":
        os.mkfifo(backup / "done")
    else:
        (backup / "done").write_text(what)
    for doing in (apply, undo):
        with pytest.raises(InputError, match="is no number of steps"):
            doing(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.full)])
@pytest.mark.parametrize("again", [apply, undo])
@pytest.mark.parametrize("spoil", [two_faults, unfinished_alone_with_more])
def test_an_undo_that_was_killed_is_finished(
    tmp_path: Path,
    count: int,
    again: Callable[[Path], object],
    spoil: Callable[[Path], list[str]],
) -> None:
    first = tmp_path / "first" / "folder"
    first.mkdir(parents=True)
    spoil(first)
    before = files(first)
    apply(first)
    total = killed_at(None, copy(first, tmp_path / "whole"), undo)
    for line in random.Random(1).sample(range(1, total), count):
        killed = copy(first, tmp_path / f"{line}")
        killed_at(line, killed, undo)
        if again is undo:
            undo_if_any(killed)
            assert files(killed) == before, line
        else:
            apply(killed)
            assert codes(killed) == []


def undo_if_any(folder: Path) -> None:
    """Killed before it changed anything, a repair left nothing to undo."""
    if any((folder / ".cpgpt-doctor").glob("backup-*")):
        with contextlib.suppress(run.NothingToUndo):
            undo(folder)


def copy(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder.parent, to, symlinks=True)
    return to / folder.name


def has_index(folder: Path) -> bool:
    paths = StorePaths(folder, SPECIES, LLM, 201, WIDTH)
    table = layout.named_rows(paths)
    size = layout.size(paths) or 0
    return size >= len(table) * paths.row_bytes and max(table.values(), default=0) < len(table)


def readable(
    folder: Path, before: dict[str, np.ndarray] | None, after: dict[str, np.ndarray]
) -> None:
    """Whether CpGPT reads each row as it was before, or as it is afterwards.

    The row of a location that leaves the index was wrong before, and may be another's meanwhile.
    """
    if before is None and not has_index(folder):
        return  # it could not be read before, either
    for location, row in read(folder).items():
        if location in after:
            known = [each[location].tobytes() for each in (before or {}, after) if location in each]
            assert row.tobytes() in known, location


# Rows that are computed again; the patient's part is played by rows that tell their location


class Patient:
    """Computes rows as the store has them: of the kind 128 those of `values`."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths, self.padding, self.computed = paths, 128, 0
        self.loaded = {"versions": {"CpGPT": "0.0.13"}, "device": "cpu"}

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        self.computed += len(locations)
        kind = padding or self.padding
        return [
            of_kind("N" if letters == "n" else f"{letters or ''}{each}", kind).tobytes()
            for each in locations
        ]

    def stored(self) -> list[bytes]:
        return list(layout.read_rows(self.paths, range(rows_in(self.paths))))

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        return [[at for at, row in enumerate(self.stored()) if row == each] for each in rows]

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        there = np.frombuffer(b"".join(self.stored()), "f4").reshape(-1, WIDTH).astype(float)
        found = []
        for each in rows:
            own = np.frombuffer(each, "f4").astype(float)
            apart = np.linalg.norm(there - own, axis=1) / np.linalg.norm(own)
            found.append([(int(at), float(apart[at])) for at in np.argsort(apart)[:4]])
        return found

    def lengths(self, locations: Sequence[str]) -> list[int]:
        return [34 for _ in locations]

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        return [((at + 1) % len(rows), 1.4) for at in range(len(rows))]


def of_kind(location: str, kind: int) -> np.ndarray:
    (row,) = values([location])
    if kind == 128:
        return row
    (other,) = values([f"{location} of another length {kind}"])
    return (row + 0.05 * other).astype("f4")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> list[Patient]:
    """Those that were loaded."""
    loaded: list[Patient] = []

    @contextlib.contextmanager
    def opened(asked: Any, paths: Any, named: Any, progress: Any, watched: Any) -> Iterator[Any]:
        patient = Patient(paths)
        loaded.append(patient)
        genome = examine.find_genome(paths.dependencies, paths.species, "Test", None)
        inputs = examine.inputs(paths.dependencies, Path(genome.path))
        in_file = auditing.rows_in_file(paths, named)
        with contextlib.closing(Genome(inputs.genome, inputs.sequences)) as reader:
            judgeable = [each for each in in_file if admission.usable(each, reader)]

            def stored(row: int) -> bytes:
                (data,) = layout.read_rows(paths, [row])
                return data

            source = Source(in_file, judgeable, rows_in(paths), dict, stored, lambda location: True)
            yield auditing.Opened(paths, genome, reader, patient, source)  # type: ignore[arg-type]

    monkeypatch.setattr(auditing, "opened", opened)
    return loaded


PLACES = names(40)
MIXED = random.Random(5).sample(PLACES, 40)


def wrong(tmp_path: Path, change: Callable[[np.ndarray], object], kind: int = 128) -> StorePaths:
    """A store of 40 rows over a genome, whose rows are changed."""
    paths = store(tmp_path, PLACES, allocated=100)
    folders.genome(tmp_path)
    rows = np.stack([of_kind(each, kind) for each in PLACES])
    change(rows)
    folders.set_rows(paths, rows, 100)
    return paths


def zeroed(rows: np.ndarray) -> None:
    rows[[3, 4, 17]] = 0
    rows[20, 5] = np.nan


@pytest.mark.parametrize("kind", [1, 128])
def test_rows_that_cannot_be_embeddings_are_computed_again_as_the_others_kind(
    tmp_path: Path, patient: list[Patient], kind: int
) -> None:
    wrong(tmp_path, zeroed, kind)
    before = files(tmp_path)
    (planned,) = look(tmp_path).plan.actions
    assert (planned.code, planned.computed) == ("CPG507", 4)
    assert files(tmp_path) == before
    assert apply(tmp_path).left.report.exit_code == 0
    assert {location: row.tobytes() for location, row in read(tmp_path).items()} == {
        each: of_kind(each, kind).tobytes() for each in PLACES
    }
    undo(tmp_path)
    assert files(tmp_path) == before


def test_of_two_equal_rows_the_one_that_is_wrong_is_computed_again(
    tmp_path: Path, patient: list[Patient]
) -> None:
    def doubled(rows: np.ndarray) -> None:
        rows[30] = rows[7]

    wrong(tmp_path, doubled)
    done = apply(tmp_path)
    assert [each.computed for each in done.actions] == [1]
    assert right(tmp_path, PLACES)


def test_rows_that_are_wrong_and_look_right_are_left_unless_all_are_looked_at(
    tmp_path: Path, patient: list[Patient]
) -> None:
    def others(rows: np.ndarray) -> None:
        rows[:10] = values([f"misread {at}" for at in range(10)])

    wrong(tmp_path, others)
    before = files(tmp_path)
    assert apply(tmp_path).actions == ()
    sampled = apply(tmp_path, audit=True, computing=computing(tmp_path, sample=30))
    assert sampled.left.report.exit_code == 1
    assert any(each.why == NOT_LOOKED_AT for each in sampled.left.plan.left)
    done = apply(tmp_path, audit=True, computing=computing(tmp_path, every=True))
    assert done.left.report.exit_code == 0
    assert right(tmp_path, PLACES)
    undo(tmp_path)
    undo(tmp_path)
    assert files(tmp_path) == before


def computing(folder: Path, **how: Any) -> auditing.Asked:
    return auditing.Asked(folder, SPECIES, sys.executable, seed=1, **how)


def test_the_smaller_kind_of_a_mixed_store_is_computed_again(
    tmp_path: Path, patient: list[Patient]
) -> None:
    def mixed(rows: np.ndarray) -> None:
        rows[30:] = [of_kind(each, 1) for each in PLACES[30:]]

    wrong(tmp_path, mixed)
    done = apply(tmp_path, audit=True, computing=computing(tmp_path, every=True))
    assert [(each.code, each.computed) for each in done.actions] == [("CPG524", 10)]
    assert right(tmp_path, PLACES)


def test_rows_are_looked_at_once_they_have_their_index(
    tmp_path: Path, patient: list[Patient]
) -> None:
    def misread(rows: np.ndarray) -> None:
        rows[3] = values(["misread"])[0]

    wrong(tmp_path, misread)
    shutil.move(tmp_path / metadata.FILE, tmp_path / f"{metadata.FILE}.bak")
    folders.set_index(tmp_path, {each: at for at, each in enumerate(PLACES[:4:-1])})
    done = apply(tmp_path, audit=True, computing=computing(tmp_path, every=True))
    assert [each.code for each in done.actions] == ["CPG519", "CPG513"]
    assert right(tmp_path, PLACES)


def test_rows_of_another_genome_are_not_written_over(
    tmp_path: Path, patient: list[Patient]
) -> None:
    def foreign(rows: np.ndarray) -> None:
        rows[:] = values([f"elsewhere {at}" for at in range(40)])
        rows[5] = 0

    wrong(tmp_path, foreign)
    before = files(tmp_path)
    for how in ({}, {"audit": True, "computing": computing(tmp_path, every=True)}):
        done = apply(tmp_path, **how)
        assert (done.actions, done.left.report.exit_code) == ((), 1)
        assert "are what this genome" in done.left.plan.left[0].why.en
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        (lambda rows: rows[::-1].copy(), "reversed"),
        (lambda rows: rows[np.argsort(MIXED)], "sorted"),
    ],
)
def test_rows_in_another_order_get_an_index_of_that_order(
    tmp_path: Path, patient: list[Patient], order: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    paths = store(tmp_path, MIXED)
    folders.genome(tmp_path)
    folders.set_rows(paths, order(values(MIXED)))
    before = paths.rows.read_bytes()
    done = apply(tmp_path, audit=True, computing=computing(tmp_path, every=True))
    assert [each.code for each in done.actions] == ["CPG519"]
    assert paths.rows.read_bytes() == before
    assert right(tmp_path, MIXED)


def test_rows_shifted_from_one_on_are_moved_into_their_places(
    tmp_path: Path, patient: list[Patient]
) -> None:
    paths = store(tmp_path, PLACES)
    folders.genome(tmp_path)
    given = values(PLACES)
    folders.set_rows(paths, np.concatenate([given[:20], given[19:20], given[20:]]))
    done = apply(tmp_path, audit=True, computing=computing(tmp_path, every=True))
    assert right(tmp_path, PLACES), done
    assert patient[0].computed < 200


def test_without_a_model_the_wrong_rows_leave_the_index_and_the_last_take_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is freed is zeros, as CpGPT allocates them."""

    def none(*_: Any) -> Any:
        raise InputError("no model here")

    monkeypatch.setattr(auditing, "opened", none)
    paths = wrong(tmp_path, zeroed)
    before = files(tmp_path)
    (planned,) = look(tmp_path).plan.actions
    assert "no model here" in planned.what.en
    apply(tmp_path)
    kept = [each for at, each in enumerate(PLACES) if at not in (3, 4, 17, 20)]
    assert right(tmp_path, kept)
    assert sorted(layout.named_rows(paths).values()) == list(range(36))
    assert paths.rows.read_bytes()[36 * 1024 :] == bytes(64 * 1024)
    assert codes(tmp_path) == []
    (listed,) = (tmp_path / ".cpgpt-doctor").glob("backup-*/taken-out.tsv")
    assert [line.split("\t") for line in listed.read_text().splitlines()] == [
        [PLACES[at], str(at)] for at in (3, 4, 17, 20)
    ]
    undo(tmp_path)
    assert files(tmp_path) == before


def test_rows_of_names_that_the_genome_lacks_leave_the_index(
    tmp_path: Path, patient: list[Patient]
) -> None:
    """Windows of nothing but N stand there; a row that is something else stays."""
    places = [*PLACES, "chr1:100", "1:999999999", "X:5"]
    paths = store(tmp_path, places)
    folders.genome(tmp_path)
    rows = values(places)
    rows[40:42] = of_kind("N", 128)
    folders.set_rows(paths, rows)
    done = apply(tmp_path)
    assert len(done.actions) == 1
    assert right(tmp_path, [*PLACES, "X:5"])


def test_a_genome_that_names_none_of_the_locations_takes_none_out(
    tmp_path: Path, patient: list[Patient]
) -> None:
    """`chr1` for `1`: the genome is the wrong one, or the names are."""
    places = names(40, "chr1")
    paths = store(tmp_path, places)
    folders.genome(tmp_path)
    rows = values(places)
    rows[3] = 0
    rows[7] = rows[8]
    folders.set_rows(paths, rows)
    before = files(tmp_path)
    done = apply(tmp_path)
    assert (done.actions, done.left.report.exit_code) == ((), 1)
    assert "name the right one with --genome" in done.left.plan.left[0].why.en
    assert files(tmp_path) == before


def test_an_order_of_rows_that_were_recorded_leaves_no_record_that_lies(
    tmp_path: Path, patient: list[Patient]
) -> None:
    paths = wrong(tmp_path, zeroed)
    parts = [recorded_part(paths, 0, 10), recorded_part(paths, 30, 10)]
    write_record(paths, parts)
    apply(tmp_path)
    assert record.read(record.record_path(paths)).parts == (parts[1],)
    assert codes(tmp_path) == []


def recorded_part(paths: StorePaths, first: int, count: int) -> Part:
    rows = layout.digest(layout.read_rows(paths, range(first, first + count)))
    locations = record.locations_digest(PLACES[first : first + count])
    return Part(first, count, rows, locations, 1.0, "2025-01-01T00:00:00+0000")


def write_record(paths: StorePaths, parts: list[Part]) -> None:
    Record(record.record_path(paths), {}, {}, (), parts, [], None, []).write()


@pytest.mark.parametrize("count", [12, pytest.param(100, marks=pytest.mark.full)])
@pytest.mark.parametrize("model", [True, False], ids=["computed", "taken-out"])
def test_killed_while_rows_are_written_each_row_is_as_before_or_as_after(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    patient: list[Patient],
    model: bool,
    count: int,
) -> None:
    if not model:

        def none(*_: Any) -> Any:
            raise InputError("no model here")

        monkeypatch.setattr(auditing, "opened", none)
    first = tmp_path / "first" / "folder"
    first.mkdir(parents=True)
    wrong(first, zeroed)
    before, rows_before = files(first), read(first)
    whole = copy(first, tmp_path / "whole")
    total = killed_at(None, whole, apply)
    after, rows_after = files(whole), read(whole)
    assert total > count
    for line in random.Random(2).sample(range(1, total), count):
        killed = copy(first, tmp_path / f"{line}")
        killed_at(line, killed, apply)
        readable(killed, rows_before, rows_after)
        other = copy(killed, tmp_path / f"{line}-undone")
        undo_if_any(other)
        assert files(other) == before, line
        apply(killed)
        assert files(killed) == after, line
        undo(killed)
        assert files(killed) == before, line


# The command


def called(capfd: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str, str]:
    code = cli.main(["repair", "--dependencies-dir", str(folder), *options])
    out, err = capfd.readouterr()
    return code, out, err


def test_the_command_shows_does_and_undoes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = copied_without_its_index(tmp_path)
    code, out, _ = called(capfd, tmp_path, "--lang", "en")
    assert code == 1
    assert "1. CPG519  adopt " in out
    assert "no row is computed" in out
    assert f"repair --dependencies-dir {tmp_path} --apply" in out
    assert "采用" in called(capfd, tmp_path, "--lang", "zh")[1]
    code, out, err = called(capfd, tmp_path, "--apply", "--lang", "en")
    assert code == 0
    assert "nothing to repair" in out
    assert "backup: " in err
    assert right(tmp_path, own)
    assert called(capfd, tmp_path, "--undo")[0] == 0
    code, _, err = called(capfd, tmp_path, "--undo", "--all")
    assert code == 2
    assert "--all has no effect" in err


@pytest.mark.parametrize("form", ["markdown", "html", "json", "sarif", "github", "junit"])
def test_every_form_of_report_says_what_repair_would_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    copied_without_its_index(tmp_path)
    code, out, _ = called(capfd, tmp_path, "--format", form, "--lang", "en")
    assert code == 1
    assert form == "github" or "no row is read or written" in out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--seed", "1"), "--seed: draws the same --sample again"),
        (("--positions", "0-based"), "--positions: says what --locations counts from"),
        (("--context-len", "7"), "has no such store"),
        (("--index", "nowhere.db"), "no such file"),
    ],
)
def test_options_without_effect_are_refused_in_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[str, ...], why: str
) -> None:
    store(tmp_path, PLACES)
    code, out, err = called(capfd, tmp_path, *options)
    assert (code, out) == (2, "")
    assert why in err.splitlines()[-1]


def test_a_folder_that_is_none_of_cpgpts_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for option in ((), ("--apply",), ("--undo",)):
        code, _, err = called(capfd, tmp_path, *option)
        assert code == 2
        assert "holds none of CpGPT's dependencies" in err
    assert list(tmp_path.iterdir()) == []
