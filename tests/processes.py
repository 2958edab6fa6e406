"""Waiting for processes, as a machine that is slow or busy needs it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable

import psutil

HANG = 600.0  # seconds after which something is taken to hang


def runs(process: psutil.Process) -> bool:
    """Whether it does; who has ended is kept as a zombie by whoever adopted it, for a while."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def all_end(processes: Iterable[psutil.Process]) -> bool:
    """Whether all of them end; a signal that was sent takes a moment."""
    deadline = time.monotonic() + HANG
    alive = list(processes)
    while alive := [each for each in alive if runs(each)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def usual_signals() -> None:
    """For `preexec_fn`: signals as in a terminal, where the tests run under nohup or in the
    background, whose children ignore SIGHUP or SIGINT."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
