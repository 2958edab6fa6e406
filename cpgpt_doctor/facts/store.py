"""What was seen of an embedding store: files and links, its index, its record, its rows.

All but `audit` is seen without a model. A difference of rows is relative to a row's norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Link:
    """A link on the way to a file of the store, and where that really is."""

    path: str = ""
    leads_to: str = ""


@dataclass(frozen=True)
class InCache:
    """A file of the store that leads into a Hugging Face cache; `copy`: the folder to copy."""

    path: str = ""
    cache: str = ""
    copy: str = ""


@dataclass(frozen=True)
class HardLinked:
    """A file of the store with several names."""

    path: str = ""
    names: int = 0


@dataclass(frozen=True)
class Apart:
    """Rows and index that are of two folders.

    what: the "rows" lead to a folder with an index of its own, or the "index" to one with rows of
    its own. path leads to leads_to; other: that index, or that folder of rows; root: the
    dependencies folder that holds both.
    """

    what: Literal["rows", "index"] = "rows"
    path: str = ""
    leads_to: str = ""
    other: str = ""
    root: str = ""


DamageKind = Literal[
    "unreadable",
    "no-table",
    "other-table",
    "no-pickle",
    "not-plain",
    "cut",
    "not-a-dictionary",
    "rows",
    "assembly",
]


@dataclass(frozen=True)
class Damage:
    """Why `ensembl_metadata.db` is not what CpGPT writes.

    kind: "unreadable": SQLite says `detail`; "no-table": without CpGPT's table; "other-table": one
    that computes something; "no-pickle": a value that is none (`detail`: its type); "not-plain":
    a pickle that holds `detail`; "cut": a damaged pickle; "not-a-dictionary"; "rows": an entry that
    is no table of locations; "assembly": none is named.
    """

    kind: DamageKind = "unreadable"
    detail: str = ""


@dataclass(frozen=True)
class IndexSeen:
    """The locations of the index, and their rows.

    named: locations. shared: how many have the row of another. outside: how many have a row that
    is not one of the first `named`.
    """

    named: int = 0
    shared: int = 0
    outside: int = 0


@dataclass(frozen=True)
class Unfinished:
    """CpGPT's `.mmap.tmp`. beside: whether a `.mmap` stands beside it. Bytes."""

    path: str = ""
    size: int = 0
    beside: bool = False


@dataclass(frozen=True)
class Unnamed:
    """What the file of rows holds after the last named one, where that is not zeros nor ours.

    rows: whole ones; rest: bytes after them; first_byte: of the first that is not zero, from the
    file's start; nearby: a folder below with an index of its own, as CpGPT's download makes it.
    """

    rows: int = 0
    rest: int = 0
    first_byte: int = 0
    nearby: str | None = None


@dataclass(frozen=True)
class GenomeDifference:
    """How the genome differs from the one that the record names.

    kind: "no-sequence"; "length": `now` bases, and `was`; "bases": equally many others, or in other
    case; "windows": `now` of `was` recorded windows have other bases.
    """

    kind: Literal["no-sequence", "length", "bases", "windows"] = "bases"
    sequence: str = ""
    was: int = 0
    now: int = 0


@dataclass(frozen=True)
class Room:
    """The disk of a folder: what is free, and what is needed there. Bytes.

    copied: of the needed ones, those of a store that is taken over; the rest are of new rows.
    """

    folder: str = ""
    free: int = 0
    needed: int = 0
    copied: int = 0


@dataclass(frozen=True)
class ChangedRows:
    """Recorded rows that are not as they were: the "index" names them for other locations, or the
    "file" holds other numbers."""

    where: Literal["index", "file"] = "file"
    first_row: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Scanned:
    """Every row that was read, and those that cannot be embeddings.

    equal: how many equal the row of another window; the first and that other one are equal_to.
    """

    rows: int = 0
    zero: int = 0
    first_zero: str | None = None
    not_finite: int = 0
    first_not_finite: str | None = None
    equal: int = 0
    equal_to: tuple[str, str] | None = None


