"""A part is in the store whole or not at all, and every release of CpGPT reads the result."""

from __future__ import annotations

import errno
import gc
import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor.embed import metadata, store
from cpgpt_doctor.embed.store import Address
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.patient import upstream

LLM = "hyenadna-tiny-1k-seqlen-d256"  # the narrowest that CpGPT has
WIDTH = 256
FIRST = [f"1:{at}" for at in range(40)]
SECOND = [f"2:{at}" for at in range(25)]


def new_store(folder: Path) -> Address:
    """A dependencies folder with a database as CpGPT makes it, without embeddings of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    with sqlitedict.SqliteDict(folder / metadata.FILE, autocommit=True) as table:
        table["homo_sapiens"] = {"assembly": "x", LLM: {512: {"9:9": np.int64(0)}}, "other": {}}
        table["mus_musculus"] = {LLM: {201: {"1:0": np.int64(3)}}}
    return Address(folder, "homo_sapiens", LLM, 201, WIDTH)


def values(locations: list[str]) -> np.ndarray:
    """Rows that tell their location."""
    seeds = [int(hashlib.sha256(each.encode()).hexdigest()[:8], 16) for each in locations]
    return np.stack([np.random.default_rng(seed).random(WIDTH, np.float32) for seed in seeds])


def stage(folder: Path, locations: list[str]) -> Address:
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


def set_rows(address: Address, rows: object) -> None:
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        species = table[address.species]
        species[address.dna_llm][address.context_len] = rows
        table[address.species] = species


def as_cpgpt_reads(address: Address, locations: list[str]) -> np.ndarray:
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
def address(tmp_path: Path) -> Address:
    """A store with the first locations in it."""
    address = new_store(tmp_path / "dependencies")
    store.commit(address, stage(tmp_path / "staged-first", FIRST), FIRST)
    return address


@pytest.fixture
def second(tmp_path: Path) -> Address:
    return stage(tmp_path / "staged-second", SECOND)


def holds(address: Address, locations: list[str]) -> bool:
    """Whether the store has exactly these locations, each with its own row, as CpGPT reads it."""
    same = np.array_equal(as_cpgpt_reads(address, locations), values(locations))
    return same and sorted(store.named_rows(address)) == sorted(locations)


def test_a_commit_appends_rows_and_names_them(address: Address, second: Address) -> None:
    before = address.rows.read_bytes()
    assert before == values(FIRST).tobytes()
    added = store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)
    assert address.rows.read_bytes() == before + values(SECOND).tobytes()
    assert added.first_row == 40
    assert added.rows_digest == hashlib.sha256(values(SECOND).tobytes()).hexdigest()
    rows = store.named_rows(address)
    assert [rows[each] for each in FIRST + SECOND] == list(range(65))
    assert added.rows_digest == store.digest(store.read_rows(address, range(40, 65)))


def test_a_commit_leaves_everything_else_as_it_was(address: Address, second: Address) -> None:
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        before = dict(table)
    store.commit(address, second, SECOND)
    with sqlitedict.SqliteDict(address.database, flag="r") as table:
        after = dict(table)
    del before["homo_sapiens"][LLM][201], after["homo_sapiens"][LLM][201]
    assert after == before
    assert before["mus_musculus"] == {LLM: {201: {"1:0": 3}}}


def test_a_model_that_the_database_does_not_know_is_added(tmp_path: Path, second: Address) -> None:
    address = new_store(tmp_path / "dependencies")
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        table["homo_sapiens"] = {"assembly": "x"}
    store.commit(address, second, SECOND)
    assert holds(address, SECOND)


def test_real_cpgpt_reads_a_store_and_one_that_it_staged_is_taken(tmp_path: Path) -> None:
    module = upstream.import_alone()
    for name in ("dependencies", "staged"):
        upstream.prepare_dependencies(str(tmp_path / name), "homo_sapiens", "x")
        module.DNALLMEmbedder(str(tmp_path / name))
    address = Address(tmp_path / "dependencies", "homo_sapiens", LLM, 201, WIDTH)
    staged = replace(address, dependencies=tmp_path / "staged")
    staged.folder.mkdir(parents=True)
    values(FIRST).tofile(staged.rows)
    set_rows(staged, {location: np.int64(row) for row, location in enumerate(FIRST)})
    store.commit(address, staged, FIRST)
    embedder = module.DNALLMEmbedder(str(tmp_path / "dependencies"))
    read = [embedder.get_embedding(location, "homo_sapiens", LLM, 201) for location in FIRST]
    assert np.array_equal(np.stack(read), values(FIRST))


def test_rows_that_nobody_names_are_overwritten(address: Address, second: Address) -> None:
    with address.rows.open("ab") as stream:
        stream.write(b"\xff" * (100 * address.row_bytes + 7))
    store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


@pytest.mark.parametrize(
    "locations",
    [SECOND[:-1], [*SECOND, "3:1"], [*SECOND, SECOND[0]], [*SECOND[:-1], "3:1"]],
    ids=["one too many", "one missing", "one twice", "another"],
)
def test_a_part_that_is_not_what_was_asked_for_is_not_taken(
    address: Address, second: Address, locations: list[str]
) -> None:
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match=r"CpGPT stored 25 locations of a part of \d+"):
        store.commit(address, second, locations)
    assert content(address.dependencies) == before


def test_a_part_whose_rows_are_cut_short_is_not_taken(address: Address, second: Address) -> None:
    second.rows.write_bytes(second.rows.read_bytes()[: 20 * second.row_bytes])
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match=r"row \d+ is not there in full"):
        store.commit(address, second, SECOND)
    assert content(address.dependencies) == before


def test_an_error_before_the_rows_are_named_leaves_the_store_as_it_was(
    address: Address, second: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    def fail(*arguments: object) -> None:
        raise PowerCut

    with monkeypatch.context() as broken:
        broken.setattr(metadata, "write_species", fail)
        with pytest.raises(PowerCut):
            store.commit(address, second, SECOND)
    assert holds(address, FIRST)
    store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from cpgpt_doctor.embed import metadata, store

where, name, when, dependencies, staged, locations = sys.argv[1:]
owner = {"store": store, "metadata": metadata}[where]
real = getattr(owner, name)

def killed(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
settings = "homo_sapiens", "hyenadna-tiny-1k-seqlen-d256", 201, 256
store.commit(
    store.Address(Path(dependencies), *settings),
    store.Address(Path(staged), *settings),
    json.loads(locations),
)
"""


