"""What a run does is told from outside, and an event a line, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest

from cpgpt_doctor import cli
from cpgpt_doctor.embed import status
from cpgpt_doctor.reports.events import LONGEST_LINE, as_line
from tests import standin
from tests.processes import HANG
from tests.unit.test_endings import LOCATIONS, SLOW, Running

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/locks is Linux's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return standin.make_folder(tmp_path / "dependencies")


def run(folder: Path, *asked: str, **variables: str) -> tuple[int, str]:
    process = standin.start(folder, LOCATIONS, variables=variables, asked=asked)
    _, err = process.communicate(timeout=HANG)
    assert b"Traceback" not in err, err
    return process.returncode, err.decode()


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_thing_that_happens_is_a_line_and_another_start_appends(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    assert run(folder, "--log-json", str(path))[0] == 0
    told = events(path)
    assert all(each["time"] for each in told)
    names = [each["event"] for each in told]
    assert names[0] == "started"
    assert names[-2:] == ["result", "ended"]
    assert told[0]["locations"] == LOCATIONS
    parts = [each for each in told if each["event"] == "part"]
    assert sum(each["rows"] for each in parts) == parts[-1]["committed"] == LOCATIONS
    assert told[-1]["exit_code"] == 0
    assert told[-2]["problem"] is None
    assert run(folder, "--log-json", str(path))[0] == 0
    again = events(path)
    assert again[: len(told)] == told
    assert again[len(told)]["stored"] == LOCATIONS


def test_a_failure_and_its_treatment_are_events(folder: Path, tmp_path: Path) -> None:
    path, flag = tmp_path / "events.jsonl", str(folder / "happened")
    each = f"if op == 'load' and not os.path.exists({flag!r}): open({flag!r}, 'w'); os.abort()"
    standin.write_worker(folder / "python", each=each)
    assert run(folder, "--log-json", str(path))[0] == 0
    (treated,) = [each for each in events(path) if each["event"] == "treatment"]
    assert treated["done"] == "the worker is started again"
    assert treated["why"] == "killed by SIGABRT"


def test_an_interruption_is_an_event(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    running = Running(folder, variables=SLOW, asked=("--log-json", str(path)))
    running.wait_until(running.committed)
    running.process.send_signal(signal.SIGTERM)
    assert running.end()[0] == 143
    assert events(path)[-1]["exit_code"] == 143


def test_a_file_of_events_that_cannot_be_written_does_not_end_the_run(folder: Path) -> None:
    code, err = run(folder, "--log-json", "/dev/full")
    assert code == 0
    assert "--log-json /dev/full: No space left on device; the run goes on without it" in err


def test_a_pipe_that_nobody_reads_holds_nothing_up(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, err = run(folder, "--log-json", str(pipe))
    assert code == 2
    assert "cannot be written" in err
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):  # filled, and read by nobody
        writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        while os.write(writer, b"\n" * 4096):
            pass
    assert run(folder, "--log-json", str(pipe))[0] == 0
    os.close(reader)
    os.close(writer)


def test_a_file_of_the_store_s_is_not_taken_for_events(folder: Path) -> None:
    assert run(folder)[0] == 0
    (rows,) = folder.rglob("*.mmap")
    before = rows.read_bytes()
    code, err = run(folder, "--log-json", str(rows))
    assert code == 2
    assert "is a file of data" in err
    assert rows.read_bytes() == before


def test_a_line_fits_into_a_pipe_whatever_a_library_says() -> None:
    line = as_line({"time": "t", "event": "note", "text": "\N{SNOWMAN}" * 10_000, "n": 1})
    assert len(line) <= LONGEST_LINE + 1
    assert json.loads(line)["n"] == 1


def test_nothing_is_known_of_a_folder_without_runs(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    found = status.look(folder)
    assert (found.holder, found.stores) == (None, ())
    assert sorted(folder.rglob("*")) == before


def test_what_is_no_folder_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@linux
def test_a_run_is_seen_at_work_halted_and_killed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    found = status.look(folder)
    (store,) = found.stores
    assert found.holder == running.process.pid
    assert store.doing == "running"
    assert store.ran.committed >= 64
    assert store.left == LOCATIONS - store.ran.committed
    assert store.rate
    running.process.send_signal(signal.SIGSTOP)
    running.wait_until(lambda: status.look(folder).stores[0].doing == "stopped")
    running.process.kill()
    running.end()
    assert status.look(folder).holder is None
    assert status.look(folder).stores[0].doing == "gone"
    assert cli.main(["status", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"was killed: process {running.process.pid}" in said
    assert "start it again to go on" in said


@linux
def test_a_run_that_ended_says_how_and_looking_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    running.process.send_signal(signal.SIGTERM)
    running.end()
    before = {each: each.lstat() for each in folder.rglob("*")}
    assert cli.main(["status", str(folder), "--format", "json"]) == 0
    (store,) = json.loads(capsys.readouterr().out)["stores"]
    assert (store["doing"], store["status"]) == ("ended", "interrupted")
    assert store["problem"] == "ended by SIGTERM"
    after = {each: each.lstat() for each in folder.rglob("*")}
    assert {each: one.st_mtime_ns for each, one in after.items()} == {
        each: one.st_mtime_ns for each, one in before.items()
    }


@linux
def test_a_run_on_another_machine_and_a_number_used_again_are_told_apart(folder: Path) -> None:
    assert run(folder)[0] == 0
    (path,) = folder.rglob("*.run.json")
    told = json.loads(path.read_text())
    told["status"] = "running"
    told["process"]["pid"] = os.getpid()
    path.write_text(json.dumps(told))
    assert status.look(folder).stores[0].doing == "gone"
    told["process"]["host"] = "another"
    path.write_text(json.dumps(told))
    assert status.look(folder).stores[0].doing == "elsewhere"
    del told["process"]  # as cpgpt-doctor 0.1.0 wrote it
    path.write_text(json.dumps(told))
    assert status.look(folder).stores[0].doing == "gone"


@linux
def test_the_holder_of_a_lock_is_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert status.lock_holder(path) is None
    with filelock.FileLock(path):
        assert status.lock_holder(path) == os.getpid()
    assert status.lock_holder(path) is None


def test_a_record_that_is_none_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder)[0] == 0
    (path,) = folder.rglob("*.run.json")
    path.write_text("{")
    assert cli.main(["status", str(folder)]) == 2
    assert str(path) in capsys.readouterr().err
