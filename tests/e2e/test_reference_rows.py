"""The promise: every stored row is the reference row, bit for bit."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from cpgpt_doctor.embed import genome
from tests.conftest import CONTEXT, DNA_LLM, HERE, PATIENTS, World

# A new interpreter for each worker takes seconds of CPU: 8 of them only where it is asked for.
WORKERS = int(os.environ.get("CPGPT_DOCTOR_TEST_WORKERS", "2"))


def embed(world: World, release: str, folder: Path, locations: list[str], **options: object):
    path = world.folder / f"{folder.name}.txt"
    path.write_text("\n".join(locations) + "\n")
    extra = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    return world.doctor(
        "run-embed",
        "--dependencies-dir", folder,
        "--locations", path,
        "--context-len", CONTEXT,
        "--python", PATIENTS[release],
        "--facts", world.facts(release),
        "--device", "cpu",
        "--allow-all-n",
        "--allow-non-cpg",
        *extra,
    )  # fmt: skip


def stored(world: World, release: str, folder: Path, locations: list[str]) -> np.ndarray:
    """The rows of a store as unmodified CpGPT reads them."""
    request = {
        "dependencies": str(folder),
        "locations": locations,
        "dna_llm": DNA_LLM,
        "context_len": CONTEXT,
    }
    return world.in_patient(release, "read_back.py", request)


@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_each_row_is_the_reference_row(
    world: World, release: str, batch_size: int, locations: list[str], reference
) -> None:
    folder = world.dependencies(f"run-{release}-{batch_size}")
    ran = embed(world, release, folder, locations, **{"batch-size": batch_size})
    assert ran.returncode == 0, ran.stderr
    rows = stored(world, release, folder, locations)
    equal = (rows == reference(release)).all(axis=1)
    assert equal.all(), f"{(~equal).sum()} of {len(equal)} rows differ"
    record = json.loads(next(folder.rglob("*.run.json")).read_text())
    assert record["status"] == "complete"
    if batch_size > 1:
        assert record["batch_measured"]["difference"] is not None


@pytest.mark.parametrize(
    ("method", "workers"), [("fork", 8), ("spawn", WORKERS), ("forkserver", WORKERS)]
)
def test_with_workers_each_row_is_the_reference_row(
    world: World, method: str, workers: int, locations: list[str], reference
) -> None:
    folder = world.dependencies(f"workers-{method}")
    options = {"num-workers": workers, "start-method": method}
    ran = embed(world, "0.0.13", folder, locations, **options)
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(world, "0.0.13", folder, locations), reference("0.0.13"))
    record = json.loads(next(folder.rglob("*.run.json")).read_text())
    assert record["workers"] == workers
    assert record["tokens_checked"]["equal"]


def test_locations_added_to_a_finished_store_leave_every_old_row(
    world: World, release: str, locations: list[str], reference
) -> None:
    folder = world.dependencies(f"added-{release}")
    assert embed(world, release, folder, locations[:-10]).returncode == 0
    path = next(folder.rglob("*.mmap"))
    before = path.read_bytes()
    ran = embed(world, release, folder, locations)
    assert ran.returncode == 0, ran.stderr
    assert "10 locations embedded" in ran.stdout
    assert path.read_bytes()[: len(before)] == before
    assert np.array_equal(stored(world, release, folder, locations), reference(release))


def test_a_kept_index_that_lies_is_built_again_and_each_row_is_the_reference_row(
    world: World, locations: list[str], reference
) -> None:
    """By 7 bytes, and whole: with the digests that belong to it."""
    folder = world.dependencies("lying")
    path = folder / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa"
    right = genome.index(path, folder)
    lying = dataclasses.replace(
        right,
        sequences=tuple(
            dataclasses.replace(each, offset=each.offset + 7) for each in right.sequences
        ),
    )
    (folder / ".cpgpt-doctor").mkdir()
    genome.keep_index(lying, path, folder / ".cpgpt-doctor")
    assert genome.index(path, folder / ".cpgpt-doctor") == lying
    ran = embed(world, "0.0.13", folder, locations)
    assert ran.returncode == 0, ran.stderr
    assert "the kept index was thrown away and built again" in ran.stdout
    assert genome.index(path, folder / ".cpgpt-doctor") == right
    assert np.array_equal(stored(world, "0.0.13", folder, locations), reference("0.0.13"))


def test_unmodified_cpgpt_changes_a_row_for_its_neighbour(
    world: World, locations: list[str], reference
) -> None:
    """The fault that equal lengths treat (CPG514), on CpGPT as it is."""
    script = world.folder / "neighbours.py"
    text = (HERE / "reference.py").read_text()
    script.write_text(text.replace("batch_size=1,", "batch_size=8,"))
    rows = world.in_patient(
        "0.0.7",
        str(script),
        {
            "dependencies": str(world.dependencies("neighbours")),
            "genome": str(world.genome),
            "locations": locations,
            "dna_llm": DNA_LLM,
            "context_len": CONTEXT,
        },
    )
    assert (rows != reference("0.0.7")).any(axis=1).sum() > 0


def test_rows_up_to_0_0_7_and_from_0_0_8_are_of_two_kinds(reference) -> None:
    """What CPG203 and CPG702 say of an upgrade: unmodified CpGPT, each location alone."""
    assert np.array_equal(reference("0.0.3"), reference("0.0.7"))
    assert (reference("0.0.7") != reference("0.0.13")).any(axis=1).all()
