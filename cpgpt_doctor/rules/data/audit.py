"""Rules over an audit: stored rows that were computed again, or held against another store's."""

from __future__ import annotations

import math
from collections.abc import Callable

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.audit import AuditedRow, AuditFacts, Comparison, LawFacts, Verdict
from cpgpt_doctor.findings import Check, Finding, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import quoted
from cpgpt_doctor.rules.data.stores import RELEASES, finding, kind
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.words import Words, listed, same

IMPOSSIBLE: tuple[Verdict, ...] = ("zero", "not-finite")
EXAMPLES = 3
INDEX = "ensembl_metadata.db"
# What a row is instead of its location's.
MADE_OF: dict[str, Words] = {
    "padded": Words(
        "padded to a longer window of their batch", "按同一批次中更长的窗口填充（padding）"
    ),
    "one-left": Words("of the window one base to the left", "窗口左移了一个碱基"),
    "one-right": Words("of the window one base to the right", "窗口右移了一个碱基"),
    "upper-case": Words("of the window in upper case", "窗口全部变成了大写"),
    "lower-case": Words("of the window in lower case", "窗口全部变成了小写"),
    "all-n": Words("of nothing but N", "窗口全是 N"),
    "unknown": Words("of unknown making", "来历不明"),
    "untried": Words("not looked into", "没有进一步分析"),
    "zero": Words("zero", "全零"),
    "not-finite": Words("with what is no number", "含有非数值"),
}


def audit_of(facts: Facts) -> AuditFacts:
    assert facts.audit is not None
    return facts.audit


def more_than(part: int, whole: int) -> str:
    """The least percentage of two digits that is more than this share."""
    percent = 100 * part / whole
    step = 10.0 ** (math.floor(math.log10(percent)) - 1) if percent else 0.01
    return f"{(math.floor(percent / step * (1 + 1e-12)) + 1) * step:.4g} %"


def no_more_than(part: int, whole: int) -> str:
    """The largest percentage of two digits that is not more than this share."""
    percent = 100 * part / whole
    if percent > 50:  # as for the rest
        return f"{100 - float(more_than(whole - part, whole).rstrip(' %')):.12g} %"
    step = 10.0 ** (math.floor(math.log10(percent)) - 1) if percent else 0.01
    return f"{math.floor(percent / step * (1 + 1e-12)) * step:.4g} %"


def confidence(audit: AuditFacts) -> Words:
    """What the judged rows say of all of them, as statistics has it, and which were not judged."""
    said = of_the_judged(audit)
    if audit.outside:
        said = Words(
            f"{said.en}; {audit.outside:,} more do not lie in the genome, and were not judged",
            f"{said.zh}；另有 {audit.outside:,} 行的位点不在基因组内，没有判断",
        )
    if audit.missing:
        said = Words(
            f"{said.en}; {audit.missing:,} of the named locations have no row",
            f"{said.zh}；指定的位点中有 {audit.missing:,} 个没有对应的行",
        )
    return said


def of_the_judged(audit: AuditFacts) -> Words:
    wrong, judged = audit.wrong, audit.judged
    if audit.comparison is not None:
        return compared(audit.comparison)
    if audit.drawn == "locations":
        return Words(
            f"{wrong:,} of {judged:,} wrong; they were named, not drawn, so nothing follows for the"
            " other rows",
            f"{judged:,} 行中有 {wrong:,} 行不对；这些行是指定的，不是随机抽取的，"
            "因此不能推断其余的行",
        )
    bounds = audit.bounds
    if bounds is None or audit.drawn == "all":
        return Words(
            f"{wrong:,} of {judged:,} wrong: these are all that can be judged",
            f"{judged:,} 行中有 {wrong:,} 行不对：可判断的行已全部检查",
        )
    total, sure = f"{bounds.population:,}", f"{100 * bounds.confidence:g} %"
    low, high = f"{bounds.low:,}", f"{bounds.high:,}"
    if wrong == 0:
        share = more_than(bounds.high, bounds.population)
        return Words(
            f"none of {judged:,} wrong: with {sure} confidence fewer than {share} are (up to {high}"
            f" of {total})",
            f"{judged:,} 行中没有不对的：置信度为 {sure} 时，不对的行少于 {share}"
            f"（{total} 行中最多 {high} 行）",
        )
    if wrong == judged:
        share = no_more_than(bounds.low, bounds.population)
        return Words(
            f"{wrong:,} of {judged:,} wrong: with {sure} confidence at least {share} are ({low} or"
            f" more of {total})",
            f"{judged:,} 行中有 {wrong:,} 行不对：置信度为 {sure} 时，不对的行至少占 {share}"
            f"（{total} 行中至少 {low} 行）",
        )
    least = no_more_than(bounds.low, bounds.population)
    most = more_than(bounds.high, bounds.population)
    return Words(
        f"{wrong:,} of {judged:,} wrong: with {sure} confidence {least} to {most} are ({low} to"
        f" {high} of {total})",
        f"{judged:,} 行中有 {wrong:,} 行不对：置信度为 {sure} 时，不对的行占 {least} 到 {most}"
        f"（{total} 行中的 {low} 到 {high} 行）",
    )


