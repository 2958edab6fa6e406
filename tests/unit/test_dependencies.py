"""What users already have: healthy folders raise nothing, and each fault of files is found."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.packages import CpGPT, Packages
from cpgpt_doctor.facts.store import ChangedRows
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.probes import dependencies, genomes, rows
from cpgpt_doctor.probes.dependencies import observe_folders
from cpgpt_doctor.store import layout, metadata, observe, record
from cpgpt_doctor.store.layout import StorePaths
from tests import folders
from tests.folders import LLM, SPECIES, findings, names, observed, one, said, store, unknown, values

SHUFFLED = random.Random(3).sample(names(300), 300)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder with no other test's folders beside it: indexes near by are looked at."""
    (tmp_path / "alone").mkdir()
    return tmp_path / "alone"


def every_file(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All regular files, with their times and bytes."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def nothing(folder: Path) -> None:
    folders.set_index(folder, {})


def one_row(folder: Path) -> None:
    store(folder, names(1))


def fifty(folder: Path) -> None:
    store(folder, names(50))


def plain_integers(folder: Path) -> None:
    store(folder, names(50), kind=int)


def an_order_of_its_own(folder: Path) -> None:
    store(folder, SHUFFLED)


def ten_thousand_allocated(folder: Path) -> None:
    store(folder, names(120), allocated=10_000)


def doubled_allocation(folder: Path) -> None:
    store(folder, names(10_050), allocated=20_000)


def exactly_allocated(folder: Path) -> None:
    store(folder, names(10_000), allocated=10_000)


def more_than_is_read(folder: Path) -> None:
    store(folder, names(9_000))


def two_lengths(folder: Path) -> None:
    store(folder, names(40), length=201)
    store(folder, names(30), length=2001)


def three_models(folder: Path) -> None:
    for dna_llm in (LLM, "DNABERT-2-117M", "nucleotide-transformer-v2-500m-multi-species"):
        store(folder, names(20), dna_llm=dna_llm)


def four_species(folder: Path) -> None:
    for species in (SPECIES, "mus_musculus", "rattus_norvegicus", "pan_troglodytes"):
        store(folder, names(20), species=species)


def locations_of_an_array(folder: Path) -> None:
    store(folder, list(np.array(names(20))))


def with_a_genome(folder: Path) -> None:
    store(folder, names(50))
    folders.genome(folder)


def fai(path: Path) -> Path:
    """The index that pyfaidx makes of it."""
    index = path.with_name(path.name + ".fai")
    index.write_text("1\t120000\t3\t60\t61\n2\t120000\t122006\t60\t61\n")
    return index


def with_an_indexed_genome(folder: Path) -> None:
    store(folder, names(50))
    fai(folders.genome(folder))


def with_an_older_index_that_is_right(folder: Path) -> None:
    store(folder, names(50))
    os.utime(fai(folders.genome(folder)), (1, 1))


def with_a_download_left(folder: Path) -> None:
    store(folder, names(50))
    path = folders.genome(folder)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))


def equal_rows_of_equal_windows(folder: Path) -> None:
    """1 and 2 are one sequence twice: their rows have to be equal."""
    paths = store(folder, [*names(20), *names(20, "2")])
    folders.set_rows(paths, np.concatenate([values(names(20))] * 2))
    folders.genome(folder)


def behind_a_link(folder: Path) -> None:
    real = folder.with_name("elsewhere")
    store(real, names(50))
    folder.symlink_to(real)


def rows_on_another_disk(folder: Path) -> None:
    store(folder, names(50))
    other = folder.with_name("scratch")
    shutil.move(folder / "dna_embeddings", other)
    (folder / "dna_embeddings").symlink_to(other)


def rows_and_index_linked(folder: Path) -> None:
    real = folder.with_name("published")
    store(real, names(50))
    folder.mkdir()
    (folder / "dna_embeddings").symlink_to(real / "dna_embeddings")
    (folder / metadata.FILE).symlink_to(real / metadata.FILE)


def rows_linked_and_index_copied(folder: Path) -> None:
    real = folder.with_name("published")
    store(real, SHUFFLED)
    folder.mkdir()
    (folder / "dna_embeddings").symlink_to(real / "dna_embeddings")
    shutil.copy(real / metadata.FILE, folder)


