"""How long `explain --log` takes over a long log, and how much memory.

    python benchmarks/long_log.py [--megabytes 100] [--rounds 3]

Makes logs of that size, each of another kind, and reads and judges each in a process of its own,
whose time on a processor is what is given: it depends least on what else the machine does.
Every log has the same two failures, one in the middle and one in the last lines; the benchmark
fails where they are not found.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

FAILURES = {
    "CPG702": """\
Traceback (most recent call last):
  File "/home/user/embed.py", line 12, in <module>
    embedder.parse_dna_embeddings(locations, species, num_workers=0)
  File "/opt/env/lib/python3.11/site-packages/torch/utils/data/dataloader.py", line 270, in __init__
    raise ValueError(
ValueError: prefetch_factor option could only be specified in multiprocessing.let num_workers > 0
""",
    "CPG709": """\
Traceback (most recent call last):
  File "/home/user/train.py", line 40, in step
    loss = model(batch)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity\
 of 23.64 GiB
""",
}
UNKNOWN = """\
Traceback (most recent call last):
  File "/home/user/embed.py", line {line}, in sample
    return table[name]
           ~~~~~^^^^^^
KeyError: 'GSM{number}'
"""


def records() -> Iterator[str]:
    """What a logger writes, a line for each batch."""
    for number in itertools.count():
        yield (
            f"2026-11-23 11:36:{number % 60:02},233 - embed - INFO - batch {number} of 900000,"
            " loss 0.1234, 0 errors\n"
        )


def bars() -> Iterator[str]:
    """A progress bar that is never ended by a new line."""
    for number in itertools.count():
        yield (
            f"\rGenerating embeddings:  {number % 100:3}%|█████▌    | {number}/900000"
            " [00:12<01:10, 57.61it/s]"
        )


def tracebacks() -> Iterator[str]:
    """An error of the user's own for each sample, caught and logged: all of it is looked at."""
    for number in itertools.count():
        yield UNKNOWN.format(line=10 + number % 40, number=number)


def names() -> Iterator[str]:
    """CpGPT's line for a sequence name that the genome does not have, for each location."""
    for number in itertools.count():
        yield (
            "2026-11-23 11:36:36.233 | WARNING | cpgpt:__getitem__:1010 - Error processing sequence"
            f" at index {number}: 'chr{number % 22 + 1} not in genome.fa.'\n"
        )


def errors() -> Iterator[str]:
    """The line of a pickling error alone, again and again."""
    return itertools.repeat("TypeError: cannot pickle 'BufferedReader' instances\n")


def one_line() -> Iterator[str]:
    """A dumped array: one line."""
    return itertools.repeat("0.12345678, ")


KINDS = {
    "records": records,
    "progress bar, one line": bars,
    "tracebacks": tracebacks,
    "names not in the genome": names,
    "pickling errors": errors,
    "one line": one_line,
}
# What is found in a log of a kind, besides FAILURES.
FOUND = {"names not in the genome": "CPG717", "pickling errors": "CPG701"}
CHILD = """
import json, resource, sys, time
from cpgpt_doctor import logs
from cpgpt_doctor.rules import failures
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
with open(sys.argv[1], "rb") as stream:
    explained = failures.judge(logs.read(stream, failures.WATCH))
print(json.dumps({
    "seconds": time.process_time() - begin,
    "before": before,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    "codes": sorted(found.code for found in explained.findings),
}))
"""


def write(path: Path, kind: str, size: int) -> None:
    parts = KINDS[kind]()
    with path.open("w", encoding="utf-8") as out:
        for half, failure in enumerate(FAILURES.values(), 1):
            while out.tell() < size * half / len(FAILURES):
                out.writelines(itertools.islice(parts, 2000))
            out.write("\n" + failure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| log | MB | CPU seconds | peak memory (MiB) | of which before reading |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / "long.log"
            write(path, kind, args.megabytes * 10**6)
            told = []
            for _ in range(args.rounds):
                ran = subprocess.run(
                    [sys.executable, "-c", CHILD, path], check=True, capture_output=True, text=True
                )
                told.append(json.loads(ran.stdout))
            for each in told:
                known = set(FAILURES) | ({FOUND[kind]} if kind in FOUND else set())
                assert set(each["codes"]) == known, (kind, each["codes"])
            seconds = statistics.median(each["seconds"] for each in told)
            peak = max(each["peak"] for each in told) / 1024
            before = told[0]["before"] / 1024
            size = path.stat().st_size / 10**6
            print(
                f"| {kind} | {size:.0f} | {seconds:.1f} | {peak:.0f} | {before:.0f} |", flush=True
            )
    print(
        f"\nMedians of {args.rounds} rounds. {os.cpu_count()} CPU cores, {platform.system()},"
        f" Python {platform.python_version()}. Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
