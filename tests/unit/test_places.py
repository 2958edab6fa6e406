"""Nothing is removed or written through a link that leads where it must not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlitedict

from cpgpt_doctor.embed import examine
from cpgpt_doctor.embed.examine import WORK
from cpgpt_doctor.embed.run import set_aside
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import files
from cpgpt_doctor.store import metadata, observe, places, transaction
from cpgpt_doctor.store.layout import StorePaths
from tests.findings import errors, said
from tests.unit.test_store import FIRST, SECOND, content, holds, new_store, stage

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def address(tmp_path: Path) -> StorePaths:
    address = new_store(tmp_path / "dependencies")
    transaction.commit(address, stage(tmp_path / "staged-first", FIRST), FIRST)
    return address


def move_and_link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, place)
    path.symlink_to(place)


def into_cache(address: StorePaths, path: Path, hub: Path) -> None:
    """Put a file into a cache as huggingface_hub does, and link it from where it was."""
    snapshot = hub / "models--lucascamillomd--CpGPT" / "snapshots" / REVISION / path.name
    blob = hub / "models--lucascamillomd--CpGPT" / "blobs" / ("ab" * 32)
    move_and_link(path, blob)
    path.unlink()
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
    path.symlink_to(snapshot)


@pytest.mark.parametrize("which", ["rows", "database"])
def test_a_file_that_leads_into_a_hugging_face_cache_is_refused(
    address: StorePaths, tmp_path: Path, which: str
) -> None:
    into_cache(address, getattr(address, which), tmp_path / "hub")
    before = content(tmp_path)
    (finding,) = errors(store=observe.look(address).facts)
    assert finding.code == "CPG521"
    assert "Hugging Face cache" in finding.title.en
    assert [each.id for each in finding.remedies] == ["into", "copy"]
    assert content(tmp_path) == before


@pytest.mark.parametrize("which", ["the dependencies", "a folder on the way", "blobs elsewhere"])
def test_a_folder_in_a_hugging_face_cache_is_refused(
    address: StorePaths, tmp_path: Path, which: str
) -> None:
    root = tmp_path / "hub" / "datasets--x--y"
    if which == "the dependencies":
        move_and_link(address.dependencies, root / "snapshots" / REVISION / "human")
    elif which == "a folder on the way":
        embeddings = address.dependencies / "dna_embeddings"
        move_and_link(embeddings, root / "snapshots" / REVISION / "dna_embeddings")
    else:
        (tmp_path / "far").mkdir()
        root.mkdir(parents=True)
        (root / "blobs").symlink_to(tmp_path / "far")
        move_and_link(address.rows, root / "blobs" / ("ab" * 32))
    assert "CPG521" in [each.code for each in errors(store=observe.look(address).facts)]


def test_links_to_another_disk_are_fine_and_said(address: StorePaths, tmp_path: Path) -> None:
    assert observe.look(address).facts.links == ()
    move_and_link(address.rows, tmp_path / "big" / "rows.mmap")
    move_and_link(address.database, tmp_path / "big" / "index.db")
    seen = observe.look(address).facts
    assert [(link.path, link.leads_to) for link in seen.links] == [
        (str(address.database), str(tmp_path / "big" / "index.db")),
        (str(address.rows), str(tmp_path / "big" / "rows.mmap")),
    ]
    assert errors(store=seen) == []
    transaction.commit(address, stage(tmp_path / "second", SECOND), SECOND)
    assert holds(address, FIRST + SECOND)
    assert address.rows.is_symlink()
    assert address.database.is_symlink()


def test_a_folder_on_the_way_that_is_a_link_is_said(address: StorePaths, tmp_path: Path) -> None:
    move_and_link(address.dependencies / "dna_embeddings", tmp_path / "big" / "embeddings")
    (link,) = observe.look(address).facts.links
    assert link.path == str(address.rows)
    assert tmp_path / "big" in Path(link.leads_to).parents
    # The dependencies folder itself may be reached as the user likes.
    (tmp_path / "link").symlink_to(address.dependencies)
    (link,) = observe.look(replace(address, dependencies=tmp_path / "link")).facts.links
    assert link.leads_to == str(address.rows.resolve())


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_published_rows_linked_from_beside_their_index_are_refused(
    tmp_path: Path, linked: str
) -> None:
    human = new_store(tmp_path / "dependencies" / "human")
    transaction.commit(human, stage(tmp_path / "staged", FIRST), FIRST)
    address = new_store(tmp_path / "dependencies")
    if linked == "file":
        address.folder.mkdir(parents=True)
        address.rows.symlink_to(human.rows)
    else:
        (address.dependencies / "dna_embeddings").symlink_to("human/dna_embeddings")
    finding = errors(store=observe.look(address).facts)[0]
    assert finding.code == "CPG519"
    assert f"leads to {human.rows}, whose index is {human.database}" in said(finding)
    assert dict(finding.remedies[0].values)["home"].en == str(human.dependencies)
    address.database.unlink()
    address.database.symlink_to(human.database)  # rows and index of one root belong together
    seen = observe.look(address).facts
    assert len(seen.links) == 2
    assert errors(store=seen) == []


def test_an_index_linked_without_its_rows_is_refused(tmp_path: Path) -> None:
    human = new_store(tmp_path / "dependencies" / "human")
    transaction.commit(human, stage(tmp_path / "staged", FIRST), FIRST)
    address = replace(human, dependencies=tmp_path / "dependencies")
    address.database.symlink_to(human.database)
    finding = next(
        each for each in errors(store=observe.look(address).facts) if each.code == "CPG519"
    )
    assert f"whose rows are in {human.dependencies / 'dna_embeddings'}" in said(finding)


def dangling(address: StorePaths) -> None:
    address.database.unlink()
    address.database.symlink_to("nowhere/index.db")


def dangling_rows(address: StorePaths) -> None:
    address.rows.unlink()
    address.rows.symlink_to("nowhere/rows")


def round_and_round(address: StorePaths) -> None:
    address.rows.unlink()
    address.rows.symlink_to(address.rows)


def fifo(address: StorePaths) -> None:
    address.rows.unlink()
    os.mkfifo(address.rows)


def fifo_database(address: StorePaths) -> None:
    address.database.unlink()
    os.mkfifo(address.database)


def folder_for_rows(address: StorePaths) -> None:
    address.rows.unlink()
    address.rows.mkdir()


def file_for_folder(address: StorePaths) -> None:
    shutil.rmtree(address.folder)
    address.folder.write_bytes(b"x")


def journal_alone(address: StorePaths) -> None:
    address.database.rename(address.database.with_name("index.bak"))
    address.database.with_name("ensembl_metadata.db-journal").write_bytes(b"x")


def journal_beside_link(address: StorePaths) -> None:
    move_and_link(address.database, address.dependencies / "far" / "index.db")
    address.database.with_name("ensembl_metadata.db-journal").write_bytes(b"x")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (dangling, "is a link to .*index.db, which is not there"),
        (dangling_rows, "is a link to .*rows, which is not there"),
        (round_and_round, "round and round"),
        (fifo, "is not a regular file"),
        (fifo_database, "is not a regular file"),
        (folder_for_rows, "is not a regular file"),
        (file_for_folder, "is no folder"),
        (journal_alone, "is the journal of a database that is not there"),
        (journal_beside_link, "a journal stands beside the link"),
    ],
)
def test_what_cannot_be_written_as_a_store_is_refused(
    address: StorePaths, make: Callable[[StorePaths], None], words: str
) -> None:
    make(address)
    with pytest.raises(InputError, match=words) as caught:
        to_be_written(address)
    assert "\n" not in str(caught.value)


def to_be_written(address: StorePaths) -> None:
    places.check_files(address)
    places.check_writable(address)


def test_a_file_with_several_names_is_not_written_to(address: StorePaths) -> None:
    os.link(address.rows, address.dependencies / "backup")
    (finding,) = errors(store=observe.look(address).facts)
    assert (finding.code, finding.title.en) == (
        "CPG521",
        "the file is one of 2 names (hard links)",
    )


def test_a_disk_that_is_read_only_is_refused_before_anything(
    tmp_path: Path, address: StorePaths
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        move_and_link(address.rows, disk / "rows.mmap")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(InputError, match="Read-only file system"):
            to_be_written(address)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("what", ["database", "rows", "dependencies", "folder", "work", "log"])
def test_what_belongs_to_somebody_else_is_refused(address: StorePaths, what: str) -> None:
    """Looked at as a user who may not write it: root may write anything."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are root's alone
        (address.dependencies / WORK).mkdir()
        (address.dependencies / WORK / "run-embed.log").touch()
        shutil.copytree(address.dependencies, f"{folder}/dependencies")
        there = replace(address, dependencies=Path(folder) / "dependencies")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        work = there.dependencies / WORK
        ours = {"work": work, "log": work / "run-embed.log"}
        path = ours[what] if what in ours else getattr(there, what)
        path.chmod(0o555 if path.is_dir() else 0o444)
        child = os.fork()
        if child == 0:
            code = 9
            try:
                os.setuid(65534)
                places.check_work(work)
                to_be_written(there)
            except InputError as error:
                code = 7 if f"{path}: cannot be written to" in str(error) else 8
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_staging_folder_is_fresh_and_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    work = tmp_path / WORK
    places.make_work(work)
    (work / "staging" / "part").mkdir(parents=True)  # of 0.1.0
    (work / "staging-abcdefgh").mkdir()
    (work / "staging-of-mine").mkdir()
    one = places.new_staging(work)
    assert list(one.iterdir()) == []
    assert sorted(each.name for each in work.iterdir()) == sorted([one.name, "staging-of-mine"])
    places.remove_stagings(work)
    assert [each.name for each in work.iterdir()] == ["staging-of-mine"]


