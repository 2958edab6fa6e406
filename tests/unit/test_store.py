"""A part is in the store whole or not at all, and every release of CpGPT reads the result."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tracemalloc
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor import disk
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.store import layout, metadata, observe, transaction
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Part, lost_rows
from tests.findings import errors, said

LLM = "hyenadna-tiny-1k-seqlen-d256"  # the narrowest that CpGPT has
WIDTH = 256
FIRST = [f"1:{at}" for at in range(40)]
SECOND = [f"2:{at}" for at in range(25)]


def new_store(folder: Path) -> StorePaths:
    """A dependencies folder with a database as CpGPT makes it, without embeddings of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    with sqlitedict.SqliteDict(folder / metadata.FILE, autocommit=True) as table:
        table["homo_sapiens"] = {"assembly": "x", LLM: {512: {"9:9": np.int64(0)}}, "other": {}}
        table["mus_musculus"] = {LLM: {201: {"1:0": np.int64(3)}}}
    return StorePaths(folder, "homo_sapiens", LLM, 201, WIDTH)


def values(locations: list[str]) -> np.ndarray:
    """Rows that tell their location."""
    seeds = [int(hashlib.sha256(each.encode()).hexdigest()[:8], 16) for each in locations]
    return np.stack([np.random.default_rng(seed).random(WIDTH, np.float32) for seed in seeds])


def stage(folder: Path, locations: list[str]) -> StorePaths:
    """What CpGPT leaves of a part: rows in an order of its own, in a file that is too long."""
    address = new_store(folder)
    address.folder.mkdir(parents=True)
    order = random.Random(3).sample(locations, len(locations))
    shape = (len(locations) + 60, WIDTH)
    rows = np.memmap(address.rows, dtype="float32", mode="w+", shape=shape)
    rows[: len(order)] = values(order)
    rows.flush()
    set_rows(address, {location: np.int64(row) for row, location in enumerate(order)})
    return address


def set_rows(address: StorePaths, rows: object) -> None:
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        species = table[address.species]
        species[address.dna_llm][address.context_len] = rows
        table[address.species] = species


def as_cpgpt_reads(address: StorePaths, locations: list[str]) -> np.ndarray:
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        rows = table[address.species][address.dna_llm][address.context_len]
    shape = (len(rows), address.width)
    stored = np.memmap(address.rows, dtype="float32", mode="r", shape=shape)
    return np.stack([stored[rows[location]] for location in locations])


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def address(tmp_path: Path) -> StorePaths:
    """A store with the first locations in it."""
    address = new_store(tmp_path / "dependencies")
    transaction.commit(address, stage(tmp_path / "staged-first", FIRST), FIRST)
    return address


@pytest.fixture
def second(tmp_path: Path) -> StorePaths:
    return stage(tmp_path / "staged-second", SECOND)


def holds(address: StorePaths, locations: list[str]) -> bool:
    """Whether the store has exactly these locations, each with its own row, as CpGPT reads it."""
    same = np.array_equal(as_cpgpt_reads(address, locations), values(locations))
    return same and sorted(layout.named_rows(address)) == sorted(locations)


def test_a_commit_appends_rows_and_names_them(address: StorePaths, second: StorePaths) -> None:
    before = address.rows.read_bytes()
    assert before == values(FIRST).tobytes()
    added = transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)
    assert address.rows.read_bytes() == before + values(SECOND).tobytes()
    assert added.first_row == 40
    assert added.rows_digest == hashlib.sha256(values(SECOND).tobytes()).hexdigest()
    rows = layout.named_rows(address)
    assert [rows[each] for each in FIRST + SECOND] == list(range(65))
    assert added.rows_digest == layout.digest(layout.read_rows(address, range(40, 65)))


def test_a_commit_leaves_everything_else_as_it_was(address: StorePaths, second: StorePaths) -> None:
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        before = dict(table)
    transaction.commit(address, second, SECOND)
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        after = dict(table)
    del before["homo_sapiens"][LLM][201], after["homo_sapiens"][LLM][201]
    assert after == before
    assert before["mus_musculus"] == {LLM: {201: {"1:0": 3}}}


