"""Words that every form of report uses."""

from __future__ import annotations

from cpgpt_doctor.findings import Severity
from cpgpt_doctor.reports.report import Report
from cpgpt_doctor.words import Language, Words

SEVERITY = {
    Severity.error: Words("error", "错误"),
    Severity.warning: Words("warning", "警告"),
    Severity.note: Words("note", "提示"),
}
ADVICE = {
    "recommended": Words("recommended", "推荐"),
    "possible": Words("possible", "可行"),
    "not-recommended": Words("not recommended", "不推荐"),
}
TREATED = Words("treated by run-embed", "run-embed 会自动处理")
COLON = Words(": ", "：")
# The rules whose warnings predict that the call fails; other warnings are of calls that end well.
PREDICTS = ("CPG404",)


def bracketed(words: Words, language: Language) -> str:
    """The words in brackets, as they follow a text."""
    return Words(f" ({words.en})", f"（{words.zh}）").say(language)


def counted(report: Report, language: Language) -> str:
    """How many findings of each severity there are, "" for none."""
    said = []
    for level in sorted(Severity, reverse=True):
        count = sum(finding.severity is level for finding in report.findings)
        if count and language == "en":
            said.append(f"{count} {level.name}{'' if count == 1 else 's'}")
        elif count:
            said.append(f"{count} 个{SEVERITY[level].zh}")
    return ("、" if language == "zh" else ", ").join(said)


def judged_call(report: Report, language: Language) -> str:
    """The call that was judged, and how it is made."""
    call = report.call
    settings = (
        f"parse_dna_embeddings(num_workers={call.num_workers}, batch_size={call.batch_size},"
        f" dna_llm={call.dna_llm!r})"
    )
    via = (
        Words("by your own code", "由你自己的代码调用")
        if call.via == "direct"
        else Words("through cpgpt-doctor run-embed", "通过 cpgpt-doctor run-embed 运行")
    ).say(language)
    origin = (
        Words("chosen", "显式指定") if call.chosen else Words("the default here", "此处的默认值")
    ).say(language)
    if language == "zh":
        return f"{settings}，{via}，启动方式 {call.start_method}（{origin}）"
    return f"{settings} {via}, start method {call.start_method} ({origin})"


def patient(report: Report) -> str:
    """Versions of what was examined, in one line."""
    facts = report.facts
    torch = facts.accelerator.torch if facts.accelerator else None
    parts = []
    if facts.python:
        parts.append(f"{facts.python.implementation} {facts.python.version}")
    if facts.host:
        parts.append(facts.host.description)
    if facts.packages and facts.packages.cpgpt:
        parts.append(f"CpGPT {facts.packages.cpgpt.version}")
    if torch:
        parts.append(f"torch {torch.version}")
    return " · ".join(parts)


def next_step(report: Report, language: Language) -> str:
    """The last line of a report: what was found, what is not known, and what to do next.

    That nothing stops the call is said only where every rule was judged, nothing was accepted (it
    may stop the call all the same) and no warning predicts a failure.
    """
    found = counted(report, language)
    if report.accepted and not found:
        found = Words(
            f"Nothing found beside the {report.accepted} accepted by the baseline",
            f"除基线已接受的 {report.accepted} 个以外，没有发现问题",
        ).say(language)
    elif report.accepted:
        found += Words(
            f" ({report.accepted} accepted by the baseline)", f"（基线已接受 {report.accepted} 个）"
        ).say(language)
    said = found or Words("Nothing found", "没有发现问题").say(language)
    said += not_known(report, language)
    gravest = report.findings[0] if report.findings else None
    if gravest is not None and gravest.severity is Severity.error:
        first = gravest.remedies[0].title.say(language) if gravest.remedies else ""
        rest = Words(
            f". Begin with {gravest.code}{': ' + first if first else ''}."
            f" More: cpgpt-doctor explain {gravest.code}",
            f"。请先处理 {gravest.code}{'：' + first if first else ''}。"
            f"详情：cpgpt-doctor explain {gravest.code}",
        )
    elif report.unknown:
        rest = Words(". Whether this call is safe is not known.", "。这次调用是否安全，尚不清楚。")
        if report.facts.skipped:
            rest = Words(
                f"{rest.en} Look at all of it: cpgpt-doctor check, without --quick",
                f"{rest.zh}要全面检查，请运行不带 --quick 的 cpgpt-doctor check",
            )
    elif any(
        each.code in PREDICTS and each.severity is Severity.warning for each in report.findings
    ):
        rest = Words(
            ". The call is expected to fail: read CPG404 first.",
            "。预计这次调用会失败：请先看 CPG404。",
        )
    elif report.chosen:
        rest = Words(
            " by the rules that were chosen. The others were not asked.",
            "（仅限所选的规则，其他规则没有检查）。",
        )
    elif report.accepted:
        rest = Words(".", "。")
    elif report.call.via == "run-embed":
        rest = Words(
            ". Nothing in the environment stops run-embed.",
            "。环境中没有什么会妨碍 run-embed。",
        )
    else:
        rest = Words(". Nothing here stops this call.", "。这里没有什么会妨碍这次调用。")
    return said + rest.say(language)


def not_known(report: Report, language: Language) -> str:
    """The rules about which nothing is known, by their codes; "" for none."""
    if not report.unknown:
        return ""
    count = len(report.unknown)
    checks = "1 check" if count == 1 else f"{count} checks"
    return Words(
        f"; {checks} could not be made (marked ?): {', '.join(report.unknown)}",
        f"；有 {count} 项未能检查（标记为 ?）：{'、'.join(report.unknown)}",
    ).say(language)
