"""CPG603, 604 and 607: settings of a DataLoader that do not go with the others."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import Outcome, Setting, SourceCall, SourceFile
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.environment.releases import PREFETCH_ERROR
from cpgpt_doctor.rules.sources import places
from cpgpt_doctor.rules.sources.circumstances import (
    Circumstances,
    calls,
    circumstances,
    count,
    outcomes,
)
from cpgpt_doctor.rules.sources.workers import asked, loader_without_prefetch
from cpgpt_doctor.words import Words

PERSISTENT_ERROR = "ValueError: persistent_workers option needs num_workers > 0"
NO_LOADER = Words("no DataLoader", "没有 DataLoader")


def can_be_zero(call: SourceCall, platform: str) -> bool:
    """Whether a DataLoader is made without workers."""
    here = outcomes(call.setting("num_workers"), platform)
    return any(each.kind == "value" and count(each) == 0 for each in here)


def alone(call: SourceCall, name: str) -> Setting | None:
    """A setting as it is where there are no workers."""
    return next((each for each in call.alone if each.name == name), None)


def surely(every: tuple[Outcome, ...]) -> Outcome | None:
    """A setting that is there whichever way the program takes; what hangs on an unknown condition
    may hang on the number of workers, as it should."""
    if every and all(each.kind == "value" and each.value for each in every):
        return every[0]
    return None


def prefetch(facts: Facts, call: Call) -> Check:
    """CPG603: prefetch_factor without workers, one's own or CpGPT's."""
    around = circumstances(facts, call)
    findings = [
        of_cpgpt(around, each.file, each.call)
        for each in asked(facts, around, "embed")
        if each.consequence == "prefetch"
    ]
    findings = list({each.location: each for each in findings}.values())
    seen = 0
    for file, loader in calls(facts, around, "loader"):
        seen += 1
        if not can_be_zero(loader, around.platform):
            continue
        setting = alone(loader, "prefetch_factor")
        given = surely(outcomes(setting, around.platform))
        if given is not None and setting is not None:
            findings.append(of_own(file, loader, setting, given))
    if findings:
        return found(*findings)
    total = seen + sum(1 for _ in calls(facts, around, "embed"))
    if not total:
        return skipped(NO_LOADER)
    return ok(
        Words(
            "no prefetch_factor without workers",
            "没有在不启用工作进程时设置 prefetch_factor",
        )
    )


def of_cpgpt(around: Circumstances, file: SourceFile, call: SourceCall) -> Finding:
    return Finding(
        "CPG603",
        Severity.error,
        Words(
            f"num_workers=0 raises in {around.cpgpt}, which always passes prefetch_factor",
            f"num_workers=0 在 {around.cpgpt} 中会报错：它总是传入 prefetch_factor",
        ),
        (
            Words(
                "CpGPT up to 0.0.7 passes prefetch_factor=2 whatever the number of workers.",
                "0.0.7 及以前的 CpGPT 无论工作进程数是多少，都会传入 prefetch_factor=2。",
            ),
            Words(
                "PyTorch refuses prefetch_factor without workers.",
                "不启用工作进程时，PyTorch 不接受 prefetch_factor。",
            ),
        ),
        tuple(Remedy(each, "CPG203") for each in ("without-prefetch", "run-embed", "newer-cpgpt")),
        Evidence(error=PREFETCH_ERROR),
        places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=loader_without_prefetch(call),
    )


def of_own(file: SourceFile, call: SourceCall, setting: Setting, outcome: Outcome) -> Finding:
    site = outcome.site
    workers = setting_text(call, "num_workers")
    value = "None" if workers in ("", "0") else f"{setting.text} if {workers} > 0 else None"
    return Finding(
        "CPG603",
        Severity.error,
        Words(
            f"prefetch_factor={outcome.value} without workers raises",
            f"不启用工作进程时设置 prefetch_factor={outcome.value} 会报错",
        ),
        (
            Words(
                "PyTorch refuses prefetch_factor without workers.",
                "不启用工作进程时，PyTorch 不接受 prefetch_factor。",
            ),
        ),
        (Remedy("none-without-workers", values=(("path", places.quoted(file.path)),)),),
        Evidence(error=PREFETCH_ERROR),
        places.at(site, call) if site else places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=places.written(site, "prefetch_factor", value) if site else (),
    )


def setting_text(call: SourceCall, name: str) -> str:
    found = call.setting(name)
    return found.text if found is not None and not found.text.startswith("**") else ""


def persistent(facts: Facts, call: Call) -> Check:
    """CPG604: persistent_workers without workers."""
    around = circumstances(facts, call)
    findings = []
    seen = 0
    for file, loader in calls(facts, around, "loader"):
        seen += 1
        if not can_be_zero(loader, around.platform):
            continue
        given = surely(outcomes(alone(loader, "persistent_workers"), around.platform))
        if given is not None:
            findings.append(of_persistent(file, loader, given))
    if findings:
        return found(*findings)
    if not seen:
        return skipped(NO_LOADER)
    return ok(
        Words(
            "no persistent_workers without workers",
            "没有在不启用工作进程时设置 persistent_workers",
        )
    )


def of_persistent(file: SourceFile, call: SourceCall, outcome: Outcome) -> Finding:
    site = outcome.site
    workers = setting_text(call, "num_workers")
    value = "False" if workers in ("", "0") else f"{workers} > 0"
    return Finding(
        "CPG604",
        Severity.error,
        Words(
            "persistent_workers=True without workers raises",
            "不启用工作进程时设置 persistent_workers=True 会报错",
        ),
        (
            Words(
                "PyTorch keeps workers from one epoch to the next only where there are some.",
                "只有启用了工作进程，PyTorch 才能在各轮（epoch）之间保留它们。",
            ),
        ),
        (Remedy("not-persistent", values=(("path", places.quoted(file.path)),)),),
        Evidence(error=PERSISTENT_ERROR),
        places.at(site, call) if site else places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=places.written(site, "persistent_workers", value) if site else (),
    )


def pinned(facts: Facts, call: Call) -> Check:
    """CPG607: pin_memory without CUDA."""
    around = circumstances(facts, call)
    findings = []
    doubtful = False
    seen = 0
    for file, loader in calls(facts, around, "loader", "data-module"):
        if loader.kind == "loader" and loader.dataset not in ("cpgpt", "genome"):
            continue
        seen += 1
        for each in outcomes(loader.setting("pin_memory"), around.platform):
            if each.kind != "value" or not each.value:
                continue
            if around.platform == "darwin" or around.cuda is False:
                findings.append(of_pinned(file, loader, each))
            else:
                doubtful = doubtful or around.cuda is None
    if findings:
        return found(*findings)
    if not seen:
        return skipped(NO_LOADER)
    if doubtful:
        return unknown(
            Words(
                "pin_memory: whether there is CUDA was not looked at",
                "pin_memory：没有检查是否有 CUDA",
            )
        )
    return ok(Words("no pin_memory without CUDA", "没有在缺少 CUDA 时设置 pin_memory"))


def of_pinned(file: SourceFile, call: SourceCall, outcome: Outcome) -> Finding:
    site = outcome.site
    edits = (
        places.written(
            site,
            "pin_memory",
            "false" if places.is_yaml(file) else "False",
            yaml=places.is_yaml(file),
        )
        if site
        else ()
    )
    return Finding(
        "CPG607",
        Severity.note,
        Words(
            "pin_memory=True without CUDA only warns",
            "没有 CUDA 时，pin_memory=True 只会产生警告",
        ),
        (
            Words(
                "Pinned memory speeds up copies to a CUDA device; there is none here.",
                "锁页内存只能加快向 CUDA 设备的拷贝，而这里没有 CUDA 设备。",
            ),
        ),
        (Remedy("do-not-pin", values=(("path", places.quoted(file.path)),)),),
        location=places.at(site, call) if site else places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=edits,
    )
