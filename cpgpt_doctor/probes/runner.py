"""Run code in the patient's interpreter, with a time limit; a crash is a result.

What it imports may start processes: a dataset of the user's starts Ray or Dask, whose daemons
outlive it and hold its pipes. So an answer is a line, not all that comes until the pipe closes, and
in the end everything that it started is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.patient import boot

if TYPE_CHECKING:
    from cpgpt_doctor.facts import ProbeFailure

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
FIRST_POLL = 0.001  # for the end of a probe that has answered, which the report waits for
ROUNDS = 3  # of looking for what a probe has started, since it may go on starting
GARBLED = "its answer is not JSON"


class NoLine(Exception):
    """The next line did not come in time, or will not come."""


class Late(NoLine):
    """It did not come in time."""


def command(python: str, module: str) -> list[str]:
    """The command line that starts a patient-side module."""
    return [python, BOOT, module]


class Lines(threading.Thread):
    """Reads a pipe's lines into a queue, with None at its end or where a line is too long.

    The end comes when nobody holds the other side any more, which may be never.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.pipe = pipe
        self.queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.rest = b""
        self.start()

    def run(self) -> None:
        parts: list[bytes] = []
        length = 0
        try:
            while chunk := os.read(self.pipe.fileno(), 2**16):
                *ended, last = chunk.split(b"\n")
                for line in ended:
                    self.queue.put(b"".join((*parts, line)))
                    parts, length = [], 0
                parts.append(last)
                length += len(last)
                if length > LARGEST_ANSWER:
                    break
        finally:
            self.rest = b"".join(parts)
            self.queue.put(None)


class Tail(threading.Thread):
    """Reads a pipe to its end, of which the last bytes are kept."""

    def __init__(self, pipe: IO[bytes], kept: int) -> None:
        super().__init__(daemon=True)
        self.pipe, self.kept = pipe, kept
        self.data = bytearray()
        self.start()

    def run(self) -> None:
        while chunk := os.read(self.pipe.fileno(), 2**16):
            self.data += chunk
            del self.data[: -self.kept]


