"""Dependencies folders as CpGPT makes them, and what check says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlitedict

from cpgpt_doctor.facts import Facts, from_data, to_data
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.probes.dependencies import observe_folders
from cpgpt_doctor.rules.registry import judge
from cpgpt_doctor.store import metadata
from cpgpt_doctor.store.layout import WIDTHS, StorePaths

LLM = "hyenadna-tiny-1k-seqlen-d256"
SPECIES = "homo_sapiens"
LETTERS = "ACGT"


def names(count: int, chromosome: str = "1", start: int = 1000, step: int = 7) -> list[str]:
    return [f"{chromosome}:{start + at * step}" for at in range(count)]


def values(locations: Sequence[str], width: int = 256) -> np.ndarray:
    """Rows that tell their location."""
    seeds = [int(hashlib.sha256(str(each).encode()).hexdigest()[:8], 16) for each in locations]
    return np.stack([np.random.default_rng(seed).standard_normal(width, "f4") for seed in seeds])


def set_index(
    folder: Path,
    table: dict[Any, Any],
    *,
    species: str = SPECIES,
    dna_llm: str = LLM,
    length: int = 201,
    database: str = metadata.FILE,
    vocab: Sequence[str] = ("1", "2"),
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sqlitedict.SqliteDict(folder / database, autocommit=True) as entries:
        entry = entries.get(species, {"assembly": "Test", **{each: {} for each in WIDTHS}})
        entry["vocab"] = {name: at for at, name in enumerate(vocab)}
        entry["reverse_vocab"] = dict(enumerate(vocab))
        entry.setdefault(dna_llm, {})[length] = table
        entries[species] = entry


def set_rows(paths: StorePaths, rows: np.ndarray, allocated: int = 0) -> None:
    """A file of rows, with zeros up to as many as CpGPT allocated."""
    paths.folder.mkdir(parents=True, exist_ok=True)
    rows.astype("f4").tofile(paths.rows)
    with paths.rows.open("r+b") as stream:
        stream.truncate(max(len(rows), allocated) * rows.shape[1] * 4)


def store(
    folder: Path,
    locations: Sequence[str],
    *,
    species: str = SPECIES,
    dna_llm: str = LLM,
    length: int = 201,
    allocated: int = 0,
    kind: Any = np.int64,
) -> StorePaths:
    """A store whose rows are those of its locations."""
    width = WIDTHS.get(dna_llm)
    paths = StorePaths(folder, species, dna_llm, length, width)
    table = {each: kind(at) for at, each in enumerate(locations)}
    set_index(folder, table, species=species, dna_llm=dna_llm, length=length)
    set_rows(paths, values(locations, width or 64), allocated)
    return paths


def genome(folder: Path, text: str | None = None, species: str = SPECIES) -> Path:
    """A genome of two sequences, 1 and 2, in upper case."""
    path = folder / "genomes" / f"{species}.Test.dna.toplevel.fa"
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        rng = np.random.default_rng(4)
        lines = ["".join(rng.choice(list(LETTERS), 60)) for _ in range(2000)]
        text = "".join(f">{name}\n" + "\n".join(lines) + "\n" for name in "12")
    path.write_text(text)
    return path


def observed(*given: Path, searched: Sequence[Path] = (), everything: bool = False) -> Facts:
    """Facts of folders, as they are after a file that holds them was read again."""
    folders = observe_folders(list(given), list(searched), everything=everything)
    return from_data(to_data(Facts(dependencies=folders)))


def findings(facts: Facts, intent: Intent | None = None) -> list[Finding]:
    """What the rules find, notes left out."""
    return [
        finding
        for each in judge(facts, intent or Intent())
        for finding in each.check.findings
        if finding.severity > Severity.note
    ]


def said(*given: Path, **options: Any) -> list[tuple[str, str]]:
    """Code and severity of all that is found in folders."""
    found = findings(observed(*given, **options))
    return sorted((each.code, each.severity.name) for each in found)


def one(code: str, *given: Path, **options: Any) -> Finding:
    """The only finding of a code."""
    (found,) = (each for each in findings(observed(*given, **options)) if each.code == code)
    return found


def unknown(facts: Facts) -> dict[str, str]:
    """What could not be judged: the summaries by code."""
    return {
        each.code: each.check.summary.en
        for each in judge(facts, Intent())
        if each.check.status == "unknown" and each.code.startswith("CPG5")
    }
