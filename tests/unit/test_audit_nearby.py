"""Indexes near a store are found where users have them, and read without being written to."""

from __future__ import annotations

import pickle
import random
import sqlite3
from pathlib import Path

from cpgpt_doctor.audit import nearby
from cpgpt_doctor.store.layout import StorePaths

LLM = "nucleotide-transformer-v2-500m-multi-species"
LOCATIONS = [f"1:{number}" for number in range(50)]


def order(seed: int) -> dict[str, int]:
    names = list(LOCATIONS)
    random.Random(seed).shuffle(names)
    return {name: row for row, name in enumerate(names)}


def database(path: Path, rows: dict[str, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
    value = pickle.dumps({"assembly": "x", LLM: {201: rows}}, 4)
    connection.execute("INSERT INTO unnamed VALUES ('homo_sapiens', ?)", (value,))
    connection.commit()
    connection.close()


def test_indexes_of_other_orders_are_found_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "dependencies"
    own = order(1)
    paths = StorePaths(folder, "homo_sapiens", LLM, 201, 1024)
    database(paths.database, own)
    database(folder / "human" / "ensembl_metadata.db", order(2))
    database(folder / "ensembl_metadata.db.bak", order(3))
    database(tmp_path / "data" / "backup" / "ensembl_metadata.db", order(4))
    database(folder / "copy" / "ensembl_metadata.db", own)  # the same order says nothing
    database(folder / "mammalian" / "ensembl_metadata.db", {"2:5": 0})  # of other locations
    (folder / "broken").mkdir()
    (folder / "broken" / "ensembl_metadata.db").write_bytes(b"no database")
    database(folder / "busy" / "ensembl_metadata.db", order(5))
    (folder / "busy" / "ensembl_metadata.db-journal").write_bytes(b"SQLite would roll back")
    found = dict(nearby.indexes(paths, own))
    assert found == {
        str(folder / "human" / "ensembl_metadata.db"): order(2),
        str(folder / "ensembl_metadata.db.bak"): order(3),
        str(tmp_path / "data" / "backup" / "ensembl_metadata.db"): order(4),
    }


def test_the_index_beside_the_real_rows_is_found_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "far" / "published"
    database(elsewhere / "ensembl_metadata.db", order(2))
    paths = StorePaths(tmp_path / "home" / "near" / "mine", "homo_sapiens", LLM, 201, 1024)
    database(paths.database, order(1))
    real = elsewhere / paths.rows.relative_to(paths.dependencies)
    real.parent.mkdir(parents=True)
    real.write_bytes(b"")
    paths.rows.parent.mkdir(parents=True)
    paths.rows.symlink_to(real)
    assert [path for path, _ in nearby.indexes(paths, order(1))] == [
        str(elsewhere / "ensembl_metadata.db")
    ]
