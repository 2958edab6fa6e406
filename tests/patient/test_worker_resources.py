"""What CPG104 and CPG105 reckon with is enough for CpGPT's loader, and much less is not.

A child of the test's own loads CpGPT's own dataset with forked workers, under a limit of open files
or with a small /dev/shm of its own (Linux lets root mount one that nobody else sees).
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from cpgpt_doctor.rules.environment.resources import open_files_needed, shared_memory_needed
from tests.conftest import World
from tests.environment import clean_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm and /proc are Linux's")
WORKERS, BATCH = 8, 8
LOAD = f"""
import os, resource, sys, time
from functools import partial

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.observe.embedder import SixMers
from torch.utils.data import DataLoader

module = upstream.import_alone()
genome = module.Fasta(sys.argv[1])
places = [f"1:{{5000 + at}}" for at in range({WORKERS * BATCH * 4})]
collate = partial(module.collate_sequences, tokenizer=SixMers())
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
loader = DataLoader(
    module.GenomicSequenceDataset(places, genome, 2001),
    batch_size={BATCH}, num_workers={WORKERS}, prefetch_factor=2, persistent_workers=True,
    collate_fn=collate, multiprocessing_context="fork", timeout=int(sys.argv[3]),
)
seen = 0
for batch in loader:
    if not seen:
        time.sleep(2)  # so that all batches that may wait do
    seen += len(batch["locations"])
assert seen == len(places)
"""


def load(
    world: World, limit: int = 0, *before: str, seconds: int = 600
) -> subprocess.CompletedProcess[str]:
    """seconds: how long the loader waits for a batch."""
    return subprocess.run(
        [*before, sys.executable, "-c", LOAD, str(world.genome), str(limit), str(seconds)],
        env=clean_environment(**world.variables),
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
    )


def test_the_open_files_that_are_reckoned_with_are_enough_and_a_third_is_not(world: World) -> None:
    needed = open_files_needed(WORKERS)
    enough = load(world, needed)
    assert enough.returncode == 0, enough.stderr[-1000:]
    few = load(world, needed // 3, seconds=20)
    assert few.returncode != 0
    # Where a worker's thread meets the limit, its batch is lost, and the loader waits for it.
    assert "Too many open files" in few.stderr or "timed out" in few.stderr


def with_shared_memory(size: int) -> list[str]:
    """Before a command: it has a /dev/shm of this many bytes, in a mount namespace of its own."""
    mount = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh"]


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*with_shared_memory(1 << 20), "true"], capture_output=True)
    return tried.returncode == 0


@pytest.mark.full
@pytest.mark.skipif(not can_mount(), reason="mounting a /dev/shm of one's own needs root")
def test_the_shared_memory_that_is_reckoned_with_is_enough_and_a_third_is_not(world: World) -> None:
    needed = shared_memory_needed(WORKERS, BATCH, 384)
    enough = load(world, 0, *with_shared_memory(needed))
    assert enough.returncode == 0, enough.stderr[-1000:]
    short = load(world, 0, *with_shared_memory(needed // 3), seconds=60)
    assert short.returncode != 0
    # A batch that found no room is lost, and the loader waits for it.
    assert "unable to allocate shared memory" in short.stderr or "timed out" in short.stderr
