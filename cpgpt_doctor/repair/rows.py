"""What a repair does about single rows: computes them again into their places, moves them where a
law says where they are, or, where nothing can be computed, takes them out of the index."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cpgpt_doctor.audit import inspect, laws
from cpgpt_doctor.audit import run as auditing
from cpgpt_doctor.audit.inspect import Progress
from cpgpt_doctor.audit.patient import rows_in
from cpgpt_doctor.audit.run import NotCached, Opened
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.audit import AuditFacts, LawFacts
from cpgpt_doctor.facts.dependencies import StoreSeen
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.probes import rows as scanning
from cpgpt_doctor.probes.dependencies import by_row, window
from cpgpt_doctor.repair import changes, compute, plan
from cpgpt_doctor.repair.backup import Draft
from cpgpt_doctor.repair.changes import Table
from cpgpt_doctor.repair.compute import Computed
from cpgpt_doctor.repair.plan import Action, Left, Plan
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.words import Words

ALSO = ("CPG502", "CPG507", "CPG513", "CPG519", "CPG524")  # what one action on rows can mend
NOT_LOOKED_AT = Words(
    "the other rows were not looked at, and nothing is known of them; to look at all: repair --all",
    "其他行没有检查，无法判断；要检查全部，请加 --all",
)
NONE_LIES = "所有位点都不在这个基因组里，无法重新计算；请用 --genome 指定正确的基因组"
NOWHERE = Words("the genome does not have their places", "基因组里没有这些位置")


@dataclass(frozen=True)
class Mended:
    """What is planned for a store's rows, and what was seen of them. genome: where one was read."""

    plan: Plan = dataclasses.field(default_factory=Plan)
    facts: AuditFacts | None = None


@dataclass(frozen=True)
class Impossible:
    """Locations whose rows cannot be theirs. never: zeros, or what is no number. equal: of pairs of
    equal rows whose windows are not; at least one of each pair is wrong."""

    never: tuple[str, ...]
    equal: tuple[str, ...]


def impossible(paths: StorePaths, names: Sequence[str], genome: Genome | None) -> Impossible:
    """Read all rows. Equal ones are told where a genome can be asked for both windows."""
    seen = scanning.scan(paths.rows, paths.row_bytes, len(names), True, len(names))
    never = {*seen.zero, *seen.not_finite}
    equal: set[int] = set()
    for pair in seen.equal if genome is not None else ():
        one, other = (window(names[row], genome, paths.context_len) for row in pair)
        if one != other:
            equal.update(pair)
    return Impossible(
        tuple(names[row] for row in sorted(never)),
        tuple(names[row] for row in sorted(equal - never)),
    )


def plan_rows(
    asked: auditing.Asked,
    seen: StoreSeen,
    audited: bool,
    spool: BinaryIO,
    progress: Progress,
    now: bool,
) -> Mended:
    """Plan what is to be done about a store's rows. Raises DoctorError where the worker is lost.

    audited: rows are looked at as `verify` does; else those alone that cannot be embeddings. now:
    whether rows are computed that need not be for the plan alone.
    """
    paths = plan.paths_of(seen.store)
    named = layout.named_rows(paths)
    watched = auditing.Watched()
    watched.watch(paths.rows, paths.database)
    with contextlib.ExitStack() as stack:
        try:
            opening = auditing.opened(asked, paths, named, progress, watched)
            store = stack.enter_context(opening)
        except NotCached as missing:
            return without_a_model(paths, named, not_cached(asked, missing), audited)
        except InputError as error:
            return without_a_model(paths, named, Words(str(error), str(error)), audited)
        if audited:
            mended = of_audit(asked, store, named, spool, progress)
        else:
            mended = of_suspects(asked, store, named, spool, progress, now)
    changed = watched.changed()
    if changed is not None:
        raise changed
    return mended


def not_cached(asked: auditing.Asked, missing: NotCached) -> Words:
    return Words(
        f"the model {missing.model.dna_llm} is not in the cache of {asked.python} (CPG405)",
        f"{asked.python} 的缓存里没有模型 {missing.model.dna_llm}（CPG405）",
    )


def without_a_model(paths: StorePaths, named: Table, why: Words, audited: bool) -> Mended:
    """What is done about rows where none can be computed. Raises InputError for an audit."""
    if audited:
        raise InputError(f"--all, --sample, --locations: {why.en}")
    out = impossible(paths, by_row(named), None).never
    return Mended(with_one(Plan(), taken_out(paths, named, out, why)) if out else Plan())


