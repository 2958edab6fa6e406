"""Waiting for processes, as a machine that is slow or busy needs it."""

from __future__ import annotations

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
