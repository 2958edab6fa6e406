"""How long the reading of sources takes, against `ruff check --no-cache` on the same files.

    python benchmarks/sources.py [--files 1000] [--rounds 5]

Two trees of that many files: the corpus of tests/sources, each followed by ordinary code, so that
every file has to do with CpGPT; and of ordinary code alone. Ours is the time of reading in a new
process, from the first folder to the facts, without the interpreter's start; ruff's is that of its
process with its default rules. The two alternate. Both by wall clock and by CPU time (user and
system), which says more on a machine that is busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CASES = HERE.parent / "tests" / "sources" / "cases"
READ = """\
import json, sys, time, os
from pathlib import Path
from cpgpt_doctor.sources.read import read
before, cpu = time.perf_counter(), time.process_time()
facts = read([Path(sys.argv[1])])
print(json.dumps([time.perf_counter() - before, time.process_time() - cpu, len(facts.files)]))
"""
FILLER = 8_000  # characters of ordinary code in a file: about 200 lines


def ordinary() -> list[str]:
    """Modules of Python's own library that are neither short nor long, cut at a statement."""
    folder = Path(sysconfig.get_path("stdlib"))
    found = []
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if len(text) > FILLER and "cpgpt" not in text.lower():
            cut = text.find("\ndef ", FILLER)
            found.append(text[: cut + 1] if cut > 0 else text[:0])
    return [text for text in found if text]


def write(folder: Path, files: int, *, with_cpgpt: bool) -> None:
    texts = ordinary()
    scripts = [path for path in sorted(CASES.glob("*.py")) if not is_broken(path)]
    for number in range(files):
        place = folder / f"part{number // 100:02}"
        place.mkdir(exist_ok=True)
        text = texts[number % len(texts)]
        if with_cpgpt:
            text = scripts[number % len(scripts)].read_text(encoding="utf-8") + "\n\n" + text
        (place / f"script{number:04}.py").write_text(text, encoding="utf-8")


def is_broken(path: Path) -> bool:
    try:
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return True
    return "# -*- coding" in path.read_text(encoding="utf-8")


def ours(folder: Path) -> tuple[float, float, int]:
    ran = subprocess.run(
        [sys.executable, "-c", READ, folder], capture_output=True, check=True, text=True
    )
    wall, cpu, files = json.loads(ran.stdout)
    return wall, cpu, files


def ruffs(folder: Path) -> tuple[float, float]:
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    command = [str(ruff) if ruff.exists() else shutil.which("ruff") or "ruff"]
    before, children = time.perf_counter(), os.times()
    subprocess.run([*command, "check", "--no-cache", "--quiet", folder], capture_output=True)
    after = os.times()
    used = after.children_user - children.children_user
    used += after.children_system - children.children_system
    return time.perf_counter() - before, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print("| tree | files | ours, s (CPU) | ruff, s (CPU) | ratio (CPU) |")
    print("|---|---|---|---|---|")
    for name, with_cpgpt in (("every file has to do with CpGPT", True), ("no file has", False)):
        with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-benchmark-") as folder:
            write(Path(folder), args.files, with_cpgpt=with_cpgpt)
            rounds = [(ours(Path(folder)), ruffs(Path(folder))) for _ in range(args.rounds)]
        wall, cpu, other, other_cpu = (
            statistics.median(each[side][at] for each in rounds) for side in (0, 1) for at in (0, 1)
        )
        ratio = statistics.median(mine[0] / its[0] for mine, its in rounds)
        by_cpu = statistics.median(mine[1] / its[1] for mine, its in rounds)
        print(
            f"| {name} | {args.files:,} | {wall:.2f} ({cpu:.2f}) | {other:.2f} ({other_cpu:.2f})"
            f" | {ratio:.1f} ({by_cpu:.1f}) |"
        )
    print(
        f"\nMedians of {args.rounds} rounds. {os.cpu_count()} CPU cores, {platform.system()},"
        f" Python {platform.python_version()}. Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
