"""The report as GitHub workflow commands (annotations), and as a summary of the step."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cpgpt_doctor.findings import Severity
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.places import below, is_name
from cpgpt_doctor.reports.plain import body, explain
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.reports.view import Finding, View

COMMANDS = {Severity.error: "error", Severity.warning: "warning", Severity.note: "notice"}
COLUMNS = ("severity", "code", "finding", "where", "first remedy")


def render(view: View) -> str:
    """A command a line; nothing where nothing was found."""
    return "".join(f"{command(finding, view.labels)}\n" for finding in view.findings)


def command(finding: Finding, labels: Labels) -> str:
    where = finding.location
    properties: dict[str, str] = {}
    if where is not None and not is_name(where.path):
        properties["file"] = in_repository(where.path)
        if where.line_of_file is not None:
            properties["line"] = str(where.line_of_file)
            if where.column is not None and where.cell is None:
                properties["col"] = str(where.column)
    properties["title"] = f"{finding.code} {finding.title}"
    said = ",".join(f"{name}={escaped_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[finding.severity]} {said}::{escaped(body(finding, labels))}"


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


def summary(view: View) -> str:
    """Markdown for the file that GITHUB_STEP_SUMMARY names."""
    labels = view.labels
    lines = [
        "## cpgpt-doctor",
        "",
        cell(view.patient),
        "",
        cell(view.judged_call),
        "",
        f"**{cell(view.next_step)}**",
        "",
    ]
    if view.findings:
        lines.append(row([labels[column] for column in COLUMNS]))
        lines.append("|---" * len(COLUMNS) + "|")
        lines += [row(cells(finding, labels)) for finding in view.findings]
        codes = dict.fromkeys(finding.code for finding in view.findings)
        commands = labels["comma"].join(f"`{explain(code)}`" for code in codes)
        lines += ["", labels.begin("more on each") + commands, ""]
    if view.unknown:
        not_checked = labels["not checked"]
        lines += [not_checked[0].upper() + not_checked[1:] + labels["colon"].rstrip(), ""]
        lines += [f"- {each.code} {cell(each.summary)}" for each in view.unknown]
        lines.append("")
    return "\n".join(lines) + "\n"


def cells(finding: Finding, labels: Labels) -> list[str]:
    return [
        finding.kind,
        finding.code,
        cell(finding.title),
        cell(finding.location.where) if finding.location else "",
        cell(labels.advised(finding.remedies[0])) if finding.remedies else "",
    ]


def row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def cell(text: str) -> str:
    """Text that Markdown shows as it is, on one line; what is no Unicode becomes `?`."""
    whole = " ".join(visible(text).encode("utf-8", "replace").decode().split())
    return re.sub(r"([\\`*_{}\[\]<>&|~#@!:])", entity, whole)


def entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[1])};"
