"""`check`: observe this machine, or read what was observed on another."""

from __future__ import annotations

from pathlib import Path

from cpgpt_doctor import facts as recorded_facts
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.probes.collect import collect


def observe(
    *, python: str, genome: Path | None = None, quick: bool = False, recorded: Path | None = None
) -> Facts:
    """Facts of the environment of `python`, or those of the file `recorded`."""
    if recorded is not None:
        return recorded_facts.read(recorded)
    if genome is not None and not genome.is_file():
        raise InputError(f"--genome {genome}: no such file")
    return collect(python, genome=genome, quick=quick)


def save(facts: Facts, path: Path) -> None:
    try:
        path.write_text(recorded_facts.to_json(facts), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--save-facts {path}: cannot be written: {error.strerror}") from error
