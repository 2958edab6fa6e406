"""The command line's habits: help, versions, near misses, the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cpgpt_doctor import cli
from cpgpt_doctor.commands.options import interpreter
from cpgpt_doctor.config import settings
from cpgpt_doctor.errors import InputError


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.command(list(argv))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_bare_command_lists_the_commands_and_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(capsys)
    assert (code, out) == (2, "")
    assert all(f"\n    {each} " in err for each in cli.COMMANDS)
    assert len(err.splitlines()) < 24


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "help") == said(capsys, "--help")
    assert said(capsys, "help", "verify") == said(capsys, "verify", "--help")
    assert said(capsys, "help", "verify")[:2] != said(capsys, "help")[:2]
    assert said(capsys, "help", "verfy")[0] == 2


def test_the_short_option_says_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "-V") == said(capsys, "--version")
    assert said(capsys, "-V")[0] == 0


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["chek"], "no such command: chek; did you mean check? (see: cpgpt-doctor --help)"),
        (["zzz"], "no such command: zzz (see: cpgpt-doctor --help)"),
        (
            ["check", "--num-wrkers=3"],
            "no such option: --num-wrkers; did you mean --num-workers?"
            " (see: cpgpt-doctor check --help)",
        ),
        (["bench", "--zzz"], "no such option: --zzz (see: cpgpt-doctor bench --help)"),
        (["bench", "here"], "no such argument: here (see: cpgpt-doctor bench --help)"),
    ],
)
def test_a_near_miss_is_named_with_the_help_to_see(
    capsys: pytest.CaptureFixture[str], argv: list[str], line: str
) -> None:
    assert said(capsys, *argv) == (2, "", f"cpgpt-doctor: {line}\n")


def test_the_folder_of_an_environment_names_its_interpreter(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    assert interpreter(str(prefix)) == str(prefix / "bin" / "python")
    assert interpreter("python3") == "python3"
    assert interpreter("") == ""
    with pytest.raises(InputError, match="so it is no environment"):
        interpreter(str(tmp_path))


def test_every_command_takes_the_interpreter_of_pyproject(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.cpgpt-doctor]\npython = "env"\n')
    monkeypatch.chdir(tmp_path)
    needed = {
        "run-embed": ["--dependencies-dir", ".", "--locations", "locations.txt"],
        "verify": ["--dependencies-dir", "."],
        "bench": [],
        "check": [],
    }
    for command, rest in needed.items():
        code, _, err = said(capsys, command, *rest)
        assert (code, err.partition(": a folder without")[0]) == (
            2,
            f"cpgpt-doctor: --python {tmp_path / 'env'}",
        )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("python = 3", "a text is needed, not 3"),
        ('num-workers = "4"', "a number is needed, not '4'"),
        ("num-workers = 1.5", "a number is needed, not 1.5"),
        ("num-workers = true", "a number is needed, not True"),
        ("dna-llm = ['a', 'b']", "a text is needed, not ['a', 'b']"),
        ("select = ['CPG2', 3]", "a text is needed, not 3"),
        ("quick = 1", "true or false is needed, not 1"),
        ("select = {a = 1}", "a text is needed, not {'a': 1}"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, line: str, wanted: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(f"[tool.cpgpt-doctor]\n{line}\n")
    known = cli.parser().parse_args(["check"]).parser
    with pytest.raises(InputError) as error:
        settings(tmp_path, known)
    key = line.partition(" ")[0]
    assert str(error.value) == f"{path}: tool.cpgpt-doctor.{key}: {wanted}"
