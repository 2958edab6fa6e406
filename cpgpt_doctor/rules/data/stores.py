"""Rules over an embedding store: what it holds, and whether rows can be added to it."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.store import (
    Audit,
    Damage,
    DamageKind,
    GenomeDifference,
    InCache,
    ModelDifference,
    Sampled,
    StoreFacts,
)
from cpgpt_doctor.findings import Check, Evidence, Finding, Location, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data import locations
from cpgpt_doctor.rules.data.common import (
    ALL_N,
    INTO,
    UNNAMED,
    in_code,
    quoted,
    unless_allowed,
    verified,
    ways,
)
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.words import Words, same

FLOAT32 = 4  # bytes
LARGEST_SHOWN = 3
KINDS = {
    1: Words("not padded (CpGPT up to 0.0.7)", "不填充（CpGPT 0.0.7 及以前）"),
    128: Words(
        "padded to 128 tokens (CpGPT from 0.0.8 on)", "填充到 128 个 token（CpGPT 0.0.8 及以后）"
    ),
}
# The releases that compute each kind of rows.
RELEASES = {1: "CpGPT<0.0.8", 128: "CpGPT>=0.0.8"}
LATER = Words("looked at once the model is loaded", "加载模型之后才检查")


def store_of(facts: Facts) -> StoreFacts:
    assert facts.store is not None
    return facts.store


def finding(
    facts: Facts,
    code: str,
    level: Severity,
    title: Words,
    causes: tuple[Words, ...],
    remedies: tuple[str, ...],
    *,
    seen: tuple[tuple[Words, Words], ...] = (),
    path: str | None = None,
    treated: bool = False,
    **more: Words,
) -> Finding:
    """A finding on the store; its place is the file of rows, or `path`."""
    return Finding(
        code,
        level,
        title,
        causes,
        ways(facts, code, *remedies, **more),
        Evidence(seen=seen),
        Location(path or store_of(facts).rows),
        treated=treated,
        values=verified(facts, code, **more),
    )


def later(subject: Words) -> Check:
    return skipped(Words(f"{subject.en}: {LATER.en}", f"{subject.zh}：{LATER.zh}"))


def megabytes(size: int) -> Words:
    return same(f"{size / 1e6:,.0f} MB")


def fits_the_disk(facts: Facts, call: Call) -> Check:
    """CPG107: the new rows, and those of a part in work, on the disk of the dependencies folder."""
    room = store_of(facts).room
    if room is None:
        return skipped(Words("it is not known how many rows are to come", "尚不知道要新增多少行"))
    needed, free = megabytes(room.needed), megabytes(room.free)
    if room.needed <= room.free:
        return ok(
            Words(
                f"the new rows need {needed.en}, and {free.en} are free",
                f"新增的行需要 {needed.zh}，可用空间 {free.zh}",
            )
        )
    return found(
        finding(
            facts,
            "CPG107",
            Severity.error,
            Words(
                f"the new rows need {needed.en} and {free.en} are free",
                f"新增的行需要 {needed.zh}，而可用空间只有 {free.zh}",
            ),
            (
                Words(
                    "A row is stored for each new location, and the rows of the part in work stand"
                    " in a folder of run-embed's own besides.",
                    "每个新位点存一行；正在计算的那一部分还会在 run-embed 自己的目录里占用空间。",
                ),
            ),
            ("make-room", "larger-disk", "fewer"),
            seen=((Words("of these for the copy", "其中用于复制"), megabytes(room.copied)),)
            if room.copied
            else (),
            path=room.folder,
        )
    )


def left_behind(facts: Facts, call: Call) -> Check:
    """CPG505: an unfinished file of CpGPT's that may be the only one with these rows."""
    store = store_of(facts)
    if store.unfinished is None or is_a_copy(store):
        return ok(Words("no finished rows are left in a .mmap.tmp", "没有遗留在 .mmap.tmp 里的行"))
    alone = not store.unfinished.beside
    return found(
        finding(
            facts,
            "CPG505",
            Severity.error,
            Words(
                "CpGPT left an unfinished file, which may hold rows of yours",
                "CpGPT 留下了一个未完成的文件，里面可能有你的嵌入",
            ),
            (
                Words(
                    "No .mmap stands beside it: its rows are nowhere else."
                    if alone
                    else "The .mmap beside it is shorter than the index says.",
                    "旁边没有 .mmap：这些行不在别处。"
                    if alone
                    else "旁边的 .mmap 比索引所说的短。",
                ),
                Words(
                    "CpGPT was stopped, or (up to 0.0.7) ended without giving the file its name.",
                    "CpGPT 被中断，或者（0.0.7 及以前）结束时没有给文件改名。",
                ),
            ),
            ("repair", "rename", "let-cpgpt-finish", "move-away")
            if alone
            else ("repair", "rename", "move-away"),
            seen=((Words("bytes", "字节数"), same(f"{store.unfinished.size:,}")),),
            path=store.unfinished.path,
        )
    )


