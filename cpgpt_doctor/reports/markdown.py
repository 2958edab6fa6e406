"""The report as one Markdown document: each finding in the parts of the fix document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cpgpt_doctor.findings import Location, Severity
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.reports.view import Finding, View

MARKS = {Severity.error: "❌", Severity.warning: "⚠️", Severity.note: "ℹ️"}
# The signs of the fix document's headings, by part.
SIGNS = {
    "analysis": "🔍",
    "remedies": "✅",
    "files": "📝",
    "verify": "🧪",
    "cost": "🎯",
    "related": "🐛",
    "background": "📚",
    "practice": "✨",
    "links": "🔗",
    "checklist": "📋",
    "summary": "🎉",
}
SUMMARY = ("problem", "cause", "remedy", "effect", "status")


def render(view: View, *, date: str | None = None) -> str:
    """The document; `date` is the day of the examination, as it is to be shown."""
    labels = view.labels
    blocks = [f"# {title(view)}", head(view, date)]
    shown: dict[object, str] = {}
    for finding in view.findings:
        blocks += [f"## {heading(finding)}", body(finding, labels, shown)]
    blocks += [f"## {part_heading('checklist', labels)}", checklist(view)]
    if view.findings:
        blocks += [f"## {part_heading('summary', labels)}", summary(view)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def title(view: View) -> str:
    mark = MARKS[view.findings[0].severity] if view.findings else "✅"
    said = view.counted or view.labels["nothing found"]
    title = "store title" if view.report.facts.audit else "title"
    return f"{mark} {view.labels.begin(title)}{said}"


def head(view: View, date: str | None) -> str:
    """What was examined, and what follows, a line each."""
    facts, labels = view.report.facts, view.labels
    rows = (
        ("date", text(date) if date else None),
        ("patient", text(view.patient)),
        ("python", code(facts.python.executable) if facts.python else None),
        ("judged rows" if facts.audit else "judged", text(view.judged_call)),
        ("doctor", text(facts.doctor_version)),
        ("result", text(view.next_step)),
    )
    return "\n".join(
        f"- **{labels[label]}**{labels['colon']}{value}" for label, value in rows if value
    )


def heading(finding: Finding) -> str:
    """A finding's heading, without its level."""
    return f"{MARKS[finding.severity]} {finding.kind} {finding.code} · {text(finding.title)}"


def part_heading(part: str, labels: Labels) -> str:
    return f"{SIGNS[part]} {labels[part]}"


def body(finding: Finding, labels: Labels, shown: dict[object, str]) -> str:
    """The parts of a finding; what an earlier one said is named, not repeated.

    shown: what the document has so far, with the code of its finding; it is added to.
    """
    parts = {
        "analysis": list(analysis(finding, labels)),
        "remedies": list(remedies(finding, labels, shown)),
        "files": from_page(finding, "files", labels, shown),
        "verify": list(verification(finding, labels)),
        "cost": cost(finding, labels, shown),
        **{
            part: from_page(finding, part, labels, shown)
            for part in ("related", "background", "practice", "links")
        },
    }
    blocks = []
    if finding.treated:
        blocks.append(f"✅ {labels['treated']}")
    for part, content in parts.items():
        if content:
            blocks += [f"### {part_heading(part, labels)}", *content]
    return "\n\n".join(blocks)


def analysis(finding: Finding, labels: Labels) -> Iterator[str]:
    if finding.error:
        yield f"#### {labels['error']}"
        yield fenced(finding.error, "text")
    if finding.location:
        yield f"#### {labels['place']}"
        yield from place(finding.location)
    if finding.causes:
        yield f"#### {labels['cause']}"
        yield "\n".join(
            f"{number}. {text(cause)}" for number, cause in enumerate(finding.causes, 1)
        )
    if finding.culprits:
        yield f"#### {labels['culprits']}"
        yield table(
            [labels[name] for name in ("where", "what", "error")],
            [
                [in_cell(code(each.path)), text(each.about), in_cell(code(each.error))]
                for each in finding.culprits
            ],
        )
    if finding.seen:
        yield f"#### {labels['seen']}"
        yield "\n".join(
            f"- {text(each.label)}{labels['colon']}{text(each.value)}" for each in finding.seen
        )
    if finding.page.get("details"):
        yield f"#### {labels['details']}"
        yield finding.page["details"]


def place(where: Location) -> Iterator[str]:
    yield code(where.where)
    if where.call:
        yield fenced(f"{' '.join(where.call.split())}  # ❌", "python")


def remedies(finding: Finding, labels: Labels, shown: dict[object, str]) -> Iterator[str]:
    for number, remedy in enumerate(finding.remedies, 1):
        yield f"#### {labels['remedy']} {number}{labels['colon']}{text(labels.advised(remedy))}"
        if remedy in shown:
            yield shown[remedy]
        else:
            said = labels.fill("as remedy", number=number, code=finding.code)
            shown[remedy] = said + labels["stop"]
            yield from remedy_parts(remedy, labels)


