"""Rows a second of `verify`, beside those of `run-embed --batch-size 1`, in one run.

    python benchmarks/audit_speed.py [--rows 300] [--rounds 3]

Windows of real size (context 2001) of real bases, with the random-weight model of
`run-embed --demo`, on the CPU. run-embed stores them, verify computes all of them again; then rows
of the kind that the other family of releases computes. Loading torch and the model, and what comes
before, is left out of both. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import Place, place

from cpgpt_doctor.audit import run
from cpgpt_doctor.audit.patient import Patient
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.store import layout, record
from cpgpt_doctor.store.layout import WIDTHS, StorePaths

CONTEXT = 2001
SPECIES = "homo_sapiens"
BASES = 9_000_000  # of the genome, in which windows lie whole


class Timed:
    """Seconds since the model was loaded, as the phases tell."""

    def __init__(self) -> None:
        self.loaded = 0.0

    def phase(self, text: str) -> None:
        if text.startswith("computing rows again"):
            self.loaded = time.perf_counter()

    def expect(self, total: int) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


def dependencies(folder: Path, genomes: Place) -> StorePaths:
    """A fresh folder for CpGPT, over the genome of plain bases."""
    upstream.prepare_dependencies(str(folder), SPECIES, "Plain")
    (folder / "genomes" / f"{SPECIES}.Plain.dna.toplevel.fa").symlink_to(genomes.plain)
    return StorePaths(folder, SPECIES, DNA_LLM, CONTEXT, WIDTHS[DNA_LLM])


def embedded(paths: StorePaths, locations: Path) -> float:
    """Rows a second of run-embed's own parts."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "cpgpt_doctor", "run-embed", "--batch-size", "1"),
            *("--dependencies-dir", paths.dependencies, "--locations", locations),
            *("--context-len", str(CONTEXT), "--device", "cpu", "--allow-non-cpg"),
        ],
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        sys.exit(ran.stderr[-2000:])
    parts = json.loads(record.record_path(paths).read_text())["parts"]
    return sum(each["rows"] for each in parts) / sum(each["seconds"] for each in parts)


def audited(paths: StorePaths, rows: int) -> float:
    """Rows a second of an audit that finds nothing."""
    timed = Timed()
    asked = Asked(paths.dependencies, SPECIES, sys.executable, sample=rows, seed=1, device="cpu")
    facts = run.audit(asked, paths, timed).facts
    seconds = time.perf_counter() - timed.loaded
    if facts.wrong or facts.judged != rows:
        sys.exit(f"{facts.wrong} of {facts.judged} rows wrong")
    return facts.judged / seconds


def other_kind(paths: StorePaths, genome: Path, folder: Path) -> StorePaths:
    """The same store with rows of the other kind."""
    shutil.copytree(paths.dependencies, folder, symlinks=True)
    other = StorePaths(folder, SPECIES, DNA_LLM, CONTEXT, paths.width)
    asked = Asked(paths.dependencies, SPECIES, sys.executable, device="cpu")
    named = layout.named_rows(paths)
    settings = {"batch_size": 1, "num_workers": 0, "start_method": None, "device": "cpu"}
    with run.patient_worker(asked) as (worker, work):
        patient = Patient(
            worker,
            work,
            paths,
            {
                **settings,
                "species": SPECIES,
                "dna_llm": DNA_LLM,
                "context_len": CONTEXT,
                "genome": str(genome),
                "index": f"{genome}.fai",
            },
        )
        padding = next(each for each in (1, 128) if each != patient.padding)
        names = sorted(named, key=named.__getitem__)
        other.rows.write_bytes(b"".join(patient.alone(names, padding)))
    record.record_path(other).unlink()
    return other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    speeds: dict[str, list[float]] = {}
    with place() as genomes, tempfile.TemporaryDirectory(prefix="cpgpt-doctor-speed-") as name:
        folder = Path(name)
        given = folder / "locations.txt"
        chosen = random.Random(1).sample(range(2000, BASES), arguments.rows)
        given.write_text("\n".join(f"1:{each}" for each in chosen) + "\n")
        for number in range(arguments.rounds):
            paths = dependencies(folder / f"own-{number}", genomes)
            speeds.setdefault("run-embed", []).append(embedded(paths, given))
            other = other_kind(paths, genomes.plain, folder / f"other-{number}")
            for kind, store in (("verify", paths), ("verify, the other kind", other)):
                speeds.setdefault(kind, []).append(audited(store, arguments.rows))
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(paths.dependencies)
    own = statistics.median(speeds["run-embed"])
    print("| | rows a second | of run-embed's |")
    print("|---|---|---|")
    for kind, found in speeds.items():
        middle = statistics.median(found)
        print(f"| {kind} | {middle:.1f} | {middle / own:.2f} |")
    print(
        f"\nMedians of {arguments.rounds} rounds of {arguments.rows} rows. {os.cpu_count()} CPU"
        f" cores, {platform.system()}, Python {platform.python_version()}."
        f" Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
