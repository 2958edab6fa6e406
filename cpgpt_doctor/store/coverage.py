"""How many of some locations the index of a store has."""

from __future__ import annotations

from collections.abc import Collection

from cpgpt_doctor.facts.locations import InStore
from cpgpt_doctor.genome.places import Places
from cpgpt_doctor.store.layout import StorePaths


def covered(places: Places, rows: Collection[str], paths: StorePaths) -> InStore:
    """Counted as they are given, and with one subtracted from or added to each position.

    rows: the names that the index has.
    """
    here = left = right = 0
    for name, position in places.split():
        here += f"{name}:{position}" in rows
        left += f"{name}:{position - 1}" in rows
        right += f"{name}:{position + 1}" in rows
    return InStore(
        str(paths.dependencies),
        paths.species,
        paths.dna_llm,
        paths.context_len,
        len(rows),
        here,
        left,
        right,
    )
