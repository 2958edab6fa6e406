"""`check` of dependencies folders, as a user calls it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cpgpt_doctor import cli
from tests import folders
from tests.folders import names, store, values


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    code = cli.main(["check", "--quick", "--select", "CPG5", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def codes(said: dict[str, object]) -> list[str]:
    found = said["findings"]
    assert isinstance(found, list)
    return [each["code"] for each in found if each["severity"] != "note"]


def test_a_folder_is_judged_in_the_same_report_as_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dependencies"
    store(folder, names(50))
    code, said = report(capsys, "--dependencies-dir", folder, "--format", "json")
    assert (code, codes(said)) == (0, [])
    checks = said["checks"]
    assert isinstance(checks, list)
    summaries = {each["code"]: each["summary"] for each in checks}
    assert summaries["CPG506"] == "50 locations have a row each"
    assert "CPG503" not in summaries  # no locations were given
    spoiled = values(names(50))
    spoiled[9] = 0
    folders.set_rows(store(folder, names(50)), spoiled)
    for named in (("--dependencies-dir", folder), (folder,), (tmp_path,)):
        code, said = report(capsys, *named, "--format", "json")
        assert (code, codes(said)) == (1, ["CPG507"])


def test_facts_of_a_folder_are_saved_and_judged_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dependencies"
    store(folder, names(50)).rows.unlink()
    facts = tmp_path / "facts.json"
    code, said = report(capsys, folder, "--format", "json", "--save-facts", facts)
    assert (code, codes(said)) == (1, ["CPG506"])
    shutil.rmtree(folder)
    code = cli.main(["check", "--facts", str(facts), "--select", "CPG5", "--format", "json"])
    again = json.loads(capsys.readouterr().out)
    assert (code, codes(again)) == (1, ["CPG506"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--quick", "--full"],
            "--full reads stored rows: name their folder with --dependencies-dir",
        ),
        (["--quick", "--dependencies-dir", "nowhere"], "nowhere: no such folder"),
        (["--quick", "nowhere"], "nowhere: no such file or folder"),
        (["--quick", "."], ".: holds none of CpGPT's dependencies"),
        (["--facts", "x.json", "."], "leave the PATHs out"),
        (["--facts", "x.json", "--dependencies-dir", "."], "so --dependencies-dir has no effect"),
    ],
)
def test_a_wrong_call_is_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("form", ["terminal", "markdown", "html", "sarif", "junit", "github"])
def test_every_form_of_report_shows_what_was_found_in_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, form: str
) -> None:
    folder = tmp_path / "dependencies"
    store(folder / "human", names(60)[::-1])
    (folder / "dna_embeddings").symlink_to(folder / "human" / "dna_embeddings")
    folders.set_index(folder, {each: at for at, each in enumerate(names(50))})
    code = cli.main(
        [
            *("check", "--quick", "--select", "CPG519", "--dependencies-dir", str(folder)),
            *("--format", form, "--lang", language),
        ]
    )
    assert code == 1
    assert "CPG519" in capsys.readouterr().out
