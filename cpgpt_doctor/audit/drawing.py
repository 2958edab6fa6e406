"""Which rows are computed again: drawn uniformly, each once, and the same again for a seed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence

SEEDS = 2**32


def new_seed() -> int:
    """A seed that is short enough to be typed again."""
    return secrets.randbelow(SEEDS)


def draw(locations: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` of these locations, or all where there are no more, in a random order.

    They are sorted before, so that the seed alone decides.
    """
    return random.Random(seed).sample(sorted(locations), min(count, len(locations)))
