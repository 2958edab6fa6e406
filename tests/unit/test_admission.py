"""What is looked at before a run adds rows to a store, over small stores of made-up rows.

Computing a window alone is a stand-in here (a row that its location tells); scanning, reading and
judging are the real ones. tests/e2e/test_store_fit.py does the same with real CpGPT.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cpgpt_doctor.embed import admission, kinds
from cpgpt_doctor.embed.admission import Looked
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.store import Audit, Sampled, StoreFacts
from cpgpt_doctor.findings import Finding
from cpgpt_doctor.genome.fasta import Genome, build_index
from cpgpt_doctor.patient.compute import scan
from cpgpt_doctor.store import layout, observe, record
from cpgpt_doctor.store.binding import Binding, Model, bind, other_genome, other_model
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Earlier, Found, Part, locations_digest
from tests.findings import errors, said
from tests.unit.test_store import WIDTH, new_store, set_rows, values

PADDED = Model("weights", "float32", 128)
CONTEXT = 201


def write_genome(path: Path, *sequences: tuple[str, str], width: int = 60) -> Genome:
    with path.open("w") as out:
        for name, bases in sequences:
            out.write(f">{name}\n")
            out.writelines(bases[at : at + width] + "\n" for at in range(0, len(bases), width))
    return Genome(path, build_index(path))


def bases(seed: int, length: int = 6000) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    """Two sequences; the second ends in a run of N that holds many windows."""
    return write_genome(tmp_path / "genome.fa", ("1", bases(1)), ("2", bases(2, 1000) + "N" * 3000))


LOCATIONS = [f"1:{at}" for at in range(100, 4100, 100)]
OTHER_KIND = 7.0


def rows_of(locations: list[str], kind: float = 0.0) -> np.ndarray:
    return values(locations) + np.float32(kind)


class World:
    """A store of some rows, and the computing of windows alone."""

    def __init__(self, folder: Path, rows: np.ndarray, locations: list[str]) -> None:
        self.folder = folder
        self.address = new_store(folder / "store")
        self.address.folder.mkdir(parents=True)
        self.write(rows)
        set_rows(self.address, {each: row for row, each in enumerate(locations)})
        self.locations = locations

    def write(self, rows: np.ndarray) -> None:
        self.address.rows.write_bytes(rows.astype(np.float32).tobytes())

    def rows(self) -> np.ndarray:
        return np.fromfile(self.address.rows, np.float32).reshape(-1, WIDTH)

    def stage(self, locations: list[str], padding: int) -> StorePaths:
        """Rows of either kind; the numbers of the one are 7 more than those of the other."""
        staged = dataclasses.replace(self.address, dependencies=self.folder / f"staged-{padding}")
        new_store(staged.dependencies)
        staged.folder.mkdir(parents=True, exist_ok=True)
        computed = rows_of(locations, {128: 0.0, 1: OTHER_KIND}[padding])
        staged.rows.write_bytes(computed.tobytes())
        set_rows(staged, {each: row for row, each in enumerate(locations)})
        return staged

    def look(
        self,
        genome: Genome,
        model: Model = PADDED,
        first: int = 0,
        bound: Binding | None = None,
        uncovered: bool = True,
    ) -> tuple[Looked, list[Finding]]:
        """All that is seen up to the first error, and the errors."""
        asked = SimpleNamespace(
            ask=lambda request: scan.rows(request["path"], request["row_bytes"], request["ranges"])
        )
        named = len(layout.named_rows(self.address))
        facts = observe.look(self.address, genome).facts
        for looked in admission.audit(
            asked,  # type: ignore[arg-type]
            self.stage,
            self.address,
            [range(first, named)] if uncovered else [],
            bound,
            model,
            "0.0.13",
            genome,
        ):
            wrong = errors(store=dataclasses.replace(facts, audit=looked.audit))
            if wrong:
                break
        return looked, wrong

    def found(self, genome: Genome) -> Found:
        looked, wrong = self.look(genome)
        assert wrong == []
        (one,) = looked.found
        return one

    def refused(self, genome: Genome, **options: Any) -> Finding:
        _, (finding,) = self.look(genome, **options)
        return finding


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, rows_of(LOCATIONS), LOCATIONS)


def test_rows_that_are_what_is_computed_are_noted_with_what_was_done(
    world: World, genome: Genome
) -> None:
    found = world.found(genome)
    assert (found.first_row, found.rows) == (0, len(LOCATIONS))
    assert found.sampled == admission.SAMPLED
    assert found.largest_difference == 0.0


def test_rows_that_differ_by_rounding_are_let_in_and_the_difference_is_said(
    world: World, genome: Genome
) -> None:
    """Rows made on a GPU, or downloaded."""
    world.write(np.nextafter(world.rows(), np.float32(np.inf)))
    found = world.found(genome)
    assert 0 < found.largest_difference < 1e-6


def zero(rows: np.ndarray) -> None:
    rows[7] = 0


def not_a_number(rows: np.ndarray) -> None:
    rows[7, 3] = np.nan


def one_value(rows: np.ndarray) -> None:
    rows[:] = 0.25


def two_alike(rows: np.ndarray) -> None:
    rows[7] = rows[30]


def shifted(rows: np.ndarray) -> None:
    rows[:] = np.roll(rows, 1, axis=0)


def of_another_model(rows: np.ndarray) -> None:
    rows *= np.float32(1.001)


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (zero, "CPG507", "rows of zeros: 1, first 1:800"),
        (not_a_number, "CPG507", "rows that hold what is no number: 1, first 1:800"),
        (one_value, "CPG507", "rows that equal that of another window: 39"),
        (two_alike, "CPG507", "another window: 1, first 1:3100 that of 1:800"),
        (shifted, "CPG513", "32 of 32 stored rows are not what their locations give here"),
        (of_another_model, "CPG513", "32 of 32 stored rows are not what their locations give here"),
    ],
)
def test_damaged_and_foreign_rows_are_refused(
    world: World, genome: Genome, damage: Callable[[np.ndarray], None], code: str, words: str
) -> None:
    rows = world.rows()
    damage(rows)
    world.write(rows)
    before = world.address.rows.read_bytes()
    finding = world.refused(genome)
    assert finding.code == code
    assert words in said(finding)
    assert world.address.rows.read_bytes() == before


def of_kinds(world: World, unpadded: Iterable[int]) -> None:
    """Make these rows unpadded ones; the others stay padded to 128."""
    rows = world.rows()
    rows[list(unpadded)] += np.float32(OTHER_KIND)
    world.write(rows)


@pytest.mark.parametrize("installed", [1, 128])
@pytest.mark.parametrize("stored", [1, 128])
def test_the_kind_of_a_store_without_a_record_is_found_whatever_is_installed(
    world: World, genome: Genome, stored: int, installed: int
) -> None:
    of_kinds(world, range(len(LOCATIONS)) if stored == 1 else [])
    looked, wrong = world.look(genome, model=dataclasses.replace(PADDED, padding=installed))
    assert wrong == []
    assert looked.audit.kinds == (stored,)
    assert looked.found[0].largest_difference == 0.0
    assert kinds.settled(looked.audit.kinds, None, installed) == stored


def test_rows_of_both_kinds_are_told_with_the_share_of_each_and_where_they_change(
    world: World, genome: Genome
) -> None:
    of_kinds(world, range(23, 40))
    finding = world.refused(genome)
    assert finding.code == "CPG524"
    assert "padded to 128 tokens (CpGPT from 0.0.8 on) up to row 22, not padded" in said(finding)
    assert "from row 23 on" in said(finding)
    shares = [int(each) for each in re.findall(r"rows 0 to 39: (\d+) of 32", said(finding))]
    assert len(shares) == 2
    assert sum(shares) == admission.SAMPLED
    assert "repair" in [each.id for each in finding.remedies]


@pytest.mark.parametrize("seed", range(10))
def test_a_few_rows_of_the_other_kind_that_were_added_last_are_always_found(
    tmp_path: Path, genome: Genome, seed: int
) -> None:
    locations = [f"1:{at}" for at in range(100, 2100)]
    world = World(tmp_path, rows_of(locations), locations)
    of_kinds(world, range(1998, 2000))
    random.seed(seed)
    finding = world.refused(genome)
    assert finding.code == "CPG524"
    assert "up to row 1997, not padded (CpGPT up to 0.0.7) from row 1998 on" in said(finding)


@pytest.mark.parametrize("seed", range(5))
def test_kinds_that_change_more_than_once_are_given_no_place(
    world: World, genome: Genome, seed: int
) -> None:
    of_kinds(world, range(0, 40, 2))
    random.seed(seed)
    finding = world.refused(genome)
    assert finding.code == "CPG524"
    assert "up to row" not in said(finding)


def test_rows_beside_recorded_ones_of_the_other_kind_are_a_mix(
    world: World, genome: Genome
) -> None:
    of_kinds(world, range(20, 40))
    bound = bind(None, PADDED, genome, LOCATIONS[:20], CONTEXT)
    finding = world.refused(genome, first=20, bound=bound)
    assert finding.code == "CPG524"
    assert "recorded rows: padded to 128" in said(finding)
    assert "rows 20 to 39: 20 of 20 computed again are not padded" in said(finding)


def test_rows_of_windows_that_need_no_padding_are_of_either_kind(
    world: World, genome: Genome
) -> None:
    """A window whose tokens are a multiple of 128 gives one row; it does not make a mix."""
    of_kinds(world, range(1, 40))
    stage = world.stage

    def alike(locations: list[str], padding: int) -> StorePaths:
        staged = stage(locations, padding)
        rows = np.fromfile(staged.rows, np.float32).reshape(-1, WIDTH)
        for at, location in enumerate(locations):
            if location == LOCATIONS[0]:
                rows[at] = world.rows()[0]
        staged.rows.write_bytes(rows.tobytes())
        return staged

    world.stage = alike  # type: ignore[method-assign]
    looked, wrong = world.look(genome)
    assert wrong == []
    assert looked.audit.kinds == (1,)


def test_foreign_rows_among_rows_of_the_other_kind_are_found(world: World, genome: Genome) -> None:
    of_kinds(world, range(len(LOCATIONS)))
    rows = world.rows()
    rows[:20] *= np.float32(1.001)
    world.write(rows)
    finding = world.refused(genome)
    assert finding.code == "CPG513"
    assert re.search(r"1?\d of 32 stored rows", said(finding))


def test_rows_asked_for_against_the_stores_kind_are_one_finding() -> None:
    seen = StoreFacts(recorded_padding=1, asked_padding=128)
    (finding,) = errors(store=seen)
    assert finding.code == "CPG524"
    assert "--rows asks for the other kind" in said(finding)
    assert errors(store=dataclasses.replace(seen, asked_padding=1)) == []
    assert errors(store=dataclasses.replace(seen, asked_padding=None)) == []
    unrecorded = dataclasses.replace(seen, recorded_padding=None)
    sample = Sampled(32, 32, padding=128, other_padding=1, as_other=32)
    audited = dataclasses.replace(unrecorded, audit=Audit("0.0.13", 128, samples=(sample,)))
    (finding,) = errors(store=audited)
    assert "--rows asks for the other kind" in said(finding)


@pytest.mark.parametrize(
    ("asked", "stored", "release", "expected"),
    [
        (None, (), 128, 128),
        (None, (), 1, 1),
        ("unpadded", (), 128, 1),
        ("padded", (), 1, 128),
        ("release", (), 1, 1),
        (None, (1,), 128, 1),
        (None, (128,), 1, 128),
    ],
)
def test_new_rows_are_of_the_stores_kind_or_the_asked_one_or_the_releases(
    asked: kinds.RowsAsked | None, stored: tuple[int, ...], release: int, expected: int
) -> None:
    padding = kinds.settled(stored, kinds.padding_asked(asked, release), release)
    assert padding == expected
    line = kinds.setting(asked, stored, padding, "0.0.13")
    assert line.applied == {1: "not padded", 128: "padded to 128 tokens"}[expected]
    assert ("published in 2025" in line.why) == (not stored)


def test_equal_windows_have_equal_rows(tmp_path: Path, genome: Genome) -> None:
    """Windows of N, of which a store with --allow-all-n holds many."""
    locations = ["1:500", "2:2000", "2:2500", "2:3000"]
    rows = rows_of(["1:500", "N", "N", "N"])
    world = World(tmp_path, rows, locations)
    world.stage = lambda locations, padding: staged_alike(world, locations)  # type: ignore[method-assign]
    assert world.found(genome).rows == 4


def staged_alike(world: World, locations: list[str]) -> StorePaths:
    staged = World.stage(world, locations, 128)
    names = ["N" if each.startswith("2:") else each for each in locations]
    staged.rows.write_bytes(rows_of(names).tobytes())
    return staged


def test_rows_of_no_location_of_this_genome_are_refused(tmp_path: Path, genome: Genome) -> None:
    locations = ["chr1:500", "1:999999", "not a place"]
    world = World(tmp_path, rows_of(locations), locations)
    finding = world.refused(genome)
    assert finding.code == "CPG522"
    assert "no location of the stored rows lies in this genome" in finding.title.en


def recorded(world: World) -> Part:
    rows = world.address
    return Part(
        0,
        len(LOCATIONS),
        layout.digest(layout.read_rows(rows, range(len(LOCATIONS)))),
        locations_digest(LOCATIONS),
        1.0,
        "now",
    )


def test_recorded_rows_that_are_as_they_were_stand(world: World) -> None:
    part = recorded(world)
    rows = layout.named_rows(world.address)
    assert admission.held([part], world.address, rows) == ([part], ())


def test_an_index_that_names_recorded_rows_for_other_locations_is_found(world: World) -> None:
    part = recorded(world)
    rows = layout.named_rows(world.address)
    first, second = LOCATIONS[3], LOCATIONS[5]
    rows[first], rows[second] = rows[second], rows[first]
    _, changed = admission.held([part], world.address, rows)
    facts = dataclasses.replace(observe.look(world.address).facts, changed=changed)
    (finding,) = errors(store=facts)
    assert finding.code == "CPG519"
    assert "40 rows were recorded for other locations" in said(finding)
    assert "rows 0 to 39" in said(finding)


def test_recorded_rows_that_were_changed_are_found(world: World) -> None:
    part = recorded(world)
    with world.address.rows.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"\x01")
    _, changed = admission.held([part], world.address, layout.named_rows(world.address))
    facts = dataclasses.replace(observe.look(world.address).facts, changed=changed)
    (finding,) = errors(store=facts)
    assert finding.code == "CPG513"
    assert "40 rows are not those that were recorded" in said(finding)


def test_rows_that_another_program_laid_anew_no_longer_count_as_recorded(world: World) -> None:
    """CpGPT saved over the index with an older one and went on: other names, other numbers."""
    part = recorded(world)
    anew = LOCATIONS[::-1]
    world.write(rows_of(anew))
    set_rows(world.address, {each: row for row, each in enumerate(anew)})
    assert admission.held([part], world.address, layout.named_rows(world.address)) == ([], ())


def test_a_row_of_a_covered_windows_is_found_among_the_others(world: World, genome: Genome) -> None:
    """A forked worker's damage: the bases of another window, which is recorded already."""
    rows = world.rows()
    rows[35] = rows[2]
    world.write(rows)
    assert "another window: 1, first" in said(world.refused(genome, first=20))


