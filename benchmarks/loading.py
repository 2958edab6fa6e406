"""The safe path against CpGPT's own loading, in one run: the ratios that the README states.

    python benchmarks/loading.py

On real bases of upper-case A, C, G and T, as a real genome has them, and on a mix with N runs,
lower case and chromosome ends, whose windows take CpGPT's own tokenizer. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys

from common import machine, place

from cpgpt_doctor import bench
from cpgpt_doctor.bench import Measured, ratio

BATCH_SIZES = (1, 8)


def row(kind: str, measured: Measured) -> str:
    base, best, safe = measured.without_workers, measured.best_workers, measured.safe
    wrong = ", ".join(
        f"{setting.wrong} with {setting.workers}"
        for setting in measured.settings
        if setting.workers
    )
    cells = [
        f"{kind} ({measured.plain:.0%} plain)",
        str(measured.batch_size),
        f"{base.rate or 0:,.0f}",
        f"{best.rate or 0:,.0f} ({best.workers} workers)" if best else "none ran",
        f"{safe.rate or 0:,.0f}",
        f"{ratio(safe, base) or 0:.1f}",
        f"{ratio(safe, best) or 0:.1f}",
        f"{wrong} of {base.compared:,}",
        f"{safe.wrong} of {safe.compared:,}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "windows",
    "batch_size",
    "CpGPT, no workers (windows/s)",
    "CpGPT, best workers (windows/s)",
    "safe path (windows/s)",
    "ratio to no workers",
    "ratio to best workers",
    "wrong with CpGPT's workers",
    "wrong with the safe path",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=bench.WINDOWS)
    windows = parser.parse_args().windows
    print(f"| {' | '.join(HEAD)} |")
    print("|---" * len(HEAD) + "|")
    with place() as genomes:
        for kind, genome in (("upper-case ACGT", genomes.plain), ("mixed", genomes.mixed)):
            for size in BATCH_SIZES:
                measured = bench.measure(
                    python=sys.executable, genome=genome, batch_size=size, windows=windows
                )
                print(row(kind, measured), flush=True)
    print(f"\nMedians of {bench.ROUNDS} rounds. {machine(measured)}")


if __name__ == "__main__":
    main()
