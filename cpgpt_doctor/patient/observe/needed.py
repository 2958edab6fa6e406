"""What a command needs of this environment and cannot import, and the rule about that."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import partial
from typing import Any, TextIO

from cpgpt_doctor.patient.channel import attempt, send

# In the order in which they are to be mended: CpGPT's own import needs torch.
CODES = {
    "torch": "CPG401",
    "cpgpt": "CPG402",
    "numpy": "CPG403",
    "pyfaidx": "CPG403",
    "transformers": "CPG403",
}


def first_missing(names: Iterable[str]) -> dict[str, str] | None:
    """The first that cannot be imported: `{"missing", "code", "error"}`."""
    for name in names:
        _, tried = attempt(partial(importlib.import_module, name))
        if not tried["ok"]:
            error = f"{tried['error_type']}: {tried['error']}"
            return {"missing": name, "code": CODES[name], "error": error}
    return None


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    """Answer with what is missing of all, or with `{"missing": None}`."""
    send(channel, first_missing(CODES) or {"missing": None})
