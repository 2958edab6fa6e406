"""CPG611 and 612: files that cannot be read, and comments that ignore findings. All of the area."""

from __future__ import annotations

from dataclasses import replace

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import Ignore, Place, SourcesFacts
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Judged,
    Location,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.rules.sources import datasets, loaders, places, programs, workers
from cpgpt_doctor.rules.sources.circumstances import sources
from cpgpt_doctor.words import Words, same

IGNORES = "CPG612"
FAMILY = "CPG6"


def unreadable(facts: Facts, call: Call) -> Check:
    """CPG611: files that are not what they are named."""
    findings = [
        Finding(
            "CPG611",
            Severity.warning,
            Words(f"{file.path} cannot be read", f"无法读取 {file.path}"),
            (
                Words(
                    "What stands in it is not judged.",
                    "其中的内容没有检查。",
                ),
            ),
            (Remedy("mend-it", values=(("path", places.quoted(file.path)),)),),
            Evidence(error=file.problem),
            places.location(file.place or Place(file.path)),
            values=(("path", places.quoted(file.path)),),
        )
        for file in sources(facts).files
        if file.problem
    ]
    if findings:
        return found(*findings)
    seen = sources(facts)
    return ok(
        Words(
            f"files looked at: {seen.looked_at}, of which {len(seen.files)} have to do with CpGPT",
            f"检查的文件：{seen.looked_at}，其中与 CpGPT 有关的：{len(seen.files)}",
        )
    )


def comments(facts: Facts, call: Call) -> Check:
    """CPG612: what comments ignore; `ignored` says it, once all else is judged."""
    if not any(file.ignores for file in sources(facts).files):
        return skipped(Words("no comment ignores a finding", "没有忽略检查结果的注释"))
    return ok(Words("comments that ignore findings", "忽略检查结果的注释"))


def ignored(judged: tuple[Judged, ...], facts: Facts) -> tuple[Judged, ...]:
    """What was judged without the findings that comments ignore, and what they did."""
    seen = facts.sources
    if seen is None or not any(file.ignores for file in seen.files):
        return judged
    used: set[Ignore] = set()
    count = 0
    kept = []
    for each in judged:
        if not each.code.startswith(FAMILY) or each.check.status != "finding":
            kept.append(each)
            continue
        left = []
        for finding in each.check.findings:
            by = [one for one in ignores(seen) if covers(one, finding)]
            used.update(by)
            count += bool(by)
            if not by:
                left.append(finding)
        kept.append(replace(each, check=remaining(each.check, tuple(left))))
    idle = [each for each in ignores(seen) if each not in used]
    said = of_comments(count, idle)
    return tuple(replace(each, check=said) if each.code == IGNORES else each for each in kept)


def ignores(seen: SourcesFacts) -> list[Ignore]:
    return [each for file in seen.files for each in file.ignores]


def covers(ignore: Ignore, finding: Finding) -> bool:
    """Whether a comment is about a finding."""
    where = finding.location
    if where is None or where.path != ignore.place.path:
        return False
    if ignore.codes and not finding.code.startswith(ignore.codes):
        return False
    if ignore.scope == "file":
        return True
    if where.cell != ignore.place.cell:
        return False
    if ignore.scope == "cell":
        return True
    return covers_line(where, ignore.place.line)


def covers_line(where: Location, line: int) -> bool:
    first = where.line or 1
    return first <= line <= (where.end_line or first)


def remaining(check: Check, left: tuple[Finding, ...]) -> Check:
    if left == check.findings:
        return check
    if left:
        return found(*left)
    title = check.summary
    return skipped(Words(f"ignored by a comment: {title.en}", f"注释已忽略：{title.zh}"))


def of_comments(count: int, idle: list[Ignore]) -> Check:
    if not idle:
        return ok(
            Words(f"findings that comments ignore: {count}", f"被注释忽略的检查结果：{count}")
        )
    return found(
        *(
            Finding(
                IGNORES,
                Severity.note,
                Words("a comment ignores nothing", "这条注释没有忽略任何检查结果"),
                (
                    Words(
                        "There is no finding of these codes at its place, in these circumstances.",
                        "在目前的条件下，这个位置没有对应编号的检查结果。",
                    ),
                ),
                (Remedy("take-out"),),
                Evidence(seen=((Words("ignored elsewhere", "其他被忽略的"), same(str(count))),)),
                places.location(each.place),
            )
            for each in idle
        )
    )


NEEDS = ("sources",)
RULES = (
    Rule("CPG601", Words("workers of the embedding", "嵌入的工作进程"), workers.embedding, NEEDS),
    Rule("CPG602", Words("workers of other loaders", "其他加载器的工作进程"),
         datasets.data_modules, NEEDS),
    Rule("CPG603", Words("prefetch_factor", "prefetch_factor"), loaders.prefetch, NEEDS),
    Rule("CPG604", Words("persistent_workers", "persistent_workers"), loaders.persistent, NEEDS),
    Rule("CPG605", Words("the start method that is set", "设置的启动方式"), programs.forks, NEEDS),
    Rule("CPG606", Words("the __main__ guard", "__main__ 入口保护"), programs.main_guard, NEEDS),
    Rule("CPG607", Words("pin_memory", "pin_memory"), loaders.pinned, NEEDS),
    Rule("CPG608", Words("workers by the platform", "按平台选择的工作进程数"),
         workers.by_platform, NEEDS),
    Rule("CPG609", Words("the embedder's folder", "嵌入器的目录"), programs.folders, NEEDS),
    Rule("CPG610", Words("repeated embedding", "重复的嵌入调用"), programs.repeated, NEEDS),
    Rule("CPG611", Words("reading the sources", "读取源文件"), unreadable, NEEDS),
    Rule(IGNORES, Words("comments that ignore", "忽略检查结果的注释"), comments, NEEDS),
)  # fmt: skip
