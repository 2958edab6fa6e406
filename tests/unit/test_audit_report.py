"""What verify says before a model is needed: of stores that cannot be audited, and of which one."""

from __future__ import annotations

import os
import pickle
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cpgpt_doctor import cli
from cpgpt_doctor.audit import report, run
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.audit import AuditFacts
from cpgpt_doctor.facts.embedder import RemoteCode
from cpgpt_doctor.reports import view
from tests.audits import Silent
from tests.conftest import DNA_LLM
from tests.folders import names, set_index, store


def folder(path: Path, entry: object) -> Path:
    connection = sqlite3.connect(path / "ensembl_metadata.db")
    connection.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
    value = pickle.dumps(entry, 4)
    connection.execute("INSERT INTO unnamed VALUES ('homo_sapiens', ?)", (value,))
    connection.commit()
    connection.close()
    return path


def asked(path: Path) -> Asked:
    return Asked(path, "homo_sapiens", sys.executable)


def test_rows_that_are_still_in_an_unfinished_file_are_a_finding(tmp_path: Path) -> None:
    """As CpGPT up to 0.0.7 leaves them; no model is loaded for that."""
    entry = {"assembly": "x", DNA_LLM: {201: {"1:5": 0, "1:9": 1}}}
    given = asked(folder(tmp_path, entry))
    rows = run.find_store(tmp_path, "homo_sapiens", None, None).rows
    rows.parent.mkdir(parents=True)
    rows.with_name(rows.name + ".tmp").write_bytes(b"x" * 2 * 4096)
    told = report.report(given, Silent())
    assert told.exit_code == 1
    assert [each.code for each in told.findings] == ["CPG505"]


def test_an_index_that_is_no_plain_data_is_a_finding(tmp_path: Path) -> None:
    told = report.report(asked(folder(tmp_path, {"assembly": Silent})), Silent())
    assert told.exit_code == 1
    assert [each.code for each in told.findings] == ["CPG509"]


def test_the_only_store_is_taken_and_of_several_the_one_of_cpgpts_defaults(tmp_path: Path) -> None:
    rows = {"1:5": 0}
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.mkdir()
    folder(one, {"hyenadna-large-1m-seqlen-hf": {501: rows}, DNA_LLM: {2001: {}}})
    found = run.find_store(one, "homo_sapiens", None, None)
    assert (found.dna_llm, found.context_len) == ("hyenadna-large-1m-seqlen-hf", 501)
    folder(two, {"hyenadna-large-1m-seqlen-hf": {501: rows}, DNA_LLM: {2001: rows, 201: rows}})
    found = run.find_store(two, "homo_sapiens", None, None)
    assert (found.dna_llm, found.context_len) == (DNA_LLM, 2001)
    found = run.find_store(two, "homo_sapiens", DNA_LLM, 201)
    assert found.context_len == 201
    with pytest.raises(
        InputError, match=r"501; .*--context-len 201; .*--context-len 2001; name one"
    ):
        run.find_store(two, "homo_sapiens", None, 7)


def test_a_file_with_a_line_that_is_no_location_is_refused_before_a_model_is_loaded(
    tmp_path: Path,
) -> None:
    named = tmp_path / "named.txt"
    named.write_text("1:5\nchr1 five\n")
    paths = run.StorePaths(tmp_path, "homo_sapiens", DNA_LLM, 201)
    given = Asked(tmp_path, "homo_sapiens", sys.executable, locations=str(named))
    with pytest.raises(InputError, match="1 of its lines give no location, such as line 2"):
        run.audit(given, paths, Silent())


CHANGES = ("rows", "index", "genome", "other rows")


