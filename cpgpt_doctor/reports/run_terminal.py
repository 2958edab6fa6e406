"""What run-embed shows on a terminal: the plan, the progress, the end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cpgpt_doctor.embed import kinds
from cpgpt_doctor.embed.pace import CLOSING_SECONDS
from cpgpt_doctor.store import layout

if TYPE_CHECKING:
    from cpgpt_doctor.embed.estimate import Estimate
    from cpgpt_doctor.embed.preflight import Preflight
    from cpgpt_doctor.embed.run import EmbedJob, Result

SHOWN_NUMBERS = 4


def show_plan(prepared: Preflight, console: Console) -> None:
    """The plan of a job, and what the locations look like."""
    job = prepared.job
    assert job is not None
    console.print("plan: asked -> applied, and why", style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in job.plan:
        code = f"  ({line.code})" if line.code else ""
        table.add_row(line.setting, f"{line.asked} -> {line.applied}{code}")
        table.add_row("", Text(line.why, "dim"))
    console.print(table)
    console.print(f"store: {job.paths.rows}", soft_wrap=True)
    locations = prepared.report.facts.locations
    if locations and locations.in_genome and locations.in_genome.all_n.count:
        console.print(
            f"{locations.in_genome.all_n.count} windows are nothing but N (allowed)",
            soft_wrap=True,
        )
    for sentence in prepared.told:
        console.print(sentence, soft_wrap=True)


class Shown:
    """The run's progress: a bar on a terminal, a line for each phase elsewhere."""

    def __init__(self, total: int, console: Console) -> None:
        self.console = console
        self.last = ""
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("starting", total=total, rate="")

    def __enter__(self) -> Shown:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def phase(self, text: str) -> None:
        self.bar.update(self.task, description=text)
        if not self.console.is_terminal and text != self.last:
            self.console.print(text, soft_wrap=True)
        self.last = text

    def note(self, text: str) -> None:
        """A line that stays."""
        self.bar.console.print(text, soft_wrap=True)

    def treated(self, code: str, done: str, why: str) -> None:
        self.note(f"{code + ': ' if code else ''}{done}; {why}")

    def committed(self, rows: int, seconds: float, done: int) -> None:
        self.advance(done)

    def expect(self, total: int) -> None:
        self.bar.update(self.task, total=total)

    def advance(self, done: int) -> None:
        task = self.bar.tasks[self.task]
        rate = f"{task.speed:.1f}/s" if task.speed else ""
        self.bar.update(self.task, completed=done, rate=rate)


def show_estimate(estimate: Estimate, console: Console, limit: float | None = None) -> None:
    """What a run would take; limit: seconds that each start of it has, None without."""
    least, most = estimate.seconds
    now = time.time()
    console.print(
        f"estimate for {estimate.locations} locations, from {estimate.computed} windows computed on"
        f" {estimate.device} just now",
        style="bold",
        soft_wrap=True,
    )
    console.print(
        f"time:   {lasting(least)} to {lasting(most)}, {lasting(estimate.start)} of it until the"
        f" first part; done between {clock(now + least)} and {clock(now + most)} if begun now",
        soft_wrap=True,
    )
    if limit is not None and most > limit:
        rest = limit - estimate.start - CLOSING_SECONDS
        starts = math.ceil((most - estimate.start) / rest) if rest > 0 else None
        said = "no part fits into it" if starts is None else f"about {starts} starts"
        console.print(f"        --time-limit {lasting(limit)}: {said}", soft_wrap=True)
    console.print(
        f"disk:   {gigabytes(estimate.disk)}, of {gigabytes(estimate.free)} free", soft_wrap=True
    )
    if estimate.memory is not None:
        card = "" if estimate.device == "cpu" else ", beside that of the GPU"
        console.print(
            f"memory: {gigabytes(estimate.memory)}, of {gigabytes(estimate.available)} available"
            f"{card}",
            soft_wrap=True,
        )


def lasting(seconds: float) -> str:
    """As one says it: 50 s, 12 min, 3.5 h, 2.1 days."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.{0 if unit < 3600 else 1}f} {name}"
    return f"{seconds / 86_400:.1f} days"


def clock(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def show_end(job: EmbedJob, result: Result, console: Console, seconds: float) -> None:
    stored = len(job.all_locations) - len(job.locations)
    rate = f", {result.committed / seconds:.1f} a second" if result.committed else ""
    console.print(
        f"{result.committed} locations embedded in {seconds:.1f} s{rate};"
        f" {stored} were in the store already",
        soft_wrap=True,
    )
    for line in proved(result.verification) if result.verification else []:
        console.print(line, soft_wrap=True)
    if result.verification and result.verification["padding"]:
        console.print(f"rows: {rows(result.verification)}", soft_wrap=True)
    if result.problem is None:
        console.print(example_row(job), soft_wrap=True)
    console.print(f"record: {result.record}", soft_wrap=True)
    console.print(f"log:    {result.log}", soft_wrap=True)


def proved(checked: dict[str, Any]) -> Iterator[str]:
    """What a verification proves, and what it does not."""
    yield f"verified: {checked['locations']} locations have a row"
    if checked["parts_with_right_digest"]:
        yield (
            f"verified: {checked['parts_with_right_digest']} parts have the digest they were"
            " committed with"
        )
    if checked["computed_again_alone"]:
        yield (
            f"verified: {checked['computed_again_alone']} rows, some of each part of this run,"
            f" computed again alone, {equality(checked['largest_difference'])}"
        )
    if checked["proved_with_unmodified_cpgpt"]:
        yield (
            f"verified: {checked['proved_with_unmodified_cpgpt']} windows gave the same rows when"
            " unmodified CpGPT embedded them on this device"
        )
    if checked["proved_with_other_padding"]:
        yield (
            f"verified: {checked['proved_with_other_padding']} windows gave the same rows when"
            " CpGPT's own call embedded them on this device, with nothing changed but the padding"
        )
    if checked["found_before"]:
        others = checked["found_before"] > checked["found_computed_again"]
        yield (
            f"looked at: {checked['found_before']} rows that came without a complete record: none"
            " is zero, not a number, or the row of another window;"
            f" {checked['found_computed_again']} of them computed again alone,"
            f" {equality(checked['found_largest_difference'])}"
            + ("; the others are not proved" if others else "")
        )


def rows(checked: dict[str, Any]) -> str:
    """Which kind the rows of the store are, and what is to be known of it."""
    padding, release = checked["padding"], checked["release_padding"]
    said = kinds.words(padding)
    if release not in (None, padding):
        return f"{said}; the installed CpGPT would add the other kind"
    return said if padding == 1 else f"{said}; {kinds.PUBLISHED}"


def equality(largest: float) -> str:
    if largest == 0.0:
        return "equal bit for bit"
    return f"equal up to rounding ({largest:.1e} of a row's norm)"


def example_row(job: EmbedJob) -> str:
    """The first location's row, as it stands in the store."""
    location = job.all_locations[0]
    row = layout.named_rows(job.paths)[location]
    (data,) = layout.read_rows(job.paths, [row])
    numbers = memoryview(data).cast("f")
    first = ", ".join(f"{number:.4f}" for number in numbers[:SHOWN_NUMBERS])
    return f"{location} -> [{first}, ...] ({len(numbers)} numbers, row {row})"
