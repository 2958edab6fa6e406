"""CpGPT's metadata is read as plain data; a pickle that is more than that is refused, not run."""

from __future__ import annotations

import builtins
import contextlib
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import metadata

PLAIN = {
    "assembly": "GRCh38",
    "vocab": {"1": 0, "MT": 1},
    "reverse_vocab": {0: "1", 1: "MT"},
    "model": {2001: {"1:5": 0, "1:7": 1}},
    "others": [None, True, 2.5, (1, b"2"), -(2**63), {"a", "b"}],
}
PROTOCOLS = range(3, pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def database(tmp_path: Path):
    """A function that makes a database as CpGPT does, of values or of raw bytes."""

    def make(entries: dict[str, Any]) -> Path:
        path = tmp_path / metadata.FILE
        with sqlitedict.SqliteDict(path, autocommit=True) as table:
            table.update(entries)
        with sqlite3.connect(path) as connection:
            for name, value in entries.items():
                if isinstance(value, bytes):
                    connection.execute("UPDATE unnamed SET value = ? WHERE key = ?", (value, name))
        connection.close()
        return path

    return make


def read(path: Path, species: str = "homo_sapiens") -> dict[Any, Any]:
    connection = metadata.connect(path)
    try:
        return metadata.read_species(connection, species, path)
    finally:
        connection.close()


def as_numpy_1(data: bytes) -> bytes:
    """A pickle of NumPy 2 as NumPy 1 wrote it: under the older name of the module."""
    new, old = b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    assert data.count(new) == 1
    assert data[2:3] == pickle.FRAME
    (frame,) = struct.unpack("<Q", data[3:11])
    return data[:3] + struct.pack("<Q", frame - 1) + data[11:].replace(new, old)


def test_cpgpts_own_values_come_out_equal(database) -> None:
    path = database({"homo_sapiens": PLAIN, "mus_musculus": {}})
    assert read(path) == PLAIN
    assert metadata.species_names(path) == ["homo_sapiens", "mus_musculus"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "kind", ["<i8", ">i8", "<i4", ">i4", "i1", "<u8", ">u8", ">u2", "u1", "<i2"]
)
def test_numpys_integers_become_plain_ones(kind: str, protocol: int) -> None:
    limits = np.iinfo(kind)
    scalars = [np.array([n], kind)[0] for n in (limits.min, 0, 1, 258 % limits.max, limits.max)]
    # A scalar is always of native byte order; an element type of another order is kept in a dtype.
    data = pickle.dumps(dict(enumerate(scalars)), protocol)
    loaded = metadata.load_plain(data)
    assert list(loaded.values()) == [int(scalar) for scalar in scalars]
    assert {type(value) for value in loaded.values()} == {int}


@pytest.mark.parametrize("signed", [True, False])
def test_a_big_endian_integer_is_read_as_one(signed: bool) -> None:
    class BigEndian:
        def __reduce__(self) -> tuple[Any, ...]:
            kind = np.dtype(">i8" if signed else ">u8")
            data = (
                (2**63 + 5).to_bytes(8, "big")
                if not signed
                else (-5).to_bytes(8, "big", signed=True)
            )
            return np.int64(1).__reduce__()[0], (kind, data)

    data = pickle.dumps(BigEndian(), 4)
    assert metadata.load_plain(data) == int(pickle.loads(data)) == (-5 if signed else 2**63 + 5)


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_pickle_of_numpy_1_is_read(protocol: int) -> None:
    rows = {f"1:{at}": np.int64(at) for at in range(300)}
    data = as_numpy_1(pickle.dumps({"model": {2001: rows}}, protocol))
    assert metadata.load_plain(data) == {"model": {2001: {f"1:{at}": at for at in range(300)}}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_locations_from_an_array_become_plain_text(protocol: int) -> None:
    """CpGPT keeps the type of the locations that it is given: numpy.str_ for an array's."""
    locations = np.array(["1:5", "KI270728.1:70000", "\u00e9:1"])
    loaded = metadata.load_plain(pickle.dumps(dict.fromkeys(locations, 7), protocol))
    assert list(loaded) == locations.tolist()
    assert {type(key) for key in loaded} == {str}


def test_reading_needs_no_numpy() -> None:
    data = pickle.dumps(np.int64(7))
    script = (
        "import sys; sys.modules['numpy'] = None\n"
        "from cpgpt_doctor.store import metadata\n"
        f"print(metadata.load_plain({data!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == "7\n", ran.stderr


class Calls:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def test_a_pickle_that_runs_code_is_refused_and_not_run(database, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    evil = [
        Calls(os.system, f"touch {marker}"),
        Calls(builtins.eval, f"open({str(marker)!r}, 'w')"),
        Calls(builtins.exec, f"open({str(marker)!r}, 'w')"),
        Calls(open, str(marker), "w"),
    ]
    for value in evil:
        pickle.loads(pickle.dumps(value))
        assert marker.exists(), "the pickle does what it is meant to do where it is let"
        marker.unlink()
        path = database({"homo_sapiens": pickle.dumps({"assembly": value})})
        with pytest.raises(
            InputError, match=r"holds .*, which is no plain data; it was not loaded"
        ):
            read(path)
        assert not marker.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3),
        np.float32(1.5),
        np.bool_(True),
        np.dtype("float64"),
        np.dtype("i4,i4"),
        np.datetime64("2024-01-01"),
        complex(1, 2),
        Path("/"),
        print,
        InputError,
        slice(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_not_plain_is_refused(database, value: Any) -> None:
    path = database({"homo_sapiens": pickle.dumps({"assembly": value})})
    with pytest.raises(InputError, match=r"'homo_sapiens' holds .* no plain data"):
        read(path)


def test_bytes_damaged_anywhere_are_refused_in_one_line_or_read(database) -> None:
    """Cut short at every byte, and with each byte changed: never another error."""
    whole = pickle.dumps({"m": {9: {"1:5": np.int64(0), "1:7": np.int64(1)}}}, 4)
    refused = 0
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :]):
            try:
                metadata.load_plain(damaged)
            except (metadata.RefusedPickle, pickle.UnpicklingError):
                refused += 1
    assert refused > len(whole)
    path = database({"homo_sapiens": whole[:-9]})
    with pytest.raises(InputError, match=f"{path}: the entry of 'homo_sapiens' is damaged") as said:
        read(path)
    assert "\n" not in str(said.value)


def test_an_entry_that_is_no_dictionary_is_refused(database) -> None:
    with pytest.raises(InputError, match="is not a dictionary"):
        read(database({"homo_sapiens": [1, 2]}))


def test_a_missing_species_is_named(database) -> None:
    with pytest.raises(InputError, match="has no species 'homo_sapiens'"):
        read(database({"mus_musculus": {}}))


@pytest.mark.parametrize("content", [b"", b"chrom,pos\n1,5\n" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / metadata.FILE
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: cannot be read as CpGPT's metadata"):
        metadata.species_names(path)
    with pytest.raises(InputError, match=f"{path}: cannot be read as CpGPT's metadata"):
        read(path)
    assert path.read_bytes() == content


def test_a_truncated_database_is_refused(database) -> None:
    path = database({"homo_sapiens": {"m": {9: {f"1:{at}": at for at in range(20_000)}}}})
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="cannot be read as CpGPT's metadata"):
            read(path)


def test_a_missing_database_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        metadata.species_names(tmp_path / metadata.FILE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "folder", ["a b", "100%", "what?", "#1", os.fsdecode("émile".encode()), "a'b", "a&mode=memory"]
)
def test_any_path_can_hold_a_database(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / metadata.FILE
    with sqlitedict.SqliteDict(path, autocommit=True) as table:
        table["homo_sapiens"] = PLAIN
    assert read(path) == PLAIN


def test_reading_writes_nothing(database, tmp_path: Path) -> None:
    path = database({"homo_sapiens": PLAIN})
    before = path.read_bytes(), path.stat().st_mtime_ns, list(tmp_path.iterdir())
    metadata.species_names(path)
    read(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns, list(tmp_path.iterdir())) == before


def test_cpgpt_reads_back_what_is_written_and_other_species_stay(database) -> None:
    path = database({"homo_sapiens": PLAIN, "mus_musculus": {"assembly": "GRCm39"}})
    connection = metadata.connect(path, write=True)
    metadata.write_species(connection, "homo_sapiens", {**PLAIN, "assembly": "T2T"})
    connection.close()
    with sqlitedict.SqliteDict(path, flag="r") as table:
        assert dict(table) == {
            "homo_sapiens": {**PLAIN, "assembly": "T2T"},
            "mus_musculus": {"assembly": "GRCm39"},
        }


def test_a_database_whose_writer_was_killed_is_read_as_it_was_before(database) -> None:
    """SQLite leaves a journal then, and refuses to roll back where it may only read."""
    path = database({"homo_sapiens": {"m": {9: {f"1:{at}": at for at in range(100_000)}}}})
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from cpgpt_doctor.store import metadata\n"
        "connection = metadata.connect(Path(sys.argv[1]), write=True)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "rows = {f'2:{at}': at for at in range(400_000)}\n"
        "metadata.write_species(connection, 'homo_sapiens', {'m': {9: rows}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, path]).returncode == -9
    assert path.with_name(path.name + "-journal").exists()
    left = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert metadata.species_names(path) == ["homo_sapiens"]
    assert read(path)["m"][9] == {f"1:{at}": at for at in range(100_000)}
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == left


def raw(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


DEEP = 300_000
DTYPE = b"cnumpy\ndtype\n" + b"\x8c\x02i8\x89\x88\x87R"
SCALAR = b"cnumpy._core.multiarray\nscalar\n"
STATE = b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
EIGHT = b"C\x08" + b"\x05" + bytes(7)
HOSTILE = {
    "nested tuples": raw(b")", b"\x85" * DEEP),
    "nested tuples as a key": raw(b"})", b"\x85" * DEEP, b"K\x01s"),
    "nested tuples through the memo": raw(b")\x94", b"\x85q\x00h\x00" * DEEP),
    "nested lists": raw(b"]" * DEEP, b"a" * (DEEP - 1)),
    "nested dictionaries": raw(b"}" + b"K\x01}" * DEEP, b"s" * DEEP),
    "nested tuples, paid for by calls": raw(
        b"(" + b")" + b"\x85" * 900, (SCALAR + DTYPE + EIGHT + b"\x86R") * 2, b"\x85" * DEEP
    ),
    "a memo position of gigabytes": raw(b"Nr\xff\xff\xff\x3f"),
    "bytes of gigabytes": raw(b"\x8e" + (1 << 33).to_bytes(8, "little")),
    "text of gigabytes": raw(b"\x8d" + (1 << 40).to_bytes(8, "little")),
    "a frame of gigabytes": raw(b"\x95" + (1 << 40).to_bytes(8, "little")),
    "a bytearray of gigabytes": raw(b"\x96" + (1 << 40).to_bytes(8, "little")),
    "a long integer": raw(b"\x8b\xff\xff\xff\x7f"),
    "an integer of 255 bytes": raw(b"\x8a\xff" + b"\x01" * 255),
    "digits": raw(b"I" + b"9" * 4000 + b"\n"),
    "doubled": raw(b"N" + b"2\x86" * DEEP),
    "a thousand empty sets": raw(b"(" + b"\x8f" * 100_000 + b"t"),
    "a state for the function": raw(SCALAR + b"}\x8c\x04kindK\x01sb"),
    "a state of slots for the function": raw(SCALAR + b"N}\x8c\x08__call__K\x01s\x86b"),
    "a state for the type, of a dictionary": raw(DTYPE + b"}\x8c\x04kind\x8c\x01Usb"),
    "a state for the type, of its slots": raw(DTYPE + b"N}\x8c\x04kind\x8c\x01Us\x86b"),
    "a state with a tuple in it": raw(DTYPE + b"K\x03)\x86b"),
    "a scalar of no type": raw(SCALAR + b"K\x01" + EIGHT + b"\x86R"),
    "a scalar of a list": raw(SCALAR + DTYPE + b"]\x86R"),
    "a scalar of too few bytes": raw(SCALAR + DTYPE + b"C\x01x\x86R"),
    "a call of a class": raw(b"cnumpy\ndtype\n)\x81"),
    "a type of a huge size": raw(b"cnumpy\ndtype\n\x8c\x0aU999999999\x89\x88\x87R"),
    "an extension": raw(b"\x82\x01"),
    "a persistent name": raw(b"Px\n"),
    "an instance": raw(b"(i" + b"os\nsystem\n"),
    "nothing": b"",
    "no end": b"\x80\x04N",
}
LOADS = """
import resource, sys
from cpgpt_doctor.store import metadata
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    metadata.load_plain(sys.stdin.buffer.read())
except (metadata.RefusedPickle, metadata.pickle.UnpicklingError) as error:
    print("refused", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_is_made_to_harm_is_refused(name: str) -> None:
    """In a process of its own: some of them end it, or take gigabytes, where they are read."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADS], input=HOSTILE[name], capture_output=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    word, kibibytes, _ = ran.stdout.decode().split(" ", 2)
    assert word == "refused"
    assert int(kibibytes) < 64 * 1024


def test_what_a_hostile_pickle_admits_is_not_changed_by_it() -> None:
    for name in HOSTILE:
        if "state" in name:
            with pytest.raises((metadata.RefusedPickle, pickle.UnpicklingError)):
                metadata.load_plain(HOSTILE[name])
    assert metadata.load_plain(pickle.dumps(np.int64(7))) == 7
    assert metadata.load_plain(raw(SCALAR + DTYPE + STATE + EIGHT + b"\x86R")) == 5


def test_nothing_but_plain_values_gets_into_a_database(database) -> None:
    """A pickle may hold the stand-in for a NumPy type as a value; it is not written again."""
    path = database({"homo_sapiens": pickle.dumps({"dtype": np.dtype("i8")})})
    value = read(path)
    before = path.read_bytes()
    connection = metadata.connect(path, write=True)
    with pytest.raises(metadata.RefusedPickle, match="ScalarType"):
        metadata.write_species(connection, "homo_sapiens", value)
    connection.close()
    assert path.read_bytes() == before


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize(
    "statements",
    [
        [f"CREATE VIEW unnamed AS {ENDLESS} SELECT 'x' || i AS key, x'00' AS value FROM n"],
        [f"CREATE VIEW unnamed AS {ENDLESS} SELECT count(*) AS key, 1 AS value FROM n"],
        [
            "CREATE TABLE unnamed (key TEXT, value BLOB AS (zeroblob(900000000)))",
            "INSERT INTO unnamed VALUES ('homo_sapiens')",
        ],
        ["CREATE TABLE unnamed (key TEXT, value BLOB, more TEXT)"],
        ["CREATE TABLE unnamed (value BLOB)"],
        [
            "CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)",
            "CREATE TABLE n (i)",
            "CREATE TRIGGER t AFTER INSERT ON unnamed BEGIN INSERT INTO n VALUES (1); END",
        ],
    ],
    ids=["endless view", "view that counts", "made-up column", "more", "fewer", "trigger"],
)
def test_a_table_that_computes_something_is_refused(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / metadata.FILE
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    for look in (lambda: metadata.species_names(path), lambda: read(path)):
        with pytest.raises(InputError, match="'unnamed' is not the plain table that CpGPT makes"):
            look()


def test_a_statement_that_does_not_end_is_ended(database) -> None:
    connection = metadata.connect(database({"homo_sapiens": PLAIN}))
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(f"{ENDLESS} SELECT count(*) FROM n").fetchone()
    connection.close()


@pytest.mark.parametrize("value", [None, "text", 10**12, -1, 1.5])
def test_a_value_that_is_no_pickle_is_refused(database, value: object) -> None:
    path = database({"homo_sapiens": PLAIN})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE unnamed SET value = ?", (value,))
        connection.execute("INSERT INTO unnamed VALUES (NULL, NULL)")
        connection.execute("INSERT INTO unnamed VALUES (?, NULL)", ("x" * 1_000_000,))
    connection.close()
    with pytest.raises(InputError, match="the entry of 'homo_sapiens' is no pickle"):
        read(path)
    assert metadata.species_names(path) == ["homo_sapiens"]


def test_names_that_no_folder_can_have_are_no_species(database) -> None:
    path = database({"homo_sapiens": PLAIN, "../up": PLAIN, "..": PLAIN, "": PLAIN, "a\0b": PLAIN})
    assert metadata.species_names(path) == ["homo_sapiens"]


def test_a_fifo_or_a_folder_in_place_of_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / metadata.FILE
    for make in (os.mkfifo, os.mkdir):
        make(path)
        with pytest.raises(InputError, match="is not a regular file"):
            metadata.species_names(path)
        with pytest.raises(InputError, match="is not a regular file"):
            metadata.connect(path, write=True)
        path.unlink() if make is os.mkfifo else path.rmdir()


def test_a_database_through_a_link_is_recovered_from_the_journal_beside_the_real_one(
    database, tmp_path: Path
) -> None:
    real = database({"homo_sapiens": {"m": {9: {f"1:{at}": at for at in range(100_000)}}}})
    (tmp_path / "linked").mkdir()
    path = tmp_path / "linked" / metadata.FILE
    path.symlink_to(real)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from cpgpt_doctor.store import metadata\n"
        "connection = metadata.connect(Path(sys.argv[1]), write=True)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "rows = {f'2:{at}': at for at in range(400_000)}\n"
        "metadata.write_species(connection, 'homo_sapiens', {'m': {9: rows}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, path]).returncode == -9
    assert real.with_name(real.name + "-journal").exists()
    assert read(path)["m"][9] == {f"1:{at}": at for at in range(100_000)}


def test_a_database_with_a_write_ahead_log_is_read_whole(database) -> None:
    """A program that was killed leaves the log beside it, with what is not yet in the database."""
    path = database({"homo_sapiens": PLAIN})
    script = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "connection.execute('UPDATE unnamed SET value = ?', (bytes.fromhex(sys.argv[2]),))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    new = pickle.dumps({**PLAIN, "assembly": "T2T"})
    assert subprocess.run([sys.executable, "-c", script, path, new.hex()]).returncode == -9
    assert path.with_name(path.name + "-wal").exists()
    left = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert read(path)["assembly"] == "T2T"
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == left


def test_a_database_that_keeps_a_log_is_read_without_making_one(database) -> None:
    path = database({"homo_sapiens": PLAIN})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert metadata.species_names(path) == ["homo_sapiens"]
    assert read(path) == PLAIN
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_database_is_read_beside_a_writer_at_work(database) -> None:
    """Its journal is there, and is not that of a writer which was killed."""
    path = database({"homo_sapiens": PLAIN})
    with contextlib.closing(metadata.connect(path, write=True)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        metadata.write_species(connection, "homo_sapiens", {**PLAIN, "assembly": "T2T"})
        assert path.with_name(path.name + "-journal").exists()
        assert read(path) == PLAIN
        connection.execute("COMMIT")
    assert read(path)["assembly"] == "T2T"