# What rows were computed from


def test_a_genome_fits_where_the_sequences_with_locations_are_the_same(
    tmp_path: Path, genome: Genome
) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    assert set(bound.sequences) == {"1"}
    again = write_genome(tmp_path / "again.fa", ("7", bases(7)), ("1", bases(1)), width=80)
    assert other_genome(bound, again, CONTEXT) == ()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (("chr1", bases(1)), "1: is not in this genome"),
        (("1", bases(1) + "A"), "1: has 6,001 bases and had 6,000"),
        (("1", "A" + bases(1)[1:].replace("A", "C", 1)), "1: has other bases"),
        (("1", bases(1).lower()), "1: has other bases, or other lower-case ones"),
    ],
)
def test_another_genome_is_told_by_its_difference(
    tmp_path: Path, genome: Genome, other: tuple[str, str], words: str
) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    differences = other_genome(bound, write_genome(tmp_path / "other.fa", other), CONTEXT)
    (finding,) = errors(store=StoreFacts(other_genome=differences))
    assert finding.code == "CPG522"
    assert words in said(finding)


def test_kept_digests_that_lie_are_found_by_the_windows_themselves(
    tmp_path: Path, genome: Genome
) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    other = write_genome(tmp_path / "other.fa", ("1", bases(99)))
    lying = dataclasses.replace(other.sequences["1"], digest=genome.sequences["1"].digest)
    differences = other_genome(bound, Genome(other.path, (lying,)), CONTEXT)
    (finding,) = errors(store=StoreFacts(other_genome=differences))
    assert "recorded windows have other bases" in said(finding)


