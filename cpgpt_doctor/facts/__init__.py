"""Facts: what the probes saw, as one frozen tree that goes to JSON and back.

A part is None where its probe did not run or did not answer; `failures` then says what happened.
Sizes are bytes. The fields are documented where they are observed (`probes/host.py` and the
modules of `patient/`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cattrs

from cpgpt_doctor import json_file
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.facts.locations import LocationFacts
from cpgpt_doctor.facts.store import StoreFacts

SCHEMA = "cpgpt-doctor/facts/v1"


@dataclass(frozen=True)
class Disk:
    path: str
    total: int
    free: int


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver names it, whatever torch makes of it."""

    name: str
    memory: int


@dataclass(frozen=True)
class Host:
    system: str
    release: str
    description: str
    machine: str
    cpus: int
    memory_total: int
    memory_available: int
    memory_limit: int | None
    disk: Disk
    shared_memory: Disk | None
    open_files_soft: int | None
    open_files_hard: int | None
    container: str | None
    gpus: tuple[Gpu, ...]
    driver: str | None


@dataclass(frozen=True)
class Python:
    version: str
    implementation: str
    executable: str
    prefix: str
    environment: str | None
    notebook: bool
    platform: str
    machine: str
    rosetta: bool
    start_methods: tuple[str, ...]
    default_start_method: str


@dataclass(frozen=True)
class CpGPT:
    version: str
    folder: str
    requires_python: str | None
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Packages:
    """`installed` maps normalized names to versions; `markers` are PEP 508's, of the patient.

    without_metadata: requirements of CpGPT that no metadata names, though a module of that name is
    on the path.
    """

    installed: dict[str, str]
    cpgpt: CpGPT | None
    markers: dict[str, str]
    without_metadata: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of trying something: the error's class and text where it failed."""

    ok: bool
    error_type: str | None
    error: str | None
    seconds: float


@dataclass(frozen=True)
class CudaDevice:
    name: str
    capability: str
    memory: int


@dataclass(frozen=True)
class Torch:
    version: str
    file: str
    cuda_build: str | None
    rocm_build: str | None
    cuda_available: bool
    cuda_problem: str | None
    devices: tuple[CudaDevice, ...]
    architectures: tuple[str, ...]
    mps_built: bool
    mps_available: bool


@dataclass(frozen=True)
class Accelerator:
    outcome: Outcome
    torch: Torch | None
    variables: dict[str, str]


@dataclass(frozen=True)
class Culprit:
    path: str
    type: str
    error: str
    about: str


@dataclass(frozen=True)
class Anatomy:
    culprits: tuple[Culprit, ...]
    size: int | None
    complete: bool


@dataclass(frozen=True)
class CallTrial:
    """CpGPT's own call, tried up to its DataLoader.

    start_method: what was set before the call, None for nothing.
    start_method_seen: what CpGPT's guard could see once a model had been loaded.
    workers: how many it asked its DataLoader for, None where it did not get so far.
    error: what the call, or torch's DataLoader with CpGPT's settings, raised.
    """

    start_method: str | None
    asked_workers: int
    start_method_seen: str | None
    workers: int | None
    prefetch_factor: int | None
    persistent_workers: bool | None
    pin_memory: bool | None
    error: str | None


@dataclass(frozen=True)
class MissingName:
    name: str
    path: str
    line: int


@dataclass(frozen=True)
class UnreadableFile:
    """A file of a model's cached snapshot that is not what its name says, and why."""

    path: str
    error: str


@dataclass(frozen=True)
class RemoteCode:
    """A model's own code in the snapshot that transformers would load."""

    dna_llm: str
    repository: str | None
    cached: bool
    files: tuple[str, ...]
    missing: tuple[MissingName, ...]
    unreadable: UnreadableFile | None = None


@dataclass(frozen=True)
class WindowTokens:
    """A window, and the length in tokens that CpGPT's collate function gives it alone."""

    kind: Literal["plain", "short", "N"]
    bases: int
    alone: int


@dataclass(frozen=True)
class BatchTrial:
    """Windows of unlike token counts in one batch of CpGPT's own call, up to its model.

    cached: whether `tokenizer` is the model's own, from the cache; else it is a stand-in.
    together: tokens of each window in the batch. masked: whether the model was passed a mask.
    error: what kept the call from its model.
    """

    dna_llm: str
    tokenizer: str
    cached: bool
    windows: tuple[WindowTokens, ...]
    together: int | None
    masked: bool | None
    error: str | None


@dataclass(frozen=True)
class CallDefaults:
    dna_context_len: int
    dna_llm: str
    batch_size: int
    num_workers: int


