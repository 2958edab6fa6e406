"""CPG601 and 608: workers for CpGPT's embedding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cpgpt_doctor import pages
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import PLATFORMS, Outcome, Setting, Site, SourceCall, SourceFile
from cpgpt_doctor.findings import (
    Check,
    Edit,
    Evidence,
    Finding,
    Remedy,
    Severity,
    Values,
    found,
    ok,
    skipped,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.sources import places
from cpgpt_doctor.rules.sources.circumstances import (
    NAMES,
    Circumstances,
    Consequence,
    calls,
    circumstances,
    count,
    of_embedding,
    outcomes,
    replaces_loader,
    start_method,
)
from cpgpt_doctor.words import Words, listed, same

SEVERITY = {
    "wrong rows": Severity.error,
    "crash": Severity.error,
    "no workers": Severity.warning,
}
COMES_TO = {
    "wrong rows": Words("wrong rows, without an error", "部分嵌入出错，而且不报错"),
    "crash": Words("the call ends with “cannot pickle”", "调用以 “cannot pickle” 报错结束"),
    "no workers": Words(
        "CpGPT uses no workers, whatever is asked for", "无论要求多少，CpGPT 都不启用工作进程"
    ),
    "prefetch": Words("the call ends with an error", "调用以报错结束"),
    "fine": Words("well", "正常"),
}


@dataclass(frozen=True)
class Asked:
    """A call, and what its number of workers can be where one text decides it.

    consequence: the worst of these, on the platform that is judged; by_platform: the number is
    chosen by the platform, and elsewhere it is another one.
    """

    file: SourceFile
    call: SourceCall
    setting: Setting
    site: Site
    worst: Outcome
    consequence: Consequence
    method: str
    by_platform: bool


def asked(facts: Facts, around: Circumstances, *kinds: str) -> Iterator[Asked]:
    """Every text that decides a number of workers, once."""
    seen: dict[Site, None] = {}
    for file, call in calls(facts, around, *kinds):
        setting = call.setting("num_workers")
        if setting is None:
            continue
        method, set_by_call = start_method(facts, file, around)
        replaced = replaces_loader(facts, file)
        by_site: dict[Site, list[Outcome]] = {}
        for each in outcomes(setting, around.platform):
            if each.site is not None and each.kind != "unknown":
                by_site.setdefault(each.site, []).append(each)
        for site, here in by_site.items():
            if site in seen:
                continue
            seen[site] = None
            ranked = [
                (of_embedding(count(e) or 0, method, set_by_call, around, replaced), e)
                for e in here
            ]
            consequence, worst = max(ranked, key=lambda pair: (SEVERITY.get(pair[0], 0), 0))
            by_platform = any(
                each.platforms and (count(each) or 0) != (count(worst) or 0)
                for each in setting.outcomes
                if each.site == site
            )
            yield Asked(file, call, setting, site, worst, consequence, method, by_platform)


def embedding(facts: Facts, call: Call) -> Check:
    """CPG601: workers for parse_dna_embeddings, given or by default."""
    around = circumstances(facts, call)
    every = list(asked(facts, around, "embed"))
    bad = [each for each in every if each.consequence in SEVERITY and not each.by_platform]
    findings = [of_workers("CPG601", facts, call, around, each) for each in bad]
    findings += [not_known(each, setting) for each, setting in unknown_ones(facts, around)]
    if findings:
        return found(*findings)
    if any(each.consequence in SEVERITY for each in every):
        return skipped(
            Words(
                "the workers are chosen by the platform (CPG608)",
                "工作进程数按平台选择（CPG608）",
            )
        )
    return well(facts, around)


def well(facts: Facts, around: Circumstances) -> Check:
    total = sum(1 for _ in calls(facts, around, "embed"))
    if not total:
        return skipped(Words("no call of parse_dna_embeddings", "没有 parse_dna_embeddings 调用"))
    return ok(
        Words(
            f"parse_dna_embeddings without workers (calls: {total})",
            f"parse_dna_embeddings 未启用工作进程（调用数：{total}）",
        )
    )


def by_platform(facts: Facts, call: Call) -> Check:
    """CPG608: workers chosen by the platform."""
    around = circumstances(facts, call)
    findings = []
    chosen = [each for each in asked(facts, around, "embed") if each.by_platform]
    for each in chosen:
        if each.consequence in SEVERITY:
            findings.append(of_workers("CPG608", facts, call, around, each))
        else:
            elsewhere = unsafe_elsewhere(facts, call, each)
            if elsewhere:
                findings.append(right_here_only(facts, call, around, each, elsewhere))
    if findings:
        return found(*findings)
    if chosen:
        return ok(
            Words(
                "a number of workers by the platform, and safe on each",
                "按平台选择工作进程数，在各平台上都安全",
            )
        )
    return skipped(
        Words("no number of workers is chosen by the platform", "没有按平台选择工作进程数")
    )


def of_workers(code: str, facts: Facts, call: Call, around: Circumstances, each: Asked) -> Finding:
    number = amount(each.worst)
    title = {
        "wrong rows": Words(
            f"{number.en}: forked workers share one position in the genome, and rows are wrong",
            f"{number.zh}：fork 出的工作进程共享基因组文件的读取位置，部分嵌入会出错",
        ),
        "crash": Words(
            f"{number.en}: under {each.method}, the call ends with “cannot pickle”",
            f"{number.zh}：在 {each.method} 下，调用会以 “cannot pickle” 报错结束",
        ),
        "no workers": Words(
            f"{number.en} has no effect here: CpGPT uses no workers",
            f"{number.zh} 在这里不起作用：CpGPT 不启用工作进程",
        ),
    }[each.consequence]
    return Finding(
        code,
        SEVERITY[each.consequence],
        title,
        (*origin(each), mechanism(each, around)),
        (no_workers(facts, each, around), Remedy("run-embed", "CPG601")),
        Evidence(seen=elsewhere_as_well(facts, call, each)),
        places.at(each.site, each.call),
        values=(("path", places.quoted(each.file.path)),),
        edits=without_workers(facts, each, around),
    )


def amount(outcome: Outcome) -> Words:
    """A number of workers in a title."""
    if outcome.kind == "at-least":
        return Words("num_workers by the number of cores", "按核心数设置 num_workers")
    return same(f"num_workers={outcome.value}")


def origin(each: Asked) -> tuple[Words, ...]:
    """Where the number comes from, where it does not stand in the call."""
    if not each.setting.text:
        return (
            Words(
                f"The call leaves num_workers out, which means {each.worst.value}.",
                f"调用没有写 num_workers，默认值是 {each.worst.value}。",
            ),
        )
    if each.worst.why == "option":
        return (
            Words(
                f"It is an option of the command line, whose default is {each.worst.value}.",
                f"它来自命令行选项，默认值是 {each.worst.value}。",
            ),
        )
    if each.worst.why == "environment":
        return (
            Words(
                f"It comes from the environment, and is {each.worst.value} where that has none.",
                f"它来自环境变量，未设置时是 {each.worst.value}。",
            ),
        )
    if not places.within(each.site.place, each.call.place):
        where = places.at_line(each.call.place)
        return (
            Words(
                f"It reaches the call of parse_dna_embeddings at {where.en}.",
                f"这个值会传到 {where.zh} 的 parse_dna_embeddings 调用。",
            ),
        )
    return ()


def mechanism(each: Asked, around: Circumstances) -> Words:
    if each.consequence == "wrong rows":
        return Words(
            "Under fork, all workers read through one open genome file. Each moves the position of"
            " the others, so that some windows are read from the wrong place (CPG202).",
            "在 fork 下，所有工作进程都通过同一个已打开的基因组文件读取，会互相移动读取位置，"
            "于是部分窗口读自错误的位置（CPG202）。",
        )
    if each.consequence == "crash":
        return Words(
            f"Under {each.method}, a worker is a new process that is sent CpGPT's dataset. The"
            " dataset holds an open genome, which cannot be pickled (CPG201).",
            f"在 {each.method} 下，工作进程是全新的进程，需要把 CpGPT 的数据集发给它；数据集里有"
            "打开的基因组文件，无法序列化（CPG201）。",
        )
    return Words(
        f"{around.cpgpt} falls back to no workers on macOS, and where the start method spawn is"
        " set by a call. Elsewhere this number counts.",
        f"{around.cpgpt} 在 macOS 上，或代码设置了启动方式 spawn 时，会退回到不启用工作进程；"
        "在其他平台上，这个数值会生效。",
    )


def elsewhere_as_well(facts: Facts, call: Call, each: Asked) -> tuple[tuple[Words, Words], ...]:
    """What the same text comes to on each platform."""
    return tuple(
        (NAMES[name], COMES_TO[consequence])
        for name, consequence in consequences(facts, call, each).items()
    )


def consequences(facts: Facts, call: Call, each: Asked) -> dict[str, Consequence]:
    found: dict[str, Consequence] = {}
    for name in PLATFORMS:
        around = circumstances(facts, call, name)
        method, set_by_call = start_method(facts, each.file, around)
        replaced = replaces_loader(facts, each.file)
        ranked = [
            of_embedding(count(outcome) or 0, method, set_by_call, around, replaced)
            for outcome in outcomes(each.setting, name)
            if outcome.kind != "unknown"
        ]
        if ranked:
            found[name] = max(ranked, key=lambda one: SEVERITY.get(one, 0))
    return found


def unsafe_elsewhere(facts: Facts, call: Call, each: Asked) -> list[str]:
    return [
        name
        for name, consequence in consequences(facts, call, each).items()
        if SEVERITY.get(consequence) is Severity.error
    ]


def right_here_only(
    facts: Facts, call: Call, around: Circumstances, each: Asked, unsafe: list[str]
) -> Finding:
    names = listed([NAMES[name] for name in unsafe])
    here = NAMES[around.platform]
    return Finding(
        "CPG608",
        Severity.note,
        Words(
            f"workers by the platform: right on {here.en}, unsafe on {names.en}",
            f"按平台选择工作进程数：在 {here.zh} 上没有问题，在 {names.zh} 上不安全",
        ),
        (
            Words(
                "The number of workers that suits other datasets on these platforms does not suit"
                " CpGPT's, which holds an open genome.",
                "在这些平台上适合其他数据集的工作进程数，并不适合 CpGPT 的数据集，因为它持有"
                "打开的基因组文件。",
            ),
        ),
        (no_workers(facts, each, around),),
        Evidence(seen=elsewhere_as_well(facts, call, each)),
        places.at(each.site, each.call),
        values=(("path", places.quoted(each.file.path)),),
        edits=without_workers(facts, each, around),
    )


def no_workers(facts: Facts, each: Asked, around: Circumstances) -> Remedy:
    """num_workers=0, and what releases without a guard need beside it."""
    after = places.mended(each.call, each.site, "num_workers", "0")
    values: Values = (("before", same(each.call.text)), ("after", same(after)))
    values = values if after != each.call.text else ()
    if not around.guarded and not replaces_loader(facts, each.file):
        return Remedy("main-process-without-prefetch", "CPG201")
    page, name = ("CPG601", "no-workers")
    if each.by_platform:
        page, name = ("CPG608", "no-workers-anywhere")
    return Remedy(name, page, values=(*values, ("path", places.quoted(each.file.path))))


def without_workers(facts: Facts, each: Asked, around: Circumstances) -> tuple[Edit, ...]:
    edits = places.written(each.site, "num_workers", "0", yaml=places.is_yaml(each.file))
    if not edits or around.guarded or replaces_loader(facts, each.file):
        return edits
    return (*loader_without_prefetch(each.call), *edits)


def loader_without_prefetch(call: SourceCall) -> tuple[Edit, ...]:
    """The lines before a call that take prefetch_factor away, as the page has them."""
    if call.before is None:
        return ()
    after = pages.remedies("CPG203", "en")["without-prefetch"].after
    assert after is not None
    lines = after.rpartition("\nembedder.")[0].rstrip("\n")
    for name in ("module", "loader"):  # names that the user's code may have
        lines = re.sub(rf"\b{name}\b", f"cpgpt_{name}", lines)
    return (Edit(places.location(call.before), f"{lines}\n\n"),)


def unknown_ones(
    facts: Facts, around: Circumstances
) -> Iterator[tuple[tuple[SourceFile, SourceCall], Outcome]]:
    """Calls of whose number of workers nothing is known, with why."""
    for file, call in calls(facts, around, "embed"):
        here = outcomes(call.setting("num_workers"), around.platform)
        if here and all(each.kind == "unknown" for each in here):
            yield (file, call), here[0]


WHY = {
    "parameter": Words("an argument that nothing here gives", "这里没有传入的参数"),
    "call": Words("a call that was not followed", "未能跟踪的调用"),
    "import": Words("another package", "另一个包"),
    "changed": Words("a variable that is changed on the way", "中途被修改的变量"),
    "machine": Words("the machine", "所在的机器"),
    "interpolation": Words("another config", "另一个配置文件"),
    "options": Words("a mapping that was not followed", "未能跟踪的字典"),
    "option": Words("the command line", "命令行"),
    "environment": Words("an environment variable", "环境变量"),
    "loop": Words("a loop", "循环"),
}
NOT_FOLLOWED = Words("code that was not followed", "未能跟踪的代码")


def not_known(each: tuple[SourceFile, SourceCall], outcome: Outcome) -> Finding:
    file, call = each
    why = WHY.get(outcome.why, NOT_FOLLOWED)
    site = outcome.site
    return Finding(
        "CPG601",
        Severity.note,
        Words(
            "num_workers is not known here; anything but 0 is unsafe",
            "这里无法得知 num_workers 的值；除 0 以外都不安全",
        ),
        (Words(f"It comes from {why.en}.", f"它来自{why.zh}。"),),
        (Remedy("no-workers", values=(("path", places.quoted(file.path)),)),),
        location=places.at(site, call) if site else places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
    )
