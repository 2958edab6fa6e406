"""All rules in the order of their codes, and the judge."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Check, Judged, skipped, unknown
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.rules import accelerators, host_python, packages, worker_starts, workers
from cpgpt_doctor.rules.rule import Rule, ending
from cpgpt_doctor.words import Words

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


def selected(
    judged: tuple[Judged, ...], select: tuple[str, ...], ignore: tuple[str, ...]
) -> tuple[Judged, ...]:
    """Those whose code begins with one of `select` (all for none) and with none of `ignore`."""
    return tuple(
        each
        for each in judged
        if (not select or each.code.startswith(select))
        and not (ignore and each.code.startswith(ignore))
    )


def missing(facts: Facts, rule: Rule) -> Check | None:
    """Why a rule cannot be judged, None where it can."""
    subject = rule.subject
    for part in rule.needs:
        probe = PROBE_OF[part]
        if probe in facts.skipped:
            return skipped(
                Words(
                    f"{subject.en}: not looked at",
                    f"{subject.zh}：未检查",
                )
            )
        failure = facts.failure(probe)
        if failure is not None:
            how = ending(failure)
            return unknown(
                Words(
                    f"{subject.en}: the {probe} probe ended: {how.en}",
                    f"{subject.zh}：探测程序 {probe} 异常结束（{how.zh}）",
                )
            )
        if part == "torch" and (facts.accelerator is None or facts.accelerator.torch is None):
            return unknown(
                Words(
                    f"{subject.en}: torch cannot be asked (CPG401)",
                    f"{subject.zh}：无法向 torch 查询（CPG401）",
                )
            )
        if part == "examined" and (facts.embedder is None or facts.embedder.examined is None):
            return unknown(
                Words(
                    f"{subject.en}: CpGPT cannot be imported (CPG401, CPG402)",
                    f"{subject.zh}：无法导入 CpGPT（CPG401、CPG402）",
                )
            )
    return None