def test_a_model_that_the_database_does_not_know_is_added(
    tmp_path: Path, second: StorePaths
) -> None:
    address = new_store(tmp_path / "dependencies")
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        table["homo_sapiens"] = {"assembly": "x"}
    transaction.commit(address, second, SECOND)
    assert holds(address, SECOND)


def test_real_cpgpt_reads_a_store_and_one_that_it_staged_is_taken(tmp_path: Path) -> None:
    module = upstream.import_alone()
    for name in ("dependencies", "staged"):
        upstream.prepare_dependencies(str(tmp_path / name), "homo_sapiens", "x")
        module.DNALLMEmbedder(str(tmp_path / name))
    address = StorePaths(tmp_path / "dependencies", "homo_sapiens", LLM, 201, WIDTH)
    staged = replace(address, dependencies=tmp_path / "staged")
    staged.folder.mkdir(parents=True)
    values(FIRST).tofile(staged.rows)
    set_rows(staged, {location: np.int64(row) for row, location in enumerate(FIRST)})
    transaction.commit(address, staged, FIRST)
    embedder = module.DNALLMEmbedder(str(tmp_path / "dependencies"))
    read = [embedder.get_embedding(location, "homo_sapiens", LLM, 201) for location in FIRST]
    assert np.array_equal(np.stack(read), values(FIRST))


@pytest.mark.parametrize("zeros", [7, 100 * 1024, 9_000 * 1024 + 7])
def test_zeros_that_cpgpt_allocated_are_overwritten(
    address: StorePaths, second: StorePaths, zeros: int
) -> None:
    with address.rows.open("ab") as stream:
        stream.truncate(40 * address.row_bytes + zeros)
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


@pytest.mark.parametrize("zeros", [0, 3 * 1024, 3_000_000])
@pytest.mark.parametrize("others", [1, 1024, 5 * 1024 + 7])
def test_rows_that_nobody_names_are_not_overwritten(
    address: StorePaths, second: StorePaths, zeros: int, others: int
) -> None:
    """Published rows without their index, say; not even where they begin with zeros."""
    with address.rows.open("ab") as stream:
        stream.write(b"\0" * zeros + b"\x3f" * others)
    before = content(address.dependencies)
    with pytest.raises(
        transaction.Unfit, match="after the 40 rows that are named, it holds numbers"
    ):
        transaction.commit(address, second, SECOND)
    (finding,) = errors(store=observe.look(address).facts)
    assert finding.code == "CPG520"
    assert f"from byte: {40 * 1024 + zeros:,}" in said(finding)
    assert "set-aside" in [each.id for each in finding.remedies]
    assert content(address.dependencies) == before


def test_published_rows_without_their_index_are_named_with_the_folder_to_use(
    address: StorePaths, second: StorePaths
) -> None:
    (address.dependencies / "human").mkdir()
    shutil.copy(address.database, address.dependencies / "human")
    set_rows(address, {})
    with pytest.raises(transaction.Unfit):
        transaction.commit(address, second, SECOND)
    (finding,) = errors(store=observe.look(address).facts)
    assert finding.remedies[0].id == "right-folder"
    assert dict(finding.remedies[0].values)["home"].en == str(address.dependencies / "human")


@pytest.mark.parametrize("named", [0, 40])
def test_rows_that_nobody_names_can_be_set_aside(
    address: StorePaths, second: StorePaths, named: int
) -> None:
    others = address.rows.with_name(f"{address.rows.name}.unnamed-1")
    others.write_bytes(b"of another time")
    with address.rows.open("ab") as stream:
        stream.write(b"\x3f" * (5 * 1024 + 7))
    whole = address.rows.read_bytes()
    if not named:
        set_rows(address, {})
    aside = transaction.set_aside_unnamed(address)
    assert aside == address.rows.with_name(f"{address.rows.name}.unnamed-2")
    assert aside.read_bytes() == whole[named * 1024 :]
    assert others.read_bytes() == b"of another time"
    assert transaction.set_aside_unnamed(address) is None
    transaction.commit(address, second, SECOND)
    assert holds(address, (FIRST if named else []) + SECOND)


