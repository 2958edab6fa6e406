"""Which rows of a store are not their locations', and what they have to be: computed again, each
alone, as `verify` does, and kept in a file until they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from cpgpt_doctor.audit import inspect
from cpgpt_doctor.audit.inspect import Choice, Progress, Source
from cpgpt_doctor.audit.patient import Rows
from cpgpt_doctor.facts.audit import AuditFacts, LawFacts
from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference
from cpgpt_doctor.store.binding import PADDINGS

SCOUTS = 32  # rows that are computed to find which kind a store's rows are of
FEWEST_OWN = 0.5  # of the rows that are embeddings: fewer, and they are of another world


@dataclass
class Recorder:
    """Computes rows as another does, and keeps those that differ from what is stored.

    spool: a file, in which kept rows stand one after another. differing: where, and by how much, by
    location and padding. equal: locations by padding.
    """

    rows: Rows
    source: Source
    chosen: frozenset[str]
    spool: BinaryIO
    padding: int
    differing: dict[tuple[str, int], tuple[int, float]] = field(default_factory=dict)
    equal: dict[int, set[str]] = field(default_factory=dict)

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        computed = self.rows.alone(locations, padding, letters)
        kind = padding or self.padding
        if letters is None and kind in PADDINGS:
            for location, row in zip(locations, computed, strict=True):
                if location in self.chosen and location not in self.equal.setdefault(kind, set()):
                    self.keep(location, kind, row)
        return computed

    def keep(self, location: str, kind: int, row: bytes) -> None:
        apart = relative_difference(self.source.stored(self.source.index[location]), row)
        if apart <= ROUNDING:
            self.equal[kind].add(location)
        elif (location, kind) not in self.differing:
            self.differing[location, kind] = self.spool.tell(), apart
            self.spool.write(row)

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        return self.rows.find(rows)

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        return self.rows.closest(rows)

    def lengths(self, locations: Sequence[str]) -> list[int]:
        return self.rows.lengths(locations)

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        return self.rows.nearest(rows, others)


@dataclass(frozen=True)
class Computed:
    """What was computed. facts: of all rows that were looked at, or of some that tell their kind.

    wrong: the row of each location whose stored row is not its own, and where its own stands in the
    spool, in the order of the rows.
    """

    facts: AuditFacts
    wrong: tuple[tuple[str, int, int], ...] = ()

    @property
    def law(self) -> LawFacts | None:
        """Where the rows really stand, where one law says it."""
        return next((each for each in self.facts.laws if each.kind != "shared"), None)

    @property
    def of_another_world(self) -> bool:
        """Whether too few rows are what this genome and model give, in any kind of padding."""
        counts = self.facts.counts
        told = ("own", "near", "other-kind", "padded")
        right = sum(counts.get(each, 0) for each in told)
        embeddings = self.facts.judged - counts.get("zero", 0) - counts.get("not-finite", 0)
        return right < FEWEST_OWN * embeddings

    @property
    def rows(self) -> list[int]:
        return [row for _, row, _ in self.wrong]

    def data(self, spool: BinaryIO, row_bytes: int) -> Iterator[bytes]:
        """The rows as they have to be, in order."""
        for _, _, offset in self.wrong:
            spool.seek(offset)
            yield spool.read(row_bytes)


def of_choice(
    source: Source, choice: Choice, rows: Rows, spool: BinaryIO, progress: Progress
) -> Computed:
    """Judge the chosen rows as `verify` does, and compute those that are wrong."""
    recorder = Recorder(rows, source, frozenset(choice.locations), spool, rows.padding)
    facts = inspect.inspect(source, choice, recorder, progress)
    return Computed(facts, tuple(wrong(recorder, facts, choice.locations)))


def of_suspects(
    source: Source,
    suspects: Sequence[str],
    rows: Rows,
    spool: BinaryIO,
    progress: Progress,
    now: bool,
) -> Computed:
    """Compute these rows, as the kind that some of the others are of; or those others alone."""
    doubted = set(suspects)
    others = [each for each in source.judgeable if each not in doubted]
    facts = scouted(source, others, rows, progress)
    if not now:
        return Computed(facts)
    recorder = Recorder(rows, source, frozenset(suspects), spool, rows.padding)
    progress.phase("computing rows again, each alone")
    progress.expect(len(suspects))
    for start in range(0, len(suspects), inspect.CHUNK):
        chunk = suspects[start : start + inspect.CHUNK]
        recorder.alone(chunk, facts.padding)
        progress.advance(start + len(chunk))
    return Computed(facts, tuple(wrong(recorder, facts, suspects)))


def scouted(source: Source, others: Sequence[str], rows: Rows, progress: Progress) -> AuditFacts:
    """An audit of some rows: what kind they are of; the installed release's where there is none."""
    if not others:
        return AuditFacts(padding=rows.padding, installed_padding=rows.padding)
    step = max(1, len(others) // SCOUTS)
    choice = Choice("sample", others[::step][:SCOUTS], 0)
    return inspect.inspect(source, choice, rows, progress)


def wrong(
    recorder: Recorder, facts: AuditFacts, locations: Iterable[str]
) -> Iterator[tuple[str, int, int]]:
    """Rows that differ from what the store's kind gives, by more than passes for its precision."""
    kind = facts.padding or recorder.padding
    passes = max(ROUNDING, facts.tolerance or 0.0)
    index = recorder.source.index
    in_order = sorted(locations, key=index.__getitem__)
    right = recorder.equal.get(kind, set())
    rest = [
        each for each in in_order if each not in right and (each, kind) not in recorder.differing
    ]
    for start in range(0, len(rest), inspect.CHUNK):  # known as the other kind's only
        recorder.alone(rest[start : start + inspect.CHUNK], kind)
    for each in in_order:
        kept = recorder.differing.get((each, kind))
        if kept is not None and kept[1] > passes:
            yield each, index[each], kept[0]
