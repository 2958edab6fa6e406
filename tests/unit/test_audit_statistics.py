"""What a sample says of a store: exact bounds, held against published tables and by simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from cpgpt_doctor.audit import drawing
from cpgpt_doctor.audit.statistics import at_most, bounds

NAMES = [str(row) for row in range(10_000)]
HUGE = 10**9  # a sample is then no part worth mentioning: the binomial bounds


# The 95 % intervals of Clopper and Pearson's paper and of every table since.
@pytest.mark.parametrize(
    ("wrong", "sample", "low", "high"),
    [
        (1, 10, 0.0025, 0.4450),
        (2, 10, 0.0252, 0.5561),
        (5, 10, 0.1871, 0.8129),
        (9, 10, 0.5550, 0.9975),
        (1, 100, 0.0003, 0.0545),
        (50, 100, 0.3983, 0.6017),
        (10, 1000, 0.0048, 0.0183),
    ],
)
def test_between_none_and_all_the_bounds_are_clopper_and_pearsons(
    wrong: int, sample: int, low: float, high: float
) -> None:
    found = bounds(HUGE, sample, wrong)
    assert found.low / HUGE == pytest.approx(low, abs=6e-5)
    assert found.high / HUGE == pytest.approx(high, abs=6e-5)


@pytest.mark.parametrize("sample", [1, 10, 300, 3000])
def test_none_and_all_have_one_bound_which_is_the_rule_of_three(sample: int) -> None:
    limit = 1 - 0.05 ** (1 / sample)
    none, every = bounds(HUGE, sample, 0), bounds(HUGE, sample, sample)
    assert (none.low, every.high) == (0, HUGE)
    assert none.high / HUGE == pytest.approx(limit, rel=1e-5)
    assert every.low / HUGE == pytest.approx(1 - limit, rel=1e-5)


def exactly_at_most(seen: int, population: int, wrong: int, sample: int) -> Fraction:
    ways = sum(
        math.comb(wrong, at) * math.comb(population - wrong, sample - at) for at in range(seen + 1)
    )
    return Fraction(ways, math.comb(population, sample))


def test_the_published_store_that_was_sampled_at_300_rows() -> None:
    """929,770 rows: the most wrong ones that a sample of 300 misses in over 5 of 100 cases."""
    found = bounds(929_770, 300, 0)
    assert exactly_at_most(0, 929_770, found.high, 300) > Fraction(5, 100)
    assert exactly_at_most(0, 929_770, found.high + 1, 300) <= Fraction(5, 100)
    assert found.high / 929_770 < 0.01
    assert bounds(929_770, 300, 300).low == 929_770 - found.high


def test_chances_are_those_of_exact_fractions() -> None:
    for population, sample in ((20, 7), (50, 25), (300, 280)):
        every = math.comb(population, sample)
        for wrong in range(0, population + 1, 3):
            ways = 0
            for seen in range(sample + 1):
                ways += math.comb(wrong, seen) * math.comb(population - wrong, sample - seen)
                exact = float(Fraction(ways, every))
                assert at_most(seen, population, wrong, sample) == pytest.approx(exact, abs=1e-9)


def test_a_sample_that_is_the_whole_store_leaves_no_doubt() -> None:
    assert (bounds(50, 50, 3).low, bounds(50, 50, 3).high) == (3, 3)


def test_a_sample_that_is_most_of_the_store_says_more_than_the_same_of_a_large_one() -> None:
    assert bounds(400, 300, 0).high < bounds(HUGE, 300, 0).high / HUGE * 400


@pytest.mark.parametrize("case", [(10, 11, 0), (10, 0, 0), (10, 5, 6), (10, 5, -1)])
def test_what_cannot_be_is_refused(case: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="wrong of"):
        bounds(*case)


@pytest.mark.parametrize(
    ("population", "wrong"), [(1000, 0), (1000, 8), (1000, 300), (1000, 1000), (400, 20)]
)
def test_the_bounds_hold_the_truth_in_at_least_95_of_100_samples(
    population: int, wrong: int
) -> None:
    held, tries, rng = 0, 2000, random.Random(7)
    known = {}
    for _ in range(tries):
        seen = sum(row < wrong for row in rng.sample(range(population), 120))
        if seen not in known:
            known[seen] = bounds(population, 120, seen)
        held += known[seen].low <= wrong <= known[seen].high
    assert held / tries >= 0.94  # 95 % less twice the noise of 2,000 tries


def test_a_sample_of_300_finds_1_percent_wrong_rows_in_95_of_100_cases() -> None:
    for population in (1_000, 10_000, 929_770):
        assert at_most(0, population, math.ceil(population / 100), 300) <= 0.05
    rows = NAMES[:10_000]
    found = sum(min(map(int, drawing.draw(rows, 300, seed))) < 100 for seed in range(1000))
    assert found / 1000 >= 0.94


def test_a_seed_draws_the_same_rows_whatever_their_order() -> None:
    rows = NAMES[:1000]
    drawn = drawing.draw(rows, 300, 5)
    assert drawn == drawing.draw(rows[::-1], 300, 5)
    assert drawn != drawing.draw(rows, 300, 6)
    assert len(set(drawn)) == 300
    assert sorted(drawing.draw(NAMES[:20], 300, 5)) == sorted(NAMES[:20])


def test_every_row_is_drawn_equally_often() -> None:
    counts = [0] * 50
    for seed in range(4000):
        for row in drawing.draw(NAMES[:50], 10, seed):
            counts[int(row)] += 1
    expected = 4000 * 10 / 50
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert chi_square < 85.4  # the 99.9 % point for 49 degrees of freedom, drawn without return
