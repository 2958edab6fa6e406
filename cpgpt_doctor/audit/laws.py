"""Where the rows of a store really are, as one rule for all of them.

A pair is what was found of one location: the row that the index gives it, and the row that its
numbers stand in. A law says the second for every location. It is read off pairs, and then proved
on locations that it was not read off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["index", "shift", "reversed", "sorted", "by-position"]
FEWEST = 3  # pairs that have to fit a law, where there are so many
FITTING = 0.9  # of the pairs: rows can have been harmed in other ways besides
NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Pair:
    """row: of the location in the index. stands: the row that holds its numbers."""

    location: str
    row: int
    stands: int


@dataclass(frozen=True)
class Law:
    """How rows and index are apart.

    kind: "index": the rows are in the order of another index, `source`; "shift": from the row
    `first` on, each stands `by` rows further on; "reversed"; "sorted": by the text of the
    locations; "by-position": by chromosome and position. rows: where each location's numbers
    stand; of a shift none.
    """

    kind: Kind
    source: str = ""
    first: int = 0
    by: int = 0
    rows: Mapping[str, int] | None = None

    def stands(self, location: str, row: int) -> int | None:
        """Where the numbers of a location stand; None where the law says nothing of it."""
        if self.rows is not None:
            return self.rows.get(location)
        return row + self.by if row >= self.first else row


def find(
    pairs: Sequence[Pair],
    index: Mapping[str, int],
    others: Iterable[tuple[str, Mapping[str, int]]],
) -> Law | None:
    """The law that fits nearly all pairs; None where none does.

    It has to say where nearly all moved ones stand, and to move nearly none that stands in its own
    row: a single row that was swapped fits a shift, too.
    pairs: of locations whose numbers stand in another row, and of those that stand in their own.
    index: the store's. others: other indexes with their paths; one after the other is held in
    memory, beside the best so far.
    """
    moved = [pair for pair in pairs if pair.stands != pair.row]
    if not moved:
        return None
    needed = max(min(FEWEST, len(moved)), FITTING * len(moved))
    best, most = None, 0
    for law in candidates(pairs, index, others):
        fitting = fits(law, moved)
        if fitting >= max(needed, most + 1) and holds(law, pairs):
            best, most = law, fitting
    return best


def candidates(
    pairs: Sequence[Pair],
    index: Mapping[str, int],
    others: Iterable[tuple[str, Mapping[str, int]]],
) -> Iterator[Law]:
    for path, rows in others:
        yield Law("index", source=path, rows=rows)
    yield from orders(index)
    yield shifted(pairs)


def fits(law: Law, pairs: Sequence[Pair]) -> int:
    return sum(law.stands(pair.location, pair.row) == pair.stands for pair in pairs)


def holds(law: Law, pairs: Sequence[Pair]) -> bool:
    """Whether nearly all pairs that a law moves stand where it says."""
    said = [(pair, law.stands(pair.location, pair.row)) for pair in pairs]
    foretold = [(pair, stands) for pair, stands in said if stands not in (None, pair.row)]
    came_true = sum(pair.stands == stands for pair, stands in foretold)
    return bool(foretold) and came_true >= FITTING * len(foretold)


def orders(index: Mapping[str, int]) -> Iterator[Law]:
    """The orders in which a list of locations is often written."""
    last = len(index) - 1
    yield Law("reversed", rows={location: last - row for location, row in index.items()})
    yield Law("sorted", rows=numbered(sorted(index)))
    yield Law("by-position", rows=numbered(sorted(index, key=by_position)))


def numbered(locations: Sequence[str]) -> dict[str, int]:
    return {location: row for row, location in enumerate(locations)}


def by_position(location: str) -> tuple[tuple[int, int | str], ...]:
    """A key that sorts 2 before 10, and X behind both."""
    parts = (part for part in NUMBER.split(location) if part)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


def shifted(pairs: Sequence[Pair]) -> Law:
    """The commonest distance, from the first row on from which it holds."""
    distances = Counter(pair.stands - pair.row for pair in pairs if pair.stands != pair.row)
    ((by, _),) = distances.most_common(1)
    first = min(pair.row for pair in pairs if pair.stands - pair.row == by)
    return Law("shift", first=first, by=by)


def last_in_place(pairs: Sequence[Pair], first: int) -> int:
    """The last row before `first` that was seen to be in its place; -1 where none was.

    A shift begins after it, and at `first` at the latest.
    """
    return max(
        (pair.row for pair in pairs if pair.row == pair.stands and pair.row < first), default=-1
    )
