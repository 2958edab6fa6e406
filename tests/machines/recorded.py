"""Facts of machines: two as they were recorded, and others derived from them.

This project's tests run on Linux. What macOS, Windows and Python 3.14 report is put in here by
hand, from their documentation, over facts that were recorded on Linux.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpgpt_doctor import facts
from cpgpt_doctor.facts import CudaDevice, Disk, Facts, Gpu, Torch

HERE = Path(__file__).parent


def linux_new() -> Facts:
    """CpGPT 0.0.13, Python 3.11, torch 2.13 for the CPU, as recorded."""
    return facts.read(HERE / "linux-py311-cpgpt0.0.13.json")


def linux_old() -> Facts:
    """CpGPT 0.0.7, Python 3.13.0, torch 2.6 for CUDA, no GPU, as recorded."""
    return facts.read(HERE / "linux-py313-cpgpt0.0.7.json")


def mac(base: Facts, *, mps: bool = True, machine: str = "arm64") -> Facts:
    """The fix document's machine: macOS starts workers with spawn (Python 3.8 and later)."""
    assert base.python
    assert base.embedder
    assert base.embedder.examined
    examined = base.embedder.examined
    trials = examined.trials
    if "guard" in examined.lines:  # on macOS it falls back whatever the start method
        trials = tuple(replace(trial, workers=0) for trial in trials)
    python = replace(
        base.python,
        platform="darwin",
        machine=machine,
        default_start_method="spawn",
        start_methods=("spawn", "fork", "forkserver"),
    )
    embedder = replace(base.embedder, examined=replace(examined, trials=trials))
    changed = replace(base, python=python, embedder=embedder)
    return with_torch(changed, mps_built=True, mps_available=mps, cuda_build=None)


def windows(base: Facts) -> Facts:
    """Windows has spawn only."""
    assert base.python
    python = replace(
        base.python, platform="win32", default_start_method="spawn", start_methods=("spawn",)
    )
    return replace(base, python=python)


def python_314(base: Facts) -> Facts:
    """Python 3.14 on Linux: forkserver by default."""
    assert base.python
    python = replace(
        base.python,
        version="3.14.0",
        default_start_method="forkserver",
        start_methods=("forkserver", "fork", "spawn"),
    )
    return replace(base, python=python)


def with_torch(base: Facts, **changes: object) -> Facts:
    assert base.accelerator
    assert base.accelerator.torch
    torch: Torch = replace(base.accelerator.torch, **changes)  # type: ignore[arg-type]
    return replace(base, accelerator=replace(base.accelerator, torch=torch))


def with_gpu(base: Facts) -> Facts:
    assert base.host
    gpu = Gpu("NVIDIA H100 80GB HBM3", 80 << 30)
    return replace(base, host=replace(base.host, gpus=(gpu,), driver="550.54.15"))


def with_host(base: Facts, **changes: object) -> Facts:
    assert base.host
    return replace(base, host=replace(base.host, **changes))  # type: ignore[arg-type]


def with_variables(base: Facts, **variables: str) -> Facts:
    """With environment variables that torch heeds."""
    assert base.accelerator
    return replace(base, accelerator=replace(base.accelerator, variables=variables))


def with_model(base: Facts, weights: int, layers: int = 29, width: int = 1024) -> Facts:
    """With each model in the cache; 29 layers of 1,024 are the Nucleotide Transformer v2 500m's."""
    assert base.embedder
    assert base.embedder.examined
    codes = (
        replace(code, cached=True, weights=weights, layers=layers, width=width)
        for code in base.embedder.examined.remote_code
    )
    return with_examined(base, remote_code=tuple(codes))


def with_cuda(base: Facts, capability: str, *architectures: str, memory: int = 80 << 30) -> Facts:
    """A GPU that torch can use, and what torch is built for."""
    device = CudaDevice("NVIDIA GPU", capability, memory)
    changed = {"cuda_build": "12.6", "cuda_available": True, "devices": (device,)}
    return with_torch(with_gpu(base), **changed, architectures=architectures)


def with_examined(base: Facts, **changes: object) -> Facts:
    assert base.embedder
    assert base.embedder.examined
    examined = replace(base.embedder.examined, **changes)  # type: ignore[arg-type]
    return replace(base, embedder=replace(base.embedder, examined=examined))


def small(base: Facts, container: str | None = "docker") -> Facts:
    """Too little of everything: shared memory, open files, memory."""
    return with_host(
        with_model(base, 2 << 30),
        shared_memory=Disk("/dev/shm", 64 << 10, 32 << 10),
        open_files_soft=32,
        open_files_hard=4096 if container else 64,
        memory_available=3 << 30,
        container=container,
    )
