"""CPG502, CPG503 and CPG517: the locations that a user gave."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.locations import BadLine, InGenome, LocationFacts, Problem, Some
from cpgpt_doctor.findings import Check, Evidence, Finding, Location, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import (
    NON_CPG,
    counted,
    line,
    share,
    unless_allowed,
    verified,
    ways,
)
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.words import Words, same

FEW = 20  # locations, of which no share is judged
HALF = 0.5
MOST = 0.9

PROBLEMS: dict[Problem, Words] = {
    "location": Words(
        "is not chromosome:position, such as 1:100000", "不是“染色体:位置”的写法，例如 1:100000"
    ),
    "zero": Words("position 0, where positions count from 1", "位置为 0，而这里的位置从 1 开始计"),
    "columns": Words("fewer columns than the header", "列数比表头少"),
    "csv": Words("not a line of CSV", "不是合法的 CSV 行"),
    "vcf-columns": Words(
        "fewer than the 5 columns of a VCF, with tabs", "不足 VCF 的 5 列（以制表符分隔）"
    ),
    "bed-columns": Words(
        "fewer than the 3 columns of a BED, with tabs", "不足 BED 的 3 列（以制表符分隔）"
    ),
    "bed-end": Words("is not the end of an interval", "不是区间的终点"),
    "bed-order": Words(
        "an interval that is empty or reversed: a CpG's goes from START to START + 2",
        "区间为空或起止颠倒：CpG 的区间从 START 到 START + 2",
    ),
}


def given(facts: Facts) -> LocationFacts:
    assert facts.locations is not None
    return facts.locations


def place(facts: Facts, number: int | None = None) -> Location | None:
    """A line of the file, or the file; nothing where it came from standard input."""
    source = given(facts).source
    return None if source == "standard input" else Location(source, number)


def examples(some: Some) -> tuple[tuple[Words, Words], ...]:
    return tuple((same(each.location), line(each.line)) for each in some.examples)


def not_held(facts: Facts, subject: Words) -> Check:
    return skipped(
        Words(
            f"{subject.en}: there is no genome to hold them against",
            f"{subject.zh}：没有可以对照的基因组",
        )
    )


def names_fit(facts: Facts, call: Call) -> Check:
    """CPG502: CpGPT embeds nothing but N for a name that the genome does not have."""
    locations = given(facts)
    held = locations.in_genome
    if held is None:
        return not_held(facts, NAMES)
    if not held.unknown.count:
        return ok(
            Words(
                f"every location's sequence is in {held.genome}",
                f"所有位点的序列名都在 {held.genome} 中",
            )
        )
    meant = tuple(
        (same(theirs), Words(f"the genome has {its!r}", f"基因组中是 {its!r}"))
        for theirs, its in held.meant[:5]
    )
    names = ", ".join(held.names)
    has = Words("the genome's names", "基因组中的序列名")
    evidence = (*examples(held.unknown), *(meant or ((has, same(f"{names}, …")),)))
    causes = [
        Words(
            "CpGPT embeds a window of nothing but N for such a location, and only a line of its log"
            " tells.",
            "对这样的位点，CpGPT 会计算一个全是 N 的窗口，只在日志里留下一行提示。",
        )
    ]
    if meant:
        causes.insert(
            0,
            Words(
                "The two write the names differently: UCSC's have chr, Ensembl's do not.",
                "两边的命名方式不同：UCSC 的名字带 chr，Ensembl 的不带。",
            ),
        )
    edit = "s/^chr//; s/^M\\b/MT/" if adds_no_chr(held) else "s/^MT\\b/M/; s/^/chr/"
    remedies = ("rename", "other-genome") if meant else ("other-genome", "leave-out")
    return found(
        Finding(
            "CPG502",
            Severity.error,
            Words(
                f"{held.unknown.count} of {locations.total} locations name a sequence that the"
                " genome does not have",
                f"{locations.total} 个位点中有 {held.unknown.count} 个的序列名不在基因组里",
            ),
            tuple(causes),
            ways(facts, "CPG502", *remedies, edit=same(edit)),
            Evidence(seen=evidence),
            place(facts, held.unknown.examples[0].line),
            values=verified(facts, "CPG502"),
        )
    )


def adds_no_chr(held: InGenome) -> bool:
    """Whether the genome's names are Ensembl's, without chr."""
    return not held.meant or not held.meant[0][1].startswith("chr")


def lines_are_locations(facts: Facts, call: Call) -> Check:
    """CPG503: malformed, out of range, or given twice."""
    locations = given(facts)
    problems = []
    if locations.malformed:
        problems.append(malformed(facts))
    held = locations.in_genome
    if held is not None and held.outside.count:
        problems.append(out_of_range(facts, held))
    if locations.duplicates:
        problems.append(repeated(facts, call))
    if problems:
        return found(*problems)
    return ok(
        Words(
            f"{locations.total} locations, each written as one and given once",
            f"{locations.total} 个位点，写法正确，没有重复",
        )
    )


def malformed(facts: Facts) -> Finding:
    locations = given(facts)
    return Finding(
        "CPG503",
        Severity.error,
        counted(
            locations.malformed,
            "line gives no location",
            "lines give no location",
            f"有 {locations.malformed} 行不是位点",
        ),
        (
            Words(
                "CpGPT takes some of these for another location, and embeds a window of N for the"
                " others.",
                "其中一些会被 CpGPT 当成别的位点，另一些会变成全是 N 的窗口。",
            ),
        ),
        ways(facts, "CPG503", "correct-lines"),
        Evidence(seen=tuple(shown(each) for each in locations.bad_lines)),
        place(facts, locations.bad_lines[0].number) if locations.bad_lines else None,
        values=verified(facts, "CPG503"),
    )


def shown(bad: BadLine) -> tuple[Words, Words]:
    problem = PROBLEMS[bad.problem]
    return line(bad.number), Words(f"{bad.text!r}: {problem.en}", f"{bad.text!r}：{problem.zh}")


def out_of_range(facts: Facts, held: InGenome) -> Finding:
    return Finding(
        "CPG503",
        Severity.error,
        Words(
            f"{held.outside.count} of {given(facts).total} locations are past the end of their"
            " sequence",
            f"{given(facts).total} 个位点中有 {held.outside.count} 个超出了所在序列的末端",
        ),
        (
            Words(
                "They belong to another assembly, or are no locations of this genome.",
                "它们属于另一个基因组版本，或者根本不是这个基因组的位点。",
            ),
            Words(
                "CpGPT stores a row for an empty window then.",
                "CpGPT 会为空窗口也存下一行嵌入。",
            ),
        ),
        ways(facts, "CPG503", "right-genome", "correct-lines"),
        Evidence(seen=examples(held.outside)),
        place(facts, held.outside.examples[0].line),
        values=verified(facts, "CPG503"),
    )


def repeated(facts: Facts, call: Call) -> Finding:
    locations = given(facts)
    return Finding(
        "CPG503",
        Severity.note if call.treated else Severity.warning,
        counted(
            locations.duplicates,
            "line repeats a location",
            "lines repeat a location",
            f"有 {locations.duplicates} 行与前面的位点重复",
        ),
        (
            Words(
                "In CpGPT a location that is given twice shifts the rows of those after it;"
                " run-embed embeds it once.",
                "在 CpGPT 里，重复的位点会让后面位点的嵌入错行；run-embed 只计算一次。",
            ),
        ),
        ways(facts, "CPG503", "run-embed", "take-repeats-out"),
        treated=call.treated,
        values=verified(facts, "CPG503"),
    )


def are_cpgs(facts: Facts, call: Call) -> Check:
    """CPG517: at a CpG's 0-based start the genome says CG."""
    locations = given(facts)
    held = locations.in_genome
    if held is None or not held.total:
        return not_held(facts, CPGS)
    cg, left, right = share(held.cg, held.total), share(held.left, held.total), held.right
    if held.cg >= HALF * held.total:
        return ok(
            Words(f"the genome says CG at {cg} of the locations", f"{cg} 的位点处，基因组上是 CG")
        )
    often = locations.column is not None and held.left >= MOST * held.total
    if call.via == "direct":
        level = Severity.warning
    elif often:
        level = Severity.error
    elif held.total < FEW:
        level = Severity.note
    else:
        level = unless_allowed(call, NON_CPG)
    cause, remedies = why_not_cpgs(locations, held, often)
    title = Words(
        f"the genome says CG at {cg} of the {held.total} locations",
        f"{held.total} 个位点中只有 {cg} 处基因组上是 CG",
    )
    causes: tuple[Words, ...] = (
        cause,
        Words(
            "CpGPT embeds the windows around them without an error.",
            "CpGPT 会照常计算它们周围的窗口，不会报错。",
        ),
    )
    if level is Severity.note:
        reason = (
            Words("Allowed with --allow-non-cpg.", "已用 --allow-non-cpg 允许。")
            if held.total >= FEW
            else Words(
                f"With fewer than {FEW} locations, that alone does not stop a run.",
                f"位点不足 {FEW} 个时，仅凭这一点不会停止运行。",
            )
        )
        causes = (reason, *causes)
    return found(
        Finding(
            "CPG517",
            level,
            title,
            causes,
            ways(facts, "CPG517", *remedies),
            Evidence(
                seen=(
                    (Words("CG at the position", "位置处为 CG"), same(cg)),
                    (Words("CG one base to the left", "左移一个碱基为 CG"), same(left)),
                    (
                        Words("CG one base to the right", "右移一个碱基为 CG"),
                        same(share(right, held.total)),
                    ),
                )
            ),
            place(facts),
            values=verified(facts, "CPG517"),
        )
    )


