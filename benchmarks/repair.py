"""Published rows under an index of one's own, put right by `repair`: time and memory.

    python benchmarks/repair.py [--rows 1000000] [--real 2000] [--folder FOLDER]

The folder of published_store.py: rows and index in DIR/human, a link to the rows in DIR, and a new
index there of most locations. `repair` shows what it would do, `--apply` adopts the index of
DIR/human, `verify` passes, `--undo` puts the old index back, byte for byte. How much was read from
files is Linux's own count. Takes rows x 4 KB on the disk. Prints Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import place
from published_store import make, said


def ran(*arguments: object) -> tuple[dict[str, Any], float, float, float]:
    """The report of a command, its seconds, the most memory of one of its processes (MB), and what
    it read (MB; 0 where the system does not count it)."""
    started = time.perf_counter()
    counted = Path(tempfile.mkdtemp()) / "io"
    code = (
        "import atexit, pathlib, sys\n"
        "from cpgpt_doctor import cli\n"
        "code = cli.main(sys.argv[2:])\n"
        "io = pathlib.Path('/proc/self/io')\n"
        "pathlib.Path(sys.argv[1]).write_text(io.read_text() if io.exists() else '')\n"
        "sys.exit(code)\n"
    )
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-c", code, counted, *map(str, arguments), "--format", "json"],
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        seconds = time.perf_counter() - started
        out.seek(0)
        text = out.read()
    report: dict[str, Any] = json.loads(text) if text else {"findings": []}
    fields = dict(line.split(": ") for line in counted.read_text().splitlines())
    return report, seconds, memory(used), int(fields.get("rchar", 0)) / 1e6


def memory(used: resource.struct_rusage) -> float:
    scale = 1 if platform.system() == "Darwin" else 1024
    return used.ru_maxrss * scale / 1e6


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, default=2000)
    parser.add_argument(
        "--folder", type=Path, help="on a disk with room (default: a temporary one)"
    )
    arguments = parser.parse_args()
    print("| | seconds | most memory (MB) | read (MB) | left |")
    print("|---|---|---|---|---|", flush=True)
    with (
        place() as genomes,
        tempfile.TemporaryDirectory(prefix="published-", dir=arguments.folder) as name,
    ):
        folder = Path(name, "dependencies")
        folder.mkdir()
        computed = make(folder, genomes.plain, arguments.rows, arguments.real)
        given = Path(name, "computed.txt")
        given.write_text(
            "\n".join(random.Random(2).sample(computed, min(300, len(computed)))) + "\n"
        )
        before = digest(folder / "ensembl_metadata.db")
        repair = ("repair", "--dependencies-dir", folder)
        audit = ("--device", "cpu", "--locations", given, "--dependencies-dir", folder)
        for what, call in (
            ("check --quick", ("check", "--quick", "--dependencies-dir", folder)),
            ("repair", repair),
            ("repair --apply", (*repair, "--apply")),
            ("verify some of them", ("verify", *audit)),
            ("repair --undo", (*repair, "--undo")),
        ):
            report, seconds, most, read = ran(*call)
            left = "" if what.endswith("--undo") else said(report)
            print(f"| {what} | {seconds:.1f} | {most:.0f} | {read:,.0f} | {left} |", flush=True)
        same = digest(folder / "ensembl_metadata.db") == before
    print(
        f"\n{arguments.rows:,} rows of 1,024 numbers ({arguments.rows * 4096 / 1e6:,.0f} MB),"
        f" {arguments.real:,} of them computed. The index after --undo is the old one, byte for"
        f" byte: {'yes' if same else 'no'}. {os.cpu_count()} CPU cores, {platform.system()}, Python"
        f" {platform.python_version()}. Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
