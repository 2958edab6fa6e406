"""What a run would take: a few of its windows are computed, and nothing of them is kept."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from cpgpt_doctor.embed import treatments
from cpgpt_doctor.embed.run import (
    CHECKED_TOKENS,
    MEASURED_FROM,
    EmbedJob,
    free_bytes,
    hiding,
    loading,
    needed_bytes,
)
from cpgpt_doctor.embed.supervisor import Worker, WorkerFailed, WorkerLost
from cpgpt_doctor.findings import Finding
from cpgpt_doctor.genome.fasta import keep_index

ROUNDS = 3
BATCHES = 2  # of each round; at least so many windows as follows
WINDOWS = 16


@dataclass(frozen=True)
class Estimate:
    """Of a run on this machine, now. Seconds, and bytes.

    start: until the first part: the model is loaded, tokens and batches are checked. fastest and
    slowest: of one location, in the rounds that were computed, `computed` windows in all. memory:
    what the worker held, None where the system does not say; on a GPU, beside that of the card.
    """

    locations: int
    start: float
    fastest: float
    slowest: float
    computed: int
    device: str
    disk: int
    free: int
    memory: int | None
    available: int

    @property
    def seconds(self) -> tuple[float, float]:
        """At the least, and at the most: then the start comes twice, the second time in the process
        that holds some windows against unmodified CpGPT."""
        least = self.start + self.locations * self.fastest
        return least, 2 * self.start + self.locations * self.slowest


class NoEstimate(Exception):
    """The worker failed, as it would in the run; findings: where a rule knows it."""

    def __init__(self, error: Exception, findings: tuple[Finding, ...]) -> None:
        super().__init__(str(error))
        self.findings = findings


def estimate(job: EmbedJob, phase: Callable[[str], None], limit: int | None) -> Estimate:
    """Compute a few of the job's locations, of which there has to be one.

    limit: bytes of memory that a cgroup allows. Raises NoEstimate. Nothing is written but in a
    temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-") as made:
        folder = Path(made)
        index = keep_index(job.inputs.index, job.inputs.genome, folder)
        started = time.monotonic()
        worker = Worker(job.python, folder, folder / "log", hiding(job.device))
        try:
            phase("loading the model, to compute a few windows")
            where = folder / "load"
            loaded = worker.ask(
                loading(job, where, index, job.batch_size, job.num_workers, job.device)
            )
            sample = random.sample(job.locations, min(CHECKED_TOKENS, len(job.locations)))
            worker.ask({"op": "tokens", "locations": sample})
            if job.batch_size > 1:
                first = list(job.locations[: MEASURED_FROM * job.batch_size])
                worker.ask({"op": "measure", "folder": str(folder / "measure"), "locations": first})
            start = time.monotonic() - started
            phase("computing a few windows")
            taken, held = rounds(job, worker, folder / "part")
        except (WorkerFailed, WorkerLost) as error:
            worker.stop()  # its log is whole
            known = treatments.known(str(error), folder / "log", 0)
            found = tuple(treatments.without_place(each) for each in known.findings)
            raise NoEstimate(error, found) from error
        finally:
            worker.stop()
    return Estimate(
        len(job.locations),
        start,
        min(seconds / windows for windows, seconds in taken),
        max(seconds / windows for windows, seconds in taken),
        sum(windows for windows, _ in taken),
        loaded["device"],
        needed_bytes(job.paths, len(job.locations)),
        free_bytes(job.inputs.dependencies),
        held,
        min([int(psutil.virtual_memory().available), *([limit] if limit else [])]),
    )


def rounds(
    job: EmbedJob, worker: Worker, folder: Path
) -> tuple[list[tuple[int, float]], int | None]:
    """Windows and seconds of each round, and the memory that the worker held at the most."""
    size = min(max(WINDOWS, BATCHES * job.batch_size), len(job.locations))
    taken, held = [], []
    for _ in range(ROUNDS):
        some = random.sample(job.locations, size)
        started = time.monotonic()
        worker.ask(
            {
                "op": "embed",
                "folder": str(folder),
                "locations": some,
                "alone": False,
                "padding": None,
            }
        )
        taken.append((size, time.monotonic() - started))
        held += memory(worker)
    return taken, max(held, default=None)


def memory(worker: Worker) -> list[int]:
    """What the worker holds now; empty where the system does not say."""
    try:
        return [int(psutil.Process(worker.process.pid).memory_info().rss)]
    except psutil.Error:
        return []
