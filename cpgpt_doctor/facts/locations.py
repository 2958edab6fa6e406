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
STANDARD_INPUT = "standard input"  # a source that is no file
Kind = Literal["locations", "betas", "processed"]  # --locations, --betas, --processed-dir


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

    Of many, a sample is read by check. unknown: their sequence is not in it; meant: its own names
    that differ from one of theirs by `chr`, or M from MT, as (theirs, its). outside: past the end.
    foreign: their window has what is no code of a nucleotide, such as `letter`. all_n: nothing
    but N.
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
class NotRead:
    """A manifest of which nothing is taken, and why: CpGPT's prober logs an error and goes on."""

    path: str = ""
    why: str = ""


@dataclass(frozen=True)
class ProbesSeen:
    """Names of probes, and what became of them.

    total: names, each once. sources: the files by which they were resolved, "database" (CpGPT's
    illumina_metadata.db) or "manifests". found: those that have a location; same: of these, how
    many have the location of an earlier one. lost: those that resolve to nothing, but for `snps`:
    probes of SNPs (rs, nv), which CpGPT leaves out. meant: names among the lost that resolve
    without their suffix, as (theirs, the manifests'), the first ones; suffixed: how many.
    cut: suffixes that were taken off, since the user asked for it. others: columns of a matrix that
    are neither probes nor locations. not_read: manifests of which nothing is taken.
    """

    total: int = 0
    by: Literal["database", "manifests"] = "database"
    sources: tuple[str, ...] = ()
    found: int = 0
    same: int = 0
    lost: Some = field(default_factory=Some)
    snps: int = 0
    suffixed: int = 0
    meant: tuple[tuple[str, str], ...] = ()
    cut: int = 0
    others: Some = field(default_factory=Some)
    not_read: tuple[NotRead, ...] = ()


@dataclass(frozen=True)
class InStore:
    """How many of the locations have a row in a store, by its index.

    here: as they are given; left, right: with one subtracted from, or added to, each position.
    folder: the dependencies folder; named: locations of the index.
    """

    folder: str = ""
    species: str = ""
    dna_llm: str = ""
    context_len: int = 0
    named: int = 0
    here: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class LocationFacts:
    """Locations that a user gave, of a kind of input.

    total: locations, each once; duplicates: how many lines repeat one. malformed: lines that give
    none; bad_lines: the first of them. converted: one was subtracted from each position, since the
    user "asked" for it or the form, "vcf", counts from 1. column: of positions that often count
    from 1, where nobody said how these do. probes: None where none were named. renamed: names of
    sequences that were replaced, as (theirs, the genome's). stores: those that were looked at.
    """

    source: str = ""
    total: int = 0
    duplicates: int = 0
    malformed: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    converted: Literal["asked", "vcf"] | None = None
    column: str | None = None
    in_genome: InGenome | None = None
    kind: Kind = "locations"
    probes: ProbesSeen | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    stores: tuple[InStore, ...] = ()
