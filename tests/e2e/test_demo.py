"""`run-embed --demo` makes its world whole or not at all, and harms nothing that is in its way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import filelock
import psutil
import pytest
from rich.console import Console

from cpgpt_doctor.embed import demo
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.probes import runner
from tests.e2e.test_hostile_places import ASCII_ONLY
from tests.environment import clean_environment, on_disk
from tests.processes import usual_signals

HANG = 600.0
NOTES = Console(quiet=True)
DEMO = (sys.executable, "-m", "cpgpt_doctor", "run-embed", "--demo", "--dry-run")


def run_demo(
    folder: Path, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *map(str, arguments)],
        cwd=folder,
        env=clean_environment(**variables),
        capture_output=True,
        encoding="utf-8",
    )


def test_without_torch_one_line_says_what_to_do_and_nothing_is_left(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (place := tmp_path / "place").mkdir()
    ran = run_demo(place, "--python", "../env/bin/python")
    assert (ran.returncode, ran.stdout) == (2, "")
    line = ran.stderr.splitlines()[-1]
    assert line.startswith("cpgpt-doctor: --demo: torch cannot be imported by ../env/bin/python")
    assert "No module named 'torch'" in line
    assert "--python" in line
    assert "CPG401" in line
    assert list(place.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_demo_whose_making_was_killed_is_made_whole_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder's name and the terminal are of different encodings, too."""
    monkeypatch.setenv("HF_HOME", "")  # both are set by make()
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    (place := tmp_path / on_disk("数据")).mkdir()
    partial = place / "cpgpt-doctor-demo.partial"
    started = subprocess.Popen(
        DEMO, cwd=place, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + HANG
    while not (partial / "genomes").exists():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    makers = psutil.Process(started.pid).children(recursive=True)
    started.kill()
    started.communicate()
    assert {each.name for each in place.iterdir()} == {partial.name}
    psutil.wait_procs(makers, timeout=HANG)  # nobody goes on writing
    ran = run_demo(place, **ASCII_ONLY)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.isascii()
    assert "300 -> 300" in ran.stdout
    assert {each.name for each in place.iterdir()} == {"cpgpt-doctor-demo"}
    whole = place / "cpgpt-doctor-demo"
    before = {each: each.stat().st_mtime_ns for each in whole.rglob("*")}
    assert demo.MARK not in {each.name for each in before}
    demo.make("/no/such/python", whole, NOTES)
    assert {each: each.stat().st_mtime_ns for each in whole.rglob("*")} == before


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A patient that makes a small demo at once, or does what a test says."""
    monkeypatch.setenv("HF_HOME", "")  # both are set by make()
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    acts: dict[str, Any] = {"fails": None}

    def run(probe: str, python: str, module: str, request: Any, seconds: float) -> Any:
        folder = Path(request["folder"])
        (folder / "genomes").mkdir()
        (folder / "genomes" / "genome.fa").write_text(">1\nACGT\n")
        if acts["fails"] is not None:
            raise acts["fails"]
        if "failure" in acts:
            return acts["failure"]
        (folder / "huggingface").mkdir()
        (folder / "locations.txt").write_text("1:1\n")
        return {"made": str(folder)}

    monkeypatch.setattr(runner, "run", run)
    return acts


def listing(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


def test_a_demo_that_cannot_be_finished_leaves_nothing(tmp_path: Path, patient: Any) -> None:
    full = ProbeFailure("demo", "exited", "status 1", "OSError: [Errno 28] No space left on device")
    patient["failure"] = full
    with pytest.raises(DoctorError, match=r"status 1.*No space left on device"):
        demo.make("python", tmp_path / "demo", NOTES)
    assert listing(tmp_path) == set()
    patient["fails"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        demo.make("python", tmp_path / "demo", NOTES)
    assert listing(tmp_path) == set()
    patient.clear()
    patient["fails"] = None
    demo.make("python", tmp_path / "demo", NOTES)
    assert "demo/README.txt" in listing(tmp_path)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk takes root"
)
def test_a_disk_that_is_full_leaves_no_half_of_a_demo(tmp_path: Path) -> None:
    asked = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path))
    if subprocess.run(asked, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        ran = run_demo(tmp_path)
        assert (ran.returncode, ran.stdout) == (3, "")
        assert "No space left on device" in ran.stderr.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_an_empty_folder_becomes_the_demo_and_a_link_to_one_stays_a_link(
    tmp_path: Path, patient: Any
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    _, locations = demo.make("python", tmp_path / "link", NOTES)
    assert (tmp_path / "link").is_symlink()
    assert Path(locations).read_text() == "1:1\n"
    assert (tmp_path / "empty" / "README.txt").exists()
    assert os.environ["HF_HOME"] == str(tmp_path / "empty" / "huggingface")


def others(tmp_path: Path, kind: str, name: str) -> Path:
    """Something of the user's in the way."""
    path = tmp_path / name
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("years of work")
    if kind == "a link to a folder":
        path.symlink_to("kept")
    elif kind == "a link to a marked folder":
        (tmp_path / "kept" / demo.MARK).touch()
        path.symlink_to("kept")
    elif kind == "a folder":
        path.mkdir()
        (path / "thesis.txt").write_text("years of work")
    elif kind == "a folder whose mark is a link":
        path.mkdir()
        (path / demo.MARK).symlink_to("../kept/thesis.txt")
    elif kind == "a file":
        path.write_text("years of work")
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "half a demo of release 0.1.0":
        (path / "genomes").mkdir(parents=True)
        (path / "locations.txt").write_text("1:1\n")
    return path


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("a link to a folder", "demo.partial"),
        ("a link to a marked folder", "demo.partial"),
        ("a folder", "demo.partial"),
        ("a folder whose mark is a link", "demo.partial"),
        ("a file", "demo.partial"),
        ("a FIFO", "demo.partial"),
        ("a link to a folder", "demo"),
        ("a folder", "demo"),
        ("a file", "demo"),
        ("a FIFO", "demo"),
        ("half a demo of release 0.1.0", "demo"),
    ],
)
def test_what_is_in_the_way_is_named_and_kept(
    tmp_path: Path, patient: Any, kind: str, name: str
) -> None:
    path = others(tmp_path, kind, name)
    before = listing(tmp_path)
    with pytest.raises(InputError, match=f"^--demo: {path}.*--dependencies-dir"):
        demo.make("python", tmp_path / "demo", NOTES)
    assert listing(tmp_path) == before
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "years of work"