def compared(held: Comparison) -> Words:
    other = held.common - held.equal - held.rounding - held.both
    en = (
        f"of {held.common:,} rows that both stores have, {held.equal:,} are equal,"
        f" {held.rounding:,} equal up to rounding, {other:,} differ"
    )
    zh = (
        f"两边都有的 {held.common:,} 行中，{held.equal:,} 行相同，"
        f"{held.rounding:,} 行仅有舍入误差，{other:,} 行不同"
    )
    if held.both:
        en += f", {held.both:,} are zero or not a number in both"
        zh += f"，{held.both:,} 行在两边都是全零或非数值"
    if held.here > held.common:
        en += f"; {held.here - held.common:,} more are only here, and were not compared"
        zh += f"；另有 {held.here - held.common:,} 行只有这里才有，没有比较"
    return Words(en, zh)


def tally(audit: AuditFacts, *verdicts: str) -> int:
    return sum(audit.counts.get(each, 0) for each in verdicts)


def examples(audit: AuditFacts, *verdicts: str) -> tuple[AuditedRow, ...]:
    return tuple(each for each in audit.rows if each.verdict in verdicts)[:EXAMPLES]


def such_as(audit: AuditFacts, *verdicts: str) -> tuple[tuple[Words, Words], ...]:
    """The first of the rows with these verdicts, and what is known of each."""
    return tuple((same(each.location), what(each)) for each in examples(audit, *verdicts))


def what(each: AuditedRow) -> Words:
    said = [Words(f"row {each.row:,}", f"第 {each.row:,} 行")]
    if each.owner is not None:
        said.append(Words(f"is that of {each.owner}", f"属于 {each.owner}"))
    if each.stands is not None:
        said.append(Words(f"its own is row {each.stands:,}", f"它自己的在第 {each.stands:,} 行"))
    if each.tokens is not None:
        said.append(Words(f"padded to {each.tokens} tokens", f"填充到 {each.tokens} 个 token"))
    if each.owner is None and each.stands is None and each.difference is not None:
        apart = f"{each.difference:.1e}"
        said.append(Words(f"apart by {apart} of a row's norm", f"相差该行范数的 {apart}"))
    return listed(said)


def evidence(audit: AuditFacts, *more: tuple[Words, Words]) -> tuple[tuple[Words, Words], ...]:
    drawn = (
        ((Words("drawn with --seed", "随机种子 --seed"), same(str(audit.seed))),)
        if audit.drawn == "sample"
        else ()
    )
    return (
        (Words("in all", "总计"), confidence(audit)),
        *drawn,
        *more,
    )


def as_computed(facts: Facts, call: Call) -> Check:
    """CPG513: stored rows are what their locations give."""
    audit = audit_of(facts)
    wrong = [each for each in MADE_OF if each not in IMPOSSIBLE and audit.counts.get(each)]
    problems = []
    if wrong:
        problems.append(not_their_own(facts, audit, wrong))
    near = tally(audit, "near")
    if near and audit.tolerance is not None:
        problems.append(nearly(facts, audit, near, audit.tolerance))
    if audit.nowhere:
        problems.append(of_nothing(facts, audit))
    if problems:
        return found(*problems)
    if audit.wrong:
        return ok(
            Words(
                "no stored row is of unknown making; what is wrong is named by the other rules",
                "没有来历不明的行；不对的行由别的规则说明",
            )
        )
    return ok(confidence(audit))


