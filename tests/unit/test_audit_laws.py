"""Laws: where the rows of a store really are, read off some pairs."""

from __future__ import annotations

import random

import pytest

from cpgpt_doctor.audit import laws
from cpgpt_doctor.audit.laws import Pair

LOCATIONS = [
    f"{name}:{position}" for name in ("1", "2", "10", "X") for position in range(5, 900, 9)
]
LAST = len(LOCATIONS) - 1


def shuffled(seed: int) -> dict[str, int]:
    order = list(LOCATIONS)
    random.Random(seed).shuffle(order)
    return {location: row for row, location in enumerate(order)}


def sample(index: dict[str, int], stands: dict[str, int], count: int = 40) -> list[Pair]:
    chosen = random.Random(3).sample(sorted(index), count)
    return [Pair(each, index[each], stands[each]) for each in chosen]


def test_the_order_of_another_index_is_found_by_its_name() -> None:
    index, true = shuffled(1), shuffled(2)
    others = [("backup", shuffled(4)), ("human", true)]
    law = laws.find(sample(index, true), index, others)
    assert law is not None
    assert (law.kind, law.source) == ("index", "human")
    assert all(law.stands(each, index[each]) == true[each] for each in LOCATIONS)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("reversed", None),
        ("sorted", sorted(LOCATIONS)),
        ("by-position", LOCATIONS),
    ],
)
def test_an_order_of_the_locations_themselves_is_found(kind: str, order: list[str] | None) -> None:
    index = shuffled(1)
    true = (
        {each: LAST - row for each, row in index.items()}
        if order is None
        else {each: row for row, each in enumerate(order)}
    )
    law = laws.find(sample(index, true), index, ())
    assert law is not None
    assert law.kind == kind
    assert all(law.stands(each, index[each]) == true[each] for each in LOCATIONS)


@pytest.mark.parametrize("by", [1, -3])
def test_a_shift_is_found_with_the_row_from_which_it_holds(by: int) -> None:
    index = shuffled(1)
    true = {each: row + by if row >= 150 else row for each, row in index.items()}
    pairs = sample(index, true)
    law = laws.find(pairs, index, ())
    assert law is not None
    assert (law.kind, law.by) == ("shift", by)
    before = laws.last_in_place(pairs, law.first)
    assert before < 150 <= law.first
    assert law.stands("1:5", before) == before


def test_rows_without_a_law_have_none() -> None:
    index, true = shuffled(1), shuffled(2)
    assert laws.find(sample(index, true), index, [("backup", shuffled(4))]) is None
    assert laws.find(sample(index, index), index, ()) is None


def test_a_law_stands_beside_some_rows_that_are_wrong_otherwise() -> None:
    index, true = shuffled(1), shuffled(2)
    pairs = sample(index, true)
    pairs[0] = Pair(pairs[0].location, pairs[0].row, pairs[0].row + 7)
    law = laws.find(pairs, index, [("human", true)])
    assert law is not None
    assert law.kind == "index"


@pytest.mark.parametrize("at", [0, 150, LAST])
def test_a_single_row_that_stands_elsewhere_is_no_shift(at: int) -> None:
    index = shuffled(1)
    by_row = sorted(index, key=index.__getitem__)
    true = {**index, by_row[at]: LAST + 1 - at}
    pairs = [Pair(each, index[each], true[each]) for each in LOCATIONS]
    law = laws.find(pairs, index, ())
    assert law is None or law.first == at == LAST


def test_a_block_that_was_moved_is_no_shift_of_all_that_follow() -> None:
    index = shuffled(1)
    true = {each: row + 1 if 100 <= row < 140 else row for each, row in index.items()}
    assert laws.find(sample(index, true, 200), index, ()) is None


def test_two_shifts_one_after_the_other_are_not_one() -> None:
    index = shuffled(1)
    true = {each: row + (row >= 100) + (row >= 250) for each, row in index.items()}
    assert laws.find(sample(index, true, 200), index, ()) is None