def why_not_cpgs(
    locations: LocationFacts, held: InGenome, often: bool
) -> tuple[Words, tuple[str, ...]]:
    """What the shares one base to either side tell, and the remedies that follow."""
    half = HALF * held.total
    if often:
        return (
            Words(
                f"The column {locations.column} counts from 1, and CpGPT from 0, as the manifests'"
                " CpG_beg does.",
                f"列 {locations.column} 从 1 开始计，而 CpGPT 从 0 开始计，与芯片注释文件的 CpG_beg"
                " 相同。",
            ),
            ("one-based", "zero-based"),
        )
    if held.left >= half and not locations.converted:
        return (
            Words(
                "They count from 1, and CpGPT from 0, as the manifests' CpG_beg does.",
                "它们从 1 开始计，而 CpGPT 从 0 开始计，与芯片注释文件的 CpG_beg 相同。",
            ),
            ("one-based", "as-they-are"),
        )
    if held.right >= half and locations.converted:
        return (
            Words(
                "They count from 0 as they are given; one was subtracted from each.",
                "它们原本就从 0 开始计，却都被减去了一。",
            ),
            ("zero-based", "as-they-are"),
        )
    if held.right >= half:
        return (
            Words("They are too small by 1: add 1 to each.", "它们都小了 1：请给每个位置加 1。"),
            ("add-one", "as-they-are"),
        )
    return (
        Words(
            "They are of another assembly than the genome, or are no CpG sites.",
            "它们属于另一个基因组版本，或者不是 CpG。",
        ),
        ("other-genome", "as-they-are"),
    )


NAMES = Words("the locations' names", "位点的序列名")
CPGS = Words("the locations' bases", "位点处的碱基")
RULES = (
    Rule("CPG502", NAMES, names_fit, ("locations",)),
    Rule("CPG503", Words("the locations", "位点"), lines_are_locations, ("locations",)),
    Rule("CPG517", CPGS, are_cpgs, ("locations",)),
)
