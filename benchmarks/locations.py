"""How long a file of locations takes to read and check, and how much memory is then held.

    python benchmarks/locations.py [--millions 2 5] [--rounds 3] [--form pipe]

Makes files of that many locations, each of another form, and reads each in a process of its own: by
name, and in the last form from a pipe. Then it has a million probes resolved by manifests of the
size of the real ones. The benchmark fails where a count is not the one that was written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHROMOSOMES = 22
LENGTH = 250_000_000  # bases of each
MILLION = 1_000_000
PROBES = 930_000  # of a manifest, as EPICv2's
READ = """
import json, resource, sys, time
from cpgpt_doctor.genome import locations
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter(), time.process_time()
given = locations.read(sys.argv[1])
seconds = time.perf_counter() - started[0]
cpu = time.process_time() - started[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
missing = given.places.without({})
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak / 1024, "before": before / 1024,
    "count": len(missing), "bad": given.malformed, "repeated": given.duplicates}))
"""
RESOLVE = """
import json, resource, sys, time
from pathlib import Path
from cpgpt_doctor.genome import locations
from cpgpt_doctor.store import probes
started = time.process_time()
given = locations.read(sys.argv[2])
given = probes.resolve(given, Path(sys.argv[1]), "homo_sapiens")
seconds = time.process_time() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": peak / 1024, "count": given.probes.found}))
"""


def at_random(count: int) -> Iterator[str]:
    """A location a line, in no order; some stand twice."""
    rng = random.Random(1)
    for _ in range(count):
        yield f"{rng.randrange(1, CHROMOSOMES + 1)}:{rng.randrange(LENGTH)}\n"


def in_order(count: int) -> Iterator[tuple[int, int]]:
    """Chromosome and position, sorted, as the CpGs of a genome are."""
    each = count // CHROMOSOMES + 1
    step = LENGTH // each
    rng = random.Random(2)
    for number in range(count):
        yield number // each + 1, number % each * step + rng.randrange(step)


def sorted_lines(count: int) -> Iterator[str]:
    return (f"{name}:{at}\n" for name, at in in_order(count))


def bed(count: int) -> Iterator[str]:
    return (f"{name}\t{at}\t{at + 2}\n" for name, at in in_order(count))


def table(count: int) -> Iterator[str]:
    yield "probe,CpG_chrm,CpG_beg\n"
    for number, (name, at) in enumerate(in_order(count)):
        yield f"cg{number:08d},{name},{at}\n"


FORMS = {
    "a line each, in no order": at_random,
    "a line each, sorted": sorted_lines,
    "BED, sorted": bed,
    "CSV, sorted": table,
    "a line each, sorted, from a pipe": sorted_lines,
}


def run(script: str, *arguments: str, pipe: Path | None = None) -> dict[str, float]:
    given = pipe.open("rb") if pipe else None
    source = given
    if given is not None:  # a real pipe, which cannot be read by position
        cat = subprocess.Popen(["cat"], stdin=given, stdout=subprocess.PIPE)
        source = cat.stdout  # type: ignore[assignment]
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        stdin=source,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    seen: dict[str, float] = json.loads(ran.stdout)
    return seen


def manifests(folder: Path) -> Path:
    """All of the human manifests, with as many probes as the largest has; the list of probes."""
    rng = random.Random(3)
    names = [f"cg{number:08d}" for number in range(MILLION)]
    header = [
        *("CpG_chrm", "CpG_beg", "CpG_end", "address_A", "address_B", "target", "nextBase"),
        *("channel", "Probe_ID", *(f"column{number}" for number in range(15))),
    ]
    rest = "\t".join(["NA"] * 5)
    more = "\t".join(["AAACCCTACCTATATCATTCTAAATTTAACTTATAACTACAACATCAACT"] * 2 + ["NA"] * 13)
    for array, share in (("EPICv2", 1), ("EPIC+", 1), ("EPIC", 1), ("HM27", 0.03), ("HM450", 0.5)):
        path = folder / "manifests" / "Anno" / array / f"{array}.hg38.manifest.tsv.gz"
        path.parent.mkdir(parents=True)
        suffix = "_TC11" if array == "EPICv2" else ""
        columns = [("probeID" if array == "HM27" and one == "Probe_ID" else one) for one in header]
        with gzip.open(path, "wt", compresslevel=3) as out:
            out.write("\t".join(columns) + "\n")
            for name in rng.sample(names, int(PROBES * share)):
                at = rng.randrange(LENGTH)
                where = f"chr{rng.randrange(1, CHROMOSOMES + 1)}\t{at}\t{at + 2}\t"
                out.write(f"{where}{rest}\t{name}{suffix}\t{more}\n")
    (folder / "genomes").mkdir()
    organism = {
        "organism": {"name": "homo_sapiens"},
        "assembly": {"sequences": [{"name": str(one + 1)} for one in range(CHROMOSOMES)]},
    }
    metadata = folder / "genomes" / "species_metadata_EnsemblVertebrates.json"
    metadata.write_text(json.dumps([organism]))
    path = folder / "probes.txt"
    path.write_text("\n".join(names) + "\n")
    return path


def of_probes(rounds: int) -> None:
    """A million probes, resolved by manifests of the size of the real ones."""
    with tempfile.TemporaryDirectory() as name:
        path = manifests(Path(name))
        seen = [run(RESOLVE, name, str(path)) for _ in range(rounds)]
        seconds = statistics.median(each["seconds"] for each in seen)
        peak = max(each["peak"] for each in seen)
        print(
            f"\nA million probes by five manifests: {seconds:.1f} s of CPU, {peak:.0f} MiB;"
            f" {seen[0]['count']:.0f} have a location."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[2, 5])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--form", default="", help="only forms whose name contains this")
    asked = parser.parse_args()
    print("| locations | form | seconds | of CPU | peak memory (MiB) | bytes a location |")
    print("|---|---|---|---|---|---|")
    for millions in asked.millions:
        count = int(millions * MILLION)
        for form, lines in FORMS.items():
            if asked.form not in form:
                continue
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as out:
                out.writelines(lines(count))
                out.flush()
                path = Path(out.name)
                pipe = path if "pipe" in form else None
                seen = [
                    run(READ, "-" if pipe else str(path), pipe=pipe) for _ in range(asked.rounds)
                ]
            for each in seen:
                assert each["count"] + each["repeated"] == count, each
                assert each["bad"] == 0, each
            seconds = statistics.median(each["seconds"] for each in seen)
            peak = max(each["peak"] for each in seen)
            held = (peak - seen[0]["before"]) * 2**20 / count
            cpu = statistics.median(each["cpu"] for each in seen)
            row = (f"{millions:g} million", form, f"{seconds:.1f}", f"{cpu:.1f}", f"{peak:.0f}")
            print("|", " | ".join((*row, f"{held:.0f}")), "|", flush=True)
    if not asked.form:
        of_probes(asked.rounds)
    print(
        f"\nMedians of {asked.rounds} rounds, the highest peak. {os.cpu_count()} CPU cores,"
        f" {platform.system()}, Python {platform.python_version()}. Load average at the end:"
        f" {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
