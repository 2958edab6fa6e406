"""What a run does, seen from outside: from its lock and its record. Nothing is written or locked.

To ask for the lock itself would refuse a run that starts at this very moment.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import record
from cpgpt_doctor.store.layout import WORK
from cpgpt_doctor.store.record import Ran

LOCKS = Path("/proc/locks")  # Linux; see proc_locks(5)
RECORDS = "dna_embeddings/*/*/*.run.json"
RECENT = 5  # parts of which the rate is taken

Doing = Literal["running", "stopped", "elsewhere", "gone", "ended"]


@dataclass(frozen=True)
class Store:
    """A store's last run.

    doing: "running"; "stopped": it is there, and is halted (SIGSTOP, Ctrl-Z); "elsewhere": it says
    that it runs, on another machine; "gone": it did not close its record, and is there no more;
    "ended": as `ran.status` says. rate: locations a second over the last parts, None where there
    is none. left: locations that it has not committed.
    """

    path: Path
    ran: Ran
    doing: Doing
    rate: float | None
    left: int


@dataclass(frozen=True)
class Status:
    """Of a dependencies folder. holder: the process that writes there, None where none is seen.

    seen: whether the system tells who holds a lock; where not, the records say who runs.
    """

    folder: Path
    holder: int | None
    seen: bool
    stores: tuple[Store, ...]


def look(folder: Path) -> Status:
    """Raises InputError where there is no such folder, or a record that cannot be read."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    lock = folder / WORK / "lock"
    seen = LOCKS.exists()
    holder = lock_holder(lock) if seen else None
    stores = tuple(
        store(path, holder, seen=seen) for path in sorted(folder.glob(RECORDS)) if path.is_file()
    )
    return Status(folder, holder, seen, stores)


def store(path: Path, holder: int | None, *, seen: bool) -> Store:
    ran = record.ran(path)
    last = ran.parts[-RECENT:] if ran.committed else ()
    seconds = sum(part.seconds for part in last)
    rate = sum(part.rows for part in last) / seconds if seconds else None
    left = max(0, ran.asked - ran.stored_before - ran.committed)
    return Store(path, ran, doing(ran, holder, seen=seen), rate, left)


def doing(ran: Ran, holder: int | None, *, seen: bool) -> Doing:
    process = ran.process
    if ran.status != "running":
        return "ended"
    if process is None:
        return "running" if holder is not None else "gone"
    if process.host != platform.node():
        return "elsewhere"
    try:
        there = psutil.Process(process.pid)
        if abs(there.create_time() - process.started) > 1.0 or (seen and holder != process.pid):
            return "gone"  # another process has its number now
        return "stopped" if there.status() == psutil.STATUS_STOPPED else "running"
    except psutil.Error:
        return "gone"


def lock_holder(lock: Path) -> int | None:
    """The process that holds a lock on the file, as Linux lists it; None where none does."""
    try:
        there = lock.stat()
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    device, inode = there.st_dev, there.st_ino
    named = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in lines:
        fields = line.split()
        # "1: FLOCK  ADVISORY  WRITE 708 00:13:1234 0 EOF"; a waiting one has "->" first.
        if len(fields) > 5 and fields[1] != "->" and fields[5] == named:
            return int(fields[4])
    return None
