"""What came of trying something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """What came of trying something: the error's class and text where it failed."""

    ok: bool = False
    error_type: str | None = None
    error: str | None = None
    seconds: float = 0.0


UNTRIED = Outcome()


@dataclass(frozen=True)
class ProbeFailure:
    """A probe that gave no answer.

    kind: "killed" by a signal, "exited" with a status, "timeout", or "garbled" output.
    detail: the signal's name, the status or the limit.
    output: the last lines that the probe printed.
    """

    probe: str = ""
    kind: Literal["killed", "exited", "timeout", "garbled"] = "exited"
    detail: str = ""
    output: str = ""
