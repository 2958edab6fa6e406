"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from cpgpt_doctor.findings import Check, Severity
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import EmbedderExamined, Facts, ProbeFailure
    from cpgpt_doctor.intent import Call


@dataclass(frozen=True)
class Rule:
    """A rule and what it looks at.

    needs: parts of the facts without which nothing can be said: "host", "python", "packages",
    "accelerator", "torch" (it imports and answers), "embedder", "examined" (CpGPT's embedder
    could be imported and tried), "genome", "locations", "store", or "data" (any of these three).
    untried: what the call and the installed versions say where `check --quick` tried nothing; None
    where they say nothing. Where a trial failed, only that all is well with the call is taken.
    asked_by: the option without which this is not looked at.
    """

    code: str
    subject: Words
    judge: Callable[[Facts, Call], Check]
    needs: tuple[str, ...] = ()
    untried: Callable[[Facts, Call], Check | None] | None = None
    asked_by: str | None = None


def examined(facts: Facts) -> EmbedderExamined:
    """The examined embedder, for rules that need "examined"."""
    assert facts.embedder is not None
    assert facts.embedder.examined is not None
    return facts.embedder.examined


def read_version(text: str | None) -> Version | None:
    """A version, None where `packaging` cannot read it.

    A Python that was built from a checkout ends its version in "+" (3.14.0a1+), which is left out.
    """
    try:
        return Version((text or "").removesuffix("+"))
    except InvalidVersion:
        return None


def severity(call: Call, direct: Severity) -> Severity:
    """What run-embed treats is a note for it."""
    return Severity.note if call.treated else direct


def ending(failure: ProbeFailure) -> Words:
    """How a probe ended: a signal, a status, a time limit, or an answer that is none."""
    if failure.kind == "exited":
        return Words(failure.detail, failure.detail.replace("status ", "退出码 "))
    if failure.kind == "garbled":
        return Words(failure.detail, "返回的内容不是 JSON")
    return same(failure.detail)
