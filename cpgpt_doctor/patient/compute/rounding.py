"""How far apart two rows are, and how far rounding alone can take them.

The one measure of run-embed, for every comparison of rows: batches with their windows alone, a
store's rows with the same computed again, our rows with unmodified CpGPT's.
"""

from __future__ import annotations

import math

# Between a CPU and a GPU, or two orders of the same float32 sums over a row of 1,024 numbers.
ROUNDING = 1e-5


def relative_difference(row: bytes, reference: bytes) -> float:
    """The distance of two float32 rows, relative to the reference's norm, computed in float64.

    0.0 only where every bit is equal; infinite where a number is not finite, or where the reference
    is zero and the row is not.
    """
    if row == reference:
        return 0.0
    one, other = (memoryview(each).cast("f").tolist() for each in (row, reference))
    distance, norm = math.dist(one, other), math.hypot(*other)
    if not math.isfinite(distance) or norm == 0.0:
        return math.inf
    # -0.0 beside 0.0 has other bits and no distance: it is not equal, and nearly so.
    return max(distance / norm, math.ulp(0.0))