def a_download_that_was_copied_and_extended(folder: Path) -> None:
    store(folder / "human", SHUFFLED)
    store(folder, [*SHUFFLED, *names(20, "2")])


def an_older_index_kept_beside(folder: Path) -> None:
    store(folder, names(30))
    (folder / metadata.FILE).rename(folder / f"{metadata.FILE}.bak")
    store(folder, names(50))


def beside_unrelated_folders(folder: Path) -> None:
    store(folder, names(50))
    store(folder.with_name("dependencies-mouse"), names(80, "2"), species="mus_musculus")
    store(folder.with_name("dependencies-old"), SHUFFLED[:40])
    folders.set_rows(
        StorePaths(folder.with_name("dependencies-old"), SPECIES, LLM, 201, 256),
        values(names(40, "2")),
    )


def a_record(paths: StorePaths, locations: list[str], stored: np.ndarray) -> None:
    """A record of run-embed's that these rows are stored for these locations."""
    import hashlib

    part = {
        "first_row": 0,
        "rows": len(locations),
        "rows_digest": hashlib.sha256(stored.tobytes()).hexdigest(),
        "locations_digest": record.locations_digest(locations),
        "seconds": 1.0,
        "committed": record.now(),
    }
    content = {"schema": record.SCHEMA, "parts": [part]}
    record.record_path(paths).write_text(json.dumps(content))


def recorded(folder: Path) -> None:
    paths = store(folder, names(50))
    a_record(paths, names(50), values(names(50)))


HEALTHY = [
    *(nothing, one_row, fifty, plain_integers, an_order_of_its_own, ten_thousand_allocated),
    *(doubled_allocation, exactly_allocated, more_than_is_read, two_lengths, three_models),
    *(four_species, locations_of_an_array, with_a_genome, with_an_indexed_genome),
    *(with_an_older_index_that_is_right, with_a_download_left, equal_rows_of_equal_windows),
    *(behind_a_link, rows_on_another_disk, rows_and_index_linked, rows_linked_and_index_copied),
    *(a_download_that_was_copied_and_extended, an_older_index_kept_beside),
    *(beside_unrelated_folders, recorded),
]


