"""Look through files of stored rows for an audit: with NumPy, without a model, in bounded memory.

Rows that an audit has computed, and numbers of rows, come and go as files of float32 and int64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference

CHUNK_BYTES = 1 << 24
PROJECTIONS = 3
# How far rounding can take a projection, relative to a row's norm: that of the rows, and our own.
SLACK = 3 * ROUNDING
MOST_FOUND = 4  # rows of a file that are named for one that is looked for


def chunks(path: str, row_bytes: int, rows: int) -> Iterator[tuple[int, Any]]:
    """The first `rows` rows of a file, some at a time: (first row, an array of rows)."""
    import numpy

    step = max(1, CHUNK_BYTES // row_bytes)
    with open(path, "rb") as stream:
        for start in range(0, rows, step):
            count = min(step, rows - start)
            data = stream.read(count * row_bytes)
            if len(data) != count * row_bytes:
                raise ValueError(f"{path}: row {rows - 1} is not there in full")
            yield start, numpy.frombuffer(data, numpy.float32).reshape(count, -1)


def find(
    path: str, row_bytes: int, rows: int, wanted: str, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Where each row of the file `wanted` stands in a file of rows, up to rounding.

    Rows are held against each other by projections on a few directions; what is near in all of
    them is measured. Returns `{"rows": [[row, ...], ...]}`, in the order of the wanted ones.
    """
    import numpy

    looked_for = numpy.fromfile(wanted, numpy.float32).reshape(-1, row_bytes // 4)
    directions = numpy.random.default_rng(0).normal(size=(looked_for.shape[1], PROJECTIONS))
    directions = (directions / numpy.linalg.norm(directions, axis=0)).astype(numpy.float32)
    where = looked_for @ directions
    slack = SLACK * numpy.linalg.norm(looked_for, axis=1)
    order = numpy.argsort(where[:, 0], kind="stable")
    found: list[list[int]] = [[] for _ in looked_for]
    for start, some in chunks(path, row_bytes, rows):
        with numpy.errstate(invalid="ignore", over="ignore"):
            here = some @ directions
        reach = slack.max()
        first = numpy.searchsorted(where[order, 0], here[:, 0] - reach)
        count = numpy.searchsorted(where[order, 0], here[:, 0] + reach) - first
        row: Any = numpy.repeat(numpy.arange(len(some)), count)
        at = order[numpy.arange(len(row)) - numpy.repeat(count.cumsum() - count - first, count)]
        near = (abs(here[row] - where[at]) <= slack[at, None]).all(axis=1)
        for here_row, wanted_row in zip(row[near].tolist(), at[near].tolist(), strict=True):
            data, other = some[here_row].tobytes(), looked_for[wanted_row].tobytes()
            if len(found[wanted_row]) < MOST_FOUND and relative_difference(data, other) <= ROUNDING:
                found[wanted_row].append(start + here_row)
        progress(start + len(some))
    return {"event": "found", "rows": found}


def closest(
    path: str, row_bytes: int, rows: int, wanted: str, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Which rows of a file are closest to each row of the file `wanted`, the closest first.

    Returns `{"rows": [[[row, difference], ...], ...]}`; the difference is relative to the norm of
    the wanted row. Rows that are not finite are close to none.
    """
    import numpy

    looked_for = numpy.fromfile(wanted, numpy.float32).reshape(-1, row_bytes // 4)
    norms = numpy.square(looked_for).sum(axis=1)
    best: Any = numpy.full((len(looked_for), MOST_FOUND), numpy.inf)
    where: Any = numpy.zeros((len(looked_for), MOST_FOUND), numpy.int64)
    kept: list[list[bytes]] = [[b""] * MOST_FOUND for _ in looked_for]
    for start, some in chunks(path, row_bytes, rows):
        with numpy.errstate(invalid="ignore", over="ignore"):
            apart = norms[:, None] + numpy.square(some).sum(axis=1) - 2 * (looked_for @ some.T)
        apart[~numpy.isfinite(apart)] = numpy.inf
        first = numpy.argpartition(apart, min(MOST_FOUND, len(some)) - 1)[:, :MOST_FOUND]
        for at, found in enumerate(first):
            for row in found[apart[at, found] < best[at].max()].tolist():
                last = int(best[at].argmax())
                if apart[at, row] < best[at, last]:
                    best[at, last], where[at, last] = apart[at, row], start + row
                    kept[at][last] = some[row].tobytes()
        progress(start + len(some))
    answer = []
    for at, row in enumerate(looked_for):  # single precision only told which to look at
        measured = [
            (relative_difference(data, row.tobytes()), number)
            for data, number in zip(kept[at], where[at].tolist(), strict=True)
            if data
        ]
        answer.append([[number, apart] for apart, number in sorted(measured)])
    return {"event": "closest", "rows": answer}


def nearest(rows: str, others: str, width: int, progress: Callable[[int], None]) -> dict[str, Any]:
    """For each row of one file, which other row of the second file of as many is nearest.

    Returns `{"nearest": [[index, distance], ...]}`; the distance is relative to that other row's
    norm, None where it is not finite. The row of the same index does not count.
    """
    import numpy

    one = numpy.fromfile(rows, numpy.float32).reshape(-1, width).astype(numpy.float64)
    other = numpy.fromfile(others, numpy.float32).reshape(-1, width).astype(numpy.float64)
    norms = numpy.linalg.norm(other, axis=1)
    answer: list[list[Any]] = []
    for at, row in enumerate(one):
        with numpy.errstate(all="ignore"):
            apart = numpy.linalg.norm(other - row, axis=1) / norms
        apart[at] = numpy.inf
        apart[~numpy.isfinite(apart)] = numpy.inf
        best = int(apart.argmin())
        known = bool(numpy.isfinite(apart[best]))
        answer.append([best, float(apart[best]) if known else None])
        progress(at + 1)
    return {"event": "nearest", "nearest": answer}


def compare(
    one: str, other: str, row_bytes: int, rows: int, folder: str, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Hold rows of two files against each other, and look for those that differ.

    `folder`/pairs: int64, a row of each file in turn. `rows`: how many the first file has.
    Returns counts of rows that are equal bit for bit, up to rounding, and `zero`, `not_finite` or
    `other` in the first file, and the largest difference that passed for rounding. Rows that are
    the same in both and no embeddings are not equal but `both`, beside what they are. Writes to
    `folder`/differing the places, in the pairs, of those that differ, and to `folder`/stands in
    which row of the first file the numbers of the second one's stand, bit for bit; -1 for none, and
    for what is zero or not finite.
    """
    import numpy

    pairs = numpy.fromfile(f"{folder}/pairs", numpy.int64).reshape(-1, 2)
    counts = {"equal": 0, "rounding": 0, "zero": 0, "not_finite": 0, "other": 0, "both": 0}
    largest = 0.0
    differing: list[Any] = []
    sound: list[Any] = []  # whether it can be the row of another location
    hashes: list[Any] = []
    factors = hash_factors(row_bytes)
    step = max(1, CHUNK_BYTES // row_bytes)
    with open(one, "rb") as first, open(other, "rb") as second:
        for start in range(0, len(pairs), step):
            some = pairs[start : start + step]
            mine, theirs = (
                gather(stream, some[:, side], row_bytes)
                for side, stream in enumerate((first, second))
            )
            same = (mine.view(numpy.uint32) == theirs.view(numpy.uint32)).all(axis=1)
            zero, finite = ~mine.any(axis=1), numpy.isfinite(mine).all(axis=1)
            counts["both"] += int((same & (zero | ~finite)).sum())
            counts["equal"] += int((same & finite & ~zero).sum())
            counts["zero"] += int(zero.sum())
            counts["not_finite"] += int((~finite).sum())
            differ = numpy.flatnonzero(~same)
            apart = differences(mine[differ], theirs[differ])
            rounded = apart <= ROUNDING
            largest = max([largest, *apart[rounded].tolist()])
            same[differ[rounded]] = True
            embedding = (finite & ~zero)[differ]
            counts["rounding"] += int(rounded.sum())
            counts["other"] += int((embedding & ~rounded).sum())
            sound.append(embedding[~rounded])
            differ = numpy.flatnonzero(~same)
            differing.append(start + differ)
            hashes.append(hashed(theirs[differ], factors))
            progress(start + len(some))
    apart_at = numpy.concatenate([*differing, numpy.empty(0, numpy.int64)]).astype(numpy.int64)
    stands: Any = numpy.full(len(apart_at), -1, numpy.int64)
    if len(apart_at):
        wanted = numpy.concatenate(hashes)
        order = numpy.argsort(wanted, kind="stable")
        ordered = wanted[order]
        with open(other, "rb") as second:
            for start, some in chunks(one, row_bytes, rows):
                mine = hashed(some, factors)
                low: Any = numpy.searchsorted(ordered, mine, "left")
                high: Any = numpy.searchsorted(ordered, mine, "right")
                for row in numpy.flatnonzero(low < high):
                    for at in order[low[row] : high[row]]:
                        if stands[at] < 0:
                            (theirs,) = gather(
                                second, pairs[apart_at[at] : apart_at[at] + 1, 1], row_bytes
                            )
                            if theirs.tobytes() == some[row].tobytes():
                                stands[at] = start + row
                progress(len(pairs))
        stands[~numpy.concatenate(sound)] = -1
    apart_at.tofile(f"{folder}/differing")
    stands.tofile(f"{folder}/stands")
    return {"event": "compared", "counts": counts, "largest": largest}


def differences(rows: Any, references: Any) -> Any:
    """As `relative_difference`, of rows that are not equal, for arrays of them."""
    import numpy

    with numpy.errstate(all="ignore"):
        one, other = rows.astype(numpy.float64), references.astype(numpy.float64)
        apart = numpy.linalg.norm(one - other, axis=1) / numpy.linalg.norm(other, axis=1)
    return numpy.where(numpy.isfinite(apart), apart, numpy.inf)


def gather(stream: Any, rows: Any, row_bytes: int) -> Any:
    """These rows of a file, as an array."""
    import numpy

    data = bytearray(len(rows) * row_bytes)
    view = memoryview(data)
    for at, row in enumerate(rows.tolist()):
        stream.seek(row * row_bytes)
        if stream.readinto(view[at * row_bytes : (at + 1) * row_bytes]) != row_bytes:
            raise ValueError(f"{stream.name}: row {row} is not there in full")
    return numpy.frombuffer(data, numpy.float32).reshape(len(rows), -1)


def hash_factors(row_bytes: int) -> Any:
    import numpy

    odd = numpy.random.default_rng(1).integers(0, 2**63, row_bytes // 4, numpy.uint64)
    return odd * numpy.uint64(2) + numpy.uint64(1)


def hashed(rows: Any, factors: Any) -> Any:
    """A number for each row, for equal bits the same; unequal ones are told apart afterwards."""
    import numpy

    return numpy.ascontiguousarray(rows).view(numpy.uint32) @ factors
