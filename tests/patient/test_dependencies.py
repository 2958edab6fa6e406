"""Folders that unmodified CpGPT of each family has spoiled are named by check, without a model."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cpgpt_doctor.store.layout import WIDTHS
from tests.conftest import DNA_LLM, PATIENTS, World
from tests.environment import clean_environment
from tests.folders import findings, observed, said
from tests.spoiled import FAULTS, SAMPLE, spoiled

Spoil = Callable[[str, str], Path]


def sampled(release: str, fault: str) -> tuple[pytest.MarkDecorator, ...]:
    return () if fault in SAMPLE[release] else (pytest.mark.full,)


@pytest.fixture
def spoil(world: World) -> Spoil:
    return partial(spoiled, world)


def without_the_genome(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The world's genome is soft-masked in a part."""
    return [each for each in found if each[0] != "CPG511"]


# What the files show. Where a later fault stands on an earlier one, both are named.
EXPECTED = [
    ("0.0.13", "healthy", []),
    ("0.0.13", "duplicates", [("CPG506", "error")]),
    ("0.0.13", "unknown_names", [("CPG502", "error"), ("CPG507", "error")]),
    ("0.0.13", "stale_checkpoint", [("CPG510", "warning")]),
    ("0.0.13", "half_copied", [("CPG515", "error")]),
    ("0.0.13", "half_copied_and_finished", [("CPG507", "error")]),
    ("0.0.7", "healthy", []),
    ("0.0.7", "duplicates", [("CPG506", "error")]),
    ("0.0.7", "unknown_names", [("CPG502", "error"), ("CPG507", "error")]),
    ("0.0.7", "past_ten_thousand", [("CPG505", "error")]),
    ("0.0.3", "healthy", []),
    ("0.0.3", "duplicates", [("CPG506", "error")]),
    ("0.0.3", "unknown_names", [("CPG502", "error"), ("CPG507", "error")]),
    ("0.0.3", "added", [("CPG507", "error")]),
]


@pytest.mark.parametrize(
    ("release", "fault", "expected"),
    [
        pytest.param(release, fault, expected, marks=sampled(release, fault))
        for release, fault, expected in EXPECTED
    ],
)
def test_what_cpgpt_has_spoiled_is_found(
    spoil: Spoil, release: str, fault: str, expected: list[tuple[str, str]]
) -> None:
    assert without_the_genome(said(spoil(release, fault))) == expected


@pytest.mark.full
def test_published_rows_under_a_new_index_are_foreign(spoil: Spoil) -> None:
    """0.0.7, 10,050 locations: the call ends without an error."""
    folder = spoil("0.0.7", "linked")
    found = [each for each in findings(observed(folder)) if each.code == "CPG519"]
    assert [each.severity.name for each in found] == ["error"]
    assert found[0].title.en.startswith("10,050 locations are read through an index")
    assert "human/ensembl_metadata.db, which names each of them" in found[0].causes[0].en


@pytest.mark.parametrize(
    "release", [pytest.param(each, marks=sampled(each, "linked_few")) for each in FAULTS]
)
def test_published_rows_that_a_run_wrote_over_are_named_as_gone(spoil: Spoil, release: str) -> None:
    folder = spoil(release, "linked_few")
    found = {
        str(Path(each.location.path).relative_to(folder).parts[0]): each.severity.name
        for each in findings(observed(folder))
        if each.code == "CPG519" and each.location
    }
    assert found == {"dna_embeddings": "warning", "human": "error"}


@pytest.mark.parametrize("release", PATIENTS)
def test_the_widths_of_rows_are_cpgpts(release: str) -> None:
    found = subprocess.run(
        [
            *(PATIENTS[release], "-c"),
            "import importlib.util as u; print(u.find_spec('cpgpt').submodule_search_locations[0])",
        ],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    ).stdout.strip()
    source = Path(found, "data", "components", "dna_llm_embedder.py").read_text(encoding="utf-8")
    (widths,) = (
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "self.llm_embedding_size_dict"
    )
    assert DNA_LLM in widths
    assert widths.items() <= WIDTHS.items()