@pytest.mark.parametrize(
    "moment",
    [
        ("store", "append", "before"),
        ("store", "append", "after"),
        ("metadata", "write_species", "after"),
    ],
    ids=["before the rows", "between rows and names", "before the commit"],
)
@pytest.mark.parametrize("large", [False, True], ids=["small", "larger than SQLite's cache"])
def test_a_process_killed_in_a_commit_leaves_the_store_as_it_was(
    address: Address, second: Address, moment: tuple[str, ...], large: bool
) -> None:
    if large:  # SQLite then writes into the database before the commit, with a journal beside it
        with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
            species = table["homo_sapiens"]
            table["homo_sapiens"] = {**species, "vocab": "x" * 9_000_000}
    asked = str(SECOND).replace("'", '"')
    command = [sys.executable, "-c", KILLED, *moment, address.dependencies, second.dependencies]
    assert subprocess.run([*command, asked]).returncode == -9
    assert store.named_rows(address) == {location: row for row, location in enumerate(FIRST)}
    assert holds(address, FIRST)
    store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_process_killed_right_after_a_commit_has_its_rows_in(
    address: Address, second: Address
) -> None:
    asked = str(SECOND).replace("'", '"')
    command = [sys.executable, "-c", KILLED, "store", "digest", "before"]
    ran = subprocess.run([*command, address.dependencies, second.dependencies, asked])
    assert ran.returncode == -9
    assert holds(address, FIRST + SECOND)


def damage_shared_row(address: Address) -> None:
    set_rows(address, {**store.named_rows(address), "1:1": 0})


def damage_left_out_row(address: Address) -> None:
    set_rows(address, {**store.named_rows(address), "1:39": 40})


def damage_negative_row(address: Address) -> None:
    set_rows(address, {**store.named_rows(address), "1:39": -1})


def damage_short_file(address: Address) -> None:
    address.rows.write_bytes(address.rows.read_bytes()[:-1])


def damage_missing_file(address: Address) -> None:
    address.rows.unlink()


def damage_unfinished(address: Address) -> None:
    address.unfinished.write_bytes(b"\0" * 1024)


def damage_not_a_table(address: Address) -> None:
    set_rows(address, ["1:0"])


def damage_row_not_a_number(address: Address) -> None:
    set_rows(address, {**store.named_rows(address), "1:39": "39"})


def damage_pickle(address: Address) -> None:
    with sqlite3.connect(address.database) as connection:
        connection.execute(
            "UPDATE unnamed SET value = ? WHERE key = 'homo_sapiens'", (b"\x80\x04",)
        )
    connection.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_shared_row, "CPG506"),
        (damage_left_out_row, "CPG506"),
        (damage_negative_row, "CPG506"),
        (damage_short_file, "holds 39 rows, and the metadata names 40"),
        (damage_missing_file, "holds 0 rows, and the metadata names 40"),
        (damage_unfinished, "CPG505"),
        (damage_not_a_table, "CPG509"),
        (damage_row_not_a_number, "CPG509"),
        (damage_pickle, "is damaged"),
    ],
)
def test_nothing_is_added_to_an_unhealthy_store(
    address: Address, second: Address, damage: Callable[[Address], None], said: str
) -> None:
    damage(address)
    before = content(address.dependencies)
    with pytest.raises(InputError, match=said) as caught:
        store.commit(address, second, SECOND)
    assert str(address.dependencies) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(address.dependencies) == before


