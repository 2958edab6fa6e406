"""run-embed under faults: nothing finished is lost, and the run goes on where it was.

tests/unit/test_endings.py has more of them, over a stand-in for the worker; what is marked `full`
here is the same with real CpGPT.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from cpgpt_doctor.genome import fasta
from tests.conftest import CONTEXT, DNA_LLM, PATIENTS, World, once
from tests.e2e.conftest import SOME
from tests.e2e.test_reference_rows import embed, given, stored
from tests.environment import clean_environment
from tests.processes import HANG, all_end, usual_signals

RELEASE = "0.0.13"
CHECKPOINT = f"{CONTEXT}bp_dna_embeddings.mmap.checkpoint.json"


@pytest.fixture(scope="module")
def many(locations: list[str]) -> list[str]:
    """Enough locations for a fault to come while some are committed and some are not."""
    others = (f"1:{position}" for position in random.Random(6).sample(range(48_000), 100))
    return [*locations, *(each for each in others if each not in locations)]


class Running:
    """run-embed as a user started it, seen from outside."""

    def __init__(self, world: World, folder: Path, locations: list[str], *extra: object) -> None:
        path = given(world, locations)
        self.folder = folder
        self.before = self.committed()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cpgpt_doctor", "run-embed"]
            + ["--dependencies-dir", str(folder), "--locations", str(path)]
            + ["--allow-all-n", "--allow-non-cpg"]
            + ["--context-len", str(CONTEXT), "--python", str(PATIENTS[RELEASE])]
            + ["--facts", str(world.facts(RELEASE))]
            + [str(word) for word in extra],
            env=clean_environment(**world.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # A shell's background jobs ignore SIGINT, and what they start inherits that.
            preexec_fn=usual_signals,
        )

    def record(self) -> dict[str, object]:
        found = list((self.folder / "dna_embeddings").rglob("*.run.json"))
        return json.loads(found[0].read_text()) if found else {}

    def committed(self) -> int:
        parts = self.record().get("parts", [])
        assert isinstance(parts, list)
        return sum(part["rows"] for part in parts)

    def added(self) -> int:
        return self.committed() - self.before

    def worker(self) -> psutil.Process | None:
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended while we looked
                if "cpgpt_doctor.patient.compute.worker" in " ".join(child.cmdline()):
                    return child
        return None

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HANG
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=HANG)
        return self.process.returncode, out, err


def test_a_killed_worker_is_started_again_and_every_row_is_right(
    world: World,
    locations: list[str],
    many: list[str],
    reference,
    copies: Callable[[str], Path],
) -> None:
    folder = copies("killed")
    running = Running(world, folder, many)
    running.wait_until(lambda: running.added() > 0)
    first = running.worker()
    assert first is not None
    first.kill()
    code, out, err = running.end()
    assert code == 0, err
    assert "verified" in out
    assert np.array_equal(stored(folder, locations), reference(RELEASE))


@pytest.mark.full
def test_a_killed_loading_worker_is_done_without(
    world: World,
    locations: list[str],
    many: list[str],
    reference,
    copies: Callable[[str], Path],
) -> None:
    folder = copies("loading")
    running = Running(world, folder, many, "--num-workers", 2)

    def loading() -> list[psutil.Process]:
        worker = running.worker()
        return worker.children() if worker is not None else []

    running.wait_until(lambda: bool(running.record().get("batch_measured")))
    running.wait_until(lambda: bool(loading()))
    for child in loading():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    code, _, err = running.end()
    assert code == 0, err
    assert running.record()["workers"] == 0
    codes = [setting["code"] for setting in running.record()["plan"]]  # type: ignore[attr-defined]
    assert "CPG208" in codes
    assert np.array_equal(stored(folder, locations), reference(RELEASE))


@pytest.mark.full
def test_an_index_that_is_made_to_lie_in_mid_run_stores_no_wrong_row(
    world: World, locations: list[str], many: list[str], reference
) -> None:
    folder = world.dependencies("index")
    running = Running(world, folder, many)
    running.wait_until(lambda: running.committed() > 0)
    path = folder / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa"
    right = fasta.index(path, folder)
    lying = tuple(dataclasses.replace(each, offset=each.offset + 7) for each in right.sequences)
    fasta.keep_index(fasta.Index(right.identity, lying), path, folder / ".cpgpt-doctor")
    code, _, err = running.end()
    assert code == 1
    assert "the index of the genome was changed by something else" in err
    kept = locations[: running.committed()]  # the first part is the first of these
    assert kept
    rows = stored(folder, kept)
    assert np.array_equal(rows, reference(RELEASE)[: len(kept)])


@pytest.mark.full
def test_ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on(
    world: World, locations: list[str], many: list[str], reference
) -> None:
    folder = world.dependencies("interrupted")
    running = Running(world, folder, many)
    running.wait_until(lambda: running.committed() > 0)
    running.process.send_signal(signal.SIGINT)
    code, _, err = running.end()
    assert code == 130
    assert "interrupted" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert running.record()["status"] == "interrupted"
    kept = running.committed()
    assert 0 < kept < len(many)
    again = embed(world, RELEASE, folder, many)
    assert again.returncode == 0, again.stderr
    assert f"{len(many) - kept} locations embedded" in again.stdout
    assert np.array_equal(stored(folder, locations), reference(RELEASE))


@pytest.mark.full
def test_a_run_whose_output_is_closed_goes_on_and_sigterm_ends_it(
    world: World, locations: list[str], many: list[str], reference
) -> None:
    folder = world.dependencies("terminated")
    running = Running(world, folder, many)
    for pipe in (running.process.stdout, running.process.stderr):
        assert pipe is not None
        pipe.close()
    running.wait_until(lambda: running.committed() > 0)
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert family
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(HANG) == 143
    assert all_end(family)
    assert running.record()["status"] == "interrupted"
    kept = locations[: running.committed()]  # the first part is the first of these
    rows = stored(folder, kept)
    assert np.array_equal(rows, reference(RELEASE)[: len(kept)])


@pytest.mark.full
def test_a_stopped_worker_is_killed_and_started_again(
    world: World, locations: list[str], many: list[str], reference
) -> None:
    """Waits for the real limit, a minute."""
    folder = world.dependencies("stopped")
    running = Running(world, folder, many)
    running.wait_until(lambda: running.committed() > 0)
    first = running.worker()
    assert first is not None
    first.suspend()
    code, _, err = running.end()
    assert code == 0, err
    assert not first.is_running()
    assert np.array_equal(stored(folder, locations), reference(RELEASE))


def test_a_killed_supervisor_takes_its_worker_with_it_and_loses_nothing(
    world: World,
    locations: list[str],
    many: list[str],
    reference,
    copies: Callable[[str], Path],
) -> None:
    folder = copies("orphaned")
    running = Running(world, folder, many)
    running.wait_until(lambda: running.added() > 0)
    worker = running.worker()
    assert worker is not None
    running.process.kill()
    running.end()
    worker.wait(timeout=HANG)
    kept = running.committed()
    again = embed(world, RELEASE, folder, many)
    assert again.returncode == 0, again.stderr
    assert f"{len(many) - kept} locations embedded" in again.stdout
    assert np.array_equal(stored(folder, locations), reference(RELEASE))


def test_dry_run_shows_the_plan_and_writes_nothing(world: World, locations: list[str]) -> None:
    folder = world.dependencies("dry")
    before = sorted(folder.rglob("*"))
    path = world.folder / "dry.txt"
    path.write_text("\n".join(locations) + "\n")
    ran = world.doctor(
        "run-embed",
        "--dependencies-dir",
        folder,
        "--locations",
        path,
        "--allow-all-n",
        "--allow-non-cpg",
        "--dry-run",
        "--facts",
        world.facts(RELEASE),
    )
    assert ran.returncode == 0, ran.stderr
    assert "CPG514" in ran.stdout
    assert sorted(folder.rglob("*")) == before


@pytest.fixture(scope="module")
def tidied(world: World, ours: Path, locations: list[str]) -> Path:
    """`ours` with as many locations more, and `stdout` of the run that added them.

    It met an index of the genome that lies by 7 bytes, and whole (with the digests that belong to
    it), a checkpoint of CpGPT's, and locations that are given twice.
    """

    def make(made: Path) -> None:
        made.mkdir(exist_ok=True)
        folder = Path(shutil.copytree(ours, world.folder / "tidied", symlinks=True))
        path = folder / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa"
        right = fasta.index(path, folder)
        lying = tuple(dataclasses.replace(each, offset=each.offset + 7) for each in right.sequences)
        kept = folder / ".cpgpt-doctor"
        fasta.keep_index(dataclasses.replace(right, sequences=lying), path, kept)
        assert fasta.index(path, kept).sequences == lying
        place = folder / "dna_embeddings" / "homo_sapiens" / DNA_LLM
        (place / CHECKPOINT).write_text('{"committed_rows": 3}')
        some = locations[SOME : 2 * SOME]
        ran = embed(world, RELEASE, folder, [some[0], some[0], *some, some[3]])
        assert ran.returncode == 0, ran.stderr
        folder.rename(made / "dependencies")
        (made / "stdout").write_text(ran.stdout)

    return once(world.shared / "tidied", make) / "dependencies"


def test_a_kept_index_that_lies_is_built_again(tidied: Path) -> None:
    said = tidied.with_name("stdout").read_text()
    assert "the kept index was thrown away and built again" in said
    path = tidied / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa"
    known = fasta.index(path, tidied / ".cpgpt-doctor")
    assert known == fasta.index(path, tidied)


def test_a_location_given_twice_is_embedded_once(
    tidied: Path, locations: list[str], reference
) -> None:
    """CpGPT itself gives the rows after a repeated location to the wrong locations."""
    assert f"{SOME} locations embedded" in tidied.with_name("stdout").read_text()
    some = slice(0, 2 * SOME)
    assert np.array_equal(stored(tidied, locations[some]), reference(RELEASE)[some])


def test_a_stale_checkpoint_is_set_aside(tidied: Path) -> None:
    """With it, the next direct run of CpGPT 0.0.8 or later would drop the rows past it."""
    (found,) = tidied.rglob(f"{CHECKPOINT}*")
    assert found.name == f"{CHECKPOINT}.set-aside"


def test_a_changed_row_is_found_by_the_next_run(
    world: World, tidied: Path, locations: list[str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tidied, tmp_path / "store", symlinks=True))
    path = next(folder.rglob("*.mmap"))
    with path.open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\x01\x02")
    before = path.read_bytes()
    ran = embed(world, RELEASE, folder, locations[:SOME])
    assert ran.returncode == 2
    assert f"error[CPG513]: {SOME} rows are not those that were recorded" in ran.stdout
    assert path.read_bytes() == before


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"\0" * 4096):
            pass


@pytest.mark.full
def test_a_full_disk_ends_the_run_and_leaves_the_store_readable(
    world: World, locations: list[str], many: list[str], reference
) -> None:
    source = world.dependencies("full-source")
    folder = world.folder / "full"
    folder.mkdir()
    # Room for the database, the staging files and the first part, not for all.
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        subprocess.run(["cp", "-a", f"{source}/.", folder], check=True)
        filler = folder / "filler"
        running = Running(world, folder, many)
        running.wait_until(lambda: running.committed() > 0)
        fill(filler)
        code, _, err = running.end()
        assert code == 1
        assert "the disk is full" in err.splitlines()[-1]
        assert "Traceback" not in err
        kept = running.committed()
        assert kept > 0
        filler.unlink()
        names = locations[:kept]  # the first part is the first of these
        rows = stored(folder, names)
        assert np.array_equal(rows, reference(RELEASE)[: len(names)])
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_model_that_is_not_cached_is_refused_with_the_command_that_fetches_it(
    world: World, locations: list[str]
) -> None:
    folder = world.dependencies("uncached")
    before = sorted(folder.rglob("*"))
    ran = embed(world, RELEASE, folder, locations, **{"dna-llm": "hyenadna-tiny-1k-seqlen-d256"})
    assert ran.returncode == 2
    assert "error[CPG405]" in ran.stdout
    assert "snapshot_download" in ran.stdout
    assert "LongSafari/hyenadna-tiny-1k-seqlen-d256" in ran.stdout
    assert sorted(folder.rglob("*")) == before


def test_an_examination_of_another_environment_is_refused(
    world: World, locations: list[str], tmp_path: Path
) -> None:
    """--facts saves examining; it is held against what can be seen without importing torch."""
    folder = world.dependencies("examined")
    before = sorted(folder.rglob("*"))
    saved = json.loads(world.facts(RELEASE).read_text(encoding="utf-8"))
    saved["packages"]["installed"]["torch"] = "1.0"
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(saved), encoding="utf-8")
    ran = embed(world, RELEASE, folder, locations, facts=path)
    assert ran.returncode == 2, ran.stdout
    (line,) = [each for each in ran.stderr.splitlines() if each.startswith("cpgpt-doctor: ")]
    assert "the packages changed since" in line
    assert "installed: torch: 1.0 then" in line
    assert "--save-facts" in line
    saved = json.loads(world.facts(RELEASE).read_text(encoding="utf-8"))
    path.write_text(json.dumps({**saved, "embedder": None}), encoding="utf-8")
    ran = embed(world, RELEASE, folder, locations, facts=path)
    assert ran.returncode == 2
    assert "torch and CpGPT were not looked at" in ran.stderr
    assert sorted(folder.rglob("*")) == before
