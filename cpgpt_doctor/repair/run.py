"""`repair`: look at a folder, plan, and where that is asked for, do it or undo it."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from cpgpt_doctor import __version__
from cpgpt_doctor.audit import run as auditing
from cpgpt_doctor.audit.inspect import Progress
from cpgpt_doctor.embed import examine
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.audit import AuditFacts
from cpgpt_doctor.facts.dependencies import DependenciesFacts, OtherIndex, StoreSeen
from cpgpt_doctor.facts.store import StoreFacts
from cpgpt_doctor.findings import Check, Finding, Judged, Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.probes.dependencies import is_dependencies, observe_folders
from cpgpt_doctor.redact import redact, redacted
from cpgpt_doctor.repair import backup, plan, rows
from cpgpt_doctor.repair.backup import Backup
from cpgpt_doctor.repair.plan import Action, Chosen, Left, Plan
from cpgpt_doctor.repair.steps import Step, Swap
from cpgpt_doctor.report import Report
from cpgpt_doctor.rules.data import dependencies as rules
from cpgpt_doctor.rules.registry import is_of_data, judge
from cpgpt_doctor.store import lock, transaction
from cpgpt_doctor.words import Words

Tell = Callable[[str], None]
ROUNDS = 3
CHANGE_ALL = ("CPG505", "CPG506", "CPG519")


@dataclass(frozen=True)
class Asked:
    """What the user asked for.

    index: the one that he says the rows are of. move_here: rows that lie in a folder below are to
    be moved to where CpGPT looks. audit: rows are looked at as verify does: how many,
    all, or those of a file; its folder and species are those of the store.
    """

    dependencies: Path
    chosen: Chosen = field(default_factory=Chosen)
    index: Path | None = None
    move_here: bool = False
    audit: bool = False
    computing: auditing.Asked | None = None

    def of_store(self, store: StoreFacts) -> auditing.Asked:
        """How the rows of a store are computed."""
        if self.computing is None:
            return auditing.Asked(self.dependencies, store.species, sys.executable)
        return dataclasses.replace(self.computing, species=store.species)


@dataclass(frozen=True)
class Looked:
    """What was seen of a folder, and what can be done about it.

    index: the one that the user named, and how many locations it names.
    """

    report: Report
    plan: Plan
    index: tuple[str, int] | None = None

    def public(self) -> Report:
        """The report without personal data."""
        facts = redacted(self.report.facts)
        (folder,) = facts.dependencies
        judged = judged_folder(folder, facts.audit)
        if self.index is not None:
            judged = with_index(judged, folder, redact(self.index[0]), self.index[1])
        clean = report(folder, facts.audit, judged, plan.public(self.plan, redact))
        return dataclasses.replace(clean, exit_code=self.report.exit_code)


def look(asked: Asked, progress: Progress, spool: BinaryIO, *, now: bool = False) -> Looked:
    """Look at the folder, and plan. Nothing is written but to `spool`.

    now: whether all rows are computed that are to be written. Raises InputError.
    """
    folder = observed(asked)
    planned = plan.of_files(folder, asked.chosen, asked.index, asked.move_here)
    audit = None
    if asked.audit and len(folder.stores) != 1:
        raise InputError(
            f"{asked.dependencies}: has {len(folder.stores)} stores; name the one whose rows are to"
            " be computed with --species, --dna-llm and --context-len"
        )
    for seen in folder.stores:
        settled = any(is_of_all_rows(each, seen) for each in planned.actions)
        if not settled and (asked.audit or has_suspects(seen)):
            computing = asked.of_store(seen.store)
            more = rows.plan_rows(computing, seen, asked.audit, spool, progress, now)
            before = planned.actions
            if any(each.code == "CPG519" for each in more.plan.actions):
                # By a law: rows that nobody names may be those of locations.
                before = tuple(each for each in before if not each.mends("CPG520", seen.store.rows))
            planned = Plan((*before, *more.plan.actions), (*planned.left, *more.plan.left))
            audit = more.facts
    judged = judged_folder(folder, audit)
    index = None
    if asked.index is not None:
        (seen,) = folder.stores
        table = plan.checked_index(asked.index, plan.paths_of(seen.store))
        index = str(asked.index), len(table)
        judged = with_index(judged, folder, *index)
    return Looked(report(folder, audit, judged, planned), planned, index)


def is_of_all_rows(action: Action, seen: StoreSeen) -> bool:
    """Whether an action lets a store have other rows: which of them are wrong is seen then."""
    store = seen.store
    here = (store.rows, store.database, store.unfinished.path if store.unfinished else "")
    return action.code in CHANGE_ALL and action.path in here


def has_suspects(seen: StoreSeen) -> bool:
    """Whether the files show rows that cannot be embeddings of their locations."""
    if seen.rows is None:
        return False
    wrong = seen.rows.zero.count + seen.rows.not_finite.count + seen.rows.equal.count
    return bool(wrong + seen.rows.in_holes + seen.elsewhere.count + seen.outside.count)


def observed(asked: Asked) -> DependenciesFacts:
    """The folder, with those of its stores that were chosen."""
    if not asked.dependencies.is_dir():
        raise InputError(f"{asked.dependencies}: no such folder")
    folder = observe_folders([asked.dependencies], [])[0]
    stores = tuple(each for each in folder.stores if asked.chosen.has(each.store))
    if not stores and folder.stores and asked.chosen != Chosen():
        there = "; ".join(
            f"--species {each.store.species} --dna-llm {each.store.dna_llm} --context-len"
            f" {each.store.context_len}"
            for each in folder.stores
        )
        raise InputError(f"{asked.dependencies}: has no such store; it has: {there}")
    return dataclasses.replace(folder, stores=stores)


def judged_folder(folder: DependenciesFacts, audit: AuditFacts | None) -> tuple[Judged, ...]:
    """What the rules over folders and audits say of it."""
    facts = Facts(doctor_version=__version__, dependencies=(folder,), audit=audit)
    return tuple(
        each
        for each in judge(facts, Intent())
        if is_of_data(each.code) and each.check.status != "skipped"
    )


def with_index(
    judged: tuple[Judged, ...], folder: DependenciesFacts, index: str, named: int
) -> tuple[Judged, ...]:
    """The finding that the user makes, where he names the index, beside those of the rules."""
    (seen,) = folder.stores
    own = rules.foreign(seen, OtherIndex(path=index, named=named, whole=True))
    return tuple(
        Judged(each.code, Check("finding", own.title, (own,))) if each.code == own.code else each
        for each in judged
    )


def report(
    folder: DependenciesFacts,
    audit: AuditFacts | None,
    judged: tuple[Judged, ...],
    planned: Plan,
) -> Report:
    """The report: each finding says what repair would do about it, or why it does nothing."""
    facts = Facts(doctor_version=__version__, dependencies=(folder,), audit=audit)
    intent = Intent()
    told = tuple(
        dataclasses.replace(
            each,
            check=dataclasses.replace(
                each.check,
                findings=tuple(with_actions(finding, planned) for finding in each.check.findings),
            ),
        )
        for each in judged
    )
    grave = any(
        finding.severity == Severity.error for each in told for finding in each.check.findings
    )
    code = int(bool(planned.actions) or bool(planned.left) or grave)
    return Report(facts, intent, resolve(intent, facts), told, code)


def with_actions(finding: Finding, planned: Plan) -> Finding:
    seen = list(finding.evidence.seen)
    path = finding.location.path if finding.location else ""
    for action in planned.actions:
        if action.mends(finding.code, path):
            seen += [
                (Words("repair would", "repair 会"), action.what),
                (Words("at the cost of", "代价"), cost(action)),
                (Words("kept", "保留"), action.keeps),
            ]
    for left in planned.left:
        if (left.code, left.path) == (finding.code, path):
            seen.append((Words("repair cannot mend it", "repair 无法修复"), left.why))
    if len(seen) == len(finding.evidence.seen):
        return finding
    return dataclasses.replace(
        finding, evidence=dataclasses.replace(finding.evidence, seen=tuple(seen))
    )


def cost(action: Action) -> Words:
    written = f"{action.written / 1e6:,.1f} MB"
    if not action.computed:
        return Words(
            f"no row is computed, {written} are written", f"不计算任何一行，写入 {written}"
        )
    seconds = "" if action.seconds is None else f"{action.seconds:,.0f}"
    return Words(
        f"{action.computed:,} rows are computed (about {seconds} s), {written} are written",
        f"计算 {action.computed:,} 行（约 {seconds} 秒），写入 {written}",
    )


# What changes the folder


class NothingToUndo(InputError):
    """No repair was done, or all of them were undone."""


@dataclass(frozen=True)
class Done:
    """What --apply has done, and what was seen afterwards."""

    actions: tuple[Action, ...]
    left: Looked
    backups: tuple[Path, ...]


def check_folder(dependencies: Path) -> None:
    """Raise InputError where it is none of CpGPT's, or cannot be written to."""
    examine.check_folder(dependencies)
    if not is_dependencies(dependencies):
        raise InputError(f"{dependencies}: holds none of CpGPT's dependencies")


