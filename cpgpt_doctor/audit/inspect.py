"""Compute stored rows again, each alone, and find out what those are that differ.

Nothing is guessed from how a row looks: each explanation is tried, by computing the row that it
foretells, and holds only where the stored row is that one, up to rounding.
"""

from __future__ import annotations

import array
import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Literal, Protocol

from cpgpt_doctor.audit import laws
from cpgpt_doctor.audit.laws import Law, Pair
from cpgpt_doctor.audit.patient import Rows
from cpgpt_doctor.audit.statistics import bounds
from cpgpt_doctor.facts.audit import AuditedRow, AuditFacts, BoundsFacts, LawFacts, Verdict
from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference
from cpgpt_doctor.store.binding import PADDINGS, other_kind

CHUNK = 64  # rows computed at a time
FIRST = 8  # rows computed at first: as two kinds, where they are not of the installed release's
MOST_TRIED = 300  # rows that differ, of which it is found out what they are
SCOUTS = 24  # rows that an explanation is tried on first; where it explains none, it is dropped
PICTURED = 300  # rows that are right, of which the facts keep how far they are from others
FORETOLD = 32  # further rows that a law is proved on
BISECTED = 24  # rows computed to find where a shift begins
MATES = 64  # rows on either side that can have been in one batch: the largest usual size
MOST_LENGTHS = 8  # of mates, that are tried for one row
LARGEST_NEAR = 0.03  # of a row's norm: bf16 gives about 0.01
NEAR_FACTOR = 4.0
FEWEST_NEAR = 3  # rows that a tolerance is learnt from
LETTERS: dict[Verdict, str] = {"upper-case": "upper", "lower-case": "lower", "all-n": "n"}
SIDES: dict[Verdict, int] = {"one-left": -1, "one-right": 1}


class Progress(Protocol):
    def phase(self, text: str) -> None: ...
    def expect(self, total: int) -> None: ...
    def advance(self, done: int) -> None: ...


@dataclass(frozen=True)
class Source:
    """The store that is audited.

    index: the row of each location whose row is in the file, which has `rows` rows. judgeable:
    those that can be computed here. others: other indexes near by, with their paths. stored: the
    bytes of a row. is_plain: whether a location's window has as many tokens as most.
    """

    index: Mapping[str, int]
    judgeable: Sequence[str]
    rows: int
    others: Callable[[], Iterable[tuple[str, Mapping[str, int]]]]
    stored: Callable[[int], bytes]
    is_plain: Callable[[str], bool]


@dataclass(frozen=True)
class Choice:
    """Which rows are judged: `locations`, in their order, chosen in the way of `drawn`."""

    drawn: Literal["sample", "all", "locations"]
    locations: Sequence[str]
    seed: int | None = None


@dataclass
class Differing:
    """A stored row that is not its location's; own: that, by the padding of its kind."""

    location: str
    row: int
    data: bytes
    own: dict[int, bytes]
    verdict: Verdict = "unknown"
    difference: float = 0.0
    owner: str | None = None
    stands: int | None = None
    tokens: int | None = None
    padding: int | None = None

    def explained(self, verdict: Verdict, **more: str | int | None) -> None:
        self.verdict = verdict
        for name, value in more.items():
            setattr(self, name, value)

    def kind(self) -> int:
        """The kind that the row is nearest to: clearly, or the first that it was held against."""
        first, *others = self.own
        apart = relative_difference(self.data, self.own[first])
        for other in others:
            if NEAR_FACTOR * relative_difference(self.data, self.own[other]) < apart:
                return other
        return first

    def equals(self, row: bytes, limit: float = ROUNDING) -> bool:
        return relative_difference(self.data, row) <= limit


@dataclass
class Right:
    """A stored row that is its location's, and the kind that it is of."""

    location: str
    row: int
    data: bytes
    own: bytes
    difference: float
    padding: int


def inspect(source: Source, choice: Choice, rows: Rows, progress: Progress) -> AuditFacts:
    """Judge the chosen rows; returns all but what the caller knows of the store."""
    return Inspection(source, rows, progress).judge(choice)


