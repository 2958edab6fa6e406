"""The report for a terminal: what is well in a line each, then each finding in full."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from cpgpt_doctor.findings import Finding, Remedy, Severity
from cpgpt_doctor.reports.report import Report

MARKS = {
    "ok": ("✓", "green"),
    "unknown": ("?", "yellow"),
    "skipped": ("-", "dim"),
}
SEVERITY_STYLE = {
    Severity.error: ("✗", "bold red"),
    Severity.warning: ("!", "bold yellow"),
    Severity.note: ("i", "cyan"),
}
ADVICE = {
    "recommended": ("recommended", "green"),
    "possible": ("possible", "default"),
    "not-recommended": ("not recommended", "red"),
}


def render(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Print the report. Notes are a line each unless `verbose`, and skipped checks are left out."""
    console.print(header(report))
    console.print()
    for each in report.judged:
        status = each.check.status
        if status == "finding" or (status == "skipped" and not verbose):
            continue
        mark, style = MARKS[status]
        console.print(hanging(mark, style, f"{each.code}  {each.check.summary}"))
    for finding in report.findings:
        if finding.severity is Severity.note and not verbose:
            mark, style = SEVERITY_STYLE[Severity.note]
            kind = "treated" if finding.treated else "note"
            console.print(hanging(mark, style, f"{finding.code}  {finding.title} ({kind})"))
    for finding in report.findings:
        if finding.severity is not Severity.note or verbose:
            console.print()
            console.print(full(finding))
    console.print()
    console.print(closing(report))


def header(report: Report) -> RenderableType:
    facts, call = report.facts, report.call
    torch = facts.accelerator.torch if facts.accelerator else None
    packages = facts.packages
    parts = []
    if facts.python:
        parts.append(f"{facts.python.implementation} {facts.python.version}")
    if facts.host:
        parts.append(facts.host.description)
    if packages and packages.cpgpt:
        parts.append(f"CpGPT {packages.cpgpt.version}")
    if torch:
        parts.append(f"torch {torch.version}")
    via = "by your own code" if call.via == "direct" else "through cpgpt-doctor run-embed"
    origin = "chosen" if call.chosen else "the default here"
    rows = Table.grid(padding=(0, 1))
    rows.add_column()
    rows.add_column(overflow="fold")
    rows.add_row(Text("patient", "dim"), Text(" · ".join(parts)))
    if facts.python:
        rows.add_row(Text("python", "dim"), Text(facts.python.executable))
    rows.add_row(
        Text("judged", "dim"),
        Text(
            f"parse_dna_embeddings(num_workers={call.num_workers}, batch_size={call.batch_size},"
            f" dna_llm={call.dna_llm!r}) {via}, start method {call.start_method} ({origin})"
        ),
    )
    return Group(Text(f"cpgpt-doctor {facts.doctor_version}", "bold"), rows)


def hanging(mark: str, style: str, text: str) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style), Text(text))
    return table


def full(finding: Finding) -> RenderableType:
    mark, style = SEVERITY_STYLE[finding.severity]
    title = Text.assemble(
        (f"{mark} {finding.severity.name} {finding.code}", style), "  ", (finding.title, "bold")
    )
    if finding.treated:
        title.append("  (treated by run-embed)", "green")
    return Group(title, *(Padding(part, (0, 0, 0, 2)) for part in parts(finding)))


def parts(finding: Finding) -> Iterator[RenderableType]:
    evidence = finding.evidence
    if evidence.error:
        yield labelled("error", Text(evidence.error, "red"))
    if finding.location:
        place = finding.location
        where = place.path if place.line is None else f"{place.path}:{place.line}"
        yield labelled("place", Text(where))
        if place.call:
            yield labelled("", Text.assemble(place.call, ("  <- here", "red")))
    for number, cause in enumerate(finding.causes, 1):
        yield labelled("cause" if number == 1 else "", Text(f"{number}. {cause}"))
    for number, culprit in enumerate(evidence.culprits):
        yield labelled("culprits" if number == 0 else "", Text(culprit.path, "bold"))
        yield labelled("", Text(f"  {culprit.about}", "dim"))
        yield labelled("", Text(f"  {culprit.error}", "dim"))
    for number, (name, value) in enumerate(evidence.seen):
        yield labelled("seen" if number == 0 else "", Text(f"{name}: {value}"))
    for number, remedy in enumerate(finding.remedies, 1):
        yield from remedy_parts(number, remedy)
    for number, command in enumerate(finding.verify):
        yield labelled("verify" if number == 0 else "", shell(command))
    if finding.expected:
        yield labelled("", Text(f"expected: {finding.expected}"))
    if finding.cost:
        yield labelled("cost", Text(finding.cost))


def remedy_parts(number: int, remedy: Remedy) -> Iterator[RenderableType]:
    words, style = ADVICE[remedy.advice]
    title = Text.assemble((remedy.title, "bold"), "  ", (f"({words})", style))
    yield labelled(f"remedy {number}", title)
    yield labelled("", Text(remedy.why))
    if remedy.before:
        yield labelled("  before", code(remedy.before))
    if remedy.after:
        yield labelled("  after", code(remedy.after))
    for index, command in enumerate(remedy.commands):
        yield labelled("  run" if index == 0 else "", shell(command))


def labelled(label: str, content: RenderableType) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(label, "dim"), content)
    return table


def code(text: str) -> RenderableType:
    return Syntax(text, "python", background_color="default", word_wrap=True)


def shell(text: str) -> RenderableType:
    return Text(f"$ {text}", "cyan")


def closing(report: Report) -> Text:
    """The last line says what to do next."""
    counts = {
        level: sum(finding.severity is level for finding in report.findings) for level in Severity
    }
    said = ", ".join(
        f"{counts[level]} {level.name}{'' if counts[level] == 1 else 's'}"
        for level in sorted(Severity, reverse=True)
        if counts[level]
    )
    if counts[Severity.error]:
        first = report.findings[0]
        return Text(
            f"{said}. Begin with {first.code}: {first.remedies[0].title}."
            if first.remedies
            else f"{said}. Begin with {first.code}.",
            "bold",
        )
    unknown = sum(each.check.status == "unknown" for each in report.judged)
    if unknown:
        checks = "1 check" if unknown == 1 else f"{unknown} checks"
        return Text(f"{said or 'Nothing found'}; {checks} could not be made (marked ?).", "bold")
    if report.call.via == "run-embed":
        return Text(f"{said or 'Nothing found'}. run-embed can start.", "bold")
    return Text(f"{said or 'Nothing found'}. Nothing here stops this call.", "bold")
