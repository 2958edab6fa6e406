"""`run-embed --demo`: a world made on the spot, so that a whole run needs nothing."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.probes import runner

FOLDER = Path("cpgpt-doctor-demo")
SECONDS = 300.0


def make(python: str, folder: Path | None, notes: Console) -> tuple[Path, str]:
    """Make the demo's world in `folder`, unless it is there; return it and its locations file.

    The model is found through HF_HOME, which is set for this process and what it starts.
    """
    folder = folder or FOLDER
    locations = folder / "locations.txt"
    if not locations.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"--demo: {folder} is not empty and holds no demo; name another"
                " folder with --dependencies-dir"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--demo: {folder}: cannot be made: {error.strerror}") from error
        notes.print(f"making a demo in {folder}: a random genome and a random-weight model")
        answer = runner.run(
            "demo",
            python,
            "cpgpt_doctor.patient.demo",
            {"folder": str(folder.resolve()), "dna_llm": DNA_LLM},
            SECONDS,
        )
        if isinstance(answer, ProbeFailure):
            last = (answer.output.strip().splitlines() or ["it printed nothing"])[-1]
            raise DoctorError(f"the demo could not be made ({answer.detail}): {last}")
    os.environ["HF_HOME"] = str((folder / "huggingface").resolve())
    os.environ["HF_HUB_OFFLINE"] = "1"
    return folder, str(locations)
