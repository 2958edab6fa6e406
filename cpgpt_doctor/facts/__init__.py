"""Facts: what the probes saw, as one frozen tree that goes to JSON and back.

A part is None where its probe did not run or did not answer; `failures` then says what happened.
Each area has a module of its own here. Facts may grow: every field has a default, which is what
facts without it mean, and what a file holds beyond them is kept (`form.py`). Sizes are bytes.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cpgpt_doctor import json_file
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import form
from cpgpt_doctor.facts.form import Unknown, build

if TYPE_CHECKING:
    from cpgpt_doctor.facts.audit import AuditFacts
    from cpgpt_doctor.facts.call import CallDefaults
    from cpgpt_doctor.facts.dependencies import DependenciesFacts
    from cpgpt_doctor.facts.embedder import (
        BatchTrial,
        CallTrial,
        Embedder,
        EmbedderExamined,
        MissingName,
        RemoteCode,
        UnreadableFile,
        WindowTokens,
    )
    from cpgpt_doctor.facts.genome import GenomeFacts
    from cpgpt_doctor.facts.host import Disk, Gpu, Host
    from cpgpt_doctor.facts.locations import LocationFacts
    from cpgpt_doctor.facts.outcome import Outcome, ProbeFailure
    from cpgpt_doctor.facts.packages import CpGPT, Packages
    from cpgpt_doctor.facts.pickling import Culprit, PicklingReport
    from cpgpt_doctor.facts.python import Python
    from cpgpt_doctor.facts.sources import SourcesFacts
    from cpgpt_doctor.facts.store import StoreFacts
    from cpgpt_doctor.facts.torch import Accelerator, CudaDevice, Torch
    from cpgpt_doctor.facts.workers import (
        Collate,
        DeepLook,
        ForkedRead,
        ForkTrial,
        MovedOffset,
        OwnDataset,
        Workers,
        WorkerStart,
    )

# The areas' classes by their modules. A module is imported when one of its classes is asked for:
# to make a frozen dataclass takes 0.7 ms, and a check needs few of all these.
AREAS = {
    "audit": ("AuditFacts",),
    "call": ("CallDefaults",),
    "dependencies": ("DependenciesFacts",),
    "embedder": (
        *("BatchTrial", "CallTrial", "Embedder", "EmbedderExamined", "MissingName"),
        *("RemoteCode", "UnreadableFile", "WindowTokens"),
    ),
    "genome": ("GenomeFacts",),
    "host": ("Disk", "Gpu", "Host"),
    "locations": ("LocationFacts",),
    "outcome": ("Outcome", "ProbeFailure"),
    "packages": ("CpGPT", "Packages"),
    "pickling": ("Culprit", "PicklingReport"),
    "python": ("Python",),
    "sources": ("SourcesFacts",),
    "store": ("StoreFacts",),
    "torch": ("Accelerator", "CudaDevice", "Torch"),
    "workers": (
        *("Collate", "DeepLook", "ForkTrial", "ForkedRead", "MovedOffset", "OwnDataset"),
        *("WorkerStart", "Workers"),
    ),
}
AREA_OF = {name: area for area, names in AREAS.items() for name in names}

__all__ = [
    "SCHEMA",
    "Accelerator",
    "AuditFacts",
    "BatchTrial",
    "CallDefaults",
    "CallTrial",
    "Collate",
    "CpGPT",
    "CudaDevice",
    "Culprit",
    "DeepLook",
    "DependenciesFacts",
    "Disk",
    "Embedder",
    "EmbedderExamined",
    "Facts",
    "ForkTrial",
    "ForkedRead",
    "GenomeFacts",
    "Gpu",
    "Host",
    "LocationFacts",
    "MissingName",
    "MovedOffset",
    "Outcome",
    "OwnDataset",
    "Packages",
    "PicklingReport",
    "ProbeFailure",
    "Python",
    "RemoteCode",
    "SourcesFacts",
    "StoreFacts",
    "Torch",
    "Unknown",
    "UnreadableFile",
    "WindowTokens",
    "WorkerStart",
    "Workers",
    "build",
    "from_data",
    "read",
    "to_data",
    "to_json",
]


def area_class(name: str) -> Any:
    """A class of an area, which is imported for it; AttributeError where none has this name."""
    if name not in AREA_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{AREA_OF[name]}")
    globals().update({each: getattr(module, each) for each in AREAS[AREA_OF[name]]})
    return globals()[name]


def import_areas() -> None:
    """All of them: the types of the fields of Facts are looked up among the names here."""
    for name in AREA_OF:
        area_class(name)


if not TYPE_CHECKING:  # to which any name would be one of this module else
    __getattr__ = area_class


SCHEMA: Literal["cpgpt-doctor/facts/v1"] = "cpgpt-doctor/facts/v1"


@dataclass(frozen=True)
class Facts:
    """All that was seen.

    skipped: probes that were left out. unknown: what the file held that this version does not know.
    """

    schema: Literal["cpgpt-doctor/facts/v1"] = SCHEMA
    doctor_version: str = ""
    host: Host | None = None
    python: Python | None = None
    packages: Packages | None = None
    accelerator: Accelerator | None = None
    embedder: Embedder | None = None
    workers: Workers | None = None
    own_dataset: OwnDataset | None = None
    genome: GenomeFacts | None = None
    locations: LocationFacts | None = None
    store: StoreFacts | None = None
    audit: AuditFacts | None = None
    dependencies: tuple[DependenciesFacts, ...] = ()
    sources: SourcesFacts | None = None
    failures: tuple[ProbeFailure, ...] = ()
    skipped: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = field(default=(), metadata={form.APART: True})

    def failure(self, probe: str) -> ProbeFailure | None:
        return next((failure for failure in self.failures if failure.probe == probe), None)


def to_data(facts: Facts) -> dict[str, Any]:
    """Facts as JSON has them, with what was kept of another version's in its place."""
    data: dict[str, Any] = form.plain(facts)
    form.put_back(data, facts.unknown)
    return data


def from_data(data: Any) -> Facts:
    """Facts from parsed JSON; a bad value raises InputError with its place."""
    import_areas()
    known, unknown = form.read(data, Facts)
    return replace(known, unknown=unknown)


def to_json(facts: Facts) -> str:
    return json.dumps(to_data(facts), indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> Facts:
    """Read a file that `check --save-facts` wrote, of this version or another."""
    data = json_file.read(
        path,
        SCHEMA,
        named=str(path),
        what="facts",
        write="write them with: cpgpt-doctor check --save-facts FILE",
    )
    try:
        return from_data(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
