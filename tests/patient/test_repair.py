"""Folders that unmodified CpGPT of each family has spoiled are mended, and CpGPT reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cpgpt_doctor.audit.run import Asked as Computing
from cpgpt_doctor.repair import run
from cpgpt_doctor.repair.run import Asked
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import WIDTHS, StorePaths
from tests.audits import Silent
from tests.conftest import DNA_LLM, PATIENTS, World
from tests.folders import said
from tests.patient.test_dependencies import Spoil, spoil, without_the_genome

__all__ = ["spoil"]

SPECIES, LENGTH = "homo_sapiens", 101
# What is mended from the files alone, or with the model; and how many locations stay.
MENDED = [
    ("0.0.13", "duplicates", 6),
    ("0.0.13", "half_copied", 60),
    ("0.0.13", "unknown_names", 20),
    ("0.0.13", "stale_checkpoint", 900),
    ("0.0.13", "half_copied_and_finished", 70),
    ("0.0.7", "duplicates", 6),
    ("0.0.7", "past_ten_thousand", 10_001),
    ("0.0.7", "unknown_names", 20),
    ("0.0.3", "duplicates", 6),
    ("0.0.3", "added", 60),
]


@pytest.mark.parametrize(
    ("release", "fault", "stay"),
    [
        pytest.param(
            *each, marks=() if each[:2] == ("0.0.13", "half_copied") else (pytest.mark.full,)
        )
        for each in MENDED
    ],
)
def test_what_cpgpt_has_spoiled_is_mended_and_read_by_it(
    world: World,
    spoil: Spoil,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    release: str,
    fault: str,
    stay: int,
) -> None:
    for name, value in world.variables.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "dependencies"
    shutil.copytree(spoil(release, fault), folder, symlinks=True)
    computing = Computing(folder, SPECIES, str(PATIENTS[release]), device="cpu")
    done = run.apply(Asked(folder, computing=computing), lambda line: None, Silent())
    assert done.actions
    assert without_the_genome(said(folder)) == []
    paths = StorePaths(folder, SPECIES, DNA_LLM, LENGTH, WIDTHS[DNA_LLM])
    named = layout.named_rows(paths)
    assert len(named) == stay
    some = list(named)[:: max(1, stay // 50)]
    request: dict[str, object] = {
        "dependencies": str(folder),
        "locations": some,
        "dna_llm": DNA_LLM,
        "context_len": LENGTH,
    }
    read = world.in_patient(release, "read_back.py", request)
    stored = layout.read_rows(paths, [named[each] for each in some])
    assert np.array_equal(read, np.stack([np.frombuffer(each, "f4") for each in stored]))
