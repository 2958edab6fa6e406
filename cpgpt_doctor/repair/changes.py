"""What actions do to a store, as steps of a backup that is drawn up."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cpgpt_doctor.disk import flush, open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.repair.backup import Counted, Draft
from cpgpt_doctor.repair.steps import Swap, Tail, Write, unwritten
from cpgpt_doctor.store import layout, metadata, places, record, transaction
from cpgpt_doctor.store.layout import StorePaths

Table = dict[str, int]


def check_writable(path: Path, *, in_place: bool) -> Path:
    """The real file that would be written. Raises InputError where that is not ours to write.

    in_place: whether its bytes are written, which every other name of the file would see, too.
    """
    places.check_not_cached(path)
    real = path.resolve()
    if in_place and real.exists() and real.stat().st_nlink > 1:
        raise InputError(
            f"{path}: is one file of several names (CPG522), and all would be written; copy it"
            " first, then start again"
        )
    return real


def read_table(database: Path, paths: StorePaths) -> Table:
    """The rows of this species, model and length in an index. Raises InputError."""
    try:
        with contextlib.closing(metadata.connect(database)) as connection:
            species = metadata.read_species(connection, paths.species, database)
    except sqlite3.Error as error:
        raise metadata.unreadable(database, error) from error
    return layout.entry(species, paths)


def put_table(
    draft: Draft,
    paths: StorePaths,
    table: Table,
    source: Path | None = None,
    *,
    counted: bool = True,
) -> None:
    """Let the index have this table for the store; all else in it stays.

    source: the index that a new one is made from, where the folder has none. counted: whether it is
    of the folder that is repaired, and not of one below it.
    """
    real = check_writable(paths.database, in_place=False)
    before: str | None = None
    named = 0
    if real.exists():
        if metadata.keeps_a_log(real) or metadata.beside(real, "-wal").exists():
            raise InputError(
                f"{paths.database}: is kept with a log (SQLite's WAL), as CpGPT does not; end the"
                f' program that writes to it, run: sqlite3 {real} "PRAGMA journal_mode=DELETE"'
            )
        with open_regular(real) as stream, unwritten(real):
            before = draft.keep(stream, "db")
        named = len(layout.named_rows(paths))
    elif source is None:
        raise InputError(f"{paths.database}: is not there, so no row has a name")
    else:
        places.check_journals(paths)  # a new database would be "recovered" from one
    after = draft.name("db")
    if before is not None:
        shutil.copy2(draft.folder / before, draft.folder / after)
        change(draft.folder / after, paths, lambda species: set_table(species, paths, table))
    else:
        assert source is not None
        make_database(draft.folder / after, source, paths, table)
    draft.steps.append(
        Swap(
            draft.relative(paths.database),
            before,
            after,
            None if before is None else draft.digest(before),
            draft.digest(after),
            database=True,
        )
    )
    if counted:
        count(draft, paths, named, len(table))


def count(draft: Draft, paths: StorePaths, before: int, after: int) -> None:
    draft.stores.append(Counted(paths.species, paths.dna_llm, paths.context_len, before, after))


def set_table(species: dict[Any, Any], paths: StorePaths, table: Table) -> None:
    species.setdefault(paths.dna_llm, {})[paths.context_len] = table


def change(database: Path, paths: StorePaths, how: Callable[[dict[Any, Any]], None]) -> None:
    """Change the species' entry of a database of ours, and bring it onto the disk."""
    with contextlib.closing(metadata.connect(database, write=True)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        species = metadata.read_species(connection, paths.species, paths.database)
        how(species)
        transaction.write_entry(connection, paths, species)
        connection.execute("COMMIT")
    flush(database)


def make_database(target: Path, source: Path, paths: StorePaths, table: Table) -> None:
    """A database as another one, with this table and no other: its rows are not in the folder."""
    with contextlib.closing(metadata.connect(source)) as theirs:
        metadata.check_table(theirs, source)
        with contextlib.closing(sqlite3.connect(target)) as ours:
            theirs.backup(ours)
    for name in metadata.species_names(target):
        with contextlib.closing(metadata.connect(target, write=True)) as connection:
            species = metadata.read_species(connection, name, source)
            emptied = list(tables(species))
            for by_length, length in emptied:
                by_length[length] = {}
            if name == paths.species:
                set_table(species, paths, table)
            if emptied or name == paths.species:
                connection.execute("BEGIN IMMEDIATE")
                metadata.write_species(connection, name, species)
                connection.execute("COMMIT")
    flush(target)


def tables(species: Mapping[Any, Any]) -> Iterator[tuple[dict[Any, Any], int]]:
    """Where an entry has tables of rows that are not empty: the model's dictionary, the length."""
    for by_length in species.values():
        if isinstance(by_length, dict):
            for length, rows in by_length.items():
                if type(length) is int and isinstance(rows, dict) and rows:
                    yield by_length, length


def runs_of(rows: Iterable[int], row_bytes: int) -> list[tuple[int, int]]:
    """The stretches of a file that rows take, which are in order."""
    found: list[tuple[int, int]] = []
    for row in rows:
        start = row * row_bytes
        if found and sum(found[-1]) == start:
            found[-1] = found[-1][0], found[-1][1] + row_bytes
        else:
            found.append((start, row_bytes))
    return found


def put_rows(draft: Draft, paths: StorePaths, rows: list[int], data: Iterable[bytes]) -> None:
    """Let these rows, in order, have these bytes, in their own places."""
    real = check_writable(paths.rows, in_place=True)
    before, after = draft.name("rows"), draft.name("rows")
    with draft.writing(before) as out, open_regular(real) as stream:
        for row in rows:
            stream.seek(row * paths.row_bytes)
            old = stream.read(paths.row_bytes)
            if len(old) != paths.row_bytes:
                raise InputError(f"{paths.rows}: row {row} is not there in full")
            out.write(old)
    with draft.writing(after) as out:
        for each in data:
            out.write(each)
    runs = tuple(runs_of(rows, paths.row_bytes))
    if (draft.folder / after).stat().st_size != len(rows) * paths.row_bytes:
        raise InputError(f"{paths.rows}: fewer rows were made than are to be written")
    draft.steps.append(Write(draft.relative(paths.rows), runs, before, after))


def without(table: Table, out: Collection[str]) -> tuple[Table, list[tuple[int, int]]]:
    """A table without some locations, that has the first rows; and the rows that move, from and to.

    Nothing moves but the last rows, into the places that are free.
    """
    kept = {location: row for location, row in table.items() if location not in out}
    taken = {row for row in kept.values() if row < len(kept)}
    free = [row for row in range(len(kept)) if row not in taken]
    moved = dict(zip(sorted(row for row in kept.values() if row >= len(kept)), free, strict=True))
    return {each: moved.get(row, row) for each, row in kept.items()}, sorted(moved.items())


def take_out(draft: Draft, paths: StorePaths, table: Table, out: Collection[str]) -> None:
    """Let locations leave the index; their rows' numbers go into the backup.

    First the last rows are copied into the places that are free, then the index is replaced, then
    what it names no longer is zeroed: at every moment each location that stays has its row.
    """
    real = check_writable(paths.rows, in_place=True)
    left, moves = without(table, out)
    size = real.stat().st_size
    have = size // paths.row_bytes
    with draft.writing("taken-out.tsv") as stream:
        for location, row in table.items():
            if location in out:
                stream.write(f"{location}\t{row}\n".encode())
    if moves:
        to = sorted((there, here) for here, there in moves)
        rows = layout.read_rows(paths, [here for _, here in to])
        put_rows(draft, paths, [there for there, _ in to], rows)
    put_table(draft, paths, left)
    behind = list(range(len(left), min(have, max(table.values(), default=-1) + 1)))
    if size % paths.row_bytes:
        put_tail(draft, paths, have * paths.row_bytes)
    if behind:
        put_rows(draft, paths, behind, (bytes(paths.row_bytes) for _ in behind))
    put_record(draft, paths, left, [there for _, there in moves])


def put_tail(
    draft: Draft,
    paths: StorePaths,
    at: int,
    source: tuple[Path, int] | None = None,
    standing: Path | None = None,
) -> None:
    """Let the file of rows end at a byte, or go on from there with another file's up to its end.

    source: that file, and where its stretch ends. standing: where the rows are until an earlier
    step.
    """
    real = check_writable(standing or paths.rows, in_place=True)
    with open_regular(real) as stream:
        before = draft.keep(stream, "rows", start=at)
    if source is None:
        after = draft.name("rows")
        with draft.writing(after):
            pass
    else:
        path, end = source
        with open_regular(path) as stream:
            after = draft.keep(stream, "rows", at, end)
    draft.steps.append(Tail(draft.relative(paths.rows), at, before, after))


def put_record(draft: Draft, paths: StorePaths, table: Table, written: Iterable[int] = ()) -> None:
    """Take out of run-embed's record what no longer holds: parts with other locations or rows.

    Their rows then count as not covered, and the next run looks at them.
    """
    path = record.record_path(paths)
    known = record.read(path)
    if not path.exists():
        return
    rows = set(written)
    names = dict(zip(table.values(), table.keys(), strict=True))

    def holds(first: int, count: int, digest: str) -> bool:
        numbers = range(first, first + count)
        if any(each not in names for each in numbers) or not rows.isdisjoint(numbers):
            return False
        return record.locations_digest(names[each] for each in numbers) == digest

    def keep(each: Any) -> bool:
        return holds(int(each["first_row"]), int(each["rows"]), str(each["locations_digest"]))

    with open_regular(path) as stream:
        before = draft.keep(stream, "json")
    data = json.loads((draft.folder / before).read_bytes())
    changed = {
        **data,
        "parts": [each for each in data.get("parts", ()) if keep(each)],
        "found": [each for each in data.get("found", ()) if keep(each)],
        "pending": data["pending"] if data.get("pending") and keep(data["pending"]) else None,
    }
    if changed == data or known == record.Earlier():
        return
    after = draft.name("json")
    with draft.writing(after) as out:
        out.write((json.dumps(changed, indent=2) + "\n").encode())
    shutil.copystat(draft.folder / before, draft.folder / after)
    draft.steps.append(
        Swap(
            draft.relative(path),
            before,
            after,
            draft.digest(before),
            draft.digest(after),
            database=False,
        )
    )
