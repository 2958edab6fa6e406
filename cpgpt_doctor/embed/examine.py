"""Look at what a run is given: its folder, species, genome and locations. Nothing is written.

What is seen goes to the rules; only what is no folder, no genome and no species is refused here.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.facts.locations import InGenome, LocationFacts, Place, Some
from cpgpt_doctor.genome.fasta import (
    Genome,
    Index,
    IndexWrong,
    Sequence,
    build_index,
    check_index,
    check_same,
    index,
    is_compressed,
)
from cpgpt_doctor.genome.locations import EXAMPLES, Locations
from cpgpt_doctor.store import metadata, places
from cpgpt_doctor.store.layout import WORK

ENSEMBL = "species_metadata_EnsemblVertebrates.json"
LONGEST_ASSEMBLY = 100  # characters
FEW = 5  # species, which an error names all
# IUPAC's nucleotide codes: https://doi.org/10.1093/nar/13.9.3021
NUCLEOTIDES = b"ACGTURYSWKMBDHVNacgturyswkmbdhvn"


@dataclass(frozen=True)
class Inputs:
    """What a run works on."""

    dependencies: Path
    species: str
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
        return self.dependencies / "genomes" / ENSEMBL


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
    return assembly_in_ensembl(dependencies / "genomes" / ENSEMBL, species)


def unknown_species(species: str, known: list[str], source: Path) -> InputError:
    close = difflib.get_close_matches(species, known, 3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    if not close and 0 < len(known) <= FEW:
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


def inputs(dependencies: Path, species: str, genome: Path) -> Inputs:
    """What a run works on, with the genome's index. Raises InputError where it is no FASTA."""
    return Inputs(dependencies, species, genome, index(genome, dependencies / WORK))


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


def some(given: Locations, locations: list[str]) -> Some:
    examples = tuple(Place(each, given.places[each]) for each in locations[:EXAMPLES])
    return Some(len(locations), examples)


def in_file(given: Locations) -> LocationFacts:
    """What a file of locations is by itself."""
    return LocationFacts(
        given.source,
        len(given.places),
        given.duplicates,
        given.malformed,
        given.bad_lines,
        given.converted,
        given.column,
    )


def in_genome(given: Locations, genome: Genome, context_len: int) -> InGenome:
    """Hold every location against the genome: its name, its position, its window."""
    unknown: list[str] = []
    outside: list[str] = []
    all_n: list[str] = []
    foreign: dict[str, str] = {}
    read = 0
    cg = [0, 0, 0]
    for location in given.places:
        name, _, digits = location.partition(":")
        position = int(digits)
        sequence = genome.sequences.get(name)
        if sequence is None:
            unknown.append(location)
        elif position >= sequence.length:
            outside.append(location)
        else:
            read += 1
            window = genome.window(name, position, context_len)
            if not window.strip("Nn"):
                all_n.append(location)
            if others := window.encode().translate(None, NUCLEOTIDES).decode():
                foreign[location] = others[0]
            at = min(position, context_len // 2)
            around = f" {window}"[at : at + 4].upper()
            for shift in range(3):
                cg[shift] += around[shift : shift + 2] == "CG"
    left, here, right = cg
    return InGenome(
        genome=genome.path.name,
        names=tuple(genome.sequences)[:EXAMPLES],
        total=read,
        unknown=some(given, unknown),
        meant=meant(unknown, genome),
        outside=some(given, outside),
        foreign=some(given, list(foreign)),
        letter=next(iter(foreign.values()), None),
        all_n=some(given, all_n),
        cg=here,
        left=left,
        right=right,
    )


def meant(unknown: list[str], genome: Genome) -> tuple[tuple[str, str], ...]:
    """Names that the genome has with `chr` added or taken away, and M for MT."""
    found = []
    for name in dict.fromkeys(location.partition(":")[0] for location in unknown):
        bare = name.removeprefix("chr")
        others = (bare, f"chr{name}", {"M": "MT", "MT": "chrM"}.get(bare, ""))
        other = next((each for each in others if each in genome.sequences), None)
        if other is not None:
            found.append((name, other))
    return tuple(found)