def not_their_own(facts: Facts, audit: AuditFacts, wrong: list[str]) -> Finding:
    number = tally(audit, *wrong)
    kinds = tuple((MADE_OF[each], same(f"{audit.counts[each]:,}")) for each in wrong)
    if audit.comparison is not None:
        title = Words(
            f"{number:,} of {audit.judged:,} rows are others than in {audit.comparison.path}",
            f"{audit.judged:,} 行中有 {number:,} 行与 {audit.comparison.path} 里的不同",
        )
        causes: tuple[Words, ...] = (
            Words(
                "One of the two stores has wrong rows, or they come from another genome, model or"
                " kind of CpGPT release: verify without --against tells.",
                "其中一个嵌入文件的行不对，或者两者来自不同的基因组、模型或另一类 CpGPT 版本："
                "不带 --against 运行 verify 可以分辨。",
            ),
        )
    else:
        title = Words(
            f"{number:,} of {audit.judged:,} rows computed again are not what is stored",
            f"重新计算的 {audit.judged:,} 行中有 {number:,} 行与存下的不同",
        )
        causes = tuple(why(each) for each in wrong)
    return finding(
        facts,
        "CPG513",
        Severity.error,
        title,
        tuple(dict.fromkeys(causes)),
        ("new-folder", "right-genome")
        if "unknown" not in wrong
        else ("right-genome", "new-folder"),
        seen=evidence(audit, *kinds, *such_as(audit, *wrong)),
    )


def why(verdict: str) -> Words:
    """Where such rows come from."""
    if verdict == "padded":
        return Words(
            "CpGPT pads a window to the longest of its batch, and the model attends to the padding"
            " (CPG514).",
            "CpGPT 会把窗口填充到同一批次中最长的长度，而模型会计算填充部分（CPG514）。",
        )
    if verdict in ("one-left", "one-right"):
        return Words(
            "Positions that count from 1 were read as such that count from 0, or the other way"
            " round (CPG517).",
            "从 1 数起的位置被当成了从 0 数起的，或者相反（CPG517）。",
        )
    if verdict in ("upper-case", "lower-case"):
        return Words(
            "The genome that they came from is soft-masked otherwise than this one (CPG522).",
            "当初的基因组与现在的软屏蔽（小写字母）不同（CPG522）。",
        )
    if verdict == "all-n":
        return Words(
            "The genome that they came from did not know their sequences (CPG717).",
            "当初的基因组里没有这些序列名（CPG717）。",
        )
    if verdict == "untried":
        return Words(
            "Only the first rows that differ were looked into; the others are probably like them.",
            "只分析了最先发现的不一致的行，其余的很可能也是同样的情况。",
        )
    return Words(
        "They come from another genome or model (CPG522), or forked workers read their windows"
        " wrong (CPG202).",
        "它们来自别的基因组或模型（CPG522），或者由 fork 出的工作进程读错了窗口（CPG202）。",
    )


def of_nothing(facts: Facts, audit: AuditFacts) -> Finding:
    """Rows of locations that the genome does not have."""
    return finding(
        facts,
        "CPG513",
        Severity.error,
        Words(
            f"{audit.nowhere:,} of {audit.nowhere_read:,} rows whose locations do not lie in the"
            " genome are of nothing but N",
            f"位点不在基因组内的 {audit.nowhere_read:,} 行中，有 {audit.nowhere:,} 行的窗口全是 N",
        ),
        (why("all-n"),),
        ("right-genome", "new-folder"),
        seen=(
            (
                Words("rows whose locations do not lie in the genome", "位点不在基因组内的行"),
                same(f"{audit.outside:,}"),
            ),
        ),
    )


def nearly(facts: Facts, audit: AuditFacts, near: int, tolerance: float) -> Finding:
    limit = f"{tolerance:.1e}"
    return finding(
        facts,
        "CPG513",
        Severity.warning,
        Words(
            f"{near:,} of {audit.judged:,} rows differ by more than rounding, but as little as most"
            f" do: by up to {limit} of a row's norm",
            f"{audit.judged:,} 行中有 {near:,} 行的差别超过舍入误差，但和多数行一样很小："
            f"不超过该行范数的 {limit}",
        ),
        (
            Words(
                "They were computed in another precision, on another device, or by another revision"
                " of the model.",
                "它们是用别的精度、别的设备或模型的别的修订版本算的。",
            ),
        ),
        ("right-genome",),
        seen=evidence(audit, *such_as(audit, "near")),
    )


