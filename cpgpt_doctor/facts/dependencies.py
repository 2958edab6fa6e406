"""What was seen of a dependencies folder: its index, its stores, its genomes, and what is near by.

All of it is seen on files, without a model. Sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cpgpt_doctor.facts.store import Damage, StoreFacts


@dataclass(frozen=True)
class Unread:
    """A file that could not be looked at.

    why: a "loop" of links; a link to `detail`, which is "gone"; "no-file": a folder, a pipe or a
    device; "locked" by another program; "denied" or otherwise failed, as the system says in
    `detail`; "shrank" while it was read; "no-record": one of run-embed's that is none; "skipped":
    beyond what is looked at, `detail` of them.
    """

    path: str = ""
    why: Literal[
        "loop", "gone", "no-file", "locked", "denied", "shrank", "no-record", "skipped"
    ] = "denied"
    detail: str = ""


@dataclass(frozen=True)
class Named:
    """How many locations, and the first of them."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsSeen:
    """Named rows, `read` of `named`: all of them, or a sample drawn at random, besides `in_holes`,
    which the file system says were never written.

    zero and not_finite were read. equal: rows that equal the row of another window; that of the
    first is equal_to. all_n: rows that equal another one since both windows are nothing but N.
    windows: whether a genome could be asked for the windows of equal rows; without one, all that
    are not of one location count as `equal`.
    """

    named: int = 0
    read: int = 0
    in_holes: int = 0
    zero: Named = field(default_factory=Named)
    not_finite: Named = field(default_factory=Named)
    equal: Named = field(default_factory=Named)
    equal_to: str | None = None
    all_n: Named = field(default_factory=Named)
    windows: bool = False

    @property
    def whole(self) -> bool:
        return self.read == self.named


@dataclass(frozen=True)
class OtherIndex:
    """Another index of this species, model and length, and how it fits the store's rows.

    rows: the file of rows beside it, None where it has none. shares: whether that is the store's
    own "file", holds "equal" rows wherever it was looked at, or "other" ones. home: the store's
    rows are really in this index's folder. named: its locations; whole: they have the first rows,
    one each. same, moved: of a sample of the store's locations, those that it has at the same row
    and at another. recorded: of the parts that run-embed recorded, those that it has.
    """

    path: str = ""
    folder: str = ""
    rows: str | None = None
    shares: Literal["file", "equal", "other"] | None = None
    home: bool = False
    named: int = 0
    whole: bool = False
    same: int = 0
    moved: int = 0
    recorded: int = 0


@dataclass(frozen=True)
class StoreSeen:
    """A store of a folder.

    filled: rows of the file up to the last one that is not zeros; None where that was not looked
    at. parts: that run-embed recorded; recorded: those whose locations the index has where they
    were. elsewhere: locations whose sequence the genome lacks; outside: past the end of theirs.
    """

    store: StoreFacts = field(default_factory=StoreFacts)
    filled: int | None = None
    rows: RowsSeen | None = None
    others: tuple[OtherIndex, ...] = ()
    parts: int = 0
    recorded: int = 0
    elsewhere: Named = field(default_factory=Named)
    outside: Named = field(default_factory=Named)


@dataclass(frozen=True)
class GenomeSeen:
    """A genome's file, or the place where CpGPT would look for that of a species with rows.

    found: "missing"; "plain"; "compressed" although its name says plain; "no-fasta".
    sequences, names: of it, as far as an index or the file says; the first names. index: its .fai:
    "none", "right", "wrong" (problem says where), "older" than the genome and wrong. writable:
    whether its folder is. lower of letters: lower-case bases of those that were looked at.
    packed: a .fa.gz beside it; packed_is: "whole", "cut", or "unknown" where it is long.
    missing_names: sequences that the species' entry names and the genome lacks, of `known`.
    line_end: whether the file ends with a line's end. short: its index has bases past its end.
    """

    path: str = ""
    species: str | None = None
    found: Literal["plain", "compressed", "missing", "no-fasta"] = "plain"
    size: int = 0
    sequences: int = 0
    names: tuple[str, ...] = ()
    index: Literal["none", "right", "wrong", "older"] = "none"
    problem: str = ""
    short: bool = False
    writable: bool = True
    letters: int = 0
    lower: int = 0
    packed: str | None = None
    packed_is: Literal["whole", "cut", "unknown"] | None = None
    known: int = 0
    missing_names: Named = field(default_factory=Named)
    line_end: bool = True


@dataclass(frozen=True)
class Entry:
    """A species' value in the index: its size, and its damage."""

    species: str = ""
    size: int = 0
    damage: Damage | None = None


@dataclass(frozen=True)
class Elsewhere:
    """A store that CpGPT, given the folder, does not look at: in a folder below it, with an index
    of its own. named: locations there; here: in the folder's own store of this kind."""

    folder: str = ""
    species: str = ""
    dna_llm: str = ""
    context_len: int = 0
    named: int = 0
    here: int = 0


@dataclass(frozen=True)
class DependenciesFacts:
    """A folder that CpGPT could be given.

    given: the user named it; else it was found below a folder that he named.
    """

    folder: str = ""
    given: bool = True
    database: str = ""
    has_database: bool = False
    damage: Damage | None = None
    entries: tuple[Entry, ...] = ()
    stores: tuple[StoreSeen, ...] = ()
    genomes: tuple[GenomeSeen, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    unread: tuple[Unread, ...] = ()
