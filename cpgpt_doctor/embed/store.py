"""CpGPT's embedding store, read and committed by us.

For a species, model and context length it is two things in a dependencies folder:
`dna_embeddings/SPECIES/DNA_LLM/{LEN}bp_dna_embeddings.mmap`, rows of float32, and the entry
`[dna_llm][len]` of the species in `ensembl_metadata.db`, a row for each location. The file may hold
more rows than are named: what stands after the last named row does not count.

That is what makes a commit safe. Within one SQLite transaction, which keeps other writers out,
rows are appended after the last named one and flushed to the disk, and then named. Before the
transaction's commit the store is as it was, after it the rows are in, and a crash in between leaves
only rows that nobody names.

Rows that nobody names may be somebody's all the same: published rows without their index, or rows
whose index was lost. So a note of what is about to be appended is brought onto the disk first, and
what stands after the last named row is overwritten only where it is zeros, as CpGPT allocates them,
or what such a note says. It counts by its content: a note lies where the bytes are others.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from cpgpt_doctor.embed import metadata
from cpgpt_doctor.errors import DoctorError, InputError

FLOAT32 = 4
LOCKED_SECONDS = 600.0  # how long a finished part waits for a database that others hold
STEP_SECONDS = 2.0
MOST_REPLACED = 5  # times that the database may be replaced under one commit
NOTE_SCHEMA = "cpgpt-doctor/appending/v1"
LARGEST_NOTE = 64 << 20
BLOCK = 512  # bytes that reach a disk together, or not at all
CHUNK = 1 << 20


@dataclass(frozen=True)
class Address:
    """Which store: the folder and what CpGPT names its parts by. `width` is numbers a row."""

    dependencies: Path
    species: str
    dna_llm: str
    context_len: int
    width: int

    @property
    def folder(self) -> Path:
        return self.dependencies / "dna_embeddings" / self.species / self.dna_llm

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.context_len}bp_dna_embeddings.mmap"

    @property
    def unfinished(self) -> Path:
        """What CpGPT calls the file while it writes, and leaves behind when it is stopped."""
        return self.rows.with_name(self.rows.name + ".tmp")

    @property
    def checkpoint(self) -> Path:
        """CpGPT's note of how many rows of an unfinished run it trusts (0.0.8 and later)."""
        return self.rows.with_name(self.rows.name + ".checkpoint.json")

    @property
    def note(self) -> Path:
        """Ours: what is being appended to the file. Gone once it is named."""
        return self.rows.with_name(self.rows.name + ".appending")

    @property
    def database(self) -> Path:
        return self.dependencies / metadata.FILE

    @property
    def row_bytes(self) -> int:
        return self.width * FLOAT32


@dataclass(frozen=True)
class Committed:
    """Where a part is in the store: its first row, and SHA-256 over its rows.

    waited: whether another program was in the way; `tell` was told.
    """

    first_row: int
    rows_digest: str
    waited: bool = False


class Replaced(Exception):
    """The database was replaced, as a file, while we wrote to it (CpGPT from 0.0.8 does so)."""


def named_rows(address: Address) -> dict[str, int]:
    """The row of each location in the store; empty where there is none yet."""
    if not address.database.exists():
        return {}
    connection = metadata.connect(address.database)
    try:
        species = metadata.read_species(connection, address.species, address.database)
    finally:
        connection.close()
    return entry(species, address)


def entry(species: dict[Any, Any], address: Address) -> dict[str, int]:
    by_length = species.get(address.dna_llm, {})
    rows = by_length.get(address.context_len, {}) if isinstance(by_length, dict) else None
    if not isinstance(rows, dict) or not all(
        isinstance(key, str) and type(value) is int for key, value in rows.items()
    ):
        raise InputError(
            f"{address.database}: the rows of {address.species}, {address.dna_llm},"
            f" {address.context_len} are not a table of locations (CPG509)"
        )
    return rows


def check_health(address: Address, rows: dict[str, int]) -> None:
    """Refuse a store to which nothing can be added without making it worse.

    Raises InputError that names the file and the rule.
    """
    if address.unfinished.exists():
        raise InputError(
            f"{address.unfinished}: CpGPT left this unfinished file, which may hold rows of yours"
            " (CPG505, CPG515); let CpGPT finish that run, or move the file away, then start again"
        )
    if set(rows.values()) != set(range(len(rows))):
        raise InputError(
            f"{address.database}: {len(rows)} locations of {address.dna_llm} do not have a row"
            " each: some share one, or rows are left out (CPG506); embed into a new"
            " dependencies folder"
        )
    have = address.rows.stat().st_size if address.rows.exists() else 0
    if have < len(rows) * address.row_bytes:
        raise InputError(
            f"{address.rows}: holds {have // address.row_bytes} rows, and the metadata names"
            f" {len(rows)} (CPG506); embed into a new dependencies folder"
        )


