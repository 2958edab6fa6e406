"""CpGPT's `ensembl_metadata.db`: an SQLite table `unnamed` of pickled dictionaries, one a species.

A pickle can run anything when it is read, so it is read here with an unpickler that admits plain
containers, numbers and NumPy's scalars of integers and text, which it rebuilds without NumPy, and
nothing else. Text: CpGPT given an array of locations stores them as numpy.str_.
"""

from __future__ import annotations

import io
import os
import pickle
import sqlite3
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cpgpt_doctor.errors import InputError

FILE = "ensembl_metadata.db"


class RefusedPickle(Exception):
    """The pickle holds something other than plain values."""


class ScalarType:
    """Stands for numpy.dtype of an integer or a text while a scalar is rebuilt."""

    def __init__(self, name: str, align: bool = False, copy: bool = True) -> None:
        if name[:1] not in ("i", "u", "U") or not name[1:].isdigit():
            raise RefusedPickle(f"a NumPy scalar of type {name!r}")
        self.kind = name[0]
        self.byteorder: Any = "little"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byteorder = "big" if state[1] == ">" else "little"


def scalar(of: ScalarType, data: bytes) -> int | str:
    if of.kind == "U":
        return data.decode("utf-32-be" if of.byteorder == "big" else "utf-32-le")
    return int.from_bytes(data, of.byteorder, signed=of.kind == "i")


ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): ScalarType,
    ("numpy.core.multiarray", "scalar"): scalar,  # NumPy 1
    ("numpy._core.multiarray", "scalar"): scalar,  # NumPy 2
}


class PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ADMITTED[module, name]
        except KeyError:
            raise RefusedPickle(f"{module}.{name}") from None


def load_plain(data: bytes) -> Any:
    """Rebuild a pickle of plain values. Raises RefusedPickle or pickle.UnpicklingError."""
    try:
        return PlainUnpickler(io.BytesIO(data)).load()
    except (RefusedPickle, pickle.UnpicklingError):
        raise
    except Exception as error:  # damaged bytes raise nearly anything: see pickle.UnpicklingError
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


def connect(path: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open an existing database; transactions are ours to begin and commit.

    A journal beside it may be that of a writer which was killed. SQLite then has to roll back
    before anyone can read, which it refuses to do in a database opened to be read only.
    """
    journal = path.with_name(path.name + "-journal")
    mode = "rw" if write or journal.exists() else "ro"
    uri = f"file:{urllib.parse.quote(os.fsencode(path.resolve()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)


def species_names(path: Path) -> list[str]:
    """The species that a database knows. Raises InputError where it is no such database."""
    try:
        connection = connect(path)
        try:
            rows = connection.execute("SELECT key FROM unnamed").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: cannot be read as CpGPT's metadata: {error}") from error
    return [str(key) for (key,) in rows]


def read_species(connection: sqlite3.Connection, species: str, path: Path) -> dict[Any, Any]:
    """The value of one species. Raises InputError where it is missing or not plain."""
    try:
        row = connection.execute("SELECT value FROM unnamed WHERE key = ?", (species,)).fetchone()
    except sqlite3.Error as error:
        raise InputError(f"{path}: cannot be read as CpGPT's metadata: {error}") from error
    if row is None:
        raise InputError(f"{path}: has no species {species!r}")
    try:
        value = load_plain(bytes(row[0]))
    except RefusedPickle as error:
        raise InputError(
            f"{path}: the entry of {species!r} holds {error}, which is no plain data;"
            " it was not loaded"
        ) from error
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: the entry of {species!r} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: the entry of {species!r} is not a dictionary")
    return value


def write_species(connection: sqlite3.Connection, species: str, value: dict[Any, Any]) -> None:
    """Replace the value of one species, within the caller's transaction.

    SqliteDict stores values with pickle's highest protocol; 4 is read by every Python that CpGPT
    has admitted. Rows are plain integers, which every release takes.
    """
    data = sqlite3.Binary(pickle.dumps(value, protocol=4))
    connection.execute("REPLACE INTO unnamed (key, value) VALUES (?, ?)", (species, data))
