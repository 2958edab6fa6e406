"""Stores that unmodified CpGPT makes as users call it, and audits of them in this process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor.audit import report, run
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.embed.supervisor import Worker
from cpgpt_doctor.report import Report
from tests.conftest import DNA_LLM, PATIENTS, World, once

CONTEXT = 201


def embedded(
    world: World,
    release: str,
    name: str,
    locations: list[str],
    batch: int = 1,
    anew: bool = True,
    dna_llm: str = DNA_LLM,
    torn: float = 0.0,
) -> Path:
    """A store by unmodified CpGPT, called as users call it; equal ones are copies of one.

    torn: the share of reads of the genome that return other bases, as with forked workers.
    """

    def embed(folder: Path) -> None:
        request: dict[str, object] = {
            "dependencies": str(folder),
            "genome": str(world.genome),
            "locations": locations,
            "dna_llm": dna_llm,
            "context_len": CONTEXT,
            "batch_size": batch,
            "torn": torn,
        }
        world.in_patient(release, "reproduce_store.py", request)

    def make(folder: Path) -> None:
        embed(replace(world, folder=folder.parent).dependencies(folder.name))

    folder = world.folder / name
    if anew:
        asked = json.dumps([release, locations, batch, dna_llm, torn])
        what = hashlib.sha256(asked.encode()).hexdigest()
        made = once(world.shared / f"embedded-{what[:16]}", make)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder, symlinks=True)
    else:
        embed(folder)
    return folder


def rows_file(folder: Path, dna_llm: str = DNA_LLM) -> Path:
    return folder / "dna_embeddings" / "homo_sapiens" / dna_llm / f"{CONTEXT}bp_dna_embeddings.mmap"


class Silent:
    """Progress that nobody sees."""

    def phase(self, text: str) -> None:
        pass

    def expect(self, total: int) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


class Auditors:
    """Audits with a worker of each release that is started once; each audit loads its model."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.workers: dict[str, Worker] = {}
        self.audits = 0

    def worker(self, release: str) -> Worker:
        if release not in self.workers:
            place = self.folder / release
            place.mkdir()
            log = place / "log"
            self.workers[release] = Worker(
                str(PATIENTS[release]), place, log, {**self.world.variables}
            )
        return self.workers[release]

    def report(self, folder: Path, release: str = "0.0.13", **asked: Any) -> Report:
        """What verify says of a store; the doctor's own part of it runs here."""

        @contextlib.contextmanager
        def worker_of(asked: Asked) -> Iterator[tuple[Worker, Path]]:
            self.audits += 1
            work = self.folder / f"work-{self.audits}"
            work.mkdir()
            yield self.worker(release), work
            shutil.rmtree(work)

        given: dict[str, Any] = {"species": "homo_sapiens", "every": True, "seed": 1, **asked}
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(run, "patient_worker", worker_of)
            return report.report(
                Asked(folder, python=str(PATIENTS[release]), device="cpu", **given), Silent()
            )

    def stop(self) -> None:
        for each in self.workers.values():
            each.stop()


def found(told: Report) -> dict[str, list[str]]:
    """The titles of what an audit found, by code; what a soft-masked genome is left out."""
    titles: dict[str, list[str]] = {}
    for each in told.findings:
        if each.code != "CPG511":
            titles.setdefault(each.code, []).append(each.title.en)
    return titles


def wrong_locations(told: Report) -> set[str]:
    assert told.facts.audit is not None
    return {each.location for each in told.facts.audit.rows if each.verdict != "own"}


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with its time and its content."""
    return {
        os.path.relpath(path, folder): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
