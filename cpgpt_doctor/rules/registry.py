"""All rules in the order of their codes, and the judge.

Those of data are imported where they are asked: they and the facts that they read take as long to
import as all others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from cpgpt_doctor.findings import Check, Judged, skipped, unknown
from cpgpt_doctor.intent import Call, Intent, resolve
from cpgpt_doctor.rules.environment import (
    accelerators,
    host_python,
    models,
    packages,
    resources,
    worker_starts,
    workers,
)
from cpgpt_doctor.rules.rule import Rule, ending
from cpgpt_doctor.words import Words

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts


def in_order(*areas: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(sorted((rule for area in areas for rule in area), key=lambda rule: rule.code))


OF_THE_ENVIRONMENT = in_order(
    *(host_python.RULES, resources.RULES, workers.RULES, worker_starts.RULES),
    *(accelerators.RULES, packages.RULES, models.RULES),
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, of data too."""
    from cpgpt_doctor.rules.data import dependencies, genome, locations, probes, stores
    from cpgpt_doctor.rules.sources import files

    areas = (genome, locations, probes, stores, dependencies, files)
    return in_order(OF_THE_ENVIRONMENT, *(area.RULES for area in areas))


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
# Parts that are looked at where a user names them; "data" is any of them.
DATA = ("genome", "locations", "store", "dependencies")
ANY_DATA = "data"
NAMED = (*DATA, "sources")


# Parts that need CpGPT to be imported.
NEED_CPGPT = ("embedder", "examined", "workers")


def is_of_data(code: str) -> bool:
    """Whether the rule looks at a genome, locations, a store or sources alone."""
    if any(rule.code == code for rule in OF_THE_ENVIRONMENT):
        return False
    return any(rule.code == code for rule in all_rules())


def names_data(facts: Facts) -> bool:
    """Whether rules of data have anything to look at."""
    return any(getattr(facts, part) for part in (*NAMED, "audit"))


def judge(facts: Facts, intent: Intent, *, of_data: bool = True) -> tuple[Judged, ...]:
    """Apply every rule to the facts; without `of_data` those of the environment alone."""
    call = resolve(intent, facts)
    rules = all_rules() if of_data else OF_THE_ENVIRONMENT
    every = tuple(Judged(rule.code, judged(rule, facts, call)) for rule in rules)
    if facts.sources is None:
        return every
    from cpgpt_doctor.rules.sources import files

    return files.ignored(every, facts)


def judged(rule: Rule, facts: Facts, call: Call) -> Check:
    """What a rule says; one that fails is a result of its own, and the rest stands."""
    try:
        asked = missing(facts, rule, call) or rule.judge(facts, call)
        if not names_data(facts):
            return asked
        from cpgpt_doctor.rules.data import audit, dependencies

        asked = dependencies.with_folders(rule, facts, call, asked)
        return audit.with_audit(rule, facts, call, asked)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return unknown(
            Words(
                f"{rule.subject.en}: cpgpt-doctor's own rule failed ({text})",
                f"{rule.subject.zh}：cpgpt-doctor 自身的这条规则出错（{text}）",
            )
        )


def selected(
    judged: tuple[Judged, ...], select: tuple[str, ...], ignore: tuple[str, ...]
) -> tuple[Judged, ...]:
    """Those whose code begins with one of `select` (all for none) and with none of `ignore`.

    A rule that is looked at only when asked to, and was not, is unknown where it is selected; one
    of data that nobody named is, where its whole code is, and else left out.
    """
    asked_for = {rule.code for rule in OF_THE_ENVIRONMENT if rule.asked_by}
    return tuple(
        replace(each, check=replace(each.check, status="unknown"))
        if select
        and each.check.status == "skipped"
        and (each.code in asked_for or is_of_data(each.code))
        else each
        for each in judged
        if (not select or each.code.startswith(select))
        and (each.code in select or not is_unnamed(each))
        and not (ignore and each.code.startswith(ignore))
    )


def is_unnamed(judged: Judged) -> bool:
    """Whether a rule's data were not named, so that there is nothing to say."""
    return judged.check.status == "skipped" and is_of_data(judged.code)


def missing(facts: Facts, rule: Rule, call: Call) -> Check | None:
    """Why a rule cannot be judged, None where it can."""
    subject = rule.subject
    for part in rule.needs:
        if part in NAMED or part == ANY_DATA:
            if not any(getattr(facts, each) for each in (DATA if part == ANY_DATA else [part])):
                return skipped(Words(f"{subject.en}: none was named", f"{subject.zh}：没有指定"))
            continue
        probe = PROBE_OF[part]
        if probe in facts.skipped:
            return not_looked_at(facts, rule, call, probe)
        failure = facts.failure(probe)
        absent = part == "examined" and not packages.was_tried(facts)
        if part in NEED_CPGPT and (failure is not None or absent):
            reason = packages.why_cpgpt_cannot_be_tried(facts)
            if reason is not None:
                return unknown(Words(f"{subject.en}: {reason.en}", f"{subject.zh}：{reason.zh}"))
        known = rule.untried(facts, call) if rule.untried and (failure or absent) else None
        if known is not None and known.status == "ok":
            return known  # the call alone, or the release, decides
        if failure is not None:
            how = ending(failure)
            return unknown(
                Words(
                    f"{subject.en}: the {probe} probe ended: {how.en}",
                    f"{subject.zh}：探测程序 {probe} 异常结束（{how.zh}）",
                )
            )
        if getattr(facts, probe) is None:
            return unknown(Words(f"{subject.en}: not looked at", f"{subject.zh}：未检查"))
        if part == "torch" and (facts.accelerator is None or facts.accelerator.torch is None):
            return unknown(
                Words(
                    f"{subject.en}: torch cannot be asked (CPG401)",
                    f"{subject.zh}：无法向 torch 查询（CPG401）",
                )
            )
        if absent:
            return unknown(
                Words(
                    f"{subject.en}: CpGPT cannot be imported (CPG401, CPG402)",
                    f"{subject.zh}：无法导入 CpGPT（CPG401、CPG402）",
                )
            )
    return None


def not_looked_at(facts: Facts, rule: Rule, call: Call, probe: str) -> Check:
    """What can be said where a probe was left out, as by `check --quick`."""
    subject = rule.subject
    if probe == "workers" and "embedder" not in facts.skipped:
        # What workers do to CpGPT's own dataset is of no matter to run-embed: they get another.
        return skipped(
            Words(
                f"{subject.en}: of no matter to this run",
                f"{subject.zh}：与这次运行无关",
            )
        )
    if rule.asked_by:
        return skipped(
            Words(
                f"{subject.en}: looked at with {rule.asked_by}, without --quick",
                f"{subject.zh}：加上 {rule.asked_by} 且不加 --quick 才检查",
            )
        )
    known = rule.untried(facts, call) if rule.untried else None
    return known or unknown(
        Words(
            f"{subject.en}: not looked at (--quick)",
            f"{subject.zh}：未检查（--quick）",
        )
    )