@pytest.mark.parametrize("name", ["staging", "staging-abcdefgh"])
def test_nothing_is_removed_through_a_link(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis").write_text("years")
    work = tmp_path / WORK
    places.make_work(work)
    (work / name).symlink_to(mine)
    (work / "staging-bbbbbbbb").mkdir()
    (work / "staging-bbbbbbbb" / "link").symlink_to(mine)
    places.check_work(work)
    staging = places.new_staging(work)
    places.remove_stagings(work)
    assert (mine / "thesis").read_text() == "years"
    assert (work / name).is_symlink()
    assert not staging.exists()
    shutil.rmtree(work)
    (mine / "staging").mkdir()
    work.symlink_to(mine)
    places.remove_stagings(work)
    assert (mine / "staging").is_dir()


@pytest.mark.parametrize("what", ["link", "file", "FIFO"])
def test_a_work_folder_that_is_none_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "mine").mkdir()
    work = tmp_path / WORK
    if what == "link":
        work.symlink_to(tmp_path / "mine")
    elif what == "file":
        work.write_bytes(b"x")
    else:
        os.mkfifo(work)
    with pytest.raises(InputError, match="move it away"):
        places.make_work(work)
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("name", ["lock", "run-embed.log", "genome.fa.1-2-3.fai"])
@pytest.mark.parametrize("what", ["link", "dangling link", "FIFO"])
def test_a_file_of_ours_that_is_none_is_refused(tmp_path: Path, name: str, what: str) -> None:
    work = tmp_path / WORK
    places.make_work(work)
    mine = tmp_path / "mine"
    if what == "FIFO":
        os.mkfifo(work / name)
    else:
        (work / name).symlink_to(mine)
    if what == "link":
        mine.write_bytes(b"years")
    with pytest.raises(InputError, match=f"{name}: is not a regular file"):
        places.check_work(work)
    assert what != "link" or mine.read_bytes() == b"years"


