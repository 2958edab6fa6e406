"""Looks through files of rows: with NumPy, in bounded memory, and right whatever stands there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cpgpt_doctor.patient.compute import audit
from cpgpt_doctor.patient.compute.rounding import ROUNDING
from tests.environment import clean_environment

WIDTH = 64
RNG = np.random.default_rng(3)


def rows(count: int, spread: float = 1.0) -> np.ndarray:
    """Rows that are alike but for a part of this size, as embeddings of near windows are."""
    alike = RNG.normal(size=WIDTH)
    return (alike + spread * RNG.normal(size=(count, WIDTH))).astype(np.float32)


def silent(done: int) -> None:
    pass


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "CHUNK_BYTES", 100 * WIDTH * 4)


@pytest.mark.parametrize("spread", [1.0, 0.01])
def test_each_row_is_found_where_it_stands_up_to_rounding_and_nowhere_else(
    tmp_path: Path, spread: float
) -> None:
    file = rows(1234, spread)
    file[500] = file[7]
    file[900], file[901] = 0, np.nan
    file.tofile(tmp_path / "rows")
    wanted = [7, 0, 1233, 321, 322]
    error = RNG.normal(size=(len(wanted), WIDTH))
    error *= 0.9 * ROUNDING / np.linalg.norm(error, axis=1, keepdims=True)
    near = file[wanted] + error * np.linalg.norm(file[wanted], axis=1, keepdims=True)
    absent = rows(3)
    further = file[[5]] + 20 * error[:1] * np.linalg.norm(file[5])
    looked_for = np.concatenate([near, absent, further]).astype(np.float32)
    looked_for.tofile(tmp_path / "wanted")
    found = audit.find(str(tmp_path / "rows"), WIDTH * 4, 1234, str(tmp_path / "wanted"), silent)
    assert found["rows"] == [[7, 500], [0], [1233], [321], [322], [], [], [], []]


def test_only_the_named_rows_of_a_file_are_looked_through(tmp_path: Path) -> None:
    file = rows(300)
    file.tofile(tmp_path / "rows")
    file[[10, 250]].tofile(tmp_path / "wanted")
    found = audit.find(str(tmp_path / "rows"), WIDTH * 4, 200, str(tmp_path / "wanted"), silent)
    assert found["rows"] == [[10], []]


@pytest.mark.parametrize("spread", [1.0, 0.2])
def test_the_closest_rows_are_found_with_their_distance(tmp_path: Path, spread: float) -> None:
    """Rows of another precision; zeros and what is no number are close to none of them."""
    file = rows(1234, spread)
    file[900], file[901] = 0, np.nan
    file.tofile(tmp_path / "rows")
    wanted = [7, 0, 1233, 321]
    error = RNG.normal(size=(len(wanted), WIDTH))
    error *= 0.004 / np.linalg.norm(error, axis=1, keepdims=True)
    near = file[wanted] + error * np.linalg.norm(file[wanted], axis=1, keepdims=True)
    near.astype(np.float32).tofile(tmp_path / "wanted")
    answer = audit.closest(
        str(tmp_path / "rows"), WIDTH * 4, 1234, str(tmp_path / "wanted"), silent
    )
    for row, found in zip(wanted, answer["rows"], strict=True):
        assert next(each for each, _ in found) == row
        assert found[0][1] == pytest.approx(0.004, rel=0.01)
        assert found[1][1] > 5 * found[0][1]
        assert [apart for _, apart in found] == sorted(apart for _, apart in found)
        assert 901 not in [each for each, _ in found]


def test_fewer_rows_than_are_named_are_all_named(tmp_path: Path) -> None:
    file = rows(2)
    file.tofile(tmp_path / "rows")
    file[1:].tofile(tmp_path / "wanted")
    arguments = str(tmp_path / "rows"), WIDTH * 4, 2, str(tmp_path / "wanted")
    ((first, second),) = audit.closest(*arguments, silent)["rows"]
    assert (first, second[0]) == ([1, 0.0], 0)


def compared(folder: Path, one: np.ndarray, other: np.ndarray, pairs: list[Any]) -> dict[str, Any]:
    one.tofile(folder / "one")
    other.tofile(folder / "other")
    np.array(pairs, np.int64).tofile(folder / "pairs")
    answer = audit.compare(
        str(folder / "one"), str(folder / "other"), WIDTH * 4, len(one), str(folder), silent
    )
    answer["differing"] = np.fromfile(folder / "differing", np.int64).tolist()
    answer["stands"] = np.fromfile(folder / "stands", np.int64).tolist()
    return answer


def test_two_stores_are_held_against_each_other_row_by_row(tmp_path: Path) -> None:
    other = rows(700)
    one = other[::-1].copy()
    pairs = [(699 - at, at) for at in range(700)]
    assert compared(tmp_path, one, other, pairs)["counts"]["equal"] == 700
    one[100] *= np.float32(1 + 3e-6)
    one[200], one[201], one[202, 3] = 0, RNG.normal(size=WIDTH), np.inf
    one[650] = other[699 - 200]  # whose own place holds zeros
    one[[300, 301]] = one[[301, 300]]
    answer = compared(tmp_path, one, other, pairs)
    assert answer["counts"] == {
        "equal": 693,
        "rounding": 1,
        "zero": 1,
        "not_finite": 1,
        "other": 4,
        "both": 0,
    }
    assert 0 < answer["largest"] <= ROUNDING
    found = {699 - at: row for at, row in zip(answer["differing"], answer["stands"], strict=True)}
    assert found == {200: -1, 201: -1, 202: -1, 650: -1, 300: 301, 301: 300}


def test_rows_that_are_no_embeddings_in_both_stores_are_not_equal(tmp_path: Path) -> None:
    one = rows(300)
    one[7], one[8, 3] = 0, np.nan
    answer = compared(tmp_path, one, one, [(at, at) for at in range(300)])
    assert answer["counts"] == {
        "equal": 298,
        "rounding": 0,
        "zero": 1,
        "not_finite": 1,
        "other": 0,
        "both": 2,
    }
    assert answer["differing"] == []


def test_the_nearest_other_row_is_never_that_of_the_same_number(tmp_path: Path) -> None:
    known = rows(50)
    known.tofile(tmp_path / "others")
    stored = known.copy()
    stored[3], stored[4] = known[9], np.nan
    stored.tofile(tmp_path / "rows")
    answer = audit.nearest(str(tmp_path / "rows"), str(tmp_path / "others"), WIDTH, silent)[
        "nearest"
    ]
    assert answer[3] == [9, 0.0]
    assert answer[4][1] is None
    assert all(best != at and (apart or 0) > 0 for at, (best, apart) in enumerate(answer) if at > 4)


def test_scans_need_no_torch() -> None:
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from cpgpt_doctor.patient.compute import audit, worker\n"
        "assert 'transformers' not in sys.modules\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
