"""What a sample of a store's rows says of all of them, exactly.

Rows are drawn without replacement, so the wrong ones among them are distributed
hypergeometrically. The bounds are those of Clopper and Pearson (https://doi.org/10.2307/2331986)
for that distribution: the numbers of wrong rows in the store with which what was seen is not too
unlikely. Where the sample is a small part of the store they are the binomial ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95
NEGLIGIBLE = 1e-18  # of a sum, below which its terms are left out


@dataclass(frozen=True)
class Bounds:
    """At least `low` and at most `high` of the `population` rows are wrong, at `confidence`.

    One-sided where none or all of the sampled rows are wrong, two-sided between.
    """

    population: int
    low: int
    high: int
    confidence: float = CONFIDENCE


def bounds(population: int, sample: int, wrong: int, confidence: float = CONFIDENCE) -> Bounds:
    """How many of `population` rows are wrong, when `wrong` of `sample` drawn ones are.

    Raises ValueError where that cannot be.
    """
    if not 0 <= wrong <= sample <= population or not sample:
        raise ValueError(f"{wrong} wrong of {sample} drawn from {population}")
    fewest, most = wrong, population - (sample - wrong)  # what was seen itself
    if sample == population:
        return Bounds(population, wrong, wrong, confidence)
    doubt = 1 - confidence
    if wrong == 0:
        return Bounds(population, 0, largest(population, sample, 0, doubt, most), confidence)
    if wrong == sample:
        low = smallest(population, sample, wrong, doubt, fewest)
        return Bounds(population, low, population, confidence)
    return Bounds(
        population,
        smallest(population, sample, wrong, doubt / 2, fewest),
        largest(population, sample, wrong, doubt / 2, most),
        confidence,
    )


def largest(population: int, sample: int, wrong: int, doubt: float, most: int) -> int:
    """The most wrong rows with which so few among the sample have more than `doubt`'s chance."""
    low, high = wrong, most  # at_most falls as the number of wrong rows grows
    while low < high:
        middle = (low + high + 1) // 2
        if at_most(wrong, population, middle, sample) > doubt:
            low = middle
        else:
            high = middle - 1
    return low


def smallest(population: int, sample: int, wrong: int, doubt: float, fewest: int) -> int:
    """The fewest wrong rows with which so many among the sample have more than `doubt`'s chance."""
    # Right rows are to wrong ones as wrong ones to right ones.
    right = largest(population, sample, sample - wrong, doubt, population - fewest)
    return population - right


def at_most(seen: int, population: int, wrong: int, sample: int) -> float:
    """The chance that at most `seen` of a sample are wrong, where `wrong` of the population are."""
    fewest = max(0, sample - (population - wrong))
    most = min(sample, wrong)
    if seen >= most:
        return 1.0
    if seen < fewest:
        return 0.0
    if seen * population > sample * wrong:  # past the mean the other tail is the short one
        return 1.0 - at_most(sample - seen - 1, population, population - wrong, sample)
    term = total = 1.0
    at = seen
    while at > fewest:  # each term from the one above it
        term *= at * (population - wrong - sample + at)
        term /= (wrong - at + 1) * (sample - at + 1)
        total += term
        at -= 1
        if term < NEGLIGIBLE * total:
            break
    return math.exp(log_chance(seen, population, wrong, sample)) * total


def log_chance(seen: int, population: int, wrong: int, sample: int) -> float:
    """The logarithm of the chance that exactly `seen` of a sample are wrong."""
    return (
        log_choose(wrong, seen)
        + log_choose(population - wrong, sample - seen)
        - log_choose(population, sample)
    )


def log_choose(things: int, chosen: int) -> float:
    return math.lgamma(things + 1) - math.lgamma(chosen + 1) - math.lgamma(things - chosen + 1)
