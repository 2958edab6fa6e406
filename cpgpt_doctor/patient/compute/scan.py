"""Look at every row of a store's file: rows of zeros, rows that are no numbers, equal rows."""

from __future__ import annotations

import hashlib
from typing import Any

SHOWN = 1000  # rows of zeros or of no numbers that are named; the rest is counted


def rows(path: str, row_bytes: int, ranges: list[list[int]]) -> dict[str, Any]:
    """Scan the rows of `ranges` (first row, row after the last), in order.

    Returns counts, the first rows that are `zero` or `not_finite`, and `equal`: every pair of a row
    and the earlier one that it equals. A row of zeros is not counted as equal.
    """
    import numpy

    zero: list[int] = []
    not_finite: list[int] = []
    equal: list[list[int]] = []
    counts = {"zero": 0, "not_finite": 0}
    seen: dict[bytes, int] = {}

    def note(kind: str, shown: list[int], row: int) -> None:
        counts[kind] += 1
        if len(shown) < SHOWN:
            shown.append(row)

    with open(path, "rb") as stream:
        for start, stop in ranges:
            stream.seek(start * row_bytes)
            for row in range(start, stop):
                data = stream.read(row_bytes)
                if len(data) != row_bytes:
                    raise ValueError(f"{path}: row {row} is not there in full")
                numbers = numpy.frombuffer(data, numpy.float32)
                if not numbers.any():
                    note("zero", zero, row)
                    continue
                if not numpy.isfinite(numbers).all():
                    note("not_finite", not_finite, row)
                digest = hashlib.blake2b(data, digest_size=16).digest()
                first = seen.setdefault(digest, row)
                if first != row:
                    equal.append([row, first])
    return {
        "event": "scanned",
        "rows": sum(stop - start for start, stop in ranges),
        "counts": counts,
        "zero": zero,
        "not_finite": not_finite,
        "equal": equal,
    }
