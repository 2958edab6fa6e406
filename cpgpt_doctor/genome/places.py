"""Many locations in little memory: 16 bytes each.

A dictionary of texts takes about 190 bytes a location; 28 million CpGs of a genome would take 5 GB.
"""

from __future__ import annotations

import array
from collections.abc import Container, ItemsView, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import overload


class Places(Mapping[str, int]):
    """Locations in the order in which they were given, each with the line that gave it.

    A mapping to be read from front to back: to look one up, all may have to be gone through. What
    was added twice is in it twice until `take_repeats_out` is called.
    """

    def __init__(self, places: Mapping[str, int] | None = None) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._sequences = array.array("I")
        self._positions = array.array("Q")
        self._lines = array.array("I")
        for location, line in (places or {}).items():
            name, _, digits = location.rpartition(":")
            self.add(name, int(digits), line)

    def add(self, name: str, position: int, line: int) -> None:
        number = self._numbers.get(name)
        self._sequences.append(self._number(name) if number is None else number)
        self._positions.append(position)
        self._lines.append(line)

    def extend(self, found: list[tuple[str, str]], line: int) -> None:
        """Add names and digits of lines that follow each other, from this one on."""
        names = {name for name, _ in found}
        for name in names - self._numbers.keys():
            self._number(name)
        numbers = self._numbers
        self._sequences.extend([numbers[name] for name, _ in found])
        self._positions.extend([int(digits) for _, digits in found])
        self._lines.extend(range(line, line + len(found)))

    def _number(self, name: str) -> int:
        number = self._numbers[name] = len(self.names)
        self.names.append(name)
        return number

    def take_repeats_out(self) -> int:
        """Leave the first of each location, and return how many others there were.

        A sorted list of 28 million numbers takes 1.1 GB for a while, and a set of them twice that.
        """
        count = len(self.names)
        keys = sorted(
            position * count + number
            for position, number in zip(self._positions, self._sequences, strict=True)
        )
        repeated = {one for one, other in pairwise(keys) if one == other}
        del keys
        if not repeated:
            return 0
        before = len(self)
        seen: set[int] = set()
        kept = [array.array(each.typecode) for each in (self._sequences, self._positions)]
        lines = array.array("I")
        for number, position, line in zip(
            self._sequences, self._positions, self._lines, strict=True
        ):
            key = position * count + number
            if key in repeated:
                if key in seen:
                    continue
                seen.add(key)
            kept[0].append(number)
            kept[1].append(position)
            lines.append(line)
        (self._sequences, self._positions), self._lines = kept, lines
        return before - len(self)

    def __len__(self) -> int:
        return len(self._positions)

    def __iter__(self) -> Iterator[str]:
        return (f"{name}:{position}" for name, position in self.split())

    def __contains__(self, location: object) -> bool:
        return isinstance(location, str) and super().__contains__(location)

    def __getitem__(self, location: str) -> int:
        name, _, digits = location.rpartition(":")
        if name in self._numbers and digits.isdecimal():
            for at, pair in enumerate(self.split()):
                if pair == (name, int(digits)):
                    return self._lines[at]
        raise KeyError(location)

    def items(self) -> ItemsView[str, int]:
        return WithLines(self)

    def split(self) -> Iterator[tuple[str, int]]:
        """Name and position of each."""
        names = self.names
        for number, position in zip(self._sequences, self._positions, strict=True):
            yield names[number], position

    def at(self, at: int) -> str:
        """The location at this place of the order."""
        return f"{self.names[self._sequences[at]]}:{self._positions[at]}"

    def without(self, known: Container[str]) -> Ordered:
        """Those that are not among the known ones, in their order."""
        return Ordered(
            self, array.array("I", (at for at, each in enumerate(self) if each not in known))
        )

    def line(self, at: int) -> int:
        """The line that gave the location at this place of the order."""
        return self._lines[at]


class WithLines(ItemsView[str, int]):
    """Locations with their lines, side by side: a mapping's own items look each location up."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._places = places

    def __iter__(self) -> Iterator[tuple[str, int]]:
        for at, location in enumerate(self._places):
            yield location, self._places.line(at)


class Ordered(Sequence[str]):
    """Locations by their place in the order: all, or some, in 4 bytes each."""

    def __init__(self, places: Places, chosen: Sequence[int] | None = None) -> None:
        self._places = places
        self._chosen = range(len(places)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._places.at(each) for each in self._chosen[at]]
        return self._places.at(self._chosen[at])
