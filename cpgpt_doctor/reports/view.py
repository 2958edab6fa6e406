"""A report in one language: plain strings, which every form lays out in its own way.

Here findings meet the pages that own their remedies, how they are verified, and their cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpgpt_doctor import catalogue, culprits, findings, pages
from cpgpt_doctor.findings import Location, Severity, Status
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.words import Language, Words, listed, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts.audit import AuditFacts
    from cpgpt_doctor.pages import PageRemedy
    from cpgpt_doctor.report import Report

# The rules whose warnings predict that the call fails; other warnings are of calls that end well.
PREDICTS = ("CPG404",)
FOREIGN = "CPG519"


@dataclass(frozen=True)
class Culprit:
    """about: what it is, in the report's language; the rest are names and an error."""

    path: str
    type: str
    error: str
    about: str


@dataclass(frozen=True)
class Seen:
    """key: the label in English, for programs."""

    key: str
    label: str
    value: str


@dataclass(frozen=True)
class Finding:
    """`page`: the parts of its page by name, as Markdown. `found`: what this shows."""

    code: str
    severity: Severity
    kind: str
    title: str
    causes: tuple[str, ...]
    error: str | None
    culprits: tuple[Culprit, ...]
    seen: tuple[Seen, ...]
    location: Location | None
    remedies: tuple[PageRemedy, ...]
    verify: tuple[str, ...]
    expected: str | None
    cost: str | None
    treated: bool
    page: Mapping[str, str]
    found: findings.Finding

    @property
    def name(self) -> str:
        return catalogue.name(self.code)

    @property
    def fingerprint(self) -> str:
        # For forms that programs read; its hash takes longer to import than a report to show.
        from cpgpt_doctor.reports.fingerprint import fingerprint

        return fingerprint(self.found)

    @property
    def preferred(self) -> PageRemedy | None:
        """The first recommended remedy."""
        return next((each for each in self.remedies if each.advice == "recommended"), None)


@dataclass(frozen=True)
class Check:
    """What a rule says."""

    code: str
    status: Status
    summary: str
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        return catalogue.name(self.code)


@dataclass(frozen=True)
class View:
    """`report` for what has no language.

    counted: how many findings of each severity there are, "" for none. patient: versions of what
    was examined. judged_call: the call that was judged. next_step: a report's last line.
    """

    report: Report
    labels: Labels
    counted: str
    patient: str
    judged_call: str
    next_step: str
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]

    @property
    def unknown(self) -> tuple[Check, ...]:
        return tuple(each for each in self.checks if each.status == "unknown")


def of(report: Report, language: Language) -> View:
    """The report in this language."""
    labels = Labels(language)
    checks = tuple(
        Check(
            each.code,
            each.check.status,
            each.check.summary.say(language),
            tuple(finding(one, language) for one in each.check.findings),
        )
        for each in report.judged
    )
    found = tuple(
        sorted(
            (one for each in checks for one in each.findings),
            key=lambda finding: (-finding.severity, finding.code),
        )
    )
    return View(
        report,
        labels,
        counted(report, labels),
        patient(report, language),
        judged_call(report, language),
        next_step(report, found, labels),
        checks,
        found,
    )


def in_each_language(report: Report) -> dict[Language, View]:
    return {"en": of(report, "en"), "zh": of(report, "zh")}


def finding(value: findings.Finding, language: Language) -> Finding:
    evidence = value.evidence
    values = spoken(value.values, language)
    verify = pages.verification(value.code, language)
    cost = pages.cost(value.code, language)
    return Finding(
        value.code,
        value.severity,
        Labels(language)[f"{value.severity.name} severity"],
        value.title.say(language),
        tuple(cause.say(language) for cause in value.causes),
        evidence.error,
        tuple(
            Culprit(each.path, each.type, each.error, culprits.about(each).say(language))
            for each in evidence.culprits
        ),
        tuple(
            Seen(name.en, name.say(language), seen.say(language)) for name, seen in evidence.seen
        ),
        value.location,
        tuple(remedy(each, value.code, language) for each in value.remedies),
        tuple(pages.filled(each, values) for each in verify.commands),
        pages.filled(verify.expected, values) or None,
        None if cost is None else pages.filled(cost, values),
        value.treated,
        pages.read(value.code, language).parts,
        value,
    )


def remedy(value: findings.Remedy, code: str, language: Language) -> PageRemedy:
    """A remedy filled in, with the page's code in its id; KeyError where the page has none."""
    page = value.page or code
    text = pages.remedies(page, language)[value.id].filled(spoken(value.values, language))
    return replace(text, id=f"{page}.{value.id}", advice=value.advice or text.advice)


def spoken(values: findings.Values, language: Language) -> dict[str, str]:
    return {name: words.say(language) for name, words in values}


def counted(report: Report, labels: Labels) -> str:
    """How many findings of each severity there are, "" for none."""
    said = []
    for level in sorted(Severity, reverse=True):
        count = sum(finding.severity is level for finding in report.findings)
        if count and labels.language == "en":
            said.append(f"{count} {level.name}{'' if count == 1 else 's'}")
        elif count:
            said.append(f"{count} 个{labels[f'{level.name} severity']}")
    return labels["comma"].join(said)


