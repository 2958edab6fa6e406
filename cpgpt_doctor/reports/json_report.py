"""The report as JSON, as `check.schema.json` beside this file describes it."""

from __future__ import annotations

import dataclasses
from typing import Any

from cpgpt_doctor.findings import Severity
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.report import patient
from cpgpt_doctor.reports.plain import explain
from cpgpt_doctor.reports.stream import json_text
from cpgpt_doctor.reports.view import Culprit, Finding, View, accepted_errors

SCHEMA = "cpgpt-doctor/check/v1"


def render(view: View) -> str:
    return json_text(as_data(view))


def as_data(view: View) -> dict[str, Any]:
    report = view.report
    return {
        "schema": SCHEMA,
        "language": view.labels.language,
        "doctor": {"version": report.facts.doctor_version},
        "patient": patient(report),
        "intent": dataclasses.asdict(report.call),
        "checks": [
            {
                "code": each.code,
                "name": each.name,
                "status": each.status,
                "summary": each.summary,
            }
            for each in view.checks
        ],
        "findings": [finding(each) for each in view.findings],
        "counts": {
            level.name: sum(each.severity is level for each in view.findings)
            for level in sorted(Severity, reverse=True)
        },
        "accepted": len(report.accepted),
        "accepted_errors": accepted_errors(report),
        "exit_code": report.exit_code,
    }


def finding(value: Finding) -> dict[str, Any]:
    return {
        "code": value.code,
        "name": value.name,
        "severity": value.severity.name,
        "title": value.title,
        "causes": list(value.causes),
        "evidence": {
            "error": value.error,
            "culprits": [culprit(each) for each in value.culprits],
            # Names are keys for programs, the same in every language.
            "seen": {each.key: each.value for each in value.seen},
        },
        "location": dataclasses.asdict(value.location) if value.location else None,
        "remedies": [remedy(rank, each) for rank, each in enumerate(value.remedies, 1)],
        "verify": list(value.verify),
        "expected": value.expected,
        "cost": value.cost,
        "treated": value.treated,
        "page": explain(value.code),
        "fingerprint": value.fingerprint,
    }


def culprit(value: Culprit) -> dict[str, Any]:
    return dataclasses.asdict(value)


def remedy(rank: int, value: PageRemedy) -> dict[str, Any]:
    return {
        "rank": rank,
        "id": value.id,
        "advice": value.advice,
        "title": value.title,
        "before": value.before,
        "after": value.after,
        "commands": list(value.commands),
        "why": value.why,
        "gains": list(value.gains),
        "drawbacks": list(value.drawbacks),
        "warning": value.warning,
    }
