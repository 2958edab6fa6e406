"""Rows are added to CpGPT's store in a transaction of ours.

What stands in the file of rows after the last named one does not count (`layout.py`), and that is
what makes a commit safe. Within one SQLite transaction, which keeps other writers out,
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
import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cpgpt_doctor.disk import (
    flush,
    flush_folder,
    free_name,
    make_folder,
    sync,
    write_whole,
)
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.store import metadata
from cpgpt_doctor.store.layout import (
    BLOCK,
    CHUNK,
    NOTE_SCHEMA,
    StorePaths,
    block_digest,
    digest,
    entry,
    foreign_from,
    named_rows,
    read_note,
    read_rows,
    shape,
    size,
    unnamed_rows,
)

LOCKED_SECONDS = 600.0  # how long a finished part waits for a database that others hold
STEP_SECONDS = 2.0
WRITE_SECONDS = 30.0  # how long rows that are set aside wait for it
MOST_REPLACED = 5  # times that the database may be replaced under one commit


@dataclass(frozen=True)
class Committed:
    """Where a part is in the store: its first row, and SHA-256 over its rows.

    waited: whether another program was in the way; `tell` was told.
    """

    first_row: int
    rows_digest: str
    waited: bool = False


class Unfit(InputError):
    """Nothing can be added to a store without making it worse. The rules say why, in full."""


class Replaced(Exception):
    """The database was replaced, as a file, while we wrote to it (CpGPT from 0.0.8 does so)."""


def check_fit(paths: StorePaths, rows: dict[str, int]) -> None:
    """Hold a store against what an append relies on, once more. Raises Unfit.

    What is wrong with a store is told before a run, by the rules; this guards the commit itself.
    """
    if paths.unfinished.exists():
        raise Unfit(f"{paths.unfinished}: CpGPT left this unfinished file; nothing was added")
    seen = shape(rows)
    if seen.shared or seen.outside:
        raise Unfit(
            f"{paths.database}: {len(rows)} locations of {paths.dna_llm} do not have a row"
            " each; nothing was added"
        )
    have = size(paths) or 0
    if have < len(rows) * paths.row_bytes:
        raise Unfit(
            f"{paths.rows}: holds {have // paths.row_bytes} rows, and the metadata names"
            f" {len(rows)}; nothing was added"
        )


def create_database(paths: StorePaths, staged: Path) -> None:
    """Adopt the database that CpGPT made in a staging folder, as a new one without embeddings.

    It appears complete or not at all. Raises InputError where one is there by now, or the journal
    of one stands there: a new database would be "recovered" from it.
    """
    standing = [paths.database, paths.database.resolve()]
    for ending in ("-journal", "-wal"):
        standing.append(paths.database.with_name(paths.database.name + ending))
        standing.append(metadata.beside(paths.database, ending))
    for path in standing:
        if os.path.lexists(path):
            raise InputError(
                f"{path}: stands where the new {metadata.FILE} is to be; put the database that it"
                " belongs to back, or move it away, then start again"
            )
    temporary = paths.database.with_name(paths.database.name + ".new")
    temporary.unlink(missing_ok=True)
    source = metadata.connect(staged)
    target = sqlite3.connect(temporary)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    flush(temporary)
    temporary.replace(paths.database)
    flush_folder(paths.dependencies)


def commit(
    paths: StorePaths,
    staged: StorePaths,
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
    has some of them by now; Unfit or InputError where the store itself is damaged; OSError where
    the disk is full or another program keeps the database locked. The store is then as it was.
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
            first_row = transact(paths, data, locations, named)
            break
        except Replaced as error:
            replaced += 1
            if replaced == MOST_REPLACED:
                raise OSError(errno.EBUSY, str(error), str(paths.database)) from error
            tell("the database was replaced by another program; adding the part to the new one")
        except sqlite3.Error as error:
            if "locked" not in str(error):
                raise OSError(errno.EIO, str(error), str(paths.database)) from error
            if time.monotonic() > deadline:
                who = f"{error}{holders(paths.database)}, for {LOCKED_SECONDS / 60:.0f} minutes"
                raise OSError(errno.EBUSY, who, str(paths.database)) from error
            waited = True
            tell(f"the database is locked by another program{holders(paths.database)}; waiting")
    return Committed(first_row, digest(iter(data)), waited=bool(replaced or waited))


def transact(paths: StorePaths, data: list[bytes], locations: Sequence[str], named: int = 0) -> int:
    """The commit itself, tried once; returns the first row.

    Raises Replaced where the database's path led to another file when it was done: the part is then
    in a file that nobody opens any more.
    """
    opened = identity(paths.database)
    # Closing rolls back what was not committed.
    with contextlib.closing(metadata.connect(paths.database, write=True)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {STEP_SECONDS * 1000:.0f}")
        connection.execute("PRAGMA synchronous = EXTRA")  # the journal's end reaches the disk, too
        connection.execute(
            "PRAGMA fullfsync = ON"
        )  # macOS: past the drive's cache; else without use
        try:
            connection.execute("BEGIN IMMEDIATE")  # no other writer names rows from here on
            species = metadata.read_species(connection, paths.species, paths.database)
            rows = entry(species, paths)
            check_fit(paths, rows)
            if len(rows) < named:
                raise Unfit(
                    f"{paths.database}: {named - len(rows)} rows that were named are no longer:"
                    " another program saved over the index while this run went on; end that"
                    " program, then start again"
                )
            if not rows.keys().isdisjoint(locations):
                raise DoctorError(
                    f"{paths.database}: another program added rows while we computed; start again"
                )
            if unnamed_rows(paths, len(rows)) is not None:
                raise Unfit(
                    f"{paths.rows}: after the {len(rows)} rows that are named, it holds numbers"
                    " that nobody names; nothing was added"
                )
            append(paths, len(rows), data)
            added = {location: len(rows) + at for at, location in enumerate(locations)}
            species.setdefault(paths.dna_llm, {})[paths.context_len] = {**rows, **added}
            write_entry(connection, paths, species)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            # SQLite says "readonly database" where the file is no longer at its path.
            if identity(paths.database) != opened:
                raise Replaced("another program replaces the database all the time") from error
            raise
    if identity(paths.database) != opened:
        raise Replaced("another program replaces the database all the time")
    with contextlib.suppress(OSError):  # the part is in; a note that is left explains nothing then
        paths.note.unlink(missing_ok=True)
        flush_folder(paths.folder)
    return len(rows)


def write_entry(connection: sqlite3.Connection, paths: StorePaths, species: dict[Any, Any]) -> None:
    try:
        metadata.write_species(connection, paths.species, species)
    except metadata.RefusedPickle as error:
        raise InputError(
            f"{paths.database}: the entry of {paths.species!r} holds {error}, which is no plain"
            " data; nothing was added"
        ) from error


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to; None where to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def writers(path: Path) -> str:
    """Those of `holders` that opened the file for writing, where the system says so (Linux)."""
    return holders(path, writing=True)


def holders(path: Path, *, writing: bool = False) -> str:
    """The other processes of this machine that have the file open, as far as that can be known."""
    real, found = str(path.resolve()), []
    for process in psutil.process_iter(["pid", "name"]):
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if any(
                each.path == real and not (writing and getattr(each, "mode", "r") == "r")
                for each in process.open_files()
            ):
                found.append(f"{process.info['name']}, process {process.pid}")
    return f" (open in {'; '.join(found[:3])})" if found else ""


def append(paths: StorePaths, after: int, rows: list[bytes]) -> None:
    """Write rows after the last named one, and bring them onto the disk.

    A note of them is there before. Where that fails, the file is left as long as it was; a new one
    is removed, since CpGPT cannot open an empty one.
    """
    make_folder(paths.folder, paths.dependencies)
    remove_own_tail(paths, after)
    size = paths.rows.stat().st_size if paths.rows.exists() else None
    try:
        write_note(paths, after, rows)
        with paths.rows.open("xb" if size is None else "r+b") as stream:
            stream.seek(after * paths.row_bytes)
            stream.writelines(rows)
            stream.flush()
            sync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            if size is None:
                paths.rows.unlink()
            else:
                os.truncate(paths.rows, size)
            paths.note.unlink()
        raise
    if size is None:
        flush_folder(paths.folder)


def write_note(paths: StorePaths, first_row: int, rows: list[bytes]) -> None:
    """Bring a note of the rows about to be appended onto the disk."""
    data = b"".join(rows)
    blocks = [block_digest(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    note = {"schema": NOTE_SCHEMA, "first_row": first_row, "blocks": "".join(blocks)}
    write_whole(paths.note, json.dumps(note))


def remove_own_tail(paths: StorePaths, named: int) -> None:
    """Cut off what an append of ours that was killed has left; it was looked at before."""
    if not read_note(paths, named) or not paths.rows.exists():
        return
    if named or paths.rows.is_symlink():
        with paths.rows.open("r+b") as stream:
            stream.truncate(named * paths.row_bytes)
            sync(stream.fileno())
    else:
        paths.rows.unlink()
        flush_folder(paths.folder)


def set_aside_unnamed(paths: StorePaths) -> Path | None:
    """Move what stands after the last named row, and is not ours, into a file of its own.

    Returns that file, None where there is nothing to move. The rows are on the disk there before
    they are cut off here, and no file is replaced. Raises OSError, sqlite3.Error, InputError.
    """
    with contextlib.ExitStack() as stack:
        named: dict[str, int] = {}
        if paths.database.exists():
            connection = metadata.connect(paths.database, write=True, wait=WRITE_SECONDS)
            stack.enter_context(contextlib.closing(connection))
            connection.execute("BEGIN IMMEDIATE")
            species = metadata.read_species(connection, paths.species, paths.database)
            named = entry(species, paths)
        check_fit(paths, named)
        if foreign_from(paths, len(named)) is None:
            return None
        aside = free_name(paths.rows.with_name(f"{paths.rows.name}.unnamed"), first=1)
        if not named:
            paths.rows.rename(aside)  # a link is moved, and what it leads to is left alone
        else:
            copy_tail(paths.rows, len(named) * paths.row_bytes, aside)
            flush_folder(paths.folder)
            with paths.rows.open("r+b") as stream:
                stream.truncate(len(named) * paths.row_bytes)
                sync(stream.fileno())
        flush_folder(paths.folder)
        return aside


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
