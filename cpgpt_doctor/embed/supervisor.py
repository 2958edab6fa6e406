"""Start the embedding worker in the patient's interpreter, and talk to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cpgpt_doctor.probes import runner


class WorkerLost(Exception):
    """The worker's process ended without an answer; the text says how."""


class WorkerFailed(Exception):
    """The worker reported an error of CpGPT or of its libraries: "Type: message"."""


class Worker:
    """A running worker. It ends itself when this object's pipe to it closes."""

    def __init__(self, python: str, folder: Path, log: Path, variables: dict[str, str]) -> None:
        with log.open("ab") as printed:
            self.process = subprocess.Popen(
                runner.command(python, "cpgpt_doctor.patient.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                # What is not in the cache was refused before; nothing is downloaded unasked.
                env={
                    **os.environ,
                    **variables,
                    "PYTHONUNBUFFERED": "1",
                    "HF_HUB_OFFLINE": "1",
                },
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        self.say({"folder": str(folder)})

    def say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write((json.dumps(message) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerLost(self.ending()) from None

    def ask(
        self, message: dict[str, Any], progress: Callable[[int], None] = lambda done: None
    ) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises WorkerFailed where CpGPT raised, WorkerLost where the process ended.
        """
        self.say(message)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer["event"] == "progress":
                progress(answer["done"])
            elif answer["event"] == "error":
                raise WorkerFailed(f"{answer['type']}: {answer['message']}")
            else:
                return answer
        raise WorkerLost(self.ending())

    def ending(self) -> str:
        code = self.process.wait()
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with status {code}"

    def stop(self) -> None:
        """End the worker and all that it started; returns when it is gone."""
        runner.end(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self.process.wait()
