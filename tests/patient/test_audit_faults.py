"""What verify says of each fault of CpGPT's own, and of healthy stores of every kind.

Every row is judged. Whether a sample of them would have shown the fault is then a matter of the
draw alone, and is tried for a hundred seeds.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor.audit import drawing
from cpgpt_doctor.patient.compute.rounding import ROUNDING
from tests.audits import (
    CONTEXT,
    Auditors,
    embedded,
    files,
    found,
    rows_file,
    wrong_locations,
)
from tests.conftest import DNA_LLM, World, once
from tests.folders import said
from tests.patient.test_dependencies import sampled
from tests.spoiled import spoiled

SEEDS = 100
FOUND = 95  # of them
TORN = [f"1:{position}" for position in random.Random(8).sample(range(300, 48_000), 600)]
GAPPED = "2:3300"  # nothing but N around it


@pytest.fixture(scope="module")
def auditors(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auditors]:
    started = Auditors(world, tmp_path_factory.mktemp("auditors"))
    yield started
    started.stop()


# What is found where all rows are judged; a fault that leaves no row wrong is one of the files.
EXPECTED = [
    ("0.0.13", "healthy", {}),
    ("0.0.13", "duplicates", {"CPG506": "", "CPG519": "locations have the row of another"}),
    ("0.0.13", "unknown_names", {"CPG513": "3 of 3 rows whose locations do not lie"}),
    ("0.0.13", "stale_checkpoint", {"CPG510": ""}),
    ("0.0.13", "half_copied", {"CPG515": ""}),
    ("0.0.13", "half_copied_and_finished", {"CPG507": "60 of 70 stored rows cannot be"}),
    ("0.0.7", "healthy", {}),
    ("0.0.7", "duplicates", {"CPG506": "", "CPG519": "locations have the row of another"}),
    ("0.0.7", "unknown_names", {"CPG513": "3 of 3 rows whose locations do not lie"}),
    ("0.0.7", "past_ten_thousand", {"CPG505": ""}),
    ("0.0.3", "healthy", {}),
    ("0.0.3", "duplicates", {"CPG506": "", "CPG519": "locations have the row of another"}),
    ("0.0.3", "unknown_names", {"CPG513": "3 of 3 rows whose locations do not lie"}),
    ("0.0.3", "added", {"CPG507": "50 of 60 stored rows cannot be"}),
]


@pytest.mark.parametrize(
    ("release", "fault", "expected"),
    [
        pytest.param(release, fault, expected, marks=sampled(release, fault))
        for release, fault, expected in EXPECTED
    ],
)
def test_each_fault_of_cpgpts_own_is_found_where_all_rows_are_judged(
    world: World, auditors: Auditors, release: str, fault: str, expected: dict[str, str]
) -> None:
    folder = spoiled(world, release, fault)
    before = files(folder)
    said = found(auditors.report(folder, release))
    assert files(folder) == before
    assert said.keys() == expected.keys()
    for code, title in expected.items():
        assert any(title in each for each in said[code]), said


def hits(locations: list[str], wrong: set[str], sample: int) -> int:
    """How many of a hundred seeds draw a wrong row."""
    return sum(not wrong.isdisjoint(drawing.draw(locations, sample, seed)) for seed in range(SEEDS))


@pytest.mark.full  # dear; a mixed batch below is a fault without a law, too
@pytest.mark.parametrize("release", ["0.0.3", "0.0.7", "0.0.13"])
def test_rows_of_torn_reads_are_found_one_by_one_and_by_nearly_every_sample(
    world: World, auditors: Auditors, release: str
) -> None:
    """As forked workers tear them: rows of windows of anywhere, without a law."""
    torn = embedded(world, release, "torn", TORN, torn=0.02)
    whole = embedded(world, release, "whole", TORN)
    stored, right = (np.fromfile(rows_file(each), "f4").reshape(-1, 1024) for each in (torn, whole))
    count = len(TORN)
    wrong = {TORN[row] for row in np.flatnonzero((stored[:count] != right[:count]).any(axis=1))}
    assert 0.01 * count <= len(wrong) <= 0.04 * count
    told = auditors.report(torn, release)
    assert wrong_locations(told) == wrong
    assert found(told).keys() == {"CPG513"}
    assert told.facts.audit is not None
    assert told.facts.audit.counts == {"own": count - len(wrong), "unknown": len(wrong)}
    assert told.facts.audit.laws == ()
    assert hits(TORN, wrong, 300) >= FOUND


@pytest.mark.parametrize(
    "release", ["0.0.13", *(pytest.param(x, marks=pytest.mark.full) for x in ("0.0.3", "0.0.7"))]
)
def test_rows_of_a_mixed_batch_are_found_and_named(
    world: World, auditors: Auditors, release: str
) -> None:
    given = [*TORN[:100], GAPPED, *TORN[100:200]]
    mixed = embedded(world, release, "mixed", given, batch=8)
    told = auditors.report(mixed, release)
    assert told.facts.audit is not None
    assert told.facts.audit.counts == {"own": 194, "padded": 7}
    assert hits(given, wrong_locations(told), 100) >= FOUND


# Healthy stores

SMALL = "hyenadna-large-1m-seqlen-hf"  # which all releases know; of a token for each base
MODELS = {DNA_LLM: 1024, SMALL: 256}
# Rows; of which species; how far the rows are from what is computed here, relative to their norm.
HEALTHY = (
    *((1, "homo_sapiens", 0.0), (2, "mus_musculus", ROUNDING), (17, "homo_sapiens", ROUNDING)),
    *((63, "mus_musculus", 0.0), (64, "homo_sapiens", ROUNDING / 3), (120, "homo_sapiens", 0.0)),
    (120, "mus_musculus", ROUNDING),
)


def add_small_model(world: World) -> None:
    """A model of another width and of single bases beside the world's own."""

    def make(folder: Path) -> None:
        from transformers import EsmConfig, EsmModel, EsmTokenizer

        hub = Path(world.variables["HF_HOME"], "hub")
        place = hub / f"models--LongSafari--{SMALL}"
        shutil.copytree(next(hub.glob(f"models--*{DNA_LLM}")), place)
        snapshot = next(place.glob("snapshots/*"))
        vocabulary = snapshot / "vocab.txt"
        special = ("unk", "pad", "mask", "cls", "eos", "bos")
        vocabulary.write_text("\n".join([*(f"<{each}>" for each in special), *"ATCGN"]))
        EsmTokenizer(str(vocabulary), eos_token=None).save_pretrained(str(snapshot))
        config = EsmConfig.from_pretrained(str(snapshot))
        config.hidden_size, config.vocab_size = MODELS[SMALL], len(special) + 5
        EsmModel(config).save_pretrained(str(snapshot))

    once(world.shared / "small-model", make)


