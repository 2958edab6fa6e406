"""A dry run computes a few windows, says what the run would take, and leaves nothing."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from cpgpt_doctor.embed.estimate import Estimate
from cpgpt_doctor.reports import run_terminal
from tests import standin
from tests.processes import HANG
from tests.unit.test_treatments import CUDA

HOUR = 3600.0
SOME = Estimate(
    locations=935_000,
    start=30.0,
    fastest=0.040,
    slowest=0.048,
    computed=48,
    device="cuda",
    disk=3_860_000_000,
    free=100_000_000_000,
    memory=2_500_000_000,
    available=16_000_000_000,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return standin.make_folder(tmp_path / "dependencies")


def dry_run(folder: Path, *asked: str, **variables: str) -> tuple[int, str, str]:
    process = standin.start(folder, 700, variables=variables, asked=("--dry-run", *asked))
    out, err = process.communicate(timeout=HANG)
    assert b"Traceback" not in err, err
    return process.returncode, out.decode(), err.decode()


def shown(estimate: Estimate, limit: float | None = None) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    run_terminal.show_estimate(estimate, console, limit)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_dry_run_ends_with_what_the_run_would_take_and_writes_nothing(folder: Path) -> None:
    before = {each: each.lstat().st_mtime_ns for each in folder.rglob("*")}
    code, out, _ = dry_run(folder, ROW_SECONDS="0.01")
    assert code == 0
    (line,) = [each for each in out.splitlines() if each.startswith("time:")]
    assert "done between" in line
    assert "700 locations" in out
    assert {each: each.lstat().st_mtime_ns for each in folder.rglob("*")} == before


def test_a_worker_that_fails_in_a_dry_run_is_told_with_its_finding(folder: Path) -> None:
    said = CUDA.removeprefix("OutOfMemoryError: ")
    each = (
        f"if op == 'load': send(event='error', type='OutOfMemoryError', message={said!r});"
        " sys.exit(1)"
    )
    standin.write_worker(folder / "python", each=each)
    code, out, err = dry_run(folder)
    assert code == 1
    assert "error[CPG709]" in out
    assert "cpgpt-doctor-" not in out  # the log was not kept
    assert "no estimate: OutOfMemoryError: CUDA out of memory" in err.splitlines()[-1]


def test_the_range_is_that_of_the_windows_computed() -> None:
    least, most = SOME.seconds
    assert least == pytest.approx(30 + 935_000 * 0.040)
    assert most == pytest.approx(60 + 935_000 * 0.048)
    said = shown(SOME)
    assert "10.4 h to 12.5 h" in said
    assert "48 windows" in said
    assert "3.9 GB, of 100.0 GB free" in said
    assert "2.5 GB, of 16.0 GB" in said


def test_a_time_limit_is_said_in_starts() -> None:
    assert re.search(r"about 3 starts", shown(SOME, limit=5 * HOUR))
    assert "starts" not in shown(SOME, limit=13 * HOUR)
    assert "starts" not in shown(SOME)
