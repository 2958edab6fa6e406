"""Rules over dependencies folders: each store of each by the rules of one store, and what is seen
only beside others: indexes that fit the rows better, genomes, folders where CpGPT does not look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from cpgpt_doctor import pages
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.dependencies import (
    DependenciesFacts,
    Elsewhere,
    GenomeSeen,
    Named,
    OtherIndex,
    RowsSeen,
    StoreSeen,
    Unread,
)
from cpgpt_doctor.facts.store import StoreFacts
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    Values,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import counted, in_code, placed, quoted, share
from cpgpt_doctor.rules.rule import Rule, read_version
from cpgpt_doctor.words import Words, same

# Rules of one store that are asked for each store of a folder. What a run alone knows (the disk it
# needs, rows computed again) is left out.
OF_A_STORE = (
    *("CPG505", "CPG506", "CPG510", "CPG513", "CPG515"),
    *("CPG519", "CPG520", "CPG521", "CPG522", "CPG523"),
    "CPG527",
)
# SQLite refuses a value of more bytes: https://www.sqlite.org/limits.html (SQLITE_MAX_LENGTH).
LARGEST_VALUE = 1_000_000_000
NEAR = LARGEST_VALUE // 2
GENOME = ".dna.toplevel.fa"  # how the names of genomes end
ZEROES_OLD_ROWS = ("0.0.1", "0.0.2", "0.0.3")
FEW_EQUAL = 0.001  # of the rows that were read: where no genome tells, windows may be equal
Seen = tuple[tuple[Words, Words], ...]


def with_folders(rule: Rule, facts: Facts, call: Call, asked: Check) -> Check:
    """What a rule says of the run's own input, and of every dependencies folder."""
    if not facts.dependencies:
        return asked
    own = OWN.get(rule.code)
    if own is None and rule.code not in OF_A_STORE:
        return asked
    of_stores, of_folders = [asked], []
    for folder in facts.dependencies:
        if rule.code in OF_A_STORE:
            of_stores += [of_a_store(rule, facts, call, folder, each) for each in folder.stores]
        if own is not None:
            of_folders.append(own(facts, call, folder))
    return together(rule, of_stores, of_folders)


def together(rule: Rule, of_stores: list[Check], of_folders: list[Check]) -> Check:
    """Checks by one rule as one; where all is well, what was said of the first store."""
    checks = [each for each in (*of_stores, *of_folders) if each.status != "skipped"]
    findings = tuple(each for check in checks for each in check.findings)
    if findings:
        return found(*findings)
    doubt = next((each for each in checks if each.status == "unknown"), None)
    if doubt is not None:
        return doubt
    if not checks:
        return skipped(Words(f"{rule.subject.en}: no store", f"{rule.subject.zh}：没有嵌入"))
    count = sum(each.status == "ok" for each in of_stores) or len(checks)
    said = checks[0].summary
    if all(each.summary == said for each in checks[:count]):
        return ok(said)
    return ok(Words(f"{said.en} (the first of {count})", f"{said.zh}（共 {count} 处，这是第一处）"))


def of_a_store(
    rule: Rule, facts: Facts, call: Call, folder: DependenciesFacts, seen: StoreSeen
) -> Check:
    """What the rule of one store says of this one."""
    store = seen.store
    if store.damage is not None or is_unread(folder, store):
        return skipped(rule.subject)  # said once, of the index or of the file
    if rule.code == "CPG519" and any(each.home for each in seen.others):
        store = replace(store, apart=())  # both indexes were read: `foreign_index` knows better
    check = rule.judge(view(facts, store), call)
    if rule.code == "CPG506" and no_rows(store):
        return skipped(rule.subject)
    if rule.code == "CPG520" and next(verdicts(seen), None) is not None:
        return skipped(rule.subject)  # CPG519 says whose these rows are
    if rule.code == "CPG520" and check.findings:
        return found(*(named_by(each, seen) for each in check.findings))
    return check


def no_rows(store: StoreFacts) -> bool:
    return store.size is None and store.index is not None and store.unfinished is None


def view(facts: Facts, store: StoreFacts) -> Facts:
    """Facts as the rules of one store take them."""
    return replace(facts, store=store, locations=None, genome=None, dependencies=())


def is_unread(folder: DependenciesFacts, store: StoreFacts) -> bool:
    paths = {each.path for each in folder.unread if each.why not in ("skipped", "shrank")}
    return bool(paths) and (store.database in paths or store.rows in paths)


