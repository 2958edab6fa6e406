"""Run the probes side by side and put what they saw into Facts."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpgpt_doctor import __version__
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import (
    Accelerator,
    Embedder,
    Facts,
    Host,
    OwnDataset,
    Packages,
    ProbeFailure,
    Python,
    Workers,
    build,
)
from cpgpt_doctor.probes import runner

PATIENT = "cpgpt_doctor.patient"


@dataclass(frozen=True)
class Probe:
    """heavy: imports torch or CpGPT. host: runs in the doctor's interpreter."""

    module: str
    kind: type[Any]
    heavy: bool = False
    host: bool = False


PROBES = {
    "host": Probe("cpgpt_doctor.probes.host", Host, host=True),
    "python": Probe(f"{PATIENT}.python", Python),
    "packages": Probe(f"{PATIENT}.packages", Packages),
    "accelerator": Probe(f"{PATIENT}.accelerator", Accelerator, heavy=True),
    "embedder": Probe(f"{PATIENT}.embedder", Embedder, heavy=True),
    "workers": Probe(f"{PATIENT}.workers", Workers, heavy=True),
    "own_dataset": Probe(f"{PATIENT}.workers", OwnDataset, heavy=True),
}


QUICK = tuple(name for name, probe in PROBES.items() if probe.heavy)


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A private folder for everything that an examination has to write, removed afterwards."""
    try:
        base = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise DoctorError(
            "no temporary folder can be written; set TMPDIR to a folder that can"
        ) from error
    with tempfile.TemporaryDirectory(
        prefix="cpgpt-doctor-", dir=base, ignore_cleanup_errors=True
    ) as folder:
        yield folder


def no_interpreter(python: str, failure: ProbeFailure) -> InputError:
    """What is said where even the standard library's probe had no answer."""
    shown = (failure.output.strip().splitlines() or ["it printed nothing"])[-1]
    return InputError(f"--python {python}: does not work as a Python interpreter: {shown}")


def collect(
    python: str,
    *,
    folder: str = ".",
    genome: Path | None = None,
    index: Path | None = None,
    leave_out: tuple[str, ...] = (),
    deep: bool = False,
    dna_llm: str | None = None,
    dataset: str | None = None,
    dataset_folder: str = ".",
    seconds: float = 300.0,
) -> Facts:
    """Observe this machine and the environment of the interpreter `python`.

    Args:
        python: the patient's interpreter.
        folder: the place whose disk matters.
        genome: a FASTA file to build the dataset over; a tiny one is made where it is None.
        index: where pyfaidx finds or writes the genome's index, so that nothing appears beside
            the user's file.
        deep: also pickle CpGPT's embedder and its data module's dataset.
        dna_llm: the model whose tokenizer is looked at; CpGPT's default where it is None.
        dataset: a dataset of the user's to examine, "package.module:callable".
        dataset_folder: where its module is imported from, before all that is installed.
        leave_out: probes that are not run; `QUICK` are those that import torch or CpGPT.
        seconds: each probe's time limit.
    """
    chosen = {
        name: probe
        for name, probe in PROBES.items()
        if name not in leave_out and not (name == "own_dataset" and dataset is None)
    }
    with (
        scratch_folder() as scratch,
        ThreadPoolExecutor(len(chosen)) as pool,
        runner.stopped_with_us() as stopped,
    ):
        request = {
            "scratch": scratch,
            "folder": folder,
            "genome": str(genome.resolve()) if genome else None,
            "index": str(index) if index else str(Path(scratch) / "index.fai"),
            "index_kept": index is not None,
            "deep": deep,
            "dna_llm": dna_llm,
        }
        requests = dict.fromkeys(chosen, request)
        requests["own_dataset"] = {
            **request,
            "dataset": dataset,
            "dataset_folder": dataset_folder,
        }
        running = {
            name: pool.submit(
                runner.run,
                name,
                sys.executable if probe.host else python,
                probe.module,
                requests[name],
                seconds,
                stopped,
            )
            for name, probe in chosen.items()
        }
        answers = {name: future.result() for name, future in running.items()}
    failures = [answer for answer in answers.values() if isinstance(answer, ProbeFailure)]
    failed = {failure.probe: failure for failure in failures}
    if "python" in failed:
        raise no_interpreter(python, failed["python"])
    parts = {
        name: build(answer, PROBES[name].kind)
        for name, answer in answers.items()
        if name not in failed
    }
    return Facts(
        schema="cpgpt-doctor/facts/v1",
        doctor_version=__version__,
        host=parts.get("host"),
        python=parts.get("python"),
        packages=parts.get("packages"),
        accelerator=parts.get("accelerator"),
        embedder=parts.get("embedder"),
        workers=parts.get("workers"),
        own_dataset=parts.get("own_dataset"),
        failures=tuple(failures),
        skipped=tuple(name for name in PROBES if name not in chosen and name != "own_dataset"),
    )