@pytest.mark.parametrize("make", HEALTHY, ids=lambda make: make.__name__)
def test_a_healthy_folder_raises_nothing_and_is_left_as_it_was(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ALL_BELOW", 8192 * 256 * 4)
    folder = tmp_path / "dependencies"
    make(folder)
    before = every_file(tmp_path)
    facts = observed(folder)
    assert [(each.code, each.title.en, each.evidence.seen) for each in findings(facts)] == []
    assert unknown(facts) == {}
    assert every_file(tmp_path) == before


def test_every_store_of_every_species_model_and_length_is_counted(tmp_path: Path) -> None:
    four_species(tmp_path)
    three_models(tmp_path)
    two_lengths(tmp_path)
    (folder,) = observed(tmp_path).dependencies
    seen = {
        (each.store.species, each.store.dna_llm, each.store.context_len): each.store.index.named
        for each in folder.stores
        if each.store.index
    }
    assert len(seen) == 7
    assert seen[SPECIES, LLM, 2001] == 30
    assert seen["rattus_norvegicus", LLM, 201] == 20


# Rows


def spoiled(tmp_path: Path, change: Callable[[np.ndarray], object], count: int = 50) -> Path:
    paths = store(tmp_path, names(count))
    stored = values(names(count))
    change(stored)
    folders.set_rows(paths, stored)
    return tmp_path


def test_rows_of_zeros_are_found_with_their_locations(tmp_path: Path) -> None:
    def zero(stored: np.ndarray) -> None:
        stored[3:5] = 0

    found = one("CPG507", spoiled(tmp_path, zero))
    assert found.title.en == "2 of 50 stored rows cannot be embeddings of their locations"
    ((label, seen),) = found.evidence.seen
    assert (label.en, seen.en) == ("rows of zeros", "2, such as 1:1021, 1:1028")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_one_number_of_a_row_that_is_none_is_found(tmp_path: Path, number: float) -> None:
    def spoil(stored: np.ndarray) -> None:
        stored[7, 200] = number

    found = one("CPG507", spoiled(tmp_path, spoil))
    assert found.evidence.seen[0][1].en == "1, such as 1:1049"


def test_the_largest_numbers_are_no_infinities(tmp_path: Path) -> None:
    def large(stored: np.ndarray) -> None:
        stored[7] = np.finfo("f4").max

    assert said(spoiled(tmp_path, large)) == []


def test_a_row_that_two_locations_have_is_found(tmp_path: Path) -> None:
    def twice(stored: np.ndarray) -> None:
        stored[[8, 9, 30]] = stored[2]

    found = one("CPG507", spoiled(tmp_path, twice))
    assert found.severity.name == "error"
    assert found.evidence.seen[0][1].en == "3, such as 1:1056 that of 1:1014"


def test_equal_rows_of_unequal_windows_are_found_where_the_genome_tells(tmp_path: Path) -> None:
    folders.genome(tmp_path)

    def twice(stored: np.ndarray) -> None:
        stored[1] = stored[0]

    assert said(spoiled(tmp_path, twice)) == [("CPG507", "error")]


def test_rows_of_windows_of_nothing_but_n_are_a_warning(tmp_path: Path) -> None:
    folders.genome(tmp_path, ">1\n" + "A" * 5000 + "\n>2\n" + "N" * 9000 + "\n")
    paths = store(tmp_path, [*names(20), *names(20, "2")])
    stored = values(names(40))
    stored[20:] = stored[20]
    folders.set_rows(paths, stored)
    found = one("CPG507", tmp_path)
    assert found.severity.name == "warning"
    assert found.evidence.seen[0][1].en == "19, such as 2:1007, 2:1014, 2:1021"


def test_rows_of_names_that_the_genome_lacks_are_found_in_the_index_alone(tmp_path: Path) -> None:
    folders.genome(tmp_path)
    store(tmp_path, [*names(40), *names(3, "chr1")])
    found = one("CPG502", tmp_path)
    assert found.severity.name == "warning"
    assert found.title.en.startswith("3 of 43 stored locations")
    assert found.evidence.seen[0][1].en == "chr1:1000, chr1:1007, chr1:1014"


def test_locations_past_the_end_of_their_sequence_are_found(tmp_path: Path) -> None:
    folders.genome(tmp_path)
    store(tmp_path, [*names(40), "1:119999", "1:120000", "2:5000000"])
    found = one("CPG507", tmp_path)
    assert found.evidence.seen[0][1].en == "2, such as 1:120000, 2:5000000"


def test_a_large_file_is_read_in_a_sample_that_is_stated_and_whole_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ALL_BELOW", 0)
    monkeypatch.setattr(rows, "SAMPLE", 400)
    chosen = set(rows.sample(4000, 1024, everything=False))

    def zero(stored: np.ndarray) -> None:
        stored[min(set(range(4000)) - chosen)] = 1e-3
        stored[min(set(range(4000)) - chosen), 5] = np.nan

    folder = spoiled(tmp_path, zero, 4000)
    summaries = {
        each.code: each.check.summary.en
        for each in dependencies_judged(observed(folder))
        if each.code == "CPG507"
    }
    assert summaries["CPG507"].startswith("none of 400 rows, a sample of 4,000, is zero")
    assert said(folder, everything=True) == [("CPG507", "error")]


def dependencies_judged(facts: Facts):
    from cpgpt_doctor.rules.registry import judge

    return judge(facts, Intent())


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="the system tells of no holes")
def test_rows_that_were_never_written_are_found_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ALL_BELOW", 0)
    monkeypatch.setattr(rows, "SAMPLE", 1)
    paths = store(tmp_path, names(2000))
    with paths.rows.open("r+b") as stream:
        stream.truncate(1000 * 1024)
        stream.truncate(2000 * 1024)
        stream.seek(1999 * 1024)
        stream.write(values(["1:0"]).tobytes())
    if paths.rows.stat().st_blocks * 512 >= 2000 * 1024:
        pytest.skip("the file system keeps no holes")
    found = one("CPG507", tmp_path)
    ((_, seen),) = (each for each in found.evidence.seen if "never" in each[0].en)
    assert int(seen.en.split()[0].replace(",", "")) > 900


@pytest.mark.parametrize("allocated", [0, 10_000])
@pytest.mark.parametrize("count", [1, 7, 4096, 5000])
def test_rows_are_counted_up_to_the_last_that_is_not_zeros(
    tmp_path: Path, count: int, allocated: int
) -> None:
    paths = store(tmp_path, names(count), allocated=allocated)
    assert layout.filled(paths.rows, 1024) == count
    with paths.rows.open("r+b") as stream:  # written zeros, and no hole
        stream.seek(0, os.SEEK_END)
        stream.write(b"\0" * 3_000_001)
    assert layout.filled(paths.rows, 1024) == count


