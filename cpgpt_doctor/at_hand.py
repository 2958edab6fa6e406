"""Where a log and the user's files meet: what stands at the line that a traceback names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import CpGPT, Facts, Packages, Python
from cpgpt_doctor.facts.sources import Place, SourcesFacts
from cpgpt_doctor.findings import Finding, Location
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.registry import judge

# Of each failure, the circumstances in which it comes about: a platform, and a release of CpGPT
# where that matters. What is not in a log is taken from these.
SPAWN = Intent(platform="win32")
FORK = Intent(platform="linux", python="3.11")
BEFORE_GUARD = Intent(platform="linux", python="3.11", cpgpt="0.0.7")
CIRCUMSTANCES = {
    "CPG701": (SPAWN,),
    "CPG702": (FORK, BEFORE_GUARD),
    "CPG703": (FORK,),
    "CPG711": (SPAWN,),
}
WORKERS = ("CPG704", "CPG705", "CPG706", "CPG707", "CPG710")  # of which workers can be the cause
FAMILY = "CPG6"


def findings(failed: Sequence[Finding]) -> tuple[Finding, ...]:
    """What `check` says of the lines of the user's files that failures name, with what mends it.

    A file that is not at hand, or that cannot be read, has nothing to say.
    """
    found: dict[Location | None, Finding] = {}
    for each in failed:
        where = each.location
        intents = CIRCUMSTANCES.get(each.code, (FORK,) if each.code in WORKERS else ())
        path = file_of(where.path) if where and where.line and intents else None
        if where is None or where.line is None or path is None:
            continue
        sources = read(path)
        for intent in intents:
            for one in at_line(sources, path, where.line, intent):
                found.setdefault(one.location, one)
    return tuple(found.values())


def file_of(named: str) -> Path | None:
    """The file of a traceback, where it is, or below the folder at hand under the same names."""
    parts = Path(named.replace("\\", "/")).parts
    for path in (Path(named), *(Path(*parts[at:]) for at in range(1, len(parts)))):
        try:
            if path.suffix == ".py" and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def read(path: Path) -> SourcesFacts:
    from cpgpt_doctor.sources.read import read

    try:
        return read([path])
    except InputError:
        return SourcesFacts()


def at_line(sources: SourcesFacts, path: Path, line: int, intent: Intent) -> Iterator[Finding]:
    """The findings with edits that are about a call on this line."""
    calls = [call for file in sources.files for call in file.calls if on_line(call.place, line)]
    facts = Facts(
        python=Python(platform="linux", default_start_method="fork"),
        packages=Packages(cpgpt=CpGPT(intent.cpgpt) if intent.cpgpt else None),
        sources=sources,
    )
    for judged in judge(facts, intent):
        for each in judged.check.findings if judged.code.startswith(FAMILY) else ():
            where = each.location
            if where is None or not each.edits or where.path != str(path):
                continue
            place = where.line or 0
            if any(call.place.line <= place <= call.place.end_line for call in calls):
                yield each


def on_line(place: Place, line: int) -> bool:
    return place.line <= line <= place.end_line
