"""Before anything is added to a store: do this run's rows belong with the rows that are there?

Rows that a record of ours covers are known by their digests and by what they were computed from.
All others are looked at: every one for zeros, for what is no number and for equal rows, and a
sample of them by computing it again, alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cpgpt_doctor.embed.supervisor import Worker
from cpgpt_doctor.facts.store import Audit, Change, ChangedRows, Sampled, Scanned
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.genome.locations import LOCATION
from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.binding import Binding, Model, other_kind, other_model
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Found, Part, locations_digest, now

SAMPLED = 32  # rows of each stretch that nothing covers
LAST = 4  # of these, the last ones: what another program added is there
BISECTED = 32  # rows computed to find where the kinds change: enough for any store
# Computes locations, each alone, as rows of the kind with this padding.
Stage = Callable[[list[str], int], StorePaths]


@dataclass(frozen=True)
class Looked:
    """What was seen so far, and what is to be recorded of it if the rules let the run go on."""

    audit: Audit
    found: tuple[Found, ...] = ()


def audit(
    worker: Worker,
    stage: Stage,
    paths: StorePaths,
    uncovered: list[range],
    bound: Binding | None,
    model: Model,
    release: str,
    genome: Genome,
) -> Iterator[Looked]:
    """Look at a store with the model loaded, the cheapest first; each step tells all seen so far.

    `uncovered` are the rows that no record covers, bound what the others were computed from. Every
    row is scanned where there are such, since a row of another window may be a covered one's. Rows
    of either kind are let in: which one the store holds is what the record says, or the samples.
    """
    rows = layout.named_rows(paths)
    names = dict(zip(rows.values(), rows, strict=True))
    looked = Looked(Audit(release, model.padding, bound.model.padding if bound and rows else None))
    if bound is not None:
        differences = other_model(bound.model, model)
        looked = seen(looked, model=differences)
    yield looked
    if uncovered:
        answer = worker.ask(
            {
                "op": "scan",
                "path": str(paths.rows.resolve()),
                "row_bytes": paths.row_bytes,
                "ranges": [[0, len(rows)]],
            }
        )
        looked = seen(looked, scanned=scanned(answer, paths, names, genome))
        yield looked
    for each in uncovered:
        compare = Comparing(stage, paths, rows, (*looked.audit.kinds, model.padding)[0])
        one = dataclasses.replace(
            sampled(compare, some(each, names, genome)), first_row=each.start, rows=len(each)
        )
        if len(one.kinds) > 1:
            fits = {row: names[row] for row in each if usable(names[row], genome)}
            one = dataclasses.replace(one, change=change(compare, fits))
        looked = seen(looked, samples=(*looked.audit.samples, one))
        found = Found(
            each.start,
            len(each),
            layout.digest(layout.read_rows(paths, each)),
            locations_digest(names[row] for row in each),
            one.computed,
            one.largest,
            now(),
        )
        looked = dataclasses.replace(looked, found=(*looked.found, found))
        yield looked
    if looked.audit.model and rows:
        compare = Comparing(stage, paths, rows, (*looked.audit.kinds, model.padding)[0])
        yield seen(looked, model_sample=sampled(compare, some(names, names, genome)))


def seen(looked: Looked, **more: Any) -> Looked:
    return dataclasses.replace(looked, audit=dataclasses.replace(looked.audit, **more))


def held(
    known: Iterable[Part | Found], paths: StorePaths, rows: dict[str, int]
) -> tuple[list[Part | Found], tuple[ChangedRows, ...]]:
    """Hold recorded rows against the index and the file.

    Returns those that still stand, and which were changed. One whose names and numbers are both
    others has gone: another program laid rows anew there.
    """
    names = dict(zip(rows.values(), rows, strict=True))
    standing: list[Part | Found] = []
    changed = []
    for each in known:
        numbers = range(each.first_row, each.first_row + each.rows)
        same_names = locations_digest(names[row] for row in numbers) == each.locations_digest
        same_rows = layout.digest(layout.read_rows(paths, numbers)) == each.rows_digest
        if same_names or same_rows:
            standing.append(each)
        if same_rows and not same_names:
            changed.append(ChangedRows("index", each.first_row, each.rows))
        elif same_names and not same_rows:
            changed.append(ChangedRows("file", each.first_row, each.rows))
    return standing, tuple(changed)


def scanned(
    answer: dict[str, Any], paths: StorePaths, names: dict[int, str], genome: Genome
) -> Scanned:
    """What a scan found: rows of zeros, rows that are no numbers, and one row for unequal windows.

    Rows of equal windows may be equal.
    """
    counts, length = answer["counts"], paths.context_len
    equal = [
        (names[row], names[first])
        for row, first in answer["equal"]
        if window(names[row], genome, length) != window(names[first], genome, length)
    ]
    return Scanned(
        rows=answer["rows"],
        zero=counts["zero"],
        first_zero=names[answer["zero"][0]] if counts["zero"] else None,
        not_finite=counts["not_finite"],
        first_not_finite=names[answer["not_finite"][0]] if counts["not_finite"] else None,
        equal=len(equal),
        equal_to=equal[0] if equal else None,
    )


def window(location: str, genome: Genome, context_len: int) -> str:
    """The window of a stored location; the location itself where the genome has no such place."""
    if not usable(location, genome):
        return location
    name, _, position = location.partition(":")
    return genome.window(name, int(position), context_len)


def usable(location: str, genome: Genome) -> bool:
    """Whether a stored location lies in the genome."""
    written = LOCATION.fullmatch(location)
    if written is None or written[1] not in genome.sequences:
        return False
    return int(written[2]) < genome.sequences[written[1]].length


def some(rows: Iterable[int], names: dict[int, str], genome: Genome) -> list[str]:
    """A sample of locations that can be computed again; empty where there is none."""
    return drawn([names[row] for row in rows if usable(names[row], genome)])


def drawn(each: list[Any]) -> list[Any]:
    """The last ones, and a sample of the others, in their order."""
    rest = len(each) - min(LAST, len(each))
    chosen = sorted(random.sample(range(rest), min(SAMPLED - LAST, rest)))
    return [each[at] for at in (*chosen, *range(rest, len(each)))]


@dataclass(frozen=True)
class Comparing:
    """Holds stored rows against the same computed again, of the kind `padding` and of the other."""

    stage: Stage
    paths: StorePaths
    rows: dict[str, int]
    padding: int

    def apart(self, locations: list[str], padding: int) -> list[float]:
        """How far the stored row of each location is from that of this kind."""
        staged = self.stage(locations, padding)
        return differences(self.paths, self.rows, staged, locations)

    def kinds(self, locations: list[str]) -> list[int | None]:
        """Which kind each stored row is of; None where it is of both, or of neither."""
        one, other = self.padding, other_kind(self.padding)
        both = zip(self.apart(locations, one), self.apart(locations, other), strict=True)
        fits = ((mine <= ROUNDING, theirs <= ROUNDING) for mine, theirs in both)
        return [{(True, False): one, (False, True): other}.get(each) for each in fits]


def sampled(compare: Comparing, sample: list[str]) -> Sampled:
    """Hold the stored rows of a sample against the same computed again, alone.

    Where some differ by more than rounding, all are computed as rows of the other kind, too.
    """
    found = Sampled(rounding=ROUNDING, padding=compare.padding)
    if not sample:
        return found
    own = compare.apart(sample, compare.padding)
    differing = [each > ROUNDING for each in own]
    if not any(differing):
        return dataclasses.replace(found, computed=len(sample), largest=max(own))
    other = other_kind(compare.padding)
    as_other = compare.apart(sample, other)
    fits = [each <= ROUNDING for each in as_other]
    both = list(zip(differing, fits, strict=True))
    neither = [each for each, fit in zip(sample, both, strict=True) if fit == (True, False)]
    return dataclasses.replace(
        found,
        computed=len(sample),
        differing=sum(differing),
        example=neither[0] if neither else None,
        largest=max(map(min, own, as_other)),
        other_padding=other,
        as_other=both.count((True, True)),
        either=both.count((False, True)),
    )


def change(compare: Comparing, names: dict[int, str]) -> Change | None:
    """Where rows change from one kind to the other; None where they do not do so at one place.

    names: the locations that can be computed, by their rows. First a sample in the order of the
    rows, and then by halves between the last of the one kind and the first of the other.
    """
    rows = sorted(names)
    looked_at = drawn(rows)
    kinds = compare.kinds([names[row] for row in looked_at])
    told = [(row, kind) for row, kind in zip(looked_at, kinds, strict=True) if kind is not None]
    turns = [(a, b) for a, b in itertools.pairwise(told) if a[1] != b[1]]
    if len(turns) != 1:
        return None
    (last, before), (first, after) = turns[0]
    between = [row for row in rows if last < row < first]
    for _ in range(BISECTED):
        if not between:
            break
        row = between[len(between) // 2]
        (kind,) = compare.kinds([names[row]])
        if kind == before:
            last = row
        elif kind == after:
            first = row
        else:
            between.remove(row)
        between = [each for each in between if last < each < first]
    return Change(last, first, before, after)


def differences(
    paths: StorePaths, rows: dict[str, int], staged: StorePaths, locations: list[str]
) -> list[float]:
    """How far each stored row is from the same location's in a staging store."""
    again = layout.named_rows(staged)
    stored = layout.read_rows(paths, [rows[each] for each in locations])
    computed = layout.read_rows(staged, [again[each] for each in locations])
    return [relative_difference(*pair) for pair in zip(stored, computed, strict=True)]
