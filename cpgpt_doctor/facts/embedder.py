"""CpGPT's embedder and its call, as `patient/observe/embedder.py` tries them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from cpgpt_doctor.facts.call import CallDefaults
from cpgpt_doctor.facts.outcome import UNTRIED, Outcome
from cpgpt_doctor.facts.pickling import PicklingReport


@dataclass(frozen=True)
class CallTrial:
    """CpGPT's own call, tried up to its DataLoader.

    start_method: what was set before the call, None for nothing.
    start_method_seen: what CpGPT's guard could see once a model had been loaded.
    workers: how many it asked its DataLoader for, None where it did not get so far.
    error: what the call, or torch's DataLoader with CpGPT's settings, raised.
    """

    RETIRED: ClassVar[tuple[str, ...]] = ("persistent_workers",)

    start_method: str | None = None
    asked_workers: int = 0
    start_method_seen: str | None = None
    workers: int | None = None
    prefetch_factor: int | None = None
    pin_memory: bool | None = None
    error: str | None = None


@dataclass(frozen=True)
class MissingName:
    name: str = ""
    path: str = ""
    line: int = 0


@dataclass(frozen=True)
class UnreadableFile:
    """A file of a model's cached snapshot that is not what its name says, and why."""

    path: str = ""
    error: str = ""


@dataclass(frozen=True)
class RemoteCode:
    """A model's own code in the snapshot that transformers would load.

    weights: bytes of its weights on disk. layers and width: as its config.json names them
    (num_hidden_layers, hidden_size). None where they are not there.
    """

    dna_llm: str = ""
    repository: str | None = None
    cached: bool = False
    files: tuple[str, ...] = ()
    missing: tuple[MissingName, ...] = ()
    unreadable: UnreadableFile | None = None
    weights: int | None = None
    layers: int | None = None
    width: int | None = None


@dataclass(frozen=True)
class WindowTokens:
    """A window, and the length in tokens that CpGPT's collate function gives it alone."""

    kind: Literal["plain", "short", "N"] = "plain"
    bases: int = 0
    alone: int = 0


@dataclass(frozen=True)
class BatchTrial:
    """Windows of unlike token counts in one batch of CpGPT's own call, up to its model.

    cached: whether `tokenizer` is the model's own, from the cache; else it is a stand-in.
    together: tokens of each window in the batch. masked: whether the model was passed a mask.
    error: what kept the call from its model.
    """

    dna_llm: str = ""
    tokenizer: str = ""
    cached: bool = False
    windows: tuple[WindowTokens, ...] = ()
    together: int | None = None
    masked: bool | None = None
    error: str | None = None


@dataclass(frozen=True)
class EmbedderExamined:
    """`lines` are of the file's DataLoader call and its settings; `models` are widths by name."""

    file: str = ""
    missing_seams: tuple[str, ...] = ()
    models: dict[str, int] = field(default_factory=dict)
    defaults: CallDefaults = field(default_factory=CallDefaults)
    lines: dict[str, int] = field(default_factory=dict)
    genome: str | None = None
    dataset: PicklingReport | None = None
    trials: tuple[CallTrial, ...] = ()
    remote_code: tuple[RemoteCode, ...] = ()
    remote_needs: dict[str, bool] = field(default_factory=dict)
    batch: BatchTrial | None = None


@dataclass(frozen=True)
class Embedder:
    """`imported` is the import as users do it; `imported_alone` was tried only if that failed."""

    imported: Outcome = UNTRIED
    imported_alone: Outcome | None = None
    in_use: tuple[str, ...] = ()
    examined: EmbedderExamined | None = None