# Indexes


def linked(tmp_path: Path, mine: list[str], theirs: list[str]) -> Path:
    """Published rows that a user linked, with an index of his own."""
    store(tmp_path / "human", theirs)
    (tmp_path / "dna_embeddings").symlink_to(tmp_path / "human" / "dna_embeddings")
    folders.set_index(tmp_path, {each: np.int64(at) for at, each in enumerate(mine)})
    return tmp_path


def test_rows_that_were_linked_without_their_index_are_foreign(tmp_path: Path) -> None:
    folder = linked(tmp_path, sorted(SHUFFLED)[:250], SHUFFLED)
    assert said(folder) == [("CPG519", "error")]
    found = one("CPG519", folder)
    assert found.title.en.startswith("250 locations are read through an index")
    assert str(folder / "human" / metadata.FILE) in found.causes[0].en
    assert [each.id for each in found.remedies if hasattr(each, "id")] == [
        "right-folder-in-code",
        "right-folder",
        "repair",
    ]


def test_rows_that_were_copied_without_their_index_are_foreign(tmp_path: Path) -> None:
    paths = store(tmp_path / "human", SHUFFLED)
    shutil.copytree(tmp_path / "human" / "dna_embeddings", tmp_path / "dna_embeddings")
    folders.set_index(
        tmp_path, {each: np.int64(at) for at, each in enumerate(sorted(SHUFFLED)[:9])}
    )
    assert said(tmp_path) == [("CPG519", "error")]
    assert paths.rows.exists()


def test_an_index_that_was_replaced_is_told_from_its_backup(tmp_path: Path) -> None:
    store(tmp_path, SHUFFLED)
    backup = tmp_path / f"{metadata.FILE}.bak"
    (tmp_path / metadata.FILE).rename(backup)
    folders.set_index(
        tmp_path, {each: np.int64(at) for at, each in enumerate(sorted(SHUFFLED)[:99])}
    )
    found = one("CPG519", tmp_path)
    first, remedy = found.remedies
    assert (first.id, remedy.id) == ("repair", "put-back")
    assert dict(remedy.values)["index"].en == str(backup)


def test_rows_without_any_index_are_nobodys_and_the_one_that_names_them_is_found(
    tmp_path: Path,
) -> None:
    store(tmp_path / "human", SHUFFLED)
    (tmp_path / "dna_embeddings").symlink_to(tmp_path / "human" / "dna_embeddings")
    found = one("CPG520", tmp_path)
    seen = {label.en: value.en for label, value in found.evidence.seen}
    assert seen["an index that names them all"] == str(tmp_path / "human" / metadata.FILE)
    assert dict(found.remedies[0].values)["home"].en == str(tmp_path / "human")


def test_an_older_index_that_was_put_back_leaves_rows_without_a_name(tmp_path: Path) -> None:
    store(tmp_path, names(50))
    shutil.move(tmp_path / metadata.FILE, tmp_path / f"{metadata.FILE}.new")
    folders.set_index(tmp_path, {each: np.int64(at) for at, each in enumerate(names(30))})
    assert said(tmp_path) == [("CPG520", "error")]
    found = one("CPG520", tmp_path)
    assert getattr(found.remedies[0], "id", None) == "repair"


def test_rows_that_a_run_wrote_through_a_link_are_its_own_and_the_others_are_gone(
    tmp_path: Path,
) -> None:
    mine = sorted(SHUFFLED)[:200]
    folder = linked(tmp_path, mine, SHUFFLED)
    folders.set_rows(StorePaths(folder, SPECIES, LLM, 201, 256), values(mine))
    facts = observed(folder)
    by_folder = [
        (each.location.path if each.location else "", each.code, each.severity.name)
        for each in findings(facts)
    ]
    own = str(StorePaths(folder, SPECIES, LLM, 201).rows)
    theirs = str(StorePaths(folder / "human", SPECIES, LLM, 201).rows)
    assert (own, "CPG519", "warning") in by_folder
    assert (theirs, "CPG519", "error") in by_folder
    assert (theirs, "CPG506", "error") in by_folder


