"""What is shared holds nothing personal; what a project configures is what `check` does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from cpgpt_doctor import facts as facts_module
from cpgpt_doctor import redact
from cpgpt_doctor.facts import ProbeFailure
from tests.environment import clean_environment
from tests.machines import recorded

FACTS = Path(recorded.__file__).parent / "linux-py313-cpgpt0.0.7.json"


def check(
    *arguments: object, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cpgpt_doctor", "check", *map(str, arguments)],
        env=clean_environment(**{"LC_ALL": "en_US.UTF-8", **variables}),
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/alice/env/bin/python", "~/env/bin/python"),
        ("open '/Users/Alice Smith'", "open '~ Smith'"),
        (r"C:\Users\alice\env\python.exe", r"~\env\python.exe"),
        ("token hf_abcdefghijklmnopqrstuv1234", "token <token>"),
        ("https://alice:s3cret@example.org/simple", "https://<token>@example.org/simple"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <token>"),
        ("HF_TOKEN=whatever", "HF_TOKEN=<token>"),
        ("tokenizer = fast", "tokenizer = fast"),
        ("/opt/homebrew/lib/python3.13/site-packages/cpgpt/data", None),
        ("TypeError: cannot pickle 'BufferedReader' instances", None),
    ],
)
def test_redaction_takes_out_what_is_personal_and_nothing_else(
    text: str, expected: str | None
) -> None:
    assert redact.redact(text) == (text if expected is None else expected)


def test_this_users_own_names_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "zhangwei")
    monkeypatch.setenv("HOME", "/data/people/zhangwei")
    monkeypatch.setattr("socket.gethostname", lambda: "gpu17.cluster.example.org")
    text = "/data/people/zhangwei/env and /scratch/zhangwei/x on gpu17, torch of zhangweifeng"
    assert redact.redact(text) == "~/env and /scratch/<user>/x on <host>, torch of zhangweifeng"


def test_a_user_named_as_a_package_does_not_take_it_out_of_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "cpgpt")
    monkeypatch.setenv("HOME", "/home/cpgpt")
    assert redact.redact("/home/cpgpt/e/site-packages/cpgpt") == "~/e/site-packages/cpgpt"


def test_every_text_of_saved_facts_is_redacted_unless_asked(tmp_path: Path) -> None:
    failure = ProbeFailure("workers", "exited", "status 1", "HF_TOKEN=hf_abcdefghijklmnopqrst")
    facts = replace(recorded.linux_old(), failures=(failure,))
    source = tmp_path / "source.json"
    source.write_text(facts_module.to_json(facts))
    for options in ([], ["--no-redact"]):
        saved = tmp_path / "saved.json"
        check("--facts", source, "--save-facts", saved, "--quiet", *options)
        text = saved.read_text()
        assert ("/home/user" in text) == bool(options)
        assert ("hf_abcdef" in text) == bool(options)


@pytest.mark.parametrize("form", ["markdown", "html", "sarif", "github", "junit"])
def test_reports_that_are_shared_are_redacted(form: str) -> None:
    for options in ([], ["--no-redact"]):
        ran = check(
            "--facts", FACTS, "--start-method", "spawn", "--format", form, *options,
            GITHUB_STEP_SUMMARY="",
        )  # fmt: skip
        assert ran.returncode == 1, ran.stderr
        assert "CPG201" in ran.stdout
        assert ("/home/user/cpgpt-env" in ran.stdout) == bool(options)


def test_select_and_ignore_choose_rules_by_their_prefix() -> None:
    ran = check("--facts", FACTS, "--format", "json", "--select", "CPG2", "--ignore", "CPG203")
    codes = {each["code"] for each in json.loads(ran.stdout)["checks"]}
    assert "CPG201" in codes
    assert "CPG203" not in codes
    assert all(code.startswith("CPG2") for code in codes)
    ran = check("--facts", FACTS, "--select", "CPG9")
    assert ran.returncode == 2
    assert "no rule's code begins with 'CPG9'" in ran.stderr


def test_quiet_shows_nothing_where_nothing_fails() -> None:
    fine = check("--facts", FACTS, "--quiet", "--via", "run-embed", "--ignore", "CPG405")
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    assert "CPG201" in check("--facts", FACTS, "--quiet", "--start-method", "spawn").stdout


def test_output_is_written_whole_or_refused_in_one_line(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    ran = check("--facts", FACTS, "--format", "json", "--output", target)
    assert ran.stdout == ""
    assert json.loads(target.read_text("utf-8"))["schema"] == "cpgpt-doctor/check/v1"
    assert list(tmp_path.iterdir()) == [target]
    ran = check("--facts", FACTS, "--output", tmp_path / "missing" / "report.txt")
    assert ran.returncode == 2
    assert "there is no folder" in ran.stderr
    check("--facts", FACTS, "--output", target, "--lang", "zh", "--ascii")
    assert "环境" in target.read_text(encoding="utf-8")


def test_ascii_is_plain_and_chinese_stays_readable() -> None:
    plain = check("--facts", FACTS, "--ascii", "--start-method", "spawn", COLUMNS="80").stdout
    assert plain.isascii()
    assert "+ CPG101" in plain
    assert "error[CPG201]" in plain
    assert max(map(len, plain.splitlines())) <= 80
    small = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    assert check("--facts", FACTS, **small).stdout.isascii()
    refused = check("--facts", FACTS, "--lang", "zh", **small)
    assert refused.returncode == 2
    assert "cannot show Chinese" in refused.stderr


def test_chinese_lines_are_no_wider_than_the_terminal() -> None:
    from rich.cells import cell_len

    shown = check("--facts", FACTS, "--lang", "zh", "--start-method", "spawn", COLUMNS="80")
    lines = shown.stdout.splitlines()
    assert "错误[CPG201]" in shown.stdout
    assert max(map(cell_len, lines)) <= 80
    labels = re.compile(r"  (?:方案 \d|验证修复|性能影响|问题对象) +")
    widths = {cell_len(found[0]) for found in map(labels.match, lines) if found}
    assert widths == {13}


def test_pyproject_gives_the_options_of_check(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cpgpt-doctor]\nvia = "run-embed"\nselect = ["CPG2", "CPG4"]\nignore = "CPG204"\n'
        'format = "json"\nnum-workers = 4\nquiet = false\n'
    )
    below = tmp_path / "scripts"
    below.mkdir()
    data = json.loads(check("--facts", FACTS, cwd=below).stdout)
    assert data["intent"]["via"] == "run-embed"
    assert data["intent"]["num_workers"] == 4
    codes = {each["code"] for each in data["checks"]}
    assert "CPG101" not in codes
    assert "CPG204" not in codes
    over = json.loads(check("--facts", FACTS, "--num-workers", 2, cwd=below).stdout)
    assert over["intent"]["num_workers"] == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("num-worker = 4", "unknown key 'num-worker'; did you mean 'num-workers'?"),
        ("num-workers = -1", "tool.cpgpt-doctor.num-workers: a whole number from 0"),
        ('format = "pdf"', "'pdf' is none of terminal, markdown"),
        ('quick = "yes"', "true or false is needed"),
        ("select = true", "a text is needed"),
        ('ignore = ["CPG9"]', "no rule's code begins with 'CPG9'"),
        ("via = ", "not TOML"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.cpgpt-doctor]\n{line}\n")
    ran = check("--facts", FACTS, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_baseline_accepts_todays_findings_and_no_new_ones(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.json"
    call = ("--facts", FACTS, "--start-method", "spawn")
    assert check(*call, "--format", "json", "--output", accepted).returncode == 1
    again = check(*call, "--baseline", accepted)
    assert again.returncode == 0
    assert "accepted by the baseline" in again.stdout
    new = check("--facts", FACTS, "--start-method", "fork", "--baseline", accepted)
    assert new.returncode == 1
    assert "error[CPG202]" in new.stdout
    (tmp_path / "bad.json").write_text("[]")
    refused = check(*call, "--baseline", tmp_path / "bad.json")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


LOG = """\
Traceback (most recent call last):
  File "/home/alice/embed.py", line 12, in <module>
    loader = DataLoader(dataset, num_workers=0, prefetch_factor=2)
  File "/home/alice/env/lib/python3.11/site-packages/torch/utils/data/dataloader.py", line 1, in f
    raise ValueError(
ValueError: prefetch_factor option could only be specified in multiprocessing.let num_workers > 0
Traceback (most recent call last):
  File "/home/alice/table.py", line 3, in <module>
    table["`a|b`"]
KeyError: '`a|b`'
"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_log_is_answered_as_a_document_with_what_is_known_and_what_is_not(
    tmp_path: Path, language: str
) -> None:
    (tmp_path / "run.log").write_text(LOG)
    explain = [sys.executable, "-m", "cpgpt_doctor", "explain", "--lang", language]
    explain += ["--log", "run.log", "--format", "markdown"]
    ran = subprocess.run(
        explain, cwd=tmp_path, env=clean_environment(), capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 1, ran.stderr
    headings = [line for line in ran.stdout.splitlines() if line.startswith(("# ", "## "))]
    assert len(headings) == 3
    assert "run.log" in headings[0]
    assert "CPG702" in headings[1]
    assert "`~/embed.py:12`" in ran.stdout
    assert "`` KeyError: '`a|b`' ``" in ran.stdout
    assert "~/table.py:3" in ran.stdout
    assert "alice" not in ran.stdout
    assert "cpgpt-doctor check --save-facts facts.json" in ran.stdout


def test_paths_in_pyproject_are_taken_from_its_folder(tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    (below := project / "scripts").mkdir()
    venv.create(project / "env", with_pip=False)
    # One by the same names where `check` runs is another.
    (below / "env" / "bin").mkdir(parents=True)
    call = ("--facts", FACTS, "--format", "json", "--output", project / "accepted.json")
    assert check(*call).returncode == 1
    (project / "pyproject.toml").write_text(
        '[tool.cpgpt-doctor]\npython = "env/bin/python"\nbaseline = "accepted.json"\n'
    )
    ran = check("--quick", "--format", "json", cwd=below)
    assert ran.returncode in (0, 1), ran.stderr
    assert json.loads(ran.stdout)["patient"]["executable"] == str(project / "env/bin/python")
    ran = check("--facts", FACTS, "--quiet", cwd=below)
    assert (ran.returncode, ran.stderr) == (0, "")
    (project / "pyproject.toml").write_text('[tool.cpgpt-doctor]\ngenome = "../none.fa"\n')
    ran = check("--quick", cwd=below)
    assert ran.returncode == 2
    assert ran.stderr == f"cpgpt-doctor: --genome {project}/../none.fa: no such file\n"


def test_an_interpreter_without_a_folder_in_pyproject_is_looked_up_on_the_path(
    tmp_path: Path,
) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (tmp_path / "env" / "bin" / "cpgpt-python").symlink_to("python")
    (tmp_path / "pyproject.toml").write_text('[tool.cpgpt-doctor]\npython = "cpgpt-python"\n')
    path = f"{tmp_path / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ran = check("--quick", "--format", "json", cwd=tmp_path, PATH=path)
    assert ran.returncode in (0, 1), ran.stderr
    assert json.loads(ran.stdout)["patient"]["executable"] == str(tmp_path / "env/bin/cpgpt-python")
    ran = check("--quick", cwd=tmp_path)
    assert ran.returncode == 2
    assert "--python cpgpt-python: cannot be started" in ran.stderr


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (("--genome", "genome.fa"), 'genome = "genome.fa"'),
        (("--quick",), "quick = true"),
        (("--deep",), "deep = true"),
        (("--dataset", "mine:Dataset"), 'dataset = "mine:Dataset"'),
    ],
)
def test_what_has_no_effect_beside_facts_is_refused(
    tmp_path: Path, option: tuple[str, ...], line: str
) -> None:
    said = f"{option[0]} has no effect; leave one of the two out"
    ran = check("--facts", FACTS, *option, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith(f"{said}\n")
    (tmp_path / "pyproject.toml").write_text(f"[tool.cpgpt-doctor]\n{line}\n")
    ran = check("--facts", FACTS, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert f"(it stands in [tool.cpgpt-doctor] of {tmp_path / 'pyproject.toml'})" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_failures_of_logs_are_no_rules_of_check_and_the_line_says_where_they_are(
    option: str,
) -> None:
    for asked in ("CPG7", "CPG701", "CPG2,cpg704"):
        ran = check("--facts", FACTS, option, asked)
        assert (ran.returncode, ran.stdout) == (2, "")
        (line,) = ran.stderr.splitlines()
        assert "recognised in logs: cpgpt-doctor explain --log FILE" in line
