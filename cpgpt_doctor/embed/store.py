"""CpGPT's embedding store, read and committed by us.

For a species, model and context length it is two things in a dependencies folder:
`dna_embeddings/SPECIES/DNA_LLM/{LEN}bp_dna_embeddings.mmap`, rows of float32, and the entry
`[dna_llm][len]` of the species in `ensembl_metadata.db`, a row for each location. The file may hold
more rows than are named: what stands after the last named row does not count.

That is what makes a commit safe. Within one SQLite transaction, which keeps other writers out,
rows are appended after the last named one and flushed to the disk, and then named. Before the
transaction's commit the store is as it was, after it the rows are in, and a crash in between leaves
only rows that nobody names.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpgpt_doctor.embed import metadata
from cpgpt_doctor.errors import DoctorError, InputError

FLOAT32 = 4


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
    def database(self) -> Path:
        return self.dependencies / metadata.FILE

    @property
    def row_bytes(self) -> int:
        return self.width * FLOAT32


@dataclass(frozen=True)
class Committed:
    """Where a part is in the store: its first row, and SHA-256 over its rows."""

    first_row: int
    rows_digest: str


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

    It appears complete or not at all.
    """
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


def commit(address: Address, staged: Address, locations: Sequence[str]) -> Committed:
    """Add the rows that a staging store has for `locations`; return where they are.

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
    try:
        # Closing rolls back what was not committed.
        with contextlib.closing(metadata.connect(address.database, write=True)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")  # no other writer names rows from here on
            species = metadata.read_species(connection, address.species, address.database)
            rows = entry(species, address)
            check_health(address, rows)
            if not rows.keys().isdisjoint(locations):
                raise DoctorError(
                    f"{address.database}: another program added rows while we computed; start again"
                )
            append(address, len(rows), data)
            added = {location: len(rows) + at for at, location in enumerate(locations)}
            species.setdefault(address.dna_llm, {})[address.context_len] = {**rows, **added}
            metadata.write_species(connection, address.species, species)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error), str(address.database)) from error
    return Committed(len(rows), digest(iter(data)))


def append(address: Address, after: int, rows: list[bytes]) -> None:
    """Write rows after the last named one, and bring them onto the disk.

    Where that fails, the file is left as long as it was; a new one is removed, since CpGPT cannot
    open an empty one.
    """
    address.folder.mkdir(parents=True, exist_ok=True)
    size = address.rows.stat().st_size if address.rows.exists() else None
    try:
        with address.rows.open("xb" if size is None else "r+b") as stream:
            stream.seek(after * address.row_bytes)
            stream.writelines(rows)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            if size is None:
                address.rows.unlink()
            else:
                os.truncate(address.rows, size)
        raise
    if size is None:
        flush_folder(address.folder)


def flush(path: Path) -> None:
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())


def flush_folder(path: Path) -> None:
    """Bring a folder's entries onto the disk; Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
