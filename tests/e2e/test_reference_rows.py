"""The promise: every stored row is the reference row, bit for bit."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlitedict

from tests.conftest import CONTEXT, DNA_LLM, HERE, PATIENTS, World

WIDTH = 1024  # numbers a row has, of this model
# A new interpreter for each worker takes seconds of CPU: 8 of them only where it is asked for.
WORKERS = int(os.environ.get("CPGPT_DOCTOR_TEST_WORKERS", "2"))


def given(world: World, locations: list[str]) -> Path:
    """A file of locations, of its own for each call."""
    number, path = tempfile.mkstemp(".txt", "locations-", world.folder)
    with os.fdopen(number, "w") as out:
        out.writelines(f"{each}\n" for each in locations)
    return Path(path)


def embed(world: World, release: str, folder: Path, locations: list[str], **options: object):
    path = given(world, locations)
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


def stored(folder: Path, locations: list[str]) -> np.ndarray:
    """The rows of a store as CpGPT reads them: its index, and numbers of its width one by one."""
    with sqlitedict.SqliteDict(folder / "ensembl_metadata.db", flag="r") as table:
        rows = table["homo_sapiens"][DNA_LLM][CONTEXT]
    (path,) = (folder / "dna_embeddings" / "homo_sapiens" / DNA_LLM).glob(f"{CONTEXT}bp*.mmap")
    numbers = np.memmap(path, dtype="float32", mode="r", shape=(len(rows), WIDTH))
    return np.stack([numbers[rows[location]] for location in locations])


def read_by_cpgpt(world: World, release: str, folder: Path, locations: list[str]) -> np.ndarray:
    """The rows of a store as unmodified CpGPT reads them."""
    request = {
        "dependencies": str(folder),
        "locations": locations,
        "dna_llm": DNA_LLM,
        "context_len": CONTEXT,
    }
    return world.in_patient(release, "read_back.py", request)


# One of each family, each batch size once, and locations added later once: a batch size, and how
# many are added. `make test-full` takes all.
SAMPLE = {"0.0.13": (8, 0), "0.0.7": (32, 10), "0.0.3": (1, 0)}


@pytest.mark.parametrize(
    ("release", "batch_size", "later"),
    [
        *((release, *sample) for release, sample in SAMPLE.items()),
        *(
            pytest.param(release, size, 10, marks=pytest.mark.full)
            for release in PATIENTS
            for size in (1, 8, 32)
            if SAMPLE[release] != (size, 10)
        ),
    ],
)
def test_each_row_is_the_reference_row_and_locations_added_later_change_none(
    world: World, release: str, batch_size: int, later: int, locations: list[str], reference
) -> None:
    folder = world.dependencies(f"run-{release}-{batch_size}-{later}")
    first = locations[: len(locations) - later]
    ran = embed(world, release, folder, first, **{"batch-size": batch_size})
    assert ran.returncode == 0, ran.stderr
    path = next(folder.rglob("*.mmap"))
    before = path.read_bytes()
    record = json.loads(next(folder.rglob("*.run.json")).read_text())
    assert record["status"] == "complete"
    if batch_size > 1:
        assert record["batch_measured"]["difference"] is not None
    if later:
        ran = embed(world, release, folder, locations, **{"batch-size": batch_size})
        assert ran.returncode == 0, ran.stderr
        assert f"{later} locations embedded" in ran.stdout
        assert path.read_bytes()[: len(before)] == before
    rows = read_by_cpgpt(world, release, folder, locations)
    equal = (rows == reference(release)).all(axis=1)
    assert equal.all(), f"{(~equal).sum()} of {len(equal)} rows differ"
    assert np.array_equal(rows, stored(folder, locations))


@pytest.mark.full
def test_with_a_thread_for_each_core_each_row_is_what_unmodified_cpgpt_gives(
    world: World, locations: list[str]
) -> None:
    """As users run it; the other tests have one thread, and so have their reference rows."""
    folder = world.dependencies("threads")
    many = world.under(OMP_NUM_THREADS=str(os.cpu_count()))
    ran = embed(many, "0.0.13", folder, locations)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(next(folder.rglob("*.run.json")).read_text())
    (proof,) = record["proofs"]
    assert proof["largest_difference"] == 0.0
    assert record["verification"]["bitwise_equal"]


@pytest.mark.parametrize(
    ("method", "workers", "count", "batch_size"),
    [
        ("spawn", 1, 20, 1),  # each loader of a run starts workers: two loaders here
        pytest.param("spawn", WORKERS, None, 8, marks=pytest.mark.full),
        pytest.param("fork", 8, None, 8, marks=pytest.mark.full),
        pytest.param("forkserver", WORKERS, None, 8, marks=pytest.mark.full),
    ],
)
def test_with_workers_each_row_is_the_reference_row(
    world: World,
    locations: list[str],
    reference,
    copies: Callable[[str], Path],
    method: str,
    workers: int,
    count: int | None,
    batch_size: int,
) -> None:
    folder = copies(f"workers-{method}-{count}")
    some = locations[:count]
    options = {"num-workers": workers, "start-method": method, "batch-size": batch_size}
    ran = embed(world, "0.0.13", folder, some, **options)
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(folder, some), reference("0.0.13")[: len(some)])
    record = json.loads(next(folder.rglob("*.run.json")).read_text())
    assert record["workers"] == workers
    assert record["tokens_checked"]["equal"]


def test_unmodified_cpgpt_changes_a_row_for_its_neighbour(
    world: World, locations: list[str], reference
) -> None:
    """The fault that equal lengths treat (CPG514), on CpGPT as it is."""
    script = world.folder / "neighbours.py"
    text = (HERE / "reference.py").read_text()
    script.write_text(text.replace("batch_size=1,", "batch_size=8,"))
    rows = world.in_patient(
        "0.0.7",
        script,
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
