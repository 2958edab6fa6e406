"""The report as SARIF 2.1.0, for code scanning and for editors.

GitHub refuses a file in which one result has no location. A finding about the environment has no
line to point at, so its place is the interpreter that was examined, or the folder that the check
ran in where even that is unknown.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cpgpt_doctor import pages
from cpgpt_doctor.findings import Location
from cpgpt_doctor.report import Report
from cpgpt_doctor.reports.json_report import culprit
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.places import is_name, uri
from cpgpt_doctor.reports.plain import body
from cpgpt_doctor.reports.stream import json_text
from cpgpt_doctor.reports.view import Check, Finding, View
from cpgpt_doctor.words import Language

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(view: View) -> str:
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run(view)]})


def run(view: View) -> dict[str, Any]:
    report, labels = view.report, view.labels
    codes = [each.code for each in view.checks]
    return {
        "tool": {
            "driver": {
                "name": "cpgpt-doctor",
                "semanticVersion": report.facts.doctor_version,
                "language": "zh-CN" if labels.language == "zh" else "en",
                "rules": [rule(each, view) for each in view.checks],
            }
        },
        "originalUriBaseIds": {
            base: {"description": {"text": labels[base]}} for base in ("SRCROOT", "HOME")
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": report.exit_code,
                "toolExecutionNotifications": [
                    {
                        "level": "note",
                        "message": {"text": each.summary},
                        "associatedRule": {"id": each.code, "index": codes.index(each.code)},
                    }
                    for each in view.unknown
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results(view, codes),
    }


def rule(check: Check, view: View) -> dict[str, Any]:
    """A rule with its page. Its level is the gravest that it has here: severity is the consequence
    for what the user intends, and a rule alone has none."""
    language = view.labels.language
    page = pages.read(check.code, language)
    level = max((each.severity for each in check.findings), default=None)
    return {
        "id": check.code,
        "name": identifier(check.name),
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": opening(page.text, language)},
        "help": {"text": page.text, "markdown": page.text},
        "defaultConfiguration": {"level": level.name if level else "warning"},
    }


def identifier(name: str) -> str:
    """The rule's name as one word with capitals, which is what SARIF has for it."""
    return "".join(word[0].upper() + word[1:] for word in name.split("-"))


def opening(text: str, language: Language) -> str:
    """What a page says before its first part."""
    before = text.partition("\n## ")[0]
    lines = [line for line in before.splitlines()[1:] if line]
    return ("" if language == "zh" else " ").join(lines)


def results(view: View, codes: list[str]) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    made = []
    for finding in view.findings:
        mark = finding.fingerprint
        seen[mark] += 1
        made.append(
            {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code),
                "level": finding.severity.name,
                "message": {"text": message(finding, view.labels)},
                "locations": [location(finding, view.report)],
                # GitHub looks at this name only, and expects a count after the hash.
                "partialFingerprints": {"primaryLocationLineHash": f"{mark}:{seen[mark]}"},
                **({"fixes": mended} if (mended := fixes(finding)) else {}),
                "properties": {
                    "treated": finding.treated,
                    "culprits": [culprit(each) for each in finding.culprits],
                },
            }
        )
    return made


def message(finding: Finding, labels: Labels) -> str:
    """GitHub shows the first sentence as the title of an alert."""
    end = labels["stop"]
    return f"{finding.title.rstrip(end)}{end}\n{body(finding, labels)}"


def location(finding: Finding, report: Report) -> dict[str, Any]:
    where = finding.location
    if where is None or is_name(where.path):
        made: dict[str, Any] = {"physicalLocation": {"artifactLocation": environment(report)}}
        if where is not None:
            made["logicalLocations"] = [{"fullyQualifiedName": where.path, "kind": "function"}]
        return made
    physical: dict[str, Any] = {"artifactLocation": artifact(where.path)}
    if where.line_of_file is not None:
        physical["region"] = region(where)
    return {"physicalLocation": physical}


def region(where: Location) -> dict[str, int]:
    """A place as a region of its file; of a notebook's cell, the file's line."""
    if where.cell is not None or where.line is None:
        return {"startLine": where.line_of_file or 1}
    found = {"startLine": where.line}
    for name, value in (
        ("startColumn", where.column),
        ("endLine", where.end_line),
        ("endColumn", where.end_column),
    ):
        if value is not None:
            found[name] = value
    return found


def fixes(finding: Finding) -> list[dict[str, Any]]:
    """The edits that mend a finding, where all of them are safe and in files of plain text."""
    if not finding.found.edits or any(
        not each.safe or each.place.cell for each in finding.found.edits
    ):
        return []
    by_path: dict[str, list[dict[str, Any]]] = {}
    for each in finding.found.edits:
        change = {"deletedRegion": region(each.place), "insertedContent": {"text": each.text}}
        by_path.setdefault(each.place.path, []).append(change)
    first = finding.remedies[0].title if finding.remedies else finding.title
    return [
        {
            "description": {"text": first},
            "artifactChanges": [
                {"artifactLocation": artifact(path), "replacements": changes}
                for path, changes in by_path.items()
            ],
        }
    ]


def environment(report: Report) -> dict[str, str]:
    python = report.facts.python
    return artifact(python.executable) if python else {"uri": "./", "uriBaseId": "SRCROOT"}


def artifact(path: str) -> dict[str, str]:
    address, base = uri(path)
    return {"uri": address, "uriBaseId": base} if base else {"uri": address}
