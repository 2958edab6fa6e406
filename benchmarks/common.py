"""What the benchmarks share: genomes, a tokenizer, and words about the machine."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cpgpt_doctor.bench import Measured
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.compute import demo

LAMBDA = Path(__file__).parent.parent / "tests" / "data" / "lambda_phage.fa"
PLAIN_COPIES = 200  # of lambda's 48,502 bases, one after the other, as one chromosome
MIXED_CHROMOSOMES = 40
MIXED_COPIES = 5
MIXED_STRETCHES = 5  # of N, and as many in lower case, in each chromosome
STRETCH = 3000  # bases
LINE = 60


@dataclass(frozen=True)
class Place:
    """plain: real bases, upper-case A, C, G and T only. mixed: N runs, lower case, many ends."""

    plain: Path
    mixed: Path


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A folder with two genomes, and a model cache that HF_HOME names for this process.

    The tokenizer is that of `run-embed --demo`: the Nucleotide Transformer v2's class and words.
    """
    with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-benchmark-") as name:
        folder = Path(name)
        repository = upstream.repository(DNA_LLM)
        assert repository is not None
        # Before anything imports the hub's library, which reads them once.
        os.environ["HF_HOME"] = str(folder / "huggingface")
        os.environ["HF_HUB_OFFLINE"] = "1"
        demo.write_model(str(folder / "huggingface"), repository)
        bases = "".join(LAMBDA.read_text().splitlines()[1:])
        write(folder / "plain.fa", [bases * PLAIN_COPIES])
        rng = random.Random(0)
        write(folder / "mixed.fa", [mixed(bases, rng) for _ in range(MIXED_CHROMOSOMES)])
        yield Place(folder / "plain.fa", folder / "mixed.fa")


def mixed(bases: str, rng: random.Random) -> str:
    """A chromosome with stretches of N and of lower case."""
    sequence = bases * MIXED_COPIES
    for change in (str.lower, lambda stretch: "N" * len(stretch)):
        for _ in range(MIXED_STRETCHES):
            at = rng.randrange(len(sequence) - STRETCH)
            sequence = (
                sequence[:at] + change(sequence[at : at + STRETCH]) + sequence[at + STRETCH :]
            )
    return sequence


def write(path: Path, sequences: list[str]) -> None:
    with path.open("w", encoding="ascii") as out:
        for number, sequence in enumerate(sequences, 1):
            out.write(f">{number}\n")
            out.writelines(sequence[at : at + LINE] + "\n" for at in range(0, len(sequence), LINE))


def machine(measured: Measured) -> str:
    """The machine and the versions, without a path."""
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{measured.cpus} CPU cores, {measured.platform.split('-')[0]}, Python {measured.python},"
        f" {versions}. Load average at the end: {load}."
    )
