"""The report for a terminal: what is well in a line each, then each finding in full."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from cpgpt_doctor import culprits
from cpgpt_doctor.findings import Finding, Location, Remedy, Severity
from cpgpt_doctor.reports.labels import (
    ADVICE,
    COLON,
    SEVERITY,
    TREATED,
    bracketed,
    judged_call,
    next_step,
    patient,
)
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.words import Language, Words

MARKS = {
    "ok": ("✓", "green"),
    "unknown": ("?", "yellow"),
    "skipped": ("-", "dim"),
}
SEVERITY_STYLE = {
    Severity.error: "bold red",
    Severity.warning: "bold yellow",
    Severity.note: "cyan",
}
ADVICE_STYLE = {"recommended": "green", "possible": "default", "not-recommended": "red"}
LABELS = {
    "patient": Words("patient", "环境"),
    "python": Words("python", "解释器"),
    "judged": Words("judged", "判断对象"),
    "error": Words("error", "错误信息"),
    "cause": Words("cause", "原因"),
    "culprits": Words("culprits", "症结"),
    "seen": Words("seen", "观察到"),
    "remedy": Words("remedy", "方案"),
    "before": Words("  before", "  修改前"),
    "after": Words("  after", "  修改后"),
    "run": Words("  run", "  运行"),
    "verify": Words("verify", "验证"),
    "expected": Words("expected: ", "预期："),
    "cost": Words("cost", "代价"),
    "note": Words("note", "提示"),
}
LABEL_WIDTH = 9


def render(
    report: Report, console: Console, language: Language = "en", *, verbose: bool = False
) -> None:
    """Print the report. Notes are a line each unless `verbose`, and skipped checks are left out."""
    console.print(header(report, language))
    console.print()
    for each in report.judged:
        status = each.check.status
        if status == "finding" or (status == "skipped" and not verbose):
            continue
        mark, style = MARKS[status]
        console.print(hanging(mark, style, f"{each.code}  {each.check.summary.say(language)}"))
    for finding in report.findings:
        if finding.severity is Severity.note and not verbose:
            kind = bracketed(TREATED if finding.treated else LABELS["note"], language)
            line = f"{finding.code}  {finding.title.say(language)}{kind}"
            console.print(hanging("i", SEVERITY_STYLE[Severity.note], line))
    show_findings(
        [each for each in report.findings if verbose or each.severity is not Severity.note],
        console,
        language,
    )
    console.print()
    console.print(Text(next_step(report, language), "bold"))


def show_findings(findings: list[Finding], console: Console, language: Language) -> None:
    """Each finding in full; a remedy or a cost that an earlier one had is named, not repeated."""
    shown: dict[object, str] = {}
    for finding in findings:
        console.print()
        console.print(full(finding, language, shown))


def header(report: Report, language: Language) -> RenderableType:
    facts = report.facts
    rows = Table.grid(padding=(0, 1))
    rows.add_column()
    rows.add_column(overflow="fold")
    rows.add_row(Text(LABELS["patient"].say(language), "dim"), Text(patient(report)))
    if facts.python:
        rows.add_row(Text(LABELS["python"].say(language), "dim"), Text(facts.python.executable))
    rows.add_row(Text(LABELS["judged"].say(language), "dim"), Text(judged_call(report, language)))
    return Group(Text(f"cpgpt-doctor {facts.doctor_version}", "bold"), rows)


def hanging(mark: str, style: str, text: str) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style), Text(text))
    return table


def full(finding: Finding, language: Language, shown: dict[object, str]) -> RenderableType:
    style = SEVERITY_STYLE[finding.severity]
    title = Text.assemble(
        (f"{SEVERITY[finding.severity].say(language)}[{finding.code}]", style),
        (COLON.say(language) + finding.title.say(language), "bold"),
    )
    if finding.treated:
        title.append(bracketed(TREATED, language), "green")
    body = parts(finding, language, shown)
    return Group(title, *(Padding(part, (0, 0, 0, 2)) for part in body))


def parts(
    finding: Finding, language: Language, shown: dict[object, str]
) -> Iterator[RenderableType]:
    evidence = finding.evidence
    if finding.location:
        yield from place(finding.location, evidence.error)
    elif evidence.error:
        yield labelled("error", Text(evidence.error, "red"), language)
    for number, cause in enumerate(finding.causes, 1):
        text = Text(f"{number}. {cause.say(language)}")
        yield labelled("cause" if number == 1 else "", text, language)
    for number, culprit in enumerate(evidence.culprits):
        yield labelled("culprits" if number == 0 else "", Text(culprit.path, "bold"), language)
        about = culprits.about(culprit.about).say(language)
        yield labelled("", Padding(Text(about, "dim"), (0, 0, 0, 2)), language)
        yield labelled("", Padding(Text(culprit.error, "dim"), (0, 0, 0, 2)), language)
    for number, (name, value) in enumerate(evidence.seen):
        text = Text(f"{name.say(language)}{COLON.say(language)}{value.say(language)}")
        yield labelled("seen" if number == 0 else "", text, language)
    for number, remedy in enumerate(finding.remedies, 1):
        earlier = shown.setdefault(remedy, f"{finding.code}, {number}")
        if earlier == f"{finding.code}, {number}":
            yield from remedy_parts(number, remedy, language)
        else:
            yield labelled("remedy", remedy_title(remedy, language), language, number)
            yield labelled("", Text(as_before(earlier, language), "dim"), language)
    for number, command in enumerate(finding.verify):
        yield labelled("verify" if number == 0 else "", shell(command), language)
    if finding.expected:
        expected = LABELS["expected"].say(language) + finding.expected.say(language)
        yield labelled("", Text(expected), language)
    if finding.cost:
        earlier = shown.setdefault(finding.cost, finding.code)
        said = finding.cost.say(language)
        if earlier != finding.code:
            said = as_before(earlier, language)
        yield labelled("cost", Text(said), language)


def as_before(earlier: str, language: Language) -> str:
    code, _, number = earlier.partition(", ")
    if number:
        return Words(f"as remedy {number} of {code}", f"同 {code} 的方案 {number}").say(language)
    return Words(f"as for {code}", f"同 {code}").say(language)


def place(where: Location, error: str | None) -> Iterator[RenderableType]:
    """The place as rustc shows one: file and line, the call, and a caret under what is guilty."""
    yield row("-->", Text(where.where))
    if where.call:
        call = " ".join(where.call.split())
        start, end = guilty(call)
        yield row(f"{where.line or ''} |".rjust(5), Text(call))
        caret = " " * cell_len(call[:start]) + "^" * cell_len(call[start:end])
        yield row("|", Text(caret, "red"))
    if error:
        yield row("|" if where.call else "=", Text(error, "red"))


def guilty(call: str) -> tuple[int, int]:
    """The last keyword argument of a call, which is the one that a rule is about; else all."""
    found = list(re.finditer(r"\b\w+=[^,()]+(?=\)?$)", call))
    return found[-1].span() if found else (0, len(call))


def row(gutter: str, content: RenderableType) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=5, no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    table.add_row(Text(gutter, "blue"), content)
    return table


def remedy_title(remedy: Remedy, language: Language) -> Text:
    advice = bracketed(ADVICE[remedy.advice], language)
    return Text.assemble(
        (remedy.title.say(language), "bold"), (advice, ADVICE_STYLE[remedy.advice])
    )


def remedy_parts(number: int, remedy: Remedy, language: Language) -> Iterator[RenderableType]:
    yield labelled("remedy", remedy_title(remedy, language), language, number)
    yield labelled("", Text(remedy.why.say(language)), language)
    for gain in remedy.gains:
        yield labelled("", Text(f"+ {gain.say(language)}", "green"), language)
    for drawback in remedy.drawbacks:
        yield labelled("", Text(f"- {drawback.say(language)}", "yellow"), language)
    if remedy.warning:
        yield labelled("", Text(f"! {remedy.warning.say(language)}", "red"), language)
    if remedy.before:
        yield labelled("before", code(remedy.before), language)
    if remedy.after:
        yield labelled("after", code(remedy.after), language)
    for index, command in enumerate(remedy.commands):
        yield labelled("run" if index == 0 else "", shell(command), language)


def labelled(
    label: str, content: RenderableType, language: Language, number: int | None = None
) -> RenderableType:
    said = LABELS[label].say(language) if label else ""
    if number is not None:
        said += f" {number}"
    table = Table.grid(padding=(0, 1))
    table.add_column(width=LABEL_WIDTH, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(said, "dim"), content)
    return table


def code(text: str) -> RenderableType:
    return Syntax(text, "python", background_color="default", word_wrap=True)


def shell(text: str) -> RenderableType:
    return Text(f"$ {text}", "cyan")
