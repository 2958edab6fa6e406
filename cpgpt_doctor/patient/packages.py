"""Observe the patient's installed distributions, from their metadata; nothing is imported."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from typing import Any, TextIO

from cpgpt_doctor.patient.channel import send


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def markers() -> dict[str, str]:
    """The values of PEP 508's environment markers in this interpreter."""
    implementation = sys.implementation
    version = implementation.version
    return {
        "implementation_name": implementation.name,
        "implementation_version": f"{version.major}.{version.minor}.{version.micro}",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def observe() -> dict[str, Any]:
    """Return the fields of `facts.Packages`.

    Where one name is installed twice on the path, the first is the one that Python imports, and
    the one named here.
    """
    installed: dict[str, str] = {}
    cpgpt = None
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name is None or normalized(name) in installed:
            continue
        installed[normalized(name)] = distribution.version
        if normalized(name) == "cpgpt":
            cpgpt = {
                "version": distribution.version,
                "folder": str(distribution.locate_file("")),
                "requires_python": distribution.metadata["Requires-Python"],
                "requires": list(distribution.requires or []),
            }
    return {"installed": installed, "cpgpt": cpgpt, "markers": markers()}


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    send(channel, observe())
