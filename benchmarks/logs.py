"""What `explain --log` finds in logs that it was tuned on, and in logs that it was not.

    python benchmarks/logs.py [--missed]

--missed: shows which logs of the half to tune on are not found, or taken for failures. Of the other
half nothing is ever shown but numbers.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cpgpt_doctor import logs
from cpgpt_doctor.rules import failures
from tests.logs.corpus import Entry, Half, entries


def found(entry: Entry) -> set[str]:
    explained = failures.judge(logs.read(io.BytesIO(entry.text.encode()), failures.WATCH))
    return {finding.code for finding in explained.findings}


def right(entry: Entry, codes: set[str]) -> bool:
    return entry.codes <= codes if entry.codes else not codes


def table(half: Half, missed: list[str]) -> str:
    total: Counter[tuple[bool, str]] = Counter()
    good: Counter[tuple[bool, str]] = Counter()
    more = 0
    for entry in entries(half):
        codes = found(entry)
        key = (not entry.codes, entry.kind)
        total[key] += 1
        good[key] += right(entry, codes)
        more += bool(entry.codes) and bool(codes - entry.codes)
        if not right(entry, codes):
            said = f"{sorted(entry.codes) or 'none'}, found {sorted(codes) or 'nothing'}"
            missed.append(f"{said}: {entry.origin} {entry.why}\n{entry.text}")
    rows = [f"| {half} | of | right | share |", "|---|---|---|---|"]
    for alike, title in ((False, "known failures found"), (True, "look-alikes left alone")):
        keys = sorted(key for key in total if key[0] is alike)
        for name, of in [(title, keys), *((f"— {key[1]}", [key]) for key in keys)]:
            all_, fine = sum(total[key] for key in of), sum(good[key] for key in of)
            rows.append(f"| {name} | {all_} | {fine} | {100 * fine / all_:.1f} % |")
    rows.append(f"| known failures in which another one is named too | | {more} | |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missed", action="store_true")
    args = parser.parse_args()
    missed: list[str] = []
    print(table("tune", missed))
    print()
    print(table("score", []))
    if args.missed:
        print("\n\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
