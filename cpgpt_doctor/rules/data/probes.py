"""CPG525 and CPG526: probes without a location, and locations without a row."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.locations import InStore, ProbesSeen
from cpgpt_doctor.findings import Check, Evidence, Finding, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import verified, ways
from cpgpt_doctor.rules.data.locations import examples, given, place
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.words import Words, same

HALF = 0.5


def probes_have_locations(facts: Facts, call: Call) -> Check:
    """CPG525: CpGPT leaves out a probe that its prober does not know."""
    seen = given(facts).probes
    if seen is None:
        return ok(
            Words("no probes among what was given", "给出的内容里没有探针"),
        )
    if not seen.lost.count and not seen.snps and not seen.not_read:
        en = f", {seen.same} of them the same as another probe's" if seen.same else ""
        zh = f"，其中 {seen.same} 个与别的探针相同" if seen.same else ""
        return ok(
            Words(
                f"{seen.found} probes, each with a location{en}",
                f"{seen.found} 个探针都有位点{zh}",
            )
        )
    return found(lost(facts, call, seen))


def lost(facts: Facts, call: Call, seen: ProbesSeen) -> Finding:
    missing = seen.lost.count
    causes: list[Words] = []
    remedies: list[str] = []
    if seen.suffixed:
        causes.append(
            Words(
                f"{seen.suffixed} have the suffix of EPICv2 or MSA. CpGPT takes it off the names in"
                " the manifests, and not off yours.",
                f"其中 {seen.suffixed} 个带有 EPICv2 或 MSA 的后缀。CpGPT 只去掉注释文件里的后缀，"
                "不会去掉您数据里的。",
            )
        )
        remedies += ["fix-names", "rename-columns"]
    if seen.not_read:
        causes.append(
            Words(
                "From a manifest that it cannot read whole, CpGPT takes nothing.",
                "注释文件不能完整读取时，CpGPT 不会从中取任何探针。",
            )
        )
        remedies.append("manifests-again")
    if missing > seen.suffixed:
        causes.append(
            Words(
                "They are of another array or another species, or no probes.",
                "它们属于别的芯片或别的物种，或者不是探针。",
            )
        )
        remedies += ["right-species", "leave-out"]
    if seen.snps:
        causes.append(
            Words(
                f"{seen.snps} more are named rs or nv: each measures a SNP, and CpGPT leaves it out"
                " on purpose.",
                f"另有 {seen.snps} 个以 rs 或 nv 开头：它们测的是 SNP，CpGPT 有意不用。",
            )
        )
    causes.append(
        Words(
            "CpGPT leaves such a probe out, and only a line of its log tells.",
            "CpGPT 会跳过这样的探针，只在日志里留下一行提示。",
        )
    )
    if not missing and not seen.not_read:
        level = Severity.note
    elif call.via != "direct" and seen.found < HALF * (seen.found + missing):
        level = Severity.error
        causes.insert(
            0,
            Words(
                "Fewer than half have a location, so the names are not those that are meant.",
                "有位点的不到一半，说明这些名字不是所要的名字。",
            ),
        )
    else:
        level = Severity.warning
    return Finding(
        "CPG525",
        level,
        Words(
            f"{missing} of {seen.total} probes have no location",
            f"{seen.total} 个探针中有 {missing} 个没有位点",
        ),
        tuple(causes),
        ways(facts, "CPG525", *(remedies or ["leave-out"])),
        Evidence(seen=evidence(facts, seen)),
        place(facts, seen.lost.examples[0].line if seen.lost.examples else None),
        values=verified(facts, "CPG525"),
    )


def evidence(facts: Facts, seen: ProbesSeen) -> tuple[tuple[Words, Words], ...]:
    told = list(examples(facts, seen.lost))
    told += [
        (same(theirs), Words(f"known as {its!r}", f"已知的名字是 {its!r}"))
        for theirs, its in seen.meant
    ]
    told += [(same(each.path), same(each.why)) for each in seen.not_read]
    if seen.others.count:
        first = ", ".join(repr(each.location) for each in seen.others.examples)
        told.append(
            (
                Words("columns that are neither probes nor locations", "既非探针也非位点的列"),
                Words(
                    f"{seen.others.count}, first {first}", f"{seen.others.count} 列，前几列 {first}"
                ),
            )
        )
    by = {
        "database": Words("looked up in", "查自"),
        "manifests": Words("looked up in the manifests", "查自注释文件"),
    }
    told += [(by[seen.by], same(each)) for each in seen.sources]
    return tuple(told)


def locations_have_rows(facts: Facts, call: Call) -> Check:
    """CPG526: how many of the locations a store has a row for."""
    locations = given(facts)
    if not locations.stores:
        return skipped(
            Words(
                f"{ROWS.en}: no store was looked at",
                f"{ROWS.zh}：没有检查任何嵌入文件",
            )
        )
    total = locations.total
    best = max(locations.stores, key=lambda each: each.here)
    if best.here == total:
        return ok(
            Words(
                f"all {total} locations have a row in {where(best)}",
                f"{total} 个位点在 {where(best)} 中都有嵌入",
            )
        )
    if call.treated:
        return ok(
            Words(
                f"{best.here} of {total} locations have a row; the others are computed",
                f"{total} 个位点中 {best.here} 个已有嵌入，其余的会计算",
            )
        )
    return found(
        Finding(
            "CPG526",
            Severity.warning,
            Words(
                f"{total - best.here} of {total} locations have no row",
                f"{total} 个位点中有 {total - best.here} 个没有嵌入",
            ),
            (
                Words(
                    "CpGPT cannot read the embedding of a location that its index does not have.",
                    "索引里没有的位点，CpGPT 读不到它的嵌入。",
                ),
            ),
            ways(facts, "CPG526", "run-embed", "other-store"),
            Evidence(
                seen=tuple(
                    (
                        same(where(each)),
                        Words(
                            f"{each.here} of {total} locations have one of its {each.named} rows",
                            f"{total} 个位点中有 {each.here} 个对应它的 {each.named} 行之一",
                        ),
                    )
                    for each in locations.stores
                )
            ),
            place(facts),
            values=verified(facts, "CPG526"),
        )
    )


def where(store: InStore) -> str:
    return f"{store.folder} ({store.species}, {store.dna_llm}, {store.context_len})"


PROBES = Words("the probes' locations", "探针的位点")
ROWS = Words("the locations' rows", "位点的嵌入")
RULES = (
    Rule("CPG525", PROBES, probes_have_locations, ("locations",)),
    Rule("CPG526", ROWS, locations_have_rows, ("locations",)),
)