class Running:
    """A patient-side module in an interpreter of its own. To be ended by `end`."""

    def __init__(
        self,
        python: str,
        module: str,
        request: dict[str, Any],
        stopped: threading.Event | None = None,
    ) -> None:
        """Start `module` in `python` and hand it `request`.

        Raises InputError where `python` cannot be started at all. stopped: ends every wait at once,
        from another thread.
        """
        # CpGPT imports matplotlib, which would write its list of fonts into the home folder.
        fonts = {"MPLCONFIGDIR": request["scratch"]} if "scratch" in request else {}
        self.stopped = stopped
        self.mark = os.urandom(16).hex()
        self.by_itself = False
        try:
            self.process = subprocess.Popen(
                command(python, module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={
                    **os.environ,
                    **fonts,
                    "PYTHONUNBUFFERED": "1",
                    "HF_HUB_OFFLINE": "1",  # an examination downloads nothing
                    MARK: self.mark,
                },
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise InputError(f"--python {python}: cannot be started: {error.strerror}") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.has_ended = watched(self.process)
        self.said = Lines(self.process.stdout)
        self.printed = Tail(self.process.stderr, 4 * KEPT_OUTPUT)
        hand_over(self.process.stdin, request)

    def line(self, seconds: float) -> bytes:
        """The next line, without its end. Raises Late after `seconds`, NoLine where none comes."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self.said.queue.get(timeout=POLL)
            except queue.Empty:
                if self.has_ended():  # and others hold the pipe: what it has said is in it
                    line = self.last_line()
                elif time.monotonic() > until or (self.stopped and self.stopped.is_set()):
                    raise Late(f"{seconds:.0f} s") from None
                else:
                    continue
            if line is None:
                self.wait_for_end()
                raise NoLine
            return line

    def last_line(self) -> bytes | None:
        with contextlib.suppress(queue.Empty):
            return self.said.queue.get(timeout=SETTLE)
        return None

    def wait_for_end(self, seconds: float | None = None) -> None:
        """Let it end by itself, for a while."""
        until = time.monotonic() + (GRACE if seconds is None else seconds)
        pause = FIRST_POLL
        while not self.has_ended() and time.monotonic() < until:
            if self.stopped is not None and self.stopped.is_set():
                return
            time.sleep(pause)
            pause = min(2 * pause, POLL)

    def end(self) -> None:
        """Kill it and everything that it has started."""
        self.by_itself = self.has_ended()
        if self.by_itself:
            self.printed.join(SETTLE)
        end(self.process, self.mark)
        with contextlib.suppress(subprocess.TimeoutExpired):  # SIGKILL waits for a disk that hangs
            self.process.wait(GRACE)
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        for reader in (self.said, self.printed):
            reader.join(SETTLE)
            if not reader.is_alive():
                reader.pipe.close()

    def failure(
        self, probe: str, missing: NoLine | None, part: Callable[[bytes], bytes] = bytes
    ) -> ProbeFailure:
        """Why there is no answer, after the end; missing is None for one that cannot be read.

        part: gives the part of what was printed that tells of it.
        """
        printed = part(bytes(self.printed.data))
        if isinstance(missing, Late):
            return failure(probe, "timeout", str(missing), printed)
        if missing is not None and self.by_itself and self.process.returncode != 0:
            from cpgpt_doctor.probes.ending import ending

            ended = ending(self.process.returncode)
            return failure(probe, ended.kind, ended.detail, printed)
        return failure(probe, "garbled", GARBLED, printed + self.said.rest)


@contextlib.contextmanager
def running(
    python: str, module: str, request: dict[str, Any], stopped: threading.Event | None = None
) -> Iterator[Running]:
    """A module that runs, and of which nothing is left afterwards."""
    patient = Running(python, module, request, stopped)
    try:
        yield patient
    finally:
        patient.end()


def run(
    probe: str, python: str, module: str, request: dict[str, Any], seconds: float
) -> dict[str, Any] | ProbeFailure:
    """Start `module` in `python`, hand it `request`, and return the object that it sends.

    Everything that it started is gone afterwards. Raises InputError where `python` cannot be
    started at all. seconds: how long the answer may take.
    """
    missing = None
    with running(python, module, request) as patient:
        try:
            line = patient.line(seconds)
        except NoLine as error:
            missing = error
        else:
            patient.wait_for_end()
    if missing is None:
        with contextlib.suppress(ValueError, RecursionError):
            answer: dict[str, Any] = json.loads(line)
            return answer
    return patient.failure(probe, missing)


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
    if not hasattr(os, "waitid"):  # macOS, up to Python 3.12
        import psutil

        leader = psutil.Process(process.pid)

        def is_zombie() -> bool:
            try:
                return leader.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            except psutil.NoSuchProcess:
                return True

        return is_zombie

    def has_ended() -> bool:
        if process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, process.pid, flags) is not None
        except ChildProcessError:  # where our caller ignores SIGCHLD, nobody has to wait for it
            return True

    return has_ended


def failure(probe: str, kind: Any, detail: str, printed: bytes) -> ProbeFailure:
    from cpgpt_doctor.facts import ProbeFailure

    return ProbeFailure(probe, kind, detail, printed.decode(errors="replace")[-KEPT_OUTPUT:])


def end(process: subprocess.Popen[bytes], mark: str | None = None) -> None:
    """Kill a process that leads a session, and everything that it started.

    That is its family, its group (who is left of it when the process has ended) and, where there
    is a mark, all that have inherited it. To be called before the process is waited for.
    """
    kill(family(process))
    if sys.platform != "win32" and process.returncode is None:
        # PermissionError: macOS, of a group in which all have ended
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    for _ in range(ROUNDS):
        left = [] if mark is None else marked(mark)
        if not left:
            break
        kill(left)


def family(process: subprocess.Popen[bytes]) -> list[int]:
    """Children of a process, and theirs; none where it has ended, since others adopted them."""
    if watched(process)():
        return []
    import psutil

    try:
        return [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def marked(mark: str) -> list[int]:
    """Running processes of ours that have inherited the mark."""
    if sys.platform == "linux":  # psutil takes as long to import as this to look
        ours = f"{MARK}={mark}".encode()
        running = (each for each in Path("/proc").iterdir() if each.name.isdigit())
        return [int(each.name) for each in running if ours in environment(each)]
    import psutil

    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if each.environ().get(MARK) == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.pid)
    return found


def environment(process: Path) -> list[bytes]:
    """The variables of a process, on Linux; none of a zombie and of another user's."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def kill(processes: list[int]) -> None:
    for number in processes:
        with contextlib.suppress(OSError):
            os.kill(number, getattr(signal, "SIGKILL", signal.SIGTERM))
