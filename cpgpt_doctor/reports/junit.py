"""The report as JUnit XML, as CI servers read it: a test case for each rule."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from cpgpt_doctor import pages
from cpgpt_doctor.findings import Finding, Judged, Severity
from cpgpt_doctor.reports.labels import SEVERITY
from cpgpt_doctor.reports.plain import body
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.words import Language

# What XML 1.0 cannot hold, not even escaped, and what it advises against: DEL to U+009F.
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, language: Language, fail_on: Severity | None) -> str:
    """A case fails with a finding at or above `fail_on` (None: never)."""
    cases = [case(judged, language, fail_on) for judged in report.judged]
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


def case(judged: Judged, language: Language, fail_on: Severity | None) -> Xml.Element:
    check = judged.check
    # The name is the same in every run of a language, so that a server can follow a case.
    name = f"{judged.code} {pages.read(judged.code, language).title}"
    made = Xml.Element("testcase", {"classname": "cpgpt-doctor", "name": allowed(name)})
    if check.status in ("skipped", "unknown"):
        message = allowed(check.summary.say(language))
        Xml.SubElement(made, "skipped", {"type": check.status, "message": message})
    failing = [each for each in check.findings if fail_on and each.severity >= fail_on]
    if failing:
        gravest = max(failing, key=lambda finding: finding.severity)
        message = allowed(gravest.title.say(language))
        failure = Xml.SubElement(
            made, "failure", {"type": gravest.severity.name, "message": message}
        )
        failure.text = told(failing, language)
    others = [each for each in check.findings if each not in failing]
    if others:
        Xml.SubElement(made, "system-out").text = told(others, language)
    return made


def told(findings: list[Finding], language: Language) -> str:
    return allowed("\n\n".join(whole(each, language) for each in findings))


def whole(finding: Finding, language: Language) -> str:
    kind, title = SEVERITY[finding.severity].say(language), finding.title.say(language)
    place = [f"--> {finding.location.where}"] if finding.location else []
    return "\n".join((f"{kind} {finding.code} {title}", *place, body(finding, language)))


def allowed(text: str) -> str:
    return FORBIDDEN.sub("", text)
