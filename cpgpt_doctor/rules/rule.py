"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cpgpt_doctor.facts import EmbedderExamined, Facts
from cpgpt_doctor.findings import Check, Severity
from cpgpt_doctor.intent import Call


@dataclass(frozen=True)
class Rule:
    """A rule and what it looks at.

    needs: parts of the facts without which nothing can be said: "host", "python", "packages",
    "accelerator", "torch" (it imports and answers), "embedder", "examined" (CpGPT's embedder
    could be imported and tried).
    """

    code: str
    subject: str
    judge: Callable[[Facts, Call], Check]
    needs: tuple[str, ...] = ()


def examined(facts: Facts) -> EmbedderExamined:
    """The examined embedder, for rules that need "examined"."""
    assert facts.embedder is not None
    assert facts.embedder.examined is not None
    return facts.embedder.examined


def severity(call: Call, direct: Severity) -> Severity:
    """What run-embed treats is a note for it."""
    return Severity.note if call.treated else direct
