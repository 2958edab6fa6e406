"""Whole commands over probes: what is embedded is what CpGPT's data saver would ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import sqlitedict

from cpgpt_doctor.store import probes
from tests.conftest import CONTEXT, PATIENTS, World, write_genome
from tests.e2e.conftest import SOME
from tests.e2e.test_reference_rows import stored

RELEASE = "0.0.13"


def test_the_columns_of_a_matrix_are_embedded_under_the_names_of_the_genome(
    world: World, locations: list[str], reference, copies: Callable[[str], Path]
) -> None:
    folder = copies("betas")
    wanted = locations[: SOME + 4]
    with sqlitedict.SqliteDict(folder / probes.FILE, autocommit=True) as out:
        out["homo_sapiens"] = {f"cg{at}": each for at, each in enumerate(wanted)}
    names = [f"cg{at}_TC11" if at % 2 else f"cg{at}" for at in range(len(wanted) - 1)]
    columns = ["sample", *names, f"chr{wanted[-1]}", "cg999"]
    matrix = world.folder / "betas.feather"
    pd.DataFrame([["a", *[0.5] * (len(columns) - 1)]], columns=columns).to_feather(matrix)
    ran = world.doctor(
        "run-embed", "--dependencies-dir", folder, "--betas", matrix, "--fix-names",
        "--context-len", CONTEXT, "--python", PATIENTS[RELEASE], "--facts", world.facts(RELEASE),
        "--allow-all-n", "--allow-non-cpg",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(stored(folder, wanted), reference(RELEASE)[: SOME + 4])
    (record,) = (folder / "dna_embeddings").rglob("*.run.json")
    plan = {each["setting"]: each for each in json.loads(record.read_text())["plan"]}
    assert (plan["probes"]["asked"], plan["probes"]["applied"]) == ("16", "15")
    assert "7 without their suffix (--fix-names)" in plan["probes"]["why"]
    name = wanted[-1].partition(":")[0]
    assert (plan["names"]["asked"], plan["names"]["applied"]) == (f"chr{name}", name)
    assert plan["locations"]["why"].startswith(f"{SOME} are in the store already")


def test_a_matrix_whose_names_cpgpt_does_not_know_is_refused_before_anything_is_examined(
    tmp_path: Path,
) -> None:
    write_genome(tmp_path / "genome.fa")
    world = World(tmp_path, tmp_path / "genome.fa", {"HOME": str(tmp_path)}, tmp_path)
    dependencies = world.dependencies("deps")
    with sqlitedict.SqliteDict(dependencies / probes.FILE, autocommit=True) as out:
        out["homo_sapiens"] = {f"cg{at}": f"1:{at}" for at in range(100, 140)}
    (tmp_path / "betas.csv").write_text(",".join(f"cg{at}_BC11" for at in range(100, 140)) + "\n")
    asked = ("run-embed", "--dependencies-dir", dependencies, "--betas", tmp_path / "betas.csv")
    ran = world.doctor(*asked, "--format", "json", "--python", "/no/such/python")
    assert ran.returncode == 2, ran.stderr
    report = json.loads(ran.stdout)
    (finding,) = (each for each in report["findings"] if each["severity"] == "error")
    assert finding["code"] == "CPG525"
    assert finding["remedies"][0]["commands"] == [
        f"cpgpt-doctor run-embed --dependencies-dir {dependencies} --betas"
        f" {tmp_path / 'betas.csv'} --fix-names"
    ]
    assert not (dependencies / "cpgpt-doctor").exists()
    for species, said in (("human", "say --species homo_sapiens (CPG714)"), ("x", "not among")):
        ran = world.doctor(*asked, "--species", species)
        assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 2)
        assert said in ran.stderr
