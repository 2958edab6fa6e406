"""--into: a published store in a cache is taken over, and then holds old and new rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlitedict

from tests.conftest import CONTEXT, DNA_LLM, World
from tests.e2e.test_kinds import BEFORE, begun
from tests.e2e.test_reference_rows import embed, stored
from tests.e2e.test_store_fit import record
from tests.unit.test_takeover import cached, frozen

__all__ = ["begun"]


@pytest.fixture
def snapshot(begun: Callable[[str], Path], tmp_path: Path) -> Path:
    """A download of rows that CpGPT 0.0.7 computed, in human/ of a snapshot folder."""
    hub = tmp_path / "hub" / "models--lucascamillomd--CpGPT"
    cached(hub / "snapshots" / "abc" / "human", begun("0.0.7"), hub / "blobs")
    return hub / "snapshots" / "abc"


def test_a_store_in_a_cache_is_taken_over_and_added_to(
    world: World, locations: list[str], reference, snapshot: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    before = frozen(snapshot.parents[1])
    refused = embed(world, "0.0.13", snapshot / "human", locations)
    assert refused.returncode == 2
    assert "error[CPG521]" in refused.stdout
    assert "--into dependencies" in refused.stdout
    ran = embed(world, "0.0.13", snapshot, locations, into=mine)
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(mine, locations), reference("0.0.7"))
    assert f"{snapshot / 'human'}->{mine}" in "".join(ran.stdout.split())
    assert record(mine)["plan"][0]["setting"] == "into"  # type: ignore[index]
    assert f"{BEFORE} were in the store already" in ran.stdout
    again = embed(world, "0.0.13", snapshot, locations, into=mine)
    assert again.returncode == 0, again.stderr
    assert "was taken over from" in again.stdout
    assert "0 locations embedded" in again.stdout
    assert frozen(snapshot.parents[1]) == before


def test_rows_under_an_index_that_is_not_theirs_are_not_taken_over(
    world: World, locations: list[str], begun: Callable[[str], Path], tmp_path: Path
) -> None:
    """As CpGPT leaves them that was given linked rows and made an index of its own."""
    download = tmp_path / "download"
    begun("0.0.7").rename(download)
    human = download / "human"
    human.mkdir()
    for name in ("ensembl_metadata.db", "dna_embeddings"):
        (download / name).rename(human / name)
    (download / "dna_embeddings").symlink_to(human / "dna_embeddings")
    shutil.copy(human / "ensembl_metadata.db", download)
    with sqlitedict.SqliteDict(download / "ensembl_metadata.db", autocommit=True) as table:
        species = table["homo_sapiens"]
        names = list(species[DNA_LLM][CONTEXT])[::-1]
        species[DNA_LLM][CONTEXT] = {each: row for row, each in enumerate(names)}
        table["homo_sapiens"] = species
    before = frozen(download)
    ran = embed(world, "0.0.13", download, locations, into=tmp_path / "mine")
    assert ran.returncode == 2, ran.stderr
    assert "error[CPG519]" in ran.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["download"]
    assert frozen(download) == before