def named_by(finding: Finding, seen: StoreSeen) -> Finding:
    """A finding on rows that nobody names, with the index near by that names them all."""
    fits = named_by_all(seen)
    if fits is None:
        return finding
    evidence = replace(
        finding.evidence,
        seen=(
            *finding.evidence.seen,
            (Words("an index that names them all", "给它们全部命名的索引"), same(fits.path)),
        ),
    )
    first = "right-folder" if fits.folder else "repair"
    remedies = [with_values(finding.code, each, places_of(fits)) for each in finding.remedies]
    return replace(
        finding,
        evidence=evidence,
        remedies=tuple(sorted(remedies, key=lambda each: each.id != first)),
    )


def with_values(code: str, remedy: Remedy, more: Values) -> Remedy:
    """The remedy with what it asks for of these values, too."""
    return way(code, (remedy.page or code, remedy.id), (*remedy.values, *more))


def places_of(other: OtherIndex) -> Values:
    """Where another index is, for the commands of the pages."""
    folder: Values = ()
    if other.folder:
        folder = (("home", quoted(other.folder)), ("home_in_code", in_code(other.folder)))
    return (*folder, ("index", quoted(other.path)))


def paths_of(store: StoreFacts) -> Values:
    """The paths of a store, for the commands of the pages."""
    return (
        ("dir", quoted(store.dependencies)),
        ("in_code", in_code(store.dependencies)),
        *split_path(store.rows),
        ("database", quoted(store.database)),
    )


def split_path(rows: str) -> Values:
    at = max(rows.rfind(each) for each in "/\\")
    return (("store", quoted(rows[:at])), ("rows", quoted(rows[at + 1 :])))


def finding(
    code: str,
    level: Severity,
    title: Words,
    causes: tuple[Words, ...],
    remedies: tuple[str | tuple[str, str], ...],
    path: str,
    known: Values,
    seen: Seen = (),
) -> Finding:
    """A finding; a remedy of another page is written (page, id)."""
    verification = repr(pages.verification(code, "en").commands)
    return Finding(
        code,
        level,
        title,
        causes,
        tuple(way(code, each, known) for each in remedies),
        Evidence(seen=seen),
        Location(path),
        values=placed(dict(known), verification),
    )


def way(code: str, remedy: str | tuple[str, str], known: Values) -> Remedy:
    page, name = (None, remedy) if isinstance(remedy, str) else remedy
    texts = pages.remedies(page or code, "en")[name]
    return Remedy(name, page, placed(dict(known), repr(texts)))


def result(findings: list[Finding], well: Words) -> Check:
    return found(*findings) if findings else ok(well)


def of_folder(folder: DependenciesFacts) -> Values:
    return (("dir", quoted(folder.folder)), ("in_code", in_code(folder.folder)))


def example(rows: Named) -> Words:
    return Words(
        f"{rows.count:,}, such as {', '.join(rows.first)}",
        f"{rows.count:,}，例如 {'、'.join(rows.first)}",
    )


# CPG519: which index the rows are of


def fits_all(other: OtherIndex, seen: StoreSeen) -> bool:
    """Whether an index names each row that the store's file holds, and no others."""
    return other.whole and other.named == seen.filled and other.shares != "other"


def mine_fits(seen: StoreSeen) -> bool:
    index = seen.store.index
    return index is not None and not (index.shared or index.outside) and index.named == seen.filled


def contradicting(seen: StoreSeen) -> Iterator[OtherIndex]:
    """Indexes near by of the same rows that have some of the store's locations at other rows."""
    for each in seen.others:
        if each.whole and each.moved and (each.rows is None or each.shares in ("file", "equal")):
            yield each


