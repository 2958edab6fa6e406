"""What a row costs `verify`, beside what it costs `run-embed --batch-size 1`, in one run.

    python benchmarks/audit_speed.py [--rows 300] [--rounds 3]

Windows of real size (context 2001) of real bases, with the random-weight model of
`run-embed --demo`, on the CPU: the worker embeds them as for a part of run-embed's, then verify
computes all of them again, then rows of the kind that the other family of releases computes.
Loading torch and the model, and what comes before, is left out of all three. Processor seconds of
the worker and of the doctor, with one thread of torch's, so that a busy machine matters little.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from common import place

from cpgpt_doctor.audit import run
from cpgpt_doctor.audit.patient import Patient
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import WIDTHS, StorePaths

CONTEXT = 2001
SPECIES = "homo_sapiens"
BASES = 9_000_000  # of the genome, in which windows lie whole


def processor_seconds() -> float:
    """Of this process and of those that it started and that are still there."""
    here = psutil.Process()
    used = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in used)


class Timed:
    """Processor seconds from when the model was loaded to the last row, as the phases tell."""

    def __init__(self) -> None:
        self.loaded = self.last = 0.0

    def phase(self, text: str) -> None:
        self.last = processor_seconds()
        if text.startswith("computing rows again"):
            self.loaded = self.last

    def expect(self, total: int) -> None:
        pass

    def advance(self, done: int) -> None:
        self.last = processor_seconds()


def settings(genome: Path, context_len: int = CONTEXT) -> dict[str, Any]:
    return {
        "species": SPECIES,
        "dna_llm": DNA_LLM,
        "context_len": context_len,
        "batch_size": 1,
        "num_workers": 0,
        "start_method": None,
        "device": "cpu",
        "genome": str(genome),
        "index": f"{genome}.fai",
    }


def embedded(
    folder: Path, genome: Path, locations: list[str], context_len: int = CONTEXT
) -> tuple[StorePaths, float]:
    """The store of a part as run-embed has it computed, and the seconds that it took."""
    paths = StorePaths(folder, SPECIES, DNA_LLM, context_len, WIDTHS[DNA_LLM])
    with run.patient_worker(Asked(folder, SPECIES, sys.executable, device="cpu")) as (worker, work):
        request = settings(genome, context_len)
        worker.ask({"op": "load", "folder": str(work / "load"), **request})
        worker.ask({"op": "tokens", "locations": locations[:64]})
        before = processor_seconds()
        worker.ask({"op": "embed", "folder": str(folder), "locations": locations, "alone": False})
        seconds = processor_seconds() - before
    (folder / "genomes" / f"{SPECIES}.staged.dna.toplevel.fa").symlink_to(genome)
    return paths, seconds


def audited(paths: StorePaths, rows: int) -> float:
    """The seconds of an audit that finds nothing."""
    timed = Timed()
    asked = Asked(paths.dependencies, SPECIES, sys.executable, sample=rows, seed=1, device="cpu")
    facts = run.audit(asked, paths, timed).facts
    if facts.wrong or facts.judged != rows:
        sys.exit(f"{facts.wrong} of {facts.judged} rows wrong")
    return timed.last - timed.loaded


def of_other_kind(paths: StorePaths, genome: Path, folder: Path) -> StorePaths:
    """The same store with rows of the other kind."""
    shutil.copytree(paths.dependencies, folder, symlinks=True)
    other = StorePaths(folder, SPECIES, DNA_LLM, CONTEXT, paths.width)
    named = layout.named_rows(paths)
    with run.patient_worker(Asked(folder, SPECIES, sys.executable, device="cpu")) as (worker, work):
        patient = Patient(worker, work, paths, settings(genome))
        padding = next(each for each in (1, 128) if each != patient.padding)
        names = sorted(named, key=named.__getitem__)
        other.rows.write_bytes(b"".join(patient.alone(names, padding)))
    return other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for one another use the processor, too
    chosen = random.Random(1).sample(range(2000, BASES), arguments.rows)
    locations = [f"1:{each}" for each in chosen]
    found: dict[str, list[float]] = {}
    with place() as genomes, tempfile.TemporaryDirectory(prefix="cpgpt-doctor-speed-") as name:
        for number in range(arguments.rounds):
            here = Path(name, f"own-{number}")
            paths, seconds = embedded(here, genomes.plain, locations)
            found.setdefault("run-embed --batch-size 1", []).append(seconds)
            other = of_other_kind(paths, genomes.plain, Path(name, f"other-{number}"))
            for kind, store in (("verify", paths), ("verify, rows of the other kind", other)):
                found.setdefault(kind, []).append(audited(store, arguments.rows))
    middle = {kind: statistics.median(each) for kind, each in found.items()}
    own = next(iter(middle.values()))
    print("| | processor ms a row | speed, of run-embed's |")
    print("|---|---|---|")
    for kind, each in middle.items():
        print(f"| {kind} | {1000 * each / arguments.rows:.1f} | {own / each:.2f} |")
    print(
        f"\nMedians of {arguments.rounds} rounds of {arguments.rows} rows. {os.cpu_count()} CPU"
        f" cores, {platform.system()}, Python {platform.python_version()}."
        f" Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
