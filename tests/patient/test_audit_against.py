"""Two stores held against each other: what is said of them, without a model or a genome."""

from __future__ import annotations

import os
import pickle
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from cpgpt_doctor.audit import report
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.audit import AuditFacts
from cpgpt_doctor.report import Report
from tests.audits import Silent
from tests.conftest import DNA_LLM

COUNT = 60
LOCATIONS = [f"1:{100 + row}" for row in range(COUNT)]
ROWS = np.random.default_rng(2).normal(size=(COUNT, 1024)).astype(np.float32)


def store(path: Path, rows: np.ndarray, index: dict[str, int] | None = None) -> Path:
    folder = path / "dna_embeddings" / "homo_sapiens" / DNA_LLM
    folder.mkdir(parents=True)
    rows.tofile(folder / "201bp_dna_embeddings.mmap")
    entry = {"assembly": "x", DNA_LLM: {201: index or {x: at for at, x in enumerate(LOCATIONS)}}}
    connection = sqlite3.connect(path / "ensembl_metadata.db")
    connection.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
    connection.execute("INSERT INTO unnamed VALUES ('homo_sapiens', ?)", (pickle.dumps(entry, 4),))
    connection.commit()
    connection.close()
    return path


def held(one: Path, other: Path) -> AuditFacts:
    audit = told(one, other).facts.audit
    assert audit is not None
    return audit


def told(one: Path, other: Path) -> Report:
    return report.report(Asked(one, "homo_sapiens", sys.executable, against=other), Silent())


def test_rows_that_are_zero_in_both_are_a_finding(tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[40:] = 0
    found = told(store(tmp_path / "one", rows), store(tmp_path / "other", rows))
    assert found.exit_code == 1
    assert "CPG507" in {each.code for each in found.findings}
    assert found.facts.audit is not None
    assert found.facts.audit.counts == {"own": 40, "zero": 20}
    assert found.facts.audit.wrong == 20


@pytest.mark.parametrize("rotated", [(5, 17), (5, 17, 40), (58, 59)])
def test_rows_that_changed_places_have_no_law(tmp_path: Path, rotated: tuple[int, ...]) -> None:
    rows = ROWS.copy()
    rows[list(rotated)] = rows[[*rotated[1:], rotated[0]]]
    facts = held(store(tmp_path / "one", rows), store(tmp_path / "other", ROWS))
    assert facts.counts == {"own": COUNT - len(rotated), "foreign": len(rotated)}
    assert facts.laws == ()


def test_a_shift_has_its_first_row(tmp_path: Path) -> None:
    rows = np.concatenate([ROWS[:50], ROWS[:1], ROWS[50:]])
    facts = held(store(tmp_path / "one", rows), store(tmp_path / "other", ROWS))
    (law,) = facts.laws
    assert (law.kind, law.first, law.after, law.by) == ("shift", 50, 49, 1)


def test_a_row_of_nowhere_is_not_anothers_because_that_one_has_the_same_window(
    tmp_path: Path,
) -> None:
    right = ROWS.copy()
    right[9] = right[8]
    rows = right.copy()
    rows[9] = np.random.default_rng(3).normal(size=1024)
    facts = held(store(tmp_path / "one", rows), store(tmp_path / "other", right))
    assert facts.counts == {"own": COUNT - 1, "unknown": 1}


@pytest.mark.parametrize("how", ["itself", "link", "linked rows"])
def test_a_store_proves_nothing_of_itself(tmp_path: Path, how: str) -> None:
    one = store(tmp_path / "one", ROWS)
    other = tmp_path / "other"
    if how == "itself":
        other = one
    elif how == "link":
        other.symlink_to(one)
    else:
        place = Path("dna_embeddings", "homo_sapiens", DNA_LLM, "201bp_dna_embeddings.mmap")
        store(other, ROWS)
        (other / place).unlink()
        os.link(one / place, other / place)
    with pytest.raises(InputError, match="it proves nothing"):
        told(one, other)


def test_the_same_rows_under_another_index_are_held_against_each_other(tmp_path: Path) -> None:
    index = {location: COUNT - 1 - row for row, location in enumerate(LOCATIONS)}
    one, other = store(tmp_path / "one", ROWS, index), store(tmp_path / "other", ROWS)
    (one / "dna_embeddings").rename(tmp_path / "rows")
    (one / "dna_embeddings").symlink_to(other / "dna_embeddings")
    facts = held(one, other)
    assert facts.counts["foreign"] == facts.wrong == COUNT
    assert [each.kind for each in facts.laws] == ["index"]


def test_rows_that_only_one_store_has_are_said(tmp_path: Path) -> None:
    fewer = {location: row for row, location in enumerate(LOCATIONS[:10])}
    one, other = store(tmp_path / "one", ROWS), store(tmp_path / "other", ROWS[:10], fewer)
    (check,) = [each.check for each in told(one, other).judged if each.code == "CPG513"]
    assert check.summary is not None
    assert "50 more are only here, and were not compared" in check.summary.en