def test_two_indexes_that_fit_alike_and_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    store(tmp_path / "human", SHUFFLED)
    shutil.copytree(tmp_path / "human" / "dna_embeddings", tmp_path / "dna_embeddings")
    folders.set_index(tmp_path, {each: np.int64(at) for at, each in enumerate(sorted(SHUFFLED))})
    found = one("CPG519", tmp_path / "human")
    assert found.title.en.startswith("two indexes name these rows")


def test_a_record_decides_between_two_indexes(tmp_path: Path) -> None:
    paths = store(tmp_path / "a", SHUFFLED)
    a_record(paths, SHUFFLED, values(SHUFFLED))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    folders.set_index(
        tmp_path / "b", {each: np.int64(at) for at, each in enumerate(sorted(SHUFFLED))}
    )
    assert said(tmp_path / "a") == []
    assert said(tmp_path / "b") == [("CPG519", "error")] * 2  # by the record, and by the neighbour


def test_an_index_that_names_recorded_rows_for_others_is_seen_wherever_a_store_is_looked_at(
    tmp_path: Path,
) -> None:
    """run-embed looks before it starts, so that a dry run refuses, too."""
    recorded(tmp_path)
    paths = StorePaths(tmp_path, SPECIES, LLM, 201, 256)
    folders.set_index(tmp_path, {each: 49 - at for at, each in enumerate(names(50))})
    assert observe.look(paths).facts.changed == (ChangedRows("index", 0, 50),)
    assert said(tmp_path) == [("CPG519", "error")]
    folders.set_rows(paths, values(names(50, "2")))  # laid anew, names and numbers
    assert observe.look(paths).facts.changed == ()


@pytest.mark.parametrize("ahead", [0, 20])
def test_zeros_that_cpgpt_allocated_are_not_counted_among_rows_without_a_name(
    tmp_path: Path, ahead: int
) -> None:
    """By run-embed neither, which looks at a store alone."""
    paths = store(tmp_path, names(50), allocated=10_000)
    with paths.rows.open("r+b") as stream:
        stream.seek((50 + ahead) * 1024)
        stream.write(values(["1:0", "1:1", "1:2"]).tobytes())
    seen = observe.look(paths).facts.unnamed
    assert seen is not None
    assert (seen.rows, seen.rest) == (ahead + 3, 0)


def test_a_position_of_very_many_digits_is_past_the_end(tmp_path: Path) -> None:
    far = ["1:122007", f"1:{10**19}", f"1:{'9' * 5000}"]
    near = [f"1:{'0' * 30}5", "1:" + "0" * 25]
    store(tmp_path, [*names(20), *far, *near])
    folders.genome(tmp_path)
    found = one("CPG507", tmp_path)
    (past,) = (said for name, said in found.evidence.seen if "past the end" in name.en)
    assert past.en.startswith("3, such as 1:122007")


