"""What these rules share."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cpgpt_doctor import pages
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Remedy, Severity, Values
from cpgpt_doctor.intent import Call
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts.locations import LocationFacts

# What a run may be allowed by name.
ALL_N, NON_CPG, UNNAMED, INTO = "all-n", "non-cpg", "unnamed", "into"


def quoted(path: str) -> Words:
    """A path as a shell takes it; the home folder's `~` is left to it."""
    if path.startswith("~/"):
        return same(f"~/{shlex.quote(path[2:])}")
    return same(shlex.quote(path))


def in_code(path: str) -> Words:
    """A path as it stands between the quotes of Python's text."""
    return same(path.replace("\\", "\\\\").replace('"', '\\"'))


def values(facts: Facts) -> Values:
    """The paths of this run, for the commands of the pages."""
    known: list[tuple[str, Words]] = []
    if facts.store is not None:
        store = facts.store
        at = max(store.rows.rfind(each) for each in "/\\")  # Windows has the other
        folder, name = store.rows[:at], store.rows[at + 1 :]
        known += [("in_code", in_code(store.dependencies))]
        known += [("dir", quoted(store.dependencies)), ("store", quoted(folder))]
        record = name.replace(".mmap", ".run.json")
        known += [("rows", quoted(name)), ("record", quoted(record))]
    elif facts.genome is not None:
        known.append(("dir", quoted(facts.genome.dependencies)))
    elif facts.dependencies:
        known.append(("dir", quoted(facts.dependencies[0].folder)))
    if facts.locations is not None:
        known += of_input(facts.locations)
    if facts.genome is not None:
        known.append(("genome", quoted(facts.genome.path)))
    return tuple(known)


def of_input(locations: LocationFacts) -> list[tuple[str, Words]]:
    """The user's input for the commands of the pages: the file, and the option that names it."""
    # Where nobody named locations, nothing of them is imported.
    from cpgpt_doctor.facts.locations import STANDARD_INPUT

    source = locations.source
    if locations.kind == "processed":
        at = max(source.rfind(each) for each in "/\\")  # Windows has the other
        return [("given", same(f"--processed-dir {quoted(source[: max(at, 1)]).en}"))]
    if locations.kind == "betas":
        return [("given", same(f"--betas {quoted(source).en}"))]
    if source == STANDARD_INPUT:
        return []
    return [("file", quoted(source)), ("given", same(f"--locations {quoted(source).en}"))]


def ways(facts: Facts, code: str, *ids: str, **more: Words) -> tuple[Remedy, ...]:
    """Remedies of a page, with the paths of this run and `more` in their places."""
    known = {**dict(values(facts)), **more}
    texts = pages.remedies(code, "en")
    return tuple(Remedy(each, values=placed(known, repr(texts[each]))) for each in ids)


def verified(facts: Facts, code: str, **more: Words) -> Values:
    """What a page's own verification takes of these."""
    commands = pages.verification(code, "en").commands
    return placed({**dict(values(facts)), **more}, repr(commands))


def placed(known: dict[str, Words], text: str) -> Values:
    places = pages.placeholders(text)
    return tuple((name, words) for name, words in known.items() if name in places)


def counted(count: int, one: str, more: str, chinese: str) -> Words:
    """A sentence that begins with a count: "1 line gives", "2 lines give"."""
    return Words(f"{count} {one if count == 1 else more}", chinese)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"


def line(number: int) -> Words:
    return Words(f"line {number}", f"第 {number} 行")


def unless_allowed(call: Call, what: str) -> Severity:
    """An error, or a note where the user allowed it by name."""
    return Severity.note if what in call.allowed else Severity.error
