"""Manifests of Illumina's arrays in their real form, small, with all that CpGPT's prober meets."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

from cpgpt_doctor.genome.manifests import ARRAYS

# The columns of the Infinium annotation; HM27 is still in the older form.
COLUMNS = (
    *("CpG_chrm", "CpG_beg", "CpG_end", "address_A", "address_B", "target", "nextBase", "channel"),
    *("Probe_ID", "mapFlag_A", "mapChrm_A", "mapPos_A", "mapQ_A", "mapCigar_A", "AlleleA_ProbeSeq"),
    *("mapNM_A", "mapAS_A", "type", "gene"),
)
OLDER = tuple({"Probe_ID": "probeID", "target": "probe_strand"}.get(each, each) for each in COLUMNS)
VOCABULARY = ("1", "2", "X", "MT", "KI270728.1")
OTHER = "mus_musculus"


def line(columns: tuple[str, ...], probe: str, chromosome: str, start: str) -> str:
    values = {
        **dict.fromkeys(columns, "NA"),
        **{"CpG_chrm": chromosome, "CpG_beg": start, "address_A": "47784221", "type": "II"},
        **{"Probe_ID": probe, "probeID": probe, "gene": '"TP53, ""p53"""'},
        "CpG_end": str(int(start) + 2) if start.isdecimal() else "NA",
    }
    return "\t".join(values[each] for each in columns) + "\n"


def probes(rng: random.Random, count: int, suffixes: bool) -> list[str]:
    """Names as arrays have them; some stand in every array, and some are replicates."""
    names = [f"cg{number:08d}" for number in rng.sample(range(400), count)]
    names += [f"rs{rng.randrange(99)}", f"nv-GRCh38-chr1-{rng.randrange(99)}-A-G"]
    names += [f"ch.1.{rng.randrange(9)}R", "ctl_BS_Conversion_I", f"cg{rng.randrange(400):08d}"]
    if suffixes:
        names = [f"{name}_{rng.choice(('TC11', 'BC21', 'TO12'))}" for name in names]
    return names


def write(path: Path, lines: list[str], columns: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as out:
        out.write("\t".join(columns) + "\n" + "".join(lines))


def dependencies(folder: Path, seed: int = 1, count: int = 120) -> Path:
    """A dependencies folder with the manifests of all arrays, of people and of mice."""
    rng = random.Random(seed)
    anno = folder / "manifests" / "Anno"
    for array in ARRAYS:
        columns = OLDER if array == "HM27" else COLUMNS
        lines = []
        for probe in probes(rng, count, array in ("EPICv2", "MSA")):
            chromosome = rng.choice(
                ("chr1",) * 5
                + ("chr2", "chrX", "chrM", "NA", "", "chrY", "chr1_KI270706v1_random")
                + ("chrKI270728.1", "*")
            )
            start = "NA" if chromosome in ("NA", "") else str(rng.randrange(10**6))
            lines.append(line(columns, probe, chromosome, start))
        write(anno / array / f"{array}.hg38.manifest.tsv.gz", lines, columns)
    lines = [
        line(COLUMNS, probe, rng.choice(("1", "2", "MT", "M", "chr1", "NA")), str(number))
        for number, probe in enumerate(probes(rng, count, False))
    ]
    write(folder / "manifests" / "Mammal40" / f"{OTHER}.tsv.gz", lines, COLUMNS)
    metadata = [
        {
            "organism": {"name": name, "scientific_name": name},
            "assembly": {
                "assembly_default": "Test",
                "sequences": [{"name": each} for each in VOCABULARY],
            },
        }
        for name in ("homo_sapiens", OTHER)
    ]
    (folder / "genomes").mkdir(parents=True, exist_ok=True)
    (folder / "genomes" / "species_metadata_EnsemblVertebrates.json").write_text(
        json.dumps(metadata)
    )
    return folder


def every_name() -> list[str]:
    """All names that may stand in these manifests, and others."""
    names = [f"cg{number:08d}" for number in range(400)]
    names += [f"rs{number}" for number in range(99)] + [f"ch.1.{each}R" for each in range(9)]
    names += [f"cg{number:08d}_TC11" for number in range(0, 400, 9)]
    return [*names, "ctl", "cg99999999", "1:100", "age"]
