"""What the user's own code means to do: the environment is judged for its calls."""

from __future__ import annotations

from dataclasses import replace

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import SourceCall
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.rules.sources.circumstances import (
    calls,
    circumstances,
    count,
    outcomes,
    replaces_loader,
    start_method,
)
from cpgpt_doctor.rules.sources.workers import SEVERITY, asked

METHODS = ("fork", "spawn", "forkserver")


def meant(facts: Facts, intent: Intent) -> Intent:
    """The intent, with what was not said taken from the call of the sources that is worst off.

    Where nothing is known of their calls, it stays as it is.
    """
    around = circumstances(facts, resolve(intent, facts))
    known = [
        (SEVERITY.get(each.consequence, 0), count(each.worst) or 0, each)
        for each in asked(facts, around, "embed")
    ]
    if not known:
        return intent
    _, workers, worst = max(known, key=lambda one: one[:2])
    method, set_by_call = start_method(facts, worst.file, around)
    every = [call for _, call in calls(facts, around, "embed")]
    if intent.num_workers is None:
        intent = replace(intent, num_workers=max(0, workers))
    if intent.start_method is None and set_by_call and method in METHODS:
        intent = replace(intent, start_method=method)
    if intent.batch_size is None:
        sizes = [n for n in numbers(every, "batch_size", around.platform) if n > 0]
        intent = replace(intent, batch_size=max(sizes, default=None))
    if intent.dna_llm is None:
        models = {
            each.value
            for call in every
            for each in outcomes(call.setting("dna_llm"), around.platform)
            if isinstance(each.value, str)
        }
        intent = replace(intent, dna_llm=models.pop() if len(models) == 1 else None)
    return replace(intent, prefetch_removed=replaces_loader(facts, worst.file))


def numbers(every: list[SourceCall], name: str, platform: str) -> list[int]:
    return [
        each.value
        for call in every
        for each in outcomes(call.setting(name), platform)
        if type(each.value) is int
    ]
