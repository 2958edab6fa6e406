"""The report as JSON, as `check.schema.json` beside this file describes it."""

from __future__ import annotations

import dataclasses
from typing import Any

from cpgpt_doctor import culprits
from cpgpt_doctor.facts import Culprit
from cpgpt_doctor.findings import Finding, Remedy
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.reports.plain import explain
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.reports.stream import json_text
from cpgpt_doctor.words import Language, Words

SCHEMA = "cpgpt-doctor/check/v1"


def render(report: Report, language: Language) -> str:
    return json_text(as_data(report, language))


def as_data(report: Report, language: Language) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "language": language,
        "doctor": {"version": report.facts.doctor_version},
        "patient": patient(report),
        "intent": dataclasses.asdict(report.call),
        "checks": [
            {
                "code": each.code,
                "status": each.check.status,
                "summary": each.check.summary.say(language),
            }
            for each in report.judged
        ],
        "findings": [finding(each, language) for each in report.findings],
        "accepted": report.accepted,
        "exit_code": report.exit_code,
    }


def patient(report: Report) -> dict[str, Any]:
    facts = report.facts
    python, host, packages = facts.python, facts.host, facts.packages
    torch = facts.accelerator.torch if facts.accelerator else None
    return {
        "python": python.version if python else None,
        "executable": python.executable if python else None,
        "platform": python.platform if python else None,
        "machine": python.machine if python else None,
        "os": host.description if host else None,
        "start_method": python.default_start_method if python else None,
        "cpgpt": packages.cpgpt.version if packages and packages.cpgpt else None,
        "torch": torch.version if torch else None,
        "probe_failures": [dataclasses.asdict(failure) for failure in facts.failures],
        "skipped": list(facts.skipped),
    }


def finding(value: Finding, language: Language) -> dict[str, Any]:
    evidence = value.evidence
    return {
        "code": value.code,
        "severity": value.severity.name,
        "title": value.title.say(language),
        "causes": [cause.say(language) for cause in value.causes],
        "evidence": {
            "error": evidence.error,
            "culprits": [culprit(each, language) for each in evidence.culprits],
            # Names are keys for programs, the same in every language.
            "seen": {name.en: seen.say(language) for name, seen in evidence.seen},
        },
        "location": dataclasses.asdict(value.location) if value.location else None,
        "remedies": [remedy(rank, each, language) for rank, each in enumerate(value.remedies, 1)],
        "verify": list(value.verify),
        "expected": said(value.expected, language),
        "cost": said(value.cost, language),
        "treated": value.treated,
        "page": explain(value.code),
        "fingerprint": fingerprint(value),
    }


def culprit(value: Culprit, language: Language) -> dict[str, Any]:
    return {**dataclasses.asdict(value), "about": culprits.about(value.about).say(language)}


def remedy(rank: int, value: Remedy, language: Language) -> dict[str, Any]:
    return {
        "rank": rank,
        "advice": value.advice,
        "title": value.title.say(language),
        "before": value.before,
        "after": value.after,
        "commands": list(value.commands),
        "why": value.why.say(language),
        "gains": [gain.say(language) for gain in value.gains],
        "drawbacks": [drawback.say(language) for drawback in value.drawbacks],
        "warning": said(value.warning, language),
    }


def said(words: Words | None, language: Language) -> str | None:
    return words.say(language) if words else None