def remedy_parts(remedy: PageRemedy, labels: Labels) -> Iterator[str]:
    if remedy.before:
        yield f"{labels['before']} ❌"
        yield fenced(remedy.before, "python")
    if remedy.after:
        yield f"{labels['after']} ✅"
        yield fenced(remedy.after, "python")
    if remedy.commands:
        yield labels["run"]
        yield fenced("\n".join(remedy.commands), "bash")
    points = [f"- ✅ {text(gain)}" for gain in remedy.gains]
    points += [f"- ⚠️ {text(drawback)}" for drawback in remedy.drawbacks]
    if remedy.warning:
        points.append(f"- ❌ {text(remedy.warning)}")
    if points:
        yield "\n".join(points)
    if remedy.why:
        yield text(remedy.why)


def verification(finding: Finding, labels: Labels) -> Iterator[str]:
    if finding.verify:
        yield fenced("\n".join(finding.verify), "bash")
    if finding.expected:
        yield f"{labels.begin('expected')}{text(finding.expected)}"


def cost(finding: Finding, labels: Labels, shown: dict[object, str]) -> list[str]:
    if finding.cost is None:
        return []
    return once(finding.cost, text(finding.cost), finding.code, labels, shown)


def from_page(finding: Finding, part: str, labels: Labels, shown: dict[object, str]) -> list[str]:
    content = finding.page.get(part)
    return once(content, content, finding.code, labels, shown) if content else []


def once(
    key: object, content: str, rule: str, labels: Labels, shown: dict[object, str]
) -> list[str]:
    """The content, or where it was said before."""
    earlier = shown.setdefault(key, rule)
    if earlier == rule:
        return [content]
    return [labels.fill("as for", code=earlier) + labels["stop"]]


def checklist(view: View) -> str:
    """What is to do, what could not be checked, and what is well."""
    labels = view.labels
    colon = labels["colon"]
    items: list[str] = []
    for finding in view.findings:
        if finding.treated:
            said = labels.bracketed(labels["treated"])
            items.append(f"- [x] {finding.code}{colon}{text(finding.title)}{said}")
        elif finding.severity is not Severity.note:
            if finding.preferred:
                items.append(f"- [ ] {finding.code}{colon}{text(finding.preferred.title)}")
            for command in finding.verify:
                again = labels.fill("verified", command=code(command))
                items.append(f"- [ ] {finding.code}{colon}{again}")
    for each in view.checks:
        said = f"{each.code}{colon}{text(each.summary)}"
        if each.status == "unknown":
            items.append(f"- [ ] {said}{labels.bracketed(labels['not checked'])}")
        elif each.status == "ok":
            items.append(f"- [x] {said}")
    return "\n".join(dict.fromkeys(items))


def summary(view: View) -> str:
    labels = view.labels
    rows = []
    for finding in view.findings:
        remedy = finding.preferred
        if finding.treated:
            status = f"✅ {labels['treated']}"
        elif finding.severity is Severity.note:
            status = f"{MARKS[finding.severity]} {labels['for information']}"
        else:
            status = f"{MARKS[finding.severity]} {labels['to do' if remedy else 'your choice']}"
        rows.append(
            [
                f"{finding.code}{labels['colon']}{text(finding.title)}",
                text(finding.causes[0]) if finding.causes else "",
                text(remedy.title) if remedy else "",
                labels[f"{finding.severity.name} effect"],
                status,
            ]
        )
    return table([labels[name] for name in SUMMARY], rows)


def text(plain: str) -> str:
    """Plain text as one line of Markdown that reads as it is: no markup, no HTML, no table cell."""
    line = " ".join(visible(plain).split())
    line = re.sub(r"[\\`*\[\]<|~&$#]", r"\\\g<0>", line)
    # Between letters and digits `_` is no markup, and names are easier to read without escapes.
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)
    line = re.sub(r"^([-+>=])", r"\\\1", line)
    return re.sub(r"^(\d+)([.)])(?= |$)", r"\1\\\2", line)


def code(plain: str) -> str:
    """A code span; its fence is longer than any run of backticks in it."""
    line = " ".join(visible(plain).split())
    fence = "`" * (longest_run(line) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def fenced(content: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    fence = "`" * max(3, longest_run(content) + 1)
    lines = "\n".join(visible(line) for line in content.splitlines())
    return f"{fence}{language}\n{lines}\n{fence}"


def longest_run(content: str) -> int:
    return max((len(run) for run in re.findall("`+", content)), default=0)


def in_cell(span: str) -> str:
    """A code span for a table, where a bar ends a cell even in code."""
    return span.replace("|", r"\|")


def table(header: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
