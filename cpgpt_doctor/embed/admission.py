"""Before anything is added to a store: do this run's rows belong with the rows that are there?

Rows that a record of ours covers are known by their digests and by what they were computed from.
All others are looked at: every one for zeros, for what is no number and for equal rows, and a
sample of them by computing it again, alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from cpgpt_doctor.embed import store
from cpgpt_doctor.embed.binding import (
    KINDS,
    RELEASES,
    Binding,
    Model,
    kind,
    other_genome,
    other_model,
)
from cpgpt_doctor.embed.genome import Genome
from cpgpt_doctor.embed.locations import LOCATION
from cpgpt_doctor.embed.record import Found, Part, locations_digest, now
from cpgpt_doctor.embed.store import Address
from cpgpt_doctor.embed.supervisor import Worker
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.patient.rounding import ROUNDING, relative_difference

SAMPLED = 32  # rows of each stretch that nothing covers
ANEW = "nothing was added; embed into a new dependencies folder"
Stage = Callable[[list[str], int | None], Address]


class Refused(InputError):
    """The run does not fit what is stored. Nothing was written."""


def check_kind(bound: Binding | None, model: Model, release: str, address: Address) -> None:
    """Refuse rows of the other kind, or of another precision, beside recorded ones."""
    if bound is None:
        return
    if model.padding != bound.model.padding:
        raise other_kind(address, bound.model.padding, model.padding, release)
    if model.precision != bound.model.precision:
        raise Refused(
            f"{address.rows}: does not fit its record (CPG522): the weights of"
            f" {address.dna_llm} are loaded as {model.precision} and were {bound.model.precision};"
            f" use the transformers release of the earlier runs; {ANEW}"
        )


def other_kind(address: Address, stored: int, computed: int, release: str) -> Refused:
    go_on = (
        f"go on with pip install --no-deps {RELEASES[stored]}, or " if stored in RELEASES else ""
    )
    return Refused(
        f"{address.rows}: its rows are of windows {kind(stored)}, and CpGPT {release} computes"
        f" them {kind(computed)}; a store must not hold both (CPG524): {go_on}embed into a new"
        " dependencies folder"
    )


def look(
    worker: Worker,
    stage: Stage,
    address: Address,
    ranges: list[range],
    genome: Genome,
    model: Model,
) -> list[Found]:
    """Scan the rows of `ranges` and compute a sample of them again, alone.

    Rows outside of them are scanned, too, since a row of another window may be a covered one's.
    Raises Refused where a row cannot be an embedding of its location, or where the sample gives
    other rows than are stored.
    """
    rows = store.named_rows(address)
    names = dict(zip(rows.values(), rows, strict=True))
    scanned = worker.ask(
        {
            "op": "scan",
            "path": str(address.rows.resolve()),
            "row_bytes": address.row_bytes,
            "ranges": [[0, len(rows)]],
        }
    )
    refuse_what_is_no_row(scanned, address, names, genome)
    found = []
    for each in ranges:
        sample = some(each, names, genome)
        largest = compared(stage, address, rows, sample, model)
        found.append(
            Found(
                each.start,
                len(each),
                store.digest(store.read_rows(address, each)),
                locations_digest(names[row] for row in each),
                len(sample),
                largest,
                now(),
            )
        )
    return found


def check_genome(bound: Binding | None, genome: Genome, address: Address) -> None:
    """Refuse a genome other than the one that the store's rows were computed from (CPG522)."""
    other = other_genome(bound, genome, address.context_len) if bound else []
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise Refused(
            f"{genome.path}: is not the genome of the rows in {address.rows}: {other[0]}{more}"
            " (CPG522); name the right one with --genome, or embed into a new dependencies folder"
        )


def held(
    known: Iterable[Part | Found], address: Address, rows: dict[str, int]
) -> tuple[list[Part | Found], str | None]:
    """Hold recorded rows against the index and the file.

    Returns those that still stand, and how one was changed (None where none was). One whose names
    and numbers are both others has gone: another program laid rows anew there.
    """
    names = dict(zip(rows.values(), rows, strict=True))
    standing: list[Part | Found] = []
    problem = None
    for each in known:
        numbers = range(each.first_row, each.first_row + each.rows)
        which = f"rows {numbers.start} to {numbers.stop - 1}"
        same_names = locations_digest(names[row] for row in numbers) == each.locations_digest
        same_rows = store.digest(store.read_rows(address, numbers)) == each.rows_digest
        if same_names or same_rows:
            standing.append(each)
        if same_rows and not same_names:
            problem = (
                f"{address.database}: {which} were recorded for other locations: this is not the"
                " index that they were stored with, so locations read the rows of others (CPG519);"
                " put that index back, or embed into a new dependencies folder"
            )
        elif same_names and not same_rows:
            problem = (
                f"{address.rows}: {which} are not those that were recorded; the file was changed by"
                " something else (CPG513); embed into a new dependencies folder"
            )
    return standing, problem


