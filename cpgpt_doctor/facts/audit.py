"""What was seen of a finished store's rows: computed again, or held against another store's.

A difference of rows is relative to a row's norm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# What a stored row is, beside the same location's computed alone:
# "own": equal, bit for bit or up to rounding. "near": further apart, and nearer than any other's.
# "zero", "not-finite": no embedding. "foreign": another location's. "other-kind": its own, of the
# other kind of CpGPT release than most. "padded": its own, padded to a longer window of its batch.
# "one-left", "one-right", "upper-case", "lower-case", "all-n": of such a window instead.
# "unknown": none of these. "untried": it differs, and what it is was not looked for.
Verdict = Literal[
    "own",
    "near",
    "zero",
    "not-finite",
    "foreign",
    "other-kind",
    "padded",
    "one-left",
    "one-right",
    "upper-case",
    "lower-case",
    "all-n",
    "unknown",
    "untried",
]


@dataclass(frozen=True)
class AuditedRow:
    """A stored row and what it is.

    row: in the index. difference: from its own location's row; None where it is infinite.
    nearest, nearest_to: the least difference from the row of another location that was computed,
    and that location. owner: whose row it is; stands: the row that holds its location's numbers.
    tokens: to which it was padded. padding: of the kind of rows that it is, 1 or 128.
    """

    location: str = ""
    row: int = 0
    verdict: Verdict = "own"
    difference: float | None = 0.0
    nearest: float | None = None
    nearest_to: str | None = None
    owner: str | None = None
    stands: int | None = None
    tokens: int | None = None
    padding: int | None = None


@dataclass(frozen=True)
class LawFacts:
    """Where the rows really stand, and how that was proved.

    kind: "index": in the order of the index `source`; "shift": from a row on, `by` rows further on;
    "reversed"; "sorted": by the text of the locations; "by-position": by chromosome and position;
    "shared": locations of the index share a row, which is that of one of them.
    first: of a shift; it begins after the row `after` (-1: with the first) and at `first` at the
    latest. read_off: pairs that it was found from. foretold, came_true: further rows that it was
    proved on. moved: locations of the index that do not have their row by it.
    """

    kind: Literal["index", "shift", "reversed", "sorted", "by-position", "shared"] = "index"
    source: str = ""
    first: int = 0
    after: int = -1
    by: int = 0
    read_off: int = 0
    foretold: int = 0
    came_true: int = 0
    moved: int = 0


@dataclass(frozen=True)
class BoundsFacts:
    """With this confidence at least `low` and at most `high` of the `population` rows are wrong."""

    population: int = 0
    low: int = 0
    high: int = 0
    confidence: float = 0.95


@dataclass(frozen=True)
class Comparison:
    """Every row that two stores have a location for, the one held against the other.

    path: the other dependencies folder. here, there: locations of each; common: of both.
    Rows that are neither equal nor equal up to rounding are zero or not finite here, or `other`;
    both: those that are zero or not finite, and the same in both;
    foreign: those of them whose numbers, as the other store has them, stand in another row here.
    largest: difference that passed for rounding.
    """

    path: str = ""
    here: int = 0
    there: int = 0
    common: int = 0
    equal: int = 0
    rounding: int = 0
    zero: int = 0
    not_finite: int = 0
    other: int = 0
    foreign: int = 0
    both: int = 0
    largest: float = 0.0


@dataclass(frozen=True)
class AuditFacts:
    """An audit of a store.

    drawn: the rows are a random "sample", "all" of them, or those of "locations" that were named.
    named: locations of the index; in_file: those whose row is in the file; judgeable: those of them
    that lie in the genome, from which the rows were drawn. missing: named by the user, without a
    row. outside: asked for, and not judged since they do not lie in the genome; of `nowhere_read`
    rows of such, `nowhere` are of a window of nothing but N. judged: rows that
    were computed again; equal: bit for bit. counts: of each verdict. wrong: that are not "own" or
    "near". padding: of the kind of rows that most are; release, device: what computed. tolerance:
    of the "near" ones, learnt from the rows, None where none is.
    rows: those that are wrong, and some of the others.
    """

    rows_file: str = ""
    drawn: Literal["sample", "all", "locations", "comparison"] = "sample"
    seed: int | None = None
    named: int = 0
    in_file: int = 0
    judgeable: int = 0
    missing: int = 0
    outside: int = 0
    nowhere: int = 0
    nowhere_read: int = 0
    judged: int = 0
    equal: int = 0
    wrong: int = 0
    largest: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    bounds: BoundsFacts | None = None
    laws: tuple[LawFacts, ...] = ()
    padding: int | None = None
    release: str = ""
    installed_padding: int | None = None
    device: str = ""
    rounding: float = 0.0
    tolerance: float | None = None
    rows: tuple[AuditedRow, ...] = ()
    comparison: Comparison | None = None
