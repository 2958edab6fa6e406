"""Parts grow with the time that they take, and end in time."""

from __future__ import annotations

import argparse

import pytest

from cpgpt_doctor.commands.options import duration
from cpgpt_doctor.embed.pace import CLOSING_SECONDS, LARGEST_PART, MARGIN, Pace

MANY = 1_000_000


def test_the_first_part_is_small_and_the_next_are_minutes_long() -> None:
    pace = Pace(batch=8)
    assert pace.size(MANY, 0.0) == 64
    pace.done(64, 0.64, 0.1)
    assert pace.size(MANY, 0.0) == 256
    pace.done(8000, 800.0, 0.1)
    assert pace.size(MANY, 0.0) == 1200
    pace.done(8000, 0.0, 0.1)
    assert pace.size(MANY, 0.0) == LARGEST_PART
    assert pace.size(5, 0.0) == 5


def test_a_part_is_at_least_a_batch_however_slow() -> None:
    pace = Pace(batch=8)
    pace.done(8, 1e6, 0.1)
    assert pace.size(MANY, 0.0) == 8


@pytest.mark.parametrize("left", [10.0, 30.0, 100.0, 1000.0])
@pytest.mark.parametrize("commit", [0.0, 0.5, 20.0])
def test_a_part_before_a_deadline_is_finished_by_then_if_it_takes_what_the_slowest_took(
    left: float, commit: float
) -> None:
    pace = Pace(batch=8, deadline=left)
    for seconds in (64.0, 32.0, 16.0):
        pace.done(64, seconds, commit)
    size = pace.size(MANY, 0.0)
    assert size % 8 == 0
    assert size * 1.0 + commit + CLOSING_SECONDS <= left or size == 0
    room = left - CLOSING_SECONDS - MARGIN * commit
    assert (size == 0) == (room < MARGIN * 8)


def test_the_last_locations_need_no_whole_batch() -> None:
    pace = Pace(batch=8, deadline=12.0)
    pace.done(64, 64.0, 0.0)
    assert pace.size(MANY, 0.0) == 0
    assert pace.size(5, 0.0) == 5


def test_where_nothing_is_known_of_the_time_one_batch_tells_it() -> None:
    pace = Pace(batch=8, deadline=100.0)
    assert pace.size(MANY, 0.0) == 8
    assert pace.size(MANY, 99.0) == 0
    pace.expect(8, 16.0)
    assert pace.size(MANY, 0.0) == 32


def test_a_deadline_that_is_past_begins_nothing() -> None:
    pace = Pace(batch=8, deadline=100.0)
    assert pace.size(MANY, 1000.0) == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("11:50:00", 42_600),
        ("90", 5_400),
        ("90:30", 5_430),
        ("1-0", 86_400),
        ("1-02:03", 93_780),
        ("2-00:00:01", 172_801),
        ("0:0:5", 5),
    ],
)
def test_a_time_is_read_as_slurm_reads_it(text: str, seconds: int) -> None:
    assert duration(text) == (text, seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "00:00:00", "1:2:3:4", "-5", "1h", "٣", "9" * 30, "1-", "1-2-3", " 5", "5\n"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="11:50:00"):
        duration(text)
