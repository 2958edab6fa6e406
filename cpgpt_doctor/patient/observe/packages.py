"""Observe the patient's installed distributions, from their metadata; nothing is imported."""

from __future__ import annotations

import importlib.util
import io
import os
import platform
import re
import sys
from importlib import metadata
from typing import Any


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
    the one named here. A version is "unknown" where the metadata has none.
    """
    installed: dict[str, str] = {}
    cpgpt = None
    required = ["torch"]
    for distribution in metadata.distributions():
        name, version = name_and_version(distribution)
        if name is None or normalized(name) in installed:
            continue
        installed[normalized(name)] = version
        if normalized(name) == "cpgpt":
            cpgpt = {
                "version": version,
                "folder": str(distribution.locate_file("")),
                "requires_python": field(distribution.metadata, "Requires-Python"),
                "requires": list(distribution.requires or []),
            }
            required += [required_name(line) for line in distribution.requires or []]
    return {
        "installed": installed,
        "cpgpt": cpgpt,
        "markers": markers(),
        "without_metadata": sorted(
            name for name in set(required) if name not in installed and is_on_path(name)
        ),
    }


def name_and_version(distribution: metadata.Distribution) -> tuple[str | None, str]:
    """The name, None where there is none, and the version or "unknown".

    Read from the first lines of the metadata: to have a hundred packages' descriptions parsed, as
    `distribution.metadata` does, takes longer than all else that is looked at here.
    """
    read = distribution.read_text
    fields: dict[str, str] = {}
    for line in io.StringIO(read("METADATA") or read("PKG-INFO") or read("") or ""):
        if line[0] in " \t":  # goes on with the line above
            continue
        name, colon, value = line.partition(":")
        if not colon or len(fields) == 2:
            break
        if name.lower() in ("name", "version"):
            fields.setdefault(name.lower(), value.strip())
    return fields.get("name"), fields.get("version") or "unknown"


def field(about: Any, name: str) -> str | None:
    """A field of a distribution's metadata, None where it has none."""
    return str(about[name]) if name in about else None


def required_name(requirement: str) -> str:
    """The normalized name at the beginning of a requirement's line."""
    return normalized(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])


def is_on_path(name: str) -> bool:
    """Whether Python would find a top-level module of this distribution's name; nothing runs.

    A folder without code, as a removed package leaves one, is none.
    """
    try:
        spec = importlib.util.find_spec(name.replace("-", "_"))
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def look(request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    return observe(), False
