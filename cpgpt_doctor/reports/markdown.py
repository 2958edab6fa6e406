"""The report as one Markdown document: each finding in the parts of the fix document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cpgpt_doctor import culprits, pages
from cpgpt_doctor.findings import Finding, Location, Remedy, Severity
from cpgpt_doctor.reports.labels import (
    ADVICE,
    COLON,
    SEVERITY,
    TREATED,
    bracketed,
    counted,
    judged_call,
    next_step,
    patient,
)
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.words import Language, Words, same

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
TITLE = Words("CpGPT environment", "CpGPT 环境检查")
NOTHING = Words("nothing found", "没有发现问题")
DATE = Words("Date", "日期")
PATIENT = Words("Environment", "环境")
PYTHON = Words("Interpreter", "解释器")
JUDGED = Words("Judged call", "判断对象")
RESULT = Words("Result", "结论")
CULPRITS = Words("Culprits", "问题对象")
SEEN = Words("Seen", "观察到")
WHERE = Words("Where", "位置")
WHAT = Words("What it is", "是什么")
ERROR = Words("Error", "错误")
REMEDY = Words("Remedy", "方案")
BEFORE = Words("Before ❌", "修改前 ❌")
AFTER = Words("After ✅", "修改后 ✅")
RUN = Words("Run", "运行")
EXPECTED = Words("Expected", "预期")
NOT_CHECKED = Words("could not be checked", "未能检查")
SUMMARY = (
    Words("Problem", "问题"),
    Words("Cause", "原因"),
    Words("Remedy", "解决"),
    Words("Effect", "影响"),
    Words("Status", "状态"),
)
EFFECT = {
    Severity.error: Words(
        "the call would crash or store wrong rows", "调用会崩溃，或者写入错误的行"
    ),
    Severity.warning: Words(
        "it works, and not as asked or not within what CpGPT asks for",
        "可以运行，但与要求不符，或超出 CpGPT 声明的范围",
    ),
    Severity.note: Words("none on this call", "不影响这次调用"),
}
TO_DO = Words("to do", "待处理")
YOUR_CHOICE = Words("your choice", "由你决定")
FOR_INFORMATION = Words("nothing to do", "无需处理")


def render(report: Report, language: Language, *, date: str | None = None) -> str:
    """The document; `date` is the day of the examination, as it is to be shown."""
    blocks = [f"# {title(report, language)}", head(report, language, date)]
    shown: dict[object, str] = {}
    for finding in report.findings:
        blocks += [f"## {heading(finding, language)}", body(finding, language, shown)]
    blocks += [f"## {part_heading('checklist', language)}", checklist(report, language)]
    if report.findings:
        blocks += [f"## {part_heading('summary', language)}", summary(report, language)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def title(report: Report, language: Language) -> str:
    gravest = report.findings[0].severity if report.findings else None
    mark = MARKS[gravest] if gravest else "✅"
    said = counted(report, language) or NOTHING.say(language)
    return f"{mark} {TITLE.say(language)}{COLON.say(language)}{said}"


def head(report: Report, language: Language, date: str | None) -> str:
    """What was examined, and what follows, a line each."""
    facts = report.facts
    rows = (
        (DATE, text(date) if date else None),
        (PATIENT, text(patient(report))),
        (PYTHON, code(facts.python.executable) if facts.python else None),
        (JUDGED, text(judged_call(report, language))),
        (same("cpgpt-doctor"), text(facts.doctor_version)),
        (RESULT, text(next_step(report, language))),
    )
    return "\n".join(
        f"- **{label.say(language)}**{COLON.say(language)}{value}" for label, value in rows if value
    )


def heading(finding: Finding, language: Language) -> str:
    """A finding's heading, without its level."""
    kind = SEVERITY[finding.severity].say(language)
    return f"{MARKS[finding.severity]} {kind} {finding.code} · {text(finding.title.say(language))}"


def part_heading(part: str, language: Language) -> str:
    return f"{SIGNS[part]} {pages.PARTS[part].say(language)}"


def body(finding: Finding, language: Language, shown: dict[object, str]) -> str:
    """The parts of a finding; what an earlier one said is named, not repeated.

    shown: what the document has so far, with the code of its finding; it is added to.
    """
    page = pages.read(finding.code, language).parts
    parts = {
        "analysis": list(analysis(finding, language, page.get("details"))),
        "remedies": list(remedies(finding, language, shown)),
        "files": from_page(page, "files", finding.code, language, shown),
        "verify": list(verification(finding, language)),
        "cost": cost(finding, language, shown),
        **{
            part: from_page(page, part, finding.code, language, shown)
            for part in ("related", "background", "practice", "links")
        },
    }
    blocks = []
    if finding.treated:
        blocks.append(f"✅ {TREATED.say(language)}")
    for part, content in parts.items():
        if content:
            blocks += [f"### {part_heading(part, language)}", *content]
    return "\n\n".join(blocks)


