"""`check`: observe this machine, or read what was observed on another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.probes.collect import HEAVY_PROBES, collect

if TYPE_CHECKING:
    from cpgpt_doctor.facts import DependenciesFacts, Facts, LocationFacts, SourcesFacts
    from cpgpt_doctor.facts.locations import Kind


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
    paths: Sequence[Path] = (),
    every_row: bool = False,
    given: tuple[Kind, str] | None = None,
    species: str = "homo_sapiens",
    positions: str | None = None,
    fix_names: bool = False,
    recorded: Path | None = None,
    meanwhile: Callable[[], object] = bool,
) -> Facts:
    """Facts of the environment of `python`, or those of the file `recorded`.

    dataset_folder: where the dataset's module lies (default: the current folder).
    dependencies: the folder that CpGPT is given; paths: the user's files, and folders in which such
    files, and folders that CpGPT is given, are looked for; every_row: read all stored rows.
    given: locations that are looked up in these folders, as the kind of input and its path;
    species, positions, fix_names: how they are meant.
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
    if every_row and not (dependencies or paths):
        raise InputError("--full reads stored rows: name their folder with --dependencies-dir")
    if given is not None and not (dependencies or paths):
        raise nowhere(given[1])
    folders: list[DependenciesFacts] = []
    sources: list[SourcesFacts] = []
    located: list[LocationFacts] = []

    def look_at_files() -> None:
        meanwhile()
        if paths:
            from cpgpt_doctor.sources.read import read

            sources.append(read(paths))
        if dependencies or paths:
            folders.extend(look_at_folders(dependencies, paths, sources, every_row))
        if given is not None:
            if not folders:
                raise nowhere(given[1])
            from cpgpt_doctor.probes.given import Source, look

            source = Source(*given, species, python, positions, fix_names)
            located.append(look(source, tuple(folders)))

    facts = collect(
        python,
        genome=genome,
        leave_out=HEAVY_PROBES if quick else (),
        deep=deep,
        dna_llm=dna_llm,
        dataset=dataset,
        dataset_folder=str(dataset_folder or Path.cwd()),
        meanwhile=look_at_files,
    )
    from dataclasses import replace

    seen = sources[0] if sources else None
    locations = located[0] if located else None
    return replace(facts, dependencies=tuple(folders), sources=seen, locations=locations)


def nowhere(given: str) -> InputError:
    return InputError(
        f"{given}: locations are looked up in CpGPT's dependencies: name their folder with"
        " --dependencies-dir"
    )


def look_at_folders(
    dependencies: Path | None,
    paths: Sequence[Path],
    sources: Sequence[SourcesFacts],
    every_row: bool,
) -> tuple[DependenciesFacts, ...]:
    """The folder that CpGPT is given, those below the paths, and those that the sources name.

    A folder without any is none of ours, and refused, where there is no source in it either.
    """
    from cpgpt_doctor.probes.dependencies import DEEPEST, find, observe_folders
    from cpgpt_doctor.sources.walk import walk

    given = [dependencies] if dependencies else []
    for named in (each for seen in sources for each in named_folders(seen)):
        if named.is_dir() and find(named, 1) and named not in given:
            given.append(named)
    below = [each for each in paths if each.is_dir()]
    searched = [
        each for each in below if find(each, DEEPEST) or next(iter(walk(str(each))), None) is None
    ]
    if not given and not searched:
        return ()
    return observe_folders(given, searched, everything=every_row)


def named_folders(sources: SourcesFacts) -> list[Path]:
    """The dependencies folders that scripts name, from where they run or where they are."""
    found = []
    for file in sources.files:
        for call in file.calls:
            setting = call.setting("dependencies_dir") if call.kind == "embedder" else None
            for each in setting.outcomes if setting else ():
                if each.kind == "value" and isinstance(each.value, str) and each.value:
                    found += [Path(each.value), Path(file.path).parent / each.value]
    return [each for each in dict.fromkeys(found) if "\0" not in str(each)]


def save(facts: Facts, path: Path) -> None:
    """Write facts, whole or not at all, so that `recorded_facts.read` gives the same ones."""
    from cpgpt_doctor import facts as recorded_facts
    from cpgpt_doctor.reports import files

    # The surrogates of a name that is no Unicode are JSON's own escapes then (\udce9).
    files.write_text(recorded_facts.to_json(facts), path, "--save-facts")
