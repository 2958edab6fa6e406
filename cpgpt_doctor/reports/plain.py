"""A finding as plain text, for the programs that show a message and nothing else."""

from __future__ import annotations

from cpgpt_doctor import culprits
from cpgpt_doctor.findings import Finding, Remedy
from cpgpt_doctor.reports.labels import ADVICE, COLON, TREATED, bracketed
from cpgpt_doctor.words import Language, Words

ERROR = Words("Error: ", "错误信息：")
CULPRIT = Words("Culprit: ", "问题对象：")
SEEN = Words("Seen: ", "观察到：")
REMEDY = Words("Remedy", "方案")
MORE = Words("More: ", "详情：")


def explain(code: str) -> str:
    """The command that shows a rule's page."""
    return f"cpgpt-doctor explain {code}"


def body(finding: Finding, language: Language) -> str:
    """What there is to say below the title, a line each."""
    evidence = finding.evidence
    colon = COLON.say(language)
    lines = [cause.say(language) for cause in finding.causes]
    if finding.treated:
        lines.append(TREATED.say(language))
    if evidence.error:
        lines.append(ERROR.say(language) + evidence.error)
    for culprit in evidence.culprits:
        about = culprits.about(culprit.about).say(language)
        lines.append(f"{CULPRIT.say(language)}{culprit.path}{colon}{about}")
    for name, value in evidence.seen:
        lines.append(f"{SEEN.say(language)}{name.say(language)}{colon}{value.say(language)}")
    for rank, remedy in enumerate(finding.remedies, 1):
        lines.append(f"{REMEDY.say(language)} {rank}{colon}{advised(remedy, language)}")
        lines += [f"$ {command}" for command in remedy.commands]
    lines.append(MORE.say(language) + explain(finding.code))
    return "\n".join(lines)


def advised(remedy: Remedy, language: Language) -> str:
    return remedy.title.say(language) + bracketed(ADVICE[remedy.advice], language)
