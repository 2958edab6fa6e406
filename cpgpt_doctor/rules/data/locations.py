"""CPG502, CPG503 and CPG517: the locations that a user gave."""

from __future__ import annotations

from typing import Literal

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.locations import (
    STANDARD_INPUT,
    BadLine,
    InGenome,
    InStore,
    Kind,
    LocationFacts,
    Problem,
    Some,
)
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


# What gives a location, by the kind of input: one, several, and in Chinese.
UNITS: dict[Kind, tuple[str, str, str]] = {
    "locations": ("line", "lines", "行"),
    "betas": ("column", "columns", "列"),
    "processed": ("entry", "entries", "条记录"),
}


def place(facts: Facts, number: int | None = None) -> Location | None:
    """A line of the file, or the file; nothing where it came from standard input."""
    locations = given(facts)
    if locations.source == STANDARD_INPUT:
        return None
    return Location(locations.source, number if locations.kind == "locations" else None)


def at(facts: Facts, number: int) -> Words:
    """The line, the column or the entry of this number."""
    kinds: dict[Kind, Words] = {
        "locations": line(number),
        "betas": Words(f"column {number}", f"第 {number} 列"),
        "processed": Words(f"entry {number}", f"第 {number} 条记录"),
    }
    return kinds[given(facts).kind]


def examples(facts: Facts, some: Some) -> tuple[tuple[Words, Words], ...]:
    return tuple((same(each.location), at(facts, each.line)) for each in some.examples)


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
        first = ", ".join(f"{theirs} → {its}" for theirs, its in locations.renamed[:3])
        renamed = f" ({first})" if first else ""
        return ok(
            Words(
                f"every location's sequence is in {held.genome}{renamed}",
                f"所有位点的序列名都在 {held.genome} 中{renamed}",
            )
        )
    meant = tuple(
        (same(theirs), Words(f"the genome has {its!r}", f"基因组中是 {its!r}"))
        for theirs, its in held.meant[:5]
    )
    names = ", ".join(held.names)
    has = Words("the genome's names", "基因组中的序列名")
    evidence = (*examples(facts, held.unknown), *(meant or ((has, same(f"{names}, …")),)))
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
    by_name = ("fix-names", "rename", "other-genome")
    remedies = by_name if meant else ("other-genome", "leave-out")
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


def correct_lines(locations: LocationFacts) -> tuple[str, ...]:
    """The remedy for a file with lines; a matrix has none, and CpGPT's own data neither."""
    return ("correct-lines",) if locations.kind == "locations" else ()


def malformed(facts: Facts) -> Finding:
    locations = given(facts)
    one, more, chinese = UNITS[locations.kind]
    return Finding(
        "CPG503",
        Severity.error,
        counted(
            locations.malformed,
            f"{one} gives no location",
            f"{more} give no location",
            f"有 {locations.malformed} {chinese}不是位点",
        ),
        (
            Words(
                "CpGPT takes some of these for another location, and embeds a window of N for the"
                " others.",
                "其中一些会被 CpGPT 当成别的位点，另一些会变成全是 N 的窗口。",
            ),
        ),
        ways(facts, "CPG503", *correct_lines(locations)),
        Evidence(seen=tuple(shown(facts, each) for each in locations.bad_lines)),
        place(facts, locations.bad_lines[0].number) if locations.bad_lines else None,
        values=verified(facts, "CPG503"),
    )


def shown(facts: Facts, bad: BadLine) -> tuple[Words, Words]:
    problem = PROBLEMS[bad.problem]
    return at(facts, bad.number), Words(
        f"{bad.text!r}: {problem.en}", f"{bad.text!r}：{problem.zh}"
    )


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
        ways(facts, "CPG503", "right-genome", *correct_lines(given(facts))),
        Evidence(seen=examples(facts, held.outside)),
        place(facts, held.outside.examples[0].line),
        values=verified(facts, "CPG503"),
    )


