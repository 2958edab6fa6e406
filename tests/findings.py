"""What the rules find in what was seen of a genome, locations or a store."""

from __future__ import annotations

from typing import Any

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.registry import judge


def found(allowed: tuple[str, ...] = (), via: Any = "run-embed", **seen: Any) -> list[Finding]:
    """The findings in these parts of the facts: genome, locations, store."""
    results = judge(Facts(**seen), Intent(via, allowed=allowed))
    return [
        finding
        for each in results
        if each.code.startswith(("CPG107", "CPG405", "CPG5"))
        for finding in each.check.findings
    ]


def errors(allowed: tuple[str, ...] = (), **seen: Any) -> list[Finding]:
    return [each for each in found(allowed, **seen) if each.severity is Severity.error]


def said(finding: Finding) -> str:
    """All that a finding says in English, but for its remedies."""
    seen = (f"{name.en}: {value.en}" for name, value in finding.evidence.seen)
    place = finding.location.where if finding.location else ""
    texts = (finding.code, place, finding.title.en, *(each.en for each in finding.causes), *seen)
    return "; ".join(texts)