def foreign_index(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG519: an index near by contradicts the store's own, and fits the rows better."""
    findings = []
    for seen in folder.stores:
        each = next(
            filter(None, (contradicted(seen, other) for other in contradicting(seen))), None
        )
        if each is not None:
            findings.append(each)
    passed = [each for each in folder.unread if each.why == "skipped"]
    if not findings and passed:
        left = counted(
            len(passed),
            "index near by was not read",
            "indexes near by were not read",
            f"附近有 {len(passed)} 个索引没有读取",
        )
        return unknown(Words(f"whose index it is: {left.en}", f"索引的归属：{left.zh}"))
    if not findings and not folder.stores:
        return skipped(Words("no store", "没有嵌入"))
    return result(findings, Words("no index near by fits the rows better", "附近没有更相配的索引"))


def verdicts(seen: StoreSeen) -> Iterator[Finding]:
    """What the indexes near by say against a store's own."""
    for each in contradicting(seen):
        finding = contradicted(seen, each)
        if finding is not None:
            yield finding


def whose(seen: StoreSeen, other: OtherIndex) -> Literal["mine", "theirs", "either"] | None:
    """Whose rows a store's are, where another index contradicts its own; None where nothing says
    that they are not the store's."""
    recorded = seen.recorded == seen.parts, other.recorded == seen.parts
    if seen.parts and recorded[0] != recorded[1]:
        return "theirs" if recorded[1] else "mine"
    if fits_all(other, seen) != mine_fits(seen):
        return "theirs" if fits_all(other, seen) else "mine"
    if other.home and not (mine_fits(seen) and seen.store.unfinished is None):
        return "theirs"
    if other.rows is None or is_linked_here(other):
        return None  # a copy of another time, or an index that reads these rows through a link
    return "either"


def contradicted(seen: StoreSeen, other: OtherIndex) -> Finding | None:
    """What another index of the same rows means for a store; None where its own is right."""
    said = whose(seen, other)
    if said == "either":
        return either(seen, other)
    if said == "theirs":
        return foreign(seen, other)
    return replaced(seen, other) if said == "mine" and other.home else None


def fitting(seen: StoreSeen) -> OtherIndex | None:
    """The index near by that the store's rows are of, where its own is not theirs.

    None where that one's own rows lie elsewhere: they would be taken for these ones' copy.
    """
    for each in contradicting(seen):
        if whose(seen, each) == "theirs" and not is_linked_here(each):
            return each
    return named_by_all(seen)


def named_by_all(seen: StoreSeen) -> OtherIndex | None:
    """An index near by that names what the store's own leaves unnamed, all of it."""
    if seen.store.unnamed is None:
        return None
    return next((each for each in seen.others if fits_all(each, seen) and not each.moved), None)


def is_linked_here(other: OtherIndex) -> bool:
    """Whether the other folder's rows are a link to the store's."""
    return other.shares == "file" and not other.home


def said_of(seen: StoreSeen, other: OtherIndex) -> Seen:
    store, index = seen.store, seen.store.index
    named = index.named if index else 0
    return (
        (Words("rows in the file", "文件里的行数"), same(f"{seen.filled or 0:,}")),
        (same(store.database), Words(f"names {named:,}", f"{named:,} 个位点")),
        (same(other.path), Words(f"names {other.named:,}", f"{other.named:,} 个位点")),
        (
            Words("locations that were looked up in both", "在两个索引里都查过的位点"),
            Words(
                f"{other.moved:,} of {other.same + other.moved:,} have another row there",
                f"{other.same + other.moved:,} 个中有 {other.moved:,} 个行号不同",
            ),
        ),
    )


def foreign(seen: StoreSeen, other: OtherIndex) -> Finding:
    store = seen.store
    named = store.index.named if store.index else 0
    if is_linked_here(other):
        cause = Words(
            "A run with that index wrote its rows through a link, over those that this one names.",
            "使用那个索引的运行通过链接写入，覆盖了这个索引对应的嵌入。",
        )
        ways: tuple[str, ...] = ("download-again", "right-folder-in-code")
    else:
        cause = Words(
            "CpGPT made a new index and read the old rows by its numbers: each location gets the"
            " row of another one, without an error.",
            "CpGPT 新建了索引，却按新的行号读旧的嵌入：每个位点得到的是别的位点的嵌入，"
            "而且没有报错。",
        )
        linked = other.shares == "file"
        folder = ("right-folder-in-code", "right-folder") if other.folder else ("put-back",)
        ways = (*folder, "repair") if linked else ("repair", *folder)
    whole = fits_all(other, seen)
    return finding(
        "CPG519",
        Severity.error,
        Words(
            f"{named:,} locations are read through an index that is not of these rows",
            f"{named:,} 个位点是通过别的索引读取的，这个索引不属于这些嵌入",
        ),
        (
            Words(
                f"The rows are those of {other.path}"
                + (", which names each of them." if whole else "."),
                f"这些嵌入属于 {other.path}" + ("，它给每一行都命了名。" if whole else "。"),
            ),
            cause,
        ),
        ways,
        store.rows,
        (*paths_of(store), *places_of(other)),
        said_of(seen, other),
    )


def replaced(seen: StoreSeen, other: OtherIndex) -> Finding:
    """The rows were written through a link, and are no longer those of the folder they lie in."""
    return finding(
        "CPG519",
        Severity.warning,
        Words(
            f"a run wrote its rows through a link, over those of {other.folder}",
            f"运行结果通过链接写到了 {other.folder}，覆盖了那里的嵌入",
        ),
        (
            Words(
                f"The file holds the rows of {seen.store.database}. It lies in {other.folder},"
                " whose own rows are gone: its index names others.",
                f"文件里是 {seen.store.database} 的嵌入。它位于 {other.folder}，"
                "那里原有的嵌入已经不在，那里的索引对应的是别的行。",
            ),
        ),
        ("own-rows", "download-again"),
        seen.store.rows,
        (*paths_of(seen.store), *places_of(other)),
        said_of(seen, other),
    )


def either(seen: StoreSeen, other: OtherIndex) -> Finding:
    return finding(
        "CPG519",
        Severity.error,
        Words(
            "two indexes name these rows for different locations: at most one is right",
            "两个索引把这些行分给了不同的位点，最多只有一个是对的",
        ),
        (
            Words(
                "Both name as many rows as the file holds, or neither does, and the rows themselves"
                " have no names.",
                "两者的位点数都与文件的行数相同（或都不同），而嵌入本身没有名字。",
            ),
        ),
        ("verify", "put-back"),
        seen.store.rows,
        (*paths_of(seen.store), *places_of(other)),
        said_of(seen, other),
    )


# CPG506, CPG509: what cannot be read

WHY: dict[str, Words] = {
    "loop": Words("links lead round and round", "链接首尾相接，没有尽头"),
    "gone": Words("a link to what is not there: ", "链接的目标不存在："),
    "no-file": Words("a folder, a pipe or a device", "是目录、管道或设备"),
    "denied": Words("cannot be read: ", "无法读取："),
    "no-record": Words("no record of run-embed's: ", "不是 run-embed 的记录："),
}


def cannot(each: Unread) -> Words:
    why = WHY[each.why]
    return Words(why.en + each.detail, why.zh + each.detail)


def unreadable_files(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG506: something stands where a store's file is to be and cannot be read as one."""
    bad = [
        each
        for each in folder.unread
        if each.why in WHY and each.path != folder.database and not each.path.endswith(GENOME)
    ]
    findings = [
        finding(
            "CPG506",
            Severity.error,
            Words(
                "a file of the store cannot be read",
                "有一个嵌入文件无法读取",
            ),
            (
                Words(
                    "CpGPT would fail on it, or replace it. Nothing behind it was looked at.",
                    "CpGPT 会在这里出错，或者替换它。它后面的内容没有检查。",
                ),
            ),
            ("put-back",),
            each.path,
            (*of_folder(folder), *split_path(each.path), ("database", quoted(folder.database))),
            ((Words("seen", "检测结果"), cannot(each)),),
        )
        for each in bad
    ]
    findings += [
        finding(
            "CPG506",
            Severity.error,
            Words(
                f"the index names {seen.store.index.named:,} rows, and there is no file of rows",
                f"索引里有 {seen.store.index.named:,} 行，却没有嵌入文件",
            ),
            (
                Words(
                    "The index was copied without its rows, or they were moved or removed.",
                    "只复制了索引，没有复制嵌入；或者嵌入被移走、删除了。",
                ),
                Words(
                    "CpGPT holds these locations for done and fails when it reads them.",
                    "CpGPT 认为这些位点已经完成，读取时才会出错。",
                ),
            ),
            ("put-back", "new-folder"),
            seen.store.rows,
            paths_of(seen.store),
        )
        for seen in folder.stores
        if seen.store.index is not None
        and no_rows(seen.store)
        and not is_unread(folder, seen.store)
    ]
    return result(findings, Words("every file can be read", "所有文件都能读取"))


def unreadable_index(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG509: the index as a whole, and the entry of each species."""
    rule = facts_rule("CPG509")
    damages = [folder.damage, *(each.damage for each in folder.entries)]
    damages += [each.store.damage for each in folder.stores]
    findings: list[Finding] = []
    for damage in dict.fromkeys(each for each in damages if each is not None):
        store = StoreFacts(
            dependencies=folder.folder,
            database=folder.database,
            rows=folder.database,
            damage=damage,
        )
        findings += rule.judge(view(facts, store), call).findings
    for each in folder.unread:
        if each.path != folder.database:
            continue
        if each.why == "locked":
            return unknown(
                Words(
                    f"the index is locked by another program, so its stores were not looked at:"
                    f" {each.path}",
                    f"索引被别的程序锁定，因此没有检查其中的嵌入：{each.path}",
                )
            )
        if each.why in WHY:
            findings.append(
                finding(
                    "CPG509",
                    Severity.error,
                    Words("the index cannot be read", "索引无法读取"),
                    (
                        Words(
                            "Without it, nothing says which row belongs to which location.",
                            "没有索引，就不知道哪一行属于哪个位点。",
                        ),
                    ),
                    ("put-back",),
                    each.path,
                    of_folder(folder),
                    ((Words("seen", "检测结果"), cannot(each)),),
                )
            )
    if not folder.has_database and not folder.stores:
        return skipped(Words("no index", "没有索引"))
    return result(findings, Words("the index can be read", "索引可以读取"))


# CPG507: rows that cannot be embeddings


def impossible_rows(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG507: rows of zeros, of no numbers, equal ones, and those of places that do not exist."""
    findings, well, doubts = [], [], []
    for store in folder.stores:
        if store.rows is None:
            if store.store.index is not None and store.store.width is None and store.store.size:
                doubts.append(store)
            continue
        seen = what_is_wrong(store, store.rows)
        if seen:
            findings.append(impossible(store, store.rows, seen))
        else:
            well.append(store.rows)
    if findings:
        return found(*findings)
    shrank = next((each for each in folder.unread if each.why == "shrank"), None)
    if shrank is not None:
        return unknown(
            Words(
                f"the file changed while it was read, by another program: {shrank.path}",
                f"读取时文件被别的程序改动：{shrank.path}",
            )
        )
    if doubts:
        name = doubts[0].store.dna_llm
        return unknown(
            Words(
                f"the rows of {name} were not read: how wide they are is not known",
                f"没有读取 {name} 的嵌入：不知道每行有多少个数",
            )
        )
    if not well:
        return skipped(Words("no row", "没有嵌入"))
    read, named = sum(each.read for each in well), sum(each.named for each in well)
    if read == named:
        return ok(
            Words(
                f"none of {named:,} rows is zero, not a number, or another's",
                f"{named:,} 行中没有全零、非数值或与别的位点相同的行",
            )
        )
    return ok(
        Words(
            f"none of {read:,} rows, a sample of {named:,}, is zero, not a number, or another's"
            " (--full reads all)",
            f"在 {named:,} 行中抽查了 {read:,} 行，没有全零、非数值或与别的位点相同的行"
            "（--full 读取全部）",
        )
    )


def what_is_wrong(store: StoreSeen, rows: RowsSeen) -> Seen:
    kinds = (
        (Words("rows of zeros", "全零的行"), rows.zero),
        (Words("rows that hold what is no number", "含有非数值的行"), rows.not_finite),
        (Words("rows of windows of nothing but N", "窗口全是 N 的行"), rows.all_n),
        (
            Words("locations past the end of their sequence", "位置超出序列末端的位点"),
            store.outside,
        ),
    )
    seen = [(name, example(each)) for name, each in kinds if each.count]
    if rows.in_holes:
        seen.append(
            (
                Words("rows that were never written", "从未写入的行"),
                Words(f"{rows.in_holes:,} of all", f"全部行中有 {rows.in_holes:,} 行"),
            )
        )
    if rows.equal.count:
        first = rows.equal.first[0] if rows.equal.first else ""
        seen.append(
            (
                Words("rows that equal that of another location", "与别的位点相同的行"),
                Words(
                    f"{rows.equal.count:,}, such as {first} that of {rows.equal_to}",
                    f"{rows.equal.count:,}，例如 {first} 与 {rows.equal_to} 相同",
                ),
            )
        )
    return tuple(seen)


def impossible(store: StoreSeen, rows: RowsSeen, seen: Seen) -> Finding:
    wrong = rows.zero.count + rows.not_finite.count + rows.equal.count + store.outside.count
    wrong = max(wrong, rows.in_holes)
    only_n = not wrong
    wrong += rows.all_n.count
    sample = "" if rows.whole else f", a sample of {rows.named:,}"
    of = f"（从 {rows.named:,} 行中抽查）" if sample else ""
    # Where no genome tells, a few equal rows may be those of equal windows, as X and Y have some.
    few = not rows.windows and wrong == rows.equal.count <= FEW_EQUAL * rows.read
    return finding(
        "CPG507",
        Severity.warning if few or only_n else Severity.error,
        Words(
            f"{wrong:,} of {rows.read:,} stored rows{sample}, cannot be embeddings of their"
            " locations"
            if sample
            else f"{wrong:,} of {rows.read:,} stored rows cannot be embeddings of their locations",
            f"{rows.read:,} 行{of}中有 {wrong:,} 行不可能是对应位点的嵌入",
        ),
        (
            Words(
                "Earlier runs of CpGPT left zeros (0.0.1 to 0.0.3 when locations were added, later"
                " ones after a stop: CPG515), or embedded locations that the genome does not have"
                " (CPG717).",
                "以前的 CpGPT 运行留下了零（0.0.1 到 0.0.3 在新增位点时，之后的版本在中断后："
                "CPG515），或者计算了基因组里没有的位点（CPG717）。",
            ),
        ),
        ("repair", "older-copy", "new-folder"),
        store.store.rows,
        paths_of(store.store),
        seen,
    )


# CPG502: names that the genome lacks


def names_fit(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG502: stored locations whose sequence the genome does not have."""
    findings = []
    looked = False
    for store in folder.stores:
        genome = next(
            (each for each in folder.genomes if each.species == store.store.species), None
        )
        looked = looked or bool(genome and genome.sequences)
        if genome is None or not store.elsewhere.count:
            continue
        equal = store.rows is not None and store.rows.equal.count
        named = store.store.index.named if store.store.index else 0
        findings.append(
            finding(
                "CPG502",
                Severity.error if equal else Severity.warning,
                Words(
                    f"{store.elsewhere.count:,} of {named:,} stored locations name a sequence that"
                    " the genome does not have",
                    f"存下的 {named:,} 个位点中有 {store.elsewhere.count:,} 个的序列名不在基因组里",
                ),
                (
                    Words(
                        "CpGPT embeds a window of nothing but N for such a location: their rows are"
                        " alike.",
                        "对这样的位点，CpGPT 计算的是全是 N 的窗口，它们的嵌入相同。",
                    )
                    if equal
                    else Words(
                        "The rows were computed from another genome, or from windows of nothing but"
                        " N.",
                        "这些嵌入来自别的基因组，或者来自全是 N 的窗口。",
                    ),
                ),
                (("CPG507", "repair"), ("CPG507", "new-folder"), "rename", "other-genome"),
                store.store.rows,
                (*paths_of(store.store), ("genome", quoted(genome.path))),
                (
                    (Words("such as", "例如"), same(", ".join(store.elsewhere.first))),
                    (
                        Words("the genome's names", "基因组中的序列名"),
                        same(", ".join(genome.names)),
                    ),
                ),
            )
        )
    if not findings and not looked:
        return skipped(Words("no genome", "没有基因组"))
    return result(
        findings,
        Words("the genome has every stored sequence name", "存下的序列名都在基因组里"),
    )


# CPG501, CPG504, CPG511, CPG518: the genomes


def genome_is_there(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG501: only who adds rows needs one."""
    missing = [each for each in folder.genomes if each.found == "missing"]
    findings = [
        finding(
            "CPG501",
            Severity.note,
            Words(
                "the genome is not there; only adding rows needs it",
                "没有基因组文件；只有新增嵌入时才需要",
            ),
            (
                Words(
                    "CpGPT would download it from Ensembl before it adds rows: about 1 GB for a"
                    " human genome, 3 GB unpacked.",
                    "CpGPT 在新增嵌入之前会从 Ensembl 下载它：人类基因组约 1 GB，解压后约 3 GB。",
                ),
            ),
            ("decompress",) if each.packed else ("fetch", "name-it"),
            each.path,
            genome_paths(folder, each),
        )
        for each in missing
        if each.packed_is != "cut"
    ]
    if not folder.genomes:
        return skipped(Words("no genome is needed", "不需要基因组"))
    return result(findings, Words("the genome is there", "基因组文件存在"))


def genome_paths(folder: DependenciesFacts, genome: GenomeSeen) -> Values:
    packed = (("packed", quoted(genome.packed)),) if genome.packed else ()
    return (
        *of_folder(folder),
        ("genome", quoted(genome.path)),
        ("fai", quoted(f"{genome.path}.fai")),
        *packed,
    )


def index_of_genome(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG504: pyfaidx reads windows by the .fai, and builds it anew only where it is the older."""
    findings = []
    for each in folder.genomes:
        if each.index in ("none", "right") or each.short:
            continue
        older = each.index == "older"
        rebuilt = older and each.writable
        findings.append(
            finding(
                "CPG504",
                Severity.warning if rebuilt else Severity.error,
                Words(
                    "the genome's index does not say what stands in the genome",
                    "基因组的索引与基因组文件不符",
                ),
                (
                    Words(
                        "It is older than the genome: CpGPT's next run builds it anew."
                        if rebuilt
                        else "It is older than the genome, and cannot be written anew there."
                        if older
                        else "It is not older than the genome, so nothing builds it anew: windows"
                        " are read at the wrong places.",
                        "它比基因组旧：CpGPT 下次运行会重建。"
                        if rebuilt
                        else "它比基因组旧，而那里又不能写入，无法重建。"
                        if older
                        else "它不比基因组旧，所以不会重建：窗口会从错误的位置读取。",
                    ),
                ),
                ("remove",),
                f"{each.path}.fai",
                genome_paths(folder, each),
                ((Words("seen", "检测结果"), same(each.problem)),),
            )
        )
    if not any(each.index != "none" for each in folder.genomes):
        return skipped(Words("no index of a genome", "没有基因组索引"))
    return result(findings, Words("the genome's index is right", "基因组的索引正确"))


def soft_masked(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG511: lower-case bases become <unk> in the tokenizers of six letters."""
    read = [each for each in folder.genomes if each.letters]
    findings = [
        finding(
            "CPG511",
            Severity.warning,
            Words(
                f"{share(each.lower, each.letters)} of the genome's letters are in lower case",
                f"基因组中有 {share(each.lower, each.letters)} 的字母是小写",
            ),
            (
                Words(
                    "It is soft-masked: repeats are written in lower case. A tokenizer of"
                    " upper-case letters reads them as unknown, without an error.",
                    "这是软屏蔽的基因组：重复序列用小写表示。只认大写的分词器会把它们当作未知，"
                    "而且不报错。",
                ),
            ),
            ("unmasked", "upper-case"),
            each.path,
            genome_paths(folder, each),
            (
                (
                    Words("letters that were looked at", "查看的字母数"),
                    same(f"{each.letters:,}"),
                ),
            ),
        )
        for each in read
        if each.lower
    ]
    if not read:
        return skipped(Words("no genome", "没有基因组"))
    return result(findings, Words("the genome is in upper case", "基因组是大写"))


def genome_is_whole(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG518: a genome, or its download, that was cut short or is none."""
    findings = [
        cut_genome(folder, genome, why)
        for genome in folder.genomes
        if (why := what_is_cut(genome)) is not None
    ]
    findings += [
        finding(
            "CPG518",
            Severity.error,
            Words("the genome cannot be read", "基因组无法读取"),
            (Words("CpGPT would fail on it.", "CpGPT 会在这里出错。"),),
            ("fetch-again",),
            each.path,
            (*of_folder(folder), ("genome", quoted(each.path))),
            ((Words("seen", "检测结果"), cannot(each)),),
        )
        for each in folder.unread
        if each.why in WHY and each.path.endswith(GENOME)
    ]
    if all(each.found == "missing" for each in folder.genomes) and not findings:
        return skipped(Words("no genome", "没有基因组"))
    return result(findings, Words("the genome is whole", "基因组完整"))


def what_is_cut(genome: GenomeSeen) -> Words | None:
    if genome.found == "compressed":
        return Words("it is compressed, and its name says plain", "它是压缩的，名字却不带 .gz")
    if genome.found == "no-fasta":
        return Words("it does not begin as FASTA does", "开头不是 FASTA 格式")
    if genome.short:
        return Words("its index has bases past its end", "索引里的碱基超出了文件末尾")
    if genome.missing_names.count and not genome.line_end:
        names = ", ".join(genome.missing_names.first)
        return Words(
            f"it ends within a line, and {genome.missing_names.count} of {genome.known} sequences"
            f" are missing, such as {names}",
            f"文件在一行中间结束，{genome.known} 条序列中缺少 {genome.missing_names.count} 条，"
            f"例如 {names}",
        )
    if genome.packed_is == "cut":
        return Words("the .fa.gz beside it is cut short", "旁边的 .fa.gz 不完整")
    return None


def cut_genome(folder: DependenciesFacts, genome: GenomeSeen, why: Words) -> Finding:
    beside = genome.packed_is == "cut" and genome.found == "plain"
    whole = beside and not genome.short and genome.line_end
    return finding(
        "CPG518",
        Severity.warning if whole else Severity.error,
        Words("the genome, or its download, is not whole", "基因组或它的下载文件不完整"),
        (
            Words(
                "A download or an unpacking was interrupted, or another file has its name. CpGPT"
                " takes what is there for whole.",
                "下载或解压被中断，或者别的文件用了这个名字。CpGPT 会把现有的文件当作完整的。",
            ),
        ),
        ("decompress",) if genome.found == "compressed" else ("fetch-again",),
        genome.packed if genome.packed and genome.packed_is == "cut" else genome.path,
        genome_paths(folder, genome),
        ((Words("seen", "检测结果"), why),),
    )


# CPG508, CPG512, CPG516


def looked_in_the_right_folder(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG508: a folder below has the rows, and CpGPT, given this one, does not look there."""
    explained = {
        (other.folder, seen.store.species, seen.store.dna_llm, seen.store.context_len)
        for seen in folder.stores
        for other in seen.others
        if other.moved or other.shares == "file"
    }
    findings = [
        hidden_store(folder, each)
        for each in folder.elsewhere
        if (each.folder, each.species, each.dna_llm, each.context_len) not in explained
    ]
    return result(
        findings,
        Words(
            "no folder below has rows that this one has not",
            "下级目录里没有这个目录所缺的嵌入",
        ),
    )


def hidden_store(folder: DependenciesFacts, each: Elsewhere) -> Finding:
    level = Severity.warning if each.here else Severity.error
    return finding(
        "CPG508",
        level if folder.given else min(level, Severity.warning),
        Words(
            f"{each.named:,} rows of {each.dna_llm} lie in a folder below, where CpGPT does not"
            " look",
            f"{each.dna_llm} 的 {each.named:,} 行嵌入在下级目录里，CpGPT 不会去那里找",
        ),
        (
            Words(
                "DNALLMEmbedder looks in dna_embeddings and ensembl_metadata.db of the very folder"
                " that it is given.",
                "DNALLMEmbedder 只看给它的那个目录里的 dna_embeddings 和 ensembl_metadata.db。",
            ),
            Words(
                "It would compute these locations again, and name them in an index of its own.",
                "它会重新计算这些位点，并记在自己新建的索引里。",
            ),
        ),
        ("right-folder", "run-embed"),
        folder.folder,
        (
            *of_folder(folder),
            ("home", quoted(each.folder)),
            ("home_in_code", in_code(each.folder)),
        ),
        (
            (Words("the rows are in", "嵌入所在的目录"), same(each.folder)),
            (
                same(f"{each.species}, {each.dna_llm}, {each.context_len}"),
                Words(
                    f"{each.named:,} rows there, {each.here:,} here",
                    f"那里 {each.named:,} 行，这里 {each.here:,} 行",
                ),
            ),
        ),
    )


def room_in_the_index(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG512: SQLite refuses a value of more than 1 GB, and a species' index is one value."""
    findings = [
        finding(
            "CPG512",
            Severity.warning,
            Words(
                f"the index of {each.species} has {each.size / 1e6:,.0f} MB of the"
                f" {LARGEST_VALUE / 1e6:,.0f} that SQLite takes",
                f"{each.species} 的索引已有 {each.size / 1e6:,.0f} MB，"
                f"SQLite 最多接受 {LARGEST_VALUE / 1e6:,.0f} MB",
            ),
            (
                Words(
                    "CpGPT keeps all locations of a species in one value. Past the limit its save"
                    " fails at the end of a run.",
                    "CpGPT 把一个物种的全部位点存在一个值里。超过上限后，运行结束时保存会失败。",
                ),
            ),
            ("split",),
            folder.database,
            of_folder(folder),
        )
        for each in folder.entries
        if each.size > NEAR
    ]
    if not folder.entries:
        return skipped(Words("no index", "没有索引"))
    return result(findings, Words("the index has room", "索引大小没有接近上限"))


def keeps_old_rows(facts: Facts, call: Call, folder: DependenciesFacts) -> Check:
    """CPG516: 0.0.1 to 0.0.3 zero the old rows when locations are added."""
    cpgpt = facts.packages.cpgpt if facts.packages else None
    stored = [each.store for each in folder.stores if each.store.index and each.store.index.named]
    if cpgpt is None or not stored:
        return skipped(Words("nothing stored", "没有已存的嵌入"))
    version = read_version(cpgpt.version)
    if str(version) not in ZEROES_OLD_ROWS:
        return ok(
            Words(
                f"CpGPT {cpgpt.version} keeps stored rows when it adds others",
                f"CpGPT {cpgpt.version} 新增嵌入时会保留已有的行",
            )
        )
    treated = call.treated
    rows = sum(each.index.named for each in stored if each.index)
    return found(
        replace(
            finding(
                "CPG516",
                Severity.note if treated else Severity.error,
                Words(
                    f"CpGPT {cpgpt.version} writes zeros over the {rows:,} stored rows when"
                    " locations are added",
                    f"CpGPT {cpgpt.version} 在新增位点时会用零覆盖已存的 {rows:,} 行",
                ),
                (
                    Words(
                        "It opens the file of rows anew and longer, and does not copy what was in"
                        " it.",
                        "它重新建立更长的嵌入文件，却没有复制原来的内容。",
                    ),
                ),
                ("run-embed", "upgrade"),
                stored[0].rows,
                paths_of(stored[0]),
            ),
            treated=treated,
        )
    )


OWN: dict[str, Callable[[Facts, Call, DependenciesFacts], Check]] = {
    "CPG501": genome_is_there,
    "CPG502": names_fit,
    "CPG504": index_of_genome,
    "CPG506": unreadable_files,
    "CPG507": impossible_rows,
    "CPG508": looked_in_the_right_folder,
    "CPG509": unreadable_index,
    "CPG511": soft_masked,
    "CPG512": room_in_the_index,
    "CPG516": keeps_old_rows,
    "CPG518": genome_is_whole,
    "CPG519": foreign_index,
}


def facts_rule(code: str) -> Rule:
    from cpgpt_doctor.rules.data import stores

    return next(each for each in stores.RULES if each.code == code)


def none_was_named(facts: Facts, call: Call) -> Check:
    """A rule of folders alone: `with_folders` asks it."""
    return skipped(Words("no folder was named", "没有指定目录"))


FOLDERS = ("dependencies",)
RULES = (
    Rule("CPG504", Words("the genome's index", "基因组的索引"), none_was_named, FOLDERS),
    Rule("CPG508", Words("where the rows are", "嵌入所在的目录"), none_was_named, FOLDERS),
    Rule("CPG511", Words("the genome's letters", "基因组的大小写"), none_was_named, FOLDERS),
    Rule("CPG512", Words("the size of the index", "索引的大小"), none_was_named, FOLDERS),
    Rule("CPG516", Words("rows that are stored", "已存的嵌入"), none_was_named, FOLDERS),
)
