"""run-embed: examine, plan, compute in parts, commit each, verify."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil

from cpgpt_doctor.disk import free_name
from cpgpt_doctor.embed import admission, kinds, signals, treatments
from cpgpt_doctor.embed.examine import Inputs
from cpgpt_doctor.embed.kinds import RowsAsked
from cpgpt_doctor.embed.pace import FIRST_PART, LARGEST_PART, Deadline, Pace
from cpgpt_doctor.embed.supervisor import Worker, WorkerFailed, WorkerLost
from cpgpt_doctor.embed.treatments import Failure, Hunt, InForce, Stage
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import form
from cpgpt_doctor.facts.store import StoreFacts
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.genome.fasta import Genome, check_index, check_kept, identity, keep_index
from cpgpt_doctor.patient.compute.rounding import ROUNDING
from cpgpt_doctor.store import layout, lock, observe, places, transaction
from cpgpt_doctor.store.binding import Model, Proof, bind, other_genome
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import (
    Found,
    Part,
    Record,
    SetAside,
    Setting,
    Treated,
    earlier,
    locations_digest,
    now,
    record_path,
)

MEASURED_FROM = 4  # times the batch size: enough windows to find a batch of one length among
NAMED = 20  # locations that a line names
LOOKED_THROUGH = 1000  # asked locations, for one that is stored
VERIFIED_ALONE = 4  # rows of each part that are computed again
PROVED_WINDOWS = 16
CHECKED_TOKENS = 64
RECORD_BYTES = 1 << 20  # kept free for the record's last state, should the disk be full by then
EXPECTED = (OSError, sqlite3.Error, DoctorError, InputError, WorkerFailed, WorkerLost)


T = TypeVar("T")
# What the rules say of a store. Nothing is judged here.
Judge = Callable[[StoreFacts], tuple[Finding, ...]]


class Refused(Exception):
    """The rules found an error in the store, of which `store` was seen; nothing was written."""

    def __init__(self, store: StoreFacts) -> None:
        super().__init__(store.rows)
        self.store = store


class GivenUp(DoctorError):
    """A failure that no treatment helps, or one too many."""


class Progress(Protocol):
    """What a run tells while it goes on."""

    def phase(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def treated(self, code: str, done: str, why: str) -> None: ...
    def advance(self, done: int) -> None: ...
    def committed(self, rows: int, seconds: float, done: int) -> None: ...


@dataclass(frozen=True)
class EmbedJob:
    """Everything that a run needs to know; the locations are those not yet in the store.

    seen: the store, as it was judged. rows_asked: which kind of rows; None follows the store, and
    the release where the store is new.
    """

    python: str
    inputs: Inputs
    paths: StorePaths
    seen: StoreFacts
    locations: Sequence[str]
    all_locations: Sequence[str]
    batch_size: int
    num_workers: int
    start_method: str | None
    device: str
    plan: tuple[Setting, ...]
    patient: dict[str, Any]
    intent: dict[str, Any]
    set_aside_unnamed: bool = False
    rows_asked: RowsAsked | None = None
    deadline: Deadline | None = None
    fallback: bool = False  # to the CPU, where a device's memory does not hold one window


@dataclass(frozen=True)
class Result:
    """How a run ended. problem: why it is not finished, None where it is finished and verified.

    store: what was seen of the store then, where the rules have found something in it. findings: of
    the failure that ended it, where a rule knows it. set_aside: locations without a row.
    """

    committed: int
    problem: str | None
    record: Path
    log: Path
    verification: dict[str, Any] | None
    store: StoreFacts | None = None
    findings: tuple[Finding, ...] = ()
    set_aside: tuple[str, ...] = ()


def run(job: EmbedJob, progress: Progress, judge: Judge) -> Result:
    """Compute and commit all locations of the job.

    Raises Refused where `judge` finds an error in what is seen of the store before anything is
    written, and InputError where another run holds it. Ctrl-C and other signals come out as
    KeyboardInterrupt; what was committed stays. However it ends, the worker is gone by then, and
    the record says why.
    """
    with lock.held(job.inputs.dependencies) as work:
        try:
            return Run(job, progress, judge).go()
        finally:
            with signals.held():
                places.remove_stagings(work)


class Run:
    """One run, while it holds the lock."""

    closed = False  # whether the record has been written for the last time
    found: tuple[Found, ...] = ()  # rows that were looked at before anything is stored

    def __init__(self, job: EmbedJob, progress: Progress, judge: Judge) -> None:
        self.job = job
        self.progress = progress
        self.judge = judge
        self.seen = job.seen
        self.harmed: StoreFacts | None = None  # what was seen where the rules found something
        self.staging = places.new_staging(job.inputs.work)  # the worker has its own folder
        self.log = job.inputs.work / "run-embed.log"
        self.worker: Worker | None = None
        self.index: Path  # of the genome; set when the work begins
        self.num_workers = job.num_workers
        self.batch, self.device = job.batch_size, job.device
        self.devices = {job.device}  # on which rows of this run were computed
        self.pace = Pace(job.batch_size, job.deadline.at if job.deadline else None)
        self.hunt = Hunt()
        self.stage_now: Stage = "loading"
        self.part: list[str] = []  # at work, or the one that failed
        self.failures = 0  # in a row, where no part was at work
        self.log_start = 0  # of what the worker has printed since the last step
        self.findings: tuple[Finding, ...] = ()  # of the failure that ended the run
        self.admitted = False
        self.at = 0  # in `todo`
        self.done = 0
        self.loaded: dict[str, Any] = {}  # what the worker said of its model
        self.padding: int | None = None  # of the kind of rows, once that is settled
        self.sample: list[str] = []  # of each part of this run, to compute again
        path = record_path(job.paths)
        rows = layout.named_rows(job.paths)
        self.named = len(rows)
        before = earlier(path, self.named)
        parts: list[Part | Found] = [*before.parts, *before.found]
        standing, changed = admission.held(parts, job.paths, rows)
        self.seen = dataclasses.replace(self.seen, changed=changed)
        if before.pending:
            # It was committed where names and numbers are there, and is none of ours otherwise.
            last, other = admission.held([before.pending], job.paths, rows)
            standing += [] if other else last
        self.earlier = dataclasses.replace(
            before,
            parts=tuple(each for each in standing if isinstance(each, Part)),
            found=tuple(each for each in standing if isinstance(each, Found)),
        )
        self.todo = doubtful_last(job.locations, {each.location for each in before.set_aside})
        self.record = Record(
            path,
            job.patient,
            job.intent,
            job.plan,
            list(self.earlier.parts),
            list(self.earlier.found),
            before.bound,
            list(before.proofs),
            tokens=before.tokens_checked,
            measured=before.batch_measured,
            versions=before.versions,
            asked=len(job.all_locations),
            stored_before=len(job.all_locations) - len(job.locations),
        )

    def go(self) -> Result:
        with signals.at_once(self.last_words):
            try:
                try:
                    # No zeros: file systems may not keep room for them.
                    self.reserve.write_bytes(os.urandom(RECORD_BYTES))
                    problem = self.work()
                except Refused:  # the store and its record stay as they were
                    self.end_worker()
                    self.closed = True
                    raise
                except EXPECTED as error:
                    problem = self.explained(error)
                with signals.held():
                    problem = self.close("unfinished" if problem else "complete", problem)
            except KeyboardInterrupt as error:
                self.close("interrupted", f"ended by {error}" if str(error) else None)
                raise
            except BaseException as error:
                self.close("unfinished", f"{type(error).__name__}: {error}")
                raise
        verification = self.record.verification
        return Result(
            self.done,
            problem,
            self.record.path,
            self.log,
            verification,
            self.harmed,
            self.findings,
            tuple(each.location for each in self.record.set_aside),
        )

    @property
    def reserve(self) -> Path:
        return self.staging / "reserve"

    def work(self) -> str | None:
        """All of the run; returns why it is not finished, None where it is."""
        self.admit_store(self.seen)
        inputs = self.job.inputs
        self.index = keep_index(inputs.index, inputs.genome, inputs.work).resolve()
        self.compute()
        self.progress.phase("verifying")
        return self.verify() or self.left_out()

    def close(self, status: str, problem: str | None) -> str | None:
        """End the worker and write the record for the last time; returns the problem."""
        if self.closed:
            return problem
        self.end_worker()
        shutil.rmtree(self.staging, ignore_errors=True)  # which makes room
        self.record.status = status
        self.record.problem = problem
        try:
            self.record.write()
        except OSError as error:
            unwritten = f"{self.record.path}: the record is not closed: {error.strerror or error}"
            problem = f"{problem}; {unwritten}" if problem else unwritten
        self.closed = True
        return problem

    def last_words(self) -> None:
        """Close the record where the process is ended at once; its children are by then."""
        if not self.closed:
            self.record.status = "interrupted"
            self.record.problem = "ended at once by a second signal, or one that had no effect"
            with contextlib.suppress(OSError):
                self.reserve.unlink(missing_ok=True)
            self.record.write()

    def admit_store(self, seen: StoreFacts) -> None:
        """Raise Refused where the rules find an error in what was seen of the store."""
        if self.errors(seen):
            raise Refused(seen)

    def errors(self, seen: StoreFacts) -> tuple[Finding, ...]:
        return tuple(each for each in self.judge(seen) if each.severity == Severity.error)

    def explained(self, error: Exception) -> str:
        """An error in one line; where something around us is to blame, that."""
        if (around := self.around()) is not None:
            return around
        if isinstance(error, transaction.Unfit):
            self.harmed = observe.look(self.job.paths).facts
        if isinstance(error, OSError):
            return f"{error.filename or self.job.inputs.dependencies}: {error.strerror or error}"
        return str(error)

    def around(self) -> str | None:
        """What is wrong around us, which shows in many ways; None where nothing is."""
        for path in (self.job.inputs.genome, self.staging):
            if not path.exists():  # CpGPT then says anything
                return f"{path}: was removed while the run was at work"
        free = free_bytes(self.job.inputs.dependencies)
        if free < self.job.paths.row_bytes * FIRST_PART:
            return f"{self.job.inputs.dependencies}: the disk is full ({free} bytes are free)"
        return None

    def compute(self) -> None:
        """Compute part after part, until all is committed. Raises GivenUp, signals.TimeUp."""
        self.admitted = not (self.todo or self.uncovered())
        while self.at < len(self.todo) or not self.admitted:
            self.attempt(self.step)

    def step(self, worker: Worker) -> None:
        """What comes next: to look at what is there, or a part."""
        if not self.admitted:
            self.admit(worker)
            self.admitted = True
            return
        if self.at == len(self.todo):  # the last one was set aside
            return
        self.progress.phase("embedding")
        wanted = self.pace.size(len(self.todo) - self.at, time.monotonic())
        if not wanted:
            raise signals.TimeUp
        self.part = list(self.todo[self.at : self.at + self.hunt.size(wanted)])
        self.stage_now, self.failures = "part", 0
        with signals.part():
            self.one_part(worker, self.part)
        self.hunt.done(len(self.part))
        self.stage_now = "examining"

    def attempt(self, work: Callable[[Worker], T]) -> T:
        """Do it with a worker, which is started again as the treatments say. Raises GivenUp."""
        while True:
            signals.border()
            try:
                self.log_start = self.log.stat().st_size if self.log.exists() else 0
                worker = self.worker or self.start_worker()
                done = work(worker)
            except (WorkerFailed, WorkerLost) as error:
                self.treat(error)
                continue
            self.failures = 0
            return done

    def treat(self, error: WorkerFailed | WorkerLost) -> None:
        """Do about a failure what can be done. Raises GivenUp where that is nothing."""
        self.end_worker()
        if (around := self.around()) is not None:
            raise GivenUp(around) from error
        known = treatments.known(str(error), self.log, self.log_start)
        in_part = self.stage_now == "part"
        lost = isinstance(error, WorkerLost)
        if in_part and lost:
            self.hunt.died()
        elif not in_part:
            self.failures += 1
        failure = Failure(
            str(error),
            known.code,
            lost,
            self.stage_now,
            len(self.part) if in_part else 0,
            self.hunt.deaths if in_part else self.failures,
            self.hunt.suspects > 0,
        )
        now = InForce(self.batch, self.num_workers, self.device, self.job.fallback)
        what = treatments.choose(failure, now)
        why = str(error)
        if what is None:
            self.findings = known.findings
            if lost and not in_part:
                why = f"the worker was lost {self.failures} times in a row, at last: {why}"
            raise GivenUp(why) from error
        if what in ("batch", "alone", "cpu", "no loading workers"):
            self.failures = 0  # another setting, and none of it has failed yet
        if what == "again":
            self.treated(known.code, "the worker is started again", why)
        elif what == "smaller part":
            self.hunt.halve(len(self.part))
            size = self.hunt.size(len(self.part))
            self.treated(known.code, f"again, with a part of {size} locations", why)
        elif what in ("batch", "alone"):
            smaller = self.batch // 2 if what == "batch" else 1
            self.change(known.code, "batch_size", self.batch, smaller, why)
            self.batch = smaller
        elif what == "cpu":
            self.change(known.code, "device", self.device, "cpu", why)
            self.device = "cpu"
            self.loaded.pop("device", None)  # which may change now
            self.devices.add("cpu")
        elif what == "no loading workers":
            self.change("CPG208", "num_workers", self.num_workers, 0, why)
            self.num_workers = 0
        else:
            self.leave_out(self.part[0], known, why)

    def treated(self, code: str | None, done: str, why: str) -> None:
        """A line on the screen and in the record."""
        self.record.treatments.append(Treated(now(), code or "", done, why))
        self.progress.treated(code or "", done, why)
        if self.admitted:  # else the store and its record are as they were
            self.record.write()

    def change(
        self, code: str | None, setting: str, asked: object, applied: object, why: str
    ) -> None:
        """Say of a treatment that changes a setting, also in the plan."""
        line = Setting(setting, str(asked), str(applied), code or "", f"from here on: {why}")
        self.record.plan = (*self.record.plan, line)
        self.treated(code, f"{setting}: {asked} -> {applied}", why)

    def leave_out(self, location: str, known: treatments.Known, why: str) -> None:
        """Set a location aside that kills the worker each time. Raises GivenUp where it is not
        the location's fault: other windows kill the worker as well, or too many do."""
        most = treatments.most_set_aside(len(self.job.all_locations))
        self.findings = known.findings
        if len(self.record.set_aside) >= most:
            raise GivenUp(
                f"more than {most} locations end the worker each time, at last {location}: {why};"
                " that is not the locations' fault"
            )
        self.still_works(location, why)
        self.findings = ()
        self.record.set_aside.append(SetAside(location, why, now()))
        self.at += 1
        self.hunt.over()
        self.treated(known.code, f"{location} is set aside", f"alone, it ends the worker: {why}")

    def still_works(self, location: str, why: str) -> None:
        """Raise GivenUp unless a window other than this one can be computed, one that was before
        where there is such."""
        before = self.sample or [each for each in self.sample_stored() if each != location]
        others = before or list(self.todo[self.at + 1 : self.at + 2])
        if not others:
            raise GivenUp(f"{location} ends the worker each time: {why}")
        other = random.choice(others)
        self.progress.phase("computing a window that worked before, to compare")
        try:
            self.stage_now = "loading"
            worker = self.start_worker()
            staged = self.stage(worker, [other], alone=True)
            rows = layout.named_rows(self.job.paths)
            apart = admission.differences(self.job.paths, rows, staged, [other]) if before else []
        except (WorkerFailed, WorkerLost) as error:
            raise GivenUp(
                f"{location} ends the worker each time ({why}), and so does {other}"
                f"{', which worked before' if before else ''} ({error}): something other than the"
                " locations is wrong; nothing was set aside"
            ) from error
        if any(each > self.allowed(*self.devices) for each in apart):
            raise GivenUp(
                f"{location} ends the worker each time ({why}), and {other} now gives another row"
                " than before: something other than the locations is wrong; nothing was set aside"
            )

    def sample_stored(self) -> list[str]:
        """Some of the asked locations that have a row already."""
        rows = layout.named_rows(self.job.paths)
        return [each for each in self.job.all_locations[:LOOKED_THROUGH] if each in rows]

    def left_out(self) -> str | None:
        """Which locations were set aside; None where none was."""
        aside = [each.location for each in self.record.set_aside]
        if not aside:
            return None
        named = ", ".join(aside[:NAMED]) + (
            f" and {len(aside) - NAMED} more" if aside[NAMED:] else ""
        )
        return (
            f"{len(aside)} of {len(self.job.all_locations)} locations ended the worker each time"
            f" and were set aside: {named}; all others are stored and verified"
        )

    def uncovered(self) -> list[range]:
        """Rows of the store that no record of ours covers."""
        return self.earlier.uncovered(len(layout.named_rows(self.job.paths)))

    def loaded_model(self) -> Model:
        return form.read(self.loaded["model"], Model, "model")[0]

    def settle(self, worker: Worker) -> None:
        """Find which kind of rows the store holds, and whether this run fits it.

        Raises Refused where it does not fit. Nothing is written.
        """
        job, bound = self.job, self.earlier.bound
        model = self.loaded_model()
        self.check_genome()
        with contextlib.closing(Genome(job.inputs.genome, job.inputs.sequences)) as genome:

            def stage(locations: list[str], padding: int) -> StorePaths:
                return self.stage(worker, locations, alone=True, padding=padding)

            differences = other_genome(bound, genome, job.paths.context_len) if bound else ()
            asked = kinds.padding_asked(job.rows_asked, model.padding)
            seen = dataclasses.replace(self.seen, other_genome=differences, asked_padding=asked)
            ranges = self.uncovered()
            if ranges:
                self.progress.phase("looking at the rows that are stored already")
            release = self.loaded["versions"]["CpGPT"]
            stored: tuple[int, ...] = ()
            for looked in admission.audit(
                worker, stage, job.paths, ranges, bound, model, release, genome
            ):
                self.admit_store(dataclasses.replace(seen, audit=looked.audit))
                self.found, stored = looked.found, looked.audit.kinds
        self.padding = kinds.settled(stored, asked, model.padding)
        line = kinds.setting(job.rows_asked, stored, self.padding, release)
        if line not in self.record.plan:  # it was not known when the plan was shown
            self.progress.note(f"rows: {kinds.words(self.padding)}; {line.why}")
        self.record.plan = kinds.with_rows(self.record.plan, line)

    def admit(self, worker: Worker) -> None:
        """Before anything is stored: do our rows fit CpGPT's?

        Raises DoctorError where CpGPT computes other rows than ours. From here on the store is
        written to.
        """
        job = self.job
        assert self.padding is not None
        model = dataclasses.replace(self.loaded_model(), padding=self.padding)
        self.record.found += self.found
        if job.locations:
            self.prove(worker, model)
        with contextlib.closing(Genome(job.inputs.genome, job.inputs.sequences)) as genome:
            stored = [
                each for each in layout.named_rows(job.paths) if admission.usable(each, genome)
            ]
            self.record.bound = bind(
                self.earlier.bound,
                model,
                genome,
                [*stored, *job.locations],
                job.paths.context_len,
            )
        if job.set_aside_unnamed:
            aside = transaction.set_aside_unnamed(job.paths)
            if aside is not None:
                self.progress.note(f"the rows that nobody names are now in {aside}")
                self.record.plan = tuple(
                    dataclasses.replace(line, applied=str(aside))
                    if line.setting == "unnamed rows"
                    else line
                    for line in self.record.plan
                )
        if not job.paths.database.exists():
            self.create_database(worker)
        set_aside(job.paths.checkpoint)
        self.record.write()

    def prove(self, worker: Worker, model: Model) -> None:
        """Hold our rows against CpGPT's, once for a device, a model and a kind of rows.

        Against those of unmodified CpGPT where it computes this kind; else against those of its own
        call with nothing changed but the padding of a window.
        """
        job, device, versions = self.job, self.loaded["device"], self.loaded["versions"]
        if self.proved():
            return
        changed = self.changed_padding
        self.progress.phase(
            "computing some windows with unmodified CpGPT, to compare"
            if changed is None
            else "computing some windows with CpGPT's own call, padded as the other kind of rows"
            " is, to compare"
        )
        # Fewer where this was tried before: one of them may be what ends the worker.
        windows = max(1, PROVED_WINDOWS >> 2 * self.failures)
        sample = random.sample(self.todo, min(windows, len(self.todo)))
        staged = self.paths_in("reference")
        other = self.new_worker()
        try:
            answer = other.ask(
                {
                    "op": "reference",
                    "folder": str(staged.dependencies),
                    "locations": sample,
                    "species": job.paths.species,
                    "dna_llm": job.paths.dna_llm,
                    "context_len": job.paths.context_len,
                    "genome": str(job.inputs.genome.resolve()),
                    "index": str(self.index),
                    "padding": changed,
                }
            )
        finally:
            other.stop()
        ours = self.stage(worker, sample)
        apart = admission.differences(ours, layout.named_rows(ours), staged, sample)
        if max(apart) > self.allowed(self.device):
            first = sample[apart.index(max(apart))]
            how = "unmodified CpGPT" if changed is None else "CpGPT's call with other padding"
            raise DoctorError(
                f"rows computed by {how} and by run-embed differ on {device}, by up to"
                f" {max(apart):.1e} of a row's norm, such as {first}; nothing was stored; please"
                f" report it, with {self.log}"
            )
        self.record.proofs.append(
            Proof(
                device,
                model.weights,
                versions,
                len(sample),
                max(apart),
                answer["without_prefetch"],
                now(),
                changed,
            )
        )

    @property
    def changed_padding(self) -> int | None:
        """The padding of the rows where the installed release pads otherwise; else None."""
        own = self.loaded["model"]["padding"] if self.loaded else self.padding
        return None if self.padding == own else self.padding

    def proved(self) -> int:
        """Windows that CpGPT embedded with this run's device, model, versions and padding."""
        if not self.loaded:
            return 0
        here = self.loaded["device"], self.loaded["model"]["weights"], self.loaded["versions"]
        return sum(
            each.windows
            for each in self.record.proofs
            if (each.device, each.weights, each.versions) == here
            and each.padding == self.changed_padding
        )

    def allowed(self, *devices: str) -> float:
        """How far a row may be from its reference row: not at all where both are a CPU's."""
        return 0.0 if set(devices) == {"cpu"} else ROUNDING

    def check_genome(self) -> None:
        """Raise DoctorError where the genome, or InputError where its kept index, is no longer what
        was examined."""
        inputs = self.job.inputs
        if identity(inputs.genome) != inputs.index.identity:
            raise DoctorError(
                f"{inputs.genome}: was changed or replaced during the run; what was computed since"
                " is not stored; see that nothing writes to it, and start again"
            )
        check_kept(inputs.index, self.index)

    def one_part(self, worker: Worker, part: list[str]) -> None:
        """Compute and commit one part."""
        started = time.monotonic()
        before = self.done
        staged = self.stage(worker, part, lambda done: self.progress.advance(before + done))
        self.check_genome()
        with signals.held():
            seconds = time.monotonic() - started
            digest = layout.digest(layout.read_rows(staged, rows_of(staged, part)))
            new = Part(self.named, len(part), digest, locations_digest(part), seconds, now())
            self.record.pending = new
            self.record.write()
            added = transaction.commit(self.job.paths, staged, part, self.waiting, self.named)
            self.record.pending = None
            self.record.parts.append(
                dataclasses.replace(new, first_row=added.first_row, rows_digest=added.rows_digest)
            )
            self.named = added.first_row + len(part)
            self.record.committed = self.done + len(part)
            self.record.write()
            self.sample += random.sample(part, min(VERIFIED_ALONE, len(part)))
            self.done += len(part)
            self.at += len(part)
            self.pace.done(len(part), seconds, time.monotonic() - started - seconds)
        if added.waited:
            self.progress.phase("the part is in; going on")
        self.progress.committed(len(part), seconds, self.done)

    def waiting(self, text: str) -> None:
        """Told by a commit that waits for another program; a signal does not wait with it."""
        self.progress.phase(text)
        signals.give_way()

    def stage(
        self,
        worker: Worker,
        locations: list[str],
        progress: Callable[[int], None] = lambda done: None,
        alone: bool = False,
        padding: int | None = None,
    ) -> StorePaths:
        """Let the worker embed `locations` into a staging store."""
        staged = self.paths_in("part")
        worker.ask(
            {
                "op": "embed",
                "folder": str(staged.dependencies),
                "locations": locations,
                "alone": alone,
                "padding": padding,
            },
            progress,
        )
        return staged

    def paths_in(self, folder: str) -> StorePaths:
        """The store of this run's kind in a folder of our own."""
        return dataclasses.replace(self.job.paths, dependencies=self.staging / folder)

    def new_worker(self) -> Worker:
        return Worker(self.job.python, self.staging, self.log, hiding(self.device))

    def create_database(self, worker: Worker) -> None:
        """Let CpGPT make the database of a new dependencies folder, and adopt it."""
        folder = self.staging / "database"
        metadata = str(self.job.inputs.ensembl.resolve())
        worker.ask({"op": "database", "folder": str(folder), "metadata": metadata})
        transaction.create_database(self.job.paths, folder / self.job.paths.database.name)

    def start_worker(self) -> Worker:
        """Load the model in a new worker, and find how windows are put together."""
        job = self.job
        self.progress.phase("loading the model")
        self.stage_now = "loading"
        worker = self.worker = self.new_worker()
        before = self.loaded
        where = self.staging / "load"
        self.loaded = worker.ask(
            loading(job, where, self.index, self.batch, self.num_workers, self.device)
        )
        for what in ("model", "versions", "device"):
            if what in before and self.loaded[what] != before[what]:
                raise DoctorError(
                    f"the {what} changed while the run went on ({before[what]} before,"
                    f" {self.loaded[what]} now); start it again"
                )
        self.stage_now = "examining"
        self.record.versions = self.loaded["versions"]
        self.record.workers = self.num_workers
        if self.padding is None:
            self.settle(worker)
        if self.changed_padding is not None:
            worker.ask({"op": "pad", "padding": self.padding})
        self.progress.phase("checking tokens")
        known = job.locations or job.all_locations
        sample = sorted(random.sample(known, min(CHECKED_TOKENS, len(known))))
        checked = worker.ask({"op": "tokens", "locations": sample})
        self.record.tokens = {key: checked[key] for key in checked if key != "event"}
        if self.batch > 1 and job.locations:
            self.measure(worker)
        if self.admitted and self.todo:  # again where it is another device
            self.prove(worker, self.loaded_model())
        return worker

    def measure(self, worker: Worker) -> None:
        """Compare a batch with its windows alone; where they differ, the plan says so (CPG514)."""
        self.progress.phase("measuring a batch against its windows alone")
        self.stage_now = "measuring"
        started = time.monotonic()
        measured = worker.ask(
            {
                "op": "measure",
                "folder": str(self.staging / "measure"),
                "locations": list(self.todo[: MEASURED_FROM * self.batch]),
            }
        )
        self.record.measured = {key: measured[key] for key in measured if key != "event"}
        if not self.pace.rows:
            # Tokens are counted and every window goes twice: more than it will take.
            self.pace.expect(self.batch, time.monotonic() - started)
        self.stage_now = "examining"
        if not measured["used"]:
            self.record.plan = without_batches(self.record.plan, measured)

    def end_worker(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def verify(self) -> str | None:
        """Hold the store against what was committed, and compute a sample again, alone."""
        paths = self.job.paths
        rows = layout.named_rows(paths)
        transaction.check_fit(paths, rows)
        aside = {each.location for each in self.record.set_aside}
        missing = [
            each for each in self.job.all_locations if each not in rows and each not in aside
        ]
        if missing:
            return f"{len(missing)} locations are not in the store, first {missing[0]}"
        if self.done:  # else the rows were held against the record when the run began
            known: list[Part | Found] = [*self.record.parts, *self.record.found]
            standing, changed = admission.held(known, paths, rows)
            seen = dataclasses.replace(self.seen, changed=changed)
            if errors := self.errors(seen):
                self.harmed = seen
                return f"{paths.rows}: {errors[0].title.en}"
            if len(standing) < len(known):
                return (
                    f"{paths.rows}: rows that were recorded were replaced while this run went on,"
                    " by another program; end that program, then start again"
                )
        apart: list[float] = []
        if self.sample:
            # The sample is read with the index of the run: where that lies, so does the sample.
            inputs = self.job.inputs
            names = {each.partition(":")[0] for each in self.job.all_locations}
            check_index(inputs.genome, inputs.sequences, names)
            staged = self.attempt(lambda worker: self.stage(worker, self.sample, alone=True))
            apart = admission.differences(paths, rows, staged, self.sample)
        self.check_genome()
        largest = max(apart, default=None)
        self.record.verification = {
            "locations": len(self.job.all_locations),
            "rows": len(rows),
            "parts_with_right_digest": len(self.record.parts),
            "computed_again_alone": len(apart),
            "largest_difference": largest,
            "bitwise_equal": None if largest is None else largest == 0.0,
            "proved_with_unmodified_cpgpt": self.proved() if self.changed_padding is None else 0,
            "proved_with_other_padding": self.proved() if self.changed_padding is not None else 0,
            "padding": self.record.bound.model.padding if self.record.bound else None,
            "release_padding": self.loaded["model"]["padding"] if self.loaded else None,
            "found_before": sum(found.rows for found in self.record.found),
            "found_computed_again": sum(found.sampled for found in self.record.found),
            "found_largest_difference": max(
                (found.largest_difference for found in self.record.found), default=None
            ),
        }
        wrong = [
            each
            for each, difference in zip(self.sample, apart, strict=True)
            if difference > self.allowed(*self.devices)
        ]
        if wrong:
            return (
                f"{len(wrong)} of {len(apart)} rows computed again alone differ, by up to"
                f" {largest:.1e} of a row's norm, such as {wrong[0]}"
            )
        return None


def doubtful_last(locations: Sequence[str], doubtful: set[str]) -> Sequence[str]:
    """The locations, those that an earlier run set aside at the end."""
    if doubtful.isdisjoint(locations):
        return locations
    return sorted(locations, key=lambda each: each in doubtful)


def without_batches(plan: tuple[Setting, ...], measured: dict[str, Any]) -> tuple[Setting, ...]:
    """The plan, once a batch was found to change rows, or could not be compared."""
    apart = measured["difference"]
    why = (
        "too few windows of one length to measure a batch: each is computed alone"
        if apart is None
        else f"a batch gave other rows than its windows alone, by {apart:.1e}: each goes alone"
    )
    return tuple(
        dataclasses.replace(line, applied="1", why=why) if line.setting == "batch_size" else line
        for line in plan
    )


def hiding(device: str) -> dict[str, str]:
    """Variables of a worker; they hide a GPU that is not to be used, since CpGPT would use it."""
    return {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}


def loading(
    job: EmbedJob, folder: Path, index: Path, batch: int, workers: int, device: str
) -> dict[str, Any]:
    """The command that lets a worker load the model of a job."""
    return {
        "op": "load",
        "folder": str(folder),
        "species": job.paths.species,
        "dna_llm": job.paths.dna_llm,
        "context_len": job.paths.context_len,
        "batch_size": batch,
        "num_workers": workers,
        "start_method": job.start_method,
        "device": device,
        "genome": str(job.inputs.genome.resolve()),
        "index": str(index),
    }


def rows_of(paths: StorePaths, locations: list[str]) -> list[int]:
    """The rows of locations, in their order."""
    rows = layout.named_rows(paths)
    return [rows[each] for each in locations if each in rows]


def set_aside(checkpoint: Path) -> None:
    """Rename CpGPT's stale checkpoint, so that its next run does not drop finished rows."""
    if checkpoint.exists():
        aside = checkpoint.with_name(checkpoint.name + ".set-aside")
        checkpoint.rename(free_name(aside))


def free_bytes(folder: Path) -> int:
    """Free bytes of the folder's disk; of the one above, where the folder was removed."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return int(psutil.disk_usage(str(folder)).free)


def needed_bytes(paths: StorePaths, locations: int) -> int:
    """Rows of the store, and once more those of the largest part in staging."""
    return paths.row_bytes * (locations + min(locations, LARGEST_PART))
