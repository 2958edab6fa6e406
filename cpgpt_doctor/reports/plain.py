"""A finding as plain text, for the programs that show a message and nothing else."""

from __future__ import annotations

from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.view import Finding


def explain(code: str) -> str:
    """The command that shows a rule's page."""
    return f"cpgpt-doctor explain {code}"


def body(finding: Finding, labels: Labels) -> str:
    """What there is to say below the title, a line each."""
    lines = list(finding.causes)
    if finding.treated:
        lines.append(labels["treated"])
    if finding.error:
        lines.append(labels.begin("error") + finding.error)
    for culprit in finding.culprits:
        lines.append(f"{labels.begin('culprit')}{culprit.path}{labels['colon']}{culprit.about}")
    for each in finding.seen:
        lines.append(f"{labels.begin('seen')}{each.label}{labels['colon']}{each.value}")
    for rank, remedy in enumerate(finding.remedies, 1):
        lines.append(f"{labels['remedy']} {rank}{labels['colon']}{labels.advised(remedy)}")
        lines += [f"$ {command}" for command in remedy.commands]
    lines.append(labels.begin("more") + explain(finding.code))
    return "\n".join(lines)
