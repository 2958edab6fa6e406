"""Observe the patient's interpreter and how it starts processes."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
from typing import Any


def under_rosetta() -> bool:
    """True for an x86-64 process translated by Rosetta 2 (macOS `sysctl.proc_translated`)."""
    if sys.platform != "darwin":
        return False
    import ctypes
    import ctypes.util

    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    value = ctypes.c_int(0)
    size = ctypes.c_size_t(ctypes.sizeof(value))
    found = libc.sysctlbyname(
        b"sysctl.proc_translated", ctypes.byref(value), ctypes.byref(size), None, 0
    )
    return found == 0 and value.value == 1


def default_start_method() -> str:
    """What this interpreter starts processes with; to ask sets it, so it is put back."""
    before = multiprocessing.get_start_method(allow_none=True)
    method = multiprocessing.get_start_method()
    multiprocessing.set_start_method(before, force=True)
    return method


def observe() -> dict[str, Any]:
    """Return the fields of `facts.Python`."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "notebook": "JPY_PARENT_PID" in os.environ,
        "platform": sys.platform,
        "machine": platform.machine(),
        "rosetta": under_rosetta(),
        "start_methods": multiprocessing.get_all_start_methods(),
        "default_start_method": default_start_method(),
    }


def look(request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    return observe(), False