def test_a_link_in_what_was_left_is_removed_and_not_what_it_leads_to(
    tmp_path: Path, patient: Any
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("years of work")
    (tmp_path / "demo.partial" / "genomes").mkdir(parents=True)
    (tmp_path / "demo.partial" / demo.MARK).touch()
    (tmp_path / "demo.partial" / "link").symlink_to("../kept")
    (tmp_path / "demo.partial" / "genomes" / "link").symlink_to("../../kept")
    demo.make("python", tmp_path / "demo", NOTES)
    assert listing(tmp_path / "kept") == {"thesis.txt"}
    assert not (tmp_path / "demo.partial").exists()


def test_a_demo_that_another_run_is_making_is_left_to_it(tmp_path: Path, patient: Any) -> None:
    (tmp_path / "demo.partial").mkdir()
    with (
        filelock.FileLock(tmp_path / "demo.partial" / demo.MARK),
        pytest.raises(InputError, match="another run-embed is making this demo"),
    ):
        demo.make("python", tmp_path / "demo", NOTES)
    assert (tmp_path / "demo.partial").is_dir()


@pytest.mark.parametrize("part", demo.PARTS)
def test_a_demo_that_lost_a_part_says_which_and_does_not_lead_to_the_real_model(
    tmp_path: Path, patient: Any, part: str
) -> None:
    demo.make("python", tmp_path / "demo", NOTES)
    (tmp_path / "demo" / part).rename(tmp_path / "gone")
    with pytest.raises(InputError, match=f"{part} is gone from this demo"):
        demo.make("python", tmp_path / "demo", NOTES)


def test_the_folder_that_one_is_in_is_not_replaced(
    tmp_path: Path, patient: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the folder that you are in"):
        demo.make("python", Path(), NOTES)


def test_ctrl_c_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    started = subprocess.Popen(
        DEMO,
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=usual_signals,
    )
    until = time.monotonic() + HANG
    while not (tmp_path / "cpgpt-doctor-demo.partial" / demo.MARK).exists():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    assert started.wait(HANG) == 130
    started.communicate()
    assert list(tmp_path.iterdir()) == []
