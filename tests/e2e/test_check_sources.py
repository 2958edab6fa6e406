"""`check` and `fix` of scripts, notebooks and configs, as a user calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor import cli
from tests.environment import clean_environment
from tests.folders import names, store
from tests.sources import corpus

SCRIPT = corpus.CASES / "many_lines.py"
NOTEBOOK = corpus.CASES / "notebook.ipynb"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a wrong script, a wrong notebook and a right script."""
    for case in (SCRIPT, NOTEBOOK, corpus.CASES / "keyword_zero.py"):
        shutil.copy(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["check", "--quick", "--format", "json", *arguments])
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, data


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    cli.main(["check", "--quick", "--select", "CPG6", "--lang", "en", *arguments])
    return capsys.readouterr().out


def test_check_of_a_project_judges_environment_code_and_folders_in_one_report(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(project / "dependencies", names(50))
    code, data = said(capsys, ".")
    found = [each for each in data["findings"] if each["code"] == "CPG601"]
    assert code == 1
    assert [Path(each["location"]["path"]).name for each in found] == [
        "many_lines.py",
        "notebook.ipynb",
    ]
    checks = {each["code"]: each["status"] for each in data["checks"]}
    assert checks["CPG101"] in ("ok", "finding")
    assert checks["CPG506"] == "ok"
    assert checks["CPG611"] == "ok"
    assert data["intent"]["num_workers"] == 4
    assert data["intent"]["batch_size"] == 8


def test_a_script_is_the_intent_and_a_mended_one_turns_green(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, data = said(capsys, "many_lines.py", "--select", "CPG6,CPG201,CPG203,CPG207")
    assert (code, data["intent"]["num_workers"]) == (1, 4)
    assert cli.main(["fix", "many_lines.py", "--write", "--quiet"]) == 0
    code, data = said(capsys, "many_lines.py", "--select", "CPG6,CPG201,CPG203,CPG207")
    assert (code, data["intent"]["num_workers"], data["findings"]) == (0, 0, [])


def test_a_wrapper_of_cpgpts_loader_is_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CPG203 is about the installed CpGPT; what the script does about it counts."""
    wrapped = corpus.CASES / "old" / "wrapped.py"
    python = str(Path(sys.executable).parents[1] / "families" / "0.0.7" / "bin" / "python")
    options = ("--python", python, "--select", "CPG203,CPG6")
    assert said(capsys, *options, str(wrapped))[0] == 0
    code, data = said(capsys, *options, str(corpus.CASES / "old" / "zero.py"))
    assert (code, sorted({each["code"] for each in data["findings"]})) == (1, ["CPG203", "CPG603"])


def test_the_terminal_shows_the_users_line_with_a_mark_under_the_argument(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "many_lines.py")
    assert "--> many_lines.py:8:17" in text
    assert "num_workers=4)" in text
    assert "\n      |" in text
    assert "$ cpgpt-doctor fix many_lines.py --write" in text
    assert "--> notebook.ipynb:cell 2:2:80" in printed(capsys, "notebook.ipynb")


def test_annotations_and_sarif_land_on_lines_of_the_files(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, ".", "--format", "github").splitlines()
    assert lines[0].startswith("::error file=many_lines.py,line=8,col=17,title=CPG601")
    of_file = NOTEBOOK.read_text(encoding="utf-8").splitlines()
    number = next(at for at, line in enumerate(of_file, 1) if "num_workers=4" in line)
    assert lines[1].startswith(f"::error file=notebook.ipynb,line={number},title=CPG601")
    run = json.loads(printed(capsys, ".", "--format", "sarif"))["runs"][0]
    first, second = (each for each in run["results"] if each["ruleId"] == "CPG601")
    region = first["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 8, "startColumn": 17, "endLine": 8, "endColumn": 18}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "many_lines.py"
    assert change["replacements"] == [{"deletedRegion": region, "insertedContent": {"text": "0"}}]
    assert "fixes" not in second
    assert second["locations"][0]["physicalLocation"]["region"] == {"startLine": number}


def test_junit_and_markdown_name_the_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "many_lines.py:8:17" in printed(capsys, ".", "--format", "junit")
    assert "`many_lines.py:8:17`" in printed(capsys, ".", "--format", "markdown")


def test_facts_of_sources_are_saved_and_judged_elsewhere(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, ".", "--save-facts", "facts.json")
    for path in project.glob("*.py"):
        path.unlink()
    code = cli.main(["check", "--facts", "facts.json", "--select", "CPG6", "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert code == 1
    assert {each["code"] for each in data["findings"]} == {"CPG601"}


def test_the_same_script_is_judged_for_another_platform_and_release(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("many_lines.py", "--select", "CPG6")
    assert said(capsys, *chosen, "--for", "macos")[0] == 0
    assert said(capsys, *chosen, "--for", "windows")[0] == 1
    assert said(capsys, *chosen, "--for", "macos", "--for-cpgpt", "0.0.7")[0] == 1
    assert said(capsys, "keyword_zero.py", "--select", "CPG6", "--for-cpgpt", "0.0.7")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "--quick", "no.py"], "no.py: no such file or folder"),
        (["check", "--quick", "notes.txt"], "notes.txt: is no Python script"),
        (["check", "--quick", "--for", "amiga", "."], "macos, linux, windows is needed"),
        (["check", "--quick", "--for-python", "new", "."], "a version such as 3.14 is needed"),
        (["fix", "no.py"], "no.py: no such file or folder"),
        (["fix"], "required: PATH"),
    ],
)
def test_a_wrong_call_is_one_line(
    project: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "notes.txt").write_text("cpgpt\n")
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_fix_shows_a_patch_and_changes_nothing_until_it_is_told_to(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in project.iterdir()}
    assert cli.main(["fix", "."]) == 1
    patch = capsys.readouterr().out
    assert {path: path.read_bytes() for path in project.iterdir()} == before
    (project / "fix.patch").write_text(patch)
    ran = subprocess.run(["git", "apply", "fix.patch"], cwd=project, env=clean_environment())
    assert ran.returncode == 0
    applied = {path: path.read_bytes() for path in before}
    for path, raw in before.items():
        path.write_bytes(raw)
    assert cli.main(["fix", ".", "--write"]) == 0
    assert {path: path.read_bytes() for path in before} == applied
    assert cli.main(["fix", ".", "--write"]) == 0
    assert {path: path.read_bytes() for path in before} == applied


def test_fix_writes_through_a_link_and_keeps_the_files_mode(project: Path) -> None:
    real = project / "real"
    real.mkdir()
    target = real / "embed.py"
    shutil.copy(SCRIPT, target)
    target.chmod(0o755)
    (project / "embed.py").symlink_to(target)
    assert cli.main(["fix", "embed.py", "--write", "--quiet"]) == 0
    assert (project / "embed.py").is_symlink()
    assert b"num_workers=0" in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("how", ["write-protected", "one file of 2 names"])
def test_fix_leaves_all_as_it_is_where_a_file_is_not_to_be_replaced(
    project: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(SCRIPT, project / "also.py")
    if how == "write-protected":
        (project / "many_lines.py").chmod(0o444)
    else:
        (project / "name").hardlink_to(project / "many_lines.py")
    before = {path: (path.read_bytes(), path.stat()) for path in project.iterdir()}
    assert cli.main(["fix", ".", "--write", "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"many_lines.py: is {how}" in line
    assert {path: (path.read_bytes(), path.stat()) for path in project.iterdir()} == before
    assert cli.main(["fix", "also.py", "--write", "--quiet"]) == 0


def test_a_file_that_changes_meanwhile_is_left_as_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cpgpt_doctor import fix

    mend = fix.mend

    def slowly(*arguments: Any) -> fix.Mended:
        made = mend(*arguments)
        Path("many_lines.py").write_text("# something else\n")
        return made

    monkeypatch.setattr(fix, "mend", slowly)
    assert cli.main(["fix", "many_lines.py", "--write"]) == 3
    assert Path("many_lines.py").read_text() == "# something else\n"
    assert "was changed by another program" in capsys.readouterr().err


def test_a_comment_ignores_a_finding_and_is_counted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(corpus.CASES / "ignored_line.py", project)
    text = printed(capsys, "ignored_line.py")
    assert "CPG612  findings that comments ignore: 1" in text
    assert "error[" not in text


def test_check_without_paths_imports_nothing_of_sources() -> None:
    code = (
        "import sys\n"
        "from cpgpt_doctor import cli\n"
        "cli.main(['check', '--quick', '--quiet'])\n"
        "names = ('ruamel', 'pathspec', 'cpgpt_doctor.sources', 'cpgpt_doctor.rules.sources')\n"
        "print([name for name in sys.modules if name.startswith(names)])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
