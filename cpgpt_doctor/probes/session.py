"""The session with the patient: its stages in one interpreter, and in a new one after a failure."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from cpgpt_doctor.patient import protocol
from cpgpt_doctor.probes import runner
from cpgpt_doctor.probes.task import Task

if TYPE_CHECKING:
    from cpgpt_doctor.facts import ProbeFailure

MODULE = "cpgpt_doctor.patient.stages"
FIRST = "python"  # an interpreter that cannot say what it is does nothing else either

Answers = dict[str, Union[dict[str, Any], "ProbeFailure"]]


class Garbled(Exception):
    """A line that is no answer of the stage that was to come."""


def examine(
    python: str,
    stages: tuple[str, ...],
    request: dict[str, Any],
    seconds: float,
    stopped: threading.Event | None = None,
) -> Answers:
    """What each stage saw, or how it failed.

    A stage in which the interpreter dies, hangs or says what cannot be read has failed, and a new
    interpreter goes on with the next one. After one that hung they go on side by side, so that
    what each of them waits for in vain is waited for once more, not once for each.

    Args:
        seconds: each stage's time limit.
        stopped: ends the session at once, from another thread.
    """
    answers: Answers = {}
    while left := tuple(stage for stage in stages if stage not in answers):
        failed = go_on(python, left, request, seconds, stopped, answers)
        if failed is not None and failed.probe == FIRST:
            break
        if stopped is not None and stopped.is_set():
            break
        if failed is not None and failed.kind == "timeout" and len(stages) > 1:
            left = tuple(stage for stage in stages if stage not in answers)
            answers |= side_by_side(python, left, request, seconds, stopped)
    return answers


def go_on(
    python: str,
    stages: tuple[str, ...],
    request: dict[str, Any],
    seconds: float,
    stopped: threading.Event | None,
    answers: Answers,
) -> ProbeFailure | None:
    """Put into `answers` what one interpreter says, up to the first stage that fails."""
    # An index that an interpreter was writing when it died is not for the next one.
    index = Path(request["scratch"]) / f"index-{os.urandom(4).hex()}.fai"
    asked = {**request, "stages": stages, "index": str(index)}
    at = ""
    trouble: runner.NoLine | Garbled | None = None
    with runner.running(python, MODULE, asked, stopped) as patient:
        try:
            for at in stages:
                seen = answer(patient.line(seconds), at)
                if seen.facts is not None:
                    answers[at] = seen.facts
                elif at == stages[0]:
                    raise Garbled
                if seen.spent:
                    break
            patient.wait_for_end()
        except (runner.NoLine, Garbled) as error:
            trouble = error
    if trouble is None:
        return None
    missing = trouble if isinstance(trouble, runner.NoLine) else None
    failed = patient.failure(at, missing, partial(protocol.printed_in, at))
    answers[at] = failed
    return failed


def answer(line: bytes, stage: str) -> protocol.Seen:
    """The answer of `stage`; raises Garbled where the line is none."""
    seen = protocol.read(line)
    if seen is None or seen.stage != stage:
        raise Garbled
    return seen


def side_by_side(
    python: str,
    stages: tuple[str, ...],
    request: dict[str, Any],
    seconds: float,
    stopped: threading.Event | None,
) -> Answers:
    answers: Answers = {}
    tasks = [
        Task(partial(go_on, python, (stage,), request, seconds, stopped, answers))
        for stage in stages
    ]
    for task in tasks:
        task.join()
    for task in tasks:
        task.result()
    return answers
