"""Examine what a run is given, before anything is written: every problem is found here."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cpgpt_doctor.embed import metadata, places
from cpgpt_doctor.embed.genome import (
    Genome,
    Index,
    IndexWrong,
    Sequence,
    build_index,
    check_index,
    check_same,
    index,
    open_regular,
)
from cpgpt_doctor.embed.locations import Locations
from cpgpt_doctor.errors import InputError

ENSEMBL = "species_metadata_EnsemblVertebrates.json"
WORK = ".cpgpt-doctor"
EXAMPLES = 3
LONGEST_ASSEMBLY = 100  # characters
# IUPAC's nucleotide codes: https://doi.org/10.1093/nar/13.9.3021
NUCLEOTIDES = b"ACGTURYSWKMBDHVNacgturyswkmbdhvn"
FEW = 20  # locations, of which no share is judged
HALF = 0.5
MOST = 0.9


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


def inputs(dependencies: Path, species: str, genome: Path | None) -> Inputs:
    """Find the species, its genome and the store's database. Raises InputError; writes nothing."""
    if not dependencies.is_dir():
        raise InputError(f"--dependencies-dir {dependencies}: no such folder")
    if not os.access(dependencies, os.W_OK | os.X_OK):
        raise InputError(f"--dependencies-dir {dependencies}: cannot be written to")
    places.check_work(dependencies / WORK)
    database = dependencies / metadata.FILE
    assembly = (
        assembly_in_database(database, species)
        if database.exists()
        else assembly_in_ensembl(dependencies / "genomes" / ENSEMBL, species)
    )
    path = find_genome(dependencies, species, assembly, genome)
    return Inputs(
        dependencies=dependencies,
        species=species,
        genome=path,
        index=index(path, dependencies / WORK),
    )


def unknown_species(species: str, known: list[str], source: Path) -> InputError:
    close = difflib.get_close_matches(species, known, 3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
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
    assembly = value.get("assembly")  # the name of a file is made of it
    if assembly is not None and (
        not isinstance(assembly, str) or len(assembly) > LONGEST_ASSEMBLY or "/" in assembly
    ):
        raise InputError(f"{database}: the entry of {species!r} names no assembly (CPG509)")
    return str(assembly)


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


def find_genome(dependencies: Path, species: str, assembly: str, given: Path | None) -> Path:
    if given is not None:
        if not given.exists():
            raise InputError(f"--genome {given}: no such file")
        return given
    path = dependencies / "genomes" / f"{species}.{assembly}.dna.toplevel.fa"
    if path.is_file():
        return path
    packed = path.with_name(path.name + ".gz")
    if packed.is_file():
        raise InputError(f"{packed}: decompress the genome first, with: gzip -dk {packed}")
    raise InputError(
        f"{path}: the genome is missing; put it there, or name one with --genome FASTA"
    )


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


@dataclass(frozen=True)
class Seen:
    """What the windows of the locations are: how many of `total` have `CG` in either case at the
    position, one base to the left of it and one to the right, and which are all N."""

    total: int
    cg: int
    left: int
    right: int
    all_n: tuple[str, ...]

    def __str__(self) -> str:
        cg, left, right = (f"{each / self.total:.1%}" for each in (self.cg, self.left, self.right))
        return (
            f"the genome says CG at {cg} of the locations, one base to the left at {left}, to the"
            f" right at {right}"
        )


def check_locations(given: Locations, genome: Genome, context_len: int) -> Seen:
    """Hold every location against the genome.

    Raises InputError, with counts and examples, for names that the genome does not have,
    positions outside it, for which CpGPT would store a window of N or of another length, and
    windows with digits or letters of proteins.
    """
    unknown: list[str] = []
    outside: list[str] = []
    all_n: list[str] = []
    foreign: dict[str, str] = {}
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
            window = genome.window(name, position, context_len)
            if not window.strip("Nn"):
                all_n.append(location)
            if others := window.encode().translate(None, NUCLEOTIDES).decode():
                foreign[location] = others[0]
            at = min(position, context_len // 2)
            around = f" {window}"[at : at + 4].upper()
            for shift in range(3):
                cg[shift] += around[shift : shift + 2] == "CG"
    problems = []
    if unknown:
        hint = name_hint(unknown, genome)
        problems.append(f"{len(unknown)} name a sequence that the genome does not have{hint}")
    if outside:
        problems.append(f"{len(outside)} are past the end of their sequence")
    if foreign:
        other = next(iter(foreign.values()))
        problems.append(
            f"{len(foreign)} have a window with what is no code of a nucleotide, such as {other!r}"
        )
    if problems:
        lines = ", ".join(
            f"{location} (line {given.places[location]})"
            for location in [*unknown[:EXAMPLES], *outside[:EXAMPLES], *list(foreign)[:EXAMPLES]]
        )
        raise InputError(
            f"{given.source}: of {len(given.places)} locations, {' and '.join(problems)}"
            f" ({genome.path.name}): {lines}"
        )
    left, here, right = cg
    return Seen(len(given.places), here, left, right, tuple(all_n))


def check_cpgs(given: Locations, seen: Seen, allowed: bool) -> str:
    """Whether the positions are those of CpGs; returns what was decided, empty where they are.

    Raises InputError where they are not and that was not `allowed`, and where a column that often
    counts from 1 does.
    """
    here, left, right = (each / seen.total for each in (seen.cg, seen.left, seen.right))
    if here >= HALF:
        return ""
    if given.column and left >= MOST:
        raise InputError(
            f"{given.source}: {seen}: the column {given.column} counts from 1, and CpGPT from 0, as"
            " the manifests' CpG_beg does: give --positions 1-based; where they are right as they"
            " are, --positions 0-based and --allow-non-cpg (CPG517)"
        )
    if seen.total < FEW:
        return f"with fewer than {FEW} locations, that alone does not stop a run"
    if allowed:
        return "allowed with --allow-non-cpg"
    if left >= HALF and not given.converted:
        what = (
            "they count from 1, and CpGPT from 0, as the manifests' CpG_beg does: give --positions"
            " 1-based"
        )
    elif right >= HALF and given.converted:
        what = "they count from 0 as they are given: give --positions 0-based"
    elif right >= HALF:
        what = "they are one too small: add one to each"
    else:
        what = "they are of another assembly, or no CpGs: name their genome with --genome"
    raise InputError(
        f"{given.source}: {seen}: {what}; or embed them as they are with --allow-non-cpg (CPG517)"
    )


def name_hint(unknown: list[str], genome: Genome) -> str:
    """Whether the names would fit with `chr` added or taken away, and M for MT."""
    name = unknown[0].partition(":")[0]
    bare = name.removeprefix("chr")
    for other in (bare, f"chr{name}", {"M": "MT", "MT": "chrM"}.get(bare, "")):
        if other in genome.sequences:
            return f" (it has {other!r} for {name!r})"
    return f" (it has {', '.join(list(genome.sequences)[:EXAMPLES])}, ...)"


def check_disk(free: int, needed: int, folder: Path) -> None:
    """Refuse a run whose rows do not fit. Bytes."""
    if needed > free:
        raise InputError(
            f"{folder}: the new rows need {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free"
            " (CPG107)"
        )