def healthy(folder: Path, dna_llm: str, count: int, species: str, apart: float) -> None:
    """Of a store that CpGPT made, one of its first rows, of a species, computed elsewhere."""
    path, width = rows_file(folder, dna_llm), MODELS[dna_llm]
    rows = np.fromfile(path, "f4").reshape(-1, width)[:count]
    error = np.random.default_rng(count).normal(size=rows.shape)
    error *= 0.99 * apart / np.linalg.norm(error, axis=1, keepdims=True)
    moved = rows + error * np.linalg.norm(rows, axis=1, keepdims=True)
    moved.astype("f4").tofile(path)
    with path.open("r+b") as stream:  # as CpGPT allocates
        stream.truncate(10_000 * width * 4)
    with sqlitedict.SqliteDict(folder / "ensembl_metadata.db", autocommit=True) as entries:
        entry = entries["homo_sapiens"]
        table = entry[dna_llm][CONTEXT]
        entry[dna_llm][CONTEXT] = {name: row for name, row in table.items() if row < count}
        del entries["homo_sapiens"]
        entries[species] = entry
    rename = (
        (folder / "dna_embeddings" / "homo_sapiens", folder / "dna_embeddings" / species),
        *(
            (genome, genome.with_name(genome.name.replace("homo_sapiens", species)))
            for genome in (folder / "genomes").glob("homo_sapiens.*")
        ),
    )
    for old, new in rename:
        old.rename(new)


@pytest.mark.parametrize("release", ["0.0.3", "0.0.7", "0.0.13"])
@pytest.mark.parametrize("dna_llm", MODELS)
@pytest.mark.parametrize(("count", "species", "apart"), HEALTHY)
@pytest.mark.sample(3)
def test_healthy_stores_raise_nothing(
    world: World,
    auditors: Auditors,
    tmp_path: Path,
    release: str,
    dna_llm: str,
    count: int,
    species: str,
    apart: float,
) -> None:
    """Of each family, two models, two species, any size, with the rounding of other devices."""
    add_small_model(world)
    name = f"healthy-{release}-{count}-{species}"
    made = embedded(world, release, name, TORN[:120], batch=4, dna_llm=dna_llm)
    folder = tmp_path / "alone" / "dependencies"
    shutil.move(made, folder)
    healthy(folder, dna_llm, count, species, apart)
    told = auditors.report(folder, release, species=species)
    assert found(told) == {}
    assert told.facts.audit is not None
    assert told.facts.audit.counts == {"own": count}
    if not apart:
        assert told.facts.audit.equal == count
    assert [each for each in said(folder) if each[0] != "CPG511"] == []
