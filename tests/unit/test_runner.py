"""A probe is waited for until it has answered, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.probes import runner
from tests.environment import clean_environment
from tests.processes import HANG, all_end, usual_signals

SLEEPER = "import time; time.sleep(100_000)"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A word on the command lines of what a test starts."""
    return f"sleeper-{tmp_path.name}-{os.getpid()}"


@pytest.fixture
def probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> Iterator[Callable[..., Any]]:
    """Runs a patient-side module of the test's own."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def ran(source: str, seconds: float = HANG) -> dict[str, Any] | ProbeFailure:
        text = f"import os, subprocess, sys, time\nSLEEPER = {SLEEPER!r}\nNAME = {name!r}\n"
        text += "def send(channel):\n    channel.write('{\"answer\": 1}\\n'); channel.flush()\n"
        text += "def main(request, channel, commands):\n"
        text += "".join(f"    {line}\n" for line in source.strip().splitlines())
        (tmp_path / "patient_of_a_test.py").write_text(text)
        return runner.run("probe", sys.executable, "patient_of_a_test", {}, seconds)

    yield ran
    for each in sleepers(name):
        each.kill()


def sleepers(name: str) -> list[psutil.Process]:
    """Who runs with the word on the command line: seen anew, and not by our marks."""
    return [
        each for each in psutil.process_iter(["cmdline"]) if name in (each.info["cmdline"] or [])
    ]


# What Ray, Dask and others do when user code starts them.
STARTS = {
    "a child": "subprocess.Popen([sys.executable, '-c', SLEEPER, NAME])",
    "a child that left the group": (
        "subprocess.Popen([sys.executable, '-c', SLEEPER, NAME], start_new_session=True)"
    ),
    "a daemon, by two forks": (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: os.execv(sys.executable, [sys.executable, '-c', SLEEPER, NAME])\n"
        "    os._exit(0)\n"
        "os.wait()"
    ),
    "a forked worker that holds the channel": (
        "if os.fork() == 0:\n"
        "    os.dup2(channel.fileno(), 9)\n"
        "    os.execv(sys.executable, [sys.executable, '-c', SLEEPER, NAME])"
    ),
}


@pytest.mark.parametrize("starts", STARTS.values(), ids=STARTS.keys())
def test_an_answer_counts_and_what_the_probe_started_is_ended(
    probe: Any, name: str, starts: str
) -> None:
    assert probe(f"{starts}\nsend(channel)") == {"answer": 1}
    assert all_end(sleepers(name))


@pytest.mark.parametrize("starts", STARTS.values(), ids=STARTS.keys())
def test_a_limit_is_kept_though_others_hold_the_pipes(probe: Any, name: str, starts: str) -> None:
    began = time.monotonic()
    failed = probe(f"{starts}\ntime.sleep(100_000)", seconds=5.0)
    assert (failed.kind, failed.detail) == ("timeout", "5 s")
    assert time.monotonic() - began < HANG
    assert all_end(sleepers(name))


def test_a_probe_that_answers_and_does_not_end_has_answered(
    probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE", 0.5)
    assert probe("send(channel)\ntime.sleep(100_000)") == {"answer": 1}


def test_a_probe_that_has_answered_may_clean_up(probe: Any, tmp_path: Path) -> None:
    end = f"time.sleep(1); open({str(tmp_path / 'cleaned')!r}, 'w').close()"
    assert probe(f"import atexit\natexit.register(lambda: exec({end!r}))\nsend(channel)") == {
        "answer": 1
    }
    assert (tmp_path / "cleaned").exists()


def test_a_crash_while_others_hold_the_pipes_is_a_crash(probe: Any, name: str) -> None:
    failed = probe(
        f"{STARTS['a child']}\nprint('last words', file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert (failed.kind, failed.detail) == ("killed", "SIGKILL")
    assert "last words" in failed.output
    assert all_end(sleepers(name))


def test_a_crash_after_the_answer_takes_nothing_back(probe: Any) -> None:
    assert probe("send(channel)\nos.kill(os.getpid(), 11)") == {"answer": 1}


@pytest.mark.parametrize(
    ("source", "kind", "detail"),
    [
        ("sys.exit(3)", "exited", "status 3"),
        ("os.kill(os.getpid(), 10)", "killed", signal.Signals(10).name),
        ("pass", "garbled", "its answer is not JSON"),
        ("channel.write('{\"cut')", "garbled", "its answer is not JSON"),
        ("channel.write('[' * 100_000 + '\\n')", "garbled", "its answer is not JSON"),
        ("raise ValueError('x')", "exited", "status 1"),
    ],
)
def test_no_answer_is_a_result(probe: Any, source: str, kind: str, detail: str) -> None:
    failed = probe(source)
    assert (failed.kind, failed.detail) == (kind, detail)


def test_an_answer_larger_than_a_pipe_comes_whole(probe: Any) -> None:
    answer = probe("import json\nchannel.write(json.dumps({'x': 'y' * 3_000_000}) + '\\n')")
    assert len(answer["x"]) == 3_000_000


def test_much_printed_stops_no_probe_and_its_end_is_kept(probe: Any) -> None:
    failed = probe("for at in range(200_000): print('line', at)\nsys.exit(1)")
    assert failed.output.endswith("line 199999\n")
    assert len(failed.output) == runner.KEPT_OUTPUT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_check_that_is_ended_ends_all_of_it(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """With a dataset of the user's that starts a daemon and hangs."""
    (tmp_path / "mine.py").write_text(
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}, {name!r}], start_new_session=True)\n"
        "open('there', 'w').close()\n"
        "time.sleep(100_000)\n"
    )
    asked = ("check", "--dataset", "mine:Dataset")
    check = subprocess.Popen(
        [sys.executable, "-m", "cpgpt_doctor", *asked],
        cwd=tmp_path,
        env=clean_environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        # A shell's background jobs ignore SIGINT, and what they start inherits that.
        preexec_fn=usual_signals,
    )
    until = time.monotonic() + HANG
    while not (tmp_path / "there").exists():
        assert check.poll() is None, check.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    family = psutil.Process(check.pid).children(recursive=True)
    assert family
    assert sleepers(name)
    check.send_signal(number)
    out, err = check.communicate(timeout=HANG)
    assert (check.returncode, out) == (128 + number, "")
    assert err == "cpgpt-doctor: interrupted\n"
    assert all_end(family)
    assert all_end(sleepers(name))
    assert not list(tmp_path.glob("cpgpt-doctor-*"))
