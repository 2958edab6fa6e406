"""CpGPT's `ensembl_metadata.db`: an SQLite table `unnamed` of pickled dictionaries, one a species.

A pickle can run anything when it is read, so it is read here with an unpickler that admits plain
containers, numbers and NumPy's scalars of integers and text, which it rebuilds without NumPy, and
nothing else. Text: CpGPT given an array of locations stores them as numpy.str_.

Its instructions are looked at before it is read. So what a value costs is bound by its own length:
no nesting on which C code would run out of stack, no size or memo position that is only claimed, no
instruction that CpGPT's values do not need.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import shutil
import sqlite3
import stat
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.store import Damage, DamageKind

FILE = "ensembl_metadata.db"
ENSEMBL = "species_metadata_EnsemblVertebrates.json"  # of the genomes: what CpGPT makes it of
MOST_SPECIES = 10_000  # Ensembl has some hundreds
LONGEST_NAME = 256
MOST_CONTAINERS = 1000  # of one species: a dictionary a model and length, and a few more
LONGEST_INTEGER = 9  # bytes; longer ones can be made to collide in a dictionary
LONGEST_TEXT = 128  # characters of a NumPy text: a location
INSTRUCTIONS = 1_000_000  # of SQLite's machine, between two looks
MOST_LOOKS = 20  # a read of a species takes some hundred instructions
LOCKED_SECONDS = 5.0  # how long a read waits for a program that writes


class RefusedPickle(Exception):
    """The pickle holds something other than plain values."""


class MetadataWrong(InputError):
    """The database, or the entry of a species, is not what CpGPT writes."""

    def __init__(self, path: Path, kind: DamageKind, detail: str, said: str) -> None:
        super().__init__(f"{path}: {said}")
        self.damage = Damage(kind, detail)


class Locked(InputError):
    """Another program keeps the database locked."""


class ScalarType:
    """Stands for numpy.dtype of an integer or a text while a scalar is rebuilt."""

    __slots__ = ("byteorder", "kind", "size")

    def __init__(self, name: str, align: bool = False, copy: bool = True) -> None:
        if type(name) is not str or type(align) not in (bool, int) or type(copy) not in (bool, int):
            raise RefusedPickle("a NumPy type that is described wrongly")
        if name[:1] not in ("i", "u", "U") or not name[1:].isdecimal() or len(name) > 5:
            raise RefusedPickle(f"a NumPy scalar of type {name[:20]!r}")
        self.kind = name[0]
        self.size = int(name[1:]) * (4 if self.kind == "U" else 1)
        if self.size > (4 * LONGEST_TEXT if self.kind == "U" else 8):
            raise RefusedPickle(f"a NumPy scalar of type {name!r}")
        self.byteorder: Any = "little"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take a dtype's state, of which the byte order matters."""
        if type(state) is not tuple or not 2 <= len(state) <= 9:
            raise RefusedPickle("a NumPy type with a state of another kind")
        if any(type(each) not in (int, str, type(None)) for each in state):
            raise RefusedPickle("a NumPy type with a state of another kind")
        self.byteorder = "big" if state[1] == ">" else "little"


def scalar(of: ScalarType, data: bytes) -> int | str:
    if type(of) is not ScalarType or type(data) is not bytes or len(data) != of.size:
        raise RefusedPickle("a NumPy scalar that does not fit its type")
    if of.kind == "U":
        # NumPy fills a text up with NUL, and takes it off again.
        return data.decode("utf-32-be" if of.byteorder == "big" else "utf-32-le").rstrip("\0")
    return int.from_bytes(data, of.byteorder, signed=of.kind == "i")


class MakeType:
    """numpy.dtype to a pickle: can be called and, unlike a class or function, not be changed."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> ScalarType:
        return ScalarType(*arguments)


class MakeScalar:
    """NumPy's function `scalar` to a pickle."""

    __slots__ = ()

    def __call__(self, of: ScalarType, data: bytes) -> int | str:
        return scalar(of, data)


ADMITTED: dict[tuple[str, str], MakeType | MakeScalar] = {
    ("numpy", "dtype"): MakeType(),
    ("numpy.core.multiarray", "scalar"): MakeScalar(),  # NumPy 1
    ("numpy._core.multiarray", "scalar"): MakeScalar(),  # NumPy 2
}


class PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ADMITTED[module, name]
        except KeyError:
            raise RefusedPickle(f"{module}.{name}") from None


class PlainPickler(pickle.Pickler):
    """Writes plain values only: a ScalarType or the like does not get into a user's database."""

    def reducer_override(self, obj: Any) -> Any:
        raise RefusedPickle(f"a value of type {type(obj).__name__}")


# Instructions whose length is fixed, with that length: https://docs.python.org/3/library/pickletools.html
# The others that are admitted stand in `inspect`. Python writes no others for plain values, in the
# protocols 3 to 5. What is left out: DUP, POP, the text forms of protocol 0, and all that makes
# objects or gives them a state, except REDUCE and BUILD.
STEPS = [0] * 256
for fixed, bytes_long in {
    **dict.fromkeys((pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE), 1),
    **dict.fromkeys((pickle.MEMOIZE, pickle.STACK_GLOBAL), 1),
    **dict.fromkeys((pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS), 1),
    **dict.fromkeys((pickle.ADDITEMS,), 1),
    **dict.fromkeys((pickle.PROTO, pickle.BININT1, pickle.BINGET), 2),
    **dict.fromkeys((pickle.BININT2,), 3),
    **dict.fromkeys((pickle.BININT, pickle.LONG_BINGET), 5),
    **dict.fromkeys((pickle.BINFLOAT,), 9),
}.items():
    STEPS[fixed[0]] = bytes_long
# Of the others that hold text or bytes: how many bytes say how many.
COUNTED = {
    **dict.fromkeys((pickle.SHORT_BINUNICODE[0], pickle.SHORT_BINBYTES[0]), 1),
    **dict.fromkeys((pickle.BINUNICODE[0], pickle.BINBYTES[0]), 4),
    **dict.fromkeys((pickle.BINUNICODE8[0], pickle.BINBYTES8[0]), 8),
}
TUPLES = frozenset(each[0] for each in (pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.TUPLE))
CONTAINERS = frozenset(
    each[0]
    for each in (
        *(pickle.EMPTY_TUPLE, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET),
        pickle.FROZENSET,
    )
)
SHORT_TEXT, SHORT_BYTES = pickle.SHORT_BINUNICODE[0], pickle.SHORT_BINBYTES[0]
MEMOIZE, REDUCE, BUILD, STOP = (
    each[0] for each in (pickle.MEMOIZE, pickle.REDUCE, pickle.BUILD, pickle.STOP)
)
BINPUT, LONG_BINPUT = pickle.BINPUT[0], pickle.LONG_BINPUT[0]


def inspect(data: bytes) -> None:
    """Look at the instructions of a pickle. Raises RefusedPickle; IndexError where it is cut short.

    A million locations as CpGPT writes them are ten million instructions, and as we write them
    three: hence one plain loop.
    """
    steps, length = STEPS, len(data)
    at = 0
    containers = 0  # that stay: not the arguments of a call
    numbered = 0  # entries of the memo that name their position
    tuple_end = -1  # where the instruction after the last tuple (and after its memo entry) is
    while True:
        op = data[at]
        step = steps[op]
        if step:
            if op == MEMOIZE and at == tuple_end:
                tuple_end += 1
            at += step
        elif op in (SHORT_TEXT, SHORT_BYTES):
            at += 2 + data[at + 1]
        elif op in TUPLES:
            at += 1
            tuple_end = at
            containers += 1
        elif op in (REDUCE, BUILD):
            # Its tuple is checked by what is called, and holds nothing nested.
            if at != tuple_end:
                raise RefusedPickle("a call whose arguments are not beside it")
            containers -= 1
            at += 1
        elif op in CONTAINERS:
            at += 1
            containers += 1
        elif op in (BINPUT, LONG_BINPUT):
            size = 1 if op == BINPUT else 4
            if int.from_bytes(data[at + 1 : at + 1 + size], "little") > numbered:
                raise RefusedPickle("a memo with gaps")
            numbered += 1
            tuple_end += (1 + size) * (at == tuple_end)
            at += 1 + size
        elif op in COUNTED:
            size = COUNTED[op]
            at += 1 + size + int.from_bytes(data[at + 1 : at + 1 + size], "little")
        elif op == pickle.FRAME[0]:
            if int.from_bytes(data[at + 1 : at + 9], "little") > length - at:
                raise RefusedPickle("a frame longer than itself")
            at += 9
        elif op == pickle.LONG1[0]:
            if data[at + 1] > LONGEST_INTEGER:
                raise RefusedPickle(f"an integer of {data[at + 1]} bytes")
            at += 2 + data[at + 1]
        elif op == pickle.GLOBAL[0]:
            for _ in range(2):
                at = data.find(b"\n", at, at + LONGEST_NAME)
                if at < 0:
                    raise RefusedPickle("a name that does not end")
                at += 1
        elif op == STOP:
            return
        else:
            raise RefusedPickle(f"the pickle instruction {bytes([op])!r}")
        if containers > MOST_CONTAINERS:
            raise RefusedPickle(f"more than {MOST_CONTAINERS} containers")


