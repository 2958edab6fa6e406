"""No run adds rows of another world to a store, and "verified" is said of what was checked."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import faults
from tests.conftest import World
from tests.e2e.conftest import SOME
from tests.e2e.test_reference_rows import embed, stored
from tests.e2e.test_run_embed import Running


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a dependencies folder but our own working files."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cpgpt-doctor" not in path.parts
    }


def record(folder: Path) -> dict[str, object]:
    return json.loads(next(folder.rglob("*.run.json")).read_text())


@pytest.fixture
def copy(world: World, ours: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ours, tmp_path / "store", symlinks=True))


@pytest.fixture
def theirs(made_by_cpgpt: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a store that unmodified CpGPT of a release made."""

    def copied(release: str) -> Path:
        target = tmp_path / f"theirs-{release}"
        return Path(shutil.copytree(made_by_cpgpt(release), target, symlinks=True))

    return copied


def test_the_first_run_holds_its_rows_against_unmodified_cpgpt(ours: Path) -> None:
    (proof,) = record(ours)["proofs"]  # type: ignore[misc]
    assert proof["device"].startswith("cpu")
    assert proof["windows"] == SOME
    assert proof["largest_difference"] == 0.0


def test_rows_of_unmodified_cpgpt_are_looked_at_before_any_are_added(
    world: World, locations: list[str], reference, theirs: Callable[[str], Path]
) -> None:
    folder = theirs("0.0.13")
    before = next(folder.rglob("*.mmap")).read_bytes()
    extra = "1:12345"
    ran = embed(world, "0.0.13", folder, [*locations, extra])
    assert ran.returncode == 0, ran.stderr
    assert f"looked at: {len(locations)} rows" in ran.stdout
    assert "32 of them computed again alone, equal bit for bit" in ran.stdout
    assert "not proved" in ran.stdout
    assert np.array_equal(stored(folder, locations), reference("0.0.13"))
    assert next(folder.rglob("*.mmap")).read_bytes().startswith(before[: 4096 * len(locations)])
    (found,) = record(folder)["found"]  # type: ignore[misc]
    assert found["rows"] == len(locations)


def test_another_genome_is_refused(
    world: World, locations: list[str], copy: Path, tmp_path: Path
) -> None:
    bases = bytearray(world.genome.read_bytes())
    at = bases.index(b"A", 20_000)
    bases[at : at + 1] = b"C"
    other = tmp_path / "other.fa"
    other.write_bytes(bases)
    before = snapshot(copy)
    ran = embed(world, "0.0.13", copy, locations[: SOME + 2], genome=other)
    assert ran.returncode == 2, ran.stdout
    assert "error[CPG522]" in ran.stdout
    assert "has other bases" in ran.stdout
    assert snapshot(copy) == before


