"""Probes, matrices and what CpGPT saved are taken as locations, and held against the stores."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlitedict

from cpgpt_doctor.audit.run import Asked, read_locations
from cpgpt_doctor.cli import main
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.genome import held, locations
from cpgpt_doctor.genome.places import Ordered, Places
from cpgpt_doctor.probes import given
from cpgpt_doctor.probes.dependencies import observe_folders
from cpgpt_doctor.probes.given import Source
from cpgpt_doctor.store import probes, species
from tests import folders, manifests
from tests.findings import found, said

HUMAN = "homo_sapiens"
NAMES = folders.names(60)


def source(path: Path, kind: Any = "locations", **options: Any) -> Source:
    return Source(kind, str(path), **{"species": HUMAN, "python": sys.executable, **options})


def database(folder: Path, table: dict[str, Any], name: str = HUMAN) -> Path:
    """What CpGPT's prober keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    with sqlitedict.SqliteDict(folder / probes.FILE, autocommit=True) as out:
        out["processed_files"] = ["x"]
        out[name] = table
    return folder


@pytest.fixture
def dependencies(tmp_path: Path) -> Path:
    """A store of 60 locations, their genome, and probes cg0 to cg49 for the first of them."""
    folder = tmp_path / "deps"
    folders.store(folder, NAMES)
    folders.genome(folder)
    return database(folder, {f"cg{at}": NAMES[at] for at in range(50)})


def looked(path: Path, dependencies: Path, kind: Any = "locations", **options: Any) -> Facts:
    seen = observe_folders([dependencies], [])
    return Facts(dependencies=seen, locations=given.look(source(path, kind, **options), seen))


def listed(tmp_path: Path, text: str, name: str = "given.txt") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


# What is read


@pytest.mark.parametrize(
    "text",
    [
        "cg1\ncg3\n1:5\n",
        "# probes\n\ncg1\n cg3 \n1:5\n",
        "probe\ncg1\ncg3\n1:5\n",
        "IlmnID,gene\ncg1,a\ncg3,b\n1:5,\n",
        'gene\tProbe_ID\na\t"cg1"\nb\tcg3\nc\t1:5\n',
        "ID_REF,GSM1\ncg1,0.5\ncg3,0.5\n1:5,0.1\n",
    ],
)
def test_each_form_of_a_list_of_probes_gives_the_same_in_the_order_given(
    tmp_path: Path, dependencies: Path, text: str
) -> None:
    one = source(listed(tmp_path, text))
    resolved = given.resolved(given.read(one), one, dependencies)
    assert list(resolved.places) == [NAMES[1], NAMES[3], "1:5"]
    assert resolved.names == {}


def test_a_manifest_with_positions_gives_positions_and_not_its_probes(tmp_path: Path) -> None:
    path = listed(tmp_path, "IlmnID,CHR,MAPINFO\ncg1,1,5\n")
    read = locations.read(str(path))
    assert (list(read.places), read.names) == (["1:5"], {})


def test_positions_of_probes_are_not_shifted_with_those_that_count_from_1(
    tmp_path: Path, dependencies: Path
) -> None:
    one = source(listed(tmp_path, "cg1\n1:5\n"), positions="1-based")
    assert list(given.resolved(given.read(one), one, dependencies).places) == [NAMES[1], "1:4"]


def test_two_probes_of_one_location_are_one_location_and_no_repeat(
    tmp_path: Path, dependencies: Path
) -> None:
    database(dependencies, {"cg1": "1:5", "cg2": "1:5", "cg3": "1:9"})
    one = source(listed(tmp_path, "cg3\ncg1\ncg2\n1:9\ncg3\n"))
    resolved = given.resolved(given.read(one), one, dependencies)
    assert resolved.places == {"1:9": 1, "1:5": 2}
    assert resolved.probes is not None
    assert (resolved.probes.found, resolved.probes.same, resolved.duplicates) == (3, 2, 1)


