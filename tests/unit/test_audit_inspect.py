"""What stored rows are that differ: each explanation is tried, and holds only where it is true.

The patient's part is played by rows that are made up of their window and its padding; the same
faults caused by CpGPT itself are in tests/e2e/test_verify.py.
"""

from __future__ import annotations

import array
import functools
import random
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from cpgpt_doctor.audit import inspect
from cpgpt_doctor.audit.inspect import Choice, Source
from cpgpt_doctor.facts.audit import AuditFacts
from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference
from tests.audits import Silent

LOCATIONS = [f"1:{100 + 7 * number}" for number in range(400)]
GAPPED = LOCATIONS[200]  # its window has more tokens
WIDTH = 16


def numbers(key: str) -> list[float]:
    rng = random.Random(key)
    return [rng.gauss(0, 1) for _ in range(WIDTH)]


@functools.cache
def made(window: str, length: int, scale: float = 1.0) -> bytes:
    padded = numbers(f"{window} {length}")
    row = [scale * (one + 0.2 * other) for one, other in zip(numbers(window), padded, strict=True)]
    return array.array("f", row).tobytes()


def noise(row: bytes, size: float, seed: str) -> bytes:
    """The row with an error of `size`, relative to its norm."""
    values, error = memoryview(row).cast("f").tolist(), numbers(f"noise {seed}")
    scale = sum(each * each for each in values) / sum(each * each for each in error)
    added = [one + size * scale**0.5 * other for one, other in zip(values, error, strict=True)]
    return array.array("f", added).tobytes()


class Made:
    """Rows of windows: computed as the release with this padding does."""

    def __init__(self, file: list[bytes], padding: int = 128) -> None:
        self.file, self.padding, self.computed, self.searched = file, padding, 0, 0

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        self.computed += len(locations)
        return [own(each, padding or self.padding, letters) for each in locations]

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        return [
            [at for at, row in enumerate(self.file) if relative_difference(row, each) <= ROUNDING]
            for each in rows
        ]

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        self.searched += len(rows)
        return [
            sorted(
                ((at, relative_difference(row, each)) for at, row in enumerate(self.file)),
                key=lambda place: place[1],
            )[:4]
            for each in rows
        ]

    def lengths(self, locations: Sequence[str]) -> list[int]:
        return [tokens(each) for each in locations]

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        answer: list[tuple[int, float | None]] = []
        for at, row in enumerate(rows):
            apart = [
                (relative_difference(row, other), which)
                for which, other in enumerate(others)
                if which != at
            ]
            difference, which = min(apart)
            answer.append((which, difference if difference < 1e9 else None))
        return answer


def tokens(location: str) -> int:
    return 201 if location == GAPPED else 34


