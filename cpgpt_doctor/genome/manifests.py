"""Manifests of Illumina's arrays: at which location each probe is, as CpGPT's prober takes them.

They are the tab-separated tables of the Infinium annotation, https://zwdzwd.github.io/InfiniumAnnotation,
in the folders that CpGPT's prober reads (0.0.1 to 0.0.13, IlluminaMethylationProber).
"""

from __future__ import annotations

import csv
import gzip
import itertools
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

from cpgpt_doctor.disk import open_regular

FOLDER = "manifests"
HUMAN = "homo_sapiens"
# In the prober's order: a probe has the location of the first manifest that names it.
ARRAYS = ("EPICv2", "EPIC+", "EPIC", "HM27", "HM450", "MSA")
OTHER_SPECIES = "Mammal40"  # a file a species
PROBE, CHROMOSOME, POSITION = "Probe_ID", "CpG_chrm", "CpG_beg"
PROBE_OF_HM27 = "probeID"
SHOWN = 60  # characters of a line
SNPS = ("rs", "nv")  # probes of these names measure SNPs, or do not vary
# What pandas.read_csv takes for a missing value: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)


class Unusable(Exception):
    """A manifest that the prober cannot read whole; it takes nothing from it then."""


def paths(dependencies: Path, species: str) -> list[Path]:
    """The manifests of a species that are there, in the prober's order."""
    home = dependencies / FOLDER
    if species == HUMAN:
        found = [home / "Anno" / each / f"{each}.hg38.manifest.tsv.gz" for each in ARRAYS]
    else:
        found = [home / OTHER_SPECIES / f"{species}.tsv.gz"]
    return [each for each in found if each.exists()]


def bare(probe: str) -> str:
    """A probe's name without the suffix that EPICv2 and MSA add."""
    return probe.partition("_")[0]


def rows(text: TextIO, needed: int, columns: int) -> Iterator[list[str]]:
    """The rows of a manifest, at least so many fields of each. Raises Unusable for a long one.

    Lines are split at their tabs, in half the time, up to the first one with a quotation mark.
    """
    for line in text:
        if '"' in line:
            quoted = csv.reader(itertools.chain([line], text), delimiter="\t")
            break
        if line.count("\t") >= columns:
            raise Unusable(f"a line has more fields than the header: {line[:SHOWN]!r}")
        yield line.rstrip("\r\n").split("\t", needed)
    else:
        return
    for row in quoted:
        if len(row) > columns:
            raise Unusable(f"a line has more fields than the header: {row[0][:SHOWN]!r}")
        yield row


def read(
    path: Path, species: str, names: Collection[str], sequences: Collection[str]
) -> dict[str, str]:
    """The locations of these probes, by their names without suffix, as far as a manifest has them.

    sequences: of the genome; a probe on another has no location. Raises Unusable.
    """
    found: dict[str, str] = {}
    try:
        with (
            open_regular(path) as stream,
            gzip.open(stream, "rt", encoding="utf-8", newline="") as text,
        ):
            header = next(csv.reader([text.readline()], delimiter="\t"), [])
            of_probe = PROBE_OF_HM27 if "HM27.hg38.manifest.tsv.gz" in str(path) else PROBE
            try:
                probe_at, name_at, position_at = (
                    header.index(each) for each in (of_probe, CHROMOSOME, POSITION)
                )
            except ValueError as error:
                raise Unusable(f"its header lacks a column: {error}") from error
            last = max(probe_at, name_at, position_at)
            for row in rows(text, last + 1, len(header)):
                if len(row) <= last:
                    continue
                probe, sequence, position = row[probe_at], row[name_at], row[position_at]
                if sequence in MISSING or probe in MISSING or probe.startswith(SNPS):
                    continue
                probe = bare(probe)
                if probe not in names or probe in found or position in MISSING:
                    continue
                if species == HUMAN:
                    sequence = sequence.replace("chr", "")
                if sequence == "M":
                    sequence = "MT"
                location = f"{sequence}:{position}"
                if location.partition(":")[0] in sequences:
                    found[probe] = location
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise Unusable(f"{type(error).__name__}: {error}") from error
    return found
