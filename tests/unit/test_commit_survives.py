"""A commit killed at any moment, and on a disk that is full at any point, tears nothing.

A sample is in `make test`, all of it in `make test-full`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpgpt_doctor.store import layout, transaction
from cpgpt_doctor.store.layout import StorePaths
from tests.unit.test_store import FIRST, holds, new_store, stage

PART = [f"5:{at}" for at in range(300)]
KILLS, FULL_KILLS = 30, 260  # of a store at its place, and again of one through a link
POINTS, FULL_POINTS = 25, 200
SEED = 8


def linked(address: StorePaths, place: Path) -> None:
    """Put the database somewhere else, with a link in its place."""
    place.mkdir()
    real = place / "index.db"
    shutil.move(address.database, real)
    address.database.symlink_to(real)


def commit_in_a_child(address: StorePaths, staged: StorePaths) -> int:
    """Start a commit in a process of its own; returns its id."""
    child = os.fork()
    if child == 0:
        try:
            transaction.commit(address, staged, PART)
        finally:
            os._exit(0)
    return child


def seconds_of_a_commit(folder: Path, staged: StorePaths) -> float:
    address = new_store(folder)
    transaction.commit(address, stage(folder.with_name(f"{folder.name}-first"), FIRST), FIRST)
    started = time.monotonic()
    os.waitpid(commit_in_a_child(address, staged), 0)
    return time.monotonic() - started


def kill_commits(tmp_path: Path, kills: int, through_a_link: bool) -> dict[str, int]:
    """Kill commits at random moments; returns how often the part was in, was not, and more.

    Asserts each time that the store is whole, and that the part goes in afterwards.
    """
    staged = stage(tmp_path / "staged", PART)
    template = new_store(tmp_path / "template")
    transaction.commit(template, stage(tmp_path / "first", FIRST), FIRST)
    # The shortest of some: on a busy machine one may be long, and kills then come too late.
    length = min(seconds_of_a_commit(tmp_path / f"timed-{each}", staged) for each in range(3))
    rng = random.Random(SEED)
    seen = {"in": 0, "not in": 0, "journal": 0, "note": 0, "tail": 0}
    for kill in range(kills):
        address = StorePaths(tmp_path / f"store-{kill}", *template_names(template))
        shutil.copytree(template.dependencies, address.dependencies)
        if through_a_link:
            linked(address, tmp_path / f"far-{kill}")
        child = commit_in_a_child(address, staged)
        time.sleep(rng.random() * length)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        real = address.database.resolve()
        seen["journal"] += real.with_name(real.name + "-journal").exists()
        seen["note"] += address.note.exists()
        named = layout.named_rows(address)
        seen["tail"] += address.rows.stat().st_size > len(named) * address.row_bytes
        # Near the end of a commit, however busy the machine is.
        length *= 1.2 if len(named) == len(FIRST) else 0.8
        if len(named) == len(FIRST):
            seen["not in"] += 1
            assert holds(address, FIRST)
            transaction.commit(address, staged, PART)
        else:
            seen["in"] += 1
        assert holds(address, FIRST + PART)
        assert address.rows.stat().st_size == (len(FIRST) + len(PART)) * address.row_bytes
        shutil.rmtree(address.dependencies)
    return seen


def template_names(address: StorePaths) -> tuple[str, str, int, int]:
    return address.species, address.dna_llm, address.context_len, address.width


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(tiny_disk: Path, tmp_path: Path, points: int) -> dict[str, int]:
    """Commit with every so many bytes free; returns how often the part was in, and was not."""
    staged = stage(tmp_path / "staged", PART)
    template = new_store(tmp_path / "template")
    transaction.commit(template, stage(tmp_path / "first", FIRST), FIRST)
    seen = {"in": 0, "not in": 0}
    most = 520 * 1024  # the part takes 300 KiB of rows, and then its names
    for point in range(points):
        left = most * point // points
        address = StorePaths(tiny_disk / f"store-{point}", *template_names(template))
        shutil.copytree(template.dependencies, address.dependencies)
        filler = tiny_disk / "filler"
        filler.write_bytes(b"x" * (shutil.disk_usage(tiny_disk).free - left))
        try:
            transaction.commit(address, staged, PART)
            seen["in"] += 1
        except OSError:
            seen["not in"] += 1
            assert holds(address, FIRST)
            filler.unlink()
            transaction.commit(address, staged, PART)
        assert holds(address, FIRST + PART)
        filler.unlink(missing_ok=True)
        shutil.rmtree(address.dependencies)
    return seen


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@needs_fork
@pytest.mark.parametrize("through_a_link", [False, True], ids=["plain", "through a link"])
def test_a_commit_killed_at_any_moment_is_in_or_not(tmp_path: Path, through_a_link: bool) -> None:
    seen = kill_commits(tmp_path, KILLS, through_a_link)
    print(seen)
    assert seen["not in"] > KILLS // 5, "the kills came too late to say anything"


@needs_fork
@pytest.mark.full
@pytest.mark.parametrize("through_a_link", [False, True], ids=["plain", "through a link"])
def test_hundreds_of_killed_commits_are_in_or_not(tmp_path: Path, through_a_link: bool) -> None:
    seen = kill_commits(tmp_path, FULL_KILLS, through_a_link)
    print(seen)
    assert min(seen["in"], seen["not in"], seen["tail"], seen["note"]) > 0


def test_a_disk_full_at_any_point_leaves_the_store_as_it_was(
    tiny_disk: Path, tmp_path: Path
) -> None:
    seen = fill_disk(tiny_disk, tmp_path, POINTS)
    assert min(seen.values()) > 0


@pytest.mark.full
def test_a_disk_full_at_hundreds_of_points_leaves_the_store_as_it_was(
    tiny_disk: Path, tmp_path: Path
) -> None:
    seen = fill_disk(tiny_disk, tmp_path, FULL_POINTS)
    print(seen)
    assert min(seen.values()) > 0