@dataclass(frozen=True)
class Change:
    """Where the rows of a stretch change from one kind to the other.

    last: a row of the kind `before`; first: one of the kind `after`. Between them are none, or only
    such as are of either kind or were not computed.
    """

    last: int = 0
    first: int = 0
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Sampled:
    """Stored rows of a stretch that were computed again, each alone.

    first_row, rows: the stretch. computed: how many; 0 where no location of the rows lies in the
    genome. differing: by more than `rounding` from rows of the kind `padding`; as_other: how many
    of these are rows of the kind `other_padding`; either: how many of the others are of both, since
    their windows need no padding. example: the first that is of neither. largest: difference from
    the nearest kind. change: where the kinds change, None where that is not at one place.
    """

    computed: int = 0
    differing: int = 0
    example: str | None = None
    largest: float = 0.0
    rounding: float = 0.0
    other_padding: int | None = None
    padding: int = 0
    as_other: int = 0
    either: int = 0
    first_row: int = 0
    rows: int = 0
    change: Change | None = None

    @property
    def kinds(self) -> tuple[tuple[int, int], ...]:
        """The kinds that rows are of, and how many of each; without those that are of either."""
        own = self.computed - self.differing - self.either
        found = [(self.padding, own), (self.other_padding or 0, self.as_other)]
        return tuple((padding, rows) for padding, rows in found if rows)


@dataclass(frozen=True)
class ModelDifference:
    """How the loaded model differs from the recorded one: in what rows can depend on."""

    kind: Literal["precision", "weights", "files"] = "weights"
    was: str = ""
    now: str = ""


@dataclass(frozen=True)
class Audit:
    """What was seen once the model was loaded, as far as it was looked at.

    release: of CpGPT. padding: of the kind of rows that it computes; recorded_padding: of the
    stored ones, None where no record says it. samples: one for each stretch that no record covers.
    model: how it differs from the recorded one; model_sample: what decides then.
    """

    release: str = ""
    padding: int = 0
    recorded_padding: int | None = None
    model: tuple[ModelDifference, ...] = ()
    scanned: Scanned | None = None
    samples: tuple[Sampled, ...] = ()
    model_sample: Sampled | None = None

    @property
    def kinds(self) -> tuple[int, ...]:
        """The kinds that the stored rows are of, the recorded one first."""
        recorded = () if self.recorded_padding is None else (self.recorded_padding,)
        seen = (padding for each in self.samples for padding, _ in each.kinds)
        return tuple(dict.fromkeys((*recorded, *seen)))


@dataclass(frozen=True)
class StoreFacts:
    """A store: of a species, model and context length in a dependencies folder.

    rows, database: the paths of its two files. width: numbers a row, None where no release of CpGPT
    was asked. index: None where there is none, or a damaged one. size: of the file of rows, bytes,
    None where there is none. lost: recorded rows that the index no longer names.
    recorded_padding: of the kind of rows that the record names; asked_padding: of the kind that the
    user asked for by name, None where new rows follow the store.
    other_genome: how the genome differs from the recorded one.
    changed: recorded rows that are not as they were. repairing: the backup of a repair of the store
    that stands half done.
    """

    dependencies: str = ""
    species: str = ""
    dna_llm: str = ""
    context_len: int = 0
    rows: str = ""
    database: str = ""
    width: int | None = None
    links: tuple[Link, ...] = ()
    in_cache: tuple[InCache, ...] = ()
    hard_linked: tuple[HardLinked, ...] = ()
    apart: tuple[Apart, ...] = ()
    damage: Damage | None = None
    index: IndexSeen | None = None
    size: int | None = None
    unfinished: Unfinished | None = None
    checkpoint: str | None = None
    unnamed: Unnamed | None = None
    lost: int = 0
    other_genome: tuple[GenomeDifference, ...] = ()
    changed: tuple[ChangedRows, ...] = ()
    room: Room | None = None
    repairing: str | None = None
    recorded_padding: int | None = None
    asked_padding: int | None = None
    audit: Audit | None = None