def read_rows(address: Address, rows: Sequence[int]) -> Iterator[bytes]:
    """The bytes of each of these rows, in their order."""
    with address.rows.open("rb") as stream:
        for row in rows:
            stream.seek(row * address.row_bytes)
            data = stream.read(address.row_bytes)
            if len(data) != address.row_bytes:
                raise DoctorError(f"{address.rows}: row {row} is not there in full")
            yield data


def digest(chunks: Iterator[bytes]) -> str:
    """SHA-256 over rows in their order."""
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


def create_database(address: Address, staged: Path) -> None:
    """Adopt the database that CpGPT made in a staging folder, as a new one without embeddings.

    It appears complete or not at all. Raises InputError where one is there by now, or the journal
    of one stands there: a new database would be "recovered" from it.
    """
    standing = [address.database, address.database.resolve()]
    for ending in ("-journal", "-wal"):
        standing.append(address.database.with_name(address.database.name + ending))
        standing.append(metadata.beside(address.database, ending))
    for path in standing:
        if os.path.lexists(path):
            raise InputError(
                f"{path}: stands where the new {metadata.FILE} is to be; put the database that it"
                " belongs to back, or move it away, then start again"
            )
    temporary = address.database.with_name(address.database.name + ".new")
    temporary.unlink(missing_ok=True)
    source = metadata.connect(staged)
    target = sqlite3.connect(temporary)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    flush(temporary)
    temporary.replace(address.database)
    flush_folder(address.dependencies)


def commit(
    address: Address,
    staged: Address,
    locations: Sequence[str],
    tell: Callable[[str], None] = lambda text: None,
    named: int = 0,
) -> Committed:
    """Add the rows that a staging store has for `locations`; return where they are.

    named: how many rows the index named at last; fewer now, and another program saved over it.

    A database that another program locks is waited for, some minutes; one that was replaced under
    us is written anew. `tell` gets a line about either, again and again while it lasts;
    what it raises ends the wait, with nothing added.

    Raises DoctorError where the staging store does not hold exactly these locations, or the store
    has some of them by now; InputError where the store itself is damaged; OSError where the disk is
    full or another program keeps the database locked. The store is then as it was.
    """
    computed = named_rows(staged)
    if set(computed) != set(locations) or len(computed) != len(locations):
        raise DoctorError(
            f"{staged.dependencies}: CpGPT stored {len(computed)} locations of a part of"
            f" {len(locations)}; nothing of it was taken over"
        )
    data = list(read_rows(staged, [computed[location] for location in locations]))
    deadline = time.monotonic() + LOCKED_SECONDS
    replaced, waited = 0, False
    while True:
        try:
            first_row = transact(address, data, locations, named)
            break
        except Replaced as error:
            replaced += 1
            if replaced == MOST_REPLACED:
                raise OSError(errno.EBUSY, str(error), str(address.database)) from error
            tell("the database was replaced by another program; adding the part to the new one")
        except sqlite3.Error as error:
            if "locked" not in str(error):
                raise OSError(errno.EIO, str(error), str(address.database)) from error
            if time.monotonic() > deadline:
                who = f"{error}{holders(address.database)}, for {LOCKED_SECONDS / 60:.0f} minutes"
                raise OSError(errno.EBUSY, who, str(address.database)) from error
            waited = True
            tell(f"the database is locked by another program{holders(address.database)}; waiting")
    return Committed(first_row, digest(iter(data)), waited=bool(replaced or waited))


