"""Observe torch and the accelerators that it can use. Imports torch."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import shutil
import sys
import time
import types
import warnings
from typing import Any

from cpgpt_doctor.patient.channel import attempt

# Only these variables are read; others may hold secrets and are nobody's business.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "PYTORCH_MPS_HIGH_WATERMARK_RATIO",
    "TOKENIZERS_PARALLELISM",
)
# A driver brings one of these.
DRIVERS = ("nvidia-smi", "rocm-smi", "rocminfo")


# Seconds that importing torch took, where another stage imported it.
seconds_before: list[float] = []


class Timer(importlib.abc.MetaPathFinder):
    """Leaves the finding of torch to the others, and times its import."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = getattr(spec and spec.loader, "exec_module", None)
        if spec is None or run is None:
            return spec

        def timed_run(module: types.ModuleType) -> None:
            started = time.perf_counter()
            run(module)
            seconds_before.append(time.perf_counter() - started)

        with contextlib.suppress(AttributeError, TypeError):  # a loader that takes no attribute
            spec.loader.exec_module = timed_run  # type: ignore[union-attr, method-assign]
        return spec


def time_import() -> None:
    """Note how long torch takes when something imports it."""
    sys.meta_path.insert(0, Timer())


def import_torch() -> Any:
    import torch

    return torch


def describe(torch: Any) -> dict[str, Any]:
    """Return the fields of `facts.Torch`; memory in bytes, capability as CUDA names it ("9.0")."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    devices = []
    for index in range(torch.cuda.device_count() if available else 0):
        properties = torch.cuda.get_device_properties(index)
        devices.append(
            {
                "name": properties.name,
                "capability": f"{properties.major}.{properties.minor}",
                "memory": properties.total_memory,
            }
        )
    mps = torch.backends.mps
    return {
        "version": torch.__version__,
        "file": torch.__file__,
        "cuda_build": torch.version.cuda,
        "rocm_build": torch.version.hip,
        "cuda_available": available,
        "cuda_problem": str(caught[-1].message).splitlines()[0] if caught else None,
        "devices": devices,
        "architectures": list(torch.cuda.get_arch_list()) if available else [],
        "mps_built": mps.is_built(),
        "mps_available": mps.is_available(),
    }


def look(request: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The fields of `facts.Accelerator`; None where only an interpreter that is new can tell."""
    asked_before = "torch" in sys.modules
    torch, outcome = attempt(import_torch)
    described = None
    if torch is not None:
        # A torch that imports and then cannot answer is as broken as one that does not import.
        described, answered = attempt(lambda: describe(torch))
        outcome = outcome if answered["ok"] else answered
    if outcome["ok"] and seconds_before:
        outcome = {**outcome, "seconds": seconds_before[0]}
    if asked_before and isinstance(described, dict) and reason_is_lost(described):
        return None, True
    variables = request["variables"]
    return {
        "outcome": outcome,
        "torch": described,
        "variables": {name: variables[name] for name in VARIABLES if name in variables},
    }, True


def reason_is_lost(described: dict[str, Any]) -> bool:
    """Whether torch may have said before why it cannot use a GPU: it does so once in a process."""
    built = described["cuda_build"] or described["rocm_build"]
    said = described["cuda_available"] or described["cuda_problem"]
    return bool(built and not said and any(map(shutil.which, DRIVERS)))
