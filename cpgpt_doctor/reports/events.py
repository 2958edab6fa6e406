"""`--log-json`: what a run does, one JSON object a line, for whoever watches it by machine.

Every event has `time` (local, with its zone) and `event`. What becomes of the file does not end
the run: where it cannot be written any more, that is said once.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.reports import files
from cpgpt_doctor.store.record import now

if TYPE_CHECKING:
    from cpgpt_doctor.embed.run import Progress

OPTION = "--log-json"
PROGRESS_SECONDS = 10.0  # between two events of progress
# A line is shorter than what a pipe takes whole (PIPE_BUF, 4096 bytes on Linux), so that lines are
# never mixed or cut.
LONGEST_TEXT = 800
LONGEST_LINE = 4000


class Events:
    """An open file of events; None writes nothing. Raises InputError where it cannot be opened."""

    def __init__(self, path: Path | None, complain: Callable[[str], None]) -> None:
        self.path, self.complain = path, complain
        self.lost = 0  # events that a full pipe did not take
        self.file: int | None = None
        if path is None:
            return
        files.check(path, OPTION)
        try:
            self.file = opened(path)
        except OSError as error:
            raise files.refusal(path, OPTION, error) from error

    def write(self, event: str, **more: Any) -> None:
        if self.file is None:
            return
        lost = {"lost": self.lost} if self.lost else {}
        line = as_line({"time": now(), "event": event, **lost, **more})
        try:
            os.write(self.file, line)
            self.lost = 0
        except BlockingIOError:  # nobody has read for long
            self.lost += 1
        except OSError as error:
            self.close()
            why = error.strerror or error
            self.complain(f"{OPTION} {self.path}: {why}; the run goes on without it")

    def close(self) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError):
                os.close(self.file)
            self.file = None


def opened(path: Path) -> int:
    """Appending: a run that is started again goes on in the same file."""
    number = files.descriptor(path)
    if number is not None:
        return os.dup(number)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    there = files.kind(path)
    if there is not None and not stat.S_ISREG(there):
        flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody reads would hold the run up
    return os.open(path, flags, 0o666)


def as_line(event: dict[str, Any]) -> bytes:
    """An event as a line; texts of libraries can be of any length."""
    short = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in event.items()
    }
    line = json.dumps(short)  # ASCII
    if len(line) >= LONGEST_LINE:
        kept = {key: value for key, value in short.items() if not isinstance(value, (str, list))}
        line = json.dumps({**{key: short[key] for key in ("time", "event")}, **kept})
    return f"{line}\n".encode()


class Told:
    """A run's progress, shown and written."""

    def __init__(self, shown: Progress, events: Events, total: int) -> None:
        self.shown, self.events, self.total = shown, events, total
        self.told = time.monotonic()

    def phase(self, text: str) -> None:
        self.shown.phase(text)
        self.events.write("phase", text=text)

    def note(self, text: str) -> None:
        self.shown.note(text)
        self.events.write("note", text=text)

    def treated(self, code: str, done: str, why: str) -> None:
        self.shown.treated(code, done, why)
        self.events.write("treatment", code=code, done=done, why=why)

    def advance(self, done: int) -> None:
        self.shown.advance(done)
        if time.monotonic() - self.told >= PROGRESS_SECONDS:
            self.told = time.monotonic()
            self.events.write("progress", computed=done, of=self.total)

    def committed(self, rows: int, seconds: float, done: int) -> None:
        self.shown.committed(rows, seconds, done)
        self.told = time.monotonic()
        self.events.write("part", rows=rows, seconds=seconds, committed=done, of=self.total)
