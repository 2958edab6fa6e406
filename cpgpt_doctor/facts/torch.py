"""torch and what it can compute on, as `patient/observe/accelerator.py` sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cpgpt_doctor.facts.outcome import UNTRIED, Outcome


@dataclass(frozen=True)
class CudaDevice:
    name: str = ""
    capability: str = ""
    memory: int = 0


@dataclass(frozen=True)
class Torch:
    version: str = ""
    file: str = ""
    cuda_build: str | None = None
    rocm_build: str | None = None
    cuda_available: bool = False
    cuda_problem: str | None = None
    devices: tuple[CudaDevice, ...] = ()
    architectures: tuple[str, ...] = ()
    mps_built: bool = False
    mps_available: bool = False


@dataclass(frozen=True)
class Accelerator:
    outcome: Outcome = UNTRIED
    torch: Torch | None = None
    variables: dict[str, str] = field(default_factory=dict)
