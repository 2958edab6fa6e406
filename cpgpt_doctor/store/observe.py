"""Look at a store: what is where, what its index and its record say. Nothing is written or judged.

It takes neither torch nor a run: what is seen once a model is loaded is in `admission.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cpgpt_doctor.facts.store import ChangedRows, Damage, StoreFacts, Unfinished
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.store import backups, layout, metadata, places, record
from cpgpt_doctor.store.binding import other_genome
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Earlier, locations_digest


@dataclass(frozen=True)
class Store:
    """What was seen of a store, with the row of each location and the record."""

    facts: StoreFacts
    rows: dict[str, int] = field(default_factory=dict)
    known: Earlier = field(default_factory=Earlier)


def bare(paths: StorePaths) -> StoreFacts:
    """Facts of a store of which nothing is known but where it is."""
    return StoreFacts(
        dependencies=str(paths.dependencies),
        species=paths.species,
        dna_llm=paths.dna_llm,
        context_len=paths.context_len,
        rows=str(paths.rows),
        database=str(paths.database),
        width=paths.width,
    )


def damaged(paths: StorePaths, damage: Damage) -> StoreFacts:
    """Facts of a store of which nothing is known but that its index cannot be read, and why."""
    return dataclasses.replace(bare(paths), damage=damage)


def look(
    paths: StorePaths,
    genome: Genome | None = None,
    named_rows: Callable[[StorePaths], dict[str, int]] = layout.named_rows,
) -> Store:
    """Look at a store; its record is held against `genome` where one is given.

    named_rows: gives the row of each location, for who has read the index already.
    What takes the width of a row is left out where `paths` has none. Raises InputError for a record
    that is none, links that lead round and round, and a database that stays locked.
    """
    facts = dataclasses.replace(
        bare(paths),
        links=places.links(paths),
        in_cache=places.in_cache(paths),
        hard_linked=places.hard_linked(paths),
        apart=places.apart(paths),
        size=layout.size(paths),
        unfinished=unfinished(paths),
        checkpoint=str(paths.checkpoint) if paths.checkpoint.exists() else None,
        repairing=backups.unfinished_of(paths),
    )
    known = record.read(record.record_path(paths))
    try:
        rows = named_rows(paths)
    except metadata.MetadataWrong as wrong:
        return Store(dataclasses.replace(facts, damage=wrong.damage), known=known)
    index = layout.shape(rows)
    numbered = paths.width is not None and not (index.shared or index.outside)
    facts = dataclasses.replace(
        facts,
        index=index if paths.database.exists() else None,
        unnamed=layout.unnamed_rows(paths, len(rows)) if numbered else None,
        lost=record.lost_rows(known.parts, len(rows)),
        changed=renamed(paths, known, rows) if numbered else (),
        recorded_padding=known.bound.model.padding if known.bound and rows else None,
        other_genome=other_genome(known.bound, genome, paths.context_len)
        if known.bound and genome
        else (),
    )
    return Store(facts, rows, known)


def renamed(paths: StorePaths, known: Earlier, rows: dict[str, int]) -> tuple[ChangedRows, ...]:
    """Recorded rows that are as they were, and that the index names for other locations.

    rows: one for each of the first numbers. Only rows whose locations are others are read; where
    their numbers are others, too, another program laid rows anew there.
    """
    parts = [each for each in known.parts if each.first_row + each.rows <= len(rows)]
    there = (layout.size(paths) or 0) // paths.row_bytes
    names: list[str] = []
    if parts:
        names = [""] * len(rows)
        for location, row in rows.items():
            names[row] = location
    found = []
    for each in parts:
        stretch = range(each.first_row, each.first_row + each.rows)
        if stretch.stop > there or each.locations_digest == locations_digest(
            names[stretch.start : stretch.stop]
        ):
            continue
        if layout.digest(layout.read_rows(paths, stretch)) == each.rows_digest:
            found.append(ChangedRows("index", each.first_row, each.rows))
    return tuple(found)


def unfinished(paths: StorePaths) -> Unfinished | None:
    size = size_of(paths.unfinished)
    return None if size is None else Unfinished(str(paths.unfinished), size, paths.rows.exists())


def size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
