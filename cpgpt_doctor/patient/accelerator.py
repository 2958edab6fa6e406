"""Observe torch and the accelerators that it can use. Imports torch."""

from __future__ import annotations

import os
import warnings
from typing import Any, TextIO

from cpgpt_doctor.patient.channel import attempt, send

# Only these variables are read; others may hold secrets and are nobody's business.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "PYTORCH_MPS_HIGH_WATERMARK_RATIO",
    "TOKENIZERS_PARALLELISM",
)


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


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    torch, outcome = attempt(import_torch)
    described = None
    if torch is not None:
        # A torch that imports and then cannot answer is as broken as one that does not import.
        described, answered = attempt(lambda: describe(torch))
        outcome = outcome if answered["ok"] else answered
    send(
        channel,
        {
            "outcome": outcome,
            "torch": described,
            "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        },
    )
