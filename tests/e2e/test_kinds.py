"""run-embed follows the store: rows of the kind that it holds, whatever release is installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlitedict

from tests.conftest import CONTEXT, DNA_LLM, World
from tests.e2e.test_reference_rows import embed, stored
from tests.e2e.test_store_fit import record, snapshot

BEFORE = 60  # rows that the store has, of those of `locations`


@pytest.fixture
def begun(
    made_by_cpgpt: Callable[[str], Path], locations: list[str], tmp_path: Path
) -> Callable[[str], Path]:
    """A store that unmodified CpGPT of a release made, of the first locations alone."""

    def copied(release: str) -> Path:
        target = tmp_path / f"begun-{release}"
        folder = Path(shutil.copytree(made_by_cpgpt(release), target, symlinks=True))
        with sqlitedict.SqliteDict(folder / "ensembl_metadata.db", autocommit=True) as table:
            species = table["homo_sapiens"]
            rows = species[DNA_LLM][CONTEXT]
            assert [rows[each] for each in locations] == list(range(len(locations)))
            species[DNA_LLM][CONTEXT] = {each: rows[each] for each in locations[:BEFORE]}
            table["homo_sapiens"] = species
        path = next(folder.rglob("*.mmap"))
        path.write_bytes(path.read_bytes()[: BEFORE * 4096])
        return folder

    return copied


@pytest.mark.parametrize(
    ("made", "installed"),
    [("0.0.7", "0.0.13"), pytest.param("0.0.13", "0.0.7", marks=pytest.mark.full)],
)
def test_rows_added_with_another_family_are_those_of_the_stores_own(
    world: World,
    locations: list[str],
    reference,
    begun: Callable[[str], Path],
    made: str,
    installed: str,
) -> None:
    folder = begun(made)
    ran = embed(world, installed, folder, locations)
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(folder, locations), reference(made))
    kept = record(folder)
    padding = {"0.0.7": 1, "0.0.13": 128}
    assert kept["bound"]["model"]["padding"] == padding[made]  # type: ignore[index]
    (proof,) = kept["proofs"]  # type: ignore[misc]
    assert (proof["padding"], proof["largest_difference"]) == (padding[made], 0.0)
    (line,) = [each for each in kept["plan"] if each["setting"] == "rows"]  # type: ignore[attr-defined]
    assert line["applied"] == {"0.0.7": "not padded", "0.0.13": "padded to 128 tokens"}[made]
    assert "with nothing changed but the padding" in ran.stdout
    assert "the installed CpGPT would add the other kind" in ran.stdout
    assert "unmodified CpGPT" not in ran.stdout
    if made == "0.0.13":  # the record is followed, too; and what it holds is proved anew there
        more = [*locations, "1:12345"]
        again = embed(world, made, folder, more)
        assert again.returncode == 0, again.stderr
        assert [each["padding"] for each in record(folder)["proofs"]] == [128, None]  # type: ignore[attr-defined]
        before = snapshot(folder)
        refused = embed(world, installed, folder, more, rows="unpadded")
        assert refused.returncode == 2, refused.stderr
        assert refused.stdout.count("error[") == 1
        assert "error[CPG524]: --rows asks for the other kind" in refused.stdout
        assert snapshot(folder) == before


@pytest.mark.full
def test_loading_workers_pad_as_the_store_does(
    world: World, locations: list[str], reference, begun: Callable[[str], Path]
) -> None:
    folder = begun("0.0.7")
    options = {"num-workers": 1, "start-method": "spawn"}
    ran = embed(world, "0.0.13", folder, locations, **options)
    assert ran.returncode == 0, ran.stderr
    assert record(folder)["workers"] == 1
    assert np.array_equal(stored(folder, locations), reference("0.0.7"))


@pytest.mark.full
def test_a_new_store_gets_the_kind_that_is_asked_for(
    world: World, locations: list[str], reference
) -> None:
    folder = world.dependencies("kind-asked")
    ran = embed(world, "0.0.13", folder, locations, rows="unpadded")
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(folder, locations), reference("0.0.7"))
    assert "rows: not padded, as CpGPT up to 0.0.7 computes them" in ran.stdout
    assert "published in 2025" in json.dumps(record(folder)["plan"])


def test_a_store_of_both_kinds_is_refused_with_the_command_that_mends_it(
    world: World, locations: list[str], reference, begun: Callable[[str], Path]
) -> None:
    folder = begun("0.0.7")
    path = next(folder.rglob("*.mmap"))
    mixed = np.concatenate([reference("0.0.7")[:40], reference("0.0.13")[40:BEFORE]])
    path.write_bytes(mixed.tobytes())
    before = snapshot(folder)
    ran = embed(world, "0.0.13", folder, locations)
    assert ran.returncode == 2, ran.stdout
    assert "error[CPG524]: the store mixes both kinds of rows" in ran.stdout
    assert "up to row 39" in ran.stdout
    assert f"cpgpt-doctor repair --dependencies-dir {folder}" in ran.stdout
    assert snapshot(folder) == before
