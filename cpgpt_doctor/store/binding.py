"""What the rows of a store were computed from, so that no run adds rows of another world.

Written into the record with the first part of a run, and held against every later run: the genome
(the sequences that have locations, and the windows of some of them), the model as it was loaded,
and how its windows were padded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from cpgpt_doctor.facts.store import GenomeDifference, ModelDifference
from cpgpt_doctor.genome.fasta import Genome, sample_digests

WINDOWS = 64  # locations whose windows are kept as digests
PADDINGS = (1, 128)  # of each kind of rows: up to CpGPT 0.0.7, and from 0.0.8 on
KINDS = {"unpadded": 1, "padded": 128}  # as users name them


@dataclass(frozen=True)
class BoundSequence:
    """A sequence of the genome: bases, and SHA-256 over them as they stand."""

    length: int
    digest: str


@dataclass(frozen=True)
class Model:
    """A model as it was loaded; see `patient/compute/identity.py`.

    padding: the multiple of tokens to which a window that is alone is padded.
    """

    weights: str
    precision: str
    padding: int
    revision: str | None = None
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    """windows: SHA-256 of the windows of some locations, by location."""

    sequences: dict[str, BoundSequence]
    windows: dict[str, str]
    model: Model


@dataclass(frozen=True)
class Proof:
    """Windows that went through unmodified CpGPT and through ours, on one device with one model.

    versions: of what computed. largest_difference: relative to a row's norm; 0.0 is bit for bit.
    padding: None for CpGPT as it is; a number where its own call padded windows to this multiple of
    tokens, since the store holds rows of the other kind.
    """

    device: str
    weights: str
    versions: dict[str, str]
    windows: int
    largest_difference: float
    without_prefetch: bool
    when: str
    padding: int | None = None


def other_kind(padding: int) -> int:
    """The padding of the kind of rows that is not this one."""
    return next(each for each in PADDINGS if each != padding)


def bind(
    before: Binding | None, model: Model, genome: Genome, locations: list[str], context_len: int
) -> Binding:
    """The binding of a store with these locations, which adds to that of the rows before."""
    names = {location.partition(":")[0] for location in locations}
    sequences = {
        name: BoundSequence(genome.sequences[name].length, genome.sequences[name].digest)
        for name in sorted(names)
    }
    windows = before.windows if before else {}
    some = random.sample(locations, max(0, min(WINDOWS - len(windows), len(locations))))
    return Binding(
        {**(before.sequences if before else {}), **sequences},
        {**windows, **sample_digests(genome, some, context_len)},
        replace(model, revision=model.revision or (before.model.revision if before else None)),
    )


def other_genome(bound: Binding, genome: Genome, context_len: int) -> tuple[GenomeDifference, ...]:
    """How a genome differs from the one that the rows were computed from; empty where it fits."""
    differences = []
    for name, was in bound.sequences.items():
        now = genome.sequences.get(name)
        if now is None:
            differences.append(GenomeDifference("no-sequence", name))
        elif now.length != was.length:
            differences.append(GenomeDifference("length", name, was.length, now.length))
        elif now.digest != was.digest:
            differences.append(GenomeDifference("bases", name))
    if not differences:
        windows = sample_digests(genome, list(bound.windows), context_len)
        other = sum(windows[location] != digest for location, digest in bound.windows.items())
        if other:
            differences.append(GenomeDifference("windows", "", len(windows), other))
    return tuple(differences)


def other_model(was: Model, now: Model) -> tuple[ModelDifference, ...]:
    """How a loaded model differs from the recorded one, in what rows can depend on."""
    differences = []
    if now.precision != was.precision:
        differences.append(ModelDifference("precision", was.precision, now.precision))
    if now.weights != was.weights:
        differences.append(ModelDifference("weights", was.weights, now.weights))
    changed = sorted(
        name
        for name in was.files.keys() | now.files.keys()
        if was.files.get(name) != now.files.get(name)
    )
    if was.files and now.files and changed:
        differences.append(ModelDifference("files", "", ", ".join(changed)))
    return tuple(differences)