def test_columns_of_a_csv_are_read_without_its_values(tmp_path: Path) -> None:
    """The rest of the file may be anything, of any length."""
    path = tmp_path / "betas.csv"
    path.write_bytes(b'\xef\xbb\xbf"",cg1,"cg2, x",1:5,cg1\r\n' + b"\0\xff" * (1 << 20))
    read = given.read(source(path, "betas"))
    assert read.names == {"cg1": 1, "cg2, x": 2}
    assert (read.places, read.duplicates) == ({"1:5": 3}, 1)
    packed = tmp_path / "betas.csv.gz"
    packed.write_bytes(gzip.compress(b"cg1\tcg2\n0\t1\n", mtime=0)[:-9] + b"cut")
    assert list(given.read(source(packed, "betas")).names) == ["cg1", "cg2"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no column with a name"),
        (b"\xff\xfe\x00", "is neither Arrow, Feather, Parquet nor text"),
        (b"FEA1" + bytes(40), "Feather's version 1"),
        (b"ARROW1\0\0" + bytes(40), "cannot be read: ArrowInvalid"),
        (b"PAR1" + bytes(40), "cannot be read: ArrowInvalid"),
        (b"\xff\xff\xff\xff" + b"\x01" * 40, "cannot be read: "),
        (gzip.compress(b"cg1", mtime=0)[:12], "is damaged"),
        (b"\x1f\x8bno gzip at all", "is damaged"),
    ],
)
def test_a_matrix_that_is_none_is_refused_in_a_line(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "betas.x"
    path.write_bytes(content)
    with pytest.raises(InputError, match=why) as caught:
        given.read(source(path, "betas"))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_matrix_that_is_a_pipe_a_folder_or_missing_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "missing"):
        with pytest.raises(InputError, match=f"--betas {tmp_path / name}: cannot be read"):
            given.read(source(tmp_path / name, "betas"))


def test_an_interpreter_without_pyarrow_is_named_with_the_command(tmp_path: Path) -> None:
    """Its own packages are left out: python -I -S knows the standard library alone."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    (tmp_path / "betas.arrow").write_bytes(b"ARROW1\0\0")
    with pytest.raises(InputError, match=r"takes pyarrow, which .* cannot import") as caught:
        given.read(source(tmp_path / "betas.arrow", "betas", python=str(bare)))
    assert f"{bare} -m pip install pyarrow" in str(caught.value)


def test_a_matrix_with_a_row_for_each_probe_is_told_apart(
    tmp_path: Path, dependencies: Path
) -> None:
    one = source(listed(tmp_path, "ID_REF,GSM1,GSM2\ncg1,0,1\n"), "betas")
    with pytest.raises(InputError, match=r"none of its 3 columns .*'GSM1'.* as --locations"):
        given.resolved(given.read(one), one, dependencies)


# What resolves, and by what


def test_the_database_is_taken_before_the_manifests_as_cpgpt_does(tmp_path: Path) -> None:
    folder = manifests.dependencies(tmp_path / "deps")
    database(folder, {"cg00000001": "2:7"})
    assert probes.look_up(folder, HUMAN, manifests.every_name()).locations == {"cg00000001": "2:7"}
    other = probes.look_up(folder, manifests.OTHER, manifests.every_name())
    assert (other.by, len(other.locations) > 20) == ("manifests", True)


def test_without_anything_to_resolve_by_the_folder_below_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither illumina_metadata"):
        probes.look_up(tmp_path, HUMAN, ["cg1"])
    database(tmp_path / "human", {"cg1": "1:5"})
    with pytest.raises(InputError, match=f"give --dependencies-dir {tmp_path / 'human'}"):
        probes.look_up(tmp_path, HUMAN, ["cg1"])


def test_check_resolves_by_the_folder_of_a_download_below_the_one_that_is_named(
    tmp_path: Path, dependencies: Path
) -> None:
    """As after CpGPT's download, where its prober has made a folder for manifests beside it."""
    (tmp_path / "above" / "manifests").mkdir(parents=True)
    folders.genome(tmp_path / "above")
    dependencies.rename(tmp_path / "above" / "human")
    facts = looked(listed(tmp_path, "cg1\ncg2\n"), tmp_path / "above")
    assert facts.locations is not None
    assert facts.locations.probes is not None
    assert facts.locations.probes.sources == (str(tmp_path / "above" / "human" / probes.FILE),)
    assert [each.here for each in facts.locations.stores] == [2]


