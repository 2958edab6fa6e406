"""Workers on a dataset, as `patient/observe/workers.py` starts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cpgpt_doctor.facts.outcome import UNTRIED, Outcome
from cpgpt_doctor.facts.pickling import PicklingReport


@dataclass(frozen=True)
class MovedOffset:
    """An open file whose position moved in this process when a forked child read."""

    path: str = ""
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class ForkedRead:
    """The forked child whose read is watched: how it ended, and what it read.

    ended: "well"; "raised" an exception, "killed" by a signal, "exited" without a word, or stopped
    at a "timeout". detail: that exception, signal, status or limit.
    size: bytes read by system calls, None where the platform does not count them.
    open_files: files that this process had open for reading when it forked.
    """

    ended: Literal["well", "raised", "killed", "exited", "timeout"] = "exited"
    detail: str | None = None
    items: int = 0
    size: int | None = None
    open_files: int = 0


@dataclass(frozen=True)
class ForkTrial:
    """Windows that forked workers read, and how many differ from those of one process."""

    workers: int = 0
    windows: int = 0
    wrong: int = 0


@dataclass(frozen=True)
class WorkerStart:
    start_method: str = ""
    workers: int = 0
    outcome: Outcome = UNTRIED


@dataclass(frozen=True)
class Collate:
    """CpGPT's collate function with a model's tokenizer; no anatomy where that did not load."""

    dna_llm: str = ""
    outcome: Outcome = UNTRIED
    fast: bool | None = None
    anatomy: PicklingReport | None = None


@dataclass(frozen=True)
class DeepLook:
    name: str = ""
    outcome: Outcome = UNTRIED
    anatomy: PicklingReport | None = None


@dataclass(frozen=True)
class Workers:
    """`moved` and `trial` are None on a platform without fork; `deep` is for `check --deep`.

    forked: the child that `moved` is about; None without fork, and in facts of 0.1.0.
    """

    moved: tuple[MovedOffset, ...] | None = None
    trial: ForkTrial | None = None
    starts: tuple[WorkerStart, ...] = ()
    collate: Collate = field(default_factory=Collate)
    deep: tuple[DeepLook, ...] = ()
    forked: ForkedRead | None = None


@dataclass(frozen=True)
class OwnDataset:
    """A dataset of the user's, `package.module:callable`."""

    name: str = ""
    outcome: Outcome = UNTRIED
    anatomy: PicklingReport | None = None
    moved: tuple[MovedOffset, ...] | None = None
    starts: tuple[WorkerStart, ...] = ()
    forked: ForkedRead | None = None
