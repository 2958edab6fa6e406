"""How large a part may be, learnt from those before it, and when a run has to end."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

FIRST_PART = 64
PART_SECONDS = 120.0
# CpGPT up to 0.0.7 does not finish a store of 10,000 rows or more under its right name.
LARGEST_PART = 8192
GROWTH = 4  # times the part before it
# Before a time limit: the slowest of so many parts is what the next one is expected to take, and
# that much more; then the worker has to end, and the record to be closed.
RECENT = 5
MARGIN = 1.25
CLOSING_SECONDS = 5.0


@dataclass(frozen=True)
class Deadline:
    """When a run is to have ended; at: as time.monotonic() counts. asked: as the user gave it."""

    asked: str
    at: float

    def left(self) -> float:
        """Seconds, below 0 once it is past."""
        return self.at - time.monotonic()


@dataclass
class Pace:
    """The parts done so far, and what follows for the next one.

    batch: windows that are computed together. deadline: as in `Deadline`, None for no end.
    """

    batch: int
    deadline: float | None = None
    rows: int = 0  # of the last part
    row_seconds: float = 0.0  # of the last part, computing alone
    slowest: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))  # a row, in seconds
    commit: float = 0.0  # seconds, the longest so far

    def expect(self, rows: int, seconds: float) -> None:
        """What rows are known to take, before this run's first part."""
        if rows:
            self.slowest.append(seconds / rows)

    def done(self, rows: int, seconds: float, commit: float) -> None:
        """A part was computed in `seconds`, and committed in `commit`."""
        self.rows, self.row_seconds = rows, max(seconds, 1e-3) / rows
        self.slowest.append(self.row_seconds)
        self.commit = max(self.commit, commit)

    def size(self, left: int, now: float) -> int:
        """Locations of the next part, of `left`: some minutes' worth, in whole batches.

        Before a deadline no more than can be finished by then; 0 where not even a batch can.
        """
        wanted = FIRST_PART
        if self.rows:
            minutes = int(PART_SECONDS / self.row_seconds)
            wanted = self.whole(min(LARGEST_PART, minutes, self.rows * GROWTH))
        if self.deadline is not None:
            wanted = min(wanted, self.fitting(self.deadline - now, left))
        return min(wanted, left)

    def fitting(self, seconds: float, left: int) -> int:
        """Locations that can be computed and committed in `seconds`; where nothing is known, one
        batch, from which it is learnt."""
        seconds -= CLOSING_SECONDS + MARGIN * self.commit
        if seconds <= 0:
            return 0
        if not self.slowest:
            return self.batch
        fits = int(seconds / (MARGIN * max(self.slowest)))
        if fits >= left:
            return left
        return fits // self.batch * self.batch

    def whole(self, wanted: int) -> int:
        return max(self.batch, wanted // self.batch * self.batch)
