"""A CpGPT whose names have changed is a finding, and run-embed refuses it (CPG407).

The release is really one: CpGPT 0.0.13's own package, copied, with two names changed as a
maintainer might change them. It embeds as before when it is called by a user.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import World

CHANGES = (
    ("class GenomicSequenceDataset(", "class WindowDataset("),
    ("dataset = GenomicSequenceDataset(", "dataset = WindowDataset("),
    ("num_workers: int = 8,", "workers: int = 8,"),
    ("            num_workers,\n", "            workers,\n"),
)
MISSING = ["GenomicSequenceDataset", "DNALLMEmbedder.parse_dna_embeddings(num_workers)"]


@pytest.fixture(scope="module")
def changed(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world with this CpGPT before the one that is installed."""
    folder = tmp_path_factory.mktemp("changed")
    spec = importlib.util.find_spec("cpgpt")
    assert spec is not None
    assert spec.submodule_search_locations
    shutil.copytree(Path(next(iter(spec.submodule_search_locations))), folder / "cpgpt")
    module = folder / "cpgpt" / "data" / "components" / "dna_llm_embedder.py"
    text = module.read_text(encoding="utf-8")
    for before, after in CHANGES:
        assert before in text
        text = text.replace(before, after)
    module.write_text(text, encoding="utf-8")
    return replace(world, variables={**world.variables, "PYTHONPATH": str(folder)})


def test_check_names_what_is_gone_and_calls_nothing_safe(changed: World, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    ran = changed.doctor(
        "check", "--format", "json", "--fail-on", "never", "--no-redact", "--save-facts", facts
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    (finding,) = (each for each in report["findings"] if each["code"] == "CPG407")
    assert finding["severity"] == "note"
    assert list(finding["evidence"]["seen"]) == MISSING
    statuses = {each["code"]: each["status"] for each in report["checks"]}
    assert {statuses[code] for code in ("CPG201", "CPG202", "CPG203", "CPG404")} == {"unknown"}
    assert "AttributeError" not in ran.stdout + ran.stderr
    again = changed.doctor("check", "--facts", facts, "--via", "run-embed", "--format", "json")
    assert again.returncode == 1
    (finding,) = (each for each in json.loads(again.stdout)["findings"] if each["code"] == "CPG407")
    assert finding["severity"] == "error"


def test_run_embed_refuses_it_and_stores_nothing(changed: World, tmp_path: Path) -> None:
    folder = changed.dependencies("names-changed")
    (tmp_path / "locations.txt").write_text("1:500\n")
    ran = changed.doctor(
        *("run-embed", "--dependencies-dir", folder),
        *("--locations", tmp_path / "locations.txt", "--context-len", "201"),
    )
    assert ran.returncode in (1, 2)
    assert "CPG407" in ran.stdout
    assert MISSING[0] in ran.stdout
    assert not (folder / "dna_embeddings").exists()
