"""What was seen of a file of genomic locations, alone and held against a genome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Problem = Literal[
    "location",
    "zero",
    "columns",
    "csv",
    "vcf-columns",
    "bed-columns",
    "bed-end",
    "bed-order",
]


@dataclass(frozen=True)
class BadLine:
    """A line of the file that gives no location.

    problem: "location": what stands there is not chromosome:position; "zero": position 0 among
    those that count from 1; "columns": fewer than the header has; "csv": no line of CSV;
    "vcf-columns", "bed-columns": too few; "bed-end": the interval's end is no number;
    "bed-order": the interval is empty or reversed. text: what stands there, its first characters.
    """

    number: int = 0
    problem: Problem = "location"
    text: str = ""


@dataclass(frozen=True)
class Place:
    """A location, and the line that gave it first."""

    location: str = ""
    line: int = 0


@dataclass(frozen=True)
class Some:
    """How many there are, and the first of them."""

    count: int = 0
    examples: tuple[Place, ...] = ()


@dataclass(frozen=True)
class InGenome:
    """Locations held against a genome; `total` counts those whose windows were read.

    unknown: their sequence is not in it; meant: its own names that differ from one of theirs by
    `chr`, or M from MT, as (theirs, its). outside: past the end. foreign: their window has what is
    no code of a nucleotide, such as `letter`. all_n: nothing but N.
    cg, left, right: at how many it says CG, at one base to the left, at one to the right.
    """

    genome: str = ""
    names: tuple[str, ...] = ()
    total: int = 0
    unknown: Some = field(default_factory=Some)
    meant: tuple[tuple[str, str], ...] = ()
    outside: Some = field(default_factory=Some)
    foreign: Some = field(default_factory=Some)
    letter: str | None = None
    all_n: Some = field(default_factory=Some)
    cg: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class LocationFacts:
    """A file of locations.

    total: locations, each once; duplicates: how many lines repeat one. malformed: lines that give
    none; bad_lines: the first of them. converted: one was subtracted from each position, since the
    user "asked" for it or the form, "vcf", counts from 1. column: of positions that often count
    from 1, where nobody said how these do.
    """

    source: str = ""
    total: int = 0
    duplicates: int = 0
    malformed: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    converted: Literal["asked", "vcf"] | None = None
    column: str | None = None
    in_genome: InGenome | None = None
