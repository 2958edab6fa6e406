"""`repair` on stores that unmodified CpGPT made.

Rows are as they have to be, bit for bit, and CpGPT of every family reads them before, in the
middle, and afterwards.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import StorePaths
from tests.audits import CONTEXT, embedded, files, rows_file
from tests.conftest import DNA_LLM, PATIENTS, World
from tests.e2e.test_verify import GAPPED, PLAIN, verified
from tests.environment import clean_environment


def repaired(world: World, folder: Path, code: int, *options: str) -> dict[str, Any]:
    """The report of repair."""
    asked = ("--dependencies-dir", folder, "--format", "json")
    ran = world.doctor("repair", *asked, *options)
    assert ran.returncode == code, ran.stderr + ran.stdout
    report: dict[str, Any] = json.loads(ran.stdout) if ran.stdout else {}
    return report


def zeroed(folder: Path, rows: list[int]) -> None:
    with rows_file(folder).open("r+b") as stream:
        for row in rows:
            stream.seek(row * 4096)
            stream.write(bytes(4096))


def paths_in(folder: Path) -> StorePaths:
    return StorePaths(folder, "homo_sapiens", DNA_LLM, CONTEXT, 1024)


def rows_of(folder: Path) -> dict[str, bytes]:
    paths = paths_in(folder)
    named = layout.named_rows(paths)
    return dict(zip(named, layout.read_rows(paths, list(named.values())), strict=True))


def cpgpt_reads(world: World, release: str, folder: Path, locations: list[str]) -> np.ndarray:
    request: dict[str, object] = {
        "dependencies": str(folder),
        "locations": locations,
        "dna_llm": DNA_LLM,
        "context_len": CONTEXT,
    }
    return world.in_patient(release, "read_back.py", request)


def test_zeros_and_misread_rows_become_what_cpgpt_computes_bit_for_bit(world: World) -> None:
    folder = embedded(world, "0.0.13", "mended", PLAIN)
    reference = rows_of(folder)
    zeroed(folder, [5])
    rows = np.fromfile(rows_file(folder), np.float32).reshape(-1, 1024)
    rows[[11, 12]] = rows[[13, 14]] + np.float32(0.25)
    rows.tofile(rows_file(folder))
    before = files(folder)
    repaired(world, folder, 0, "--all", "--device", "cpu", "--apply")
    assert rows_of(folder) == reference
    assert np.array_equal(
        cpgpt_reads(world, "0.0.13", folder, PLAIN),
        np.stack([np.frombuffer(reference[each], "f4") for each in PLAIN]),
    )
    assert verified(world, folder, 0, "--all")["findings"] == []
    repaired(world, folder, 0, "--undo")
    after = {name: data for name, data in files(folder).items() if ".cpgpt-doctor" not in name}
    assert {name: data for name, (_, data) in after.items()} == {
        name: data for name, (_, data) in before.items()
    }


@pytest.mark.full
def test_rows_padded_to_their_batch_and_of_the_other_kind_are_computed_again(world: World) -> None:
    folder = embedded(world, "0.0.7", "mixed-mended", [*PLAIN[:10], GAPPED, *PLAIN[10:]], batch=8)
    reference = rows_of(embedded(world, "0.0.7", "alone", [*PLAIN[:10], GAPPED, *PLAIN[10:]]))
    repaired(world, folder, 0, "--all", "--device", "cpu", "--apply")
    assert rows_of(folder) == reference
    added = embedded(world, "0.0.7", "added-mended", PLAIN[:24])
    embedded(world, "0.0.13", "added-mended", PLAIN, anew=False)
    repaired(world, added, 0, "--all", "--device", "cpu", "--apply")
    assert rows_of(added) == {each: reference[each] for each in PLAIN}


@pytest.mark.full
def test_published_rows_under_an_index_of_ones_own_get_theirs_by_verifys_law(world: World) -> None:
    """Nothing on the disk says it: only the rows do, once they are computed again."""
    folder = embedded(world, "0.0.7", "sorted-mended", PLAIN)
    other = embedded(world, "0.0.7", "sorted-rows", sorted(PLAIN))
    shutil.copyfile(rows_file(other), rows_file(folder))
    shutil.rmtree(other)
    reference = rows_of(embedded(world, "0.0.7", "reference-mended", PLAIN))
    shutil.rmtree(world.folder / "reference-mended")
    repaired(world, folder, 0, "--sample", "20", "--device", "cpu", "--apply")
    assert rows_of(folder) == reference
    verified(world, folder, 0, "--all")


@pytest.mark.full
def test_without_a_cached_model_rows_of_zeros_leave_the_index(world: World, tmp_path: Path) -> None:
    folder = embedded(world, "0.0.13", "taken-out", PLAIN)
    reference = rows_of(folder)
    zeroed(folder, [3, 20])
    report = repaired(world.under(HF_HOME=str(tmp_path)), folder, 1, "--lang", "zh")
    (found,) = [each for each in report["findings"] if each["code"] == "CPG507"]
    assert "CPG405" in json.dumps(found, ensure_ascii=False)
    repaired(world.under(HF_HOME=str(tmp_path)), folder, 0, "--apply")
    kept = {each: row for each, row in reference.items() if each not in (PLAIN[3], PLAIN[20])}
    assert rows_of(folder) == kept
    assert np.array_equal(
        cpgpt_reads(world, "0.0.7", folder, list(kept)),
        np.stack([np.frombuffer(row, "f4") for row in kept.values()]),
    )


@pytest.mark.full
@pytest.mark.parametrize("release", PATIENTS)
def test_cpgpt_reads_every_row_before_a_repair_in_its_middle_and_after_it(
    world: World, release: str
) -> None:
    """Stopped, as by SIGKILL, at each of the steps that change a file."""
    first = embedded(world, release, f"read-{release}", PLAIN)
    zeroed(first, [3, 20])
    paths_in(first).checkpoint.write_text("{}")
    stayed = [each for at, each in enumerate(PLAIN) if at not in (3, 20)]
    expected = np.stack([np.frombuffer(rows_of(first)[each], "f4") for each in stayed])
    assert np.array_equal(cpgpt_reads(world, release, first, stayed), expected)
    for step in range(1, 5):
        folder = world.folder / f"killed-{release}-{step}"
        shutil.copytree(first, folder, symlinks=True)
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, folder, str(step)],
            env=clean_environment(**world.under(HF_HOME=str(folder)).variables),
            capture_output=True,
            text=True,
        )
        assert killed.returncode == -9, killed.stderr
        assert np.array_equal(cpgpt_reads(world, release, folder, stayed), expected), step
        repaired(world.under(HF_HOME=str(folder)), folder, 0, "--apply")
        assert np.array_equal(cpgpt_reads(world, release, folder, stayed), expected)
        shutil.rmtree(folder)


# repair --apply, killed after so many steps that change a file.
KILLED = """
import os, signal, sys
from cpgpt_doctor import cli
from cpgpt_doctor.repair.backup import Backup

