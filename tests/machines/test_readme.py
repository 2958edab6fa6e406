"""The report that docs/check.md shows is the one of the recorded machine."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.report import Report, exit_code
from cpgpt_doctor.reports import terminal, view
from cpgpt_doctor.rules.registry import judge
from tests.machines import recorded

PAGE = Path(__file__).parents[2] / "docs" / "check.md"


def test_the_report_in_the_docs_is_what_check_says_of_that_machine() -> None:
    facts, intent = recorded.linux_old(), Intent(num_workers=4, start_method="spawn")
    judged = judge(facts, intent)
    report = Report(
        facts, intent, resolve(intent, facts), judged, exit_code(judged, Severity.error)
    )
    console = Console(file=io.StringIO(), width=86, highlight=False, emoji=False)
    terminal.render(view.of(report, "en"), console)
    said = [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    shown = PAGE.read_text(encoding="utf-8").partition("```text\ncpgpt-doctor ")[2]
    first, last = shown.partition("\n```\n")[0].split("\n[... ")
    assert ["cpgpt-doctor " + line for line in first.splitlines()[:1]] == said[:1]
    lines = first.splitlines()[1:]
    assert said[1 : len(lines) + 1] == lines
    end = last.splitlines()[1:]
    assert said[-len(end) :] == end
