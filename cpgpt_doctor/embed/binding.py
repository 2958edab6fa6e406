"""What the rows of a store were computed from, so that no run adds rows of another world.

Written into the record with the first part of a run, and held against every later run: the genome
(the sequences that have locations, and the windows of some of them), the model as it was loaded,
and how its windows were padded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from cpgpt_doctor.embed.genome import Genome, sample_digests

WINDOWS = 64  # locations whose windows are kept as digests
# The releases that compute each kind of rows: what `pip install` is told.
RELEASES = {1: "'CpGPT<0.0.8'", 128: "'CpGPT>=0.0.8'"}
KINDS = {1: "not padded (CpGPT up to 0.0.7)", 128: "padded to 128 tokens (CpGPT from 0.0.8 on)"}


def kind(padding: int) -> str:
    """What rows of windows padded to this multiple of tokens are called."""
    return KINDS.get(padding, f"padded to {padding} tokens (an unknown CpGPT)")


@dataclass(frozen=True)
class BoundSequence:
    """A sequence of the genome: bases, and SHA-256 over them as they stand."""

    length: int
    digest: str


@dataclass(frozen=True)
class Model:
    """A model as it was loaded; see `patient/identity.py`.

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
    """

    device: str
    weights: str
    versions: dict[str, str]
    windows: int
    largest_difference: float
    without_prefetch: bool
    when: str


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


def other_genome(bound: Binding, genome: Genome, context_len: int) -> list[str]:
    """How a genome differs from the one that the rows were computed from; empty where it fits."""
    differences = []
    for name, was in bound.sequences.items():
        now = genome.sequences.get(name)
        if now is None:
            differences.append(f"it has no sequence {name!r}")
        elif now.length != was.length:
            differences.append(f"{name!r} has {now.length:,} bases and had {was.length:,}")
        elif now.digest != was.digest:
            differences.append(f"{name!r} has other bases, or other lower-case ones")
    if not differences:
        windows = sample_digests(genome, list(bound.windows), context_len)
        other = sum(windows[location] != digest for location, digest in bound.windows.items())
        if other:
            differences.append(f"{other} of {len(windows)} recorded windows have other bases")
    return differences


def other_model(was: Model, now: Model) -> list[str]:
    """How a loaded model differs from the recorded one, in what rows can depend on."""
    differences = []
    if now.precision != was.precision:
        differences.append(f"its weights are loaded as {now.precision} and were {was.precision}")
    if now.weights != was.weights:
        differences.append("it has other weights")
    changed = sorted(
        name
        for name in was.files.keys() | now.files.keys()
        if was.files.get(name) != now.files.get(name)
    )
    if was.files and now.files and changed:
        differences.append(f"other files: {', '.join(changed)}")
    return differences
