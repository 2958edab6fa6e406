"""CpGPT's metadata is read as plain data; a pickle that is more than that is refused, not run."""

from __future__ import annotations

import builtins
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

from cpgpt_doctor.embed import metadata
from cpgpt_doctor.errors import InputError

PLAIN = {
    "assembly": "GRCh38",
    "vocab": {"1": 0, "MT": 1},
    "reverse_vocab": {0: "1", 1: "MT"},
    "model": {2001: {"1:5": 0, "1:7": 1}},
    "others": [None, True, 2.5, (1, b"2"), -(2**70), {"a", "b"}],
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
        "from cpgpt_doctor.embed import metadata\n"
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
        "from cpgpt_doctor.embed import metadata\n"
        "connection = metadata.connect(Path(sys.argv[1]), write=True)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "rows = {f'2:{at}': at for at in range(400_000)}\n"
        "metadata.write_species(connection, 'homo_sapiens', {'m': {9: rows}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, path]).returncode == -9
    assert path.with_name(path.name + "-journal").exists()
    assert metadata.species_names(path) == ["homo_sapiens"]
    assert read(path)["m"][9] == {f"1:{at}": at for at in range(100_000)}
