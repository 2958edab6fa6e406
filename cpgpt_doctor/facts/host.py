"""The machine, as `probes/host.py` sees it. Sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Disk:
    path: str = ""
    total: int = 0
    free: int = 0


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver names it, whatever torch makes of it."""

    name: str = ""
    memory: int = 0


@dataclass(frozen=True)
class Host:
    RETIRED: ClassVar[tuple[str, ...]] = ("disk", "memory_total", "system")

    release: str = ""
    description: str = ""
    machine: str = ""
    cpus: int | None = None
    memory_available: int | None = None
    memory_limit: int | None = None
    shared_memory: Disk | None = None
    open_files_soft: int | None = None
    open_files_hard: int | None = None
    container: str | None = None
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
