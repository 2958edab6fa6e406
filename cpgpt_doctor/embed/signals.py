"""Signals that end run-embed: what is finished is kept, and the record says how it ended.

The first one raises `Interrupted` in the main thread, as Python does for Ctrl-C, but waits for the
end of a `held` section, such as a commit. A second one, or a main thread that does not come out in
time, ends the process at once, as SIGKILL would, after the last words of `at_once`: a commit that
is under way is then rolled back by whoever opens the store next.

A scheduler's warning (SIGUSR1, as Slurm sends it with --signal) lets the part under way be finished
first (`part`), and a time limit (`end_in`) does not; both end with the exit code that says: again.

Python runs a signal's handler only where the main thread is between two steps of Python's. A thread
of our own therefore listens, too, for a main thread that waits in SQLite or in a file system.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

import psutil

# Windows has no SIGHUP; closing a console and Ctrl-Break come as SIGBREAK there.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# Ends a run that has a time limit; Windows has no such timer, and parts end in time there, too.
TIMER = getattr(signal, "SIGALRM", None)
WARNING = getattr(signal, "SIGUSR1", None)
AGAIN = 75  # EX_TEMPFAIL of sysexits.h: start it again
# Seconds in which the same event may come twice: a shell passes SIGHUP on, `timeout` signals both
# the process and its group.
SAME_EVENT = 0.5
# Seconds for the main thread: to end its children itself, and to come out. Slurm kills 30 s after
# SIGTERM.
CHILDREN_SECONDS = 2.0
GRACE_SECONDS = 20.0
LAST_SECONDS = 2.0  # for each last step before the process is ended


class Interrupted(KeyboardInterrupt):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(name(number))
        self.number = number

    @property
    def exit_code(self) -> int:
        return exit_code(self.number)


class TimeUp(Interrupted):
    """No further part can be finished before the time limit."""

    def __init__(self) -> None:
        KeyboardInterrupt.__init__(self, TIME_LIMIT)

    @property
    def exit_code(self) -> int:
        return AGAIN


TIME_LIMIT = "--time-limit"


def name(number: int) -> str:
    if number == TIMER:
        return TIME_LIMIT
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def exit_code(number: int) -> int:
    """As shells give it; of what only asks for another start, that of sysexits.h."""
    return AGAIN if number in (TIMER, WARNING) else 128 + number


class Handling:
    """What is known of the signals of this process while they are handled."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.since = 0.0
        self.holding = 0
        self.in_part = 0
        self.warned = False
        self.raised = False
        self.last_words: Callable[[], None] = lambda: None
        self.over = threading.Event()
        self.parked = threading.Event()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Python calls this in the main thread."""
        if self.first is None:
            self.first, self.since = number, time.monotonic()
            if not self.holding:
                self.interrupt()
        elif number != TIMER and time.monotonic() - self.since > SAME_EVENT:
            self.parked.set()  # nothing of ours goes on: the listener now ends the process
            time.sleep(4 * LAST_SECONDS)
            os._exit(exit_code(self.first))

    def warn(self, number: int, frame: FrameType | None) -> None:
        """Python calls this in the main thread."""
        self.warned = True
        if not (self.holding or self.in_part or self.raised):
            self.interrupt()

    def interrupt(self) -> None:
        number = WARNING if self.first is None else self.first
        assert number is not None
        self.raised = True
        raise Interrupted(number)

    @property
    def waits(self) -> bool:
        """Whether a signal came that nothing keeps waiting any more."""
        asked = self.first is not None or (self.warned and not self.in_part)
        return asked and not (self.holding or self.raised)

    def listen(self, arrived: socket.socket, numbers: list[int]) -> None:
        """A thread's work: see that a signal ends the process, whatever the main thread does."""
        first = next_signal(arrived, numbers)
        if first is None:
            return
        started = time.monotonic()
        numbers = [each for each in numbers if each != TIMER]  # nobody's second signal
        if not another(arrived, numbers, started, CHILDREN_SECONDS):
            if self.over.is_set():
                return
            end_children()  # the main thread may wait for them
            if not another(arrived, numbers, started, GRACE_SECONDS):
                if self.over.is_set():
                    return
                _thread.interrupt_main(signal.Signals(first))
        self.parked.wait(LAST_SECONDS)
        if not self.over.is_set():
            self.end_at_once(first)

    def end_at_once(self, number: int) -> NoReturn:
        """Close the record and end this process."""
        end_children()
        text = f"cpgpt-doctor: ended at once ({name(number)}); what is finished is kept\n"
        # In threads of their own: a file system or a terminal that hangs does not keep us.
        for act in (self.last_words, lambda: os.write(2, text.encode())):
            last = threading.Thread(target=quietly, args=(act,), daemon=True)
            last.start()
            last.join(LAST_SECONDS)
        os._exit(exit_code(number))


