"""`run-embed --demo`: a world made on the spot, so that a whole run needs nothing.

It is made beside its folder and renamed when it is whole, so that it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

import filelock
from rich.console import Console

from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.probes import runner

FOLDER = Path("cpgpt-doctor-demo")
SECONDS = 900.0  # a limit for what hangs: torch from a slow network disk takes minutes
README = "README.txt"  # with this text it says that a demo is whole
TEXT = "Made by cpgpt-doctor run-embed --demo: random bases and random weights, no biology.\n"
PARTS = ("locations.txt", "genomes", "huggingface")
# In a folder that is being made, and locked for that time: by it a later run knows its own kind.
MARK = ".made-by-cpgpt-doctor-demo"
ELSEWHERE = "name another folder with --dependencies-dir"


def make(python: str, folder: Path | None, notes: Console) -> tuple[Path, str]:
    """Make the demo's world in `folder`, unless it is there; return it and its locations file.

    The model is found through HF_HOME, which is set for this process and what it starts.
    """
    folder = folder or FOLDER
    try:
        if not is_whole(folder):
            notes.print(f"making a demo in {folder}: a random genome and a random-weight model")
            build(python, folder)
    except OSError as error:
        raise InputError(f"--demo: {folder}: cannot be made: {error.strerror or error}") from error
    os.environ["HF_HOME"] = str((folder / "huggingface").resolve())
    os.environ["HF_HUB_OFFLINE"] = "1"
    return folder, str(folder / "locations.txt")


def is_whole(folder: Path) -> bool:
    """Whether a demo is there; False where one can be made. Raises InputError for anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    readme = folder / README
    if not readme.is_file() or not readme.read_bytes().startswith(TEXT.encode()):
        raise InputError(f"--demo: {folder} is not empty and holds no whole demo; {ELSEWHERE}")
    for part in PARTS:
        if not (folder / part).exists():
            raise InputError(
                f"--demo: {folder}: {part} is gone from this demo; remove the folder, to have it"
                f" made anew, or {ELSEWHERE}"
            )
    return True


def build(python: str, folder: Path) -> None:
    """Make a demo, whole or not at all. Raises OSError, InputError and DoctorError."""
    real = Path(os.path.realpath(folder))
    if real == Path.cwd():
        raise InputError(f"--demo: {folder} is the folder that you are in; {ELSEWHERE}")
    real.parent.mkdir(parents=True, exist_ok=True)
    partial = real.with_name(f"{real.name}.partial")
    clear(partial)
    partial.mkdir()
    with filelock.FileLock(partial / MARK) as lock:
        try:
            fill(python, partial)
            if os.name == "nt":
                lock.release()  # Windows moves no folder in which a file is open
                if real.exists():
                    real.rmdir()
            partial.rename(real)  # over an empty folder, or where there is none
        except BaseException:
            with contextlib.suppress(OSError):  # a later run removes what is left
                remove(partial)
            raise
    (real / MARK).unlink(missing_ok=True)


def clear(partial: Path) -> None:
    """Remove what a run that was killed has left; InputError for what is not of our making."""
    try:
        kind = os.lstat(partial).st_mode
    except FileNotFoundError:
        return
    mark = partial / MARK
    if stat.S_ISDIR(kind) and not any(partial.iterdir()):
        partial.rmdir()
        return
    if not stat.S_ISDIR(kind) or mark.is_symlink() or not mark.is_file():
        raise InputError(f"--demo: {partial} is in the way, and not of a demo; {ELSEWHERE}")
    try:
        with filelock.FileLock(mark, timeout=0):
            remove(partial)
    except filelock.Timeout:
        raise InputError(f"--demo: {partial}: another run-embed is making this demo") from None


def remove(partial: Path) -> None:
    """Remove a folder of ours, its mark last: killed in between, it is still known as ours."""
    for each in partial.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != MARK:
            each.unlink()
    (partial / MARK).unlink(missing_ok=True)
    partial.rmdir()


def fill(python: str, folder: Path) -> None:
    """Let the patient make the demo in an empty folder."""
    answer = runner.run(
        "demo",
        python,
        "cpgpt_doctor.patient.compute.demo",
        {"folder": str(folder), "dna_llm": DNA_LLM},
        SECONDS,
    )
    if isinstance(answer, ProbeFailure):
        last = (answer.output.strip().splitlines() or ["it printed nothing"])[-1]
        raise DoctorError(f"the demo could not be made ({answer.detail}): {last}")
    if "missing" in answer:
        raise InputError(
            f"--demo: {answer['missing']} cannot be imported by {python} ({answer['error']}); name"
            f" the interpreter that runs CpGPT with --python, or see: cpgpt-doctor explain"
            f" {answer['code']}"
        )
    (folder / README).write_text(TEXT, encoding="utf-8")
