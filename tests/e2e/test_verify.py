"""`verify` on stores that unmodified CpGPT made, in ways that leave wrong rows, and healthy ones.

The stores are small, and every row of them is judged, unless a test says so.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cpgpt_doctor.patient.compute.rounding import ROUNDING
from tests.audits import CONTEXT, embedded, files, rows_file
from tests.conftest import DNA_LLM, World
from tests.environment import clean_environment

PLAIN = [f"1:{position}" for position in random.Random(8).sample(range(300, 48_000), 36)]
GAPPED = "2:3300"  # nothing but N around it
RELEASES = ["0.0.7", *(pytest.param(each, marks=pytest.mark.full) for each in ("0.0.3", "0.0.13"))]


def verified(world: World, folder: Path, code: int, *options: str) -> dict[str, Any]:
    """The report of verify, which leaves the folder as it was."""
    before = files(folder)
    device = () if "--against" in options else ("--device", "cpu")  # --against computes nothing
    ran = world.doctor(
        "verify", "--dependencies-dir", folder, *device, "--format", "json", *options
    )
    assert ran.returncode == code, ran.stderr + ran.stdout
    assert files(folder) == before
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def seen(report: dict[str, Any], code: str) -> dict[str, str]:
    (found,) = [each for each in report["findings"] if each["code"] == code]
    return {**found["evidence"]["seen"], "title": found["title"]}


@pytest.mark.parametrize("release", ["0.0.7", pytest.param("0.0.13", marks=pytest.mark.full)])
def test_a_healthy_store_of_either_kind_raises_nothing_with_rounding_of_another_device(
    world: World, tmp_path: Path, release: str
) -> None:
    folder = embedded(world, release, "healthy", PLAIN)
    rows = np.memmap(rows_file(folder), np.float32, "r+").reshape(-1, 1024)
    error = np.random.default_rng(1).normal(size=(18, 1024))
    error *= 0.99 * ROUNDING / np.linalg.norm(error, axis=1, keepdims=True)
    rows[:18] += error * np.linalg.norm(rows[:18], axis=1, keepdims=True)
    rows.flush()
    report = verified(world.under(TMPDIR=str(tmp_path)), folder, 0, "--all")
    assert report["findings"] == []
    assert list(tmp_path.iterdir()) == []
    (kind,) = [each for each in report["checks"] if each["code"] == "CPG524"]
    assert f"CpGPT {'up to' if release == '0.0.7' else 'from'} 0.0." in kind["summary"]


@pytest.mark.parametrize("release", RELEASES)
def test_published_rows_under_an_index_of_ones_own_are_those_of_other_locations(
    world: World, release: str
) -> None:
    """Rows linked to where CpGPT looks, their index left behind; a sample of 24 finds its law."""
    human = embedded(world, release, "published", PLAIN)
    folder = embedded(world, release, "linked", sorted(PLAIN))
    shutil.move(human, folder / "human")
    rows_file(folder).unlink()
    rows_file(folder).symlink_to(rows_file(folder / "human"))
    report = verified(world, folder, 1, "--sample", "24", "--seed", "5")
    *_, said = [each for each in report["findings"] if each["code"] == "CPG519"]
    found = {**said["evidence"]["seen"], "title": said["title"]}
    assert "locations have the row of another one" in found["title"]
    assert found["where the rows are"].endswith("linked/human/ensembl_metadata.db")
    assert "it foretold 12 of 12 further rows" in found["proved"]
    assert "with 95 % confidence" in found["in all"]
    assert f"--dependencies-dir {folder / 'human'}" in json.dumps(said["remedies"])


@pytest.mark.full
@pytest.mark.parametrize("release", RELEASES)
def test_a_location_that_was_given_twice_gives_others_the_row_of_another(
    world: World, release: str
) -> None:
    given = [*PLAIN[:10], PLAIN[2], PLAIN[4], *PLAIN[10:], PLAIN[6]]
    folder = embedded(world, release, "twice", given, batch=8)
    found = seen(verified(world, folder, 1, "--all"), "CPG519")
    assert "share the row of another in the index" in found["where the rows are"]


@pytest.mark.full
def test_rows_padded_to_a_window_of_n_in_their_batch_are_named(world: World) -> None:
    folder = embedded(world, "0.0.7", "mixed", [*PLAIN[:10], GAPPED, *PLAIN[10:]], batch=8)
    found = seen(verified(world, folder, 1, "--all"), "CPG513")
    assert found["padded to a longer window of their batch"] == "7"
    assert found["title"] == "7 of 37 rows computed again are not what is stored"


@pytest.mark.full
def test_locations_added_with_the_other_kind_of_release_have_their_share(world: World) -> None:
    folder = embedded(world, "0.0.7", "added", PLAIN[:24])
    embedded(world, "0.0.13", "added", PLAIN, anew=False)
    found = seen(verified(world, folder, 1, "--all"), "CPG524")
    assert found["title"].endswith("12 of 36 are of the other kind")


def test_a_copy_is_compared_row_by_row_without_a_genome(world: World) -> None:
    folder = embedded(world, "0.0.13", "compared", PLAIN)
    copy = world.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, symlinks=True)
    shutil.rmtree(folder / "genomes")
    assert verified(world, folder, 0, "--against", str(copy))["findings"] == []
    rows = np.memmap(rows_file(folder), np.float32, "r+").reshape(-1, 1024)
    rows[10:20] = rows[10:20][::-1].copy()
    rows[30] = 0
    rows.flush()
    report = verified(world, folder, 1, "--against", str(copy))
    assert seen(report, "CPG519")["title"] == "10 of 36 locations have the row of another one"
    assert seen(report, "CPG507")["title"] == "1 of 36 stored rows cannot be embeddings"
    assert seen(report, "CPG507")["in all"] == (
        "of 36 rows that both stores have, 25 are equal, 0 equal up to rounding, 11 differ"
    )


@pytest.mark.full
def test_rows_that_are_named_are_judged_and_nothing_is_said_of_the_others(world: World) -> None:
    folder = embedded(world, "0.0.13", "named", PLAIN)
    rows = np.memmap(rows_file(folder), np.float32, "r+").reshape(-1, 1024)
    rows[5, :9] += 1
    rows.flush()
    named = world.folder / "named.txt"
    named.write_text("\n".join([*PLAIN[:6], "1:1", GAPPED]) + "\n")
    found = seen(verified(world, folder, 1, "--locations", str(named)), "CPG513")
    assert found["title"] == "1 of 6 rows computed again are not what is stored"
    assert found["in all"].startswith("1 of 6 wrong; they were named, not drawn")


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(world: World, tmp_path: Path) -> None:
    folder = embedded(world, "0.0.13", "interrupted", PLAIN)
    before = files(folder)
    running = subprocess.Popen(
        [sys.executable, "-m", "cpgpt_doctor", "verify", "--dependencies-dir", folder],
        env=clean_environment(**world.variables, TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "loading the model" in line:
            break
    running.send_signal(signal.SIGINT)
    said = running.stderr.read()
    assert running.wait(600) == 130, said
    assert said.splitlines()[-1] == "cpgpt-doctor: interrupted (Ctrl-C); nothing was written"
    assert list(tmp_path.iterdir()) == []
    assert files(folder) == before


def test_a_model_that_is_not_cached_is_named_with_the_command_that_fetches_it(
    world: World, tmp_path: Path
) -> None:
    folder = embedded(world, "0.0.13", "uncached", PLAIN[:3])
    report = verified(world.under(HF_HOME=str(tmp_path)), folder, 1)
    (found,) = report["findings"]
    assert found["code"] == "CPG405"
    assert "snapshot_download" in json.dumps(found["remedies"])


def test_where_nothing_can_be_judged_one_line_says_why(world: World, tmp_path: Path) -> None:
    folder = embedded(world, "0.0.13", "unjudged", PLAIN[:3])
    other = tmp_path / "other.fa"
    other.write_text(">chrZ\nACGTACGTAC\n")
    genome = "none of the 3 locations"
    for options, line in (
        (("--genome", other), genome),
        (("--against", world.dependencies("empty")), "ensembl_metadata.db: is not there"),
        (("--dna-llm", "DNABERT-2-117M"), f"--dna-llm {DNA_LLM} --context-len {CONTEXT}"),
        (("--species", "mus_musculus"), "--species mus_musculus: not among the"),
    ):
        ran = world.doctor("verify", "--dependencies-dir", folder, "--quiet", *options)
        assert ran.returncode == 2, ran.stderr
        assert ran.stdout == ""
        assert line in ran.stderr
        assert len(ran.stderr.splitlines()) == 1
