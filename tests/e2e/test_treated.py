"""Failures of the real worker are treated; over a stand-in: tests/unit/test_survives.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import faults
from tests.conftest import World
from tests.e2e.test_reference_rows import embed, stored
from tests.e2e.test_store_fit import record

NOTHING_BUT_N = "2:4500"


@pytest.fixture
def faulty(world: World, tmp_path: Path) -> World:
    return world.under(**faults.install(tmp_path / "faults"))


@pytest.mark.full
def test_a_window_on_which_the_model_aborts_is_set_aside_and_the_others_are_right(
    faulty: World,
    locations: list[str],
    reference: Callable[[str], np.ndarray],
    copies: Callable[[str], Path],
) -> None:
    folder, some = copies("poisoned"), locations[:24]
    asked = [*some[:18], NOTHING_BUT_N, *some[18:]]
    ran = embed(faulty.under(CPGPT_DOCTOR_FAULT="poisoned"), "0.0.13", folder, asked)
    assert ran.returncode == 1, ran.stdout
    assert f"were set aside: {NOTHING_BUT_N};" in ran.stderr
    assert [each["location"] for each in record(folder)["set_aside"]] == [NOTHING_BUT_N]  # type: ignore[attr-defined]
    assert np.array_equal(stored(folder, some), reference("0.0.13")[: len(some)])


@pytest.mark.full
def test_where_torch_finds_no_memory_smaller_batches_give_the_same_rows(
    faulty: World,
    locations: list[str],
    reference: Callable[[str], np.ndarray],
    copies: Callable[[str], Path],
) -> None:
    folder, some = copies("large"), locations[:50]
    ran = embed(faulty.under(CPGPT_DOCTOR_FAULT="large"), "0.0.13", folder, some)
    assert ran.returncode == 0, ran.stderr
    treated = record(folder)["treatments"]
    assert [(each["code"], each["done"]) for each in treated] == [  # type: ignore[attr-defined]
        ("CPG707", "batch_size: 8 -> 4"),
        ("CPG707", "batch_size: 4 -> 2"),
    ]
    assert np.array_equal(stored(folder, some), reference("0.0.13")[: len(some)])
