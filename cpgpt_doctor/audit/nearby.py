"""Other indexes near a store: in one of them, misplaced rows may be in their places."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import layout, metadata
from cpgpt_doctor.store.layout import StorePaths

MOST = 32  # that are read
SHARED = 0.5  # of the store's locations that one has to name


def indexes(paths: StorePaths, index: Mapping[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    """Each other index that names at least half of these locations: its path and its rows.

    One that cannot be read is passed by: none of them is the store's own.
    """
    for path in list(candidates(paths))[:MOST]:
        with contextlib.suppress(InputError, sqlite3.Error, OSError):
            rows = read(path, paths)
            common = sum(location in rows for location in index)
            if common >= SHARED * len(index) and rows != index:
                yield str(path), rows


def candidates(paths: StorePaths) -> Iterator[Path]:
    """Databases in the store's folder, the one above, those beside them, and where its rows are."""
    real = paths.rows.resolve()
    folders = [paths.dependencies.resolve()]
    if len(real.parents) > 3 and real.parents[3] not in folders:
        folders.append(real.parents[3])
    seen = {identity(paths.database)}
    for folder in folders:
        for place in (folder, *below(folder), folder.parent, *below(folder.parent)):
            for path in sorted(entries(place)):
                if path.name.startswith(metadata.FILE) and path.is_file():
                    which = identity(path)
                    if which not in seen and not with_journal(path):
                        seen.add(which)
                        yield path


def entries(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):  # not ours to read
        return list(folder.iterdir())
    return []


def below(folder: Path) -> list[Path]:
    return [each for each in sorted(entries(folder)) if each.is_dir()]


def identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def with_journal(path: Path) -> bool:
    """Whether it is a journal, or has one: SQLite would write to it."""
    return path.name.endswith(("-journal", "-wal", "-shm")) or any(
        metadata.beside(path, ending).exists() for ending in ("-journal", "-wal")
    )


def read(path: Path, paths: StorePaths) -> dict[str, int]:
    with contextlib.closing(metadata.connect(path)) as connection:
        return layout.entry(metadata.read_species(connection, paths.species, path), paths)
