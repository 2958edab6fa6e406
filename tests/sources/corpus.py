"""The corpus: small scripts, notebooks and configs with what is to be found in them.

An expectation stands at the end of the line of which it speaks: `#> 601` or `#> 605=warning@LM`,
the last three digits of the code, the severity, and the circumstances of which it is true. Those of
`#> 601` alone are in USUAL. Nothing else may be found, and nothing of it may be missed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from cpgpt_doctor.facts import Accelerator, CpGPT, Facts, Packages, Python, Torch
from cpgpt_doctor.facts.sources import SourcesFacts
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.registry import judge
from cpgpt_doctor.sources.read import read

CASES = Path(__file__).parent / "cases"
OLD = "old"
METHODS = {"linux": "fork", "darwin": "spawn", "win32": "spawn"}
# By letter: platform, Python and CpGPT.
CIRCUMSTANCES = {
    "L": ("linux", "3.11.7", "0.0.13"),
    "M": ("darwin", "3.12.1", "0.0.13"),
    "W": ("win32", "3.12.1", "0.0.13"),
    "F": ("linux", "3.14.0", "0.0.13"),
    "O": ("linux", "3.11.7", "0.0.7"),
    "S": ("darwin", "3.12.1", "0.0.7"),
}
USUAL = {
    "601": {"L": "error", "M": "warning", "W": "error", "F": "error"},
    "602": dict.fromkeys("LMWF", "error"),
    "608": {"L": "error", "M": "note", "W": "error", "F": "error"},
}
MARK = re.compile(r"#> ?(.*?)\s*$")


@dataclass(frozen=True, order=True)
class Expected:
    """A finding: of which file below `cases`, at which line of which cell."""

    path: str
    cell: int
    line: int
    code: str
    severity: str


def facts(letter: str) -> Facts:
    """What is known of a machine of these circumstances, without a GPU."""
    platform, python, cpgpt = CIRCUMSTANCES[letter]
    method = "forkserver" if letter == "F" else METHODS[platform]
    return Facts(
        python=Python(python, "CPython", platform=platform, default_start_method=method),
        packages=Packages(cpgpt=CpGPT(cpgpt)),
        accelerator=Accelerator(torch=Torch("2.13.0")),
    )


def cases() -> list[Path]:
    """Files, and folders whose files belong together."""
    found = [path for path in CASES.iterdir() if path.name != OLD]
    return sorted([*found, *(CASES / OLD).iterdir()])


def letters(case: Path) -> str:
    return "OS" if case.parent.name == OLD else "LMWF"


def files(case: Path) -> list[Path]:
    return sorted(path for path in case.rglob("*") if path.is_file()) if case.is_dir() else [case]


def lines(path: Path) -> Iterator[tuple[int, int, str]]:
    """Cell (0 for none), line and text of each line."""
    raw = path.read_bytes()
    if path.suffix == ".ipynb":
        cells = [each for each in json.loads(raw).get("cells", []) if each["cell_type"] == "code"]
        for number, cell in enumerate(cells, 1):
            for line, text in enumerate("".join(cell["source"]).splitlines(), 1):
                yield number, line, text
    else:
        for line, text in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
            yield 0, line, text


def expected(case: Path, letter: str) -> list[Expected]:
    found = []
    for path in files(case):
        name = path.relative_to(CASES).as_posix()
        for cell, line, text in lines(path):
            match = MARK.search(text)
            for said in match[1].split() if match else ():
                code, _, rest = said.partition("=")
                severity, _, where = rest.partition("@")
                usual = USUAL.get(code, {}).get(letter) if not rest else None
                severity = severity if letter in where else usual or ""
                if severity:
                    found.append(Expected(name, cell, line, f"CPG{code}", severity))
    if case.name == "not_a_notebook.ipynb":
        found.append(Expected(case.name, 0, 1, "CPG611", "warning"))
    return sorted(found)


@cache
def seen(case: Path) -> SourcesFacts:
    return read([case])


def findings(letter: str, sources: SourcesFacts, intent: Intent | None = None) -> list[Finding]:
    judged = judge(replace(facts(letter), sources=sources), intent or Intent())
    return [each for one in judged if one.code.startswith("CPG6") for each in one.check.findings]


def said(finding: Finding, root: Path = CASES) -> Expected:
    where = finding.location
    assert where is not None
    assert where.line is not None
    name = Path(where.path).relative_to(root).as_posix()
    return Expected(name, where.cell or 0, where.line, finding.code, finding.severity.name)


def wrong(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.severity > Severity.note]