def judged_rows(audit: AuditFacts) -> Words:
    """The rows of a store that were judged."""
    if audit.comparison is not None:
        return Words(
            f"{audit.rows_file}, every row that is among the {audit.comparison.there:,} of"
            f" {audit.comparison.path}, too",
            f"{audit.rows_file}，{audit.comparison.path} 的 {audit.comparison.there:,} 行中"
            "也有的每一行",
        )
    drawn = {
        "sample": Words(f"drawn with --seed {audit.seed}", f"随机抽取，--seed {audit.seed}"),
        "all": Words("all that can be", "可判断的全部"),
        "locations": Words("those that were named", "指定的位点"),
    }[audit.drawn]
    return Words(
        f"{audit.rows_file}, {audit.judged:,} of {audit.named:,} rows, {drawn.en}, computed again"
        f" alone with CpGPT {audit.release} on {audit.device}",
        f"{audit.rows_file}，{audit.named:,} 行中的 {audit.judged:,} 行（{drawn.zh}），"
        f"用 CpGPT {audit.release} 在 {audit.device} 上逐个重新计算",
    )


def judged_call(report: Report, language: Language) -> str:
    """What was judged: rows of a store, or a call and how it is made."""
    if report.facts.audit is not None:
        return judged_rows(report.facts.audit).say(language)
    call = report.call
    settings = (
        f"parse_dna_embeddings(num_workers={call.num_workers}, batch_size={call.batch_size},"
        f" dna_llm={call.dna_llm!r})"
    )
    via = (
        Words("by your own code", "由你自己的代码调用")
        if call.via == "direct"
        else Words("through cpgpt-doctor run-embed", "通过 cpgpt-doctor run-embed 运行")
    )
    origin = (
        Words("chosen", "显式指定") if call.chosen else Words("the default here", "此处的默认值")
    )
    if report.facts.python is None and not call.chosen:
        return Words(f"{settings} {via.en}", f"{settings}，{via.zh}").say(language)
    return Words(
        f"{settings} {via.en}, start method {call.start_method} ({origin.en})",
        f"{settings}，{via.zh}，启动方式 {call.start_method}（{origin.zh}）",
    ).say(language)


def patient(report: Report, language: Language) -> str:
    """Versions of what was examined, in one line, and what of its facts is not understood."""
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
    if facts.unknown:
        names = listed([same(each.name) for each in facts.unknown])
        parts.append(
            Words(
                f"facts of a newer version, not understood: {names.en}",
                f"来自更新版本的检测数据，无法识别：{names.zh}",
            ).say(language)
        )
    return " · ".join(parts) or Words("not looked at", "未检查").say(language)


def next_step(report: Report, found: tuple[Finding, ...], labels: Labels) -> str:
    """The last line of a report: what was found, what is not known, and what to do next.

    That nothing stops the call is said only where every rule was judged, nothing was accepted (it
    may stop the call all the same) and no warning predicts a failure.
    """
    language = labels.language
    count = counted(report, labels)
    accepted = accepted_findings(report)
    if report.accepted and not count:
        count = Words(
            f"Nothing found beside the {accepted.en}", f"除{accepted.zh}以外，没有发现问题"
        ).say(language)
    elif report.accepted:
        count += Words(f" ({accepted.en})", f"（{accepted.zh}）").say(language)
    said = count or Words("Nothing found", "没有发现问题").say(language)
    said += not_known(report, language)
    gravest = to_begin_with(report, found)
    if gravest is not None and gravest.severity is Severity.error:
        first = gravest.remedies[0].title if gravest.remedies else ""
        rest = Words(
            f". Begin with {gravest.code}{': ' + first if first else ''}."
            f" More: cpgpt-doctor explain {gravest.code}",
            f"。请先处理 {gravest.code}{'：' + first if first else ''}。"
            f"详情：cpgpt-doctor explain {gravest.code}",
        )
    elif report.facts.audit is not None:
        rest = Words(".", "。")
    elif report.unknown:
        rest = Words(". Whether this call is safe is not known.", "。这次调用是否安全，尚不清楚。")
        if report.facts.skipped:
            rest = Words(
                f"{rest.en} Look at all of it: cpgpt-doctor check, without --quick",
                f"{rest.zh}要全面检查，请运行不带 --quick 的 cpgpt-doctor check",
            )
    elif any(each.code in PREDICTS and each.severity is Severity.warning for each in found):
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


def accepted_findings(report: Report) -> Words:
    """How many a baseline has accepted; errors are named, since they stop the call all the same."""
    errors = accepted_errors(report)
    names = listed([same(each) for each in errors])
    return Words(
        f"{len(report.accepted)} accepted by the baseline"
        + (f", with the errors {names.en}" if errors else ""),
        f"基线已接受的 {len(report.accepted)} 个" + (f"（含错误 {names.zh}）" if errors else ""),
    )


def accepted_errors(report: Report) -> list[str]:
    """The codes of the errors that a baseline has accepted, each once."""
    return sorted({each.code for each in report.accepted if each.severity is Severity.error})


def to_begin_with(report: Report, found: tuple[Finding, ...]) -> Finding | None:
    """The finding that is to be dealt with first: the gravest.

    Of an audit, that rows are those of other locations where most of the wrong ones are: with their
    index put right, the others have to be looked at anew.
    """
    audit = report.facts.audit
    foreign = audit.counts.get("foreign", 0) if audit else 0
    looked_into = audit.wrong - audit.counts.get("untried", 0) if audit else 0
    if foreign and 2 * foreign >= looked_into:
        return next((each for each in found if each.code == FOREIGN), None)
    return found[0] if found else None


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
