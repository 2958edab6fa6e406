"""What is done about a failure of the worker's: a function of the failure and of what is in force.

Failures are told apart by the rules that `explain --log` uses.
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from cpgpt_doctor import logs
from cpgpt_doctor.findings import Finding
from cpgpt_doctor.rules.failures import WATCH, judge
from cpgpt_doctor.words import Words, same

OUT_OF_MEMORY = ("CPG707", "CPG708", "CPG709")
# Of processes that load windows: one was lost, or the memory or the files that they share ran out.
LOADING = ("CPG701", "CPG704", "CPG705", "CPG706", "CPG710")
LOADING_WORKER = "DataLoader"  # how PyTorch's messages of a lost or silent worker begin
LOST_WORKERS = 3  # in a row, where no part is at work
LOST_ALONE = 3  # deaths of a location that is alone in its part, which is then set aside
LOG_BYTES = 1 << 20  # of the log's end that are looked at

Stage = Literal["loading", "measuring", "examining", "part"]
What = Literal["again", "smaller part", "set aside", "batch", "alone", "cpu", "no loading workers"]


@dataclass(frozen=True)
class Failure:
    """A failure of the worker's.

    text: as the worker or its end told it. code: of the rule that knows it, None where none does.
    lost: the process is gone, or was ended. stage: what it did. size: locations of the part. times:
    how often in a row it failed so, at this part and with this size. hunted: the part is one of
    which it is known that it kills the worker.
    """

    text: str
    code: str | None
    lost: bool
    stage: Stage
    size: int = 0
    times: int = 1
    hunted: bool = False


@dataclass(frozen=True)
class InForce:
    """Settings that a treatment can change. fallback: the user allows the CPU."""

    batch: int
    workers: int
    device: str
    fallback: bool = False


def choose(failure: Failure, now: InForce) -> What | None:
    """What to do; None where nothing of ours helps."""
    by_loading = failure.code in LOADING or LOADING_WORKER in failure.text
    if now.workers and by_loading and not failure.lost:
        return "no loading workers"
    if failure.code in OUT_OF_MEMORY:
        if now.batch > 1 and failure.stage != "loading":
            return "batch"
        if now.device != "cpu" and now.fallback:
            return "cpu"
    if not failure.lost:
        return None
    if failure.stage == "measuring" and failure.times > 1 and now.batch > 1:
        return "alone"  # one of the windows that are measured may be what ends it
    if failure.stage != "part":
        return "again" if failure.times < LOST_WORKERS else None
    if failure.size == 1:
        return "again" if failure.times < LOST_ALONE else "set aside"
    return "smaller part" if failure.hunted or failure.times > 1 else "again"


@dataclass
class Hunt:
    """How small a part has to be, where larger ones killed the worker.

    deaths: in a row, of a part at this place and of this size. suspects: so many locations, from
    the next one on, hold one that kills it; 0 where that is not so.
    """

    deaths: int = 0
    suspects: int = 0

    def size(self, wanted: int) -> int:
        return min(wanted, max(1, self.suspects // 2)) if self.suspects else wanted

    def died(self) -> None:
        self.deaths += 1

    def halve(self, size: int) -> None:
        """A part of this size killed the worker, and is to be halved."""
        self.deaths, self.suspects = 0, size

    def done(self, size: int) -> None:
        """A part of this size was committed."""
        self.deaths, self.suspects = 0, max(0, self.suspects - size)

    def over(self) -> None:
        self.deaths = self.suspects = 0


MOST_SET_ASIDE = 20  # locations of a run, or one in a thousand; where more fail, it is not theirs


def most_set_aside(locations: int) -> int:
    return max(MOST_SET_ASIDE, locations // 1000)


@dataclass(frozen=True)
class Known:
    """The code of the rule that knows a failure, and its findings."""

    code: str | None
    findings: tuple[Finding, ...]


def known(error: str, log: Path, start: int) -> Known:
    """What the rules find in an error and in what the worker wrote to its log from `start` on."""
    told = judge(logs.read(io.BytesIO(error.encode()), WATCH)).findings
    logged: tuple[Finding, ...] = ()
    if log.exists():
        with log.open("rb") as stream:
            begin = max(start, stream.seek(0, 2) - LOG_BYTES)
            stream.seek(0)
            before = newlines(stream, begin)
            stream.seek(begin)
            found = judge(logs.read(stream, WATCH)).findings
        logged = tuple(placed(each, log, before) for each in found)
    codes = [each.code for each in (*told, *reversed(logged))]
    if not codes:
        return Known(None, ())
    same_code = [each for each in logged if each.code == codes[0]]
    return Known(codes[0], tuple(same_code or told))


def newlines(stream: BinaryIO, size: int) -> int:
    """Lines that end in the next `size` bytes."""
    count = 0
    while size > 0 and (data := stream.read(min(size, LOG_BYTES))):
        count += data.count(b"\n")
        size -= len(data)
    return count


LINE = Words("log line", "日志行号")
LOG = Words("log", "日志")


def placed(finding: Finding, log: Path, before: int) -> Finding:
    """The finding with the place in the whole log; `before` lines of it were not looked at."""
    seen = tuple(
        (LOG, same(f"{log}:{before + int(text.en)}")) if label == LINE else (label, text)
        for label, text in finding.evidence.seen
    )
    return dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, seen=seen))


def without_place(finding: Finding) -> Finding:
    """The finding, where the log is not kept."""
    seen = tuple(each for each in finding.evidence.seen if each[0] not in (LINE, LOG))
    return dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, seen=seen))