def transact(address: Address, data: list[bytes], locations: Sequence[str], named: int = 0) -> int:
    """The commit itself, tried once; returns the first row.

    Raises Replaced where the database's path led to another file when it was done: the part is then
    in a file that nobody opens any more.
    """
    opened = identity(address.database)
    # Closing rolls back what was not committed.
    with contextlib.closing(metadata.connect(address.database, write=True)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {STEP_SECONDS * 1000:.0f}")
        connection.execute("PRAGMA synchronous = EXTRA")  # the journal's end reaches the disk, too
        connection.execute(
            "PRAGMA fullfsync = ON"
        )  # macOS: past the drive's cache; else without use
        try:
            connection.execute("BEGIN IMMEDIATE")  # no other writer names rows from here on
            species = metadata.read_species(connection, address.species, address.database)
            rows = entry(species, address)
            check_health(address, rows)
            if len(rows) < named:
                raise DoctorError(
                    f"{address.database}: {named - len(rows)} rows that were named are no longer"
                    " (CPG523): another program saved over the index while this run went on; end"
                    " that program, then start again"
                )
            if not rows.keys().isdisjoint(locations):
                raise DoctorError(
                    f"{address.database}: another program added rows while we computed; start again"
                )
            if unnamed := unnamed_rows(address, len(rows)):
                raise InputError(unnamed)
            append(address, len(rows), data)
            added = {location: len(rows) + at for at, location in enumerate(locations)}
            species.setdefault(address.dna_llm, {})[address.context_len] = {**rows, **added}
            write_entry(connection, address, species)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            # SQLite says "readonly database" where the file is no longer at its path.
            if identity(address.database) != opened:
                raise Replaced("another program replaces the database all the time") from error
            raise
    if identity(address.database) != opened:
        raise Replaced("another program replaces the database all the time")
    with contextlib.suppress(OSError):  # the part is in; a note that is left explains nothing then
        address.note.unlink(missing_ok=True)
        flush_folder(address.folder)
    return len(rows)


def write_entry(connection: sqlite3.Connection, address: Address, species: dict[Any, Any]) -> None:
    try:
        metadata.write_species(connection, address.species, species)
    except metadata.RefusedPickle as error:
        raise InputError(
            f"{address.database}: the entry of {address.species!r} holds {error}, which is no plain"
            " data; nothing was added"
        ) from error


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to; None where to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def holders(path: Path) -> str:
    """The other processes of this machine that have the file open, as far as that can be known."""
    real, found = str(path.resolve()), []
    for process in psutil.process_iter(["pid", "name"]):
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if any(each.path == real for each in process.open_files()):
                found.append(f"{process.info['name']}, process {process.pid}")
    return f" (open in {'; '.join(found[:3])})" if found else ""


def append(address: Address, after: int, rows: list[bytes]) -> None:
    """Write rows after the last named one, and bring them onto the disk.

    A note of them is there before. Where that fails, the file is left as long as it was; a new one
    is removed, since CpGPT cannot open an empty one.
    """
    make_folder(address.folder, address.dependencies)
    remove_own_tail(address, after)
    size = address.rows.stat().st_size if address.rows.exists() else None
    try:
        write_note(address, after, rows)
        with address.rows.open("xb" if size is None else "r+b") as stream:
            stream.seek(after * address.row_bytes)
            stream.writelines(rows)
            stream.flush()
            sync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            if size is None:
                address.rows.unlink()
            else:
                os.truncate(address.rows, size)
            address.note.unlink()
        raise
    if size is None:
        flush_folder(address.folder)


def block_digest(block: bytes) -> str:
    return hashlib.blake2b(block.ljust(BLOCK, b"\0"), digest_size=8).hexdigest()


def write_note(address: Address, first_row: int, rows: list[bytes]) -> None:
    """Bring a note of the rows about to be appended onto the disk."""
    data = b"".join(rows)
    blocks = [block_digest(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    note = {"schema": NOTE_SCHEMA, "first_row": first_row, "blocks": "".join(blocks)}
    temporary = address.note.with_name(address.note.name + ".new")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("x", encoding="ascii") as stream:
            json.dump(note, stream)
            stream.flush()
            sync(stream.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(address.note)
    flush_folder(address.folder)


def read_note(address: Address, first_row: int) -> list[str]:
    """The digests of the blocks that were about to be appended from this row on; empty for none."""
    try:
        with open_regular(address.note) as stream:
            data = json.loads(stream.read(LARGEST_NOTE))
        blocks = data["blocks"]
        if data["schema"] != NOTE_SCHEMA or data["first_row"] != first_row:
            return []
        return [blocks[at : at + 16] for at in range(0, len(blocks), 16)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read it; never a link, nor anything that could be waited for without end."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def foreign_from(address: Address, named: int) -> int | None:
    """Where in the file, after the last named row, the first bytes are that are not ours to write.

    Bytes, from the file's start; None where all is zeros or what our note says. Zeros that CpGPT
    allocated can be gigabytes of a sparse file: its holes are passed over.
    """
    if not address.rows.exists():
        return None
    start = named * address.row_bytes
    blocks: list[str] | None = None
    with address.rows.open("rb") as stream:
        end = os.fstat(stream.fileno()).st_size
        at = start
        while at < end:
            at = max(at, start + (next_data(stream, at) - start) // BLOCK * BLOCK)
            stream.seek(at)
            chunk = stream.read(CHUNK)
            if not chunk:
                return None
            if chunk.count(0) != len(chunk):
                blocks = read_note(address, named) if blocks is None else blocks
                for inside in range(0, len(chunk), BLOCK):
                    block = chunk[inside : inside + BLOCK]
                    number = (at + inside - start) // BLOCK
                    ours = number < len(blocks) and blocks[number] == block_digest(block)
                    if not ours and block.strip(b"\0"):
                        return at + inside + len(block) - len(block.lstrip(b"\0"))
            at += len(chunk)
    return None


def next_data(stream: BinaryIO, at: int) -> int:
    """The first byte from `at` on that is not in a hole of the file; `at` where that is unknown."""
    if not hasattr(os, "SEEK_DATA"):
        return at
    try:
        return os.lseek(stream.fileno(), at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole
            return os.fstat(stream.fileno()).st_size
        return at


def unnamed_rows(address: Address, named: int) -> str:
    """What a file that goes on after the named rows, with what is not ours, looks like.

    One line for the user (CPG519, CPG520); empty where nothing is there, zeros, or what is ours.
    """
    foreign = foreign_from(address, named)
    if foreign is None:
        return ""
    unnamed = address.rows.stat().st_size - named * address.row_bytes
    whole, rest = divmod(unnamed, address.row_bytes)
    more = f" and {rest} bytes" if rest else ""
    human = address.dependencies / "human"
    hint = (
        f"give --dependencies-dir {human}, whose index they may belong to"
        if (human / metadata.FILE).exists()
        else "if they are published rows, give the folder that their own ensembl_metadata.db is in"
        " as --dependencies-dir (DIR/human of a download)"
    )
    return (
        f"{address.rows}: after the {named} rows that {metadata.FILE} names, {whole} more{more}"
        f" hold numbers (from byte {foreign} on) that nobody names: rows without their index, or an"
        " index that was lost or replaced (CPG519, CPG520), and adding would overwrite them;"
        f" {hint}; or put the index back; or move them into a file of their own with"
        " --set-aside-unnamed"
    )


def remove_own_tail(address: Address, named: int) -> None:
    """Cut off what an append of ours that was killed has left; it was looked at before."""
    if not read_note(address, named) or not address.rows.exists():
        return
    if named or address.rows.is_symlink():
        with address.rows.open("r+b") as stream:
            stream.truncate(named * address.row_bytes)
            sync(stream.fileno())
    else:
        address.rows.unlink()
        flush_folder(address.folder)


def set_aside_unnamed(address: Address) -> Path | None:
    """Move what stands after the last named row, and is not ours, into a file of its own.

    Returns that file, None where there is nothing to move. The rows are on the disk there before
    they are cut off here, and no file is replaced. Raises OSError, sqlite3.Error, InputError.
    """
    with contextlib.ExitStack() as stack:
        named: dict[str, int] = {}
        if address.database.exists():
            connection = metadata.connect(address.database, write=True)
            stack.enter_context(contextlib.closing(connection))
            connection.execute("BEGIN IMMEDIATE")
            species = metadata.read_species(connection, address.species, address.database)
            named = entry(species, address)
        check_health(address, named)
        if foreign_from(address, len(named)) is None:
            return None
        number = 1
        while os.path.lexists(aside := unnamed_name(address, number)):
            number += 1
        if not named:
            address.rows.rename(aside)  # a link is moved, and what it leads to is left alone
        else:
            copy_tail(address.rows, len(named) * address.row_bytes, aside)
            flush_folder(address.folder)
            with address.rows.open("r+b") as stream:
                stream.truncate(len(named) * address.row_bytes)
                sync(stream.fileno())
        flush_folder(address.folder)
        return aside


def unnamed_name(address: Address, number: int) -> Path:
    return address.rows.with_name(f"{address.rows.name}.unnamed-{number}")


def copy_tail(source: Path, start: int, target: Path) -> None:
    """Copy a file from a byte on into a new file, onto the disk; no half of it is left."""
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            reader.seek(start)
            while chunk := reader.read(CHUNK):
                writer.write(chunk)
            writer.flush()
            sync(writer.fileno())
        except OSError:
            target.unlink()
            raise


def make_folder(path: Path, within: Path) -> None:
    """Make a folder and those above it, up to one that must be there; all are on the disk then.

    Raises OSError, such as where `within` was removed: it is not made again.
    """
    if path.is_dir():
        return
    if path == within:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    make_folder(path.parent, within)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    flush_folder(path.parent)


def sync(descriptor: int) -> None:
    """Bring a file onto the disk.

    macOS leaves what fsync writes in the drive's cache; F_FULLFSYNC empties that, where the file
    system knows it: https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man2/fsync.2.html
    """
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # a network disk, for one
    os.fsync(descriptor)


def flush(path: Path) -> None:
    with path.open("r+b") as stream:
        sync(stream.fileno())


def flush_folder(path: Path) -> None:
    """Bring a folder's entries onto the disk; Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