_handling: Handling | None = None


def next_signal(arrived: socket.socket, numbers: list[int]) -> int | None:
    """The next one of ours; None where the handling is over."""
    while True:
        data = arrived.recv(1)
        if data in (b"", b"\0"):
            return None
        if data[0] in numbers:
            return data[0]


def another(arrived: socket.socket, numbers: list[int], since: float, seconds: float) -> bool:
    """Whether another signal comes until so many seconds after the first, not of the same event.

    Half the time suffices here: the main thread may have seen the first one before us.
    """
    while (passed := time.monotonic() - since) < seconds:
        arrived.settimeout(seconds - passed)
        try:
            if next_signal(arrived, numbers) is None:
                return False
        except TimeoutError:
            return False
        if time.monotonic() - since > SAME_EVENT / 2:
            return True
    return False


def quietly(act: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):  # the process is ended next, whatever becomes of this
        act()


@contextlib.contextmanager
def handled(*, restartable: bool = False) -> Iterator[None]:
    """Handle the signals that end a run; what the caller's shell ignores (nohup) stays ignored.

    restartable: also SIGUSR1, and a time limit. In the main thread only. Raises Interrupted. All
    children are gone when an Interrupted leaves.
    """
    global _handling
    handling = Handling()
    found = [getattr(signal, each) for each in NAMES if hasattr(signal, each)]
    if restartable and TIMER is not None:
        found.append(TIMER)
    numbers = [each for each in found if signal.getsignal(each) not in (signal.SIG_IGN, None)]
    warning = WARNING if restartable and WARNING not in numbers else None
    if warning is not None and signal.getsignal(warning) in (signal.SIG_IGN, None):
        warning = None
    arrived, waker = socket.socketpair()
    waker.setblocking(False)
    listener = threading.Thread(target=handling.listen, args=(arrived, numbers), daemon=True)
    listener.start()
    ours = numbers if warning is None else [*numbers, warning]
    before: dict[int, Any] = {each: signal.getsignal(each) for each in ours}
    wakeup = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    _handling = handling
    try:
        for each in numbers:
            signal.signal(each, handling.handle)
        if warning is not None:
            signal.signal(warning, handling.warn)
        try:
            yield
        except Interrupted:
            end_children()
            raise
    finally:
        handling.holding += 1  # what comes now comes too late
        if TIMER is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for each, handler in before.items():
            signal.signal(each, handler)
        handling.over.set()
        _handling = None
        signal.set_wakeup_fd(wakeup)
        with contextlib.suppress(OSError):  # full of signals: then the thread is awake
            waker.send(b"\0")
        listener.join(LAST_SECONDS)
        arrived.close()
        waker.close()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let a first signal wait for the end of this section; a second one does not wait."""
    handling = _handling
    if handling is None:
        yield
        return
    handling.holding += 1
    try:
        yield
    finally:
        handling.holding -= 1
    if handling.waits:
        handling.interrupt()


@contextlib.contextmanager
def part() -> Iterator[None]:
    """Let SIGUSR1 wait for the end of this section; no other signal does."""
    handling = _handling
    if handling is None:
        yield
        return
    handling.in_part += 1
    try:
        yield
    finally:
        handling.in_part -= 1
    if handling.waits:
        handling.interrupt()


def border() -> None:
    """Raise what a part was not to be interrupted by, where it did not come to its end."""
    if _handling is not None and _handling.waits:
        _handling.interrupt()


def end_in(seconds: float) -> None:
    """End the run that is handled in so many seconds, as a signal would."""
    if _handling is not None and TIMER is not None:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))


def give_way() -> None:
    """Raise, inside a held section that only waits, what that section keeps waiting."""
    if _handling is not None and _handling.first is not None and not _handling.raised:
        _handling.interrupt()


@contextlib.contextmanager
def at_once(last_words: Callable[[], None]) -> Iterator[None]:
    """What is done last where the process has to be ended at once during this section."""
    handling = _handling
    if handling is None:
        yield
        return
    handling.last_words = last_words
    try:
        yield
    finally:
        handling.last_words = lambda: None


def end_children() -> None:
    """Kill everything that this process started; SIGKILL works on stopped processes, too."""
    try:
        family = psutil.Process().children(recursive=True)
    except psutil.Error:
        return
    for child in family:
        with contextlib.suppress(psutil.Error):
            child.kill()
