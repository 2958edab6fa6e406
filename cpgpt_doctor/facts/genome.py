"""What was seen of the genome that windows are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class GenomeFacts:
    """A genome file, or the place where one would have to be.

    found: "plain" text, "compressed" by gzip, or "missing".
    named: the user chose the file (--genome); else it is the one that CpGPT takes from its folder.
    dependencies: that folder of CpGPT's.
    packed: the compressed copy beside a missing one.
    sequences: how many it has; names: the first of them.
    """

    path: str = ""
    dependencies: str = ""
    found: Literal["plain", "compressed", "missing"] = "plain"
    named: bool = False
    packed: str | None = None
    sequences: int = 0
    names: tuple[str, ...] = ()
