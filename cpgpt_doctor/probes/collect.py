"""Examine the patient and this machine side by side, and put what was seen into Facts."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpgpt_doctor import __version__
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.patient import stages
from cpgpt_doctor.probes import session
from cpgpt_doctor.probes.runner import GARBLED, KEPT_OUTPUT
from cpgpt_doctor.probes.task import Task

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts, ProbeFailure

# Each with the class in `facts` of what it sees, in the order of `facts.Facts`, which is the order
# in which failures are told.
PROBES = {
    "host": "Host",
    "python": "Python",
    "packages": "Packages",
    "accelerator": "Accelerator",
    "embedder": "Embedder",
    "workers": "Workers",
    "own_dataset": "OwnDataset",
}
# Those that import torch or CpGPT, or code of the user's.
HEAVY_PROBES = ("accelerator", "embedder", "workers", "own_dataset")
SECONDS = 300.0  # for each stage


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A private folder for everything that an examination has to write, removed afterwards."""
    try:
        base = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise DoctorError(
            "no temporary folder can be written; set TMPDIR to a folder that can"
        ) from error
    with tempfile.TemporaryDirectory(
        prefix="cpgpt-doctor-", dir=base, ignore_cleanup_errors=True
    ) as folder:
        yield folder


def no_interpreter(python: str, failure: ProbeFailure) -> InputError:
    """What is said where even the standard library's probe had no answer."""
    shown = (failure.output.strip().splitlines() or ["it printed nothing"])[-1]
    return InputError(f"--python {python}: does not work as a Python interpreter: {shown}")


def collect(
    python: str,
    *,
    genome: Path | None = None,
    leave_out: tuple[str, ...] = (),
    deep: bool = False,
    dna_llm: str | None = None,
    dataset: str | None = None,
    dataset_folder: str = ".",
    seconds: float = SECONDS,
    meanwhile: Callable[[], object] = bool,
) -> Facts:
    """Observe this machine and the environment of the interpreter `python`.

    Args:
        python: the patient's interpreter.
        genome: a FASTA file to build the dataset over; a tiny one is made where it is None.
        deep: also pickle CpGPT's embedder and its data module's dataset.
        dna_llm: the model whose tokenizer is looked at; CpGPT's default where it is None.
        dataset: a dataset of the user's to examine, "package.module:callable".
        dataset_folder: where its module is imported from, before all that is installed.
        leave_out: probes that are not run; `HEAVY_PROBES` are those that import torch or CpGPT.
        seconds: each probe's time limit.
        meanwhile: what is to be done while the patient is at work, such as imports.
    """
    chosen = tuple(
        name
        for name in PROBES
        if name not in leave_out and not (name == "own_dataset" and dataset is None)
    )
    stopped = threading.Event()
    with scratch_folder() as scratch:
        request = {
            "scratch": scratch,
            "genome": str(genome.resolve()) if genome else None,
            "deep": deep,
            "dna_llm": dna_llm,
            "dataset": dataset,
            "dataset_folder": dataset_folder,
        }
        shared = tuple(stage for stage in stages.SHARED if stage in chosen)
        apart = tuple(stage for stage in stages.APART if stage in chosen)
        sessions = [
            Task(partial(session.examine, python, each, request, seconds, stopped))
            for each in (shared, apart)
            if each
        ]
        host = Task(look_at_host) if "host" in chosen else None
        try:
            meanwhile()
            kinds = areas(chosen)
            answers = [each.result() for each in sessions]
        except BaseException:
            stopped.set()
            raise
        finally:
            for each in sessions:
                each.join()  # it ends the patient's processes
        seen: session.Answers = {name: found for each in answers for name, found in each.items()}
        if host is not None:
            seen["host"] = host_in_time(host, seconds)
    return facts_of(python, kinds, seen)


def look_at_host() -> dict[str, Any] | ProbeFailure:
    """This machine, seen from the doctor's own interpreter, where psutil is."""
    from cpgpt_doctor.facts import ProbeFailure
    from cpgpt_doctor.probes import host

    try:
        return host.observe()
    except Exception as error:
        import traceback

        detail = " ".join(f"{type(error).__name__}: {error}".split())
        return ProbeFailure("host", "exited", detail, traceback.format_exc()[-KEPT_OUTPUT:])


def host_in_time(
    task: Task[dict[str, Any] | ProbeFailure], seconds: float
) -> dict[str, Any] | ProbeFailure:
    """What was seen of this machine; a disk that hangs is not waited for any longer."""
    from cpgpt_doctor.facts import ProbeFailure

    try:
        return task.result(seconds)
    except TimeoutError:
        return ProbeFailure("host", "timeout", f"{seconds:.0f} s", "")


def areas(chosen: Iterable[str]) -> dict[str, Any]:
    """The class of what each probe sees. They take longer to import than to be filled."""
    from cpgpt_doctor import facts

    return {name: facts.area_class(PROBES[name]) for name in chosen}


def facts_of(python: str, kinds: dict[str, Any], seen: session.Answers) -> Facts:
    """Answers as facts of these kinds, by the probe.

    Raises InputError where not even the interpreter itself has answered.
    """
    from cpgpt_doctor import facts

    parts: dict[str, Any] = {}
    failures = []
    for name in PROBES:
        found = seen.get(name)
        if isinstance(found, dict):
            try:
                parts[name] = facts.build(found, kinds[name], name)
            except InputError as error:
                found = facts.ProbeFailure(name, "garbled", GARBLED, str(error))
        if isinstance(found, facts.ProbeFailure):
            if name == "python":
                raise no_interpreter(python, found)
            failures.append(found)
    return facts.Facts(
        doctor_version=__version__,
        failures=tuple(failures),
        skipped=tuple(name for name in PROBES if name not in kinds and name != "own_dataset"),
        **parts,
    )
