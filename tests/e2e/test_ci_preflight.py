"""The pre-flight in CI: the action's steps run as the runner would, the hook by pre-commit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cpgpt_doctor import cli
from tests.environment import clean_environment

REPOSITORY = Path(__file__).parents[2]
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
MANIFEST = REPOSITORY / ".pre-commit-hooks.yaml"
EXPRESSION = re.compile(r"\$\{\{ *(?P<name>[\w.-]+) *\}\}")
# What the runner starts for `shell: bash`.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
# In the place of every input once: as code, each of these would leave a file.
CODE = (
    '"; touch pwned; "',
    "$(touch pwned)",
    "`touch pwned`",
    "x && touch pwned",
    "'; touch pwned",
)

SCRIPT = """\
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

if __name__ == "__main__":
    embedder = DNALLMEmbedder(dependencies_dir="dependencies")
    embedder.parse_dna_embeddings(["1:100"], "homo_sapiens", num_workers=4)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the steps are tried with bash")


@dataclass(frozen=True)
class Ran:
    code: int
    printed: str
    outputs: dict[str, str]
    summary: str


def run_step(step: dict[str, Any], known: dict[str, str], folder: Path, temporary: Path) -> Ran:
    """Run a step of the action; `known` are the values of the expressions that it may use."""

    def fill(text: str) -> str:
        return EXPRESSION.sub(lambda found: known[found["name"]], text)

    output, summary = folder / "GITHUB_OUTPUT", folder / "GITHUB_STEP_SUMMARY"
    output.write_text("")
    summary.write_text("")
    ran = subprocess.run(
        [*BASH, fill(step["run"])],
        cwd=folder / fill(step.get("working-directory", ".")),
        env={
            **clean_environment(),
            **{name: fill(value) for name, value in step.get("env", {}).items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(REPOSITORY),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(temporary),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return Ran(ran.returncode, ran.stdout, outputs, summary.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runner")


@pytest.fixture(scope="module")
def installed(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the first step says, run once."""
    ran = run_step(ACTION["runs"]["steps"][0], {}, tmp_path_factory.mktemp("install"), temporary)
    assert ran.code == 0, ran.printed
    return {f"steps.install.outputs.{name}": value for name, value in ran.outputs.items()}


@pytest.fixture
def act(installed: dict[str, str], temporary: Path, tmp_path: Path) -> Any:
    """Run the second step, with these inputs and quick, in tmp_path."""

    def run(**inputs: str) -> Ran:
        given = {"python": sys.executable, "quick": "true"}
        given.update((name.replace("_", "-"), value) for name, value in inputs.items())
        assert given.keys() <= ACTION["inputs"].keys()
        values = {
            f"inputs.{name}": given.get(name, about.get("default", ""))
            for name, about in ACTION["inputs"].items()
        }
        return run_step(ACTION["runs"]["steps"][1], {**values, **installed}, tmp_path, temporary)

    return run


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter without torch or CpGPT: every check of it ends with findings."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def test_the_action_is_valid_against_the_published_schema(tmp_path: Path) -> None:
    def validate(path: Path) -> int:
        schema = ("--builtin-schema", "vendor.github-actions")
        return subprocess.run(
            [Path(sys.executable).with_name("check-jsonschema"), *schema, path], capture_output=True
        ).returncode

    assert validate(REPOSITORY / "action.yml") == 0
    wrong = tmp_path / "action.yml"
    wrong.write_text(yaml.safe_dump({**ACTION, "runs": {"using": "composite"}}))
    assert validate(wrong) == 1


def test_every_input_comes_as_a_variable_and_none_inside_a_script() -> None:
    passed = set()
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        places = (*step.get("env", {}).values(), step.get("working-directory", ""))
        passed |= {name for place in places for name in EXPRESSION.findall(place)}
    assert passed == {f"inputs.{name}" for name in ACTION["inputs"]} | {"steps.install.outputs.bin"}


def test_a_healthy_environment_passes_and_is_summed_up(act: Any) -> None:
    ran = act(via="run-embed")
    assert ran.code == 0, ran.printed
    assert ran.outputs == {"exit-code": "0"}
    assert "::error" not in ran.printed
    assert "cpgpt-doctor" in ran.summary


def test_a_sick_environment_fails_the_step_with_annotations_and_stays_as_it_is(
    act: Any, bare: Path
) -> None:
    before = sorted(bare.parents[1].rglob("*"))
    ran = act(python=str(bare))
    assert ran.code == 1, ran.printed
    assert ran.outputs == {"exit-code": "1"}
    errors = [line for line in ran.printed.splitlines() if line.startswith("::error ")]
    assert any("CPG402" in line for line in errors)
    assert "CPG402" in ran.summary
    assert sorted(bare.parents[1].rglob("*")) == before


def test_inputs_reach_check_and_the_report_is_named(act: Any, bare: Path, tmp_path: Path) -> None:
    ran = act(
        python=str(bare),
        via="run-embed",
        num_workers="3",
        start_method="spawn",
        fail_on="never",
        select="CPG1,CPG4",
        ignore="CPG401",
        format="json",
        output="a report.json",
    )
    assert ran.code == 0, ran.printed
    assert ran.outputs == {"exit-code": "0", "report": str(tmp_path / "a report.json")}
    data = json.loads((tmp_path / "a report.json").read_text(encoding="utf-8"))
    assert data["patient"]["executable"] == str(bare)
    assert data["intent"].items() >= {"via": "run-embed", "num_workers": 3}.items()
    assert "spawn" in json.dumps(data["intent"])
    codes = {each["code"] for each in data["findings"]}
    assert "CPG402" in codes
    assert "CPG401" not in codes
    assert all(code.startswith(("CPG1", "CPG4")) for code in codes)


def test_a_baseline_accepts_what_was_there(act: Any, bare: Path) -> None:
    first = act(python=str(bare), format="json", output="baseline.json")
    assert first.code == 1, first.printed
    assert act(python=str(bare), baseline="baseline.json").code == 0
    (fewer := Path(first.outputs["report"])).write_text(
        json.dumps({**json.loads(fewer.read_text()), "findings": []})
    )
    assert act(python=str(bare), baseline="baseline.json").code == 1


def test_the_projects_table_is_read_and_an_input_wins_over_it(
    act: Any, bare: Path, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text('[tool.cpgpt-doctor]\nfail-on = "never"\n')
    assert act(python=str(bare), working_directory="project").code == 0
    assert act(python=str(bare), working_directory="project", fail_on="error").code == 1


FLAGS = {"quick", "deep", "full", "verbose", "fix-names"}
# Names that check takes as they are: of a model, a species, and of files that it writes.
ANY = {"dna-llm", "species", "output", "save-facts", "working-directory"}
VALUES = sorted(set(ACTION["inputs"]) - FLAGS - ANY)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, (CODE[at % len(CODE)], "--help")) for at, name in enumerate(VALUES)),
        *(pytest.param(name, (*CODE, "--help"), marks=pytest.mark.full) for name in VALUES),
    ],
    ids=[*VALUES, *(f"{name}, all" for name in VALUES)],
)
def test_an_input_is_a_value_and_never_code_or_an_option(
    act: Any, tmp_path: Path, name: str, values: tuple[str, ...]
) -> None:
    for value in values:
        ran = act(**{name.replace("-", "_"): value})
        assert ran.code == 2, (value, ran.printed)
        assert ran.outputs == {"exit-code": "2"}
        assert "usage:" not in ran.printed
        assert not (tmp_path / "pwned").exists()


def test_a_report_may_have_any_name_and_forges_no_output(act: Any, tmp_path: Path) -> None:
    for value in (*CODE, "report\nexit-code=7"):
        ran = act(via="run-embed", format="json", output=value)
        assert ran.code == 0, ran.printed
        assert ran.outputs["exit-code"] == "0"
        assert (tmp_path / value).is_file()
        assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_a_flag_is_true_or_false(act: Any, name: str) -> None:
    ran = act(**{name: "yes"})
    assert ran.code == 2
    assert f"::error::cpgpt-doctor: the input {name} is true or false" in ran.printed


def test_every_option_of_check_that_a_job_has_use_for_is_an_input() -> None:
    parser = cli.parser(["check"]).parse_args(["check"]).parser
    options = {each[2:] for each in parser._option_string_actions if each.startswith("--")}
    # What belongs to a terminal, or to a person: nothing that a job has.
    here = {"help", "debug", "ascii", "quiet", "facts", "no-redact"}
    assert options - here == set(ACTION["inputs"]) - {"paths", "working-directory"}


def test_scripts_are_read_where_a_step_names_them(act: Any, bare: Path, tmp_path: Path) -> None:
    (tmp_path / "--help.py").write_text(SCRIPT)
    (tmp_path / "a b.py").write_text(SCRIPT)
    ran = act(python=str(bare), paths="--help.py\n\na b.py\n", select="CPG6", for_cpgpt="0.0.13")
    assert ran.code == 1, ran.printed
    found = [line for line in ran.printed.splitlines() if line.startswith("::error ")]
    assert {"--help.py", "a b.py"} == {line.split("file=")[1].split(",")[0] for line in found}


def git(*arguments: object, folder: Path) -> str:
    """Git without this machine's settings and without those of a hook that runs the tests."""
    ran = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *map(str, arguments)],
        cwd=folder,
        env=without_git(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout.strip()


def without_git() -> dict[str, str]:
    return clean_environment(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull)


def pre_commit(*arguments: object, folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("pre-commit"), *map(str, arguments)],
        cwd=folder,
        env={**without_git(), "PRE_COMMIT_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def commit_all(folder: Path, message: str) -> None:
    git("add", "--all", folder=folder)
    git("commit", "--quiet", "--no-verify", "--message", message, folder=folder)


def test_the_hook_manifest_is_valid_for_pre_commit(tmp_path: Path) -> None:
    assert (
        pre_commit("validate-manifest", MANIFEST, folder=tmp_path, cache=tmp_path).returncode == 0
    )


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("pyproject.toml", True),
        ("setup.cfg", True),
        ("requirements.txt", True),
        ("docker/requirements-gpu.txt", True),
        ("dev-requirements.in", True),
        ("requirements/base.txt", True),
        ("environment.yml", True),
        ("envs/environment-cuda.yaml", True),
        ("uv.lock", True),
        ("conda-linux-64.lock", True),
        (".python-version", True),
        ("README.md", False),
        ("embed.py", False),
        ("docs/pyproject.toml.md", False),
        ("Cargo.lock", False),
    ],
)
def test_the_hook_watches_files_that_say_what_is_installed(path: str, watched: bool) -> None:
    hook = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))[-1]
    assert hook["id"] == "cpgpt-doctor"
    assert bool(re.search(hook["files"], path)) == watched


def test_real_pre_commit_stops_a_commit_by_the_environment_that_args_name(
    tmp_path: Path, bare: Path
) -> None:
    doctor, project, cache = (tmp_path / name for name in ("doctor", "project", "cache"))
    doctor.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", MANIFEST.name):
        shutil.copy(REPOSITORY / name, doctor)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "cpgpt_doctor", doctor / "cpgpt_doctor", ignore=ignored)
    project.mkdir()
    for folder in (doctor, project):
        git("init", "--quiet", folder=folder)
    commit_all(doctor, "the doctor")
    revision = git("rev-parse", "HEAD", folder=doctor)

    def configure(*args: str) -> None:
        hook = {"id": "cpgpt-doctor", "args": list(args)}
        repositories = [{"repo": str(doctor), "rev": revision, "hooks": [hook]}]
        text = yaml.safe_dump({"repos": repositories})
        (project / ".pre-commit-config.yaml").write_text(text)
        commit_all(project, "configure")

    def commit(name: str) -> subprocess.CompletedProcess[str]:
        (project / name).write_text("torch\n")
        git("add", name, folder=project)
        return pre_commit("run", folder=project, cache=cache)

    configure("--python", str(bare))
    stopped = commit("requirements.txt")
    assert stopped.returncode == 1, stopped.stdout
    assert "CPG402" in stopped.stdout
    assert "exit code: 1" in stopped.stdout
    configure("--python", sys.executable, "--via", "run-embed")
    passed = commit("environment.yml")
    assert passed.returncode == 0, passed.stdout
    assert "Passed" in passed.stdout
    assert "could not be made (marked ?)" in passed.stdout
    commit_all(project, "both")
    unconcerned = commit("notes.txt")
    assert unconcerned.returncode == 0
    assert "no files to check" in unconcerned.stdout


@pytest.mark.parametrize("name", ["none/summary", "folder"])
def test_a_summary_that_cannot_be_written_is_said_after_the_report(
    bare: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    asked = ("check", "--quick", "--python", bare, "--format", "github")
    ran = subprocess.run(
        [sys.executable, "-m", "cpgpt_doctor", *asked],
        cwd=tmp_path,
        env=clean_environment(GITHUB_STEP_SUMMARY=name),
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 3
    assert "CPG402" in ran.stdout
    (line,) = ran.stderr.splitlines()
    assert f"the step's summary was not: {name} cannot be written: " in line
    assert line.endswith("; unset GITHUB_STEP_SUMMARY, or name a file that can be written")