def test_a_database_that_would_run_code_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    database(tmp_path / "deps", {"cg1": Trap()})
    with pytest.raises(InputError, match="no plain data"):
        probes.look_up(tmp_path / "deps", HUMAN, ["cg1"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("seed", range(5))
def test_the_first_manifest_that_names_a_probe_says_where_it_is(tmp_path: Path, seed: int) -> None:
    """Found again with the later arrays taken away, and otherwise lost or elsewhere."""
    folder = manifests.dependencies(tmp_path / "deps", seed)
    whole = probes.look_up(folder, HUMAN, manifests.every_name()).locations
    shutil.rmtree(folder / "manifests" / "Anno" / "MSA")
    less = probes.look_up(folder, HUMAN, manifests.every_name()).locations
    assert less.items() < whole.items()


def test_probes_without_a_location_are_counted_named_and_only_warned_of(
    tmp_path: Path, dependencies: Path
) -> None:
    names = [f"cg{at}" for at in range(55)] + ["rs7", "nv-chr1-5"]
    facts = looked(listed(tmp_path, "\n".join(names)), dependencies)
    (finding,) = (each for each in found(locations=facts.locations) if each.code == "CPG525")
    assert finding.severity is Severity.warning
    assert finding.title.en == "5 of 57 probes have no location"
    assert "cg50: line 51; cg51: line 52; cg52: line 53" in said(finding)
    assert "2 more are named rs or nv" in said(finding)


def test_names_of_which_fewer_than_half_are_known_stop_a_run(
    tmp_path: Path, dependencies: Path
) -> None:
    """Such as a matrix of EPICv2, whose names CpGPT does not know."""
    path = listed(tmp_path, ",".join(f"cg{at}_TC11" for at in range(60)))
    facts = looked(path, dependencies, "betas")
    (finding,) = (each for each in found(locations=facts.locations) if each.code == "CPG525")
    assert finding.severity is Severity.error
    assert [each.id for each in finding.remedies][:2] == ["fix-names", "rename-columns"]
    assert "cg0_TC11: known as 'cg0'" in said(finding)
    assert "cg0_TC11: column 1" in said(finding)
    fixed = looked(path, dependencies, "betas", fix_names=True).locations
    assert fixed is not None
    assert (fixed.total, fixed.probes and fixed.probes.cut) == (50, 50)


def test_verify_takes_probes_as_run_embed_does(tmp_path: Path, dependencies: Path) -> None:
    asked = Asked(dependencies, HUMAN, sys.executable)
    assert read_locations(str(listed(tmp_path, "cg1\ncg3\n")), asked) == [NAMES[1], NAMES[3]]


# What the stores have of it


def test_check_says_how_many_locations_have_a_row(tmp_path: Path, dependencies: Path) -> None:
    path = listed(tmp_path, "\n".join([*NAMES[:40], "1:1", "1:2"]))
    (store,) = looked(path, dependencies).locations.stores  # type: ignore[union-attr]
    assert (store.here, store.named, store.context_len) == (40, 60, 201)
    (finding,) = (
        each
        for each in found(via="direct", locations=looked(path, dependencies).locations)
        if each.code == "CPG526"
    )
    assert finding.title.en == "2 of 42 locations have no row"


def test_names_one_base_beside_those_of_a_store_tell_without_a_genome(
    tmp_path: Path, dependencies: Path
) -> None:
    shutil.rmtree(dependencies / "genomes")
    for by, remedy in ((1, "one-based"), (-1, "add-one")):
        moved = [f"1:{int(each[2:]) + by}" for each in NAMES]
        facts = looked(listed(tmp_path, "\n".join(moved)), dependencies)
        (finding,) = (each for each in found(locations=facts.locations) if each.code == "CPG517")
        assert finding.title.en == "the store has 0 of the 60 locations, and 60 one base beside"
        assert finding.remedies[0].id == remedy
    facts = looked(listed(tmp_path, "\n".join(moved)), dependencies, positions="0-based")
    mended = [f"1:{int(each[2:]) + 1}" for each in NAMES]
    facts = looked(listed(tmp_path, "\n".join(mended)), dependencies, positions="1-based")
    assert not found(locations=facts.locations)


def test_a_sequence_named_as_ucsc_does_is_shown_and_renamed_on_request(
    tmp_path: Path, dependencies: Path
) -> None:
    path = listed(tmp_path, "\n".join(["1:1000", *(f"chr{each}" for each in NAMES), "chrUn:5"]))
    seen = looked(path, dependencies).locations
    assert seen is not None
    assert seen.in_genome is not None
    assert seen.in_genome.meant == (("chr1", "1"),)
    fixed = looked(path, dependencies, fix_names=True).locations
    assert fixed is not None
    assert fixed.in_genome is not None
    assert fixed.renamed == (("chr1", "1"),)
    assert (fixed.total, fixed.duplicates, fixed.stores[0].here) == (61, 1, 60)
    assert (fixed.in_genome.unknown.count, fixed.in_genome.unknown.examples[0].line) == (1, 62)


def test_of_many_locations_a_sample_is_held_against_the_genome(
    tmp_path: Path, dependencies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "SAMPLE", 10)
    path = listed(tmp_path, "\n".join([*NAMES, "9:5", "1:999999999"]))
    seen = looked(path, dependencies).locations
    assert seen is not None
    assert seen.in_genome is not None
    assert (seen.in_genome.unknown.count, seen.in_genome.outside.count) == (1, 1)
    assert 5 < seen.in_genome.total <= 10


@pytest.mark.parametrize("kind", ["missing", "empty folder", "file", "damaged"])
def test_a_processed_folder_that_is_none_is_refused_in_a_line(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "processed"
    if kind == "file":
        folder.write_text("x")
    elif kind != "missing":
        folder.mkdir()
    if kind == "damaged":
        (folder / given.SAVED).write_bytes(b"no database" * 99)
    with pytest.raises(InputError, match=str(folder)):
        given.read(source(folder, "processed"))


def test_what_was_saved_for_another_species_is_named(tmp_path: Path) -> None:
    with sqlitedict.SqliteDict(tmp_path / given.SAVED, autocommit=True) as out:
        out["mus_musculus"] = ["1:5", "MT:7"]
        out["homo_sapiens"] = {"1:5": 1}
    mouse = given.read(source(tmp_path, "processed", species="mus_musculus"))
    assert list(mouse.places) == ["1:5", "MT:7"]
    with pytest.raises(InputError, match="is no list of locations"):
        given.read(source(tmp_path, "processed"))
    with pytest.raises(InputError, match="of bos_taurus; it has homo_sapiens, mus_musculus"):
        given.read(source(tmp_path, "processed", species="bos_taurus"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("human", HUMAN), ("Human", HUMAN), ("Homo sapiens", HUMAN), ("homo-sapiens", HUMAN),
        ("GRCh38", HUMAN), ("mouse", "mus_musculus"), (HUMAN, None), ("martian", None),
    ],
)  # fmt: skip
def test_a_common_name_of_a_species_is_known(name: str, meant: str | None) -> None:
    assert species.meant(name, {HUMAN, "mus_musculus"}) == meant


def test_check_takes_each_kind_of_input_and_refuses_what_has_no_effect(
    tmp_path: Path, dependencies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed(tmp_path, "\n".join(f"cg{at}" for at in range(50)))
    base = ["check", "--quick", "--dependencies-dir", str(dependencies), "--format", "json"]
    assert main([*base, "--locations", str(path)]) in (0, 1)
    checks = {each["code"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["CPG525"]["summary"] == "50 probes, each with a location"
    assert checks["CPG526"]["summary"].startswith("all 50 locations have a row in")
    for more, words in (
        (["--locations", str(path), "--species", "human"], "say --species homo_sapiens (CPG714)"),
        (["--locations", str(path), "--betas", str(path)], "not allowed with argument"),
        (["--fix-names"], "--fix-names is of locations"),
        (["--betas", ""], "an empty one"),
    ):
        assert main([*base, *more]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert len(error.splitlines()) == 1
    assert main(["check", "--quick", "--locations", str(path)]) == 2
    assert "name their folder with --dependencies-dir" in capsys.readouterr().err


# How much room they take


def test_places_are_a_mapping_in_the_order_given() -> None:
    places = Places({"2:9": 1, "1:5": 2, "2:1": 7})
    assert list(places.items()) == [("2:9", 1), ("1:5", 2), ("2:1", 7)]
    assert ("1:5" in places, "1:6" in places, "3:1" in places, 5 in places) == (
        True, False, False, False,
    )  # fmt: skip
    assert (places.names, places.line(2)) == (["2", "1"], 7)
    places.add("1", 5, 8)
    places.add("2", 9, 9)
    places.add("1", 5, 10)
    assert places.take_repeats_out() == 3
    assert places == {"2:9": 1, "1:5": 2, "2:1": 7}


def test_blocks_of_a_file_are_read_alike_wherever_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# é\r\n1:5\r\n\r\nX:70\r1:6\n\n 1:7 \nbad\nä:8\ncg1\n1:5\n1:9"
    path = tmp_path / "given.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    whole = locations.read(str(path))
    assert whole.places == {"1:5": 2, "X:70": 4, "1:6": 5, "1:7": 7, "ä:8": 9, "1:9": 12}
    assert (whole.duplicates, whole.malformed, whole.names) == (1, 1, {"cg1": 10})
    for size in range(3, 40):
        monkeypatch.setattr(locations, "BLOCK", size)
        again = locations.read(str(path))
        assert again.places == whole.places, size
        assert (again.bad_lines, again.names) == (whole.bad_lines, whole.names)


def test_the_byte_that_is_no_text_is_named_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "given.txt"
    for bom in (b"", b"\xef\xbb\xbf"):
        data = bom + "1:5\nä:7\n".encode() + b"1:\xff\n"
        path.write_bytes(data)
        for size in (3, 4, 5, 7, 1 << 20):
            monkeypatch.setattr(locations, "BLOCK", size)
            with pytest.raises(InputError, match=rf"byte {data.index(0xFF)} is not UTF-8"):
                locations.read(str(path))


def test_a_line_without_an_end_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "LONGEST_LINE", 5000)
    monkeypatch.setattr(locations, "BLOCK", 100)
    path = listed(tmp_path, "1:5\n" + "x" * 6000)
    with pytest.raises(InputError, match=r"given\.txt:2: is longer than 5000 characters"):
        locations.read(str(path))


def test_a_rename_keeps_the_line_that_gave_a_location_first() -> None:
    read = locations.Locations("x", Places({"chr1:5": 1, "1:5": 2, "chrM:9": 3}))
    renamed = held.rename(read, {"chr1": "1", "chrM": "MT"})
    assert renamed.places == {"1:5": 1, "MT:9": 3}
    assert renamed.duplicates == 1


def test_some_of_many_locations_are_a_sequence_in_their_order() -> None:
    places = Places({"2:9": 1, "1:5": 2, "2:1": 7, "3:3": 8})
    rest = places.without({"1:5": 0})
    assert list(rest) == ["2:9", "2:1", "3:3"]
    assert (rest[0], rest[-1], rest[1:], len(rest)) == ("2:9", "3:3", ["2:1", "3:3"], 3)
    assert list(Ordered(places)) == list(places)
    assert not places.without(places)
    assert list(places.without({})) == list(places)


def test_to_go_through_locations_and_their_lines_looks_none_of_them_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(Places, "__getitem__", lambda self, location: looked_up.append(location))
    assert list(Places({"2:9": 1, "1:5": 2}).items()) == [("2:9", 1), ("1:5", 2)]
    assert not looked_up


LINES = (
    *("1:5", "chr1:7", "#1:5", "track x", "track:9", " 1:6", "1:07", "", "cg7", "1:5", "MT:0"),
    *(
        "1\t5\t7",
        "1\t5\t5",
        "track\t5\t7",
        "#c",
        "1\t9\t8",
        "1\t5\t7\tname\t0\t+",
        "1\t5",
        "X\t0\t2\t",
    ),
    *(
        "X\t0\t2\t",
        "browser\t1\t2",
        "track2\t1\t2",
        "1\t01\t2",
        "a:b\t1\t2",
        "1\t5\t" + "9" * 19,
        "é\t1\t2",
    ),
)


@pytest.mark.parametrize("seed", range(20))
def test_lines_that_are_looked_at_together_give_what_they_give_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    lines = rng.choice((["1:5"], ["1\t5\t7"])) + rng.choices(LINES, k=40)
    path = listed(tmp_path, "\n".join(lines))
    monkeypatch.setattr(locations, "BLOCK", rng.choice((5, 20, 60, 1 << 20)))
    together = locations.read(str(path))
    monkeypatch.setattr(locations, "well_formed", lambda form, block: None)
    alone = locations.read(str(path))
    assert list(together.places.items()) == list(alone.places.items())
    assert together == replace(alone, places=together.places)