def test_no_checkpoint_that_was_set_aside_is_lost(tmp_path: Path) -> None:
    checkpoint = tmp_path / "x.checkpoint.json"
    for text in ("1", "2", "3"):
        checkpoint.write_text(text)
        set_aside(checkpoint)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.checkpoint.json.set-aside": "1",
        "x.checkpoint.json.set-aside-2": "2",
        "x.checkpoint.json.set-aside-3": "3",
    }


@pytest.mark.parametrize("assembly", [5, b"x", ["x"], "x" * 5_000, "../../x"])
def test_an_assembly_that_is_no_name_is_refused(address: StorePaths, assembly: object) -> None:
    with sqlitedict.SqliteDict(address.database, autocommit=True) as table:
        table["homo_sapiens"] = {"assembly": assembly}
    with pytest.raises(metadata.MetadataWrong, match="names no assembly") as caught:
        examine.assembly(address.dependencies, "homo_sapiens")
    (finding,) = errors(store=observe.damaged(address, caught.value.damage))
    assert finding.code == "CPG509"


@pytest.mark.parametrize("name", ["ensembl_metadata.db", "201bp_dna_embeddings.mmap", "probes.txt"])
def test_a_report_replaces_no_data(tmp_path: Path, name: str) -> None:
    """As `--output` would, completed by the shell to the wrong file."""
    data = tmp_path / name
    files.check(data, "--output", tmp_path / "probes.txt")  # there is none yet
    data.write_bytes(b"data")
    (tmp_path / "report.txt").symlink_to(data)
    for path in (data, tmp_path / "report.txt"):
        with pytest.raises(InputError, match="is a file of data"):
            files.check(path, "--output", tmp_path / "probes.txt")
    files.check(tmp_path / "report.html", "--output", tmp_path / "probes.txt", "-", None)
