"""What is known of CpGPT's releases, for where nothing was tried (`check --quick`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from cpgpt_doctor.rules.rule import read_version

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts

# Read off CpGPT 0.0.1 to 0.0.13 as published on PyPI; of a later one nothing is known.
FIRST, LAST = Version("0.0.1"), Version("0.0.13")
# From here on, workers have a guard, prefetch_factor is set only with workers, and windows are
# padded to a multiple of 128 tokens.
GUARDED = Version("0.0.8")
# What PyTorch raises where prefetch_factor is set without workers.
PREFETCH_ERROR = (
    "ValueError: prefetch_factor option could only be specified in multiprocessing.let num_workers"
    " > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
)
# Modules that CpGPT's embedder imports in every release before it can do anything, as its
# requirements or theirs bring them.
IMPORTED = frozenset(
    {"lightning", "loguru", "numpy", "pandas", "pyfaidx", "requests", "sqlitedict", "torch"}
    | {"tqdm", "transformers"}
)


def known_release(facts: Facts) -> Version | None:
    """The installed CpGPT's version, None where nothing is known of it or it cannot be read."""
    cpgpt = facts.packages.cpgpt if facts.packages else None
    version = read_version(cpgpt.version) if cpgpt else None
    return version if version is not None and FIRST <= version <= LAST else None
