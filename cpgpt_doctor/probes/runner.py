"""Run one probe in an interpreter of its own, with a time limit; a crash is a result.

What a probe imports may start processes: a dataset of the user's starts Ray or Dask, whose daemons
outlive it and hold its pipes. So the answer is a line, not all that comes until the pipe closes,
and after the answer, the end or the limit everything that the probe started is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.patient import boot
from cpgpt_doctor.probes.ending import ending

BOOT = str(Path(boot.__file__).resolve())
KEPT_OUTPUT = 2000  # characters of a failed probe's output that go into the facts
LARGEST_ANSWER = 2**26  # bytes; what is longer is no answer
# Set for a probe, and so for all that it starts: by this a daemon is found that has left both the
# family and the group.
MARK = "CPGPT_DOCTOR_PROBE"
# Seconds for a probe that has answered to end by itself (it removes what it made), and for what it
# has started to end after it (multiprocessing's tracker removes semaphores then).
GRACE = 10.0
SETTLE = 1.0
POLL = 0.01
ROUNDS = 3  # of looking for what a probe has started, since it may go on starting


def command(python: str, module: str) -> list[str]:
    """The command line that starts a patient-side module."""
    return [python, BOOT, module]


class Reader(threading.Thread):
    """Reads a pipe: to the end of its first line, or to its end, of which the last bytes are kept.

    The end comes when nobody holds the other side any more, which may be never.
    """

    def __init__(self, pipe: IO[bytes], *, line: bool, kept: int) -> None:
        super().__init__(daemon=True)
        self.pipe, self.line, self.kept = pipe, line, kept
        self.data = bytearray()
        self.done = False
        self.start()

    def run(self) -> None:
        try:
            while chunk := os.read(self.pipe.fileno(), 2**16):
                self.data += chunk
                if self.line and (b"\n" in chunk or len(self.data) > self.kept):
                    break
                if not self.line:
                    del self.data[: -self.kept]
        finally:
            self.done = True


def run(
    probe: str,
    python: str,
    module: str,
    request: dict[str, Any],
    seconds: float,
    stopped: threading.Event | None = None,
) -> dict[str, Any] | ProbeFailure:
    """Start `module` in `python`, hand it `request`, and return the object that it sends.

    Everything that it started is gone afterwards. Raises InputError where `python` cannot be
    started at all.

    Args:
        seconds: how long the answer may take.
        stopped: ends the probe at once, from another thread.
    """
    # CpGPT imports matplotlib, which would write its list of fonts into the home folder.
    fonts = {"MPLCONFIGDIR": request["scratch"]} if "scratch" in request else {}
    mark = str(uuid.uuid4())
    try:
        process = subprocess.Popen(
            command(python, module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **fonts,
                "PYTHONUNBUFFERED": "1",
                "HF_HUB_OFFLINE": "1",  # an examination downloads nothing
                MARK: mark,
            },
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise InputError(f"--python {python}: cannot be started: {error.strerror}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    has_ended = watched(process)

    def wait(condition: Callable[[], bool], limit: float) -> bool:
        until = time.monotonic() + limit
        while not (holds := condition()) and time.monotonic() < until:
            if stopped is not None and stopped.is_set():
                break
            time.sleep(POLL)
        return holds

    said = Reader(process.stdout, line=True, kept=LARGEST_ANSWER)
    printed = Reader(process.stderr, line=False, kept=4 * KEPT_OUTPUT)
    try:
        hand_over(process.stdin, request)
        in_time = wait(lambda: said.done or has_ended(), seconds)
        if in_time:
            wait(has_ended, GRACE)
        by_itself = has_ended()
        if by_itself:
            wait(lambda: said.done and printed.done, SETTLE)
    finally:
        end(process, mark)
        with contextlib.suppress(subprocess.TimeoutExpired):  # SIGKILL waits for a disk that hangs
            process.wait(GRACE)
        with contextlib.suppress(OSError):
            process.stdin.close()
    for reader in (said, printed):
        reader.join(SETTLE)
        if reader.done:
            reader.pipe.close()
    with contextlib.suppress(ValueError, RecursionError):
        if b"\n" in said.data:
            answer: dict[str, Any] = json.loads(said.data)
            return answer
    if not in_time:
        return failure(probe, "timeout", f"{seconds:.0f} s", printed.data)
    if by_itself and process.returncode != 0:
        ended = ending(process.returncode)
        return failure(probe, ended.kind, ended.detail, printed.data)
    return failure(probe, "garbled", "its answer is not JSON", printed.data + said.data)


@contextlib.contextmanager
def stopped_with_us() -> Iterator[threading.Event]:
    """For probes in threads: what raises here, such as Ctrl-C, ends them.

    They are in sessions of their own, where a terminal's Ctrl-C does not come.
    """
    stopped = threading.Event()
    try:
        yield stopped
    except BaseException:
        stopped.set()
        raise


def hand_over(pipe: IO[bytes], request: dict[str, Any]) -> None:
    """Write the request; a process that has ended already says so by its exit code.

    The pipe stays open: a probe can tell by its end that we are gone.
    """
    with contextlib.suppress(OSError):  # EPIPE, and EINVAL on Windows
        pipe.write((json.dumps(request) + "\n").encode())
        pipe.flush()


def watched(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Tells whether the process has ended without waiting for it.

    As long as it is not waited for, its number, which is its group's, is given to no other.
    """
    if sys.platform == "win32":  # no groups, and nobody gets the number while we hold it open
        return lambda: process.poll() is not None
    leader = psutil.Process(process.pid)

    def has_ended() -> bool:
        try:
            return leader.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return True

    return has_ended


def failure(probe: str, kind: Any, detail: str, printed: bytearray) -> ProbeFailure:
    return ProbeFailure(probe, kind, detail, printed.decode(errors="replace")[-KEPT_OUTPUT:])


def end(process: subprocess.Popen[bytes], mark: str | None = None) -> None:
    """Kill a process that leads a session, and everything that it started.

    That is its family, its group (who is left of it when the process has ended) and, where there
    is a mark, all that have inherited it. To be called before the process is waited for.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        if sys.platform != "win32" and process.returncode is None:
            # PermissionError: macOS, of a group in which all have ended
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        kill(family)
    process.kill()
    for _ in range(ROUNDS):
        left = [] if mark is None else marked(mark)
        if not left:
            break
        kill(left)


def marked(mark: str) -> list[psutil.Process]:
    """Running processes of ours that have inherited the mark."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if each.environ().get(MARK) == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()