@dataclass(frozen=True)
class EmbedderExamined:
    """`lines` are of the file's DataLoader call and its settings; `models` are widths by name."""

    file: str
    missing_seams: tuple[str, ...]
    models: dict[str, int]
    defaults: CallDefaults
    lines: dict[str, int]
    genome: str | None
    dataset: Anatomy | None
    trials: tuple[CallTrial, ...]
    remote_code: tuple[RemoteCode, ...]
    remote_needs: dict[str, bool]
    batch: BatchTrial | None = None


@dataclass(frozen=True)
class Embedder:
    """`imported` is the import as users do it; `imported_alone` was tried only if that failed."""

    imported: Outcome
    imported_alone: Outcome | None
    in_use: tuple[str, ...]
    examined: EmbedderExamined | None


@dataclass(frozen=True)
class MovedOffset:
    """An open file whose position moved in this process when a forked child read."""

    path: str
    before: int
    after: int


@dataclass(frozen=True)
class ForkedRead:
    """The forked child whose read is watched: how it ended, and what it read.

    ended: "well"; "raised" an exception, "killed" by a signal, "exited" without a word, or stopped
    at a "timeout". detail: that exception, signal, status or limit.
    size: bytes read by system calls, None where the platform does not count them.
    open_files: files that this process had open for reading when it forked.
    """

    ended: Literal["well", "raised", "killed", "exited", "timeout"]
    detail: str | None
    items: int
    size: int | None
    open_files: int


@dataclass(frozen=True)
class ForkTrial:
    """Windows that forked workers read, and how many differ from those of one process."""

    workers: int
    windows: int
    wrong: int


@dataclass(frozen=True)
class WorkerStart:
    start_method: str
    workers: int
    outcome: Outcome


@dataclass(frozen=True)
class Collate:
    """CpGPT's collate function with a model's tokenizer; no anatomy where that did not load."""

    dna_llm: str
    outcome: Outcome
    fast: bool | None
    anatomy: Anatomy | None


@dataclass(frozen=True)
class DeepLook:
    name: str
    outcome: Outcome
    anatomy: Anatomy | None


@dataclass(frozen=True)
class Workers:
    """`moved` and `trial` are None on a platform without fork; `deep` is for `check --deep`.

    forked: the child that `moved` is about; None without fork, and in facts of 0.1.0.
    """

    moved: tuple[MovedOffset, ...] | None
    trial: ForkTrial | None
    starts: tuple[WorkerStart, ...]
    collate: Collate
    deep: tuple[DeepLook, ...]
    forked: ForkedRead | None = None


@dataclass(frozen=True)
class OwnDataset:
    """A dataset of the user's, `package.module:callable`."""

    name: str
    outcome: Outcome
    anatomy: Anatomy | None
    moved: tuple[MovedOffset, ...] | None
    starts: tuple[WorkerStart, ...]
    forked: ForkedRead | None = None


@dataclass(frozen=True)
class ProbeFailure:
    """A probe that gave no answer.

    kind: "killed" by a signal, "exited" with a status, "timeout", or "garbled" output.
    detail: the signal's name, the status or the limit.
    output: the last lines that the probe printed.
    """

    probe: str
    kind: Literal["killed", "exited", "timeout", "garbled"]
    detail: str
    output: str


@dataclass(frozen=True)
class Facts:
    schema: Literal["cpgpt-doctor/facts/v1"]
    doctor_version: str
    host: Host | None
    python: Python | None
    packages: Packages | None
    accelerator: Accelerator | None
    embedder: Embedder | None
    workers: Workers | None
    own_dataset: OwnDataset | None
    failures: tuple[ProbeFailure, ...]
    skipped: tuple[str, ...]
    genome: GenomeFacts | None = None
    locations: LocationFacts | None = None
    store: StoreFacts | None = None

    def failure(self, probe: str) -> ProbeFailure | None:
        return next((failure for failure in self.failures if failure.probe == probe), None)


converter = cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=False)


def to_json(facts: Facts) -> str:
    return json.dumps(converter.unstructure(facts), indent=2, ensure_ascii=False) + "\n"


def build(data: Any, kind: type[Any]) -> Any:
    """Turn parsed JSON into a value of this module; a bad one raises InputError with its path."""
    try:
        return converter.structure(data, kind)
    except Exception as error:
        problems = "; ".join(cattrs.transform_error(error, path="facts"))
        raise InputError(problems) from error


def read(path: Path) -> Facts:
    """Read a file that `check --save-facts` wrote."""
    data = json_file.read(
        path,
        SCHEMA,
        named=str(path),
        what="facts",
        write="write them with: cpgpt-doctor check --save-facts FILE",
    )
    try:
        return build(data, Facts)  # type: ignore[no-any-return]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
