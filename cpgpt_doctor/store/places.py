"""The places that a run writes to: looked at before anything is computed, and made durably.

Three things must not happen through them: that something of the user's is removed or overwritten
because a link stands where we expect a folder or a file of our own, that a cache which other
programs share is written to, and that rows land beside an index which is not theirs.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cpgpt_doctor.disk import flush_folder
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.store import Apart, HardLinked, InCache, Link
from cpgpt_doctor.store import metadata
from cpgpt_doctor.store.layout import StorePaths

# https://huggingface.co/docs/huggingface_hub/guides/manage-cache: REPOSITORY/snapshots/REVISION
# holds links into REPOSITORY/blobs, where each file is named by its hash and shared by revisions.
CACHED = re.compile(r"(models|datasets|spaces)--.")
OF_A_CACHE = ("snapshots", "blobs")
STAGING = "staging-"
OUR_STAGING = re.compile(r"staging(-[a-z0-9_]{8})?")  # as 0.1.0 named it, and as we do
MOST_LINKS = 40  # on one path, as the kernel has it


def check_work(work: Path) -> None:
    """Refuse a folder of ours that is not one. Raises InputError; writes nothing.

    Its files are written by name, so none may be a link, a FIFO or the like. Folders in it are not
    looked at: a run makes its own.
    """
    try:
        kind = work.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(kind):
        what = "a link" if stat.S_ISLNK(kind) else "no folder"
        raise InputError(
            f"{work}: is {what}, and run-embed keeps its own files there; move it away, then start"
            " again"
        )
    if not os.access(work, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(f"{work}: cannot be written to; it belongs to {owner(work)}")
    for entry in os.scandir(work):
        if entry.is_dir() or OUR_STAGING.fullmatch(entry.name):
            continue
        if not entry.is_file(follow_symlinks=False):
            raise InputError(
                f"{entry.path}: is not a regular file (a link, or a FIFO), and run-embed writes to"
                " it; move it away, then start again"
            )
        if not os.access(entry.path, os.R_OK | os.W_OK):
            raise InputError(
                f"{entry.path}: cannot be written to; it belongs to {owner(Path(entry.path))}"
            )


def owner(path: Path) -> str:
    try:
        return f"user {path.owner()}"
    except (KeyError, OSError, NotImplementedError):
        return "another user"


def make_work(work: Path) -> None:
    """Make our folder, unless it is there and is ours. Raises InputError."""
    check_work(work)
    work.mkdir(exist_ok=True)
    flush_folder(work.parent)


def new_staging(work: Path) -> Path:
    """A fresh folder of our own; what runs that were killed have left is removed before."""
    remove_stagings(work)
    return Path(tempfile.mkdtemp(prefix=STAGING, dir=work.resolve()))


def remove_stagings(work: Path) -> None:
    """Remove staging folders of runs that have ended; the lock is held. Never through a link."""
    if work.is_symlink() or not work.is_dir():
        return
    for entry in os.scandir(work):
        if OUR_STAGING.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)  # it removes links, not what they name


def steps(path: Path) -> Iterator[Path]:
    """Every place on the way from a path to the real thing: itself, and after each link it meets.

    Raises InputError where links lead round and round.
    """
    rest = list(path.absolute().parts[::-1])
    links = 0
    at = Path(rest.pop())
    yield path.absolute()
    while rest:
        part = rest.pop()
        at = at.parent if part == ".." else at / part
        if at.is_symlink():
            links += 1
            if links > MOST_LINKS:
                raise InputError(f"{path}: links lead round and round there")
            target = at.readlink()
            rest += target.parts[::-1]
            at = at.parent
            if target.is_absolute():
                at = Path(rest.pop())
            yield at.joinpath(*rest[::-1])


def cache_of(path: Path) -> Path | None:
    """The folder of a Hugging Face cache that holds the path, or holds a step on its way."""
    for step in steps(path):
        for at, name in enumerate(step.parts[:-1]):
            if CACHED.match(name) and step.parts[at + 1] in OF_A_CACHE:
                return Path(*step.parts[: at + 3])
    return None


def check_not_cached(path: Path) -> None:
    """Refuse a path that leads into a cache (InputError)."""
    cache = cache_of(path)
    if cache is not None:
        raise InputError(
            f"{path}: leads into a cache that other programs share ({cache}), which is never"
            " written to; copy the folder first (CPG521), then repair the copy"
        )


def written(paths: StorePaths) -> tuple[Path, ...]:
    """What a run writes for a store, besides our own folder."""
    return (paths.database, paths.rows)


def links(paths: StorePaths) -> tuple[Link, ...]:
    """The links on the way to what is written."""
    return tuple(
        Link(str(path), str(path.resolve()))
        for path in written(paths)
        if path.is_symlink() or path.parent.resolve() != plain_parent(paths, path)
    )


def plain_parent(paths: StorePaths, path: Path) -> Path:
    """Where the path's folder is if nothing below the dependencies folder is a link."""
    return paths.dependencies.resolve() / path.parent.relative_to(paths.dependencies)


