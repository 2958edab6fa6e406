"""The patient's interpreter, as `patient/observe/python.py` sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Python:
    RETIRED: ClassVar[tuple[str, ...]] = ("environment",)

    version: str = ""
    implementation: str = ""
    executable: str = ""
    prefix: str = ""
    notebook: bool = False
    platform: str = ""
    machine: str = ""
    rosetta: bool = False
    start_methods: tuple[str, ...] = ()
    default_start_method: str = "unknown"
