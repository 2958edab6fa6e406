"""`fix`: the edits that mend what the rules find in the user's files."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import SourcesFacts
from cpgpt_doctor.findings import Edit, Finding, Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.reports import files
from cpgpt_doctor.rules.registry import judge, selected
from cpgpt_doctor.sources import edit
from cpgpt_doctor.sources.read import read
from cpgpt_doctor.sources.text import Unreadable, decode_python, decode_unicode, read_bytes

ROUNDS = 6  # one edit can make room for another; more than this, and two undo each other
FAMILY = "CPG6"


@dataclass(frozen=True)
class Choice:
    """Which findings are mended. A note is one only where its code is selected."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    unsafe: bool = False


@dataclass
class Mended:
    """Files as they were and as they are to be, what was mended, and what is left.

    refused: files that could not be edited, with the reason.
    """

    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    done: list[Finding] = field(default_factory=list)
    left: tuple[Finding, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> list[str]:
        return [path for path, raw in self.after.items() if raw != self.before[path]]


def mend(
    paths: Sequence[Path],
    facts: Facts,
    intent: Intent,
    choice: Choice,
    start: dict[str, bytes] | None = None,
) -> Mended:
    """Work out all edits, until there is nothing left to edit. Nothing is written.

    start: files as an earlier `mend` left them.
    """
    made = Mended(after=dict(start or {}))
    made.before = dict(made.after)
    for _ in range(ROUNDS):
        seen = read(paths, made.after)
        found = judged(replace(facts, sources=seen), intent, choice)
        made.left = found
        edits = [each for each in found if editable(each, choice, made)]
        if not edits:
            return made
        apply(edits, seen, made)
        made.done += edits
    raise DoctorError("the edits of these files do not come to an end; nothing was written")


def judged(facts: Facts, intent: Intent, choice: Choice) -> tuple[Finding, ...]:
    """The findings about sources, of the rules that were chosen."""
    every = tuple(each for each in judge(facts, intent) if each.code.startswith(FAMILY))
    chosen = selected(every, choice.select, choice.ignore)
    return tuple(finding for each in chosen for finding in each.check.findings)


def editable(finding: Finding, choice: Choice, made: Mended) -> bool:
    if not finding.edits or not (choice.unsafe or all(each.safe for each in finding.edits)):
        return False
    wanted = finding.severity > Severity.note or finding.code in choice.select
    return wanted and not any(each.place.path in made.refused for each in finding.edits)


def apply(findings: Sequence[Finding], seen: SourcesFacts, made: Mended) -> None:
    kinds = {file.path: file.kind for file in seen.files}
    every: list[Edit] = []
    for finding in findings:
        # Of findings about one place, the first is mended; the next round looks again.
        if not any(overlap(one, two) for one in finding.edits for two in every):
            every += finding.edits
        else:
            every += [one for one in finding.edits if one in every]
    for path, edits in edit.by_file(every).items():
        try:
            raw = made.after[path] if path in made.after else read_bytes(Path(path))
            made.before.setdefault(path, raw)
            made.after[path] = edit.edited(raw, path, kinds.get(path, "python"), edits)
        except Unreadable as problem:
            made.refused[path] = problem.reason


def overlap(one: Edit, two: Edit) -> bool:
    if one == two:
        return False
    a, b = one.place, two.place
    if a.path != b.path or a.cell != b.cell:
        return False
    starts = (a.line or 0, a.column or 0), (b.line or 0, b.column or 0)
    ends = (a.end_line or 0, a.end_column or 0), (b.end_line or 0, b.end_column or 0)
    return starts[0] <= ends[1] and starts[1] <= ends[0]


def write(made: Mended) -> None:
    """Write the files, each whole or not at all; DoctorError where one has changed meanwhile.

    Raises InputError, before anything is written, where a file is not to be replaced.
    """
    for path in made.changed:
        check_replaceable(Path(path))
    for path in made.changed:
        try:
            same = read_bytes(Path(path)) == made.before[path]
        except Unreadable as problem:
            raise DoctorError(f"{path}: cannot be read any longer: {problem.reason}") from problem
        if not same:
            raise DoctorError(
                f"{path}: was changed by another program meanwhile, and is left as it is; run fix"
                " again"
            )
        try:
            files.replace(made.after[path], Path(os.path.realpath(path)))
        except OSError as error:
            raise DoctorError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_replaceable(path: Path) -> None:
    """Raise InputError where the user protects a file, or has it under other names as well.

    A new file in its place would need no leave of the old one, and the other names would keep that.
    """
    try:
        seen = path.stat()
    except OSError:  # which is said when it is read
        return
    if not seen.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise InputError(
            f"{path}: is write-protected; nothing was written; allow writing (chmod u+w), or name"
            " the other files only"
        )
    if seen.st_nlink > 1:
        raise InputError(
            f"{path}: is one file of {seen.st_nlink} names (hard links), of which the others would"
            " stay as they are; nothing was written; copy it first, or name the other files only"
        )


def diff(made: Mended) -> str:
    """The changes as a unified diff, which `patch -p1` and `git apply` take."""
    out = []
    for path in sorted(made.changed):
        name = path.replace(os.sep, "/").lstrip("/")
        before, after = (lines(each, path) for each in (made.before[path], made.after[path]))
        for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
            out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def lines(raw: bytes, path: str) -> list[str]:
    decode = decode_python if path.endswith((".py", ".pyw")) else decode_unicode
    try:
        text, _, _ = decode(raw)
    except Unreadable:
        text = raw.decode("latin-1")
    return re.findall(r"[^\n]*\n|[^\n]+", text)
