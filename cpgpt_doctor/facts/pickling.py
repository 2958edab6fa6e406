"""What pickling an object would do, as `patient/pickling/unpicklable.py` finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Culprit:
    """An object that cannot be pickled: where it is, what it is, and the pickler's error.

    kind: of `KINDS` in `patient/pickling/unpicklable.py`, or one that a later version knows. name,
    place, holds and cached: as there. about: what it is, in English, in facts of 0.1.0, which
    have no kind.
    """

    path: str = ""
    type: str = ""
    error: str = ""
    about: str = ""
    kind: str = ""
    name: str | None = None
    place: str | None = None
    holds: tuple[str, ...] = ()
    cached: bool = False


@dataclass(frozen=True)
class PicklingReport:
    culprits: tuple[Culprit, ...] = ()
    size: int | None = None
    complete: bool = False