note, left = Backup.note, [int(sys.argv[2])]

def noted(self, name, steps):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    note(self, name, steps)

Backup.note = noted
cli.main(["repair", "--dependencies-dir", sys.argv[1], "--apply"])
"""


@pytest.mark.full
def test_sigkill_at_any_time_leaves_the_store_as_before_or_as_after(world: World) -> None:
    """Real kills of a real process, at 100 random times."""
    first = embedded(world, "0.0.13", "sigkill", PLAIN)
    zeroed(first, [3, 20])
    before = rows_file(first).read_bytes()
    rng = random.Random(7)
    without = world.under(HF_HOME=str(first))
    for trial in range(100):
        folder = world.folder / f"sigkill-{trial}"
        shutil.copytree(first, folder, symlinks=True)
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "cpgpt_doctor", "repair", "--dependencies-dir", folder),
                *("--apply", "--quiet"),
            ],
            env=clean_environment(**without.variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while running.poll() is None and not os.path.lexists(folder / ".cpgpt-doctor"):
            pass
        try:
            running.wait(rng.uniform(0, 6))
        except subprocess.TimeoutExpired:
            running.kill()
        running.wait()
        if any((folder / ".cpgpt-doctor").glob("backup-*")):
            repaired(without, folder, 0, "--undo")
        assert rows_file(folder).read_bytes() == before, trial
        shutil.rmtree(folder)