def under_their_index(facts: Facts, call: Call) -> Check:
    """CPG519: no location has the row of another."""
    audit = audit_of(facts)
    foreign = tally(audit, "foreign")
    if not foreign:
        return ok(
            Words(
                f"none of {audit.judged:,} rows is that of another location",
                f"{audit.judged:,} 行中没有属于别的位点的行",
            )
        )
    laws = tuple((Words("where the rows are", "行的实际位置"), law(each)) for each in audit.laws)
    proofs = tuple(
        (Words("proved", "验证"), proof(each, audit)) for each in audit.laws if each.foretold
    )
    source = next((each.source for each in audit.laws if each.source.endswith(f"/{INDEX}")), None)
    shared = any(each.kind == "shared" for each in audit.laws)
    return found(
        finding(
            facts,
            "CPG519",
            Severity.error,
            Words(
                f"{foreign:,} of {audit.judged:,} locations have the row of another one",
                f"{audit.judged:,} 个位点中有 {foreign:,} 个对应的是别的位点的行",
            ),
            (cause(shared, audit.laws),),
            ("right-folder", "right-folder-in-code", "new-folder")
            if source
            else ("new-folder",)
            if shared
            else ("put-back", "new-folder"),
            seen=evidence(audit, *laws, *proofs, *precision(audit), *such_as(audit, "foreign")),
            home=quoted(source.removesuffix(f"/{INDEX}") if source else audit.rows_file),
        )
    )


def precision(audit: AuditFacts) -> tuple[tuple[Words, Words], ...]:
    """How far copies may be apart, where the rows are of another precision than here."""
    if audit.tolerance is None:
        return ()
    return (
        (
            Words("rows were compared up to", "比较时允许的差别"),
            Words(
                f"{audit.tolerance:.1e} of a row's norm: they are of another precision or device",
                f"该行范数的 {audit.tolerance:.1e}：它们是用别的精度或设备算的",
            ),
        ),
    )


def cause(shared: bool, laws: tuple[LawFacts, ...]) -> Words:
    if shared:
        return Words(
            "CpGPT was given a location twice (CPG503): it gave several locations one row.",
            "给 CpGPT 的位点有重复（CPG503）：几个位点因此共用一行。",
        )
    if any(each.kind == "index" for each in laws):
        return Words(
            "The rows were linked or copied without their index, or the index was replaced.",
            "行被链接或复制时没有带上索引，或者索引被替换过。",
        )
    if laws:
        return Words(
            "The index was made or changed without the rows, or the rows without the index.",
            "索引是另外生成的，或者单独改动过；也可能是嵌入被单独改动过。",
        )
    return Words(
        "No order explains where they are, so nothing is known of where they come from: rows were"
        " exchanged or written to other places, or two programs wrote to the file at once.",
        "没有规律能解释它们的位置，因此来历不明：可能有行被互换、写到了别的位置，"
        "或者两个程序同时写入过这个文件。",
    )


def law(each: LawFacts) -> Words:
    """Where the rows stand."""
    if each.kind == "index":
        return Words(f"in the order of {each.source}", f"按 {each.source} 的顺序")
    if each.kind == "shift":
        begins = (
            f"{each.after + 1:,}"
            if each.after + 1 == each.first
            else (f"{each.after + 1:,} / {each.first:,}")
        )
        return Words(
            f"from row {begins} on, each stands {each.by:+,} rows away",
            f"从第 {begins} 行起，每一行都偏移 {each.by:+,} 行",
        )
    if each.kind == "shared":
        return Words(
            f"{each.moved:,} locations share the row of another in the index",
            f"索引里有 {each.moved:,} 个位点与别的位点共用一行",
        )
    return {
        "reversed": Words("in reversed order", "顺序颠倒"),
        "sorted": Words("in the order of the locations' text", "按位点文本的顺序"),
        "by-position": Words("in the order of chromosome and position", "按染色体和位置的顺序"),
    }[each.kind]


def proof(each: LawFacts, audit: AuditFacts) -> Words:
    """What the law was held against."""
    right, total = f"{each.came_true:,}", f"{each.foretold:,}"
    if audit.comparison is not None:
        return Words(
            f"it holds for {right} of all {total} misplaced rows",
            f"全部 {total} 个错位的行中有 {right} 个符合",
        )
    return Words(
        f"read off {each.read_off:,} rows, it foretold {right} of {total} further rows, computed"
        f" again; by it {each.moved:,} locations do not have their own",
        f"由 {each.read_off:,} 行得出；另外重新计算 {total} 行，有 {right} 行与推算的一致；"
        f"照此推算，{each.moved:,} 个位点没有对应自己的行",
    )