def of_suspects(
    asked: auditing.Asked,
    store: Opened,
    named: Table,
    spool: BinaryIO,
    progress: Progress,
    now: bool,
) -> Mended:
    """Rows that the file itself shows to be wrong."""
    paths, source = store.paths, store.source
    progress.phase("reading all rows")
    wrong = impossible(paths, by_row(named), store.reader)
    able = set(source.judgeable)
    if not able:
        other = Words(auditing.nothing(paths, named, source.index, store.genome, asked), NONE_LIES)
        return Mended(Plan((), (Left("CPG507", str(paths.rows), other),)))
    out = [each for each in wrong.never if each not in able]
    out += [each for each in of_nothing(store) if each not in wrong.never]
    suspects = [each for each in (*wrong.never, *wrong.equal) if each in able]
    planned = Plan()
    if suspects:
        started = time.monotonic()
        computed = compute.of_suspects(source, suspects, store.patient, spool, progress, now)
        per_row = (time.monotonic() - started) / max(1, computed.facts.judged + len(suspects) * now)
        if computed.of_another_world or computed.law:
            other = of_another(computed.facts)
            planned = with_one(planned, Left("CPG507", str(paths.rows), other))
        elif not now:
            action = again(paths, "CPG507", len(suspects), per_row, None, spool)
            planned = with_one(planned, action)
        elif computed.wrong:
            action = again(paths, "CPG507", len(computed.wrong), per_row, computed, spool)
            planned = with_one(planned, action)
    if out:
        planned = with_one(planned, taken_out(paths, named, out, NOWHERE))
    return Mended(planned)


def with_one(planned: Plan, each: Action | Left) -> Plan:
    if isinstance(each, Action):
        return dataclasses.replace(planned, actions=(*planned.actions, each))
    return dataclasses.replace(planned, left=(*planned.left, each))


def of_nothing(store: Opened) -> list[str]:
    """Locations that the genome lacks, for which CpGPT has stored a window of nothing but N."""
    source = store.source
    nowhere = auditing.outside(source.index, source.judgeable, None)
    return inspect.of_nothing(source, nowhere, store.patient)


def of_audit(
    asked: auditing.Asked,
    store: Opened,
    named: Table,
    spool: BinaryIO,
    progress: Progress,
) -> Mended:
    """Rows that were computed again and found to be others than stored."""
    paths, source = store.paths, store.source
    given = None if asked.locations is None else auditing.read_locations(asked.locations, asked)
    choice = auditing.chosen(asked, given, source.judgeable)
    if not choice.locations:
        raise InputError(auditing.nothing(paths, named, source.index, store.genome, asked))
    started = time.monotonic()
    computed = compute.of_choice(source, choice, store.patient, spool, progress)
    per_row = (time.monotonic() - started) / max(1, computed.facts.judged)
    facts = auditing.with_store(computed.facts, store, named, given, every=asked.every)
    if computed.law is not None:
        return Mended(by_law(paths, computed.law, named), facts)
    if computed.of_another_world:
        return Mended(Plan((), (Left("CPG513", str(paths.rows), of_another(facts)),)), facts)
    planned = Plan()
    if computed.wrong:
        action = again(paths, code_of(facts), len(computed.wrong), per_row, computed, spool)
        planned = with_one(planned, action)
        if choice.drawn != "all":
            planned = with_one(planned, Left(action.code, action.path, NOT_LOOKED_AT))
    out = of_nothing(store) if facts.nowhere else []
    if out:
        planned = with_one(planned, taken_out(paths, named, out, NOWHERE))
    return Mended(planned, facts)


def code_of(facts: AuditFacts) -> str:
    """The rule of most wrong rows."""
    counts = facts.counts
    of_files = counts.get("zero", 0) + counts.get("not-finite", 0)
    by_code = {"CPG507": of_files, "CPG524": counts.get("other-kind", 0)}
    by_code["CPG519"] = counts.get("foreign", 0)
    by_code["CPG513"] = facts.wrong - sum(by_code.values())
    return max(by_code, key=by_code.__getitem__)


def of_another(facts: AuditFacts) -> Words:
    right = facts.counts.get("own", 0) + facts.counts.get("near", 0)
    return Words(
        f"of {facts.judged} rows that were computed again, {right} are what this genome and this"
        " model give: name the genome that the rows are of with --genome, or see what verify says",
        f"重新计算的 {facts.judged} 行中，只有 {right} 行与这个基因组和模型的结果相同："
        "请用 --genome 指定这些嵌入所属的基因组，或者先看 verify 的结论",
    )


