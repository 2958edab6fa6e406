"""How far apart two rows are: one measure for every comparison."""

from __future__ import annotations

import numpy as np
import pytest

from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference


def row(*numbers: float) -> bytes:
    return np.array(numbers, np.float32).tobytes()


def test_only_equal_bits_are_no_difference() -> None:
    assert relative_difference(row(1, 2, 3), row(1, 2, 3)) == 0.0
    assert relative_difference(row(1, 0.0), row(1, -0.0)) > 0.0
    assert relative_difference(row(1, np.nextafter(np.float32(2), 3)), row(1, 2)) > 0.0


def test_it_is_relative_to_the_norm_of_the_reference() -> None:
    assert relative_difference(row(3, 4.5), row(3, 4)) == pytest.approx(0.1)
    assert relative_difference(row(300, 450), row(300, 400)) == pytest.approx(0.1)


@pytest.mark.parametrize("other", [np.nan, np.inf])
def test_what_is_no_number_is_infinitely_far(other: float) -> None:
    assert relative_difference(row(1, other), row(1, 2)) == float("inf")
    assert relative_difference(row(1, 2), row(1, other)) == float("inf")


def test_a_row_of_zeros_is_never_close_to_one_of_numbers() -> None:
    assert relative_difference(row(0, 0), row(1e-9, 0)) > ROUNDING
    assert relative_difference(row(1e-9, 0), row(0, 0)) == float("inf")


def test_the_last_bits_of_float32_are_rounding_and_a_tenth_of_a_percent_is_not() -> None:
    numbers = np.random.default_rng(0).normal(size=1024).astype(np.float32)
    last_bits = np.nextafter(numbers, np.float32(np.inf))
    assert 0 < relative_difference(last_bits.tobytes(), numbers.tobytes()) < ROUNDING
    assert relative_difference((numbers * 1.001).tobytes(), numbers.tobytes()) > ROUNDING