def can_be_embeddings(facts: Facts, call: Call) -> Check:
    """CPG507: no judged row is zero, or holds what is no number."""
    audit = audit_of(facts)
    number = tally(audit, *IMPOSSIBLE)
    if not number:
        return ok(
            Words(
                f"none of {audit.judged:,} rows is zero or not a number",
                f"{audit.judged:,} 行中没有全零或非数值的行",
            )
        )
    return found(
        finding(
            facts,
            "CPG507",
            Severity.error,
            Words(
                f"{number:,} of {audit.judged:,} stored rows cannot be embeddings",
                f"{audit.judged:,} 行中有 {number:,} 行不可能是嵌入",
            ),
            (
                Words(
                    "Earlier runs of CpGPT left zeros (0.0.1 to 0.0.3 when locations were added,"
                    " later ones after a stop: CPG515).",
                    "以前的 CpGPT 运行留下了零（0.0.1 到 0.0.3 在新增位点时，"
                    "之后的版本在中断后：CPG515）。",
                ),
            ),
            ("new-folder", "older-copy"),
            seen=evidence(
                audit,
                *(
                    (MADE_OF[each], same(f"{audit.counts[each]:,}"))
                    for each in IMPOSSIBLE
                    if audit.counts.get(each)
                ),
                *such_as(audit, *IMPOSSIBLE),
            ),
        )
    )


def of_one_kind(facts: Facts, call: Call) -> Check:
    """CPG524: the rows are of windows that are all padded, or all not."""
    audit = audit_of(facts)
    if audit.padding is None:
        return skipped(Words("the kind of rows needs a model to tell", "行的类型要用模型才能判断"))
    most = kind(audit.padding)
    number = tally(audit, "other-kind")
    if not tally(audit, "own", "near"):
        return skipped(Words("no row is right as any kind", "没有哪一类的行是对的"))
    if not number:
        said = Words(f"the rows are of windows {most.en}", f"这些行的窗口{most.zh}")
        if audit.installed_padding in (None, audit.padding):
            return ok(said)
        return ok(
            Words(
                f"{said.en}; the installed CpGPT {audit.release} computes the other kind",
                f"{said.zh}；安装的 CpGPT {audit.release} 计算的是另一类",
            )
        )
    other = next(each for each in RELEASES if each != audit.padding)
    few = kind(other)
    return found(
        finding(
            facts,
            "CPG524",
            Severity.error,
            Words(
                f"the store mixes both kinds of rows: {number:,} of {audit.judged:,} are of the"
                " other kind",
                f"嵌入文件混有两类行：{audit.judged:,} 行中有 {number:,} 行属于另一类",
            ),
            (
                Words(
                    "Locations were added with a CpGPT of the other kind: it pads a window that is"
                    " alone from 0.0.8 on, and did not before. Padding changes the row.",
                    "有位点是用另一类 CpGPT 添加的：从 0.0.8 起会填充单独的窗口，以前不会。"
                    "填充会改变嵌入。",
                ),
            ),
            ("repair", "new-folder"),
            seen=evidence(
                audit,
                (most, same(f"{tally(audit, 'own', 'near'):,}")),
                (few, same(f"{number:,}")),
                *where_they_change(audit, most, few),
                *such_as(audit, "other-kind"),
            ),
        )
    )


def where_they_change(
    audit: AuditFacts, most: Words, few: Words
) -> tuple[tuple[Words, Words], ...]:
    """Between which of the rows that were looked at the kind changes, where it does so once."""
    own = [each.row for each in audit.rows if each.verdict in ("own", "near")]
    other = [each.row for each in audit.rows if each.verdict == "other-kind"]
    all_kept = (len(own), len(other)) == (tally(audit, "own", "near"), tally(audit, "other-kind"))
    if not own or not other or not all_kept:
        return ()
    if max(own) < min(other):
        last, before, first, after = max(own), most, min(other), few
    elif max(other) < min(own):
        last, before, first, after = max(other), few, min(own), most
    else:
        return ()
    said = Words(
        f"of the rows looked at, {before.en} up to row {last:,}, {after.en} from row {first:,} on",
        f"在检查过的行中，到第 {last:,} 行为止{before.zh}，从第 {first:,} 行起{after.zh}",
    )
    return ((Words("where they change", "分界"), said),)


# Rules of a store that an audit says more of.
OF_AN_AUDIT: dict[str, Callable[[Facts, Call], Check]] = {
    "CPG507": can_be_embeddings,
    "CPG513": as_computed,
    "CPG519": under_their_index,
    "CPG524": of_one_kind,
}


def with_audit(rule: Rule, facts: Facts, call: Call, asked: Check) -> Check:
    """What a rule says of a store as it stands, and of its rows that were audited."""
    if facts.audit is None or rule.code not in OF_AN_AUDIT:
        return asked
    audited = OF_AN_AUDIT[rule.code](facts, call)
    if asked.findings:
        return found(*asked.findings, *audited.findings)
    return audited if audited.status != "skipped" else asked
