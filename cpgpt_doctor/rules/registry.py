"""All rules in the order of their codes, and the judge."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Check, Judged, skipped, unknown
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.rules import accelerators, host_python, packages, worker_starts, workers
from cpgpt_doctor.rules.rule import Rule

AREAS = (host_python, workers, worker_starts, accelerators, packages)
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for area in AREAS for rule in area.RULES), key=lambda rule: rule.code)
)

# The probe that answers for each part that a rule may need.
PROBE_OF = {
    "host": "host",
    "python": "python",
    "packages": "packages",
    "accelerator": "accelerator",
    "torch": "accelerator",
    "embedder": "embedder",
    "examined": "embedder",
    "workers": "workers",
}


def judge(facts: Facts, intent: Intent) -> tuple[Judged, ...]:
    """Apply every rule to the facts."""
    call = resolve(intent, facts)
    return tuple(
        Judged(rule.code, missing(facts, rule) or rule.judge(facts, call)) for rule in RULES
    )


def missing(facts: Facts, rule: Rule) -> Check | None:
    """Why a rule cannot be judged, None where it can."""
    for part in rule.needs:
        probe = PROBE_OF[part]
        if probe in facts.skipped:
            return skipped(f"{rule.subject}: not looked at")
        failure = facts.failure(probe)
        if failure is not None:
            return unknown(f"{rule.subject}: the {probe} probe ended: {failure.detail}")
        if part == "torch" and (facts.accelerator is None or facts.accelerator.torch is None):
            return unknown(f"{rule.subject}: torch cannot be asked (CPG401)")
        if part == "examined" and (facts.embedder is None or facts.embedder.examined is None):
            return unknown(f"{rule.subject}: CpGPT cannot be imported (CPG401, CPG402)")
    return None
