"""Start the embedding worker in the patient's interpreter, and talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from cpgpt_doctor.probes import runner
from cpgpt_doctor.probes.ending import ending

MODULE = "cpgpt_doctor.patient.compute.worker"
# What each command is answered with; anything else means that we no longer understand each other.
ANSWERS = {
    "database": "built",
    "model": "looked",
    "load": "loaded",
    "tokens": "checked",
    "measure": "measured",
    "embed": "embedded",
    "scan": "scanned",
    "pad": "padded",
    "reference": "embedded",
    "lengths": "counted",
    "find": "found",
    "closest": "closest",
    "nearest": "nearest",
    "compare": "compared",
}
SHOWN = 60  # characters of an answer that cannot be read
STOP_SECONDS = 5.0
GONE_TICKS = 5  # an ended worker's last words are waited for so long


class WorkerLost(Exception):
    """The worker's process ended, stopped or hangs, without an answer; the text says how."""


class WorkerFailed(Exception):
    """The worker reported an error of CpGPT or of its libraries: "Type: message"."""


@dataclass(frozen=True)
class Limits:
    """For how long a worker is waited for, in ticks of ours.

    Ticks are counted, not the clock's time: a laptop sleeps, and a scheduler suspends the worker
    and us. A tick that took longer than `gap` seconds means that, and all is counted anew.

    stopped: of a worker without a sign of life that the system has stopped. silent: of one that
    it has not; loading a library from a slow network disk holds everything up for minutes. idle:
    of one that is alive and neither comes further nor computes. busy: of one that computes and
    comes no further, be it one batch on a slow processor.
    """

    tick: float = 1.0
    gap: float = 10.0
    stopped: int = 60
    silent: int = 600
    idle: int = 1800
    busy: int = 6 * 3600


COMPUTING = 0.05  # of a processor; a worker that hangs uses less, its sign of life hardly any


@dataclass
class Watch:
    """Counts ticks since the worker was heard, since it computed and since it came further."""

    limits: Limits
    silent: int = 0
    idle: int = 0
    busy: int = 0
    _cpu: float = field(default=0.0)
    _since: int = field(default=0)

    def progressed(self) -> None:
        self.silent = self.idle = self.busy = self._since = 0

    def alive(self, cpu: float) -> None:
        """A sign of life; cpu: the processor seconds that the worker has used so far."""
        self.silent = 0
        if cpu - self._cpu > COMPUTING * max(1, self._since) * self.limits.tick:
            self.idle = 0
        self._cpu, self._since = cpu, 0

    def tick(self, seconds: float, is_stopped: Callable[[], bool]) -> None:
        """Count a tick that took so many seconds. Raises WorkerLost where a limit is reached."""
        if seconds > self.limits.gap:
            self.progressed()
            return
        self.silent += 1
        self.idle += 1
        self.busy += 1
        self._since += 1
        limits = self.limits
        if self.silent >= limits.stopped and is_stopped():
            raise WorkerLost(f"stopped: no sign of life for {self.seconds(self.silent)}")
        if self.silent >= limits.silent:
            raise WorkerLost(f"hung: no sign of life for {self.seconds(self.silent)}")
        if self.idle >= limits.idle:
            raise WorkerLost(f"hung: alive, but idle for {self.seconds(self.idle)}")
        if self.busy >= limits.busy:
            raise WorkerLost(f"hung: busy, but no further for {self.seconds(self.busy)}")

    def seconds(self, ticks: int) -> str:
        return f"{ticks * self.limits.tick:.0f} s"


