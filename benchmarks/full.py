"""Run all tests, and write down what became of them: `python benchmarks/full.py`, from the root.

Runs `make test` and `make test-full` on a tree without changes, and writes benchmarks/full.md.
Both stand there with the commit, the date and the machine.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_name("full.md")


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


def timed(target: str) -> tuple[float, str]:
    """The minutes that a target of make takes, and the last line that it prints."""
    started = time.monotonic()
    last = ""
    with subprocess.Popen(
        ["make", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip("= \n") or last
    return (time.monotonic() - started) / 60, last


def processor() -> str:
    """The processor's name, where the system has a file that says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    if said("git", "status", "--porcelain", "--untracked-files=no"):
        print("the tree has changes, so no commit could be named", file=sys.stderr)
        return 2
    commit = said("git", "rev-parse", "HEAD")
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    rows = []
    failed = False
    for target in ("test", "test-full"):
        before = os.getloadavg()[0]
        minutes, last = timed(target)
        rows.append(f"| `make {target}` | {minutes:.1f} | {before:.1f} | {last} |")
        failed = failed or "failed" in last or "error" in last.lower()
    PAGE.write_text(
        "# All tests: the last run\n\n"
        "`python benchmarks/full.py`, which runs both and writes this page.\n\n"
        f"- commit: {commit}\n"
        f"- date: {date}\n"
        f"- machine: {os.cpu_count()} cores ({processor()}), {platform.system()},"
        f" Python {platform.python_version()}\n\n"
        "| | minutes | load average before | result |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\nWith ruff and mypy, without installing. `make test` takes a sample of what"
        " `make test-full` runs whole.\n",
        encoding="utf-8",
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
