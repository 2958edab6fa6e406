"""Who writes in a dependencies folder holds its lock: one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import places
from cpgpt_doctor.store.layout import WORK


@contextlib.contextmanager
def held(dependencies: Path) -> Iterator[Path]:
    """Hold the lock of a folder; gives our own folder in it, which is made where it is missing.

    Raises InputError where another run or repair holds it, or where the disk does not lock files.
    """
    work = dependencies / WORK
    places.make_work(work)
    lock = filelock.FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(
            f"{dependencies}: another run-embed or repair is at work on this folder"
            f" (it holds {work / 'lock'})"
        ) from None
    except (OSError, NotImplementedError) as error:
        # Network disks without locks: two runs on one store would not know of each other.
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{work / 'lock'}: cannot be locked ({why}), so two runs could not be kept apart; where"
            " a disk does not lock files, put the dependencies folder on another"
        ) from None
    try:
        yield work
    finally:
        lock.release()
