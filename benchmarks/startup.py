"""What `check` costs, as a ratio to what nobody gets around: the imports.

    python benchmarks/startup.py

`check` is held against the import of CpGPT's embedder alone, which a user's own script pays, too;
`check --quick` against an interpreter that imports rich and packaging, with which it shows and
compares. All take turns, since machines drift. Prints Markdown, in about three minutes; the figures
are good on an idle machine only.
"""

from __future__ import annotations

import compileall
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import cpgpt_doctor
from cpgpt_doctor.patient.upstream import MODULE

SECONDS = 150.0  # after which no further round of the whole check is begun
ROUNDS = 7  # of it, at the most
QUICK_ROUNDS = 25
DOCTOR = [sys.executable, "-m", "cpgpt_doctor", "check"]
IMPORTS_CPGPT = [sys.executable, "-c", f"import {MODULE}"]
IMPORTS_RICH = [sys.executable, "-c", "import rich.console, packaging.requirements"]
METHODS = ("fork", "spawn", "forkserver")
WHOLE = {
    "the embedder's import": IMPORTS_CPGPT,
    **{f"check, {method}": [*DOCTOR, "--start-method", method] for method in METHODS},
}
QUICK = {"the imports of rich and packaging": IMPORTS_RICH, "check --quick": [*DOCTOR, "--quick"]}


def seconds(command: list[str], folder: str) -> float:
    """How long a command takes. Raises RuntimeError where it does neither end well nor find."""
    variables = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    started = time.perf_counter()
    ran = subprocess.run(
        command, cwd=folder, env={**variables, "HF_HUB_OFFLINE": "1"}, capture_output=True
    )
    took = time.perf_counter() - started
    if ran.returncode not in (0, 1) or not (ran.stdout or "-c" in command):
        raise RuntimeError(f"{command}: {ran.stderr.decode(errors='replace')}")
    return took


def take_turns(
    commands: dict[str, list[str]], folder: str, rounds: int, limit: float
) -> dict[str, list[float]]:
    """Seconds of each command in each round; the first of a command is not counted."""
    for command in commands.values():
        seconds(command, folder)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    until = time.monotonic() + limit
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(seconds(command, folder))
        if time.monotonic() > until:
            break
    return taken


def table(taken: dict[str, list[float]]) -> str:
    """Medians, and of the ratios of each round to its first command."""
    rows = [
        "| command | median (s) | ratio | lowest and highest ratio | rounds |",
        "|---" * 5 + "|",
    ]
    base = next(iter(taken.values()))
    for name, each in taken.items():
        ratios = [one / other for one, other in zip(each, base, strict=True)]
        rows.append(
            f"| {name} | {statistics.median(each):.2f} | {statistics.median(ratios):.2f}"
            f" | {min(ratios):.2f} to {max(ratios):.2f} | {len(each)} |"
        )
    return "\n".join(rows)


def main() -> None:
    compileall.compile_dir(Path(cpgpt_doctor.__file__).parent, quiet=2)
    with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-benchmark-") as folder:
        print(table(take_turns(WHOLE, folder, ROUNDS, SECONDS)), end="\n\n", flush=True)
        print(table(take_turns(QUICK, folder, QUICK_ROUNDS, SECONDS)), end="\n\n")
    versions = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("CpGPT", "torch", "transformers", "rich", "packaging")
    )
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(
        f"{os.cpu_count()} CPU cores, {platform.system()}, Python {platform.python_version()},"
        f" {versions}. Load average at the end: {load}."
    )


if __name__ == "__main__":
    main()
