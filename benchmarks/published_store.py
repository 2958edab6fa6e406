"""A downloaded store under an index of one's own: what `check` and `verify` take to tell.

    python benchmarks/published_store.py [--rows 1000000] [--real 2000] [--folder NEW]

As CpGPT's download makes it: rows and index in DIR/human. Rows of 1,024 numbers, random but for
some that CpGPT computed, in a shuffled order. As users have it then: DIR/dna_embeddings is a link
to those rows, and DIR/ensembl_metadata.db a new index of most of the locations, in order. `check`
has to name the one and pass the other; `verify` has to pass the computed rows by their own index,
and to name the rest by the wrong one. Takes rows x 4 KB on the disk. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sqlitedict
from audit_speed import embedded
from common import place

from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import StorePaths

SPECIES, CONTEXT, WIDTH = "homo_sapiens", 201, 1024
BASES = 9_000_000  # of the genome, in which windows lie whole
CHUNK = 50_000  # rows that are written at a time
USERS_SHARE = 0.93  # of the published locations
COMPUTED = "computed.txt"


def named(folder: Path, entry: dict[object, object], names: list[str]) -> None:
    """An index of these locations, in their order, as sqlitedict writes it."""
    entry = {**entry, DNA_LLM: {CONTEXT: {each: np.int64(at) for at, each in enumerate(names)}}}
    with sqlitedict.SqliteDict(folder / "ensembl_metadata.db", autocommit=True) as entries:
        entries[SPECIES] = entry


def make(folder: Path, genome: Path, rows: int, real: int) -> None:
    """Make both folders in `folder`, and a list of locations whose rows were computed."""
    rng = random.Random(1)
    names = [f"1:{each}" for each in rng.sample(range(2000, BASES), rows)]
    computed = names[:real]
    staged, _ = embedded(folder / "computed", genome, computed, CONTEXT)
    own = layout.named_rows(staged)
    data = np.fromfile(staged.rows, "f4").reshape(-1, WIDTH)
    with sqlitedict.SqliteDict(staged.database, flag="r") as entries:
        entry = {**entries[SPECIES], "assembly": "Plain"}
    shutil.rmtree(staged.dependencies)
    rng.shuffle(names)
    users = folder / "dependencies"
    published = StorePaths(users / "human", SPECIES, DNA_LLM, CONTEXT, WIDTH)
    published.folder.mkdir(parents=True)
    numbers = np.random.default_rng(1)
    with published.rows.open("wb") as out:
        for start in range(0, rows, CHUNK):
            some = names[start : start + CHUNK]
            chunk = numbers.standard_normal((len(some), WIDTH), "f4")
            for at, name in enumerate(some):
                if name in own:
                    chunk[at] = data[own[name]]
            chunk.tofile(out)
    by_user = sorted(names)[: int(USERS_SHARE * rows)]
    named(published.dependencies, entry, names)
    named(users, entry, by_user)
    (users / "dna_embeddings").mkdir()
    (users / "dna_embeddings" / SPECIES).symlink_to(published.folder.parent)
    for each in (users, published.dependencies):
        (each / "genomes").mkdir()
    chosen = rng.sample(sorted(set(computed) & set(by_user)), 300)
    (folder / COMPUTED).write_text("\n".join(chosen) + "\n")


def ran(*arguments: object) -> tuple[dict[str, object], str]:
    """The report of a command, and cells: its seconds, those of processors, and the most memory of
    one of its processes (MB)."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cpgpt_doctor", *map(str, arguments), "--format", "json"],
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        seconds = time.perf_counter() - started
        out.seek(0)
        report: dict[str, object] = json.load(out)
    scale = 1 if platform.system() == "Darwin" else 1024
    computed = used.ru_utime + used.ru_stime
    return report, f"{seconds:.1f} | {computed:.1f} | {used.ru_maxrss * scale / 1e6:.0f}"


def said(report: dict[str, object]) -> str:
    findings: list[dict[str, str]] = report["findings"]  # type: ignore[assignment]
    data = [each for each in findings if each["code"].startswith("CPG5")]
    return "; ".join(f"{each['code']} {each['title']}" for each in data) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="kept, and used again (default: temporary)")
    parser.add_argument("--make", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for one another use the processor, too
    if arguments.make:
        make(*arguments.make, arguments.rows, arguments.real)
        return
    with contextlib.ExitStack() as stack:
        genome = stack.enter_context(place()).plain
        folder = arguments.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="published-")))
        if not (folder / COMPUTED).exists():
            # In a process of its own: the memory of this one counts as that of those it starts.
            given = ("--rows", str(arguments.rows), "--real", str(arguments.real))
            subprocess.run([sys.executable, __file__, *given, "--make", folder, genome], check=True)
        measure(folder, genome)
    print(
        f"\n{arguments.rows:,} rows, {arguments.real:,} of them computed. {os.cpu_count()} CPU"
        f" cores, {platform.system()}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}. Load average at the end: {os.getloadavg()[0]:.1f}."
    )


def measure(folder: Path, genome: Path) -> None:
    users, human = folder / "dependencies", folder / "dependencies" / "human"
    for each in (users, human):
        link = each / "genomes" / f"{SPECIES}.Plain.dna.toplevel.fa"
        link.unlink(missing_ok=True)
        link.symlink_to(genome)
    look = ("check", "--quick", "--select", "CPG5", "--dependencies-dir")
    audit = ("verify", "--device", "cpu", "--locations", folder / COMPUTED, "--dependencies-dir")
    print("| | seconds | processor seconds | most memory (MB) | said |")
    print("|---|---|---|---|---|", flush=True)
    for what, call in (
        ("check, by the wrong index", (*look, users)),
        ("check, by its own", (*look, human)),
        ("verify 300, by the wrong index", (*audit, users)),
        ("verify 300, by its own", (*audit, human)),
    ):
        report, cells = ran(*call)
        print(f"| {what} | {cells} | {said(report)} |", flush=True)


if __name__ == "__main__":
    main()
