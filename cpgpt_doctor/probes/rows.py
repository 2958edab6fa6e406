"""Look at the rows of a store's file, with the standard library alone.

A row of float32 is zero, or holds what is no number, or equals another: all of that can be seen on
its bytes. Rows are compared by a digest of 64 bits, and those that have one in common are read
once more, so that no chance makes two of them equal.
"""

from __future__ import annotations

import array
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.store import layout

ALL_BELOW = 256 << 20  # bytes of named rows up to which all are read
SAMPLE = 8192  # rows that are read of a larger file; always the same ones
SEED = 20240917
SHOWN = 1000  # rows of a kind of which the numbers are kept; the rest is counted


class Shrank(Exception):
    """The file ends before a row that it had."""


@dataclass
class Seen:
    """Numbers of rows. equal: pairs of a row and the earlier one that it equals."""

    read: int = 0
    zeros: int = 0
    zero: list[int] = field(default_factory=list)
    others: int = 0
    not_finite: list[int] = field(default_factory=list)
    equals: int = 0
    equal: list[tuple[int, int]] = field(default_factory=list)
    in_holes: int = 0


def sample(named: int, row_bytes: int, everything: bool) -> Iterable[int]:
    """The rows to be read, in order."""
    if everything or named * row_bytes <= ALL_BELOW or named <= SAMPLE:
        return range(named)
    return sorted(random.Random(SEED).sample(range(named), SAMPLE))


def scan(
    path: Path, row_bytes: int, named: int, everything: bool = False, shown: int = SHOWN
) -> Seen:
    """Look at named rows. Raises OSError, and Shrank where the file is cut meanwhile.

    shown: how many rows of a kind are named.
    """
    seen = Seen()
    first: dict[int, int] = {}
    suspects: list[tuple[int, int]] = []
    with open_regular(path) as stream:
        for row in sample(named, row_bytes, everything):
            data = read_row(stream, row, row_bytes)
            seen.read += 1
            if data.count(0) == row_bytes:
                seen.zeros += 1
                keep(seen.zero, row, shown)
                continue
            if not is_finite(data):
                seen.others += 1
                keep(seen.not_finite, row, shown)
            earlier = first.setdefault(hash(data), row)
            if earlier != row:
                suspects.append((row, earlier))
        for row, earlier in suspects:
            if read_row(stream, row, row_bytes) == read_row(stream, earlier, row_bytes):
                seen.equals += 1
                if len(seen.equal) < shown:
                    seen.equal.append((row, earlier))
        if seen.read < named:
            seen.in_holes = rows_in_holes(stream, row_bytes, named)
    return seen


def keep(found: list[int], row: int, shown: int) -> None:
    if len(found) < shown:
        found.append(row)


def read_row(stream: BinaryIO, row: int, row_bytes: int) -> bytes:
    stream.seek(row * row_bytes)
    data = stream.read(row_bytes)
    if len(data) != row_bytes:
        raise Shrank(f"row {row}")
    return data


def is_finite(data: bytes) -> bool:
    """Whether little-endian float32 numbers are all finite.

    Infinities and NaN have all bits of the exponent set, so their last byte is 0x7f or 0xff; few
    others have, and are looked at more closely.
    """
    last = data[3::4]
    if 0x7F not in last and 0xFF not in last:
        return True
    return all(map(math.isfinite, array.array("f", data)))


def rows_in_holes(stream: BinaryIO, row_bytes: int, named: int) -> int:
    """How many named rows lie in holes whole: they are zeros that nobody ever wrote."""
    whole = (
        stop // row_bytes - -(-start // row_bytes)
        for start, stop in layout.holes(stream, named * row_bytes)
    )
    return sum(max(0, each) for each in whole)


def alike(one: Path, other: Path, row_bytes: int, rows: list[int]) -> bool:
    """Whether two files hold equal rows at all these numbers."""
    with open_regular(one) as left, open_regular(other) as right:
        return all(
            read_row(left, row, row_bytes) == read_row(right, row, row_bytes) for row in rows
        )