def analysis(finding: Finding, language: Language, details: str | None) -> Iterator[str]:
    evidence = finding.evidence
    if evidence.error:
        yield f"#### {pages.PARTS['error'].say(language)}"
        yield fenced(evidence.error, "text")
    if finding.location:
        yield f"#### {pages.PARTS['place'].say(language)}"
        yield from place(finding.location)
    if finding.causes:
        yield f"#### {pages.PARTS['cause'].say(language)}"
        yield "\n".join(
            f"{number}. {text(cause.say(language))}"
            for number, cause in enumerate(finding.causes, 1)
        )
    if evidence.culprits:
        yield f"#### {CULPRITS.say(language)}"
        yield table(
            [words.say(language) for words in (WHERE, WHAT, ERROR)],
            [
                [
                    in_cell(code(culprit.path)),
                    text(culprits.about(culprit.about).say(language)),
                    in_cell(code(culprit.error)),
                ]
                for culprit in evidence.culprits
            ],
        )
    if evidence.seen:
        yield f"#### {SEEN.say(language)}"
        yield "\n".join(
            f"- {text(name.say(language))}{COLON.say(language)}{text(value.say(language))}"
            for name, value in evidence.seen
        )
    if details:
        yield f"#### {pages.PARTS['details'].say(language)}"
        yield details


def place(where: Location) -> Iterator[str]:
    yield code(where.where)
    if where.call:
        yield fenced(f"{' '.join(where.call.split())}  # ❌", "python")


def remedies(finding: Finding, language: Language, shown: dict[object, str]) -> Iterator[str]:
    for number, remedy in enumerate(finding.remedies, 1):
        yield (
            f"#### {REMEDY.say(language)} {number}{COLON.say(language)}"
            f"{text(remedy.title.say(language))}"
            f"{bracketed(ADVICE[remedy.advice], language)}"
        )
        said = Words(
            f"As remedy {number} of {finding.code}.", f"同 {finding.code} 的方案 {number}。"
        ).say(language)
        earlier = shown.get(remedy)
        if earlier:
            yield earlier
        else:
            shown[remedy] = said
            yield from remedy_parts(remedy, language)


def remedy_parts(remedy: Remedy, language: Language) -> Iterator[str]:
    if remedy.before:
        yield BEFORE.say(language)
        yield fenced(remedy.before, "python")
    if remedy.after:
        yield AFTER.say(language)
        yield fenced(remedy.after, "python")
    if remedy.commands:
        yield RUN.say(language)
        yield fenced("\n".join(remedy.commands), "bash")
    points = [f"- ✅ {text(gain.say(language))}" for gain in remedy.gains]
    points += [f"- ⚠️ {text(drawback.say(language))}" for drawback in remedy.drawbacks]
    if remedy.warning:
        points.append(f"- ❌ {text(remedy.warning.say(language))}")
    if points:
        yield "\n".join(points)
    yield text(remedy.why.say(language))


def verification(finding: Finding, language: Language) -> Iterator[str]:
    if finding.verify:
        yield fenced("\n".join(finding.verify), "bash")
    if finding.expected:
        said = text(finding.expected.say(language))
        yield f"{EXPECTED.say(language)}{COLON.say(language)}{said}"


def cost(finding: Finding, language: Language, shown: dict[object, str]) -> list[str]:
    if finding.cost is None:
        return []
    return once(finding.cost, text(finding.cost.say(language)), finding.code, language, shown)


def from_page(
    page: dict[str, str], part: str, rule: str, language: Language, shown: dict[object, str]
) -> list[str]:
    return once(page[part], page[part], rule, language, shown) if page.get(part) else []


def once(
    key: object, content: str, rule: str, language: Language, shown: dict[object, str]
) -> list[str]:
    """The content, or where it was said before."""
    earlier = shown.setdefault(key, rule)
    if earlier == rule:
        return [content]
    return [Words(f"As for {earlier}.", f"同 {earlier}。").say(language)]


def checklist(report: Report, language: Language) -> str:
    """What is to do, what could not be checked, and what is well."""
    colon = COLON.say(language)
    items: list[str] = []
    for finding in report.findings:
        if finding.treated:
            said = bracketed(TREATED, language)
            items.append(f"- [x] {finding.code}{colon}{text(finding.title.say(language))}{said}")
        elif finding.severity is not Severity.note:
            remedy = preferred(finding)
            if remedy:
                items.append(f"- [ ] {finding.code}{colon}{text(remedy.title.say(language))}")
            for command in finding.verify:
                again = Words(f"verified with {code(command)}", f"用 {code(command)} 验证")
                items.append(f"- [ ] {finding.code}{colon}{again.say(language)}")
    for each in report.judged:
        said = f"{each.code}{colon}{text(each.check.summary.say(language))}"
        if each.check.status == "unknown":
            items.append(f"- [ ] {said}{bracketed(NOT_CHECKED, language)}")
        elif each.check.status == "ok":
            items.append(f"- [x] {said}")
    return "\n".join(dict.fromkeys(items))


def preferred(finding: Finding) -> Remedy | None:
    """The first recommended remedy."""
    return next((each for each in finding.remedies if each.advice == "recommended"), None)


def summary(report: Report, language: Language) -> str:
    rows = []
    for finding in report.findings:
        remedy = preferred(finding)
        if finding.treated:
            status = f"✅ {TREATED.say(language)}"
        elif finding.severity is Severity.note:
            status = f"{MARKS[finding.severity]} {FOR_INFORMATION.say(language)}"
        else:
            left = TO_DO if remedy else YOUR_CHOICE
            status = f"{MARKS[finding.severity]} {left.say(language)}"
        rows.append(
            [
                f"{finding.code}{COLON.say(language)}{text(finding.title.say(language))}",
                text(finding.causes[0].say(language)) if finding.causes else "",
                text(remedy.title.say(language)) if remedy else "",
                EFFECT[finding.severity].say(language),
                status,
            ]
        )
    return table([words.say(language) for words in SUMMARY], rows)


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
