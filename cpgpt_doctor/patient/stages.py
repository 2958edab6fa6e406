"""One examination: stage after stage in one interpreter, each answered as soon as it is through.

The order is a part of what is seen, since a stage finds what the earlier ones have left:

1. python, packages: nothing has been imported but the standard library, so that a broken torch
   disturbs neither.
2. embedder: CpGPT is imported by an interpreter that has imported nothing else, in the order that
   a user's own script has; one that has imported torch before may succeed where a user's fails.
3. workers: forks, so nothing may have started a thread or CUDA since CpGPT was imported.
4. accelerator: asks CUDA, which then belongs to this process and to none that it forks.

own_dataset has an interpreter of its own. What a user's module does at its import (modules of the
same names, a start method, threads) would be in the later stages; and it is to find what a user's
own script finds, which has neither imported CpGPT before nor changed its folder.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from typing import Any, NoReturn, TextIO

from cpgpt_doctor.patient import protocol
from cpgpt_doctor.patient.channel import send

# The module of each stage (each has `look`), in the order in which they share an interpreter.
SHARED = ("python", "packages", "embedder", "workers", "accelerator")
APART = ("own_dataset",)


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    """Look at `request["stages"]`, and send a `protocol.Seen` for each.

    What a stage raises ends this process with status 1, as a crash would: its interpreter is not
    fit for the next one.
    """
    # As they are for a user's script: some packages set variables when they are imported.
    request = {**request, "variables": dict(os.environ)}
    if "accelerator" in request["stages"]:
        importlib.import_module("cpgpt_doctor.patient.observe.accelerator").time_import()
    for stage in request["stages"]:
        protocol.begin(stage)
        module = importlib.import_module(f"cpgpt_doctor.patient.observe.{stage}")
        seen = protocol.Seen(stage, *module.look(request))
        send(channel, seen._asdict())
        if seen.spent:
            break
    if not set(request["stages"]) & set(APART):
        leave()


def leave() -> NoReturn:
    """End without taking torch and CpGPT apart, which takes a second; exit handlers are called."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