def own(location: str, padding: int, letters: str | None = None) -> bytes:
    window = f"{letters} window" if letters == "n" else f"{letters or ''}{location}"
    length = 201 if letters == "n" else tokens(location)
    return made(window, -(-length // padding) * padding)


def audited(
    file: list[bytes],
    *,
    index: dict[str, int] | None = None,
    others: dict[str, dict[str, int]] | None = None,
    sample: int = 60,
    padding: int = 128,
) -> AuditFacts:
    index = index or {location: row for row, location in enumerate(LOCATIONS)}
    source = Source(
        index,
        list(index),
        len(file),
        lambda: (others or {}).items(),
        lambda row: file[row],
        lambda location: location != GAPPED,
    )
    chosen = random.Random(2).sample(list(index), sample)
    choice = Choice("all" if sample == len(index) else "sample", chosen, 2)
    return inspect.inspect(source, choice, Made(file, padding), Silent())


def store(padding: int = 128) -> list[bytes]:
    return [own(each, padding) for each in LOCATIONS]


def verdicts(facts: AuditFacts) -> dict[str, str]:
    return {each.location: each.verdict for each in facts.rows if each.verdict != "own"}


@pytest.mark.parametrize("stored", [1, 128])
@pytest.mark.parametrize("installed", [1, 128])
def test_a_store_of_one_kind_is_right_whatever_release_is_installed(
    stored: int, installed: int
) -> None:
    facts = audited(store(stored), padding=installed)
    assert facts.counts == {"own": 60}
    assert (facts.wrong, facts.padding, facts.equal) == (0, stored, 60)
    assert facts.bounds is not None
    assert (facts.bounds.low, facts.bounds.population) == (0, 400)


def test_rounding_of_another_device_is_no_fault() -> None:
    file = [noise(row, 0.99 * ROUNDING, str(at)) for at, row in enumerate(store())]
    facts = audited(file)
    assert facts.counts == {"own": 60}
    assert 0 < facts.largest <= ROUNDING
    assert facts.equal == 0


def test_another_precision_passes_where_most_rows_differ_by_as_little() -> None:
    file = [noise(row, 0.004, str(at)) for at, row in enumerate(store())]
    file[7] = made("anywhere", 128)
    facts = audited(file, sample=400)
    assert facts.tolerance is not None
    assert facts.counts["near"] == 399
    assert facts.wrong == 1


def test_a_few_rows_that_differ_by_little_do_not_pass() -> None:
    file = store()
    for row in range(20):
        file[row] = noise(file[row], 0.004, str(row))
    facts = audited(file, sample=400)
    assert facts.tolerance is None
    assert facts.counts == {"own": 380, "unknown": 20}


def shuffled(seed: int) -> dict[str, int]:
    order = list(LOCATIONS)
    random.Random(seed).shuffle(order)
    return {location: row for row, location in enumerate(order)}


@pytest.mark.parametrize("kind", [1, 128])
def test_rows_in_the_order_of_another_index_are_named_with_their_owners(kind: int) -> None:
    """The published rows under an index of one's own; they may be of the other kind, too."""
    true = shuffled(5)
    file = [own(location, kind) for location in sorted(true, key=true.__getitem__)]
    facts = audited(file, others={"human": true, "old": shuffled(6)}, sample=100)
    (law,) = facts.laws
    assert (law.kind, law.source) == ("index", "human")
    assert law.foretold == law.came_true == inspect.FORETOLD
    names = {row: location for location, row in true.items()}
    moved = [each for each in facts.rows if each.verdict == "foreign"]
    assert len(moved) == facts.wrong > 95
    for each in moved:
        assert each.owner == names[each.row]
        assert each.stands == true[each.location]


@pytest.mark.parametrize(
    ("kind", "true"),
    [
        ("reversed", lambda row: len(LOCATIONS) - 1 - row),
        ("shift", lambda row: row + 1 if row >= 123 else row),
    ],
)
def test_an_order_or_a_shift_is_found_and_proved(kind: str, true: Callable[[int], int]) -> None:
    file = [bytes(4 * WIDTH)] * (len(LOCATIONS) + 1)
    for row, location in enumerate(LOCATIONS):
        file[true(row)] = own(location, 128)
    facts = audited(file, sample=100)
    (law,) = facts.laws
    assert law.kind == kind
    assert law.foretold == law.came_true > 0
    if kind == "shift":
        assert (law.first, law.after, law.by) == (123, 122, 1)


def test_a_row_that_two_locations_share_is_that_of_one_of_them() -> None:
    """As a location that was given twice leaves it: [A, A, B | C] gives B the row of C."""
    index = {location: row for row, location in enumerate(LOCATIONS)}
    index[LOCATIONS[5]] = 6
    index[LOCATIONS[50]] = 51
    facts = audited(store(), index=index, sample=400)
    assert verdicts(facts) == {LOCATIONS[5]: "foreign", LOCATIONS[50]: "foreign"}
    assert {each.owner for each in facts.rows if each.verdict == "foreign"} == {
        LOCATIONS[6],
        LOCATIONS[51],
    }
    (law,) = facts.laws
    assert (law.kind, law.moved) == ("shared", 2)


@pytest.mark.parametrize("kind", [1, 128])
def test_rows_padded_to_a_longer_window_of_their_batch_are_told(kind: int) -> None:
    file = store(kind)
    length = -(-201 // kind) * kind
    for row in range(192, 208):  # a batch of 16 with the window that has more tokens
        if LOCATIONS[row] != GAPPED:
            file[row] = made(LOCATIONS[row], length)
    facts = audited(file, sample=400)
    assert facts.counts == {"own": 385, "padded": 15}
    assert {each.tokens for each in facts.rows if each.verdict == "padded"} == {length}


def test_a_store_that_mixes_both_kinds_has_the_share_of_each() -> None:
    file = store(1)[:300] + store(128)[300:]
    facts = audited(file, sample=400)
    assert facts.counts == {"own": 300, "other-kind": 100}
    assert (facts.padding, facts.wrong) == (1, 100)


def test_rows_of_other_windows_are_told() -> None:
    file = store()
    for row in range(40):
        name, _, position = LOCATIONS[row].partition(":")
        file[row] = (
            own(f"{name}:{int(position) - 1}", 128),
            own(f"{name}:{int(position) + 1}", 128),
            own(LOCATIONS[row], 128, "upper"),
            own(LOCATIONS[row], 128, "n"),
        )[row % 4]
    facts = audited(file, sample=400)
    expected = {"one-left": 10, "one-right": 10, "upper-case": 10, "all-n": 10, "own": 360}
    assert facts.counts == expected


def test_zeros_and_what_is_no_number_are_told() -> None:
    file = store()
    file[3], file[4] = bytes(4 * WIDTH), array.array("f", [float("nan")] * WIDTH).tobytes()
    facts = audited(file, sample=400)
    assert verdicts(facts) == {LOCATIONS[3]: "zero", LOCATIONS[4]: "not-finite"}
    assert facts.wrong == 2


def test_rows_of_no_known_making_stay_unknown_and_are_counted() -> None:
    """As forked workers leave them: windows of anywhere."""
    file = store()
    for row in range(0, 400, 4):
        file[row] = made(f"anywhere {row}", 128)
    facts = audited(file)
    assert set(facts.counts) == {"own", "unknown"}
    assert facts.bounds is not None
    assert facts.bounds.low <= 100 <= facts.bounds.high
    assert facts.laws == ()


def test_an_explanation_that_holds_for_no_scout_is_not_computed_for_all() -> None:
    file = [made(f"anywhere {row}", 128) for row in range(400)]
    index = {location: row for row, location in enumerate(LOCATIONS)}
    source = Source(index, list(index), 400, dict, lambda row: file[row], lambda location: True)
    rows = Made(file)
    facts = inspect.inspect(source, Choice("all", LOCATIONS, 1), rows, Silent())
    assert facts.wrong == 400
    assert facts.counts == {"unknown": inspect.MOST_TRIED, "untried": 400 - inspect.MOST_TRIED}
    trials = (len(inspect.SIDES) + len(inspect.LETTERS)) * 2
    assert rows.computed <= 2 * 400 + trials * inspect.SCOUTS


@pytest.mark.parametrize("size", [1, 2, 3, 9, 63, 64, 65, 128, 300, 400])
@pytest.mark.parametrize("stored", [1, 128])
@pytest.mark.parametrize("apart", [0.0, 0.99 * ROUNDING])
def test_healthy_stores_of_any_size_and_kind_have_nothing_wrong(
    size: int, stored: int, apart: float
) -> None:
    locations = LOCATIONS[:size]
    file = [own(each, stored) for each in locations]
    rng = random.Random(size)
    file = [noise(row, apart * rng.random(), str(at)) for at, row in enumerate(file)]
    index = {location: row for row, location in enumerate(locations)}
    facts = audited(file, index=index, sample=min(size, 300))
    assert facts.wrong == 0
    assert facts.counts == {"own": min(size, 300)}


def test_rows_that_both_kinds_give_alike_are_of_the_kind_of_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Windows whose tokens are a multiple of 128 already: padding adds nothing to them."""
    monkeypatch.setattr(
        "tests.unit.test_audit_inspect.tokens",
        lambda location: 128 if location in LOCATIONS[:150] else 34,
    )
    facts = audited(store(1), sample=400)
    assert facts.counts == {"own": 400}
    assert facts.padding == 1


def test_two_rows_that_were_swapped_are_anothers_and_no_law_is_made_of_the_one_that_was_drawn() -> (
    None
):
    file = store()
    drawn = random.Random(2).sample(LOCATIONS, 60)
    swapped = LOCATIONS.index(drawn[0])
    other = next(row for row in range(400) if LOCATIONS[row] not in drawn)
    file[swapped], file[other] = file[other], file[swapped]
    facts = audited(file)
    assert facts.counts == {"own": 59, "foreign": 1}
    assert facts.laws == ()


def test_a_law_that_further_rows_do_not_bear_out_is_none() -> None:
    """Three neighbours drawn from a block that was moved: all that follows stands in its place."""
    index = {location: row for row, location in enumerate(LOCATIONS)}
    file = [*store(), bytes(4 * WIDTH)]
    file[11:21] = [own(each, 128) for each in LOCATIONS[10:20]]
    source = Source(index, LOCATIONS, 401, dict, lambda row: file[row], lambda location: True)
    choice = Choice("sample", LOCATIONS[:3] + LOCATIONS[12:16], 2)
    facts = inspect.inspect(source, choice, Made(file), Silent())
    assert facts.counts == {"own": 3, "foreign": 4}
    assert facts.laws == ()


def test_a_row_of_nowhere_is_not_anothers_because_that_one_has_the_same_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A repeat: the numbers of the one location stand in the row of the other, by right."""
    real = own
    alike = {LOCATIONS[9]: LOCATIONS[8]}
    monkeypatch.setattr(
        "tests.unit.test_audit_inspect.own",
        lambda location, padding, letters=None: real(
            alike.get(location, location), padding, letters
        ),
    )
    file = store()
    file[9] = made("anywhere", 128)
    facts = audited(file, sample=400)
    assert verdicts(facts) == {LOCATIONS[9]: "unknown"}
    assert facts.laws == ()


@pytest.mark.parametrize("size", [4, 40, 400])
@pytest.mark.parametrize("times", [0.7, 1.0, 2.0, 20.0])
def test_differences_that_scatter_about_what_rounding_may_be_make_no_row_wrong(
    size: int, times: float
) -> None:
    """Of another device: some rows differ by less than ROUNDING, others by more."""
    rng = random.Random(7)
    file = [
        noise(row, times * ROUNDING * rng.uniform(0.5, 1.5), str(at))
        for at, row in enumerate(store()[:size])
    ]
    index = {location: row for row, location in enumerate(LOCATIONS[:size])}
    facts = audited(file, index=index, sample=size)
    assert facts.wrong == 0
    assert set(facts.counts) <= {"own", "near"}


@pytest.mark.parametrize("stored", [1, 128])
@pytest.mark.parametrize("installed", [1, 128])
@pytest.mark.parametrize("size", [2 * ROUNDING, 0.001])
@pytest.mark.sample(2)
def test_another_precision_passes_in_a_store_of_either_kind(
    stored: int, installed: int, size: float
) -> None:
    """The published rows: of the older kind, and of a GPU in TF32."""
    file = [noise(row, size, str(at)) for at, row in enumerate(store(stored))]
    for row in range(20):
        file[row] = noise(own(LOCATIONS[row], 129 - stored), size, str(row))
    facts = audited(file, sample=400, padding=installed)
    assert facts.counts == {"near": 380, "other-kind": 20}
    assert (facts.padding, facts.wrong) == (stored, 20)


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_that_grows_is_said_to_begin_where_the_larger_one_does(seed: int) -> None:
    """Two locations were given twice: between them, rows stand one row away, and then two."""
    file = [own(each, 128) for each in LOCATIONS]
    file = [*file[:90], file[0], *file[90:100], file[0], *file[100:]]
    index = {location: row for row, location in enumerate(LOCATIONS)}
    source = Source(index, LOCATIONS, 402, dict, lambda row: file[row], lambda location: True)
    far = [each for each in LOCATIONS if not 80 <= index[each] < 110]
    drawn = random.Random(seed).sample(far, 60)
    facts = inspect.inspect(source, Choice("sample", drawn, seed), Made(file), Silent())
    (law,) = facts.laws
    assert (law.kind, law.first, law.after, law.by) == ("shift", 100, 99, 2)
    assert law.came_true == law.foretold == inspect.FORETOLD


@pytest.mark.parametrize("installed", [1, 128])
@pytest.mark.parametrize("size", [2 * ROUNDING, 0.004])
@pytest.mark.parametrize("kind", ["index", "reversed", "shift"])
@pytest.mark.sample(6)
def test_misplaced_rows_of_another_precision_are_those_of_other_locations(
    kind: str, size: float, installed: int
) -> None:
    """The published rows, of a GPU in TF32, under an index of one's own."""
    true = {
        "index": shuffled(5),
        "reversed": {each: 399 - row for row, each in enumerate(LOCATIONS)},
        "shift": {each: row + (row >= 123) for row, each in enumerate(LOCATIONS)},
    }[kind]
    file = [made("nowhere", 1)] * (401 if kind == "shift" else 400)
    for location, row in true.items():
        file[row] = noise(own(location, 1), size, location)
    facts = audited(file, others={"human": shuffled(5)}, sample=100, padding=installed)
    (law,) = facts.laws
    assert law.kind == kind
    assert law.foretold == law.came_true == inspect.FORETOLD
    moved = {each for each in LOCATIONS if true[each] != LOCATIONS.index(each)}
    for each in facts.rows:
        assert (each.verdict == "foreign") == (each.location in moved), each
        if each.location in moved:
            assert each.stands == true[each.location]
    assert facts.wrong == facts.counts["foreign"] > 60
    assert facts.tolerance is not None
    assert facts.tolerance < 5 * size


def test_rows_of_another_precision_that_changed_places_without_a_law_are_anothers() -> None:
    order = shuffled(9)
    file = [b""] * 400
    for location, row in order.items():
        file[row] = noise(own(location, 128), 0.004, location)
    facts = audited(file, sample=100)
    assert facts.laws == ()
    assert facts.counts["foreign"] >= 98
    assert facts.wrong == facts.counts["foreign"]


def test_rows_of_no_known_making_are_no_copies_of_what_is_close_to_them() -> None:
    """Rows alike but for a part: what is closest is no closer than others."""
    alike = numbers("alike")

    def row(key: str) -> bytes:
        some = [one + 0.01 * other for one, other in zip(alike, numbers(key), strict=True)]
        return array.array("f", some).tobytes()

    file = [row(f"anywhere {at}") for at in range(400)]
    source = Source(
        {location: at for at, location in enumerate(LOCATIONS)},
        LOCATIONS,
        400,
        dict,
        lambda at: file[at],
        lambda location: True,
    )

    class Alike(Made):
        def alone(
            self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
        ) -> list[bytes]:
            return [row(f"{each} {padding} {letters}") for each in locations]

    facts = inspect.inspect(source, Choice("sample", LOCATIONS[:60], 2), Alike(file), Silent())
    assert facts.counts == {"unknown": 60}


def test_rows_of_locations_that_the_genome_does_not_have_are_told_where_they_are_of_nothing() -> (
    None
):
    """As CpGPT stores them for unknown names: of either kind, and others beside them."""
    index = {"chr1:5": 0, "chr2:5": 1, "7:1": 2, "X:9": 3, LOCATIONS[0]: 4}
    file = [own("", 1, "n"), own("", 128, "n"), own("", 128, "n"), made("X:9", 128), b""]
    source = Source(index, [LOCATIONS[0]], 5, dict, lambda row: file[row], lambda location: True)
    outside = ["chr1:5", "chr2:5", "7:1", "X:9"]
    assert len(inspect.of_nothing(source, outside, Made(file))) == 3
    assert inspect.of_nothing(source, [], Made(file)) == []


class Numbered:
    """Rows of two numbers, which tell their location; a hundred thousand of them take no time."""

    padding = 128

    def __init__(self, wrong: Callable[[int], bool]) -> None:
        self.wrong, self.most = wrong, 0

    def stored(self, row: int) -> bytes:
        return array.array("f", [row + 1, (5 if self.wrong(row) else -1) * (row + 1)]).tobytes()

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        self.most = max(self.most, len(locations))
        other = -1 if padding in (None, 128) else 9
        own = [int(each[2:]) + 1 for each in locations]
        return [array.array("f", [each, other * each]).tobytes() for each in own]

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        self.most = max(self.most, len(rows))
        return [[] for _ in rows]

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        self.most = max(self.most, len(rows))
        return [[] for _ in rows]

    def lengths(self, locations: Sequence[str]) -> list[int]:
        return [34 for _ in locations]

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        self.most = max(self.most, len(rows))
        return [(0, None) for _ in rows]


@pytest.mark.parametrize("count", [10_000, pytest.param(120_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("every", [1, 3])
def test_an_audit_of_all_rows_of_a_large_store_takes_little_memory(every: int, count: int) -> None:
    """Beside its index, a few bytes a row; and the patient gets some rows at a time."""
    index = {f"1:{row}": row for row in range(count)}
    locations = list(index)
    rows = Numbered(lambda row: row % every == 0)
    source = Source(index, locations, count, dict, rows.stored, lambda location: True)
    tracemalloc.start()
    try:
        facts = inspect.inspect(source, Choice("all", locations, 1), rows, Silent())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts.wrong == -(-count // every)
    assert peak < 4_000_000 + 200 * count
    assert rows.most <= 2 * inspect.MOST_TRIED + inspect.PICTURED
