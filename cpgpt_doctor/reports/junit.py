"""The report as JUnit XML, as CI servers read it: a test case for each rule."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from cpgpt_doctor import pages
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.plain import body
from cpgpt_doctor.reports.view import Check, Finding, View

# What XML 1.0 cannot hold, not even escaped, and what it advises against: DEL to U+009F.
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(view: View, fail_on: Severity | None) -> str:
    """A case fails with a finding at or above `fail_on` (None: never)."""
    cases = [case(check, view.labels, fail_on) for check in view.checks]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(each.find("failure") is not None for each in cases)),
        "errors": "0",
    }
    suite = Xml.Element(
        "testsuite",
        {
            "name": "cpgpt-doctor",
            **counts,
            "skipped": str(sum(each.find("skipped") is not None for each in cases)),
        },
    )
    suite.extend(cases)
    suites = Xml.Element("testsuites", {"name": "cpgpt-doctor", **counts})
    suites.append(suite)
    Xml.indent(suites)
    text = Xml.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def case(check: Check, labels: Labels, fail_on: Severity | None) -> Xml.Element:
    # The name is the same in every run of a language, so that a server can follow a case.
    name = f"{check.code} {pages.read(check.code, labels.language).title}"
    made = Xml.Element("testcase", {"classname": "cpgpt-doctor", "name": allowed(name)})
    if check.status in ("skipped", "unknown"):
        message = allowed(check.summary)
        Xml.SubElement(made, "skipped", {"type": check.status, "message": message})
    failing = [each for each in check.findings if fail_on and each.severity >= fail_on]
    if failing:
        gravest = max(failing, key=lambda finding: finding.severity)
        failure = Xml.SubElement(
            made, "failure", {"type": gravest.severity.name, "message": allowed(gravest.title)}
        )
        failure.text = told(failing, labels)
    others = [each for each in check.findings if each not in failing]
    if others:
        Xml.SubElement(made, "system-out").text = told(others, labels)
    return made


def told(findings: list[Finding], labels: Labels) -> str:
    return allowed("\n\n".join(whole(each, labels) for each in findings))


def whole(finding: Finding, labels: Labels) -> str:
    place = [f"--> {finding.location.where}"] if finding.location else []
    head = f"{finding.kind} {finding.code} {finding.title}"
    return "\n".join((head, *place, body(finding, labels)))


def allowed(text: str) -> str:
    return FORBIDDEN.sub("", text)