def test_rows_are_set_aside_where_there_is_no_index_at_all(address: StorePaths) -> None:
    whole = address.rows.read_bytes()
    address.database.unlink()
    aside = transaction.set_aside_unnamed(address)
    assert aside is not None
    assert aside.read_bytes() == whole
    assert not address.rows.exists()


def killed_in_append(address: StorePaths, second: StorePaths, part: float) -> bytes:
    """Leave what a process killed in an append leaves: the note, and some of the rows."""
    data = list(layout.read_rows(second, [layout.named_rows(second)[each] for each in SECOND]))
    named = len(layout.named_rows(address))
    transaction.write_note(address, named, data)
    written = b"".join(data)[: int(len(SECOND) * 1024 * part)]
    with address.rows.open("r+b") as stream:
        stream.seek(named * 1024)
        stream.write(written)
    return written


@pytest.mark.parametrize("part", [0, 0.02, 0.5, 1])
@pytest.mark.parametrize("allocated", [0, 9000])
def test_what_a_killed_append_has_left_is_replaced(
    address: StorePaths, second: StorePaths, part: float, allocated: int, tmp_path: Path
) -> None:
    if allocated:
        os.truncate(address.rows, (40 + allocated) * 1024)
    killed_in_append(address, second, part)
    third = [f"3:{at}" for at in range(7)]
    transaction.commit(address, stage(tmp_path / "third", third), third)
    assert holds(address, FIRST + third)
    assert not address.note.exists()


@pytest.mark.parametrize(
    "lie",
    ["grown", "changed", "of another row", "no note", "not JSON", "nested", "a link", "a FIFO"],
)
def test_a_note_that_lies_explains_nothing(
    address: StorePaths, second: StorePaths, lie: str
) -> None:
    """The file was changed by somebody else after the kill, or the note is another's."""
    killed_in_append(address, second, 1)
    if lie == "grown":
        with address.rows.open("ab") as stream:
            stream.write(b"\x3f" * 1024)
    elif lie == "changed":
        with address.rows.open("r+b") as stream:
            stream.seek(50 * 1024 + 99)
            stream.write(b"\x99")
    elif lie == "of another row":
        address.note.write_text(address.note.read_text().replace("40", "39"))
    elif lie == "not JSON":
        address.note.write_bytes(b"\0" * 300)
    elif lie == "nested":
        address.note.write_text("[" * 100_000)
    else:
        whole = address.note.read_bytes()
        address.note.unlink()
        if lie == "a link":
            other = address.dependencies / "note"
            other.write_bytes(whole)
            address.note.symlink_to(other)
        if lie == "a FIFO":
            os.mkfifo(address.note)
    before = address.rows.read_bytes()
    with pytest.raises(InputError, match="nobody names"):
        transaction.commit(address, second, SECOND)
    assert address.rows.read_bytes() == before
    assert layout.named_rows(address) == {location: row for row, location in enumerate(FIRST)}


def test_looking_at_gigabytes_of_allocated_zeros_takes_no_memory(address: StorePaths) -> None:
    os.truncate(address.rows, 40 * 1024 + (8 << 30))
    tracemalloc.start()
    assert layout.foreign_from(address, 40) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.parametrize(
    "locations",
    [SECOND[:-1], [*SECOND, "3:1"], [*SECOND, SECOND[0]], [*SECOND[:-1], "3:1"]],
    ids=["one too many", "one missing", "one twice", "another"],
)
def test_a_part_that_is_not_what_was_asked_for_is_not_taken(
    address: StorePaths, second: StorePaths, locations: list[str]
) -> None:
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match=r"CpGPT stored 25 locations of a part of \d+"):
        transaction.commit(address, second, locations)
    assert content(address.dependencies) == before


def test_a_part_whose_rows_are_cut_short_is_not_taken(
    address: StorePaths, second: StorePaths
) -> None:
    second.rows.write_bytes(second.rows.read_bytes()[: 20 * second.row_bytes])
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match=r"row \d+ is not there in full"):
        transaction.commit(address, second, SECOND)
    assert content(address.dependencies) == before