def refuse_what_is_no_row(
    scanned: dict[str, Any], address: Address, names: dict[int, str], genome: Genome
) -> None:
    """Refuse rows of zeros, rows that are no numbers, and one row for unequal windows."""
    counts = scanned["counts"]
    context_len = address.context_len
    equal = [
        (row, first)
        for row, first in scanned["equal"]
        if window(names[row], genome, context_len) != window(names[first], genome, context_len)
    ]
    problems = []
    if counts["zero"]:
        problems.append(f"{counts['zero']} are zero, first {names[scanned['zero'][0]]}")
    if counts["not_finite"]:
        first = names[scanned["not_finite"][0]]
        problems.append(f"{counts['not_finite']} hold what is no number, first {first}")
    if equal:
        row, first_row = equal[0]
        problems.append(
            f"{len(equal)} equal the row of another window, first {names[row]} that of"
            f" {names[first_row]}"
        )
    if problems:
        raise Refused(
            f"{address.rows}: of its {scanned['rows']} rows, {'; '.join(problems)} (CPG507); {ANEW}"
        )


def window(location: str, genome: Genome, context_len: int) -> str:
    """The window of a stored location; the location itself where the genome has no such place."""
    if not usable(location, genome):
        return location
    name, _, position = location.partition(":")
    return genome.window(name, int(position), context_len)


def usable(location: str, genome: Genome) -> bool:
    """Whether a stored location lies in the genome."""
    written = LOCATION.fullmatch(location)
    if written is None or written[1] not in genome.sequences:
        return False
    return int(written[2]) < genome.sequences[written[1]].length


def some(rows: Iterable[int], names: dict[int, str], genome: Genome) -> list[str]:
    """A sample of locations that can be computed again; empty where there is none."""
    locations = [names[row] for row in rows if usable(names[row], genome)]
    return random.sample(locations, min(SAMPLED, len(locations)))


def compared(
    stage: Stage, address: Address, rows: dict[str, int], sample: list[str], model: Model
) -> float:
    """The largest difference of a sample's stored rows from the same computed again, alone.

    Raises Refused where it is more than rounding.
    """
    if not sample:
        raise Refused(
            f"{address.rows}: no location of its rows lies in this genome (CPG522); {ANEW}"
        )
    apart = differences(address, rows, stage(sample, None), sample)
    foreign = [
        each for each, difference in zip(sample, apart, strict=True) if difference > ROUNDING
    ]
    if not foreign:
        return max(apart)
    other = next(padding for padding in KINDS if padding != model.padding)
    as_other = differences(address, rows, stage(foreign, other), foreign)
    if len(foreign) == len(sample) and max(as_other) <= ROUNDING:
        raise other_kind(address, other, model.padding, "of this environment")
    raise Refused(
        f"{address.rows}: {len(foreign)} of {len(sample)} stored rows are not what their locations"
        f" give here, such as {foreign[0]} (apart by up to {max(apart):.1e} of a row's norm;"
        f" rounding gives at most {ROUNDING:.0e}): they come from another genome or model, or were"
        f" stored wrong (CPG513, CPG522); {ANEW}"
    )


def check_model(
    bound: Binding, model: Model, stage: Stage, address: Address, genome: Genome
) -> None:
    """Where the model is not quite the recorded one, let a sample of stored rows decide.

    Other weights have to give equal bits (the same numbers under new names, say): rows that differ
    by rounding alone can be those of a slightly different model.
    """
    doubts = other_model(bound.model, model)
    rows = store.named_rows(address)
    if not doubts or not rows:
        return
    names = dict(zip(rows.values(), rows, strict=True))
    try:
        largest = compared(stage, address, rows, some(names, names, genome), model)
        if largest and model.weights != bound.model.weights:
            raise Refused(f"rows computed again differ by {largest:.1e} of a row's norm; {ANEW}")
    except Refused as error:
        raise Refused(
            f"{address.rows}: {address.dna_llm} is not the recorded model (CPG522):"
            f" {'; '.join(doubts)}; {error}"
        ) from error


def differences(
    address: Address, rows: dict[str, int], staged: Address, locations: list[str]
) -> list[float]:
    """How far each stored row is from the same location's in a staging store."""
    again = store.named_rows(staged)
    stored = store.read_rows(address, [rows[each] for each in locations])
    computed = store.read_rows(staged, [again[each] for each in locations])
    return [relative_difference(*pair) for pair in zip(stored, computed, strict=True)]
