"""What pickling an object would do, as `patient/anatomy.py` finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Culprit:
    path: str = ""
    type: str = ""
    error: str = ""
    about: str = ""


@dataclass(frozen=True)
class Anatomy:
    culprits: tuple[Culprit, ...] = ()
    size: int | None = None
    complete: bool = False
