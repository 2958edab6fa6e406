"""A report's content, whatever its form."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts
    from cpgpt_doctor.findings import Finding, Judged, Severity
    from cpgpt_doctor.intent import Call, Intent


@dataclass(frozen=True)
class Report:
    """What was observed, what was meant, what was judged, and the exit code that follows.

    accepted: findings that a baseline took out of `judged`.
    chosen: the user chose rules (--select, --ignore), so `judged` are not all of them.
    """

    facts: Facts
    intent: Intent
    call: Call
    judged: tuple[Judged, ...]
    exit_code: int
    accepted: tuple[Finding, ...] = ()
    chosen: bool = False

    @property
    def unknown(self) -> tuple[str, ...]:
        """The codes of the rules about which nothing is known here."""
        return tuple(each.code for each in self.judged if each.check.status == "unknown")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the gravest first, then in the order of their codes."""
        every = [finding for judged in self.judged for finding in judged.check.findings]
        return tuple(sorted(every, key=lambda finding: (-finding.severity, finding.code)))


def exit_code(judged: tuple[Judged, ...], fail_on: Severity | None) -> int:
    """1 with a finding at or above `fail_on` (None: never), else 0."""
    if fail_on is None:
        return 0
    gravest = max(
        (finding.severity for each in judged for finding in each.check.findings), default=0
    )
    return int(gravest >= fail_on)


def patient(report: Report) -> dict[str, Any]:
    """What was examined, as JSON reports and records of runs name it."""
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