def test_rows_that_changed_since_they_were_recorded_are_found(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    a_record(paths, names(50), values(names(50)))
    changed = values(names(50))
    changed[4] = values(["9:9"])[0]
    folders.set_rows(paths, changed)
    assert said(tmp_path) == [("CPG513", "error")]


def test_an_index_of_more_rows_than_the_file_has_is_found(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    folders.set_rows(paths, values(names(20)))
    assert said(tmp_path) == [("CPG506", "error")]


def test_two_locations_on_one_row_are_found(tmp_path: Path) -> None:
    store(tmp_path, names(50))
    folders.set_index(tmp_path, {each: np.int64(at % 49) for at, each in enumerate(names(50))})
    assert said(tmp_path) == [("CPG506", "error")]


def test_an_index_without_a_file_of_rows_is_found(tmp_path: Path) -> None:
    store(tmp_path, names(50)).rows.unlink()
    assert said(tmp_path) == [("CPG506", "error")]


def test_rows_in_a_folder_below_are_not_looked_for_by_cpgpt(tmp_path: Path) -> None:
    store(tmp_path / "human", names(50))
    assert said(tmp_path) == [("CPG508", "error")]
    assert dict(one("CPG508", tmp_path).values)["home"].en == str(tmp_path / "human")
    assert said(searched=[tmp_path]) == []  # nobody gives it to CpGPT
    store(tmp_path, names(10, "2"))
    assert said(tmp_path) == [("CPG508", "warning")]


def test_unfinished_files_and_old_checkpoints_are_found(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    paths.checkpoint.write_text("{}")
    assert said(tmp_path) == [("CPG510", "warning")]
    paths.unfinished.write_bytes(b"\0" * 1024)
    assert said(tmp_path) == [("CPG515", "error")]
    paths.rows.unlink()
    assert said(tmp_path) == [("CPG505", "error")]


def test_rows_that_an_unfinished_file_has_are_not_zeros_of_the_finished_one(tmp_path: Path) -> None:
    """0.0.7, 11 locations added to 9,990: the index names 10,001, and the .mmap has 9,990."""
    paths = store(tmp_path, names(10_001))
    folders.set_rows(paths, values(names(9_990)), allocated=10_000)
    paths.unfinished.write_bytes(values(names(10_001)).tobytes())
    assert said(tmp_path) == [("CPG505", "error")]


def test_a_store_in_a_shared_cache_is_found(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--someone--CpGPT"
    snapshot = repository / "snapshots" / ("0" * 40) / "human"
    paths = store(snapshot, names(50))
    (repository / "blobs").mkdir()
    for number, path in enumerate((paths.rows, paths.database)):
        blob = repository / "blobs" / str(number)
        path.rename(blob)
        path.symlink_to(blob)
    assert said(snapshot) == [("CPG521", "warning")]
    user = tmp_path / "dependencies"
    (user / "dna_embeddings").mkdir(parents=True)
    (user / "dna_embeddings" / SPECIES).symlink_to(snapshot / "dna_embeddings" / SPECIES)
    folders.set_index(user, {each: np.int64(at) for at, each in enumerate(names(50)[::-1][:20])})
    assert {code for code, _ in said(user)} == {"CPG519", "CPG521"}
    assert str(snapshot) in one("CPG519", user).causes[0].en


@pytest.mark.parametrize(
    ("version", "expected"), [("0.0.3", [("CPG516", "error")]), ("0.0.7", []), ("0.0.13", [])]
)
def test_a_release_that_zeroes_old_rows_is_an_error_for_who_has_some(
    tmp_path: Path, version: str, expected: list[tuple[str, str]]
) -> None:
    fifty(tmp_path)
    facts = observed(tmp_path)
    cpgpt = CpGPT(version, "/x", None, ())
    judged = findings(Facts(packages=Packages({}, cpgpt, {}, ()), dependencies=facts.dependencies))
    assert [(each.code, each.severity.name) for each in judged if each.code[3] == "5"] == expected


def test_an_index_near_sqlites_limit_is_found(tmp_path: Path) -> None:
    import dataclasses

    fifty(tmp_path)
    (folder,) = observed(tmp_path).dependencies
    (entry,) = folder.entries
    large = dataclasses.replace(folder, entries=(dataclasses.replace(entry, size=500_000_001),))
    found = findings(Facts(dependencies=(large,)))
    assert [each.code for each in found] == ["CPG512"]


# Genomes


def test_a_soft_masked_genome_is_found(tmp_path: Path) -> None:
    fifty(tmp_path)
    text = folders.genome(tmp_path).read_text().splitlines()
    folders.genome(
        tmp_path,
        "\n".join(line.lower() if at % 3 == 1 else line for at, line in enumerate(text)) + "\n",
    )
    assert said(tmp_path) == [("CPG511", "warning")]
    assert one("CPG511", tmp_path).title.en.startswith("33.")


def test_headers_are_no_lower_case_letters(tmp_path: Path) -> None:
    fifty(tmp_path)
    text = folders.genome(tmp_path).read_text()
    folders.genome(tmp_path, text.replace(">1", ">1 dna:chromosome " + "acgt" * 500))
    assert said(tmp_path) == []


@pytest.mark.parametrize(("time", "level"), [(2**31, "error"), (1, "warning")])
def test_an_index_of_another_genome_is_found(tmp_path: Path, time: int, level: str) -> None:
    fifty(tmp_path)
    index = fai(folders.genome(tmp_path))
    index.write_text(index.read_text().replace("122006", "121990"))
    os.utime(index, (time, time))
    assert said(tmp_path) == [("CPG504", level)]


def test_an_index_that_ends_too_early_is_found(tmp_path: Path) -> None:
    fifty(tmp_path)
    index = fai(folders.genome(tmp_path))
    index.write_text(index.read_text().splitlines()[0] + "\n")
    os.utime(index, (2**31, 2**31))
    assert said(tmp_path) == [("CPG504", "error")]


def test_a_genome_shorter_than_its_index_is_found(tmp_path: Path) -> None:
    fifty(tmp_path)
    path = folders.genome(tmp_path)
    fai(path)
    os.truncate(path, 200_000)
    assert said(tmp_path) == [("CPG518", "error")]


def test_a_genome_that_was_cut_while_it_was_unpacked_is_found(tmp_path: Path) -> None:
    fifty(tmp_path)
    path = folders.genome(tmp_path)
    os.truncate(path, 60_030)
    found = one("CPG518", tmp_path)
    assert "such as 2" in found.evidence.seen[0][1].en


@pytest.mark.parametrize("unpacked", [True, False])
def test_a_download_that_was_cut_is_found(tmp_path: Path, unpacked: bool) -> None:
    fifty(tmp_path)
    path = folders.genome(tmp_path)
    packed = gzip.compress(path.read_bytes())
    path.with_name(path.name + ".gz").write_bytes(packed[: len(packed) // 2])
    if not unpacked:
        path.unlink()
    assert said(tmp_path) == [("CPG518", "warning" if unpacked else "error")]


@pytest.mark.parametrize(
    "content", [b"<html>not found</html>", gzip.compress(b">1\nACGT\n", mtime=0)]
)
def test_what_is_no_genome_is_found(tmp_path: Path, content: bytes) -> None:
    fifty(tmp_path)
    folders.genome(tmp_path).write_bytes(content)
    assert said(tmp_path) == [("CPG518", "error")]


def test_a_gzip_file_of_two_members_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(b"A" * 3_000_000) + gzip.compress(b"C" * 3_000_000))
    assert genomes.unpacks(path, everything=False) == "whole"


def test_zeros_after_a_gzip_file_are_passed_over_as_gzip_does(tmp_path: Path) -> None:
    path = tmp_path / "filled.gz"
    path.write_bytes(gzip.compress(b"A" * 3_000_000) + bytes(3_000_000))
    assert genomes.unpacks(path, everything=False) == "whole"


# What is hostile


def in_time(facts: Callable[[], Facts]) -> Facts:
    """The facts, or a failure where looking waits for something that does not come."""
    done: Future[Facts] = Future()

    def look() -> None:
        try:
            done.set_result(facts())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=look, daemon=True).start()
    return done.result(600)


def replace_by(path: Path, what: str) -> None:
    path.unlink(missing_ok=True)
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "loop":
        path.symlink_to(path.with_name("other"))
        path.with_name("other").symlink_to(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to("/not/there")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has these")
@pytest.mark.parametrize("what", ["fifo", "folder", "loop", "gone", "device"])
@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("rows", "CPG506"),
        ("unfinished", "CPG506"),
        ("checkpoint", "CPG506"),
        ("database", "CPG509"),
        ("genome", "CPG518"),
    ],
)
def test_what_is_no_file_is_a_finding_and_nothing_waits_for_it(
    tmp_path: Path, what: str, which: str, code: str
) -> None:
    paths = store(tmp_path, names(50))
    path = folders.genome(tmp_path) if which == "genome" else getattr(paths, which)
    replace_by(path, what)
    found = findings(in_time(lambda: observed(tmp_path)))
    assert [each.code for each in found] == [code]
    assert found[0].location is not None
    assert found[0].location.path == str(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_rows_that_may_not_be_read_are_a_finding(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    paths.rows.chmod(0)
    assert said(tmp_path) == [("CPG506", "error")]


def test_a_folder_that_links_to_itself_is_looked_through_once(tmp_path: Path) -> None:
    fifty(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "dna_embeddings" / "again").symlink_to(tmp_path / "dna_embeddings")
    facts = in_time(lambda: observed(searched=[tmp_path]))
    assert len(facts.dependencies) == 1
    assert findings(facts) == []


def test_a_file_that_shrinks_while_it_is_read_is_unknown_and_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = store(tmp_path, names(50))
    read = rows.read_row

    def cut(stream, row: int, row_bytes: int) -> bytes:
        if row == 20:
            os.truncate(paths.rows, 10 * 1024)
        return read(stream, row, row_bytes)

    monkeypatch.setattr(rows, "read_row", cut)
    facts = observed(tmp_path)
    assert findings(facts) == []
    assert "changed while it was read" in unknown(facts)["CPG507"]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


def test_an_index_that_is_locked_is_unknown_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifty(tmp_path)
    with locked(tmp_path / metadata.FILE):
        facts = observed(tmp_path)
    assert findings(facts) == []
    assert "locked by another program" in unknown(facts)["CPG509"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and no more", b"text" * 999])
def test_an_index_that_is_none_is_a_finding(tmp_path: Path, content: bytes) -> None:
    paths = store(tmp_path, names(50))
    paths.database.write_bytes(content)
    assert said(tmp_path) == [("CPG509", "error")]


def test_a_pickle_that_would_run_something_is_a_finding_and_not_run(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    store(tmp_path, names(20), species="mus_musculus")
    ran = tmp_path / "ran"
    bomb = b"cos\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR."
    connection = sqlite3.connect(paths.database)
    with connection:
        connection.execute("UPDATE unnamed SET value = ? WHERE key = ?", (bomb, SPECIES))
    connection.close()
    assert said(tmp_path) == [("CPG509", "error")]
    assert not ran.exists()
    (folder,) = observed(tmp_path).dependencies
    other = next(each for each in folder.stores if each.store.species == "mus_musculus")
    assert other.rows is not None
    assert other.rows.read == 20


def test_rows_whose_index_is_gone_are_counted_and_an_empty_store_beside_them_is_no_help(
    tmp_path: Path,
) -> None:
    """CpGPT allocates more rows than it has: the zeros are nobody's."""
    paths = store(tmp_path / "mine", names(30), allocated=100)
    paths.database.unlink()
    other = store(tmp_path / "other", names(30))
    other.rows.write_bytes(b"")
    found = one("CPG520", tmp_path / "mine")
    assert found.title.en.startswith("after the 0 rows that the index names, 30 more hold numbers")
    assert found.remedies[0].id == "put-back"
    assert str(tmp_path / "other") not in repr(found)


@pytest.mark.parametrize("name", ["a\0b", "../../up", "..", "y" * 300, "", "\ud800"])
def test_names_that_no_folder_can_have_end_no_check(tmp_path: Path, name: str) -> None:
    """Neither of the folder itself nor of one beside it."""
    store(tmp_path / "fine", names(20))
    store(tmp_path / "odd", names(20))
    folders.set_index(tmp_path / "odd", {"1:5": 0}, dna_llm=name)
    if name != "\ud800":  # which SQLite does not take
        folders.set_index(tmp_path / "odd", {"1:5": 0}, species=name)
    assert said(tmp_path / "fine", tmp_path / "odd") == []


@pytest.mark.parametrize("rows_left", [0, 20])
def test_a_recorded_store_that_was_cut_short_is_a_finding(tmp_path: Path, rows_left: int) -> None:
    paths = store(tmp_path, names(50))
    a_record(paths, names(50), values(names(50)))
    os.truncate(paths.rows, rows_left * paths.row_bytes + 7)
    assert said(tmp_path) == [("CPG506", "error")]


def test_a_record_that_is_none_is_a_finding(tmp_path: Path) -> None:
    paths = store(tmp_path, names(50))
    record.record_path(paths).write_text("[]")
    assert said(tmp_path) == [("CPG506", "error")]


# Which folders


def test_folders_are_found_below_and_links_are_not_followed(tmp_path: Path) -> None:
    store(tmp_path / "project" / "data" / "dependencies", names(9))
    store(tmp_path / "elsewhere", names(9))
    (tmp_path / "project" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "project" / "plain").mkdir()
    found = observe_folders([], [tmp_path / "project"])
    assert [each.folder for each in found] == [str(tmp_path / "project" / "data" / "dependencies")]
    assert not found[0].given


def test_a_folder_that_holds_nothing_of_cpgpts_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(InputError, match="holds none of CpGPT's dependencies"):
        observe_folders([tmp_path], [])
    with pytest.raises(InputError, match="no such folder"):
        observe_folders([], [tmp_path / "c"])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        observe_folders([], [tmp_path / "file"])


def test_only_so_many_folders_are_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "MOST_FOLDERS", 10)
    for number in range(20):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(InputError, match="more than 10 folders"):
        observe_folders([], [tmp_path])
