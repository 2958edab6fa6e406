"""The report for a terminal: what is well in a line each, then each finding in full."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from cpgpt_doctor.findings import Location, Severity
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.view import Finding, View

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
LABEL_WIDTH = 10
INDENT = 2


def render(view: View, console: Console, *, verbose: bool = False) -> None:
    """Print the report. Notes are a line each unless `verbose`, and skipped checks are left out."""
    labels = view.labels
    console.print(header(view))
    console.print()
    for each in view.checks:
        if each.status == "finding" or (each.status == "skipped" and not verbose):
            continue
        mark, style = MARKS[each.status]
        console.print(hanging(mark, style, f"{each.code}  {each.summary}"))
    for finding in view.findings:
        if finding.severity is Severity.note and not verbose:
            kind = labels.bracketed(labels["treated"] if finding.treated else finding.kind)
            line = f"{finding.code}  {finding.title}{kind}"
            console.print(hanging("i", SEVERITY_STYLE[Severity.note], line))
    show_findings(
        [each for each in view.findings if verbose or each.severity is not Severity.note],
        console,
        labels,
    )
    console.print()
    console.print(Text(view.next_step, "bold"))


def show_findings(findings: Iterable[Finding], console: Console, labels: Labels) -> None:
    """Each finding in full; a remedy or a cost that an earlier one had is named, not repeated."""
    shown: dict[object, str] = {}
    for finding in findings:
        console.print()
        console.print(title(finding, labels))
        for part in parts(finding, labels, shown):
            if isinstance(part, Command):
                console.print(part.text(), soft_wrap=True)
            else:
                console.print(Beside(Text(), INDENT - 1, part))


def header(view: View) -> RenderableType:
    facts, labels = view.report.facts, view.labels
    said = {
        labels[label].lower(): value
        for label, value in (
            ("patient", view.patient),
            ("python", facts.python.executable if facts.python else None),
            ("judged rows" if facts.audit else "judged", view.judged_call),
        )
        if value
    }
    width = max(cell_len(label) for label in said)
    return Group(
        Text(f"cpgpt-doctor {facts.doctor_version}", "bold"),
        *(Beside(Text(label, "dim"), width, Text(value)) for label, value in said.items()),
    )


@dataclass(frozen=True)
class Beside:
    """A mark or a label in so many columns, and what is said beside it, all of its lines there.

    A grid of rich's shows the same, and takes half of a report's time to reckon with its columns.
    """

    label: Text
    width: int
    said: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left = self.width + 1
        beside = options.update(width=max(1, options.max_width - left), overflow="fold")
        gap = " " * (left - cell_len(self.label.plain))
        for number, line in enumerate(console.render_lines(self.said, beside, pad=False)):
            ended = without_end(line)
            if number == 0:
                yield from self.label.render(console, gap)
            elif ended:
                yield Segment(" " * left)
            yield from ended
            yield Segment.line()


def without_end(line: list[Segment]) -> list[Segment]:
    """A line without the spaces at which it was wrapped."""
    while line and not line[-1].control and line[-1].text != (text := line[-1].text.rstrip(" ")):
        line[-1:] = [line[-1]._replace(text=text)] if text else []
    return line


def hanging(mark: str, style: str, text: str) -> RenderableType:
    return Beside(Text(mark, style), 1, Text(text))


def title(finding: Finding, labels: Labels) -> Text:
    text = Text.assemble(
        (f"{finding.kind}[{finding.code}]", SEVERITY_STYLE[finding.severity]),
        (labels["colon"] + finding.title, "bold"),
    )
    if finding.treated:
        text.append(labels.bracketed(labels["treated"]), "green")
    return text


@dataclass(frozen=True)
class Command:
    """A command of a shell: it is a line, however long, so that what is copied can be run."""

    label: str
    command: str

    def text(self) -> Text:
        label = self.label.lower()
        gap = " " * (LABEL_WIDTH - cell_len(label) + 1)
        return Text.assemble(
            " " * INDENT, (label, "dim"), gap, (f"$ {self.command}", "cyan"), no_wrap=True
        )


def parts(
    finding: Finding, labels: Labels, shown: dict[object, str]
) -> Iterator[RenderableType | Command]:
    if finding.location:
        yield from place(finding.location, finding.error)
    elif finding.error:
        yield labelled(labels["error"], Text(finding.error, "red"))
    for number, cause in enumerate(finding.causes, 1):
        yield labelled(labels["cause"] if number == 1 else "", Text(f"{number}. {cause}"))
    for number, culprit in enumerate(finding.culprits):
        yield labelled("" if number else labels["culprits"], Text(culprit.path, "bold"))
        for said in (culprit.about, culprit.error):
            yield labelled("", Beside(Text(), 1, Text(said, "dim")))
    for number, seen in enumerate(finding.seen):
        text = Text(f"{seen.label}{labels['colon']}{seen.value}")
        yield labelled("" if number else labels["seen"], text)
    for number, remedy in enumerate(finding.remedies, 1):
        label = f"{labels['remedy']} {number}"
        yield labelled(label, remedy_title(remedy, labels))
        if remedy in shown:
            yield labelled("", Text(shown[remedy], "dim"))
        else:
            shown[remedy] = labels.fill("as remedy", number=number, code=finding.code)
            yield from remedy_parts(remedy, labels)
    for number, command in enumerate(finding.verify):
        yield Command("" if number else labels["verify"], command)
    if finding.expected:
        yield labelled("", Text(labels.begin("expected") + finding.expected))
    if finding.cost:
        earlier = shown.setdefault(finding.cost, finding.code)
        said = finding.cost
        if earlier != finding.code:
            said = labels.fill("as for", code=earlier)
        yield labelled(labels["cost"], Text(said))


def place(where: Location, error: str | None) -> Iterator[RenderableType]:
    """The place as rustc shows one: file and line, the call, and a caret under what is guilty."""
    yield row("-->", Text(where.where))
    if where.call:
        call = " ".join(where.call.split())
        start, end = guilty(call, where.argument)
        yield row(f"{where.line or ''} |".rjust(5), Text(call))
        caret = " " * cell_len(call[:start]) + "^" * cell_len(call[start:end])
        yield row("|", Text(caret, "red"))
    if error:
        yield row("|" if where.call else "=", Text(error, "red"))


def guilty(call: str, argument: str | None = None) -> tuple[int, int]:
    """The argument of a call that is at fault, its last keyword where none is named; else all."""
    if argument is not None:
        at = call.rfind(argument)
        return (at, at + len(argument)) if argument and at >= 0 else (0, len(call))
    found = list(re.finditer(r"\b\w+=[^,()]+(?=\)?$)", call))
    return found[-1].span() if found else (0, len(call))


def row(gutter: str, content: RenderableType) -> RenderableType:
    return Beside(Text(gutter.rjust(5), "blue"), 5, content)


def remedy_title(remedy: PageRemedy, labels: Labels) -> Text:
    advice = labels.bracketed(labels[remedy.advice])
    return Text.assemble((remedy.title, "bold"), (advice, ADVICE_STYLE[remedy.advice]))


def remedy_parts(remedy: PageRemedy, labels: Labels) -> Iterator[RenderableType | Command]:
    if remedy.why:
        yield labelled("", Text(remedy.why))
    for gain in remedy.gains:
        yield labelled("", Text(f"+ {gain}", "green"))
    for drawback in remedy.drawbacks:
        yield labelled("", Text(f"- {drawback}", "yellow"))
    if remedy.warning:
        yield labelled("", Text(f"! {remedy.warning}", "red"))
    if remedy.before:
        yield labelled(f"  {labels['before']}", Code(remedy.before))
    if remedy.after:
        yield labelled(f"  {labels['after']}", Code(remedy.after))
    for index, command in enumerate(remedy.commands):
        yield Command("" if index else f"  {labels['run']}", command)


def labelled(label: str, content: RenderableType) -> RenderableType:
    return Beside(Text(label.lower(), "dim"), LABEL_WIDTH, content)


@dataclass(frozen=True)
class Code:
    """Python code, in colours where there are any: what colours it takes long to import."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.color_system is None or console.no_color:
            yield Text(self.text)
        else:
            from rich.syntax import Syntax

            yield Syntax(self.text, "python", background_color="default", word_wrap=True)
