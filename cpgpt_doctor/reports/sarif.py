"""The report as SARIF 2.1.0, for code scanning and for editors.

GitHub refuses a file in which one result has no location. A finding about the environment has no
line to point at, so its place is the interpreter that was examined, or the folder that the check
ran in where even that is unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from cpgpt_doctor import pages
from cpgpt_doctor.findings import Finding
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.reports.json_report import culprit
from cpgpt_doctor.reports.places import is_name, uri
from cpgpt_doctor.reports.plain import body
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.reports.stream import json_text
from cpgpt_doctor.words import Language, Words

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
SRCROOT = Words("The folder in which the check ran.", "运行检查时所在的文件夹。")
HOME = Words("The user's home folder, left out.", "用户的主目录，路径已隐去。")


def render(report: Report, language: Language) -> str:
    data = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run(report, language)]}
    return json_text(data)


def run(report: Report, language: Language) -> dict[str, Any]:
    codes = [each.code for each in report.judged]
    return {
        "tool": {
            "driver": {
                "name": "cpgpt-doctor",
                "semanticVersion": report.facts.doctor_version,
                "language": "zh-CN" if language == "zh" else "en",
                "rules": [rule(code, report, language) for code in codes],
            }
        },
        "originalUriBaseIds": {
            "SRCROOT": {"description": {"text": SRCROOT.say(language)}},
            "HOME": {"description": {"text": HOME.say(language)}},
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": report.exit_code,
                "toolExecutionNotifications": [
                    {
                        "level": "note",
                        "message": {"text": each.check.summary.say(language)},
                        "associatedRule": {"id": each.code, "index": codes.index(each.code)},
                    }
                    for each in report.judged
                    if each.check.status == "unknown"
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results(report, codes, language),
    }


def rule(code: str, report: Report, language: Language) -> dict[str, Any]:
    """A rule with its page. Its level is the gravest that it has here: severity is the consequence
    for what the user intends, and a rule alone has none."""
    page = pages.read(code, language)
    level = max((each.severity for each in report.findings if each.code == code), default=None)
    return {
        "id": code,
        "name": identifier(pages.read(code, "en").title),
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": opening(page.text, language)},
        "help": {"text": page.text, "markdown": page.text},
        "defaultConfiguration": {"level": level.name if level else "warning"},
    }


def identifier(title: str) -> str:
    """The title as one word with capitals, which is what SARIF has for a rule's name."""
    words = re.findall(r"[A-Za-z0-9]+", title)
    return "".join(word[0].upper() + word[1:] for word in words)


def opening(text: str, language: Language) -> str:
    """What a page says before its first part."""
    before = text.partition("\n## ")[0]
    lines = [line for line in before.splitlines()[1:] if line]
    return ("" if language == "zh" else " ").join(lines)


def results(report: Report, codes: list[str], language: Language) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    made = []
    for finding in report.findings:
        mark = fingerprint(finding)
        seen[mark] += 1
        made.append(
            {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code),
                "level": finding.severity.name,
                "message": {"text": message(finding, language)},
                "locations": [location(finding, report)],
                # GitHub looks at this name only, and expects a count after the hash.
                "partialFingerprints": {"primaryLocationLineHash": f"{mark}:{seen[mark]}"},
                "properties": {
                    "treated": finding.treated,
                    "culprits": [culprit(each, language) for each in finding.evidence.culprits],
                },
            }
        )
    return made


def message(finding: Finding, language: Language) -> str:
    """GitHub shows the first sentence as the title of an alert."""
    title = finding.title.say(language)
    end = Words(".", "。").say(language)
    return f"{title.rstrip(end)}{end}\n{body(finding, language)}"


def location(finding: Finding, report: Report) -> dict[str, Any]:
    where = finding.location
    if where is None or is_name(where.path):
        made: dict[str, Any] = {"physicalLocation": {"artifactLocation": environment(report)}}
        if where is not None:
            made["logicalLocations"] = [{"fullyQualifiedName": where.path, "kind": "function"}]
        return made
    physical: dict[str, Any] = {"artifactLocation": artifact(where.path)}
    if where.line is not None:
        physical["region"] = {"startLine": where.line}
        if where.column is not None:
            physical["region"]["startColumn"] = where.column
    return {"physicalLocation": physical}


def environment(report: Report) -> dict[str, str]:
    python = report.facts.python
    return artifact(python.executable) if python else {"uri": "./", "uriBaseId": "SRCROOT"}


def artifact(path: str) -> dict[str, str]:
    address, base = uri(path)
    return {"uri": address, "uriBaseId": base} if base else {"uri": address}
