"""CpGPT's own call, by its default arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class CallDefaults:
    """The call's default arguments; the values here are those of CpGPT 0.0.1 to 0.0.13."""

    RETIRED: ClassVar[tuple[str, ...]] = ("dna_context_len",)

    dna_llm: str = "nucleotide-transformer-v2-500m-multi-species"
    batch_size: int = 1
    num_workers: int = 8
