"""Findings: what the rules concluded, in the parts of the fix document."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

from cpgpt_doctor.words import Words

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Culprit


class Severity(IntEnum):
    """Consequence for what the user intends.

    error: the call would crash or store wrong rows. warning: something else than asked happens,
    or a range is not met and it still works. note: well, or not to be known here.
    """

    note = 1
    warning = 2
    error = 3


Advice = Literal["recommended", "possible", "not-recommended"]
# What a placeholder of a page is filled in with, by its name.
Values = tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Remedy:
    """A remedy of a page, by its id; the order in a finding is the order of preference.

    page: the code of the page that has it, where it is not the finding's own. values: for its
    placeholders. advice: what the circumstances make of it, where that is not what the page says.
    """

    id: str
    page: str | None = None
    values: Values = ()
    advice: Advice | None = None


@dataclass(frozen=True)
class Location:
    """A place in a file; lines and columns count from 1.

    cell: a notebook's code cell; the line is then the cell's, and file_line that of the file.
    end_line, end_column: where the place ends, behind its last character. argument: the part of
    the call that is at fault, where it is not its last keyword.
    """

    path: str
    line: int | None = None
    column: int | None = None
    cell: int | None = None
    call: str | None = None
    file_line: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    argument: str | None = None

    @property
    def where(self) -> str:
        """PATH, PATH:LINE or PATH:LINE:COLUMN, as editors and terminals open them.

        In a notebook, PATH:cell CELL:LINE:COLUMN.
        """
        column = self.column if self.line is not None else None
        cell = None if self.cell is None else f"cell {self.cell}"
        parts = (self.path, cell, self.line, column)
        return ":".join(str(part) for part in parts if part is not None)

    @property
    def line_of_file(self) -> int | None:
        """The line as programs count that do not know of cells."""
        return self.line if self.cell is None else self.file_line


@dataclass(frozen=True)
class Edit:
    """A text that mends a finding, in place of what stands from `place`'s beginning to its end.

    safe: it changes nothing but what the finding is about.
    """

    place: Location
    text: str
    safe: bool = True


@dataclass(frozen=True)
class Evidence:
    """What was seen: the exact error, the culprits, and figures or texts by name."""

    error: str | None = None
    culprits: tuple[Culprit, ...] = ()
    seen: tuple[tuple[Words, Words], ...] = ()


@dataclass(frozen=True)
class Finding:
    """A problem. A part with nothing true to say is empty.

    causes: from the platform to the object. values: for the placeholders in what its page says of
    how to verify it and of its cost. edits: what its first remedy changes in the user's files.
    """

    code: str
    severity: Severity
    title: Words
    causes: tuple[Words, ...]
    remedies: tuple[Remedy, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    location: Location | None = None
    treated: bool = False
    values: Values = ()
    edits: tuple[Edit, ...] = ()


Status = Literal["ok", "finding", "unknown", "skipped"]


@dataclass(frozen=True)
class Check:
    """What a rule says of the facts: `findings` has entries exactly when the status is finding."""

    status: Status
    summary: Words
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A check with the code of its rule."""

    code: str
    check: Check


def ok(summary: Words) -> Check:
    return Check("ok", summary)


def unknown(summary: Words) -> Check:
    return Check("unknown", summary)


def skipped(summary: Words) -> Check:
    return Check("skipped", summary)


def found(*findings: Finding) -> Check:
    return Check("finding", findings[0].title, findings)
