"""Observe the machine, from the doctor's interpreter; imports no torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

# Where Linux names the memory limit of this process's control group (cgroup v2, then v1).
MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
MEMORY = Path("/proc/meminfo")
MIB = 1 << 20


def memory_limit(total: int) -> int | None:
    """The container's memory limit in bytes; None where there is none below the machine's."""
    for path in MEMORY_LIMITS:
        if path.exists():
            text = path.read_text().strip()
            if text.isdigit() and int(text) < total:
                return int(text)
    return None


def container() -> str | None:
    """The kind of container by the marks that its runtime leaves."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    if "APPTAINER_CONTAINER" in os.environ or "SINGULARITY_CONTAINER" in os.environ:
        return "apptainer"
    return None


def nvidia() -> tuple[list[dict[str, Any]], str | None]:
    """GPUs and driver version as nvidia-smi names them; nothing where it is not there."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return [], None
    query = [command, "--query-gpu=name,memory.total,driver_version"]
    try:
        answer = subprocess.run(
            [*query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return [], None
    gpus, driver = [], None
    for line in answer.stdout.splitlines() if answer.returncode == 0 else []:
        name, memory, driver = (part.strip() for part in line.rsplit(",", 2))
        gpus.append({"name": name, "memory": int(memory) * MIB if memory.isdigit() else 0})
    return gpus, driver


def open_files() -> tuple[int | None, int | None]:
    """The soft and hard limit of open files; None without a limit and on Windows."""
    try:
        import resource
    except ImportError:
        return None, None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinity = resource.RLIM_INFINITY
    return (None if soft == infinity else soft), (None if hard == infinity else hard)


def memory() -> tuple[int, int]:
    """Bytes of memory, and how many of them a process could have now."""
    if sys.platform == "linux":  # psutil takes longer to import than all else here
        lines = MEMORY.read_text(encoding="ascii", errors="replace").splitlines()
        sizes = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        if "MemAvailable" in sizes:  # from Linux 3.14 on
            return int(sizes["MemTotal"][0]) * 1024, int(sizes["MemAvailable"][0]) * 1024
    import psutil

    seen = psutil.virtual_memory()
    return seen.total, seen.available


def cpus() -> int:
    """Those that this process may use, where the system limits it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    import psutil

    if hasattr(psutil.Process, "cpu_affinity"):  # Windows
        return len(psutil.Process().cpu_affinity())
    return psutil.cpu_count() or 1


def disk(path: str) -> dict[str, Any]:
    usage = shutil.disk_usage(path)
    return {"path": path, "total": usage.total, "free": usage.free}


def observe() -> dict[str, Any]:
    """Return the fields of `facts.Host`."""
    total, available = memory()
    soft, hard = open_files()
    gpus, driver = nvidia()
    return {
        "release": platform.release(),
        "description": platform.platform(),
        "machine": platform.machine(),
        "cpus": cpus(),
        "memory_available": available,
        "memory_limit": memory_limit(total),
        "shared_memory": disk("/dev/shm") if Path("/dev/shm").is_dir() else None,
        "open_files_soft": soft,
        "open_files_hard": hard,
        "container": container(),
        "gpus": gpus,
        "driver": driver,
    }