def repeated(facts: Facts, call: Call) -> Finding:
    locations = given(facts)
    one, more, chinese = UNITS[locations.kind]
    return Finding(
        "CPG503",
        Severity.note if call.treated else Severity.warning,
        counted(
            locations.duplicates,
            f"{one} repeats a location",
            f"{more} repeat a location",
            f"有 {locations.duplicates} {chinese}与前面的位点重复",
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
    """CPG517: at a CpG's 0-based start the genome says CG, and a store has its name."""
    locations = given(facts)
    held = locations.in_genome
    store = nearest(locations)
    if held is None or not held.total:
        shifted = store is not None and by_names(locations, store) is not None
        return found(names_tell(facts, call, store)) if shifted and store else not_held(facts, CPGS)
    cg = share(held.cg, held.total)
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
    cause, remedies = why_not_cpgs(locations, held, store, often)
    title = Words(
        f"the genome says CG at {cg} of the {held.total} locations",
        f"{held.total} 个位点中只有 {cg} 处基因组上是 CG",
    )
    causes: tuple[Words, ...] = (cause, OTHER_WINDOWS)
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
    bases = (
        (Words("CG at the position", "位置处为 CG"), same(cg)),
        (Words("CG one base to the left", "左移一个碱基为 CG"), same(share(held.left, held.total))),
        (
            Words("CG one base to the right", "右移一个碱基为 CG"),
            same(share(held.right, held.total)),
        ),
    )
    return found(
        Finding(
            "CPG517",
            level,
            title,
            causes,
            ways(facts, "CPG517", *remedies),
            Evidence(seen=(*bases, *names_in(locations, store))),
            place(facts),
            values=verified(facts, "CPG517"),
        )
    )


def nearest(locations: LocationFacts) -> InStore | None:
    """The store that has the most of the names, as they are given or one base beside."""
    return max(
        locations.stores, key=lambda each: max(each.here, each.left, each.right), default=None
    )


def names_in(locations: LocationFacts, store: InStore | None) -> tuple[tuple[Words, Words], ...]:
    """How many of the names a store has, as they are given and shifted by one."""
    if store is None or not store.named:
        return ()

    def of(count: int) -> Words:
        return Words(f"{count} of {locations.total}", f"{locations.total} 个中的 {count} 个")

    return (
        (Words("names that the store has", "嵌入文件中已有的名字"), of(store.here)),
        (Words("with one subtracted", "减一之后"), of(store.left)),
        (Words("with one added", "加一之后"), of(store.right)),
    )


def by_names(locations: LocationFacts, store: InStore) -> Literal["left", "right"] | None:
    """To which side a store has at least half of the names, where it has few as they are given."""
    half = HALF * locations.total
    if locations.total < FEW or store.here >= half:
        return None
    if store.left >= half:
        return "left"
    return "right" if store.right >= half else None


def names_tell(facts: Facts, call: Call, store: InStore) -> Finding:
    """CPG517 without a genome: the names of a store tell."""
    locations = given(facts)
    left = by_names(locations, store) == "left"
    cause, remedy = (FROM_1, "one-based") if left else (TOO_SMALL, "add-one")
    return Finding(
        "CPG517",
        Severity.warning if call.via == "direct" else unless_allowed(call, NON_CPG),
        Words(
            f"the store has {store.here} of the {locations.total} locations, and"
            f" {store.left if left else store.right} one base beside",
            f"{locations.total} 个位点中，嵌入文件里有 {store.here} 个；相差一个碱基的却有"
            f" {store.left if left else store.right} 个",
        ),
        (cause, OTHER_WINDOWS),
        ways(facts, "CPG517", remedy, "as-they-are"),
        Evidence(seen=names_in(locations, store)),
        place(facts),
        values=verified(facts, "CPG517"),
    )


OTHER_WINDOWS = Words(
    "CpGPT embeds the windows around them without an error.",
    "CpGPT 会照常计算它们周围的窗口，不会报错。",
)
FROM_1 = Words(
    "They count from 1, and CpGPT from 0, as the manifests' CpG_beg does.",
    "它们从 1 开始计，而 CpGPT 从 0 开始计，与芯片注释文件的 CpG_beg 相同。",
)
TOO_SMALL = Words("They are too small by 1: add 1 to each.", "它们都小了 1：请给每个位置加 1。")


def why_not_cpgs(
    locations: LocationFacts, held: InGenome, store: InStore | None, often: bool
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
    named = by_names(locations, store) if store is not None else None
    if (held.left >= half or named == "left") and not locations.converted:
        return FROM_1, ("one-based", "as-they-are")
    if held.right >= half and locations.converted:
        return (
            Words(
                "They count from 0 as they are given; one was subtracted from each.",
                "它们原本就从 0 开始计，却都被减去了一。",
            ),
            ("zero-based", "as-they-are"),
        )
    if held.right >= half:
        return TOO_SMALL, ("add-one", "as-they-are")
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
