"""What stands in the user's scripts, notebooks and configs, as `sources` read them.

Nothing is judged here. What hangs on the platform says so (`platforms`, as sys.platform has them);
what could not be followed is "unknown", and why. Lines and columns count from 1, columns in
characters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PLATFORMS = ("linux", "darwin", "win32")


@dataclass(frozen=True)
class Place:
    """A stretch of a file. end_column is behind its last character.

    cell: of a notebook, its code cells counted from 1; lines are then the cell's, and file_line is
    the line of the file.
    """

    path: str = ""
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    cell: int | None = None
    file_line: int = 1


@dataclass(frozen=True)
class Change:
    """A text in place of another one; `{}` in it stands for what is put in, if it is there.

    A place without length is one to insert at.
    """

    place: Place = field(default_factory=Place)
    text: str = ""


@dataclass(frozen=True)
class Site:
    """The text that decides a value, and how another value is written there.

    edit: "replace" the place by it; "insert" the argument (NAME=VALUE, in YAML the line NAME:
    VALUE) by the changes; "spread", the place is a mapping behind `**` which other code uses too:
    by the changes, into which NAME and VALUE go as an entry. text: as it is written; around: the
    line on which it begins.
    """

    place: Place = field(default_factory=Place)
    edit: Literal["replace", "insert", "spread"] = "replace"
    text: str = ""
    changes: tuple[Change, ...] = ()
    around: str = ""


# fmt: off
Why = Literal[
    "", "parameter", "call", "import", "changed", "machine", "interpolation", "options",
    "option", "environment", "name", "expression", "loop",
]
# fmt: on


@dataclass(frozen=True)
class Outcome:
    """A value that an expression can have.

    kind: "value"; "at-least", a whole number from `value` on (how many cores a machine has);
    "unknown". platforms: where it has it, () for everywhere. why: what an unknown one hangs on; of
    a known one, by what a user can change it: an "option" of the command line, or the
    "environment". site: None where the value is not in the text (nobody can edit a loop's).
    """

    kind: Literal["value", "at-least", "unknown"] = "unknown"
    value: Any = None
    platforms: tuple[str, ...] = ()
    why: Why = ""
    detail: str = ""
    site: Site | None = None


@dataclass(frozen=True)
class Setting:
    """An argument of a call. text: as it is written, "" where it is not and has its default."""

    name: str = ""
    text: str = ""
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class SourceCall:
    """A call that matters to the embedding.

    kind: "embed" (parse_dna_embeddings), "embedder" (it is made), "data-module", "loader"
    (PyTorch's DataLoader), "start-method" (it is set), "download" (of dependencies), "link" (files
    are linked or copied). text: the call on one line. settings: its arguments, with the defaults of
    those that are absent and matter. alone: what prefetch_factor and persistent_workers are where
    num_workers is 0.
    platforms: where it is reached, () for everywhere. dataset: what a loader's dataset holds: an
    open "genome", CpGPT's rows ("cpgpt"), nothing of both ("other").
    repeated: it stands in a "loop" over parts of one store, or in a "retry".
    at_import: it runs when the file is imported, as each worker's process does under spawn.
    removal: how its statement is taken out, where it is a statement. before: the beginning of the
    statement of the module that it is in, where another one can be put before.
    """

    kind: Literal[
        "embed", "embedder", "data-module", "loader", "start-method", "download", "link"
    ] = "embed"
    place: Place = field(default_factory=Place)
    text: str = ""
    settings: tuple[Setting, ...] = ()
    alone: tuple[Setting, ...] = ()
    platforms: tuple[str, ...] = ()
    dataset: Literal["", "genome", "cpgpt", "other"] = ""
    repeated: Literal["", "loop", "retry"] = ""
    at_import: bool = False
    removal: tuple[Change, ...] = ()
    before: Place | None = None

    def setting(self, name: str) -> Setting | None:
        return next((each for each in self.settings if each.name == name), None)


@dataclass(frozen=True)
class Ignore:
    """`# cpgpt-doctor: ignore[CODES]`: of a line, a cell or a whole file. codes: () for all."""

    place: Place = field(default_factory=Place)
    codes: tuple[str, ...] = ()
    scope: Literal["line", "cell", "file"] = "line"


@dataclass(frozen=True)
class SourceFile:
    """A file that was read. problem: why it could not be, "" where it could; at `place`.

    related: files that it imports or that import it, itself included. loader_replaced: it puts a
    DataLoader into CpGPT's module that takes prefetch_factor away.
    """

    path: str = ""
    kind: Literal["python", "notebook", "yaml"] = "python"
    problem: str = ""
    place: Place | None = None
    calls: tuple[SourceCall, ...] = ()
    ignores: tuple[Ignore, ...] = ()
    related: tuple[str, ...] = ()
    loader_replaced: bool = False


@dataclass(frozen=True)
class SourcesFacts:
    """Files that name CpGPT, or something that its embedding needs, and what they say.

    looked_at: all files that were opened.
    """

    looked_at: int = 0
    files: tuple[SourceFile, ...] = ()