def half_made_copy(facts: Facts, call: Call) -> Check:
    """CPG515: a copy of the file of rows that CpGPT's next run would trust."""
    store = store_of(facts)
    if store.unfinished is None or not is_a_copy(store):
        return ok(
            Words("no .mmap.tmp stands beside a whole .mmap", "完整的 .mmap 旁边没有 .mmap.tmp")
        )
    return found(
        finding(
            facts,
            "CPG515",
            Severity.error,
            Words(
                "CpGPT left an unfinished copy of the rows, which its next run would trust",
                "CpGPT 留下了一个未完成的副本，它下次运行会当作完整的文件",
            ),
            (
                Words(
                    "CpGPT copies the .mmap to the .mmap.tmp before it adds rows. Stopped while it"
                    " copies, it leaves zeros there.",
                    "CpGPT 在添加行之前先把 .mmap 复制到 .mmap.tmp。"
                    "如果在复制时被中断，那里就是零。",
                ),
                Words(
                    "Its next run reads the copy alone, and at the end replaces the .mmap by it.",
                    "下次运行只读这个副本，结束时用它替换 .mmap。",
                ),
            ),
            ("repair", "move-away", "let-cpgpt-finish"),
            seen=(
                (Words("bytes of the copy", "副本的字节数"), same(f"{store.unfinished.size:,}")),
                (Words("bytes of the .mmap", ".mmap 的字节数"), same(f"{store.size or 0:,}")),
            ),
            path=store.unfinished.path,
        )
    )


def is_a_copy(store: StoreFacts) -> bool:
    """Whether a `.mmap` that holds all that is named stands beside the unfinished file."""
    return store.unfinished is not None and store.unfinished.beside and not rows_missing(store)