# The actions


def again(
    paths: StorePaths,
    code: str,
    count: int,
    per_row: float,
    computed: Computed | None,
    spool: BinaryIO,
) -> Action:
    """Compute rows again, into their own places."""
    return Action(
        code,
        str(paths.rows),
        Words(
            f"compute {count:,} rows again, each alone, into their own places",
            f"重新计算 {count:,} 行（每行单独计算），写回原来的位置",
        ),
        Words("the old numbers of these rows", "这些行原来的数值"),
        2 * count * paths.row_bytes,
        partial(rewrite, paths=paths, computed=computed, spool=spool),
        computed=count,
        seconds=per_row * count,
        also=ALSO,
    )


def rewrite(draft: Draft, *, paths: StorePaths, computed: Computed | None, spool: BinaryIO) -> None:
    assert computed is not None
    named = layout.named_rows(paths)
    if any(named.get(location) != row for location, row, _ in computed.wrong):
        raise InputError(f"{paths.database}: was changed while rows were computed; start again")
    changes.put_rows(draft, paths, computed.rows, computed.data(spool, paths.row_bytes))
    changes.put_record(draft, paths, named, computed.rows)
    changes.count(draft, paths, len(named), len(named))


def taken_out(paths: StorePaths, table: Table, out: Sequence[str], why: Words) -> Action | Left:
    """Take locations out of the index whose rows are wrong and cannot be computed."""
    return plan.taken_out(
        paths,
        "CPG507",
        table,
        out,
        Words(
            f"take {len(out):,} locations out of the index, whose rows are wrong and cannot be"
            f" computed: {why.en}; the last rows move into their places",
            f"把 {len(out):,} 个位点从索引中移出，它们的行是错的，又无法计算：{why.zh}；"
            "末尾的行移到空出的位置",
        ),
        also=ALSO,
    )


def by_law(paths: StorePaths, law: LawFacts, named: Table) -> Plan:
    """Put rows right by a law that was proved: nothing is computed."""
    if law.kind == "index":
        return Plan((plan.adopted(paths, Path(law.source), len(named)),))
    if law.kind == "shift":
        have = rows_in(paths)
        rows = [row for row in sorted(named.values()) if row >= law.first]
        return Plan((shifted(paths, [row for row in rows if 0 <= row + law.by < have], law.by),))
    order = next(each.rows for each in laws.orders(named) if each.kind == law.kind)
    return Plan((reordered(paths, law.kind, dict(order or {})),))


def shifted(paths: StorePaths, rows: Sequence[int], by: int) -> Action:
    return Action(
        "CPG519",
        str(paths.rows),
        Words(
            f"move {len(rows):,} rows by {-by} places, to where the index has their locations",
            f"把 {len(rows):,} 行移动 {-by} 行，移到索引所说的位置",
        ),
        Words("the old numbers of these rows", "这些行原来的数值"),
        2 * len(rows) * paths.row_bytes,
        partial(shift, paths=paths, rows=rows, by=by),
        also=ALSO,
    )


def shift(draft: Draft, *, paths: StorePaths, rows: Sequence[int], by: int) -> None:
    named = layout.named_rows(paths)
    data = layout.read_rows(paths, [row + by for row in rows])
    changes.put_rows(draft, paths, list(rows), data)
    changes.put_record(draft, paths, named, rows)
    changes.count(draft, paths, len(named), len(named))


def reordered(paths: StorePaths, kind: str, table: Table) -> Action:
    said = {
        "reversed": Words("reversed", "倒序"),
        "sorted": Words("sorted by text", "按文字排序"),
        "by-position": Words("sorted by position", "按位置排序"),
    }[kind]
    return Action(
        "CPG519",
        str(paths.rows),
        Words(
            f"number the {len(table):,} locations of the index anew, in the order of the rows:"
            f" {said.en}; no row is written",
            f"按嵌入的顺序（{said.zh}）给索引里的 {len(table):,} 个位点重新编号；不写入任何一行",
        ),
        Words("the old index, whole", "原来的索引，完整保留"),
        3 * plan.size_of(paths.database),
        partial(renumber, paths=paths, table=table),
        also=ALSO,
    )


def renumber(draft: Draft, *, paths: StorePaths, table: Table) -> None:
    if layout.named_rows(paths).keys() != table.keys():
        raise InputError(f"{paths.database}: was changed while rows were computed; start again")
    changes.put_table(draft, paths, table)
    changes.put_record(draft, paths, table)