def in_cache(paths: StorePaths) -> tuple[InCache, ...]:
    """What leads into a Hugging Face cache.

    To copy is the dependencies folder where that lies in the cache, else the cache's.
    """
    found = []
    for path in written(paths):
        cache = cache_of(path)
        if cache is not None:
            copy = paths.dependencies if cache_of(paths.dependencies) else cache
            found.append(InCache(str(path), str(cache), str(copy)))
    return tuple(found)


def hard_linked(paths: StorePaths) -> tuple[HardLinked, ...]:
    """What is one file of several names."""
    there = [path for path in written(paths) if path.is_file()]
    names = [path.stat().st_nlink for path in there]
    return tuple(
        HardLinked(str(path), each) for path, each in zip(there, names, strict=True) if each > 1
    )


def apart(paths: StorePaths) -> tuple[Apart, ...]:
    """Rows and index that links bring together from two folders."""
    found = []
    home = paths.dependencies.resolve()
    database, rows = paths.database.resolve(), paths.rows.resolve()
    root = rows.parents[3] if len(rows.parents) > 3 else rows.parent
    other = root / metadata.FILE
    if root != home and os.path.lexists(other) and other.resolve() != database:
        found.append(Apart("rows", str(paths.rows), str(rows), str(other), str(root)))
    embeddings = database.parent / "dna_embeddings"
    if (
        database.parent != home
        and database.name == metadata.FILE
        and embeddings.is_dir()
        and (database.parent / paths.rows.relative_to(paths.dependencies)).resolve() != rows
    ):
        folder = str(database.parent)
        found.append(Apart("index", str(paths.database), str(database), str(embeddings), folder))
    return tuple(found)


def check_files(paths: StorePaths) -> None:
    """Refuse what stands where a store's files are to be and is none. Raises InputError."""
    for path in (*written(paths), paths.unfinished, paths.checkpoint):
        for _ in steps(path):  # which raises where links lead round and round
            pass
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"{path}: is a link to {path.resolve()}, which is not there; a new one is not made"
                " in its place: mount or mend what it leads to, or remove the link"
            )
        if path.exists() and not path.is_file():
            raise InputError(
                f"{path}: is not a regular file (a folder, a FIFO or a device), and a store's file"
                " is to be there; move it away, then start again"
            )
    check_journals(paths)


def check_journals(paths: StorePaths) -> None:
    """Refuse a journal of a database that is not there, or beside a link to one (InputError)."""
    for ending in ("-journal", "-wal"):
        beside_link = paths.database.with_name(paths.database.name + ending)
        real = metadata.beside(paths.database, ending)
        if os.path.lexists(real) and not paths.database.exists():
            raise InputError(
                f"{real}: is the journal of a database that is not there; put {paths.database}"
                " back beside it, so that it can be recovered, or move the journal away"
            )
        if paths.database.is_symlink() and os.path.lexists(beside_link) and beside_link != real:
            raise InputError(
                f"{beside_link}: a journal stands beside the link, and its database is"
                f" {paths.database.resolve()}; move it there as {real.name} if it is of that"
                " database, or away"
            )


def check_writable(paths: StorePaths) -> None:
    """Try what will be written: files by opening them, folders by asking (raises InputError)."""
    for path in written(paths):
        if path.exists():
            try:
                os.close(os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
            except OSError as error:
                raise InputError(f"{path}: cannot be written to: {error.strerror}") from error
    # SQLite makes its journal beside the real database; the record stands beside the rows.
    for folder in (paths.database.resolve().parent, paths.folder):
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder}: cannot be written to")
