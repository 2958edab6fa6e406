"""Look at what a run is given: its folder, species, genome and locations. Nothing is written.

What is seen goes to the rules; only what is no folder, no genome and no species is refused here.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.genome.fasta import (
    Index,
    IndexWrong,
    Sequence,
    build_index,
    check_index,
    check_same,
    index,
    is_compressed,
)
from cpgpt_doctor.store import metadata, places
from cpgpt_doctor.store import species as species_names
from cpgpt_doctor.store.layout import WORK

LONGEST_ASSEMBLY = 100  # characters
FEW = 5  # species, which an error names all


@dataclass(frozen=True)
class Inputs:
    """What a run works on."""

    dependencies: Path
    genome: Path
    index: Index

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        return self.index.sequences

    @property
    def work(self) -> Path:
        """Our own folder: lock, log, staging, index."""
        return self.dependencies / WORK

    @property
    def ensembl(self) -> Path:
        return self.dependencies / "genomes" / metadata.ENSEMBL


def check_folder(dependencies: Path) -> None:
    """Refuse a folder that is none, or cannot be written to. Raises InputError."""
    if not dependencies.is_dir():
        raise InputError(f"--dependencies-dir {dependencies}: no such folder")
    if not os.access(dependencies, os.W_OK | os.X_OK):
        raise InputError(f"--dependencies-dir {dependencies}: cannot be written to")
    places.check_work(dependencies / WORK)


def assembly(dependencies: Path, species: str) -> str:
    """The assembly of a species, which CpGPT's metadata names.

    Raises InputError where the species is not known, MetadataWrong where the database is not read.
    """
    database = dependencies / metadata.FILE
    if database.exists():
        return assembly_in_database(database, species)
    return assembly_in_ensembl(dependencies / "genomes" / metadata.ENSEMBL, species)


def unknown_species(species: str, known: list[str], source: Path) -> InputError:
    hint = species_names.hint(species, known)
    if not hint and 0 < len(known) <= FEW:
        hint = f"; it has {', '.join(sorted(known))}"
    return InputError(f"--species {species}: not among the {len(known)} of {source}{hint}")


def assembly_in_database(database: Path, species: str) -> str:
    known = metadata.species_names(database)
    if species not in known:
        raise unknown_species(species, known, database)
    connection = metadata.connect(database)
    try:
        value = metadata.read_species(connection, species, database)
    finally:
        connection.close()
    named = value.get("assembly")  # the name of a file is made of it
    if named is not None and (
        not isinstance(named, str) or len(named) > LONGEST_ASSEMBLY or "/" in named
    ):
        said = f"the entry of {species!r} names no assembly"
        raise metadata.MetadataWrong(database, "assembly", species, said)
    return str(named)


def assembly_in_ensembl(path: Path, species: str) -> str:
    try:
        with open_regular(path) as stream:
            organisms = json.loads(stream.read())
        assemblies = {
            each["organism"]["name"]: each["assembly"]["assembly_default"] for each in organisms
        }
    except FileNotFoundError:
        raise InputError(
            f"{path}: CpGPT's species metadata is missing, and there is no {metadata.FILE}; get"
            " CpGPT's dependencies first (cpgpt.download_cpgpt in CpGPT 0.0.13), or copy the"
            " file there"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not Ensembl's species metadata: {error}") from error
    if species not in assemblies:
        raise unknown_species(species, list(assemblies), path)
    return str(assemblies[species])


def find_genome(dependencies: Path, species: str, assembly: str, given: Path | None) -> GenomeFacts:
    """The genome that a run reads: the given one, else the one that CpGPT takes.

    Raises InputError where a given one is not there, or cannot be read.
    """
    path = given or dependencies / "genomes" / f"{species}.{assembly}.dna.toplevel.fa"
    if given is not None and not given.exists():
        raise InputError(f"--genome {given}: no such file")
    if given is None and not path.is_file():
        packed = path.with_name(path.name + ".gz")
        beside = str(packed) if packed.is_file() else None
        return GenomeFacts(str(path), str(dependencies), "missing", packed=beside)
    found: Literal["plain", "compressed"] = "compressed" if is_compressed(path) else "plain"
    return GenomeFacts(str(path), str(dependencies), found, named=given is not None)


def inputs(dependencies: Path, genome: Path) -> Inputs:
    """What a run works on, with the genome's index. Raises InputError where it is no FASTA."""
    return Inputs(dependencies, genome, index(genome, dependencies / WORK))


def prove_index(given: Inputs, names: set[str]) -> tuple[Inputs, str]:
    """Hold the index's entries of `names` against the genome; build a kept one that lies again.

    Returns what to say about it, empty where it was right. Raises IndexWrong where an index just
    built is wrong too: then the genome changes.
    """
    try:
        check_index(given.genome, given.sequences, names)
    except IndexWrong as wrong:
        built = build_index(given.genome)
        check_same(given.genome, given.index.identity, "while it was read")
        check_index(given.genome, built, names)
        told = f"the kept index was thrown away and built again: {wrong}"
        fresh = Index(given.index.identity, built)
        return dataclasses.replace(given, index=fresh), told
    return given, ""
