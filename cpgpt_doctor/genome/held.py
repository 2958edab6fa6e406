"""Locations by themselves, and held against a genome."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Container, Iterable

from cpgpt_doctor.facts.locations import InGenome, LocationFacts, Place, Some
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.genome.locations import EXAMPLES, Locations
from cpgpt_doctor.genome.places import Places

# IUPAC's nucleotide codes: https://doi.org/10.1093/nar/13.9.3021
NUCLEOTIDES = b"ACGTURYSWKMBDHVNacgturyswkmbdhvn"
AROUND = 7  # a context length whose window has the bases around a position
SEED = 20240917
MITOCHONDRION = {"M": "MT", "MT": "chrM"}


class Counted:
    """How many there are, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Place] = []

    def add(self, location: str, line: int) -> None:
        self.count += 1
        if len(self.first) < EXAMPLES:
            self.first.append(Place(location, line))

    def some(self) -> Some:
        return Some(self.count, tuple(self.first))


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
        kind=given.kind,
        probes=given.probes,
        renamed=given.renamed,
    )


def in_genome(
    given: Locations, genome: Genome, context_len: int | None, sample: int | None = None
) -> InGenome:
    """Hold every location against the genome: its name, its position, its window.

    context_len: None where windows are of no matter, but the bases at the position are.
    sample: of how many the bases are read, drawn at random; all where it is None.
    """
    unknown, outside, all_n, foreign = Counted(), Counted(), Counted(), Counted()
    letter = None
    read = 0
    cg = [0, 0, 0]
    length = AROUND if context_len is None else context_len
    chosen = None
    if sample is not None and sample < len(given.places):
        chosen = set(random.Random(SEED).sample(range(len(given.places)), sample))
    lengths = {name: each.length for name, each in genome.sequences.items()}
    for number, (name, position) in enumerate(given.places.split()):
        end = lengths.get(name)
        if end is None:
            unknown.add(f"{name}:{position}", given.places.line(number))
        elif position >= end:
            outside.add(f"{name}:{position}", given.places.line(number))
        elif chosen is None or number in chosen:
            read += 1
            window = genome.window(name, position, length)
            if context_len is not None:
                if not window.strip("Nn"):
                    all_n.add(f"{name}:{position}", given.places.line(number))
                if others := window.encode().translate(None, NUCLEOTIDES).decode():
                    foreign.add(f"{name}:{position}", given.places.line(number))
                    letter = letter or others[0]
            at = min(position, length // 2)
            around = f" {window}"[at : at + 4].upper()
            for shift in range(3):
                cg[shift] += around[shift : shift + 2] == "CG"
    left, here, right = cg
    return InGenome(
        genome=genome.path.name,
        names=tuple(genome.sequences)[:EXAMPLES],
        total=read,
        unknown=unknown.some(),
        meant=tuple(meant(given.places.names, genome.sequences).items()),
        outside=outside.some(),
        foreign=foreign.some(),
        letter=letter,
        all_n=all_n.some(),
        cg=here,
        left=left,
        right=right,
    )


def meant(names: Iterable[str], known: Container[str]) -> dict[str, str]:
    """Names that are not known, with the known ones that differ by `chr`, or M for MT."""
    found = {}
    for name in names:
        if name in known:
            continue
        bare = name.removeprefix("chr")
        others = (bare, f"chr{name}", MITOCHONDRION.get(bare, ""))
        other = next((each for each in others if each in known), None)
        if other is not None:
            found[name] = other
    return found


def rename(given: Locations, names: dict[str, str]) -> Locations:
    """The same locations under the names that are meant; what is then there twice is counted."""
    if not names:
        return given
    places = Places()
    for number, (name, position) in enumerate(given.places.split()):
        places.add(names.get(name, name), position, given.places.line(number))
    return dataclasses.replace(
        given,
        places=places,
        duplicates=given.duplicates + places.take_repeats_out(),
        renamed=(*given.renamed, *names.items()),
    )