def of_nothing(source: Source, locations: Sequence[str], rows: Rows) -> list[str]:
    """Those of these locations, which the genome does not have, whose rows are of nothing but N.

    CpGPT computes such a window, the same for all, where it does not know a sequence.
    """
    if not locations or not source.judgeable:
        return []
    somewhere = [source.judgeable[0]]
    nothing = [row for padding in PADDINGS for row in rows.alone(somewhere, padding, "n")]
    return [
        each
        for each in locations
        if any(
            relative_difference(source.stored(source.index[each]), row) <= ROUNDING
            for row in nothing
        )
    ]


@dataclass
class Apart:
    """Rows that differ: how far from their own, and from which kind; nine bytes each."""

    differences: array.array[float] = field(default_factory=lambda: array.array("d"))
    kinds: array.array[int] = field(default_factory=lambda: array.array("B"))

    def add(self, difference: float, kind: int) -> None:
        self.differences.append(difference)
        self.kinds.append(kind)

    def __len__(self) -> int:
        return len(self.differences)

    def __iter__(self) -> Iterator[tuple[float, int]]:
        return zip(self.differences, self.kinds, strict=True)


@dataclass
class Inspection:
    source: Source
    rows: Rows
    progress: Progress
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    right: list[Right] = field(default_factory=list)  # some of them
    in_place: list[Pair] = field(default_factory=list)
    differing: list[Differing] = field(default_factory=list)
    kinds: Counter[int] = field(default_factory=Counter)  # of rows that are right in one of them
    other_kind: list[Right] = field(default_factory=list)
    equal: int = 0
    near_kinds: Counter[int] = field(default_factory=Counter)  # of rows that are nearly right
    # How far they are apart, and from which kind.
    untried: Apart = field(default_factory=Apart)
    apart: array.array[float] = field(default_factory=lambda: array.array("d"))  # the right ones
    largest: float = 0.0
    # How far a row may be from another to be its copy: more than rounding where rows of another
    # precision stand in other places.
    limit: float = ROUNDING

    def judge(self, choice: Choice) -> AuditFacts:
        self.rng = random.Random(choice.seed)
        self.progress.phase("computing rows again, each alone")
        self.compute(choice.locations)
        self.settle_kinds()
        self.tell_zeros()
        self.match_sample()
        found = self.misplaced()
        self.try_mates()
        self.try_windows()
        nearest = self.nearest()
        tolerance = self.settle_near(nearest, len(choice.locations))
        return self.facts(choice, found, nearest, tolerance)

    # What is computed

    def compute(self, locations: Sequence[str]) -> None:
        """Hold each stored row against its own, as the kind first that most were of so far."""
        expected, done = self.rows.padding, 0
        self.progress.expect(len(locations))
        while done < len(locations):
            chunk = locations[done : done + (CHUNK if done else FIRST)]
            matched, rest = self.held(chunk, expected)
            other = other_kind(expected)
            as_other = 0
            again = [each for each in rest if any(each.data)]
            for each, row in zip(
                again, self.rows.alone([each.location for each in again], other), strict=True
            ):
                apart = relative_difference(each.data, row)
                if apart <= ROUNDING:
                    as_other += 1
                    self.take(Right(each.location, each.row, each.data, row, apart, other))
                    rest.remove(each)
                else:
                    each.own[other] = row
                    each.difference = min(each.difference, apart)
            room = max(0, MOST_TRIED - len(self.differing))
            self.differing += rest[:room]
            for each in rest[room:]:
                self.untried.add(each.difference, each.kind())
            if as_other > matched:
                expected = other
            done += len(chunk)
            self.progress.advance(done)

    def held(self, locations: Sequence[str], padding: int) -> tuple[int, list[Differing]]:
        """How many rows are right as this kind, and those that are not."""
        rest, matched = [], 0
        computed = self.rows.alone(locations, padding)
        for location, own in zip(locations, computed, strict=True):
            row = self.source.index[location]
            data = self.source.stored(row)
            difference = relative_difference(data, own)
            if difference <= ROUNDING:
                self.take(Right(location, row, data, own, difference, padding))
                matched += 1
            else:
                rest.append(Differing(location, row, data, {padding: own}, difference=difference))
        return matched, rest

    def take(self, right: Right) -> None:
        self.kinds[right.padding] += 1
        self.equal += right.difference == 0.0
        self.largest = max(self.largest, right.difference)
        self.apart.append(right.difference)
        if len(self.in_place) < MOST_TRIED:
            self.in_place.append(Pair(right.location, right.row, right.row))
        if self.kinds[right.padding] <= PICTURED:
            self.right.append(right)

    @property
    def padding(self) -> int:
        """Of the kind that most rows are of; the installed release's where none is right."""
        kinds = self.kinds + self.near_kinds
        (most, _), *rest = kinds.most_common() or [(self.rows.padding, 0)]
        if rest and rest[0][1] == kinds[most]:
            return self.rows.padding
        return most

    def settle_kinds(self) -> None:
        """Rows of the less common kind, unless they are of both: padding can add nothing."""
        few = [each for each in self.right if each.padding != self.padding]
        again = self.rows.alone([each.location for each in few], self.padding)
        for each, row in zip(few, again, strict=True):
            difference = relative_difference(each.data, row)
            if difference <= ROUNDING:
                self.kinds[each.padding] -= 1
                self.kinds[self.padding] += 1
                each.padding, each.own = self.padding, row
            else:
                self.other_kind.append(each)
        self.right = [each for each in self.right if each.padding == self.padding]

    # What the rows are that differ

    @property
    def unknown(self) -> list[Differing]:
        return [each for each in self.differing if each.verdict == "unknown"]

    def tell_zeros(self) -> None:
        for each in self.differing:
            numbers = memoryview(each.data).cast("f")
            if not any(numbers):
                each.explained("zero")
            elif any(number - number != 0 for number in numbers):
                each.explained("not-finite")

    def match_sample(self) -> None:
        """Rows that are those of locations with which they share a row in the index."""
        by_row: dict[int, list[str]] = {}
        rows = {each.row for each in self.unknown}
        for location, row in self.source.index.items():
            if row in rows:
                by_row.setdefault(row, []).append(location)
        judgeable = set(self.source.judgeable) if any(len(x) > 1 for x in by_row.values()) else ()
        for each in self.unknown:
            sharing = [
                other for other in by_row[each.row] if other != each.location and other in judgeable
            ]
            self.owned(each, sharing)

    def owned(self, each: Differing, owners: Sequence[str]) -> None:
        """Explain a row that is that of one of these locations."""
        for padding in self.tried_kinds():
            for owner, row in zip(owners, self.rows.alone(owners, padding), strict=True):
                if each.equals(row):
                    each.explained("foreign", owner=owner, padding=padding)
                    return

    def tried_kinds(self) -> tuple[int, ...]:
        """The kind that rows of this store are of; both where none is right."""
        if self.kinds.total():
            return (self.padding,)
        return (self.padding, *(each for each in PADDINGS if each != self.padding))

    def misplaced(self) -> list[LawFacts]:
        """Look for the rows of those that differ in all of the file, and for a law of where."""
        found = []
        shared = [each for each in self.differing if each.verdict == "foreign"]
        if shared:
            taken = Counter(self.source.index.values())
            sharing = sum(count - 1 for count in taken.values() if count > 1)
            found.append(LawFacts("shared", read_off=len(shared), moved=sharing))
        wanted = [
            (each, padding, row) for each in self.unknown for padding, row in each.own.items()
        ]
        if not wanted:
            return found
        self.progress.phase("searching the file for rows of other locations")
        for (each, padding, own), places in zip(
            wanted, self.rows.find([row for _, _, row in wanted]), strict=True
        ):
            elsewhere = [row for row in places if row != each.row]
            if elsewhere and each.stands is None and any(own):
                each.stands, each.padding = elsewhere[0], padding
        self.find_inexact()
        law = self.law()
        if law is not None and self.limit > ROUNDING:
            self.place_by(law)
        proved = [] if law is None else self.proved(law, self.moved())
        if not proved and self.limit > ROUNDING:
            self.place(self.placed_nowhere())
        if not proved:
            self.leave_twins()
        for each in self.unknown:
            if each.stands is not None:
                each.explained("foreign")
        return [*found, *proved]

    def placed_nowhere(self) -> list[Differing]:
        """Rows that are not their location's, whose own numbers were found nowhere so far."""
        return [
            each
            for each in self.unknown
            if each.stands is None and each.difference > self.limit and any(each.data)
        ]

    def find_inexact(self) -> None:
        """Look for rows of another precision in the places of others, where few were found at all.

        How far apart they may be is learnt from some of them: each is far closer to one row of the
        file than to the next one.
        """
        rest = self.placed_nowhere()
        judged = self.kinds.total() + len(self.differing) + len(self.untried)
        if len(rest) < FEWEST_NEAR or 2 * (len(rest) + len(self.untried)) <= judged:
            return
        scouts = self.rng.sample(rest, min(SCOUTS, len(rest)))
        places = self.closest(scouts)
        if all(
            each.row == found[0][0] for each, found in zip(scouts, places, strict=True) if found
        ):
            return  # each in its place: what they are is settled later
        near = [found for found in places if found and found[0][1] <= LARGEST_NEAR]
        if len(near) < FEWEST_NEAR or 2 * len(near) <= len(scouts):
            return
        limit = NEAR_FACTOR * median(found[0][1] for found in near)
        apart = [found[1][1] for found in near if len(found) > 1]
        if ROUNDING < limit <= LARGEST_NEAR and apart and limit <= median(apart) / 2:
            self.limit = limit
            self.place(scouts, places)

    def closest(self, some: Sequence[Differing]) -> list[list[tuple[int, float]]]:
        """The rows of the file that are closest to each location's, as the kind that is closer."""
        wanted = [(at, row) for at, each in enumerate(some) for row in each.own.values()]
        best: list[list[tuple[int, float]]] = [[] for _ in some]
        found = self.rows.closest([row for _, row in wanted]) if wanted else []
        for (at, _), places in zip(wanted, found, strict=True):
            if places and (not best[at] or places[0][1] < best[at][0][1]):
                best[at] = places
        return best

    def place(
        self,
        some: Sequence[Differing],
        places: Sequence[Sequence[tuple[int, float]]] | None = None,
    ) -> None:
        """Note where the numbers of these rows' locations stand, up to the limit."""
        for each, found in zip(some, self.closest(some) if places is None else places, strict=True):
            if found and found[0][1] <= self.limit and found[0][0] != each.row:
                self.stands_in(each, found[0][0])

    def place_by(self, law: Law) -> None:
        """The same, where a law says where to look."""
        for each in self.placed_nowhere():
            stands = law.stands(each.location, each.row)
            if stands is not None and stands != each.row and 0 <= stands < self.source.rows:
                self.stands_in(each, stands)

    def stands_in(self, each: Differing, row: int) -> None:
        data = self.source.stored(row)
        apart = {kind: relative_difference(data, own) for kind, own in each.own.items()}
        kind = min(apart, key=apart.__getitem__)
        if apart[kind] <= self.limit:
            each.stands, each.padding = row, kind

    def moved(self) -> list[Pair]:
        """Of the sample's rows, those whose location's numbers stand elsewhere."""
        return [
            Pair(each.location, each.row, each.stands)
            for each in self.unknown
            if each.stands is not None
        ]

    def law(self) -> Law | None:
        moved = self.moved()
        if not moved:
            return None
        pairs = [*self.in_place, *self.nearly_in_place(), *moved]
        return laws.find(pairs, self.source.index, self.source.others())

    def nearly_in_place(self) -> list[Pair]:
        """Rows of another precision that are in their places."""
        return [
            Pair(each.location, each.row, each.row)
            for each in self.unknown
            if each.stands is None and each.difference <= self.limit
        ]

    def leave_twins(self) -> None:
        """Numbers that stand elsewhere by right, as of an equal window, say nothing of a row."""
        judgeable = set(self.source.judgeable)
        there = {row: each for each, row in self.source.index.items() if each in judgeable}
        for padding in PADDINGS:
            some = [
                (each, each.stands)
                for each in self.unknown
                if each.stands in there and each.padding == padding
            ]
            own = self.rows.alone([there[stands] for _, stands in some], padding)
            for (each, stands), row in zip(some, own, strict=True):
                if relative_difference(self.source.stored(stands), row) <= self.limit:
                    each.stands = None

    def proved(self, law: Law, moved: Sequence[Pair]) -> list[LawFacts]:
        """Let a law foretell further rows, and whose the rows of the sample are.

        Nothing where the further rows do not bear it out, or where too few rows do at all.
        """
        self.progress.phase("proving the law on further rows")
        after = -1
        if law.kind == "shift":
            law, after = self.bisected(law)
        index = self.source.index
        kind = Counter(each.padding for each in self.differing if each.stands is not None)
        padding = kind.most_common(1)[0][0]
        owner_of: dict[int, str] = {}
        moving = 0
        for location, row in index.items():
            stands = law.stands(location, row)
            if stands is not None:
                owner_of[stands] = location
                moving += stands != row
        owned = [(each, owner_of.get(each.row)) for each in self.unknown]
        judgeable = set(self.source.judgeable)
        known = [
            (each, owner) for each, owner in owned if owner in judgeable and owner != each.location
        ]
        computed = self.rows.alone([owner for _, owner in known if owner], padding)
        for (each, owner), data in zip(known, computed, strict=True):
            if each.equals(data, self.limit):
                each.explained("foreign", owner=owner, padding=padding)
        seen = {each.location for each in self.differing} | {each.location for each in self.right}
        further = [
            (location, stands)
            for location in self.source.judgeable
            if location not in seen
            and (stands := law.stands(location, index[location])) is not None
            and stands != index[location]
            and stands in owner_of
            and 0 <= stands < self.source.rows
        ]
        chosen = self.rng.sample(further, min(FORETOLD, len(further)))
        again = self.rows.alone([location for location, _ in chosen], padding)
        came_true = sum(
            relative_difference(self.source.stored(stands), row) <= self.limit
            for (_, stands), row in zip(chosen, again, strict=True)
        )
        read_off = laws.fits(law, moved)
        if came_true < laws.FITTING * len(chosen) or read_off + came_true < laws.FEWEST:
            return []
        return [
            LawFacts(
                law.kind,
                source=law.source,
                first=law.first,
                after=after,
                by=law.by,
                read_off=read_off,
                foretold=len(chosen),
                came_true=came_true,
                moved=moving,
            )
        ]

    def bisected(self, law: Law) -> tuple[Law, int]:
        """A shift with the row at which it begins, and the last one before that is in its place."""
        pairs = [*self.in_place, *self.nearly_in_place(), *self.moved()]
        after = laws.last_in_place(pairs, law.first)
        judgeable = sorted(
            (self.source.index[location], location)
            for location in self.source.judgeable
            if after < self.source.index[location] < law.first
        )
        for _ in range(BISECTED):
            between = [each for each in judgeable if after < each[0] < law.first]
            if not between:
                break
            row, location = between[len(between) // 2]
            own = self.own(location)
            if self.holds(row, own) or not self.holds(row + law.by, own):
                after = row  # in its place, or shifted otherwise
            else:
                law = dataclasses.replace(law, first=row)
        return law, after

    def holds(self, row: int, own: Sequence[bytes]) -> bool:
        """Whether a row of the file is that of the location whose row, in each kind, is `own`."""
        if not 0 <= row < self.source.rows:
            return False
        data = self.source.stored(row)
        return any(relative_difference(data, each) <= self.limit for each in own)

    def own(self, location: str) -> list[bytes]:
        return [self.rows.alone([location], padding)[0] for padding in self.tried_kinds()]

    def scouts(self) -> list[Differing]:
        unknown = self.unknown
        return self.rng.sample(unknown, min(SCOUTS, len(unknown)))

    def tried(self, attempt: Callable[[list[Differing]], None]) -> None:
        """Try an explanation on some rows, and on all where it explains one of them."""
        scouts = self.scouts()
        attempt(scouts)
        if any(each.verdict != "unknown" for each in scouts):
            attempt(self.unknown)

    def try_windows(self) -> None:
        """Windows of other bases: one base off, of the other case, nothing but N."""
        for verdict in (*SIDES, *LETTERS):
            if self.unknown:
                self.progress.phase("computing rows that differ from other windows")
                self.tried(partial(self.try_window, verdict))

    def try_window(self, verdict: Verdict, some: list[Differing]) -> None:
        side, letters = SIDES.get(verdict, 0), LETTERS.get(verdict)
        moved = [(each, beside(each.location, side)) for each in some]
        inside = [(each, location) for each, location in moved if location is not None]
        for padding in self.tried_kinds():
            computed = self.rows.alone([location for _, location in inside], padding, letters)
            for (each, _), row in zip(inside, computed, strict=True):
                if each.verdict == "unknown" and each.equals(row):
                    each.explained(verdict, padding=padding)

    def try_mates(self) -> None:
        """Rows padded to a longer window of their batch: one that stands near by."""
        if self.unknown:
            self.progress.phase("computing rows that differ with padding")
            by_row = sorted((row, location) for location, row in self.source.index.items())
            self.tried(partial(self.try_padded, by_row))

    def try_padded(self, by_row: Sequence[tuple[int, str]], some: list[Differing]) -> None:
        places = {row: at for at, (row, _) in enumerate(by_row)}
        mates = {
            each.location: [
                location
                for _, location in by_row[
                    max(0, places[each.row] - MATES) : places[each.row] + MATES + 1
                ]
                if location != each.location and not self.source.is_plain(location)
            ]
            for each in some
        }
        asked = sorted({mate for each in mates.values() for mate in each})
        tokens = dict(zip(asked, self.rows.lengths(asked), strict=True)) if asked else {}
        for padding in self.tried_kinds():
            by_length: dict[int, list[Differing]] = {}
            for each in some:
                lengths = {-(-tokens[mate] // padding) * padding for mate in mates[each.location]}
                for length in sorted(lengths)[-MOST_LENGTHS:]:
                    by_length.setdefault(length, []).append(each)
            for length, rest in sorted(by_length.items()):
                open_ = [each for each in rest if each.verdict == "unknown"]
                computed = self.rows.alone([each.location for each in open_], length)
                for each, row in zip(open_, computed, strict=True):
                    if each.equals(row):
                        each.explained("padded", tokens=length, padding=padding)

    def nearest(self) -> dict[str, tuple[str, float | None]]:
        """The nearest other location that was computed, for each row that is kept."""
        kept = [
            *((each.location, each.data, each.own) for each in self.right[:PICTURED]),
            *(
                (each.location, each.data, each.own[min(each.own, key=self.is_other)])
                for each in self.differing
            ),
        ]
        if len(kept) < 2:
            return {}
        answer = self.rows.nearest([data for _, data, _ in kept], [own for _, _, own in kept])
        return {
            location: (kept[at][0], apart)
            for (location, _, _), (at, apart) in zip(kept, answer, strict=True)
        }

    def is_other(self, padding: int) -> bool:
        return padding != self.padding

    def settle_near(
        self, nearest: Mapping[str, tuple[str, float | None]], judged: int
    ) -> float | None:
        """Where most rows differ by a little, of another precision or device, let that pass.

        Such differences scatter, so some can be below ROUNDING and others above it.
        Returns what passes, learnt from the rows; None where none does.
        """
        for each in self.unknown:  # of the sample's own windows
            other, apart = nearest.get(each.location, ("", None))
            if apart is not None and apart <= self.limit < each.difference:
                each.explained("foreign", owner=other)
        if self.limit > ROUNDING:
            return self.pass_near(self.limit)
        unknown = self.unknown
        apart_all = [*self.apart, *(each.difference for each in unknown)]
        apart_all += self.untried.differences
        inexact = sum(each > 0 for each in apart_all)
        if len(unknown) + len(self.untried) == 0 or inexact < FEWEST_NEAR or 2 * inexact <= judged:
            return None
        tolerance = NEAR_FACTOR * median(apart_all)
        others = [apart for _, apart in nearest.values() if apart is not None]
        if not ROUNDING < tolerance <= LARGEST_NEAR or (others and tolerance > median(others) / 2):
            return None
        return self.pass_near(tolerance)

    def pass_near(self, tolerance: float) -> float:
        """Let rows pass that are no further apart than this; returns it."""
        near = [each for each in self.unknown if each.difference <= tolerance]
        self.near_kinds.update(each.kind() for each in near)
        self.near_kinds.update(kind for apart, kind in self.untried if apart <= tolerance)
        for each in near:
            each.explained("other-kind" if self.is_other(each.kind()) else "near")
        return tolerance

    def facts(
        self,
        choice: Choice,
        found: Sequence[LawFacts],
        nearest: Mapping[str, tuple[str, float | None]],
        tolerance: float | None,
    ) -> AuditFacts:
        judged = len(choice.locations)
        counts: Counter[str] = Counter(each.verdict for each in self.differing)
        counts["own"] = self.kinds[self.padding]
        counts["other-kind"] += self.kinds.total() - self.kinds[self.padding]
        near = [
            kind for apart, kind in self.untried if tolerance is not None and apart <= tolerance
        ]
        others = sum(map(self.is_other, near))
        counts["near"] += len(near) - others
        counts["other-kind"] += others
        counts["untried"] = len(self.untried) - len(near)
        wrong = judged - counts["own"] - counts["near"]
        known = None
        if choice.drawn != "locations" and judged:
            known = bounds(len(self.source.judgeable), judged, wrong)
        return AuditFacts(
            drawn=choice.drawn,
            seed=choice.seed,
            judgeable=len(self.source.judgeable),
            judged=judged,
            equal=self.equal,
            wrong=wrong,
            largest=self.largest,
            counts={name: count for name, count in sorted(counts.items()) if count},
            bounds=BoundsFacts(known.population, known.low, known.high, known.confidence)
            if known
            else None,
            laws=tuple(found),
            padding=self.padding,
            installed_padding=self.rows.padding,
            rounding=ROUNDING,
            tolerance=tolerance,
            rows=tuple(self.audited(nearest)),
        )

    def audited(self, nearest: Mapping[str, tuple[str, float | None]]) -> Iterator[AuditedRow]:
        for each in self.differing:
            other, apart = nearest.get(each.location, (None, None))
            finite = each.difference if each.difference != float("inf") else None
            yield AuditedRow(
                each.location,
                each.row,
                each.verdict,
                finite,
                apart,
                other,
                each.owner,
                each.stands,
                each.tokens,
                each.padding,
            )
        for kind, some in (("other-kind", self.other_kind), ("own", self.right[:PICTURED])):
            for right in some:
                other, apart = nearest.get(right.location, (None, None))
                verdict: Verdict = "own" if kind == "own" else "other-kind"
                yield AuditedRow(
                    right.location,
                    right.row,
                    verdict,
                    right.difference,
                    apart,
                    other,
                    padding=right.padding,
                )


def beside(location: str, side: int) -> str | None:
    """The location one base to a side; None past the beginning."""
    name, _, position = location.rpartition(":")
    return f"{name}:{int(position) + side}" if int(position) + side >= 0 else None
