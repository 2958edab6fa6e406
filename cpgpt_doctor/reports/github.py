"""The report as GitHub workflow commands (annotations), and as a summary of the step."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.reports.labels import COLON, SEVERITY, judged_call, next_step, patient
from cpgpt_doctor.reports.places import below, is_name
from cpgpt_doctor.reports.plain import advised, body, explain
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.words import Language, Words

COMMANDS = {Severity.error: "error", Severity.warning: "warning", Severity.note: "notice"}
COLUMNS = (
    Words("Severity", "级别"),
    Words("Code", "编号"),
    Words("Finding", "问题"),
    Words("Place", "位置"),
    Words("First remedy", "首选方案"),
)
MORE = Words("More on each: ", "逐项了解：")
NOT_CHECKED = Words("Could not be checked", "未能检查")


def render(report: Report, language: Language) -> str:
    """A command a line; nothing where nothing was found."""
    return "".join(f"{command(finding, language)}\n" for finding in report.findings)


def command(finding: Finding, language: Language) -> str:
    where = finding.location
    properties: dict[str, str] = {}
    if where is not None and not is_name(where.path):
        properties["file"] = in_repository(where.path)
        if where.line is not None:
            properties["line"] = str(where.line)
            if where.column is not None:
                properties["col"] = str(where.column)
    properties["title"] = f"{finding.code} {finding.title.say(language)}"
    said = ",".join(f"{name}={escaped_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[finding.severity]} {said}::{escaped(body(finding, language))}"


def in_repository(path: str) -> str:
    """The path from the root of the checked-out repository, as an annotation needs it."""
    inside = below(path)
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if inside is None:
        return path
    return (below(str(Path.cwd() / inside), Path(workspace)) if workspace else None) or inside


def escaped(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    return escaped(text).replace(":", "%3A").replace(",", "%2C")


def summary(report: Report, language: Language) -> str:
    """Markdown for the file that GITHUB_STEP_SUMMARY names."""
    lines = [
        "## cpgpt-doctor",
        "",
        cell(patient(report)),
        "",
        cell(judged_call(report, language)),
        "",
        f"**{cell(next_step(report, language))}**",
        "",
    ]
    if report.findings:
        lines.append(row([column.say(language) for column in COLUMNS]))
        lines.append("|---" * len(COLUMNS) + "|")
        lines += [row(cells(finding, language)) for finding in report.findings]
        codes = dict.fromkeys(finding.code for finding in report.findings)
        separator = Words(", ", "、").say(language)
        commands = separator.join(f"`{explain(code)}`" for code in codes)
        lines += ["", MORE.say(language) + commands, ""]
    unknown = [each for each in report.judged if each.check.status == "unknown"]
    if unknown:
        lines += [NOT_CHECKED.say(language) + COLON.say(language).rstrip(), ""]
        lines += [f"- {each.code} {cell(each.check.summary.say(language))}" for each in unknown]
        lines.append("")
    return "\n".join(lines) + "\n"


def cells(finding: Finding, language: Language) -> list[str]:
    remedies = finding.remedies
    return [
        SEVERITY[finding.severity].say(language),
        finding.code,
        cell(finding.title.say(language)),
        cell(finding.location.where) if finding.location else "",
        cell(advised(remedies[0], language)) if remedies else "",
    ]


def row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def cell(text: str) -> str:
    """Text that Markdown shows as it is, on one line; what is no Unicode becomes `?`."""
    whole = " ".join(visible(text).encode("utf-8", "replace").decode().split())
    return re.sub(r"([\\`*_{}\[\]<>&|~#@!:])", entity, whole)


def entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[1])};"
