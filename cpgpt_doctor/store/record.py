"""`run.json`: what a run was asked, did and verified. Written anew after each part."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cpgpt_doctor import __version__
from cpgpt_doctor.disk import make_folder, open_regular, write_whole
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import form
from cpgpt_doctor.genome.locations import LOCATION
from cpgpt_doctor.store.binding import Binding, Proof
from cpgpt_doctor.store.layout import StorePaths

SCHEMA = "cpgpt-doctor/run/v1"
LARGEST = 64 << 20  # bytes; a part is about 400


@dataclass(frozen=True)
class Setting:
    """A line of the plan; `code` is the rule that a change treats, empty for none."""

    setting: str
    asked: str
    applied: str
    code: str
    why: str


@dataclass(frozen=True)
class Part:
    """A committed part: rows `first_row` to `first_row + rows`, and SHA-256 digests.

    rows_digest is over the rows' bytes, locations_digest over the locations, a line each.
    """

    first_row: int
    rows: int
    rows_digest: str
    locations_digest: str
    seconds: float
    committed: str


@dataclass(frozen=True)
class Found:
    """Rows that no record of ours explained, and what a run made of them; digests as of a part.

    They were scanned (none is zero, not finite, or equal to the row of another window), and
    `sampled` of them were computed again, alone; largest_difference is relative to a row's norm.
    """

    first_row: int
    rows: int
    rows_digest: str
    locations_digest: str
    sampled: int
    largest_difference: float
    when: str


@dataclass(frozen=True)
class Treated:
    """What was done about a failure; code: of the rule that knows it, empty where none does."""

    when: str
    code: str
    done: str
    why: str


@dataclass(frozen=True)
class SetAside:
    """A location that ended the worker every time; it has no row."""

    location: str
    why: str
    when: str


@dataclass(frozen=True)
class Earlier:
    """What a record says of the rows that a store names.

    bound: None where there is no record, or one that does not say what its rows were computed from
    (cpgpt-doctor 0.1.0): then no row counts as covered. pending: the part that was about to be
    committed; a run that was killed then did not note whether it was.
    """

    parts: tuple[Part, ...] = ()
    found: tuple[Found, ...] = ()
    bound: Binding | None = None
    proofs: tuple[Proof, ...] = ()
    pending: Part | None = None
    versions: dict[str, str] = field(default_factory=dict)
    tokens_checked: dict[str, Any] | None = None
    batch_measured: dict[str, Any] | None = None
    set_aside: tuple[SetAside, ...] = ()

    def uncovered(self, named: int) -> list[range]:
        """The rows, of the `named` ones, that neither a part nor an earlier look covers."""
        covered: list[Part | Found] = [*self.parts, *self.found] if self.bound else []
        gaps: list[range] = []
        end = 0
        for each in sorted(covered, key=lambda each: each.first_row):
            if each.first_row > end:
                gaps.append(range(end, each.first_row))
            end = max(end, each.first_row + each.rows)
        return [*gaps, range(end, named)] if end < named else gaps


@dataclass(frozen=True)
class Process:
    """Who runs: `started` are seconds since 1970, since numbers of processes are used again."""

    pid: int
    host: str
    started: float


@dataclass(frozen=True)
class Ran:
    """What a record says of its run, for whoever looks from outside."""

    status: str
    started: str
    written: str
    process: Process | None = None
    asked: int = 0
    stored_before: int = 0
    committed: int = 0
    parts: tuple[Part, ...] = ()
    treatments: tuple[Treated, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    problem: str | None = None


@dataclass
class Record:
    """The content of run.json while a run goes on."""

    path: Path
    patient: dict[str, Any]
    intent: dict[str, Any]
    plan: tuple[Setting, ...]
    parts: list[Part]
    found: list[Found]
    bound: Binding | None
    proofs: list[Proof]
    status: str = "running"
    started: str = field(default_factory=lambda: now())
    workers: int = 0
    tokens: dict[str, Any] | None = None
    measured: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    pending: Part | None = None
    verification: dict[str, Any] | None = None
    problem: str | None = None
    treatments: list[Treated] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    asked: int = 0  # locations
    stored_before: int = 0  # of these, when the run began
    committed: int = 0  # of these, by this run
    process: Process = field(default_factory=lambda: this_process())

    def write(self) -> None:
        """Replace run.json whole."""
        data = {
            "schema": SCHEMA,
            "doctor": {"version": __version__},
            "patient": self.patient,
            "intent": self.intent,
            "status": self.status,
            "started": self.started,
            "written": now(),
            "process": dataclasses.asdict(self.process),
            "asked": self.asked,
            "stored_before": self.stored_before,
            "committed": self.committed,
            "plan": [dataclasses.asdict(setting) for setting in self.plan],
            "workers": self.workers,
            "tokens_checked": self.tokens,
            "batch_measured": self.measured,
            "versions": self.versions,
            "bound": dataclasses.asdict(self.bound) if self.bound else None,
            "proofs": [dataclasses.asdict(proof) for proof in self.proofs],
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "pending": dataclasses.asdict(self.pending) if self.pending else None,
            "found": [dataclasses.asdict(found) for found in self.found],
            "treatments": [dataclasses.asdict(treated) for treated in self.treatments],
            "set_aside": [dataclasses.asdict(each) for each in self.set_aside],
            "verification": self.verification,
            "problem": self.problem,
        }
        make_folder(self.path.parent, within=self.path.parents[3])  # the dependencies folder
        write_whole(self.path, json.dumps(data, indent=2) + "\n")


def locations_digest(locations: Iterable[str]) -> str:
    """SHA-256 over locations in the order of their rows, a line each."""
    digest = hashlib.sha256()
    for location in locations:
        digest.update(f"{location}\n".encode())
    return digest.hexdigest()


def this_process() -> Process:
    process = psutil.Process()
    return Process(process.pid, platform.node(), process.create_time())


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def record_path(paths: StorePaths) -> Path:
    """Beside the store; a folder can hold several context lengths, so the name says which."""
    return paths.folder / f"{paths.context_len}bp_dna_embeddings.run.json"


def read(path: Path) -> Earlier:
    """What a record of ours says; nothing where there is none.

    Raises InputError where a file stands there that is none: it may be damaged, and what it said is
    then to be looked at, not dropped.
    """
    try:
        known, _ = form.read(content(path), Earlier, "record")
        ranges = [(each.first_row, each.rows) for each in known.parts]
        ranges += [(each.first_row, each.rows) for each in known.found]
        ranges += [(known.pending.first_row, known.pending.rows)] if known.pending else []
        if any(min(each) < 0 for each in ranges):
            raise ValueError("a row's number is negative")
        for location in known.bound.windows if known.bound else ():
            written = LOCATION.fullmatch(location)
            if known.bound and (written is None or written[1] not in known.bound.sequences):
                raise ValueError(f"{location[:40]!r} is no location of its sequences")
        return known
    except FileNotFoundError:
        return Earlier()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read as the record of a run: {error.strerror}; move it away, then"
            " start again"
        ) from error
    except (InputError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(
            f"{path}: is no record of a run ({str(error)[:80]}); move it away, then start again"
        ) from None


def content(path: Path) -> Any:
    """What a record's file holds. Raises OSError, and ValueError or the like where it is none."""
    with open_regular(path, follow=False) as stream:
        text = stream.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError("it is too long")
    data = json.loads(text)
    if data["schema"] != SCHEMA:
        raise ValueError("it has another schema")
    return data


def ran(path: Path) -> Ran:
    """How the run of a record stands. Raises InputError where the file is none."""
    try:
        return form.read(content(path), Ran, "record")[0]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (InputError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: is no record of a run ({str(error)[:80]})") from None


def lost_rows(parts: tuple[Part, ...], named: int) -> int:
    """How many rows that were committed the store no longer names (CPG523)."""
    return sum(max(0, part.first_row + part.rows - max(part.first_row, named)) for part in parts)


def earlier(path: Path, named: int) -> Earlier:
    """What an earlier run noted of a store that now names `named` rows.

    What it says of rows that are no longer named is left out. Raises InputError as `read` does.
    """
    known = read(path)
    return dataclasses.replace(
        known,
        parts=tuple(part for part in known.parts if part.first_row + part.rows <= named),
        found=tuple(found for found in known.found if found.first_row + found.rows <= named),
        pending=known.pending
        if known.pending and known.pending.first_row + known.pending.rows <= named
        else None,
    )