def test_a_part_that_another_program_added_first_is_refused(
    address: Address, second: Address
) -> None:
    store.commit(address, second, SECOND)
    before = content(address.dependencies)
    with pytest.raises(DoctorError, match="another program added rows"):
        store.commit(address, second, SECOND)
    assert content(address.dependencies) == before


def test_no_other_program_can_name_rows_during_a_commit(
    address: Address, second: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or ours would be written over rows that it has named in between."""
    real = store.append
    refused: list[str] = []

    def append(*arguments: Any) -> None:
        other = sqlite3.connect(address.database, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            refused.append(str(error))
        other.close()
        real(*arguments)

    monkeypatch.setattr(store, "append", append)
    store.commit(address, second, SECOND)
    assert refused == ["database is locked"]
    assert holds(address, FIRST + SECOND)


def test_a_database_that_another_program_holds_is_an_error_of_the_system(
    address: Address, second: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.connect

    def impatient(path: Path, *, write: bool = False) -> sqlite3.Connection:
        connection = real(path, write=write)
        connection.execute("PRAGMA busy_timeout = 50")
        return connection

    monkeypatch.setattr(metadata, "connect", impatient)
    before = content(address.dependencies)
    other = sqlite3.connect(address.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="locked") as caught:
        store.commit(address, second, SECOND)
    other.close()
    assert caught.value.filename == str(address.database)
    assert content(address.dependencies) == before


def test_a_database_that_is_gone_is_an_error_of_the_system(
    address: Address, second: Address
) -> None:
    address.database.unlink()
    before = content(address.dependencies)
    with pytest.raises(OSError, match="unable to open"):
        store.commit(address, second, SECOND)
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
    small_disk: Path, tmp_path: Path, second: Address
) -> None:
    address = new_store(small_disk / "dependencies")
    store.commit(address, stage(tmp_path / "first", FIRST), FIRST)
    many = [f"3:{at}" for at in range(2000)]
    before = content(address.dependencies)
    with pytest.raises(OSError, match="No space left") as caught:
        store.commit(address, stage(tmp_path / "many", many), many)
    assert caught.value.errno == errno.ENOSPC
    assert content(address.dependencies) == before
    store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_first_part_that_does_not_fit_leaves_no_file_of_rows(
    small_disk: Path, tmp_path: Path
) -> None:
    """CpGPT could not open an empty one: numpy.memmap refuses it."""
    address = new_store(small_disk / "dependencies")
    many = [f"3:{at}" for at in range(2000)]
    before = content(address.dependencies)
    with pytest.raises(OSError, match="No space left"):
        store.commit(address, stage(tmp_path / "many", many), many)
    assert content(address.dependencies) == before


@pytest.mark.parametrize("left", [0, 28, 32, 36])
def test_names_that_do_not_fit_on_the_disk_leave_the_old_ones(
    small_disk: Path, tmp_path: Path, second: Address, left: int
) -> None:
    """25 rows of 1 KiB fit into 28 KiB; the transaction then has nearly nothing."""
    address = new_store(small_disk / "dependencies")
    store.commit(address, stage(tmp_path / "first", FIRST), FIRST)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - left * 1024))
    with pytest.raises(OSError, match=r"full|No space left|I/O"):
        store.commit(address, second, SECOND)
    assert holds(address, FIRST)
    filler.unlink()
    store.commit(address, second, SECOND)
    assert holds(address, FIRST + SECOND)


def test_a_database_is_adopted_whole(tmp_path: Path) -> None:
    staged = new_store(tmp_path / "staged")
    address = replace(staged, dependencies=tmp_path / "new")
    address.dependencies.mkdir()
    (address.dependencies / "ensembl_metadata.db.new").write_bytes(b"of a run that was killed")
    store.create_database(address, staged.database)
    with sqlitedict.SqliteDict(address.database, flag="r") as ours:
        adopted = dict(ours)
    with sqlitedict.SqliteDict(staged.database, flag="r") as theirs:
        assert adopted == dict(theirs)
    assert [path.name for path in address.dependencies.iterdir()] == ["ensembl_metadata.db"]


def test_a_store_that_is_not_there_names_no_rows(tmp_path: Path) -> None:
    assert store.named_rows(Address(tmp_path, "homo_sapiens", LLM, 201, WIDTH)) == {}
    assert list(tmp_path.iterdir()) == []
