"""The patient's installed distributions, as `patient/observe/packages.py` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CpGPT:
    version: str = ""
    folder: str = ""
    requires_python: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packages:
    """`installed` maps normalized names to versions; `markers` are PEP 508's, of the patient.

    without_metadata: requirements of CpGPT that no metadata names, though a module of that name is
    on the path.
    """

    installed: dict[str, str] = field(default_factory=dict)
    cpgpt: CpGPT | None = None
    markers: dict[str, str] = field(default_factory=dict)
    without_metadata: tuple[str, ...] = ()
