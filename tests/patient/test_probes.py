"""Probes resolve to the locations that unmodified CpGPT's prober gives, of every family."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlitedict

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.genome import locations
from cpgpt_doctor.probes import given
from cpgpt_doctor.probes.given import Source
from cpgpt_doctor.store import probes
from tests import manifests
from tests.conftest import PATIENTS, World, once

SPECIES = ("homo_sapiens", manifests.OTHER)
NAMES = manifests.every_name()


@pytest.fixture(scope="session")
def answered(world: World, release: str) -> Path:
    """A folder in which CpGPT's prober has answered, and its data saver has written."""

    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        dependencies = manifests.dependencies(folder / "dependencies")
        damage(dependencies)
        matrix = folder / "betas.feather"
        table = {"sample": ["a", "b"], **{name: [0.1, 0.9] for name in NAMES}}
        pd.DataFrame(table).to_feather(matrix)
        world.in_patient(
            release,
            "resolve_probes.py",
            {
                "dependencies": str(dependencies),
                "names": NAMES,
                "species": SPECIES,
                "matrix": str(matrix),
                "processed": str(folder / "processed"),
                "answers": str(folder / "answers.json"),
            },
        )

    return once(world.shared / f"probes-{release}", make)


def damage(dependencies: Path) -> None:
    """One manifest is cut short, and one lacks a column: CpGPT takes nothing from either."""
    anno = dependencies / "manifests" / "Anno"
    cut = anno / "EPIC+" / "EPIC+.hg38.manifest.tsv.gz"
    cut.write_bytes(cut.read_bytes()[:-200])
    columns = tuple("Name" if each == "Probe_ID" else each for each in manifests.COLUMNS)
    manifests.write(anno / "EPIC" / "EPIC.hg38.manifest.tsv.gz", [], columns)


@pytest.mark.sample(1)
def test_manifests_give_what_the_prober_gives(answered: Path, tmp_path: Path) -> None:
    answers = json.loads((answered / "answers.json").read_text())
    assert len(answers["homo_sapiens"]) > 100
    shutil.copytree(answered / "dependencies", tmp_path / "deps")
    (tmp_path / "deps" / probes.FILE).unlink()
    for species in SPECIES:
        looked_up = probes.look_up(tmp_path / "deps", species, NAMES)
        assert looked_up.by == "manifests"
        assert looked_up.locations == answers[species]
        damaged = [Path(each.path).name.partition(".")[0] for each in looked_up.not_read]
        assert damaged == (["EPIC+", "EPIC"] if species == "homo_sapiens" else [])


@pytest.mark.sample(1)
def test_the_probers_own_database_gives_the_same_without_manifests(
    answered: Path, tmp_path: Path
) -> None:
    answers = json.loads((answered / "answers.json").read_text())
    shutil.copy(answered / "dependencies" / probes.FILE, tmp_path)
    for species in SPECIES:
        looked_up = probes.look_up(tmp_path, species, NAMES)
        assert (looked_up.by, looked_up.locations) == ("database", answers[species])


@pytest.mark.sample(1)
def test_a_suffixed_name_resolves_to_nothing_in_cpgpt_and_is_cut_on_request(
    answered: Path,
) -> None:
    answers = json.loads((answered / "answers.json").read_text())["homo_sapiens"]
    suffixed = [name for name in NAMES if name.endswith("_TC11")]
    assert not set(suffixed) & answers.keys()
    named = locations.Locations("x", locations.Places(), names=dict.fromkeys(suffixed, 1))
    dependencies = answered / "dependencies"
    seen = probes.resolve(named, dependencies, "homo_sapiens").probes
    assert seen is not None
    known = [name for name in suffixed if name.partition("_")[0] in answers]
    assert (seen.found, seen.suffixed, seen.lost.count) == (0, len(known), len(suffixed))
    cut = probes.resolve(named, dependencies, "homo_sapiens", fix_names=True)
    assert cut.probes is not None
    assert (cut.probes.cut, cut.probes.found) == (len(known), len(known))
    assert set(cut.places) == {answers[name.partition("_")[0]] for name in known}


@pytest.mark.sample(1)
def test_what_the_data_saver_wrote_is_what_its_matrix_gives(answered: Path) -> None:
    """The columns that CpGPT embeds later are those of --processed-dir and those of --betas."""
    source = Source("processed", str(answered / "processed"), "homo_sapiens", "python")
    saved = given.read(source)
    matrix = Source(
        "betas", str(answered / "betas.feather"), "homo_sapiens", str(PATIENTS["0.0.13"])
    )
    columns = given.resolved(given.read(matrix), matrix, answered / "dependencies")
    assert saved.kind == "processed"
    assert set(saved.places) == set(columns.places)
    assert len(saved.places) > 100
    assert columns.probes is not None
    assert [each.location for each in columns.probes.others.examples] == ["sample", "age"]
    with pytest.raises(InputError, match="no locations of mus_musculus; it has homo_sapiens"):
        given.read(Source("processed", str(answered / "processed"), "mus_musculus", "python"))


FORMS: dict[str, Any] = {
    "feather": lambda frame, path: frame.to_feather(path),
    "arrow": lambda frame, path: write_ipc(frame, path, pa.ipc.new_file),
    "stream": lambda frame, path: write_ipc(frame, path, pa.ipc.new_stream),
    "parquet": lambda frame, path: frame.set_index("sample").to_parquet(path),
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv.gz": lambda frame, path: frame.to_csv(path, index=False, sep="\t", compression="gzip"),
}


def write_ipc(frame: pd.DataFrame, path: Path, opener: Any) -> None:
    table = pa.Table.from_pandas(frame)
    with opener(path, table.schema) as out:
        out.write_table(table)


@pytest.mark.parametrize("form", FORMS)
def test_the_columns_of_every_form_of_a_matrix_are_read(tmp_path: Path, form: str) -> None:
    names = [f"cg{number:08d}" for number in range(30_000)]
    path = tmp_path / f"betas.{form}"
    frame = pd.DataFrame([["a", *[0.5] * 30_001]], columns=["sample", *names, "1:5"])
    FORMS[form](frame, path)
    source = Source("betas", str(path), "homo_sapiens", str(PATIENTS["0.0.7"]))
    seen = given.read(source)
    assert [each for each in seen.names if each.startswith("cg")] == names
    assert list(seen.places) == ["1:5"]


def test_a_database_with_a_value_that_is_no_location_gives_no_location_for_it(
    tmp_path: Path,
) -> None:
    """CpGPT writes 1:nan where a manifest has no position, and embeds a window of N for it."""
    with sqlitedict.SqliteDict(tmp_path / probes.FILE, autocommit=True) as out:
        out["processed_files"] = []
        out["homo_sapiens"] = {"cg1": "1:5", "cg2": "1:nan", "cg3": 7, "cg4": None}
    looked_up = probes.look_up(tmp_path, "homo_sapiens", ["cg1", "cg2", "cg3", "cg4", "cg5"])
    assert looked_up.locations == {"cg1": "1:5"}
