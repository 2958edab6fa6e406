"""`run.json`: what a run was asked, did and verified. Written anew after each part."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cpgpt_doctor import __version__
from cpgpt_doctor.embed.plan import Setting
from cpgpt_doctor.embed.store import Address

SCHEMA = "cpgpt-doctor/run/v1"


@dataclass(frozen=True)
class Part:
    """A committed part: rows `first_row` to `first_row + rows`, and SHA-256 digests.

    rows_digest is over the rows' bytes, locations_digest over the locations, a line each.
    """

    first_row: int
    rows: int
    rows_digest: str
    locations_digest: str
    seconds: float
    committed: str


@dataclass
class Record:
    """The content of run.json while a run goes on."""

    path: Path
    patient: dict[str, Any]
    intent: dict[str, Any]
    plan: tuple[Setting, ...]
    parts: list[Part]
    status: str = "running"
    started: str = field(default_factory=lambda: now())
    workers: int = 0
    tokens: dict[str, Any] | None = None
    measured: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    verification: dict[str, Any] | None = None
    problem: str | None = None

    def write(self) -> None:
        """Replace run.json whole."""
        data = {
            "schema": SCHEMA,
            "doctor": {"version": __version__},
            "patient": self.patient,
            "intent": self.intent,
            "status": self.status,
            "started": self.started,
            "written": now(),
            "plan": [dataclasses.asdict(setting) for setting in self.plan],
            "workers": self.workers,
            "tokens_checked": self.tokens,
            "batch_measured": self.measured,
            "versions": self.versions,
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "verification": self.verification,
            "problem": self.problem,
        }
        temporary = self.path.with_name(self.path.name + ".tmp")
        temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        temporary.replace(self.path)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def record_path(address: Address) -> Path:
    """Beside the store; a folder can hold several context lengths, so the name says which."""
    return address.folder / f"{address.context_len}bp_dna_embeddings.run.json"


def earlier_parts(path: Path, named: int) -> list[Part]:
    """The parts of earlier runs on a store that names `named` rows.

    None where there is no record of ours, or one of a store that has since been replaced: a
    record is a note, not the store, and is then begun again.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        parts = [Part(**part) for part in data["parts"]] if data["schema"] == SCHEMA else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return parts if all(part.first_row + part.rows <= named for part in parts) else []