def test_an_error_before_the_rows_are_named_leaves_the_store_as_it_was(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    def fail(*arguments: object) -> None:
        raise PowerCut

    with monkeypatch.context() as broken:
        broken.setattr(metadata, "write_species", fail)
        with pytest.raises(PowerCut):
            transaction.commit(address, second, SECOND)
    assert holds(address, FIRST)
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from cpgpt_doctor.store import layout, metadata, transaction

where, name, when, dependencies, staged, locations = sys.argv[1:]
owner = {"transaction": transaction, "metadata": metadata}[where]
real = getattr(owner, name)

def killed(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
settings = "homo_sapiens", "hyenadna-tiny-1k-seqlen-d256", 201, 256
transaction.commit(
    layout.StorePaths(Path(dependencies), *settings),
    layout.StorePaths(Path(staged), *settings),
    json.loads(locations),
)
"""


@pytest.mark.parametrize(
    "moment",
    [
        ("transaction", "append", "before"),
        ("transaction", "append", "after"),
        ("metadata", "write_species", "after"),
    ],
    ids=["before the rows", "between rows and names", "before the commit"],
)
@pytest.mark.parametrize("large", [False, True], ids=["small", "larger than SQLite's cache"])
def test_a_process_killed_in_a_commit_leaves_the_store_as_it_was(
    address: StorePaths, second: StorePaths, moment: tuple[str, ...], large: bool
) -> None:
    if large:  # SQLite then writes into the database before the commit, with a journal beside it
        with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
            species = table["homo_sapiens"]
            table["homo_sapiens"] = {**species, "vocab": "x" * 9_000_000}
    asked = str(SECOND).replace("'", '"')
    command = [sys.executable, "-c", KILLED, *moment, address.dependencies, second.dependencies]
    assert subprocess.run([*command, asked]).returncode == -9
    assert layout.named_rows(address) == {location: row for row, location in enumerate(FIRST)}
    assert holds(address, FIRST)
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_process_killed_right_after_a_commit_has_its_rows_in(
    address: StorePaths, second: StorePaths
) -> None:
    asked = str(SECOND).replace("'", '"')
    command = [sys.executable, "-c", KILLED, "transaction", "digest", "before"]
    ran = subprocess.run([*command, address.dependencies, second.dependencies, asked])
    assert ran.returncode == -9
    assert holds(address, FIRST + SECOND)


def damage_shared_row(address: StorePaths) -> None:
    set_rows(address, {**layout.named_rows(address), "1:1": 0})


def damage_left_out_row(address: StorePaths) -> None:
    set_rows(address, {**layout.named_rows(address), "1:39": 40})


def damage_negative_row(address: StorePaths) -> None:
    set_rows(address, {**layout.named_rows(address), "1:39": -1})


def damage_short_file(address: StorePaths) -> None:
    address.rows.write_bytes(address.rows.read_bytes()[:-1])


def damage_missing_file(address: StorePaths) -> None:
    address.rows.unlink()


def damage_unfinished(address: StorePaths) -> None:
    address.unfinished.write_bytes(b"\0" * 1024)


def damage_unfinished_alone(address: StorePaths) -> None:
    address.rows.rename(address.unfinished)


def damage_unfinished_beside_a_shorter_one(address: StorePaths) -> None:
    """What CpGPT up to 0.0.7 leaves of a run that adds to a smaller store."""
    address.unfinished.write_bytes(address.rows.read_bytes())
    damage_short_file(address)


def damage_not_a_table(address: StorePaths) -> None:
    set_rows(address, ["1:0"])


def damage_row_not_a_number(address: StorePaths) -> None:
    set_rows(address, {**layout.named_rows(address), "1:39": "39"})


def damage_pickle(address: StorePaths) -> None:
    with sqlite3.connect(address.database) as connection:
        connection.execute(
            "UPDATE unnamed SET value = ? WHERE key = 'homo_sapiens'", (b"\x80\x04",)
        )
    connection.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_shared_row, "CPG506"),
        (damage_left_out_row, "CPG506"),
        (damage_negative_row, "CPG506"),
        (damage_short_file, "holds 39 rows, and the index names 40"),
        (damage_missing_file, "holds 0 rows, and the index names 40"),
        (damage_unfinished, "CPG515"),
        (damage_unfinished_alone, "CPG505"),
        (damage_unfinished_beside_a_shorter_one, "CPG505"),
        (damage_not_a_table, "CPG509"),
        (damage_row_not_a_number, "CPG509"),
        (damage_pickle, "is damaged"),
    ],
)
def test_nothing_is_added_to_an_unhealthy_store(
    address: StorePaths, second: StorePaths, damage: Callable[[StorePaths], None], words: str
) -> None:
    damage(address)
    before = content(address.dependencies)
    with pytest.raises(InputError) as caught:
        transaction.commit(address, second, SECOND)
    assert str(address.dependencies) in str(caught.value)
    assert "\n" not in str(caught.value)
    (finding,) = errors(store=observe.look(address).facts)
    assert words in said(finding)
    assert str(address.dependencies) in said(finding)
    assert content(address.dependencies) == before


def test_a_part_that_another_program_added_first_is_refused(
    address: StorePaths, second: StorePaths
) -> None:
    transaction.commit(address, second, SECOND)
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match="another program added rows"):
        transaction.commit(address, second, SECOND)
    assert content(address.dependencies) == before


def test_no_other_program_can_name_rows_during_a_commit(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or ours would be written over rows that it has named in between."""
    real = transaction.append
    refused: list[str] = []

    def append(*arguments: Any) -> None:
        other = sqlite3.connect(address.database, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            refused.append(str(error))
        other.close()
        real(*arguments)

    monkeypatch.setattr(transaction, "append", append)
    transaction.commit(address, second, SECOND)
    assert refused == ["database is locked"]
    assert holds(address, FIRST + SECOND)


def test_a_database_that_another_program_holds_for_long_is_an_error_of_the_system(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "STEP_SECONDS", 0.05)
    monkeypatch.setattr(transaction, "LOCKED_SECONDS", 0.2)
    before = content(address.dependencies)
    other = sqlite3.connect(address.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="locked") as caught:
        transaction.commit(address, second, SECOND)
    other.close()
    assert caught.value.filename == str(address.database)
    assert content(address.dependencies) == before


HOLDS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_reading_a_database_that_stays_locked_is_refused_in_a_line(
    address: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked is not damaged: no rule has anything to say of it."""
    monkeypatch.setattr(metadata, "LOCKED_SECONDS", 0.1)
    other = sqlite3.connect(address.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for read in (layout.named_rows, observe.look):
        with pytest.raises(InputError, match="another program has locked it for more than") as said:
            read(address)
        assert not isinstance(said.value, metadata.MetadataWrong)
        assert "\n" not in str(said.value)
    other.close()
    assert len(layout.named_rows(address)) == len(FIRST)


def test_a_finished_part_waits_for_a_locked_database_and_says_who_holds_it(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "STEP_SECONDS", 0.05)
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, address.database], stdin=-1, stdout=-1, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def tell(text: str) -> None:
            told.append(text)
            holder.kill()

        assert transaction.commit(address, second, SECOND, tell).waited
    assert holds(address, FIRST + SECOND)
    assert "locked by another program" in told[0]
    assert f"process {holder.pid}" in told[0]
    assert len(told) == 1


def test_a_reader_that_stands_in_the_way_of_the_commit_is_waited_for(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite then refuses COMMIT itself, and not BEGIN."""
    monkeypatch.setattr(transaction, "STEP_SECONDS", 0.05)
    reader = sqlite3.connect(address.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT key FROM unnamed").fetchone()
    transaction.commit(address, second, SECOND, lambda text: reader.close())
    assert holds(address, FIRST + SECOND)


def saves(address: StorePaths, rows: dict[str, int]) -> None:
    """Save as CpGPT does from 0.0.8 on: a new file in the old one's place."""
    other = address.database.with_suffix(".db.tmp")
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        entries = dict(table)
    entries[address.species][address.dna_llm][address.context_len] = rows
    with sqlitedict.SqliteDict(other, autocommit=True, flag="n") as table:
        table.update(entries)
    other.replace(address.database)


@pytest.mark.parametrize("moment", ["after the rows", "after the names"])
def test_a_database_that_cpgpt_replaces_in_a_commit_gets_the_part_as_well(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    owner, name = (
        (transaction, "append") if moment == "after the rows" else (metadata, "write_species")
    )
    real = getattr(owner, name)
    told: list[str] = []

    def once(*arguments: Any) -> None:
        real(*arguments)
        monkeypatch.setattr(owner, name, real)
        saves(address, {location: row for row, location in enumerate(FIRST)})

    monkeypatch.setattr(owner, name, once)
    added = transaction.commit(address, second, SECOND, told.append)
    assert "replaced" in told[0]
    assert added.first_row == 40
    assert holds(address, FIRST + SECOND)


def test_a_database_replaced_right_after_the_commit_is_noticed(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says nothing then: it committed, to a file that is at no path any more."""
    real, moments = transaction.identity, []

    def identity(path: Path) -> Any:
        moments.append(path)
        if len(moments) == 2:
            saves(address, {location: row for row, location in enumerate(FIRST)})
        return real(path)

    monkeypatch.setattr(transaction, "identity", identity)
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_saved_database_that_names_fewer_rows_is_not_built_upon(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.write_species

    def replaced(*arguments: Any) -> None:
        real(*arguments)
        saves(address, {location: row for row, location in enumerate(FIRST[:30])})

    monkeypatch.setattr(metadata, "write_species", replaced)
    with pytest.raises(transaction.Unfit, match="after the 30 rows that are named"):
        transaction.commit(address, second, SECOND)
    (finding,) = errors(store=observe.look(address).facts)
    assert "30 rows that the index names, 35 more hold numbers" in finding.title.en
    assert address.rows.read_bytes()[: 40 * 1024] == values(FIRST).tobytes()


def test_rows_that_a_record_has_and_the_store_no_longer_names_are_counted() -> None:
    parts = tuple(Part(at, 100, "", "", 1.0, "") for at in range(0, 700, 100))
    assert lost_rows(parts, 700) == 0
    assert lost_rows(parts, 300) == 400
    assert lost_rows(parts, 250) == 450
    assert lost_rows((), 0) == 0


def test_the_journal_and_new_folders_reach_the_disk(
    tmp_path: Path, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder that gained an entry is flushed, and after it nothing is left to be lost."""
    address = new_store(tmp_path / "dependencies")
    flushed: list[Path] = []
    real = disk.flush_folder

    def flush_folder(path: Path) -> None:
        flushed.append(path)
        real(path)

    for module in (transaction, disk):
        monkeypatch.setattr(module, "flush_folder", flush_folder)
    transaction.commit(address, second, SECOND)
    assert {address.folder, *list(address.folder.parents)[:3]} <= set(flushed)


def test_sqlite_is_told_to_bring_the_end_of_its_journal_onto_the_disk(
    address: StorePaths, second: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    real = metadata.connect

    def connect(path: Path, *, write: bool = False) -> sqlite3.Connection:
        connection = real(path, write=write)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr(metadata, "connect", connect)
    transaction.commit(address, second, SECOND)
    begun = said.index("BEGIN IMMEDIATE")
    assert {"PRAGMA synchronous = EXTRA", "PRAGMA fullfsync = ON"} < set(said[:begun])


def test_a_mac_is_told_to_empty_the_drives_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in: there is no Mac here."""
    calls: list[object] = []
    fcntl = types.SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda *call: calls.append(call))
    monkeypatch.setattr(disk.sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "fcntl", fcntl)
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync"))
    path = tmp_path / "file"
    path.write_bytes(b"x")
    disk.flush(path)
    assert [call[1:] if isinstance(call, tuple) else call for call in calls] == [(51,)]

    def unknown(*call: object) -> None:
        raise OSError(errno.ENOTSUP, "a network disk")

    calls.clear()
    fcntl.fcntl = unknown
    disk.flush(path)
    assert calls == ["fsync"]


def test_a_new_database_is_not_made_where_a_journal_stands(tmp_path: Path) -> None:
    staged = new_store(tmp_path / "staged")
    address = replace(staged, dependencies=tmp_path / "new")
    (tmp_path / "far").mkdir()
    address.dependencies.mkdir()
    for name in ("new/ensembl_metadata.db-journal", "new/ensembl_metadata.db-wal"):
        (tmp_path / name).write_bytes(b"of a database that is gone")
        with pytest.raises(InputError, match="stands where the new"):
            transaction.create_database(address, staged.database)
        (tmp_path / name).unlink()
    address.database.symlink_to(tmp_path / "far" / "index.db")  # which is not there
    with pytest.raises(InputError, match="stands where the new"):
        transaction.create_database(address, staged.database)
    assert address.database.is_symlink()


def test_a_database_that_is_gone_is_an_error_of_the_system(
    address: StorePaths, second: StorePaths
) -> None:
    address.database.unlink()
    before = content(address.dependencies)
    with pytest.raises(OSError, match="unable to open"):
        transaction.commit(address, second, SECOND)
    assert content(address.dependencies) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    gc.collect()  # a memmap of CpGPT's kind has no close()
    subprocess.run(["umount", str(folder)], check=True)


def test_rows_that_do_not_fit_on_the_disk_leave_the_old_ones(
    small_disk: Path, tmp_path: Path, second: StorePaths
) -> None:
    address = new_store(small_disk / "dependencies")
    transaction.commit(address, stage(tmp_path / "first", FIRST), FIRST)
    many = [f"3:{at}" for at in range(2000)]
    before = content(address.dependencies)
    with pytest.raises(OSError, match="No space left") as caught:
        transaction.commit(address, stage(tmp_path / "many", many), many)
    assert caught.value.errno == errno.ENOSPC
    assert content(address.dependencies) == before
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_first_part_that_does_not_fit_leaves_no_file_of_rows(
    small_disk: Path, tmp_path: Path
) -> None:
    """CpGPT could not open an empty one: numpy.memmap refuses it."""
    address = new_store(small_disk / "dependencies")
    many = [f"3:{at}" for at in range(2000)]
    before = content(address.dependencies)
    with pytest.raises(OSError, match="No space left"):
        transaction.commit(address, stage(tmp_path / "many", many), many)
    assert content(address.dependencies) == before


@pytest.mark.parametrize("left", [0, 28, 32, 36])
def test_names_that_do_not_fit_on_the_disk_leave_the_old_ones(
    small_disk: Path, tmp_path: Path, second: StorePaths, left: int
) -> None:
    """25 rows of 1 KiB fit into 28 KiB; the transaction then has nearly nothing."""
    address = new_store(small_disk / "dependencies")
    transaction.commit(address, stage(tmp_path / "first", FIRST), FIRST)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - left * 1024))
    with pytest.raises(OSError, match=r"full|No space left|I/O"):
        transaction.commit(address, second, SECOND)
    assert holds(address, FIRST)
    filler.unlink()
    transaction.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_database_is_adopted_whole(tmp_path: Path) -> None:
    staged = new_store(tmp_path / "staged")
    address = replace(staged, dependencies=tmp_path / "new")
    address.dependencies.mkdir()
    (address.dependencies / "ensembl_metadata.db.new").write_bytes(b"of a run that was killed")
    transaction.create_database(address, staged.database)
    with sqlitedict.SqliteDict(address.database, flag="r") as ours:
        adopted = dict(ours)
    with sqlitedict.SqliteDict(staged.database, flag="r") as theirs:
        assert adopted == dict(theirs)
    assert [path.name for path in address.dependencies.iterdir()] == ["ensembl_metadata.db"]


def test_a_store_that_is_not_there_names_no_rows(tmp_path: Path) -> None:
    assert layout.named_rows(StorePaths(tmp_path, "homo_sapiens", LLM, 201, WIDTH)) == {}
    assert list(tmp_path.iterdir()) == []


def test_an_entry_that_is_not_plain_is_not_added_to(
    address: StorePaths, second: StorePaths
) -> None:
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        table["homo_sapiens"] = {**table["homo_sapiens"], "dtype": np.dtype("i8")}
    with pytest.raises(InputError, match="no plain data; nothing was added"):
        transaction.commit(address, second, SECOND)
    assert holds(address, FIRST)


def test_a_commit_says_that_named_rows_are_gone(address: StorePaths, second: StorePaths) -> None:
    before = content(address.dependencies)
    with pytest.raises(transaction.Unfit, match="60 rows that were named are no longer"):
        transaction.commit(address, second, SECOND, named=len(FIRST) + 60)
    assert content(address.dependencies) == before
