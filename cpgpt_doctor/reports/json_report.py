"""The report as JSON, as `check.schema.json` beside this file describes it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cpgpt_doctor.findings import Finding
from cpgpt_doctor.reports.report import Report

SCHEMA = "cpgpt-doctor/check/v1"


def render(report: Report) -> str:
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "doctor": {"version": report.facts.doctor_version},
        "patient": patient(report),
        "intent": dataclasses.asdict(report.call),
        "checks": [
            {"code": each.code, "status": each.check.status, "summary": each.check.summary}
            for each in report.judged
        ],
        "findings": [finding(each) for each in report.findings],
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


def finding(value: Finding) -> dict[str, Any]:
    evidence = value.evidence
    return {
        "code": value.code,
        "severity": value.severity.name,
        "title": value.title,
        "causes": list(value.causes),
        "evidence": {
            "error": evidence.error,
            "culprits": [dataclasses.asdict(culprit) for culprit in evidence.culprits],
            "seen": dict(evidence.seen),
        },
        "location": dataclasses.asdict(value.location) if value.location else None,
        "remedies": [
            {
                "rank": rank,
                "advice": remedy.advice,
                "title": remedy.title,
                "before": remedy.before,
                "after": remedy.after,
                "commands": list(remedy.commands),
                "why": remedy.why,
            }
            for rank, remedy in enumerate(value.remedies, 1)
        ],
        "verify": list(value.verify),
        "expected": value.expected,
        "cost": value.cost,
        "treated": value.treated,
    }
