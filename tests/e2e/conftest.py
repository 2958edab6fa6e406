"""What the tests of whole commands share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import World, once
from tests.e2e.test_reference_rows import embed

SOME = 12


@pytest.fixture(scope="session")
def ours(world: World, locations: list[str]) -> Path:
    """A store that run-embed made of the first locations (SOME); not to be written to."""

    def make(folder: Path) -> None:
        made = world.dependencies("ours")
        ran = embed(world, "0.0.13", made, locations[:SOME])
        assert ran.returncode == 0, ran.stderr
        made.rename(folder)

    return once(world.shared / "ours", make)


@pytest.fixture
def copies(world: World, ours: Path) -> Callable[[str], Path]:
    """Copies of it by name: runs on them need not hold their rows against CpGPT's again."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(ours, world.folder / name, symlinks=True))

    return copied
