"""Probes to locations, as CpGPT's prober resolves them, by what stands in a dependencies folder.

CpGPT keeps what it made of the manifests in `illumina_metadata.db`, and looks at nothing else where
that is there; its downloads bring this database and no manifests. Without it, or for a species that
it does not have, the manifests are read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.locations import NotRead, ProbesSeen, Some
from cpgpt_doctor.genome import manifests
from cpgpt_doctor.genome.held import Counted
from cpgpt_doctor.genome.locations import EXAMPLES, LOCATION, PROBE, Locations
from cpgpt_doctor.genome.manifests import bare
from cpgpt_doctor.genome.places import Places
from cpgpt_doctor.store import metadata

FILE = "illumina_metadata.db"


@dataclass(frozen=True)
class Lookup:
    """Locations of probes, and where they come from; `not_read` is what gave none."""

    locations: dict[str, str]
    by: Literal["database", "manifests"]
    sources: tuple[str, ...]
    not_read: tuple[NotRead, ...] = ()


def look_up(dependencies: Path, species: str, names: Collection[str]) -> Lookup:
    """The location of each of these probes that has one. Raises InputError where nothing says."""
    database = dependencies / FILE
    there = database.exists()
    if there and species in metadata.species_names(database):
        with contextlib.closing(metadata.connect(database)) as connection:
            table = metadata.read_species(connection, species, database)
        # A value that is no location, such as 1:nan, leads CpGPT to a window of nothing but N.
        locations = {
            name: table[name]
            for name in names
            if isinstance(table.get(name), str) and LOCATION.fullmatch(table[name])
        }
        return Lookup(locations, "database", (str(database),))
    files = manifests.paths(dependencies, species)
    if not files:
        raise InputError(nothing(dependencies, species, there))
    sequences = vocabulary(dependencies, species)
    found: dict[str, str] = {}
    read: list[str] = []
    not_read: list[NotRead] = []
    for path in files:
        try:
            more = manifests.read(path, species, set(names) - found.keys(), sequences)
        except manifests.Unusable as error:
            not_read.append(NotRead(str(path), str(error)))
            continue
        read.append(str(path))
        found.update((name, each) for name, each in more.items() if LOCATION.fullmatch(each))
    return Lookup(found, "manifests", tuple(read), tuple(not_read))


def knows_probes(dependencies: Path, species: str) -> bool:
    """Whether a folder has what probes are resolved by; CpGPT makes an empty one for manifests."""
    return (dependencies / FILE).exists() or bool(manifests.paths(dependencies, species))


def nothing(dependencies: Path, species: str, there: bool) -> str:
    """Why probes cannot be resolved, and what to do."""
    said = f"{dependencies}: holds neither {FILE} nor manifests of {species}"
    if there:
        said = f"{dependencies / FILE}: has no species {species}, and there are no manifests of it"
    for below in ("human", "mammalian"):
        if (dependencies / below / FILE).exists():
            return f"{said}; there is {dependencies / below / FILE}: give --dependencies-dir" + (
                f" {dependencies / below}"
            )
    return (
        f"{said}, by which probes are resolved; get CpGPT's dependencies first"
        " (cpgpt.download_cpgpt in CpGPT 0.0.13), or copy the file there"
    )


def no_location(given: Locations, snps: int, others: Some) -> str:
    """What is said of an input in which nothing is, or should be, a location."""
    if snps:
        return f"{given.source}: names {snps} probes of SNPs (rs, nv), which CpGPT leaves out"
    first = ", ".join(repr(each.location) for each in others.examples)
    return (
        f"--betas {given.source}: none of its {others.count} columns ({first}) is a probe or a"
        " location; of a matrix with a row a probe, give the column of the probes as --locations"
    )


def vocabulary(dependencies: Path, species: str) -> frozenset[str]:
    """The names of a species' sequences that CpGPT knows. Raises InputError."""
    database = dependencies / metadata.FILE
    if database.exists():
        with contextlib.closing(metadata.connect(database)) as connection:
            vocab = metadata.read_species(connection, species, database).get("vocab")
        if isinstance(vocab, dict):
            return frozenset(each for each in vocab if isinstance(each, str))
        raise InputError(f"{database}: the entry of {species!r} names no sequences")
    path = dependencies / "genomes" / metadata.ENSEMBL
    try:
        with open_regular(path) as stream:
            organisms = json.loads(stream.read())
        for each in organisms:
            if each["organism"]["name"] == species:
                return frozenset(str(one["name"]) for one in each["assembly"]["sequences"])
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not Ensembl's species metadata: {error}") from error
    raise InputError(f"{path}: has no species {species!r}")


def resolve(
    given: Locations, dependencies: Path, species: str, *, fix_names: bool = False
) -> Locations:
    """With the locations of the probes that were given, each where its probe stood.

    fix_names: names with a suffix, which the prober does not know, are taken without it.
    Raises InputError.
    """
    if not given.names:
        return given
    wanted = {*given.names, *map(bare, given.names)}
    lookup = look_up(dependencies, species, wanted)
    lost, others = Counted(), Counted()
    meant: list[tuple[str, str]] = []
    found: list[tuple[int, str]] = []
    snps = suffixed = cut = 0
    for name, line in given.names.items():
        location = lookup.locations.get(name)
        if location is None and bare(name) in lookup.locations:
            if fix_names:
                location = lookup.locations[bare(name)]
                cut += 1
            else:
                suffixed += 1
                if len(meant) < EXAMPLES:
                    meant.append((name, bare(name)))
        if location is not None:
            found.append((line, location))
        elif given.kind == "betas" and not PROBE.fullmatch(name):
            others.add(name, line)
        elif name.startswith(manifests.SNPS):
            snps += 1
        else:
            lost.add(name, line)
    if not found and not given.places and not lost.count:
        raise InputError(no_location(given, snps, others.some()))
    by_line = sorted((*found, *((line, each) for each, line in given.places.items())))
    places = Places()
    for line, location in by_line:
        name, _, digits = location.rpartition(":")
        places.add(name, int(digits), line)
    seen = ProbesSeen(
        total=len(given.names) - others.count,
        by=lookup.by,
        sources=lookup.sources,
        found=len(found),
        same=places.take_repeats_out(),
        lost=lost.some(),
        snps=snps,
        suffixed=suffixed,
        meant=tuple(meant),
        cut=cut,
        others=others.some(),
        not_read=lookup.not_read,
    )
    return dataclasses.replace(given, places=places, names={}, probes=seen)