def apply(asked: Asked, tell: Tell, progress: Progress) -> Done:
    """Finish what stands half done, do all that can be done, and look again.

    What one action has mended may show what another can: hence some rounds.
    Raises InputError where something stands against it, OSError where the disk does; what an
    action has begun is then undone. DoctorError where that fails, too: it stands half done.
    """
    check_folder(asked.dependencies)
    with lock.held(asked.dependencies) as work, tempfile.TemporaryFile() as spool:
        backup.remove_drafts(work)
        run = finish(asked.dependencies, tell) or backup.new_run(work)
        done: list[Action] = []
        made: list[Path] = []
        unseen: tuple[Left, ...] = ()
        looked = look(asked, progress, spool, now=True)
        for _ in range(ROUNDS):
            actions = [each for each in looked.plan.actions if not each.is_one_of(done)]
            if not actions:
                break
            check_room(asked.dependencies, actions)
            for number, action in enumerate(actions, 1):
                tell(f"{action.code}: {action.what.en}")
                more = number < len(actions)
                made.append(do(asked.dependencies, work, action, run, more).folder)
                done.append(action)
            unseen += tuple(each for each in looked.plan.left if each.why == rows.NOT_LOOKED_AT)
            still = asked.audit and looked.report.facts.audit is None  # other rows came first
            asked = dataclasses.replace(asked, index=None, audit=still)
            looked = look(asked, progress, spool, now=True)
        return Done(tuple(done), with_unseen(looked, unseen), tuple(made))