def rows_missing(store: StoreFacts) -> int:
    """How many rows of the index are not in the file; 0 where a row's width is not known."""
    if store.index is None or store.width is None:
        return 0
    return max(0, store.index.named - (store.size or 0) // (store.width * FLOAT32))


def a_row_each(facts: Facts, call: Call) -> Check:
    """CPG506: N locations have the rows 0 to N-1, one each, and the file has them."""
    store = store_of(facts)
    if store.index is None:
        return ok(Words("no location is named yet", "索引里还没有位点"))
    index, problems = store.index, []
    if index.shared or index.outside:
        problems.append(
            finding(
                facts,
                "CPG506",
                Severity.error,
                Words(
                    f"{index.named} locations of the index do not have a row each",
                    f"索引里的 {index.named} 个位点不是各有一行",
                ),
                (
                    Words(
                        "CpGPT was given a location twice (CPG503): the rows of later batches were"
                        " then written over those of others.",
                        "给 CpGPT 的位点有重复（CPG503）：后面批次的行覆盖了别的行。",
                    ),
                    Words(
                        "Nothing in the store says which of its rows are right.",
                        "无法从嵌入文件看出哪些行是对的。",
                    ),
                ),
                ("repair", "new-folder"),
                seen=(
                    (
                        Words("share a row with another", "与别的位点同一行"),
                        same(f"{index.shared:,}"),
                    ),
                    (
                        Words("rows outside of the first ones", "行号超出范围"),
                        same(f"{index.outside:,}"),
                    ),
                ),
                path=store.database,
            )
        )
    missing = rows_missing(store)
    if missing and store.unfinished is None:
        have = index.named - missing
        problems.append(
            finding(
                facts,
                "CPG506",
                Severity.error,
                Words(
                    f"the file holds {have} rows, and the index names {index.named}",
                    f"文件里有 {have} 行，而索引里有 {index.named} 行",
                ),
                (
                    Words(
                        "A copy or a download was cut short, or the index is another store's.",
                        "复制或下载没有完成，或者索引属于另一个嵌入文件。",
                    ),
                ),
                ("put-back", "repair", "new-folder"),
                seen=((Words("bytes", "字节数"), same(f"{store.size or 0:,}")),),
            )
        )
    if problems:
        return found(*problems)
    return ok(Words(f"{index.named} locations have a row each", f"{index.named} 个位点各有一行"))


def no_row_of_nothing(facts: Facts, call: Call) -> Check:
    """CPG507: windows of nothing but N, and stored rows that cannot be embeddings."""
    problems = []
    held = facts.locations.in_genome if facts.locations else None
    if held is not None and held.all_n.count:
        count = held.all_n.count
        level = unless_allowed(call, ALL_N)
        allowed = level is Severity.note
        problems.append(
            Finding(
                "CPG507",
                level,
                Words(
                    f"the windows of {count} locations are nothing but N"
                    + (" (allowed with --allow-all-n)" if allowed else ""),
                    f"{count} 个位点的窗口全是 N"
                    + ("（已用 --allow-all-n 允许）" if allowed else ""),
                ),
                (
                    Words(
                        "All of them get the same row, which says nothing of their place.",
                        "它们会得到同一行嵌入，与所在位置无关。",
                    ),
                ),
                ways(facts, "CPG507", "leave-out", "allow-all-n"),
                Evidence(seen=locations.examples(facts, held.all_n)),
                locations.place(facts, held.all_n.examples[0].line),
                values=verified(facts, "CPG507"),
            )
        )
    audit = facts.store.audit if facts.store else None
    scanned = audit.scanned if audit else None
    if scanned is not None:
        seen = []
        if scanned.zero:
            seen.append(
                (
                    Words("rows of zeros", "全零的行"),
                    first(scanned.zero, scanned.first_zero),
                )
            )
        if scanned.not_finite:
            seen.append(
                (
                    Words("rows that hold what is no number", "含有非数值的行"),
                    first(scanned.not_finite, scanned.first_not_finite),
                )
            )
        if scanned.equal and scanned.equal_to:
            one, other = scanned.equal_to
            seen.append(
                (
                    Words("rows that equal that of another window", "与别的窗口相同的行"),
                    Words(
                        f"{scanned.equal}, first {one} that of {other}",
                        f"{scanned.equal}，例如 {one} 与 {other} 相同",
                    ),
                )
            )
        if seen:
            wrong = scanned.zero + scanned.not_finite + scanned.equal
            problems.append(
                finding(
                    facts,
                    "CPG507",
                    Severity.error,
                    Words(
                        f"{wrong} of {scanned.rows} stored rows cannot be embeddings of their"
                        " locations",
                        f"{scanned.rows} 行中有 {wrong} 行不可能是对应位点的嵌入",
                    ),
                    (
                        Words(
                            "Earlier runs of CpGPT left zeros (0.0.1 to 0.0.3 when locations were"
                            " added, later ones after a stop: CPG515), or embedded locations that"
                            " the genome does not have (CPG717).",
                            "以前的 CpGPT 运行留下了零（0.0.1 到 0.0.3 在新增位点时，"
                            "之后的版本在中断后："
                            "CPG515），或者计算了基因组里没有的位点（CPG717）。",
                        ),
                    ),
                    ("repair", "new-folder", "older-copy"),
                    seen=tuple(seen),
                )
            )
    if problems:
        return found(*problems)
    if scanned is not None:
        return ok(
            Words(
                f"none of {scanned.rows} rows is zero, not a number, or another window's",
                f"{scanned.rows} 行中没有全零、非数值或属于别的窗口的行",
            )
        )
    if held is not None:
        return ok(Words("no window is nothing but N", "没有全是 N 的窗口"))
    return later(ROWS)


def first(count: int, example: str | None) -> Words:
    return Words(f"{count}, first {example}", f"{count}，第一个是 {example}")


DAMAGES: dict[DamageKind, Words] = {
    "unreadable": Words("SQLite cannot read it", "SQLite 无法读取"),
    "no-table": Words("it does not have CpGPT's table", "没有 CpGPT 的数据表"),
    "other-table": Words(
        "its table is not the plain one that CpGPT makes", "数据表不是 CpGPT 建立的普通表"
    ),
    "no-pickle": Words("the entry of the species is no pickle", "物种的条目不是 pickle 数据"),
    "not-plain": Words(
        "the entry of the species holds what is no plain data; it was not loaded",
        "物种的条目含有普通数据以外的内容，没有加载",
    ),
    "cut": Words("the entry of the species is damaged", "物种的条目已损坏"),
    "not-a-dictionary": Words("the entry of the species is not a dictionary", "物种的条目不是字典"),
    "rows": Words("the rows of the model are not a table of locations", "模型的行号表不是位点表"),
    "assembly": Words("the entry of the species names no assembly", "物种的条目没有给出基因组版本"),
}


def is_cpgpts(facts: Facts, call: Call) -> Check:
    """CPG509: the database is what CpGPT writes."""
    store = store_of(facts)
    damage: Damage | None = store.damage
    if damage is None:
        return ok(Words("the index can be read", "索引可以读取"))
    said = DAMAGES[damage.kind]
    return found(
        finding(
            facts,
            "CPG509",
            Severity.error,
            Words(
                f"ensembl_metadata.db is not what CpGPT writes: {said.en}",
                f"ensembl_metadata.db 不是 CpGPT 写的内容：{said.zh}",
            ),
            (
                Words(
                    "It was cut short, or another program wrote it. It is read without running what"
                    " it holds, and nothing is guessed.",
                    "它不完整，或者是别的程序写的。读取时不会运行其中的任何内容，也不做猜测。",
                ),
            ),
            ("put-back", "new-folder", "correct-script"),
            seen=((Words("seen", "检测结果"), same(damage.detail)),) if damage.detail else (),
            path=store.database,
        )
    )


def no_stale_checkpoint(facts: Facts, call: Call) -> Check:
    """CPG510: CpGPT's next run would drop the rows past it."""
    store = store_of(facts)
    if store.checkpoint is None or store.unfinished is not None:
        return ok(Words("no old checkpoint stands beside the rows", "旁边没有旧的检查点"))
    return found(
        finding(
            facts,
            "CPG510",
            Severity.note if call.treated else Severity.warning,
            Words(
                "an old checkpoint stands beside the rows: CpGPT's next run would drop those"
                " past it",
                "旁边有一个旧的检查点：CpGPT 下次运行会丢掉它之后的行",
            ),
            (
                Words(
                    "CpGPT from 0.0.8 on does not remove it when a run is done.",
                    "CpGPT 0.0.8 及以后在运行结束时不会删除它。",
                ),
            ),
            ("run-embed", "repair", "rename"),
            path=store.checkpoint,
            treated=call.treated,
        )
    )


def as_computed(facts: Facts, call: Call) -> Check:
    """CPG513: recorded rows are as they were, and a sample of the others is what is computed."""
    store = store_of(facts)
    problems = []
    changed = [each for each in store.changed if each.where == "file"]
    if changed:
        rows = sum(each.rows for each in changed)
        problems.append(
            finding(
                facts,
                "CPG513",
                Severity.error,
                Words(
                    f"{rows} rows are not those that were recorded",
                    f"有 {rows} 行与记录的不同",
                ),
                (
                    Words(
                        "Another program changed the file after run-embed wrote it.",
                        "run-embed 写完之后，别的程序改动过这个文件。",
                    ),
                ),
                ("repair", "older-copy", "new-folder"),
                seen=stretches(changed[0].first_row, changed[0].rows),
            )
        )
    audit = store.audit
    wrong = [each for each in audit.samples if is_foreign(each)] if audit else []
    if audit and wrong:
        one = wrong[0]
        foreign = one.differing - one.as_other
        problems.append(
            finding(
                facts,
                "CPG513",
                Severity.error,
                Words(
                    f"{foreign} of {one.computed} stored rows are not what their locations"
                    " give here",
                    f"重新计算的 {one.computed} 行中有 {foreign} 行与存下的不同",
                ),
                (
                    Words(
                        "They come from another genome or model than this run's (CPG522), are read"
                        " through an index that is not theirs (CPG519), or were stored wrong: read"
                        " by forked workers (CPG202), or padded to their batch (CPG514). verify"
                        " finds out which.",
                        "它们来自别的基因组或模型（CPG522），或者索引不是它们自己的（CPG519），"
                        "或者存下时就错了：由 fork 出的工作进程读错（CPG202），"
                        "或者在批次里被填充（CPG514）。用 verify 可以查明是哪一种。",
                    ),
                ),
                ("right-genome", "repair", "new-folder"),
                seen=sample_seen(one),
            )
        )
    if problems:
        return found(*problems)
    if audit is None or not audit.samples:
        return later(ROWS)
    computed = sum(each.computed for each in audit.samples)
    return ok(
        Words(
            f"{computed} stored rows, computed again, are the same",
            f"重新计算了 {computed} 行，与存下的相同",
        )
    )


def no_repair_is_under_way(facts: Facts, call: Call) -> Check:
    """CPG527: a repair of the store was killed, and is neither finished nor undone."""
    store = store_of(facts)
    if store.repairing is None:
        return ok(Words("no repair stands half done", "没有中断的修复"))
    return found(
        finding(
            facts,
            "CPG527",
            Severity.error,
            Words(
                "a repair of these rows was stopped, and stands half done",
                "对这些嵌入的修复被中断，只完成了一部分",
            ),
            (
                Words(
                    "Its backup has both what was there and what is to be there: it can be finished"
                    " or undone.",
                    "备份里既有原来的内容，也有修复后的内容：可以继续完成，也可以还原。",
                ),
            ),
            ("finish", "undo"),
            seen=((Words("its backup", "备份"), same(store.repairing)),),
        )
    )


def stretches(first_row: int, rows: int) -> tuple[tuple[Words, Words], ...]:
    return ((Words("first", "第一处"), numbered(first_row, first_row + rows - 1)),)


def sample_seen(one: Sampled) -> tuple[tuple[Words, Words], ...]:
    example = ((Words("such as", "例如"), same(one.example)),) if one.example else ()
    return (
        *example,
        (
            Words("largest difference", "最大差异"),
            Words(
                f"{one.largest:.1e} of a row's norm; rounding gives at most {one.rounding:.0e}",
                f"一行范数的 {one.largest:.1e}；舍入误差最多 {one.rounding:.0e}",
            ),
        ),
    )


def is_foreign(one: Sampled) -> bool:
    """Whether rows of a sample are of neither kind."""
    return one.differing > one.as_other


def index_is_theirs(facts: Facts, call: Call) -> Check:
    """CPG519: rows and index are of one folder and of one time."""
    store = store_of(facts)
    problems = []
    for each in store.apart:
        home = quoted(each.root)
        if each.what == "rows":
            cause = Words(
                f"{each.path} leads to {each.leads_to}, whose index is {each.other}.",
                f"{each.path} 指向 {each.leads_to}，它的索引是 {each.other}。",
            )
        else:
            cause = Words(
                f"{each.path} leads to {each.leads_to}, whose rows are in {each.other}.",
                f"{each.path} 指向 {each.leads_to}，它的嵌入在 {each.other}。",
            )
        problems.append(
            finding(
                facts,
                "CPG519",
                Severity.error,
                Words(
                    "the rows stand beside an index that is not theirs",
                    "嵌入与索引不属于同一个目录",
                ),
                (
                    cause,
                    Words(
                        "Rows read through another index are those of other locations.",
                        "通过别的索引读到的，是别的位点的嵌入。",
                    ),
                ),
                ("right-folder", "right-folder-in-code", "repair"),
                path=each.path,
                home=home,
                home_in_code=in_code(each.root),
            )
        )
    changed = [each for each in store.changed if each.where == "index"]
    if changed:
        rows = sum(each.rows for each in changed)
        problems.append(
            finding(
                facts,
                "CPG519",
                Severity.error,
                Words(
                    f"{rows} rows were recorded for other locations than the index now names",
                    f"有 {rows} 行记录的位点与现在的索引不同",
                ),
                (
                    Words(
                        "This is not the index that they were stored with, so locations read the"
                        " rows of others.",
                        "这不是写入它们时的索引，于是位点会读到别的位点的嵌入。",
                    ),
                ),
                ("put-back", "repair", "new-folder"),
                seen=stretches(changed[0].first_row, changed[0].rows),
                path=store.database,
            )
        )
    if problems:
        return found(*problems)
    return ok(Words("rows and index belong together", "嵌入与索引相配"))


def all_are_named(facts: Facts, call: Call) -> Check:
    """CPG520: the file ends with rows that no index names."""
    store = store_of(facts)
    if store.unnamed is None:
        return ok(Words("no row is without a name", "没有无名的行"))
    unnamed = store.unnamed
    named = store.index.named if store.index else 0
    level = unless_allowed(call, UNNAMED)
    causes = [
        Words(
            "They are rows without their index, or the index was lost or replaced (CPG519).",
            "这些行没有带上自己的索引，或者索引丢失、被替换（CPG519）。",
        ),
        Words(
            "New rows belong in their place. CpGPT would write over them.",
            "新的行要写在这个位置，CpGPT 会覆盖它们。",
        ),
    ]
    if store.lost:
        causes.insert(
            0,
            Words(
                f"{store.lost} rows that were recorded are no longer named (CPG523).",
                f"有 {store.lost} 行曾有记录，现在却没有名字（CPG523）。",
            ),
        )
    bytes_more = f" + {unnamed.rest:,}" if unnamed.rest else ""
    return found(
        finding(
            facts,
            "CPG520",
            level,
            Words(
                f"after the {named} rows that the index names, {unnamed.rows} more hold numbers"
                " that nobody names",
                f"在索引里的 {named} 行之后，还有 {unnamed.rows} 行没有名字的数",
            )
            if unnamed.rows
            else Words(
                f"after the {named} rows that the index names, {unnamed.rest} bytes of no whole row"
                " follow that nobody names",
                f"在索引里的 {named} 行之后，还有 {unnamed.rest} 字节没有名字，也不足一行",
            ),
            tuple(causes),
            ("right-folder", "put-back", "repair", "set-aside")
            if unnamed.nearby
            else ("put-back", "right-folder", "repair", "set-aside"),
            seen=(
                (
                    Words("from byte", "起始字节"),
                    same(f"{unnamed.first_byte:,}"),
                ),
                (
                    Words("rows, and bytes after them", "行数及其后的字节"),
                    same(f"{unnamed.rows:,}{bytes_more}"),
                ),
                *(
                    ((Words("an index nearby", "附近的索引"), same(unnamed.nearby)),)
                    if unnamed.nearby
                    else ()
                ),
            ),
            treated=level is Severity.note,
            home=quoted(unnamed.nearby or f"{store.dependencies}/human"),
        )
    )


def is_its_own(facts: Facts, call: Call) -> Check:
    """CPG521: writing would change a file that others use."""
    store = store_of(facts)
    level = unless_allowed(call, INTO) if call.treated else Severity.warning
    problems = []
    if store.in_cache:
        problems.append(in_a_cache(facts, store.in_cache, level))
    for each in store.hard_linked:
        problems.append(
            finding(
                facts,
                "CPG521",
                level,
                Words(
                    f"the file is one of {each.names} names (hard links)",
                    f"这个文件有 {each.names} 个名字（硬链接）",
                ),
                (
                    Words(
                        "Writing would change it under all of them: in a cache or a backup, maybe.",
                        "写入会同时改变所有名字下的内容：可能是缓存，也可能是备份。",
                    ),
                ),
                ("own-file", "into"),
                path=each.path,
                treated=level is Severity.note,
                linked=quoted(each.path),
                own=quoted(store.dependencies),
            )
        )
    if problems:
        return found(*problems)
    return ok(Words("the store's files are its own", "嵌入文件不与别人共用"))


def in_a_cache(facts: Facts, cached: tuple[InCache, ...], level: Severity) -> Finding:
    return finding(
        facts,
        "CPG521",
        level,
        Words("the store leads into the Hugging Face cache", "嵌入文件指向 Hugging Face 缓存"),
        (
            Words(
                "Files there are shared and named by their content: writing would falsify it.",
                "那里的文件是共享的，并按内容命名：写入会使缓存与名字不符。",
            ),
        ),
        ("into", "copy"),
        seen=tuple((same(each.path), same(each.cache)) for each in cached),
        path=cached[0].path,
        treated=level is Severity.note,
        snapshot=quoted(cached[0].copy),
    )


def fits_the_record(facts: Facts, call: Call) -> Check:
    """CPG522: the genome and the model are those that the stored rows came from."""
    store = store_of(facts)
    problems = []
    if store.other_genome:
        problems.append(another_genome(facts, store.other_genome))
    audit = store.audit
    if audit is not None:
        if any(not each.computed for each in audit.samples):
            problems.append(
                finding(
                    facts,
                    "CPG522",
                    Severity.error,
                    Words(
                        "no location of the stored rows lies in this genome",
                        "存下的行没有一个位点在这个基因组里",
                    ),
                    (Words("They were computed from another genome.", "它们是用别的基因组算的。"),),
                    ("right-genome", "new-folder"),
                )
            )
        problems += other_model(facts, audit)
    if problems:
        return found(*problems)
    if audit is None:
        return later(FIT)
    return ok(Words("genome and model are those of the stored rows", "基因组和模型与存下的行一致"))


def another_genome(facts: Facts, differences: tuple[GenomeDifference, ...]) -> Finding:
    genome = facts.genome.path if facts.genome else None
    return finding(
        facts,
        "CPG522",
        Severity.error,
        Words(
            "the genome is not the one of the stored rows",
            "基因组与存下的行所用的不同",
        ),
        (
            Words(
                "It is another assembly or release, soft-masked otherwise, or was edited.",
                "它是另一个版本，软屏蔽（小写字母）不同，或者被修改过。",
            ),
        ),
        ("right-genome", "new-folder"),
        seen=tuple(
            (same(each.sequence or "windows"), how_different(each))
            for each in differences[:LARGEST_SHOWN]
        ),
        path=genome,
    )


def how_different(each: GenomeDifference) -> Words:
    if each.kind == "no-sequence":
        return Words("is not in this genome", "不在这个基因组里")
    if each.kind == "length":
        return Words(
            f"has {each.now:,} bases and had {each.was:,}",
            f"现在有 {each.now:,} 个碱基，原来是 {each.was:,} 个",
        )
    if each.kind == "windows":
        return Words(
            f"{each.now} of {each.was} recorded windows have other bases",
            f"记录的 {each.was} 个窗口中有 {each.now} 个碱基不同",
        )
    return Words("has other bases, or other lower-case ones", "碱基不同，或大小写不同")


def other_model(facts: Facts, audit: Audit) -> list[Finding]:
    """Another precision is one; for other weights or files, a sample decides.

    With other weights the rows have to be equal bit for bit: rows that differ by rounding alone can
    be those of a slightly different model.
    """
    kinds = {each.kind for each in audit.model}
    sample = audit.model_sample
    other = sample is not None and (
        not sample.computed or sample.differing > 0 or (sample.largest > 0 and "weights" in kinds)
    )
    if "precision" not in kinds and not other:
        return []
    precision = "precision" in kinds
    return [
        finding(
            facts,
            "CPG522",
            Severity.error,
            Words(
                f"{store_of(facts).dna_llm} is not the recorded model",
                f"{store_of(facts).dna_llm} 与记录的模型不同",
            ),
            (
                Words(
                    "transformers 5 loads a bf16 checkpoint as bf16, 4.57 as float32."
                    if precision
                    else "It is another revision, or one of another cache.",
                    "transformers 5 把 bf16 权重按 bf16 加载，4.57 按 float32 加载。"
                    if precision
                    else "它是另一个修订版本，或来自另一个缓存。",
                ),
            ),
            ("right-transformers", "new-folder") if precision else ("other-cache", "new-folder"),
            seen=(
                *(how_the_model_differs(each) for each in audit.model),
                *(sample_seen(sample) if sample and sample.computed else ()),
            ),
        )
    ]


def how_the_model_differs(each: ModelDifference) -> tuple[Words, Words]:
    if each.kind == "precision":
        return (
            Words("precision", "精度"),
            Words(
                f"loaded as {each.now} and were {each.was}", f"现在是 {each.now}，原来是 {each.was}"
            ),
        )
    if each.kind == "weights":
        return Words("weights", "权重"), Words("other weights", "权重不同")
    return Words("other files", "不同的文件"), same(each.now)


def record_is_named(facts: Facts, call: Call) -> Check:
    """CPG523: rows that were recorded have lost their names."""
    store = store_of(facts)
    if not store.lost:
        return ok(Words("every recorded row is named", "所有记录过的行都有名字"))
    return found(
        finding(
            facts,
            "CPG523",
            Severity.warning,
            Words(
                f"{store.lost} rows that were recorded are no longer named",
                f"有 {store.lost} 行曾有记录，现在却没有名字",
            ),
            (
                Words(
                    "The index was saved over, replaced or removed by another program.",
                    "索引被别的程序覆盖、替换或删除了。",
                ),
            ),
            ("newer-index", "compute-again", "one-program"),
            path=store.database,
        )
    )


def one_kind_of_rows(facts: Facts, call: Call) -> Check:
    """CPG524: the stored rows are of one kind, and new ones of the same."""
    store = store_of(facts)
    audit = store.audit
    recorded = () if store.recorded_padding is None else (store.recorded_padding,)
    kinds = audit.kinds if audit else recorded
    if audit is not None and len(kinds) > 1:
        return found(mixed(facts, audit))
    if not kinds:
        return later(KIND) if audit is None else ok(Words("there is no row yet", "还没有任何行"))
    (stored,) = kinds
    if store.asked_padding not in (None, stored):
        return found(asked_for_the_other(facts, stored, store.asked_padding or 0))
    if audit is not None and stored != audit.padding and stored not in RELEASES:
        return found(of_unknown_kind(facts, audit, stored))
    said = kind(stored)
    return ok(
        Words(
            f"windows of the stored rows: {said.en}; new rows are of this kind",
            f"存下的行的窗口：{said.zh}；新增的行与此同类",
        )
    )


PADS = Words(
    "CpGPT pads a window that is alone from 0.0.8 on, and did not before. Padding changes the row.",
    "CpGPT 从 0.0.8 起会填充单独的窗口，以前不会。填充会改变嵌入。",
)


def mixed(facts: Facts, audit: Audit) -> Finding:
    """Rows of both kinds: how many of each were seen, and where the one ends."""
    seen: list[tuple[Words, Words]] = []
    if audit.recorded_padding is not None:
        seen.append((Words("recorded rows", "有记录的行"), kind(audit.recorded_padding)))
    for each in audit.samples:
        place = numbered(each.first_row, each.first_row + each.rows - 1)
        total = f"{each.computed}"
        for padding, rows in each.kinds:
            seen.append(
                (
                    place,
                    Words(
                        f"{rows} of {total} computed again are {kind(padding).en}",
                        f"重新计算的 {total} 行中有 {rows} 行{kind(padding).zh}",
                    ),
                )
            )
        if each.change is not None:
            before, after = kind(each.change.before), kind(each.change.after)
            seen.append(
                (
                    Words("where they change", "分界"),
                    Words(
                        f"{before.en} up to row {each.change.last}, {after.en} from row"
                        f" {each.change.first} on",
                        f"到第 {each.change.last} 行为止{before.zh}，"
                        f"从第 {each.change.first} 行起{after.zh}",
                    ),
                )
            )
    return finding(
        facts,
        "CPG524",
        Severity.error,
        Words("the store mixes both kinds of rows", "嵌入文件混有两类行"),
        (
            Words(
                "Locations were added with a CpGPT of the other kind.",
                "有位点是用另一类 CpGPT 添加的。",
            ),
            PADS,
        ),
        ("repair", "new-folder"),
        seen=tuple(seen),
    )


def numbered(first_row: int, last: int) -> Words:
    return Words(f"rows {first_row} to {last}", f"第 {first_row} 到 {last} 行")


def asked_for_the_other(facts: Facts, stored: int, asked: int) -> Finding:
    return finding(
        facts,
        "CPG524",
        Severity.error,
        Words(
            "--rows asks for the other kind of rows than the store holds",
            "--rows 要求的行与嵌入文件里的不是同一类",
        ),
        (PADS,),
        ("leave-out", "new-folder"),
        seen=(
            (Words("windows of the stored rows", "存下的行的窗口"), kind(stored)),
            (Words("windows that are asked for", "要求的窗口"), kind(asked)),
        ),
    )


def of_unknown_kind(facts: Facts, audit: Audit, stored: int) -> Finding:
    return finding(
        facts,
        "CPG524",
        Severity.error,
        Words(
            f"the stored rows are of a kind that neither CpGPT {audit.release} nor an earlier one"
            " computes",
            f"CpGPT {audit.release} 和更早的版本都不计算存下的这类行",
        ),
        (PADS,),
        ("new-folder",),
        seen=(
            (Words("windows of the stored rows", "存下的行的窗口"), kind(stored)),
            (Words("windows of this CpGPT", "这个 CpGPT 的窗口"), kind(audit.padding)),
        ),
    )


def kind(padding: int) -> Words:
    """What rows of windows padded to this multiple of tokens are called."""
    return KINDS.get(
        padding,
        Words(
            f"padded to {padding} tokens (an unknown CpGPT)",
            f"填充到 {padding} 个 token（未知的 CpGPT）",
        ),
    )


ROWS = Words("the stored rows", "存下的行")
FIT = Words("what the rows were computed from", "存下的行的来源")
KIND = Words("the kind of the stored rows", "存下的行的类型")
STORE = ("store",)
RULES = (
    Rule("CPG107", Words("the disk", "磁盘空间"), fits_the_disk, STORE),
    Rule("CPG505", Words("unfinished files", "未完成的文件"), left_behind, STORE),
    Rule("CPG506", Words("the index and the rows", "索引与行"), a_row_each, STORE),
    Rule("CPG507", ROWS, no_row_of_nothing, ("data",)),
    Rule("CPG509", Words("the index", "索引"), is_cpgpts, STORE),
    Rule("CPG510", Words("CpGPT's checkpoint", "CpGPT 的检查点"), no_stale_checkpoint, STORE),
    Rule("CPG513", ROWS, as_computed, STORE),
    Rule("CPG515", Words("unfinished copies", "未完成的副本"), half_made_copy, STORE),
    Rule("CPG519", Words("whose index it is", "索引的归属"), index_is_theirs, STORE),
    Rule("CPG520", Words("rows without a name", "没有名字的行"), all_are_named, STORE),
    Rule("CPG521", Words("whose files they are", "文件的归属"), is_its_own, STORE),
    Rule("CPG522", FIT, fits_the_record, STORE),
    Rule("CPG523", Words("recorded rows", "记录过的行"), record_is_named, STORE),
    Rule("CPG524", KIND, one_kind_of_rows, STORE),
    Rule("CPG527", Words("repairs", "修复"), no_repair_is_under_way, STORE),
)