def test_later_runs_add_to_what_a_store_is_bound_to(genome: Genome) -> None:
    first = bind(None, PADDED, genome, LOCATIONS[:5], CONTEXT)
    second = bind(first, PADDED, genome, ["2:500"], CONTEXT)
    assert set(second.sequences) == {"1", "2"}
    assert first.windows.items() <= second.windows.items()


def test_a_model_is_told_by_its_weights_their_precision_and_its_files() -> None:
    was = Model("a", "float32", 128, "r1", {"config.json": "x", "vocab.txt": "y"})
    assert other_model(was, dataclasses.replace(was, revision="r2")) == ()
    now = Model("b", "bfloat16", 128, "r2", {"config.json": "z", "vocab.txt": "y"})
    audit = Audit("0.0.13", 128, 128, other_model(was, now))
    (finding,) = errors(store=StoreFacts(audit=audit))
    assert finding.code == "CPG522"
    for words in ("other weights", "loaded as bfloat16 and were float32", "config.json"):
        assert words in said(finding)


def test_the_other_kind_is_followed_and_another_precision_refused_by_the_record(
    world: World, genome: Genome
) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    options: dict[str, Any] = {"bound": bound, "uncovered": False}
    assert world.look(genome, **options)[1] == []
    unpadded = dataclasses.replace(PADDED, padding=1)
    looked, wrong = world.look(genome, model=unpadded, **options)
    assert (looked.audit.kinds, wrong) == ((128,), [])
    half = dataclasses.replace(PADDED, precision="bfloat16")
    finding = world.refused(genome, model=half, **options)
    assert finding.code == "CPG522"
    assert "loaded as bfloat16 and were float32" in said(finding)


