"""`check`: observe this machine, or read what was observed on another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.probes.collect import HEAVY_PROBES, collect

if TYPE_CHECKING:
    from cpgpt_doctor.facts import DependenciesFacts, Facts


def observe(
    *,
    python: str,
    genome: Path | None = None,
    quick: bool = False,
    deep: bool = False,
    dna_llm: str | None = None,
    dataset: str | None = None,
    dataset_folder: Path | None = None,
    dependencies: Path | None = None,
    searched: Sequence[Path] = (),
    every_row: bool = False,
    recorded: Path | None = None,
    meanwhile: Callable[[], object] = bool,
) -> Facts:
    """Facts of the environment of `python`, or those of the file `recorded`.

    dataset_folder: where the dataset's module lies (default: the current folder).
    dependencies: the folder that CpGPT is given; searched: folders in which such are looked for;
    every_row: read all stored rows.
    meanwhile: what is to be done while the patient is at work.
    """
    if recorded is not None:
        from cpgpt_doctor import facts as recorded_facts

        return recorded_facts.read(recorded)
    for option, asked in (("deep", deep), ("dataset", dataset is not None)):
        if quick and asked:
            raise InputError(
                f"--quick imports neither torch nor CpGPT, so --{option} has no effect beside it;"
                " leave one of the two out (pyproject.toml may hold one)"
            )
    if genome is not None:
        if not genome.exists():
            raise InputError(f"--genome {genome}: no such file")
        from cpgpt_doctor.genome.fasta import open_genome

        open_genome(genome).close()  # refuses what CpGPT could not read by position
    if dataset is not None and not re.fullmatch(r"[\w.]+:\w+", dataset):
        raise InputError(f"--dataset {dataset}: is written package.module:callable")
    if every_row and not (dependencies or searched):
        raise InputError("--full reads stored rows: name their folder with --dependencies-dir")
    folders: list[DependenciesFacts] = []

    def look_at_folders() -> None:
        meanwhile()
        if dependencies or searched:
            from cpgpt_doctor.probes.dependencies import observe_folders

            given = [dependencies] if dependencies else []
            folders.extend(observe_folders(given, list(searched), everything=every_row))

    facts = collect(
        python,
        genome=genome,
        leave_out=HEAVY_PROBES if quick else (),
        deep=deep,
        dna_llm=dna_llm,
        dataset=dataset,
        dataset_folder=str(dataset_folder or Path.cwd()),
        meanwhile=look_at_folders,
    )
    from dataclasses import replace

    return replace(facts, dependencies=tuple(folders))


def save(facts: Facts, path: Path) -> None:
    """Write facts, whole or not at all, so that `recorded_facts.read` gives the same ones."""
    from cpgpt_doctor import facts as recorded_facts
    from cpgpt_doctor.reports import files

    # The surrogates of a name that is no Unicode are JSON's own escapes then (\udce9).
    files.write_text(recorded_facts.to_json(facts), path, "--save-facts")