@pytest.mark.full  # the same without a model: tests/unit/test_admission.py
def test_other_weights_of_the_same_model_are_refused(
    world: World, locations: list[str], copy: Path, tmp_path: Path
) -> None:
    cache = Path(shutil.copytree(world.variables["HF_HOME"], tmp_path / "hf", symlinks=True))
    weights = next(cache.rglob("model.safetensors"))
    # The file is the length of a header, the header in JSON, and the numbers.
    data = bytearray(weights.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    (name,) = [each for each in header if "word_embeddings" in each]
    start, end = (8 + length + at for at in header[name]["data_offsets"])
    numbers = np.frombuffer(data, "float32", offset=start, count=(end - start) // 4)
    numbers += 0.1
    weights.write_bytes(data)
    before = snapshot(copy)
    ran = embed(world.under(HF_HOME=str(cache)), "0.0.13", copy, locations[: SOME + 2])
    assert ran.returncode == 2, ran.stdout
    assert "error[CPG522]" in ran.stdout
    assert "other weights" in ran.stdout
    assert snapshot(copy) == before


def test_rows_shifted_by_one_are_found_where_no_record_covers_them(
    world: World, locations: list[str], copy: Path
) -> None:
    next(copy.rglob("*.run.json")).unlink()
    path = next(copy.rglob("*.mmap"))
    rows = path.read_bytes()
    path.write_bytes(rows[4096:] + rows[:4096])
    before = snapshot(copy)
    ran = embed(world, "0.0.13", copy, locations[:SOME])
    assert ran.returncode == 2, ran.stdout
    assert "error[CPG513]: 12 of 12 stored rows are not what their locations" in ran.stdout
    assert "verified:" not in ran.stdout
    assert snapshot(copy) == before


@pytest.mark.full  # over a stand-in: tests/unit/test_endings.py
def test_a_genome_that_is_replaced_during_the_run_ends_it(
    world: World, locations: list[str], reference, tmp_path: Path
) -> None:
    others = [f"1:{position}" for position in range(100, 40_000, 57)]
    folder = world.dependencies("fit-replaced")
    genome = tmp_path / "genome.fa"
    shutil.copy(world.genome, genome)
    running = Running(world, folder, [*locations, *others], "--genome", genome)
    running.wait_until(lambda: running.committed() > 0)
    new = tmp_path / "new.fa"
    new.write_text(genome.read_text().translate(str.maketrans("ACGT", "CATG")))
    new.replace(genome)
    code, _, err = running.end()
    assert code == 1
    assert "was changed or replaced during the run" in err
    kept = running.committed()
    assert 0 < kept < len(locations) + len(others)
    names = locations[:kept]
    assert np.array_equal(stored(folder, names), reference("0.0.13")[: len(names)])


@pytest.fixture
def faulty(world: World, tmp_path: Path) -> World:
    return world.under(**faults.install(tmp_path / "faults"))


@pytest.mark.full  # over a stand-in: tests/unit/test_endings.py
def test_a_first_part_that_is_wrong_is_found(faulty: World, locations: list[str]) -> None:
    """Of all parts of a run some rows are computed again, not only of the whole."""
    folder = faulty.dependencies("fit-first")
    variables = {"CPGPT_DOCTOR_FAULT": "first", "CPGPT_DOCTOR_FAULT_STORE": str(folder)}
    ran = embed(faulty.under(**variables), "0.0.13", folder, locations)
    assert ran.returncode == 1, ran.stdout
    assert "4 of 8 rows computed again alone differ" in ran.stderr
    assert record(folder)["status"] == "unfinished"


@pytest.mark.full  # over a stand-in: tests/unit/test_endings.py
def test_rows_that_differ_from_unmodified_cpgpt_stop_the_run_before_anything_is_stored(
    faulty: World, locations: list[str]
) -> None:
    folder = faulty.dependencies("fit-ours-wrong")
    ran = embed(faulty.under(CPGPT_DOCTOR_FAULT="ours"), "0.0.13", folder, locations)
    assert ran.returncode == 1, ran.stdout
    assert "rows computed by unmodified CpGPT and by run-embed differ" in ran.stderr
    assert not list(folder.rglob("*.mmap"))
    assert not (folder / "ensembl_metadata.db").exists()


def test_where_a_batch_changes_rows_the_plan_says_that_none_was_used(
    faulty: World, locations: list[str], reference, copy: Path
) -> None:
    some = locations[:50]
    ran = embed(faulty.under(CPGPT_DOCTOR_FAULT="batched"), "0.0.13", copy, some)
    assert ran.returncode == 0, ran.stderr
    (line,) = [each for each in record(copy)["plan"] if each["setting"] == "batch_size"]  # type: ignore[attr-defined]
    assert (line["asked"], line["applied"]) == ("8", "1")
    assert np.array_equal(stored(copy, some), reference("0.0.13")[: len(some)])


def test_a_store_without_a_record_gets_one(world: World, locations: list[str], copy: Path) -> None:
    """Also where the record is of 0.1.0, which did not say what rows were computed from."""
    path = next(copy.rglob("*.run.json"))
    old = json.loads(path.read_text())
    for key in ("bound", "proofs", "found"):
        del old[key]
    path.write_text(json.dumps(old))
    ran = embed(world, "0.0.13", copy, locations[:SOME])
    assert ran.returncode == 0, ran.stderr
    assert f"{SOME} of them computed again alone, equal bit for bit" in ran.stdout
    now = record(copy)
    assert now["bound"]
    assert now["parts"] == old["parts"]
    again = embed(world, "0.0.13", copy, locations[:SOME])
    assert again.returncode == 0, again.stderr