def load_plain(data: bytes) -> Any:
    """Rebuild a pickle of plain values. Raises RefusedPickle or pickle.UnpicklingError."""
    try:
        inspect(data)
        return PlainUnpickler(io.BytesIO(data)).load()
    except (RefusedPickle, pickle.UnpicklingError):
        raise
    except IndexError:
        raise pickle.UnpicklingError("it is cut short") from None
    except Exception as error:  # damaged bytes raise nearly anything: see pickle.UnpicklingError
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


def beside(path: Path, ending: str) -> Path:
    """A file of SQLite's own, such as its journal: it stands beside the real file, not a link."""
    real = path.resolve()
    return real.with_name(real.name + ending)


def connect(path: Path, *, write: bool = False, wait: float | None = None) -> sqlite3.Connection:
    """Open an existing database; transactions are ours to begin and commit.

    wait: seconds, for another program that has it locked; LOCKED_SECONDS where not given.

    A journal beside it may be that of a writer which was killed. SQLite then has to roll back
    before anyone can read. Who only reads gets a copy in memory that was rolled back: the files
    stay as they are.
    Raises InputError where the path is no regular file (opening a FIFO would wait without end),
    OSError where it cannot be copied.
    """
    real = path.resolve()
    try:
        if not stat.S_ISREG(real.stat().st_mode):
            raise InputError(f"{path}: is not a regular file, so it is not CpGPT's metadata")
    except FileNotFoundError:
        pass  # SQLite says so
    seconds = LOCKED_SECONDS if wait is None else wait
    if not write and to_be_recovered(real, seconds):
        connection = recovered_copy(real)
    else:
        connection = opened(real, "rw" if write else "ro", seconds)
    looks = iter(range(MOST_LOOKS))
    connection.set_progress_handler(lambda: next(looks, None) is None, INSTRUCTIONS)
    return connection


def opened(real: Path, mode: str, seconds: float) -> sqlite3.Connection:
    uri = f"file:{urllib.parse.quote(os.fsencode(real))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=seconds)


def to_be_recovered(real: Path, seconds: float) -> bool:
    """Whether nobody can read a database before what a killed writer left is dealt with."""
    if beside(real, "-wal").exists() or keeps_a_log(real):
        return True
    if not beside(real, "-journal").exists():
        return False
    with contextlib.closing(opened(real, "ro", seconds)) as connection:
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            return "readonly" in str(error)  # SQLite would write, and was not allowed to
    return False  # the journal is of a writer at work, whose database is whole until it commits


def keeps_a_log(real: Path) -> bool:
    """Whether SQLite makes files beside a database to read it: https://sqlite.org/fileformat.html,
    the file format read version."""
    with contextlib.suppress(OSError), real.open("rb") as stream:
        return stream.read(20)[19:] == b"\x02"
    return False