def with_unseen(looked: Looked, unseen: tuple[Left, ...]) -> Looked:
    """With what is not known of rows that were not looked at."""
    if not unseen:
        return looked
    planned = dataclasses.replace(looked.plan, left=(*looked.plan.left, *unseen))
    return Looked(dataclasses.replace(looked.report, exit_code=1), planned, looked.index)


def check_room(dependencies: Path, actions: Sequence[Action]) -> None:
    """Raise InputError where the disk has no room for what is kept and written."""
    needed = sum(each.written for each in actions)
    free = int(psutil.disk_usage(str(dependencies)).free)
    if needed > free:
        raise InputError(
            f"{dependencies}: the backup and the new files need {needed / 1e6:,.0f} MB, and"
            f" {free / 1e6:,.0f} MB are free; nothing was changed; make room, then start again"
        )


def do(dependencies: Path, work: Path, action: Action, run: str, more: bool) -> Backup:
    """Draw the backup of an action up, and do it; where the disk fails, undo it."""
    with backup.drawing_up(dependencies, work) as draft:
        action.build(draft)
        check_unused(dependencies, draft.steps)
        begun = draft.commit(run, more, action.code, action.what.en)
    try:
        return begun.apply()
    except (OSError, InputError) as error:
        try:
            begun.undo()
        except OSError as again:
            raise DoctorError(
                f"{again.filename or dependencies}: {again.strerror or again}; the repair stands"
                " half done: mend that (or make room), then --apply finishes it, or --undo undoes"
                " it"
            ) from error
        raise


def check_unused(dependencies: Path, steps: list[Step]) -> None:
    """Raise InputError where another program has a file open for writing that is to be changed.

    Who writes to an index is kept out by SQLite's lock.
    """
    changed = [each for each in steps if not isinstance(each, Swap)]
    for path in dict.fromkeys(dependencies / each.path for each in changed):
        who = transaction.writers(path)
        if who:
            raise InputError(
                f"{path}: another program writes to it{who}; end it, then start again; nothing was"
                " changed"
            )


def finish(dependencies: Path, tell: Tell) -> str | None:
    """Finish a repair that was killed, as far as its backup is drawn up. Raises Changed.

    Returns its run, where there was one, to which what is still to be done belongs.
    """
    run = None
    for each in backup.all_of(dependencies):
        if each.state == "undoing":
            tell(f"{each.folder}: was being undone when it was stopped; that is finished now")
            each.undo()
        elif each.state == "applying":
            tell(f"{each.folder}: was under way when it was stopped; it is finished now")
            each.apply()
            run = each.run
        elif each.state == "done":
            run = each.run if each.more else None
    return run


def undo(dependencies: Path, tell: Tell) -> tuple[Path, ...]:
    """Undo the last run that has not been undone, all its actions; returns their backups.

    Raises InputError where there is none, Changed where another program wrote since.
    """
    check_folder(dependencies)
    with lock.held(dependencies) as work:
        backup.remove_drafts(work)
        there = [each for each in backup.all_of(dependencies) if each.state != "undone"]
        if not there:
            raise NothingToUndo(f"{dependencies}: no repair stands there that could be undone")
        last = [each for each in there if each.run == there[-1].run]
        if all(each.state == "done" for each in last):
            backup.check_undone(last)
        for each in last:
            each.check_whole()
        for each in reversed(last):
            each.undo()
            tell(f"undone: {each.code} ({each.folder})")
        return tuple(each.folder for each in last)
