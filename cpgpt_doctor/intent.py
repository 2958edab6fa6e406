"""What the user means to do. A rule's severity is the consequence for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cpgpt_doctor.facts.call import CallDefaults

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts

DNA_LLM = CallDefaults().dna_llm


@dataclass(frozen=True)
class Intent:
    """`via` direct: the user's own code calls CpGPT. None: as CpGPT or the platform has it.

    platform, python, cpgpt: what sources are judged for, where that is not what was examined: a
    platform as sys.platform has it, versions. prefetch_removed: the user's code takes away the
    prefetch_factor that CpGPT passes.
    allowed: what run-embed shall do all the same, by name: "all-n" (windows of N), "non-cpg"
    (positions that are no CpGs), "unnamed" (set rows aside that no index names), "into" (take the
    store over into another folder first).
    """

    via: Literal["direct", "run-embed"] = "direct"
    num_workers: int | None = None
    start_method: str | None = None
    dna_llm: str | None = None
    batch_size: int | None = None
    allowed: tuple[str, ...] = ()
    platform: str | None = None
    python: str | None = None
    cpgpt: str | None = None
    prefetch_removed: bool = False


@dataclass(frozen=True)
class Call:
    """The call that is judged, every setting known.

    start_method is the effective one; chosen says that the user set it (CpGPT's guard sees it).
    """

    via: Literal["direct", "run-embed"]
    num_workers: int
    start_method: str
    chosen: bool
    dna_llm: str
    batch_size: int
    allowed: tuple[str, ...] = ()
    platform: str | None = None
    python: str | None = None
    cpgpt: str | None = None
    prefetch_removed: bool = False

    @property
    def treated(self) -> bool:
        """run-embed removes what it has a treatment for."""
        return self.via == "run-embed"


def resolve(intent: Intent, facts: Facts) -> Call:
    """Fill in what was not said: CpGPT's defaults and the platform's start method."""
    examined = facts.embedder.examined if facts.embedder else None
    defaults = examined.defaults if examined else CallDefaults()
    platform_method = facts.python.default_start_method if facts.python else "unknown"
    return Call(
        via=intent.via,
        num_workers=defaults.num_workers if intent.num_workers is None else intent.num_workers,
        start_method=intent.start_method or platform_method,
        chosen=intent.start_method is not None,
        dna_llm=intent.dna_llm or defaults.dna_llm,
        batch_size=intent.batch_size or defaults.batch_size,
        allowed=intent.allowed,
        platform=intent.platform,
        python=intent.python,
        cpgpt=intent.cpgpt,
        prefetch_removed=intent.prefetch_removed,
    )
