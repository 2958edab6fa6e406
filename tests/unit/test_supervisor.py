"""A worker that ends, stops, hangs or says what cannot be understood is lost, never waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cpgpt_doctor.embed.supervisor import Limits, Watch, Worker, WorkerFailed, WorkerLost
from cpgpt_doctor.probes import runner
from tests import standin
from tests.processes import HANG, all_end

LOAD = {"op": "load"}
# Ticks are short here. What is not asked for is out of reach.
NEVER = 1_000_000
LIMITS = Limits(tick=0.02, gap=600.0, stopped=NEVER, silent=NEVER, idle=NEVER, busy=NEVER)
MUTE = "beat = lambda: None"


def limits(**changed: int) -> Limits:
    return Limits(**{**LIMITS.__dict__, **changed})


Started = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Start a stand-in; `before` and `each` are its Python."""
    workers = []

    def started(before: str = "", each: str = "pass", limits: Limits = LIMITS) -> Worker:
        python = standin.write_worker(tmp_path / "python", before, each)
        worker = Worker(str(python), tmp_path, tmp_path / "log", {}, limits=limits)
        workers.append(worker)
        return worker

    yield started
    for worker in workers:
        worker.stop()


def test_a_worker_answers(start: Started) -> None:
    worker = start()
    assert worker.ask(LOAD)["event"] == "loaded"
    assert worker.ask({"op": "tokens"})["event"] == "checked"


def test_a_stopped_worker_is_lost(start: Started) -> None:
    worker = start(limits=limits(stopped=60))
    worker.ask(LOAD)
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost, match=r"^stopped: no sign of life for 1 s$"):
        worker.ask(LOAD)
    worker.stop()
    assert worker.process.returncode == -signal.SIGKILL


def test_a_stopped_worker_that_does_not_read_is_lost_too(start: Started) -> None:
    """A command larger than a pipe: writing it would wait without end."""
    worker = start(limits=limits(stopped=60))
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost, match="stopped"):
        worker.ask({"op": "load", "folder": "x" * 1_000_000})
    worker.stop()


def test_a_worker_that_is_stopped_for_a_moment_is_waited_for(start: Started) -> None:
    worker = start(limits=limits(stopped=500))
    worker.ask(LOAD)
    os.kill(worker.process.pid, signal.SIGSTOP)
    with subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {worker.process.pid}"]):
        assert worker.ask(LOAD)["event"] == "loaded"


def test_a_worker_without_a_sign_of_life_is_lost_later(start: Started) -> None:
    """One that the system runs may load a library from a slow disk, which holds up its threads."""
    worker = start(before=MUTE, each="time.sleep(1000)", limits=limits(stopped=5, silent=60))
    started = time.monotonic()
    with pytest.raises(WorkerLost, match=r"^hung: no sign of life for 1 s$"):
        worker.ask(LOAD)
    assert time.monotonic() - started >= 60 * 0.02


def test_a_worker_that_is_alive_and_idle_is_lost(start: Started) -> None:
    worker = start(each="time.sleep(1000)", limits=limits(silent=NEVER, idle=60))
    with pytest.raises(WorkerLost, match=r"^hung: alive, but idle for 1 s$"):
        worker.ask(LOAD)


def test_a_worker_that_computes_is_waited_for_longer_than_an_idle_one(start: Started) -> None:
    worker = start(each="while True: pass", limits=limits(idle=100, busy=250))
    wait_for_life(worker)
    with pytest.raises(WorkerLost, match=r"^hung: busy, but no further for 5 s$"):
        worker.ask(LOAD)


def test_progress_is_waited_for(start: Started) -> None:
    sends = "for done in range(40): send(event='progress', done=done); time.sleep(0.1)"
    worker = start(each=sends, limits=limits(silent=150, idle=150, busy=150))
    wait_for_life(worker)
    seen: list[int] = []
    assert worker.ask(LOAD, seen.append)["event"] == "loaded"
    assert seen == list(range(40))


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ("os._exit(3)", "^ended with status 3$"),
        ("os.kill(os.getpid(), 9)", "^killed by SIGKILL$"),
        ("os.kill(os.getpid(), 40)", "^killed by signal 40$|^killed by SIGRTMIN"),
        ("print('[]', flush=True)", r"cannot be read: b'\[\]"),
        ("print('{\"event\": ', flush=True)", "cannot be read"),
        ("print('[' * 100000, flush=True)", "cannot be read"),
        ("send(event='progress', done='x')", "cannot be read"),
        ("send(event=['loaded'])", "cannot be read"),
        ("send(event='surprise')", "^answered 'surprise' to 'load'$"),
        ("send(event='built')", "^answered 'built' to 'load'$"),
        (
            "sys.stdout.write('{\"ev'); sys.stdout.flush(); os._exit(0)",
            "^ended with status 0, in the middle of a line$",
        ),
        ("os.write(1, b'\\xff\\xfe\\n')", "cannot be read"),
    ],
)
def test_a_worker_that_ends_or_says_something_else_is_lost(
    start: Started, each: str, said: str
) -> None:
    worker = start(each=each, before=MUTE)
    with pytest.raises(WorkerLost, match=said):
        worker.ask(LOAD)


