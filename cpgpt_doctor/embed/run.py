"""run-embed: examine, plan, compute in parts, commit each, verify."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import filelock
import psutil

from cpgpt_doctor.embed import store
from cpgpt_doctor.embed.examine import Inputs
from cpgpt_doctor.embed.genome import keep_index
from cpgpt_doctor.embed.plan import Setting
from cpgpt_doctor.embed.record import Part, Record, earlier_parts, now, record_path
from cpgpt_doctor.embed.store import Address
from cpgpt_doctor.embed.supervisor import Worker, WorkerFailed, WorkerLost
from cpgpt_doctor.errors import DoctorError, InputError

FIRST_PART = 64
PART_SECONDS = 120.0
# CpGPT up to 0.0.7 does not finish a store of 10,000 rows or more under its right name.
LARGEST_PART = 8192
LOST_WORKERS = 3
MEASURED_FROM = 4  # times the batch size: enough windows to find a batch of one length among
VERIFIED_ALONE = 8
CHECKED_TOKENS = 64
LARGEST_DIFFERENCE = 1e-6
LOADING_WORKER = "DataLoader"  # how PyTorch's messages of a lost or silent worker begin


class Progress(Protocol):
    """What a run tells while it goes on."""

    def phase(self, text: str) -> None: ...
    def advance(self, done: int) -> None: ...


@dataclass(frozen=True)
class Job:
    """Everything that a run needs to know; the locations are those not yet in the store."""

    python: str
    inputs: Inputs
    address: Address
    locations: tuple[str, ...]
    all_locations: tuple[str, ...]
    batch_size: int
    num_workers: int
    start_method: str | None
    device: str
    plan: tuple[Setting, ...]
    patient: dict[str, Any]
    intent: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """How a run ended. problem: why it is not finished, None where it is finished and verified."""

    committed: int
    problem: str | None
    record: Path
    log: Path
    verification: dict[str, Any] | None


def run(job: Job, progress: Progress) -> Result:
    """Compute and commit all locations of the job.

    Raises InputError where another run holds the store. Ctrl-C comes out as KeyboardInterrupt;
    what was committed stays.
    """
    work = job.inputs.work
    work.mkdir(exist_ok=True)
    lock = filelock.FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(
            f"{job.inputs.dependencies}: another run-embed is at work on this folder"
            f" (it holds {work / 'lock'})"
        ) from None
    try:
        return Run(job, progress).go()
    finally:
        shutil.rmtree(work / "staging", ignore_errors=True)
        lock.release()


class Run:
    """One run, while it holds the lock."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job = job
        self.progress = progress
        self.staging = (job.inputs.work / "staging").resolve()  # the worker has its own folder
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir()
        self.log = job.inputs.work / "run-embed.log"
        self.worker: Worker | None = None
        self.index: Path  # of the genome; set when the work begins
        self.num_workers = job.num_workers
        self.done = 0
        job.address.folder.mkdir(parents=True, exist_ok=True)
        path = record_path(job.address)
        parts = earlier_parts(path, len(store.named_rows(job.address)))
        self.record = Record(path, job.patient, job.intent, job.plan, parts)

    def go(self) -> Result:
        try:
            problem = self.work()
        except KeyboardInterrupt:
            self.close("interrupted", None)
            raise
        except (OSError, sqlite3.Error, DoctorError, InputError, WorkerFailed, WorkerLost) as error:
            problem = self.explained(error)
        problem = self.close("unfinished" if problem else "complete", problem)
        return Result(self.done, problem, self.record.path, self.log, self.record.verification)

    def work(self) -> str | None:
        """All of the run; returns why it is not finished, None where it is."""
        self.record.write()
        inputs = self.job.inputs
        self.index = keep_index(inputs.index, inputs.genome, inputs.work).resolve()
        set_aside(self.job.address.checkpoint)
        problem = self.compute()
        if problem is None:
            self.progress.phase("verifying")
            problem = self.verify()
        return problem

    def close(self, status: str, problem: str | None) -> str | None:
        """End the worker and write the record for the last time; returns the problem."""
        self.end_worker()
        self.record.status = status
        self.record.problem = problem
        try:
            self.record.write()
        except OSError as error:
            return problem or self.explained(error)
        return problem

    def explained(self, error: Exception) -> str:
        """An error in one line; where the disk is full, that, since it shows in many ways."""
        free = free_bytes(self.job.inputs.dependencies)
        if free < self.job.address.row_bytes * FIRST_PART:
            return f"{self.job.inputs.dependencies}: the disk is full ({free} bytes are free)"
        if isinstance(error, OSError):
            return f"{error.filename or self.job.inputs.dependencies}: {error.strerror or error}"
        return str(error)

    def compute(self) -> str | None:
        """Compute part after part; returns why it gave up, None when all is committed."""
        lost = 0
        size = FIRST_PART
        while self.done < len(self.job.locations):
            part = list(self.job.locations[self.done : self.done + size])
            try:
                seconds = self.one_part(part)
            except WorkerFailed as error:
                if not self.num_workers or LOADING_WORKER not in str(error):
                    raise
                self.load_without_workers(str(error))
                continue
            except WorkerLost as error:
                self.end_worker()
                lost += 1
                if lost == LOST_WORKERS:
                    why = self.explained(error)
                    return f"the worker was lost {lost} times in one part, at last: {why}"
                continue
            lost = 0
            size = self.next_size(len(part), seconds)
        return None

    def load_without_workers(self, error: str) -> None:
        """Go on in one process after a loading worker died or hung (CPG208)."""
        self.end_worker()
        asked, self.num_workers = str(self.num_workers), 0
        change = Setting("num_workers", asked, "0", "CPG208", f"from here on: {error}")
        self.record.plan = (*self.record.plan, change)
        self.progress.phase("a loading worker was lost; going on without")

    def next_size(self, size: int, seconds: float) -> int:
        """Locations of the next part: some minutes' worth, in whole batches."""
        wanted = min(LARGEST_PART, int(size / max(seconds, 1e-3) * PART_SECONDS), size * 4)
        batch = self.job.batch_size
        return max(batch, wanted // batch * batch)

    def one_part(self, part: list[str]) -> float:
        """Compute and commit one part; returns the seconds that it took."""
        worker = self.worker or self.start_worker()
        started = time.monotonic()
        before = self.done
        staged = self.stage(worker, part, lambda done: self.progress.advance(before + done))
        rows_digest = store.commit(self.job.address, staged, part)
        first_row = store.named_rows(self.job.address)[part[0]]
        seconds = time.monotonic() - started
        locations_digest = hashlib.sha256("".join(f"{each}\n" for each in part).encode())
        self.record.parts.append(
            Part(first_row, len(part), rows_digest, locations_digest.hexdigest(), seconds, now())
        )
        self.record.write()
        self.done += len(part)
        self.progress.advance(self.done)
        return seconds

    def stage(
        self,
        worker: Worker,
        locations: list[str],
        progress: Callable[[int], None] = lambda done: None,
        alone: bool = False,
    ) -> Address:
        """Let the worker embed `locations` into a staging store."""
        folder = self.staging / "part"
        worker.ask(
            {"op": "embed", "folder": str(folder), "locations": locations, "alone": alone}, progress
        )
        address = self.job.address
        return Address(folder, address.species, address.dna_llm, address.context_len, address.width)

    def start_worker(self) -> Worker:
        job = self.job
        self.progress.phase("loading the model")
        # A GPU that is not to be used is hidden: CpGPT would load the model there first.
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if job.device == "cpu" else {}
        worker = self.worker = Worker(job.python, self.staging, self.log, hidden)
        if not job.address.database.exists():
            folder = self.staging / "database"
            worker.ask(
                {
                    "op": "database",
                    "folder": str(folder),
                    "metadata": str(job.inputs.ensembl.resolve()),
                }
            )
            store.create_database(job.address, folder / job.address.database.name)
        loaded = worker.ask(
            {
                "op": "load",
                "folder": str(self.staging / "load"),
                "species": job.address.species,
                "dna_llm": job.address.dna_llm,
                "context_len": job.address.context_len,
                "batch_size": job.batch_size,
                "num_workers": self.num_workers,
                "start_method": job.start_method,
                "device": job.device,
                "genome": str(job.inputs.genome.resolve()),
                "index": str(self.index),
            }
        )
        self.record.versions = loaded["versions"]
        self.record.workers = self.num_workers
        self.progress.phase("checking tokens")
        sample = sorted(random.sample(job.locations, min(CHECKED_TOKENS, len(job.locations))))
        checked = worker.ask({"op": "tokens", "locations": sample})
        self.record.tokens = {key: checked[key] for key in checked if key != "event"}
        if job.batch_size > 1:
            self.progress.phase("measuring a batch against its windows alone")
            measured = worker.ask(
                {
                    "op": "measure",
                    "folder": str(self.staging / "measure"),
                    "locations": list(job.locations[: MEASURED_FROM * job.batch_size]),
                }
            )
            self.record.measured = {key: measured[key] for key in measured if key != "event"}
        self.record.write()
        self.progress.phase("embedding")
        return worker

    def end_worker(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def verify(self) -> str | None:
        """Hold the store against what was committed, and compute a sample again, alone."""
        address = self.job.address
        rows = store.named_rows(address)
        store.check_health(address, rows)
        missing = [each for each in self.job.all_locations if each not in rows]
        if missing:
            return f"{len(missing)} locations are not in the store, first {missing[0]}"
        for part in self.record.parts:
            numbers = range(part.first_row, part.first_row + part.rows)
            if store.digest(store.read_rows(address, numbers)) != part.rows_digest:
                return (
                    f"{address.rows}: rows {numbers.start} to {numbers.stop - 1} are not those that"
                    " were committed; the file was changed by something else"
                )
        sample = random.sample(self.job.locations, min(VERIFIED_ALONE, len(self.job.locations)))
        largest = self.compare(sample, rows) if sample else None
        self.record.verification = {
            "locations": len(self.job.all_locations),
            "parts_with_right_digest": len(self.record.parts),
            "computed_again_alone": len(sample),
            "largest_difference": largest,
            "bitwise_equal": None if largest is None else largest == 0.0,
        }
        allowed = LARGEST_DIFFERENCE if self.job.device != "cpu" else 0.0
        if largest is not None and largest > allowed:
            return f"rows computed again alone differ by up to {largest}: {', '.join(sample)}"
        return None

    def compare(self, sample: list[str], rows: dict[str, int]) -> float:
        """The largest difference between stored rows and the same computed again, alone."""
        assert self.worker is not None
        staged = self.stage(self.worker, sample, alone=True)
        again = store.named_rows(staged)
        largest = 0.0
        for location in sample:
            (stored,) = store.read_rows(self.job.address, [rows[location]])
            (computed,) = store.read_rows(staged, [again[location]])
            if stored != computed:
                largest = max(largest, store.difference(stored, computed))
        return largest


def set_aside(checkpoint: Path) -> None:
    """Rename CpGPT's stale checkpoint, so that its next run does not drop finished rows (510)."""
    if checkpoint.exists():
        checkpoint.replace(checkpoint.with_name(checkpoint.name + ".set-aside"))


def free_bytes(folder: Path) -> int:
    return int(psutil.disk_usage(str(folder)).free)


def needed_bytes(address: Address, locations: int) -> int:
    """Rows of the store, and once more those of the largest part in staging."""
    return address.row_bytes * (locations + min(locations, LARGEST_PART))