@pytest.mark.parametrize("changing", CHANGES)
@pytest.mark.parametrize("how", ["written", "replaced", "gone"])
@pytest.mark.parametrize("wrong", [0, 1])
def test_what_is_wrong_while_a_file_changes_is_not_held_against_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int, how: str, changing: str
) -> None:
    paths = run.StorePaths(tmp_path, "homo_sapiens", DNA_LLM, 201)
    files = {each: tmp_path / each for each in CHANGES[2:]}
    files |= {"rows": paths.rows, "index": paths.database}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"as it was")

    def judge(
        asked: Asked, paths: run.StorePaths, progress: object, watched: run.Watched
    ) -> run.Audited:
        watched.watch(files["genome"], files["other rows"])
        path = files[changing]
        if how == "written":
            path.write_bytes(b"longer than it was")
        elif how == "replaced":
            path.with_name("new").write_bytes(b"as it was")
            path.with_name("new").replace(path)
        else:
            path.unlink()
        return run.Audited(paths, AuditFacts(judged=2, wrong=wrong), None)

    monkeypatch.setattr(run, "judge", judge)
    if wrong:
        with pytest.raises(InputError, match=f"{files[changing]}: changed while it was read"):
            run.audit(asked(tmp_path), paths, Silent())
    else:
        assert run.audit(asked(tmp_path), paths, Silent()).facts.judged == 2


@pytest.mark.parametrize("wrong", [0, 2])
def test_links_prove_nothing_against_rows_that_were_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    """Rows in another folder, which has an index of its own, with an index that fits them here."""
    paths = store(tmp_path / "human", names(9))
    (tmp_path / "dna_embeddings").symlink_to(tmp_path / "human" / "dna_embeddings")
    set_index(tmp_path, {each: at for at, each in enumerate(names(9))})
    here = run.StorePaths(tmp_path, paths.species, paths.dna_llm, 201, paths.width)
    facts = AuditFacts(judged=9, wrong=wrong, counts={"own": 9 - wrong, "unknown": wrong})
    monkeypatch.setattr(run, "audit", lambda *_: run.Audited(here, facts, None))
    told = report.report(asked(tmp_path), Silent())
    assert ("CPG519" in [each.code for each in told.findings]) == bool(wrong)
    assert told.exit_code == bool(wrong)


def test_a_model_that_is_not_cached_is_what_its_rule_says_of_it() -> None:
    told = report.not_cached("/env/bin/python", RemoteCode(DNA_LLM, f"InstaDeepAI/{DNA_LLM}"))
    (finding,) = told.findings
    assert (finding.code, told.exit_code) == ("CPG405", 1)
    shown = view.of(told, "en").next_step
    assert "Begin with CPG405" in shown
    values = dict(finding.remedies[0].values)
    assert values["python"].en == "/env/bin/python"
    assert values["repo"].en == f"InstaDeepAI/{DNA_LLM}"


@pytest.mark.parametrize(
    ("options", "without_effect"),
    [
        (("--positions", "1-based"), "--positions"),
        (("--against", "b", "--seed", "0"), "--seed"),
        (("--against", "b", "--genome", "x.fa"), "--genome"),
        (("--against", "b", "--device", "auto"), "--device"),
        (("--locations", "x", "--seed", "3"), "--seed"),
    ],
)
def test_an_option_without_effect_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    without_effect: str,
) -> None:
    assert cli.main(["verify", "--dependencies-dir", str(tmp_path), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cpgpt-doctor: {without_effect} ")


def a_loop(rows: Path) -> None:
    rows.symlink_to(rows.name)


def a_dangling_link(rows: Path) -> None:
    rows.symlink_to(rows.with_name("gone"))


def a_pipe(rows: Path) -> None:
    os.mkfifo(rows)


@pytest.mark.parametrize("make", [a_loop, a_dangling_link, a_pipe, Path.mkdir])
def test_what_is_no_file_of_rows_is_refused_in_one_line_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder(tmp_path, {"assembly": "x", DNA_LLM: {201: {"1:5": 0}}})
    rows = run.StorePaths(tmp_path, "homo_sapiens", DNA_LLM, 201).rows
    rows.parent.mkdir(parents=True)
    make(rows)
    with pytest.raises(InputError, match=str(rows)):
        report.report(asked(tmp_path), Silent())


@pytest.mark.parametrize("size", [0, 4095])
def test_a_file_without_a_whole_row_is_a_finding_before_a_model_is_loaded(
    tmp_path: Path, size: int
) -> None:
    folder(tmp_path, {"assembly": "x", DNA_LLM: {201: {"1:5": 0}}})
    rows = run.StorePaths(tmp_path, "homo_sapiens", DNA_LLM, 201).rows
    rows.parent.mkdir(parents=True)
    rows.write_bytes(b"x" * size)
    told = report.report(asked(tmp_path), Silent())
    assert "CPG506" in [each.code for each in told.findings]
    assert told.exit_code == 1