def test_other_weights_need_equal_bits(world: World, genome: Genome) -> None:
    """The same numbers under other names are the same model; nearly the same are not."""
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    renamed = dataclasses.replace(PADDED, weights="other")
    options: dict[str, Any] = {"model": renamed, "bound": bound, "uncovered": False}
    assert world.look(genome, **options)[1] == []
    world.write(np.nextafter(world.rows(), np.float32(np.inf)))
    finding = world.refused(genome, **options)
    assert finding.code == "CPG522"
    assert "other weights" in said(finding)


# What a record says of rows


def a_part(first_row: int, rows: int) -> Part:
    return Part(first_row, rows, "", "", 0.0, "")


def test_rows_between_and_after_recorded_parts_are_uncovered(genome: Genome) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    known = Earlier((a_part(30, 10), a_part(5, 10)), (), bound)
    assert known.uncovered(50) == [range(0, 5), range(15, 30), range(40, 50)]
    assert known.uncovered(40) == [range(0, 5), range(15, 30)]
    assert Earlier((a_part(0, 50),), (), bound).uncovered(50) == []


def test_a_record_that_does_not_say_what_was_computed_from_covers_nothing() -> None:
    assert Earlier((a_part(0, 50),)).uncovered(50) == [range(50)]


def test_what_was_written_is_read_again(tmp_path: Path, world: World, genome: Genome) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    part, path = recorded(world), tmp_path / "run.json"
    written = record.Record(path, {}, {}, (), [part], [], bound, [])
    written.write()
    assert record.earlier(path, 40) == Earlier((part,), (), bound)
    written.pending = a_part(40, 5)
    written.write()
    assert record.earlier(path, 45).pending == a_part(40, 5)
    assert record.earlier(path, 44).pending is None
    data: dict[str, Any] = json.loads(path.read_text())
    assert data["bound"]["model"]["padding"] == 128
    assert record.earlier(path, 39).parts == ()


@pytest.mark.parametrize("location", ["nowhere:5", "1:x", "1"])
def test_a_record_with_windows_of_no_place_is_refused_in_a_line(
    tmp_path: Path, genome: Genome, location: str
) -> None:
    bound = bind(None, PADDED, genome, LOCATIONS, CONTEXT)
    bound = dataclasses.replace(bound, windows={location: "x"})
    path = tmp_path / "run.json"
    record.Record(path, {}, {}, (), [], [], bound, []).write()
    with pytest.raises(InputError, match="is no record of a run"):
        record.read(path)
