"""run-embed on stores and folders that are not what it expects: nothing of anybody's is harmed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sqlitedict

from cpgpt_doctor.embed.examine import WORK
from cpgpt_doctor.embed.run import free_bytes, run
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import metadata, record
from tests.conftest import CONTEXT, DNA_LLM, World
from tests.e2e.test_reference_rows import embed, given, stored

RELEASE = "0.0.13"
NAME = f"{CONTEXT}bp_dna_embeddings.mmap"


def one_line(text: str) -> str:
    """A report without its line breaks."""
    return " ".join(text.split())


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder as it is, links followed."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_published_rows_are_refused_then_set_aside_and_a_lost_name_is_told(
    world: World, locations: list[str], reference
) -> None:
    """And a `staging` that is a link to somebody's folder is left alone, with what it leads to."""
    some = locations[:12]
    folder = world.dependencies("published")
    thesis = world.folder / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("years")
    (folder / WORK).mkdir()
    (folder / WORK / "staging").symlink_to(thesis)
    place = folder / "dna_embeddings" / "homo_sapiens" / DNA_LLM
    place.mkdir(parents=True)
    published = np.random.default_rng(4).random(1_000_003, np.float32).tobytes()
    (place / NAME).write_bytes(published)
    before = files(folder)

    refused = embed(world, RELEASE, folder, some)
    assert refused.returncode == 2
    assert "error[CPG520]: after the 0 rows that the index names" in one_line(refused.stdout)
    assert files(folder) == before

    ran = world.doctor(
        "run-embed", "--dependencies-dir", folder, "--locations", given(world, some),
        "--context-len", CONTEXT, "--device", "cpu", "--allow-all-n", "--set-aside-unnamed",
        "--facts", world.facts(RELEASE),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert (place / f"{NAME}.unnamed-1").read_bytes() == published
    assert "are now in" in ran.stderr
    assert "CPG520" in ran.stdout
    assert np.array_equal(stored(folder, some), reference(RELEASE)[:12])
    assert files(thesis) == {str(thesis / "chapter.tex"): b"years"}
    assert sorted(path.name for path in (folder / WORK).iterdir() if path.is_dir()) == ["staging"]

    with sqlitedict.SqliteDict(folder / metadata.FILE, autocommit=True) as table:
        species = table["homo_sapiens"]
        rows = species[DNA_LLM][CONTEXT]
        species[DNA_LLM][CONTEXT] = {name: row for name, row in rows.items() if row < 7}
        table["homo_sapiens"] = species
    before = files(folder)
    refused = embed(world, RELEASE, folder, some)
    assert refused.returncode == 2
    shown = one_line(refused.stdout)
    assert "error[CPG520]" in shown
    assert "5 rows that were recorded are no longer named" in shown
    assert files(folder) == before


def test_a_store_in_a_hugging_face_cache_is_refused_before_anything(
    world: World, locations: list[str]
) -> None:
    source = world.dependencies("cached-source")
    snapshot = world.folder / "hub" / "models--x--CpGPT" / "snapshots" / "0123" / "human"
    snapshot.parent.mkdir(parents=True)
    shutil.move(source, snapshot)
    before = files(world.folder / "hub")
    refused = embed(world, RELEASE, snapshot, locations[:12])
    assert refused.returncode == 2
    assert "error[CPG521]" in refused.stdout
    # A terminal breaks a long path anywhere.
    assert f"cp-rL{snapshot}/.dependencies" in "".join(refused.stdout.split())
    assert files(world.folder / "hub") == before


PART = {
    "first_row": 0,
    "rows": 3,
    "rows_digest": "x",
    "locations_digest": "y",
    "seconds": 1.5,
    "committed": "2026",
}


def written(path: Path, parts: Any, schema: str = record.SCHEMA) -> None:
    path.write_text(json.dumps({"schema": schema, "parts": parts}))


def test_a_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.run.json"
    assert record.read(path).parts == ()
    written(path, [PART])
    assert record.read(path).parts == (record.Part(0, 3, "x", "y", 1.5, "2026"),)


@pytest.mark.parametrize(
    "parts",
    [
        5,
        [5],
        [None],
        [{**PART, "rows": None}],
        [{**PART, "rows": "many"}],
        [{**PART, "rows": "3"}],
        [{**PART, "rows": 3.0}],
        [{**PART, "rows": True}],
        [{**PART, "rows_digest": 7}],
        [{**PART, "rows": []}],
        [{**PART, "rows": float("inf")}],
        [{**PART, "rows": -1}],
        [{**PART, "first_row": -5}],
        [{**PART, "seconds": {}}],
    ],
)
def test_a_record_of_wrong_types_is_refused_in_one_line(tmp_path: Path, parts: Any) -> None:
    path = tmp_path / "x.run.json"
    written(path, parts)
    with pytest.raises(InputError, match=r"x\.run\.json: is no record of a run") as said:
        record.read(path)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 4096,
        b"[" * 1_000_000,
        b'{"schema": ' + b"9" * 1_000_000 + b"}",
        b"[]",
        b'"cpgpt"',
        b"\xff\xfe",
        b'{"schema": "cpgpt-doctor/run/v9"}',
    ],
    ids=["empty", "zeros", "nested", "digits", "list", "text", "not UTF-8", "a later schema"],
)
def test_a_file_that_is_no_record_is_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.run.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"x\.run\.json: is no record of a run") as said:
        record.read(path)
    assert "\n" not in str(said.value)
    assert len(str(said.value)) < 400


@pytest.mark.parametrize("what", ["FIFO", "link to /dev/zero", "folder", "endless"])
def test_a_record_that_would_be_read_without_end_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.run.json"
    if what == "FIFO":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "endless":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"x\.run\.json: .*record of a run"):
        record.read(path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.ENOTSUP])
def test_a_disk_that_cannot_lock_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As network disks answer; a stand-in, since there is none here."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    inputs = SimpleNamespace(work=tmp_path / WORK, dependencies=tmp_path)
    with pytest.raises(InputError, match="lock: cannot be locked") as said:
        run(SimpleNamespace(inputs=inputs), None, lambda seen: ())  # type: ignore[arg-type]
    assert os.strerror(number) in str(said.value)


def test_the_free_bytes_of_a_folder_that_was_removed_are_those_of_its_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "gone" / "long ago") > 0
