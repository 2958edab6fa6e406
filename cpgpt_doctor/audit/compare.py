"""Hold a store against another one that has the same locations: every row, without a model."""

from __future__ import annotations

import array
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cpgpt_doctor.audit import laws
from cpgpt_doctor.audit.inspect import PICTURED, Progress
from cpgpt_doctor.audit.laws import Pair
from cpgpt_doctor.audit.patient import rows_in
from cpgpt_doctor.embed.supervisor import Worker
from cpgpt_doctor.facts.audit import AuditedRow, AuditFacts, Comparison, LawFacts, Verdict
from cpgpt_doctor.patient.compute.rounding import ROUNDING
from cpgpt_doctor.store.layout import StorePaths

READ_OFF = 300  # pairs that a law is read off; it is then held against all others


def compare(
    one: StorePaths,
    other: StorePaths,
    here: Mapping[str, int],
    there: Mapping[str, int],
    others: Callable[[], Iterable[tuple[str, Mapping[str, int]]]],
    worker: Worker,
    work: Path,
    progress: Progress,
) -> AuditFacts:
    """Compare the rows that both stores name; the widths of both are known, and equal.

    others: indexes that misplaced rows may be in the order of. Rows of `other` count as right.
    """
    progress.phase("comparing every row")
    common = sorted((row, location) for location, row in here.items() if location in there)
    numbers = array.array("q")
    for row, location in common:
        numbers.extend((row, there[location]))
    progress.expect(len(common))
    (work / "pairs").write_bytes(numbers.tobytes())
    answer = worker.ask(
        {
            "op": "compare",
            "one": str(one.rows.resolve()),
            "other": str(other.rows.resolve()),
            "row_bytes": one.row_bytes,
            "rows": rows_in(one),
            "folder": str(work),
        },
        progress.advance,
    )
    counts = answer["counts"]
    differing, places = read(work / "differing"), read(work / "stands")
    apart = set(differing)
    in_place = [
        Pair(location, row, row) for at, (row, location) in enumerate(common) if at not in apart
    ]
    by_right = {pair.row for pair in in_place}  # of equal windows; they say nothing of others
    stands = [-1 if row in by_right else row for row in places]
    moved = [
        Pair(common[at][1], common[at][0], row)
        for at, row in zip(differing, stands, strict=True)
        if row >= 0
    ]
    comparison = Comparison(
        path=str(other.dependencies),
        here=len(here),
        there=len(there),
        common=len(common),
        **counts,
        foreign=len(moved),
        largest=answer["largest"],
    )
    wrong = len(differing) + counts["both"]
    tally = {
        "own": counts["equal"] + counts["rounding"],
        "foreign": len(moved),
        "zero": counts["zero"],
        "not-finite": counts["not_finite"],
    }
    tally["unknown"] = len(common) - sum(tally.values())
    return AuditFacts(
        drawn="comparison",
        named=len(here),
        in_file=len(here),
        judgeable=len(common),
        judged=len(common),
        equal=counts["equal"],
        wrong=wrong,
        largest=answer["largest"],
        counts={name: count for name, count in tally.items() if count > 0},
        laws=law_of(moved, in_place, here, others()) if moved else (),
        rounding=ROUNDING,
        rows=tuple(
            AuditedRow(
                common[at][1],
                common[at][0],
                verdict(row),
                None,
                stands=row if row >= 0 else None,
            )
            for at, row in list(zip(differing, stands, strict=True))[:PICTURED]
        ),
        comparison=comparison,
    )


def verdict(stands: int) -> Verdict:
    return "foreign" if stands >= 0 else "unknown"


def law_of(
    moved: list[Pair],
    in_place: list[Pair],
    index: Mapping[str, int],
    others: Iterable[tuple[str, Mapping[str, int]]],
) -> tuple[LawFacts, ...]:
    """The law of the misplaced rows, read off some and held against all."""
    some = [*spread(in_place), *spread(moved)]
    law = laws.find(some, index, others)
    if law is None:
        return ()
    after = -1
    if law.kind == "shift":
        first = min(pair.row for pair in moved if pair.stands - pair.row == law.by)
        law = dataclasses.replace(law, first=first)
        after = laws.last_in_place(in_place, first)
    came_true = laws.fits(law, moved)
    if came_true < max(laws.FEWEST, laws.FITTING * len(moved)):
        return ()
    if not laws.holds(law, [*in_place, *moved]):
        return ()
    return (
        LawFacts(
            law.kind,
            source=law.source,
            first=law.first,
            after=after,
            by=law.by,
            read_off=len(spread(moved)),
            foretold=len(moved),
            came_true=came_true,
            moved=len(moved),
        ),
    )


def spread(pairs: list[Pair]) -> list[Pair]:
    """Some of them, from all over."""
    return pairs[:: max(1, len(pairs) // READ_OFF)][:READ_OFF]


def read(path: Path) -> array.array[int]:
    numbers = array.array("q")
    numbers.frombytes(path.read_bytes())
    return numbers