def test_an_error_of_the_worker_s_is_told(start: Started) -> None:
    worker = start(each="send(event='error', type='ValueError', message='no')")
    with pytest.raises(WorkerFailed, match="ValueError: no"):
        worker.ask(LOAD)


CHILD = "import subprocess; subprocess.Popen(['sleep', '1000'])"


def test_what_an_ended_worker_started_neither_keeps_us_waiting_nor_lives_on(
    start: Started,
) -> None:
    """It holds the pipe open that would have told us of the end."""
    worker = start(before=CHILD, each="os._exit(3)")
    (child,) = wait_for_children(worker)
    with pytest.raises(WorkerLost, match="ended with status 3"):
        worker.ask(LOAD)
    worker.stop()
    assert all_end([child])


def test_a_worker_is_stopped_with_all_that_it_started(start: Started) -> None:
    worker = start(before=CHILD)
    (child,) = wait_for_children(worker)
    os.kill(worker.process.pid, signal.SIGSTOP)
    worker.stop()
    assert all_end([child])
    assert not any(thread.is_alive() for thread in worker.threads)
    worker.stop()  # again: nothing happens


def wait_for_children(worker: Worker) -> list[psutil.Process]:
    while not (found := psutil.Process(worker.process.pid).children()):
        time.sleep(0.02)
    return found


def wait_for_life(worker: Worker) -> None:
    """An interpreter may take as long to start as a test's short limits."""
    while worker.heard.empty():
        time.sleep(0.02)


def never() -> bool:
    return False


def test_a_gap_in_our_ticks_begins_all_counts_anew() -> None:
    """A scheduler that suspends the worker suspends us, too."""
    limits = Limits(stopped=60, silent=60, idle=60, busy=60)
    watch = Watch(limits)
    for _ in range(59):
        watch.tick(1.0, never)
    watch.tick(3600.0, never)
    for _ in range(59):
        watch.tick(1.0, never)
    with pytest.raises(WorkerLost):
        watch.tick(1.0, never)


def test_time_that_is_not_ours_does_not_count() -> None:
    """60 ticks of up to 10 s each, as on a machine that swaps: the worker has as few."""
    watch = Watch(Limits(silent=61))
    for _ in range(60):
        watch.tick(9.0, never)


def test_hardly_any_computing_is_idle() -> None:
    """A sign of life costs some processor time itself."""
    watch = Watch(Limits(idle=100))
    for at in range(99):
        watch.tick(1.0, never)
        if at % 5 == 0:
            watch.alive(at * 0.01)
    with pytest.raises(WorkerLost, match="idle for 100 s"):
        watch.tick(1.0, never)


def test_the_limits_are_generous() -> None:
    limits = Limits()
    assert limits.tick == 1.0
    assert 60 <= limits.stopped < 600 <= limits.silent < 1800 <= limits.idle < limits.busy


def test_lines_of_two_threads_do_not_mix(tmp_path: Path) -> None:
    """The worker's own channel, with a pipe that is full again and again."""
    script = tmp_path / "threads.py"
    script.write_text(
        "import sys, threading\n"
        "from cpgpt_doctor.patient.channel import send\n"
        "def many(name):\n"
        "    for at in range(300): send(sys.stdout, {'event': name * 5000, 'at': at})\n"
        "threads = [threading.Thread(target=many, args=(name,)) for name in 'abcd']\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    lines = ran.stdout.decode().splitlines()
    assert len(lines) == 1200
    assert {len(line) for line in lines} <= set(range(5000, 5040))


def test_the_worker_gives_signs_of_life_before_its_first_command(tmp_path: Path) -> None:
    """The real one, in the patient's interpreter."""
    process = subprocess.Popen(
        runner.command(sys.executable, "cpgpt_doctor.patient.compute.worker"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f'{{"folder": "{tmp_path}"}}\n'.encode())
    process.stdin.flush()
    assert b'"event": "alive"' in process.stdout.readline()
    process.stdin.close()
    assert process.wait(HANG) == 1
    process.stdout.close()
