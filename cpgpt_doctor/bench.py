"""`bench`: what CpGPT's worker settings and the safe path cost on this machine.

Times are seconds, rates windows a second. What a setting costs a run is reckoned from its loading
and the time of a forward pass: without workers the two follow each other; with workers they
overlap at best entirely, so that a run is as slow as the slower of them.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cpgpt_doctor import __version__
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import ProbeFailure, build
from cpgpt_doctor.probes import runner, session
from cpgpt_doctor.probes.collect import no_interpreter, scratch_folder

SCHEMA = "cpgpt-doctor/bench/v1"
WORKERS = (0, 2, 4, 8)
ROUNDS = 3
WINDOWS = 2000
# The time limit: this, and so much for each window that a setting loads (2.8 ms is usual).
SECONDS = 900.0
SECONDS_A_WINDOW = 0.1


@dataclass(frozen=True)
class Setting:
    """One way to load (`patient/compute/bench.py`). `path` "safe" is the loading of run-embed."""

    path: Literal["cpgpt", "safe"]
    workers: int
    start_method: str | None
    rates: tuple[float, ...]
    compared: int
    wrong: int
    note: str | None

    @property
    def rate(self) -> float | None:
        """Windows a second, the median of the rounds; None where it did not run."""
        return statistics.median(self.rates) if self.rates else None

    @property
    def loading(self) -> float | None:
        """Seconds a window."""
        return 1 / self.rate if self.rate else None

    @property
    def name(self) -> str:
        return "safe path" if self.path == "safe" else f"CpGPT, {self.workers} workers"


@dataclass(frozen=True)
class Forward:
    """A forward pass over one batch: `seconds` is the median of `passes`.

    tokens: padded length. demo: the model is run-embed's demo; its time says nothing about a run.
    """

    device: str
    seconds: float
    passes: int
    batch: int
    tokens: int
    parameters: int
    demo: bool

    @property
    def a_window(self) -> float:
        return self.seconds / self.batch


@dataclass(frozen=True)
class Measured:
    """One run of the bench.

    cpus: processors that it could use. genome: None for a made-up one. windows: what each setting
    loads a round; the safe path is timed on `safe_windows`. plain: the share of windows of
    upper-case A, C, G and T only. table: whether the safe path could look tokens up.
    """

    python: str
    platform: str
    cpus: int
    versions: dict[str, str]
    genome: str | None
    dna_llm: str
    batch_size: int
    windows: int
    safe_windows: int
    plain: float
    table: bool
    settings: tuple[Setting, ...]
    forward: Forward | None
    forward_problem: str | None

    @property
    def real_forward(self) -> Forward | None:
        """The forward pass of CpGPT's model; None where none was timed, or the demo's was."""
        return self.forward if self.forward and not self.forward.demo else None

    @property
    def safe(self) -> Setting:
        return next(setting for setting in self.settings if setting.path == "safe")

    @property
    def without_workers(self) -> Setting:
        """CpGPT's own loading with num_workers=0."""
        return next(
            setting for setting in self.settings if setting.path == "cpgpt" and setting.workers == 0
        )

    @property
    def best_workers(self) -> Setting | None:
        """CpGPT's fastest setting with workers; None where none of them ran."""
        ran = [setting for setting in self.settings if setting.workers and setting.rates]
        return max(ran, key=lambda setting: setting.rate or 0.0, default=None)


def measure(
    *,
    python: str,
    genome: Path | None = None,
    dna_llm: str | None = None,
    batch_size: int = 1,
    windows: int = WINDOWS,
    start_method: str | None = None,
    workers: tuple[int, ...] = WORKERS,
    rounds: int = ROUNDS,
) -> Measured:
    """Measure in the environment of `python`; raises InputError where that is not possible."""
    if genome is not None and not genome.is_file():
        raise InputError(f"--genome {genome}: no such file")
    if windows < 2 * batch_size:
        raise InputError(f"--windows {windows}: at least two batches of {batch_size} are needed")
    with scratch_folder() as scratch:
        request = {
            "scratch": scratch,
            "genome": str(genome.resolve()) if genome else None,
            "dna_llm": dna_llm,
            "batch_size": batch_size,
            "windows": windows,
            "start_method": start_method,
            "workers": workers,
            "rounds": rounds,
        }
        seconds = SECONDS + SECONDS_A_WINDOW * windows * rounds * (len(workers) + 1)
        tried = session.examine(python, ("python",), {"scratch": scratch}, SECONDS)["python"]
        if isinstance(tried, ProbeFailure):
            raise no_interpreter(python, tried)
        answer = runner.run("bench", python, "cpgpt_doctor.patient.compute.bench", request, seconds)
        if isinstance(answer, ProbeFailure):
            refuse_what_is_missing(python, scratch)
    if isinstance(answer, ProbeFailure):
        last = (answer.output.strip().splitlines() or ["it printed nothing"])[-1]
        raise DoctorError(f"the bench did not end well ({answer.kind}, {answer.detail}): {last}")
    if answer["refused"]:
        raise InputError(answer["refused"])
    measured: Measured = build(answer["measured"], Measured)
    return measured


def refuse_what_is_missing(python: str, scratch: str) -> None:
    """Raise InputError where the bench failed since the environment is not CpGPT's."""
    request = {"scratch": scratch}
    answer = runner.run("needed", python, "cpgpt_doctor.patient.observe.needed", request, SECONDS)
    if not isinstance(answer, ProbeFailure) and answer["missing"]:
        raise InputError(
            f"{answer['missing']} cannot be imported by {python} ({answer['error']}); name the"
            f" interpreter that runs CpGPT with --python, or see: cpgpt-doctor explain"
            f" {answer['code']}"
        )


def share(setting: Setting, forward: Forward | None) -> float | None:
    """The share of a run's time in which the model waits for windows, 0 to 1."""
    loading = setting.loading
    if loading is None or forward is None:
        return None
    return 1 - forward.a_window / run_seconds(setting, loading, forward.a_window)


def run_seconds(setting: Setting, loading: float, forward: float) -> float:
    """Seconds of a run for each window."""
    return max(loading, forward) if setting.workers else loading + forward


def slower(setting: Setting, measured: Measured) -> float | None:
    """How much longer a run takes than with CpGPT's best workers: 0.05 is 5 %.

    Where no workers run, it is compared with loading that costs nothing.
    """
    loading, forward, best = setting.loading, measured.real_forward, measured.best_workers
    if loading is None or forward is None:
        return None
    compared = max(forward.a_window, (best.loading or 0.0) if best else 0.0)
    return run_seconds(setting, loading, forward.a_window) / compared - 1


def ratio(one: Setting, other: Setting | None) -> float | None:
    """How many times as many windows a second."""
    if one.rate is None or other is None or other.rate is None:
        return None
    return one.rate / other.rate


def to_json(measured: Measured) -> str:
    """The fields of `Measured`, and for each setting its median rate and what it costs a run."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "doctor": {"version": __version__},
        **asdict(measured),
        "settings": [
            {
                **asdict(setting),
                "windows_per_second": setting.rate,
                "share_of_run": share(setting, measured.real_forward),
                "slower_than_best_workers": slower(setting, measured),
            }
            for setting in measured.settings
        ],
        "safe_over_no_workers": ratio(measured.safe, measured.without_workers),
        "safe_over_best_workers": ratio(measured.safe, measured.best_workers),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