def recovered_copy(real: Path) -> sqlite3.Connection:
    """A copy of a database in memory, without what a killed writer has not committed."""
    with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-") as folder:
        copy = Path(folder) / FILE
        shutil.copyfile(real, copy)
        for ending in ("-journal", "-wal"):
            if beside(real, ending).exists():
                shutil.copyfile(beside(real, ending), beside(copy, ending))
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            with contextlib.closing(opened(copy, "rw", LOCKED_SECONDS)) as source:
                source.backup(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def unreadable(path: Path, error: sqlite3.Error) -> InputError:
    """What SQLite's error says of a database; one that is only locked is not a damaged one."""
    if "locked" in str(error):
        return Locked(
            f"{path}: another program has locked it for more than {LOCKED_SECONDS:.0f} seconds; end"
            " that program, or wait until it has written, then start again"
        )
    said = f"cannot be read as CpGPT's metadata: {error}"
    return MetadataWrong(path, "unreadable", str(error), said)


def check_table(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database whose `unnamed` computes something: a view, a trigger, a made-up column.

    Raises MetadataWrong, and sqlite3.Error where it is no database.
    """
    found = connection.execute(
        "SELECT type, rootpage > 0 FROM sqlite_master WHERE name = 'unnamed'"
    ).fetchone()
    triggers = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger'").fetchone()
    if found is None:
        said = "cannot be read as CpGPT's metadata: no such table: unnamed"
        raise MetadataWrong(path, "no-table", "", said)
    columns = connection.execute("SELECT name, hidden FROM pragma_table_xinfo('unnamed')")
    if (
        found != ("table", 1)
        or triggers
        or sorted(columns.fetchmany(3)) != [("key", 0), ("value", 0)]
    ):
        said = "'unnamed' is not the plain table that CpGPT makes; it was not read"
        raise MetadataWrong(path, "other-table", "", said)


def species_names(path: Path) -> list[str]:
    """The species that a database knows, but for names that no folder can have: CpGPT keeps a
    species' rows in a folder of its name. Raises MetadataWrong where it is no such database."""
    try:
        connection = connect(path)
        try:
            check_table(connection, path)
            rows = connection.execute(
                "SELECT key FROM unnamed WHERE typeof(key) = 'text'"
                f" AND length(CAST(key AS BLOB)) <= {LONGEST_NAME} LIMIT {MOST_SPECIES}"
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return [key for (key,) in rows if is_folder_name(key)]


def is_folder_name(name: str) -> bool:
    """Whether a folder of its own can have this name."""
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:  # half a character
        return False
    return 0 < length < LONGEST_NAME and name not in (".", "..") and not {"/", "\0"} & {*name}


def read_species(connection: sqlite3.Connection, species: str, path: Path) -> dict[Any, Any]:
    """The value of one species.

    Raises InputError where it is missing, MetadataWrong where it is not plain.
    """
    value = read_value(connection, species, path)
    if not isinstance(value, dict):
        said = f"the entry of {species!r} is not a dictionary"
        raise MetadataWrong(path, "not-a-dictionary", "", said)
    return value


def read_value(connection: sqlite3.Connection, species: str, path: Path) -> Any:
    """The value of one species, of any kind. Raises as `read_species` does."""
    entry = f"the entry of {species!r}"
    try:
        check_table(connection, path)
        kind = connection.execute(
            "SELECT typeof(value) FROM unnamed WHERE key = ?", (species,)
        ).fetchone()  # its length is that of the table's own bytes: nothing there is computed
        if kind is None:
            raise InputError(f"{path}: has no species {species!r}")
        if kind[0] != "blob":
            raise MetadataWrong(path, "no-pickle", kind[0], f"{entry} is no pickle ({kind[0]})")
        row = connection.execute("SELECT value FROM unnamed WHERE key = ?", (species,)).fetchone()
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    try:
        return load_plain(row[0])
    except RefusedPickle as error:
        said = f"{entry} holds {error}, which is no plain data; it was not loaded"
        raise MetadataWrong(path, "not-plain", str(error), said) from error
    except pickle.UnpicklingError as error:
        said = f"{entry} is damaged: {error}"
        raise MetadataWrong(path, "cut", str(error), said) from error


def write_species(connection: sqlite3.Connection, species: str, value: dict[Any, Any]) -> None:
    """Replace the value of one species, within the caller's transaction.

    SqliteDict stores values with pickle's highest protocol; 4 is read by every Python that CpGPT
    has admitted. Rows are plain integers, which every release takes.
    """
    data = io.BytesIO()
    PlainPickler(data, protocol=4).dump(value)
    connection.execute(
        "REPLACE INTO unnamed (key, value) VALUES (?, ?)", (species, data.getbuffer())
    )
