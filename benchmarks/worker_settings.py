"""Windows a second of CpGPT's own loading with 0, 2, 4 and 8 workers, at batch_size 1 and 8.

    python benchmarks/worker_settings.py

The windows are upper-case A, C, G and T. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys

from common import machine, place

from cpgpt_doctor import bench

BATCH_SIZES = (1, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=bench.WINDOWS)
    windows = parser.parse_args().windows
    print("| batch_size | workers | windows a second | least to most | wrong windows |")
    print("|---|---|---|---|---|")
    with place() as genomes:
        for size in BATCH_SIZES:
            measured = bench.measure(
                python=sys.executable, genome=genomes.plain, batch_size=size, windows=windows
            )
            for setting in measured.settings:
                if setting.path == "cpgpt" and setting.rate is not None:
                    print(
                        f"| {size} | {setting.workers} | {setting.rate:,.0f} |"
                        f" {min(setting.rates):,.0f} to {max(setting.rates):,.0f} |"
                        f" {setting.wrong} of {setting.compared:,} |"
                    )
    print(f"\n{machine(measured)}")


if __name__ == "__main__":
    main()
