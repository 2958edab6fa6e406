"""Run one probe in an interpreter of its own, with a time limit; a crash is a result."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psutil

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.patient import boot
from cpgpt_doctor.probes.ending import ending

BOOT = str(Path(boot.__file__).resolve())
KEPT_OUTPUT = 2000  # characters of a failed probe's output that go into the facts


def command(python: str, module: str) -> list[str]:
    """The command line that starts a patient-side module."""
    return [python, BOOT, module]


def run(
    probe: str, python: str, module: str, request: dict[str, Any], seconds: float
) -> dict[str, Any] | ProbeFailure:
    """Start `module` in `python`, hand it `request`, and return the object that it sends.

    Raises InputError where `python` cannot be started at all.
    """
    # CpGPT imports matplotlib, which would write its list of fonts into the home folder.
    fonts = {"MPLCONFIGDIR": request["scratch"]} if "scratch" in request else {}
    try:
        process = subprocess.Popen(
            command(python, module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # An examination downloads nothing.
            env={**os.environ, **fonts, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"},
        )
    except OSError as error:
        raise InputError(f"--python {python}: cannot be started: {error.strerror}") from error
    try:
        said, printed = process.communicate((json.dumps(request) + "\n").encode(), seconds)
    except subprocess.TimeoutExpired:
        end(process)
        said, printed = process.communicate()
        return failure(probe, "timeout", f"{seconds:.0f} s", printed)
    if process.returncode != 0:
        ended = ending(process.returncode)
        return failure(probe, ended.kind, ended.detail, printed)
    try:
        answer = json.loads(said.decode())
    except ValueError:
        return failure(probe, "garbled", "its answer is not JSON", printed + said)
    return answer  # type: ignore[no-any-return]


def failure(probe: str, kind: Any, detail: str, printed: bytes) -> ProbeFailure:
    return ProbeFailure(probe, kind, detail, printed.decode(errors="replace")[-KEPT_OUTPUT:])


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything that it started."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    process.kill()
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