class Worker:
    """A running worker. It ends itself when this object's pipe to it closes.

    Threads read and write the pipes, so that no wait for the worker keeps us from anything else.
    """

    def __init__(
        self,
        python: str,
        folder: Path,
        log: Path,
        variables: dict[str, str],
        *,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        with log.open("ab") as printed:
            self.process = subprocess.Popen(
                runner.command(python, MODULE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                # What is not in the cache was refused before; nothing is downloaded unasked.
                env={
                    **os.environ,
                    **variables,
                    "PYTHONUNBUFFERED": "1",
                    "HF_HUB_OFFLINE": "1",
                },
                # Ctrl-C is ours to handle.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows'
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.heard: queue.Queue[bytes] = queue.Queue()  # lines; an empty one at the end
        self.to_say: queue.Queue[bytes | None] = queue.Queue()
        self.threads = [
            threading.Thread(target=listen, args=(self.process.stdout, self.heard), daemon=True),
            threading.Thread(target=speak, args=(self.process.stdin, self.to_say), daemon=True),
        ]
        for thread in self.threads:
            thread.start()
        self.say({"folder": str(folder)})

    def say(self, message: dict[str, Any]) -> None:
        self.to_say.put((json.dumps(message) + "\n").encode())

    def ask(
        self, message: dict[str, Any], progress: Callable[[int], None] = lambda done: None
    ) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises WorkerFailed where CpGPT raised, WorkerLost where the process ended, stopped or
        hangs, or said what cannot be understood.
        """
        wanted = ANSWERS[message["op"]]
        self.say(message)
        watch = Watch(self.limits)
        while True:
            answer = understood(self.next_line(watch))
            if answer["event"] == "alive":
                watch.alive(answer["cpu"])
            elif answer["event"] == "progress":
                watch.progressed()
                progress(answer["done"])
            elif answer["event"] == "error":
                raise WorkerFailed(f"{answer['type']}: {answer['message']}")
            elif answer["event"] == wanted:
                return answer
            else:
                raise WorkerLost(f"answered {answer['event']!r} to {message['op']!r}")

    def next_line(self, watch: Watch) -> bytes:
        """Wait for a line. Raises WorkerLost where a limit is reached first, or none will come."""
        gone = 0
        while True:
            started = time.monotonic()
            try:
                line = self.heard.get(timeout=self.limits.tick)
            except queue.Empty:
                watch.tick(time.monotonic() - started, self.is_stopped)
                # A process that it started may hold the pipe open.
                gone = gone + 1 if self.has_ended() else 0
                if gone >= GONE_TICKS:
                    raise WorkerLost(self.ending()) from None
                continue
            if not line:
                raise WorkerLost(self.ending())
            if not line.endswith(b"\n"):
                raise WorkerLost(f"{self.ending()}, in the middle of a line")
            return line

    def status(self) -> str | None:
        """The process' status as the system gives it; None where it is gone."""
        try:
            return str(psutil.Process(self.process.pid).status())
        except psutil.Error:
            return None

    def is_stopped(self) -> bool:
        return self.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

    def has_ended(self) -> bool:
        """Asked without `poll`, which would let go of the process' number, and of its group's."""
        ended = self.process.returncode is not None
        return ended or self.status() in (None, psutil.STATUS_ZOMBIE)

    def ending(self) -> str:
        """How it ended, after its pipe closed; what it has started is ended, too."""
        deadline = time.monotonic() + STOP_SECONDS
        while not self.has_ended():
            if time.monotonic() > deadline:
                return "closed its pipe, and does not end"
            time.sleep(0.02)
        self.end_group()
        return ending(self.process.wait()).words

    def end_group(self) -> None:
        """Kill what is left of the worker's session, also what its own end has orphaned."""
        if os.name != "nt" and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the worker and all that it started; returns when it is gone, within seconds."""
        if self.process.returncode is None:
            if self.has_ended():
                self.end_group()  # as long as the group's number is certain to be its own
            runner.end(self.process)
            self.end_group()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a disk, then ends
            self.process.wait(STOP_SECONDS)
        self.to_say.put(None)
        for thread in self.threads:
            thread.join(1.0)


def listen(pipe: IO[bytes], heard: queue.Queue[bytes]) -> None:
    """A thread's work: hand on what the worker says, line by line."""
    try:
        with pipe:
            for line in pipe:
                heard.put(line)
    finally:
        heard.put(b"")


def speak(pipe: IO[bytes], to_say: queue.Queue[bytes | None]) -> None:
    """A thread's work: write to the worker, which does not read while it is stopped."""
    # Where the worker is gone, the other pipe says so.
    with contextlib.suppress(OSError), pipe:
        while (line := to_say.get()) is not None:
            pipe.write(line)
            pipe.flush()


# What is in the messages that every command may be followed by.
FIELDS: dict[str, dict[str, type]] = {
    "alive": {"cpu": float},
    "progress": {"done": int},
    "error": {"type": str, "message": str},
}


def understood(line: bytes) -> dict[str, Any]:
    """A line of the worker's. Raises WorkerLost where it is none."""
    try:
        answer = json.loads(line)
        event = answer["event"]
        for key, kind in FIELDS.get(event, {}).items():
            if not isinstance(answer[key], kind):
                raise TypeError(key)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WorkerLost(f"said what cannot be read: {line[:SHOWN]!r}") from None
    return dict(answer)
