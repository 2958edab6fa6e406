"""`check` on real environments."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.rules.environment.releases import IMPORTED
from tests.conftest import HERE, PATIENTS, World
from tests.environment import clean_environment

CULPRITS = {
    f"dataset.genome.faidx.{name}" for name in ("file", "lock", "key_function", "filt_function")
}
SCHEMA = json.loads(
    resources.files("cpgpt_doctor.reports").joinpath("check.schema.json").read_text()
)


def doctor(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cpgpt_doctor", *map(str, arguments)],
        env=clean_environment(**variables),
        capture_output=True,
        encoding="utf-8",
    )


def report(*arguments: object, **variables: str) -> dict[str, Any]:
    ran = doctor("check", "--format", "json", *arguments, **variables)
    assert ran.returncode in (0, 1), ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    jsonschema.validate(data, SCHEMA)
    assert data["exit_code"] == ran.returncode
    return data


def findings(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["code"]: each for each in data["findings"]}


@pytest.fixture(scope="session")
def saved(world: World) -> Callable[[str], Path]:
    """Facts of a release's environment, in which the model is cached, observed once."""
    return world.facts


def real_pickling_error() -> str:
    """What this Python says, asked of the standard pickler itself."""
    with Path(__file__).open("rb") as stream:
        try:
            stream.__reduce_ex__(4)
        except TypeError as error:
            return f"TypeError: {error}"
    raise AssertionError("an open file was pickled")


def test_under_forkserver_every_culprit_is_an_error_on_every_release(
    saved: Callable[[str], Path], release: str
) -> None:
    data = report("--facts", saved(release), "--start-method", "forkserver")
    found = findings(data)["CPG201"]
    assert data["exit_code"] == 1
    assert found["severity"] == "error"
    assert {each["path"] for each in found["evidence"]["culprits"]} == CULPRITS
    assert found["evidence"]["error"] == real_pickling_error()
    assert [each["advice"] for each in found["remedies"]] == [
        "recommended",
        "not-recommended",
        "possible",
    ]


def test_under_an_explicit_spawn_the_newer_release_falls_back(saved: Callable[[str], Path]) -> None:
    data = report("--facts", saved("0.0.13"), "--start-method", "spawn")
    assert findings(data)["CPG201"]["severity"] == "warning"
    assert "CPG206" not in findings(data)
    assert "CPG206" in findings(report("--facts", saved("0.0.13"), "--start-method", "forkserver"))


def test_older_releases_meet_prefetch_factor_after_the_first_remedy(
    saved: Callable[[str], Path], release: str
) -> None:
    found = findings(report("--facts", saved(release), "--num-workers", 0))
    assert ("CPG203" in found) == (release in ("0.0.3", "0.0.7"))
    assert "CPG201" not in found
    if "CPG203" in found:
        assert found["CPG203"]["severity"] == "error"
        assert "prefetch_factor" in found["CPG203"]["evidence"]["error"]


def test_run_embed_has_no_errors_where_the_model_is_cached(
    saved: Callable[[str], Path], release: str
) -> None:
    for method in ("fork", "spawn", "forkserver"):
        data = report("--facts", saved(release), "--via", "run-embed", "--start-method", method)
        assert [each["code"] for each in data["findings"] if each["severity"] == "error"] == []
        if method != "fork":
            assert findings(data)["CPG201"]["treated"]


def test_saved_facts_give_the_same_report_as_the_machine(
    saved: Callable[[str], Path], world: World
) -> None:
    asked = ("--python", PATIENTS["0.0.7"], "--start-method", "spawn")
    live = report(*asked, **world.variables)
    again = report("--facts", saved("0.0.7"), "--start-method", "spawn")
    keep = ("code", "severity", "title", "remedies", "location")
    assert [{key: each[key] for key in keep} for each in live["findings"]] == [
        {key: each[key] for key in keep} for each in again["findings"]
    ]


def test_an_examination_writes_nothing_beside_the_genome(tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">1\n" + "ACGT" * 2000 + "\n")
    facts = tmp_path / "facts.json"
    data = report("--genome", genome, "--start-method", "forkserver", "--save-facts", facts)
    culprits = findings(data)["CPG201"]["evidence"]["culprits"]
    assert f"an open file, {genome}" in [each["about"].split(":")[0] for each in culprits]
    assert set(tmp_path.iterdir()) == {genome, facts}
    # The model is not in the cache here.
    direct = findings(report("--facts", facts, "--batch-size", 8))["CPG514"]
    assert "from the cache" not in direct["evidence"]["seen"]["tokenizer"]
    errors = [
        each["code"]
        for each in report("--facts", facts, "--via", "run-embed")["findings"]
        if each["severity"] == "error"
    ]
    assert errors == ["CPG405"]


def test_quick_imports_neither_torch_nor_cpgpt(tmp_path: Path) -> None:
    for name in ("torch", "cpgpt"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import os; os.abort()")
    data = report("--quick", PYTHONPATH=str(tmp_path))
    statuses = {each["code"]: each["status"] for each in data["checks"]}
    assert statuses["CPG401"] == statuses["CPG402"] == "unknown"
    assert statuses["CPG101"] == "ok"


def last_line(ran: subprocess.CompletedProcess[str]) -> str:
    return " ".join(ran.stdout.split("\n\n")[-1].split())


SAFE = ("Nothing here stops this call", "Nothing in the environment stops run-embed")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--quick",), "CPG202"),
        (("--quick", "--select", "CPG202"), "CPG202"),
        (("--quick", "--select", "CPG2", "--num-workers", 1), "CPG202"),
        (("--quick", "--via", "run-embed"), "CPG401"),
        (("--quick", "--select", "CPG205,CPG210"), "CPG205, CPG210"),
    ],
)
def test_what_was_not_looked_at_is_named_in_the_last_line_and_not_called_safe(
    arguments: tuple[object, ...], named: str
) -> None:
    ran = doctor("check", "--lang", "en", *arguments)
    assert ran.returncode == 0
    assert named in last_line(ran)
    assert "is not known" in last_line(ran)
    assert not any(each in ran.stdout for each in SAFE)
    assert f"? {named.partition(',')[0]}" in ran.stdout


def test_rules_that_were_chosen_do_not_speak_for_the_others(saved: Callable[[str], Path]) -> None:
    facts = saved("0.0.13")
    for chosen in (("--select", "CPG101"), ("--ignore", "CPG2")):
        ran = doctor("check", "--facts", facts, "--lang", "en", "--num-workers", 8, *chosen)
        assert ran.returncode == 0
        assert "by the rules that were chosen" in last_line(ran)
        assert not any(each in ran.stdout for each in SAFE)
    ran = doctor("check", "--facts", facts, "--lang", "en", "--num-workers", 0)
    assert "Nothing here stops this call" in last_line(ran)


@pytest.mark.parametrize(
    ("release", "arguments", "code"),
    [
        ("0.0.7", ("--num-workers", 0), "CPG203"),
        ("0.0.7", ("--start-method", "spawn"), "CPG201"),
        ("0.0.13", ("--start-method", "forkserver"), "CPG201"),
    ],
)
def test_quick_says_of_a_release_what_a_whole_check_sees(
    saved: Callable[[str], Path], release: str, arguments: tuple[object, ...], code: str
) -> None:
    quick = report("--quick", "--python", PATIENTS[release], *arguments)
    whole = report("--facts", saved(release), *arguments)
    assert findings(quick)[code]["severity"] == "error"
    assert findings(whole)[code]["severity"] == "error"
    assert quick["exit_code"] == 1


def metadata_of(site: Path, name: str, version: str | None, requires: tuple[str, ...]) -> None:
    folder = site / f"{name}-{version or 'none'}.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}"]
    lines += [f"Version: {version}"] if version is not None else []
    lines += [f"Requires-Dist: {each}" for each in requires]
    (folder / "METADATA").write_text("\n".join(lines) + "\n\n")


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Path, Path]:
    """An interpreter with nothing, and its site-packages."""
    venv.create(tmp_path / "bare", with_pip=False)
    (site,) = (tmp_path / "bare" / "lib").glob("python*/site-packages")
    return tmp_path / "bare" / "bin" / "python", site


def requirements_of_cpgpt() -> tuple[str, ...]:
    return tuple(metadata.requires("CpGPT") or ())


def test_quick_says_that_torch_and_requirements_are_missing(bare: tuple[Path, Path]) -> None:
    python, site = bare
    required = requirements_of_cpgpt()
    metadata_of(site, "CpGPT", "0.0.13", required)
    data = report("--quick", "--python", python)
    assert data["exit_code"] == 1
    codes = [(each["code"], each["severity"]) for each in data["findings"]]
    assert ("CPG401", "error") in codes
    assert ("CPG403", "error") in codes
    missing = [
        name
        for each in data["findings"]
        if each["code"] == "CPG403"
        for name in each["evidence"]["seen"]
    ]
    assert len(missing) == len(required)


def test_a_package_without_a_version_or_without_metadata_is_named(bare: tuple[Path, Path]) -> None:
    python, site = bare
    metadata_of(site, "CpGPT", None, ("torch>=2", "numpy>=1", "lightning"))
    metadata_of(site, "numpy", None, ())
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("import os; os.abort()")
    (site / "lightning").mkdir()  # what is left of a removed package
    data = report("--quick", "--python", python)
    assert data["patient"]["cpgpt"] == "unknown"
    seen = {each["code"]: each["status"] for each in data["checks"]}
    assert seen["CPG401"] == "unknown"
    found = findings(data)["CPG403"]
    assert found["severity"] == "error"
    assert {name: said.partition(";")[0] for name, said in found["evidence"]["seen"].items()} == {
        "lightning": "lightning: not installed",
        "torch": "torch>=2: its version '?' cannot be read",
        "numpy": "numpy>=1: its version 'unknown' cannot be read",
    }


def test_without_cpgpt_what_needs_it_says_so(bare: tuple[Path, Path]) -> None:
    python, _ = bare
    data = report("--python", python, "--deep", "--lang", "en")
    said = {each["code"]: each["summary"] for each in data["checks"]}
    for code in ("CPG202", "CPG205", "CPG208", "CPG209"):
        assert "CpGPT is not installed (CPG402)" in said[code]


def test_batches_of_direct_calls_are_tried_on_every_release(
    saved: Callable[[str], Path], release: str
) -> None:
    facts = saved(release)
    found = findings(report("--facts", facts, "--batch-size", 8))["CPG514"]
    assert found["severity"] == "error"
    seen = json.loads(facts.read_text())["embedder"]["examined"]["batch"]
    assert seen["error"] is None
    assert seen["masked"] is False
    alone = {each["kind"]: each["alone"] for each in seen["windows"]}
    assert alone["short"] < alone["plain"] < alone["N"] == seen["together"]
    assert alone["plain"] == (384 if release == "0.0.13" else 336)
    treated = report("--facts", facts, "--batch-size", 8, "--via", "run-embed")
    assert findings(treated)["CPG514"]["treated"]
    assert "CPG514" not in findings(report("--facts", facts))


def test_the_cached_tokenizer_of_the_model_is_used_for_batches(
    saved: Callable[[str], Path],
) -> None:
    data = report("--facts", saved("0.0.13"), "--batch-size", 2, "--num-workers", 0)
    seen = findings(data)["CPG514"]["evidence"]["seen"]
    assert "EsmTokenizer, from the cache" in seen["tokenizer"]
    assert seen["window of plain bases"] == "2000 bases, 384 tokens alone, 2048 together"


def test_what_cpgpt_imports_in_every_release_is_what_quick_takes_it_to_import(
    saved: Callable[[str], Path], release: str
) -> None:
    in_use = set(json.loads(saved(release).read_text())["embedder"]["in_use"])
    assert in_use >= IMPORTED


def test_facts_of_0_1_0_are_read_and_what_they_lack_is_unknown() -> None:
    recorded = HERE / "machines" / "linux-py311-cpgpt0.0.13.json"
    text = recorded.read_text()
    for added in ("forked", "unreadable", "batch", "without_metadata"):
        assert f'"{added}":' not in text
    data = report("--facts", recorded, "--batch-size", 8, "--num-workers", 0)
    assert {each["code"]: each["status"] for each in data["checks"]}["CPG514"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--batch-size", 8), "CPG514"), (("--num-workers", 1), "CPG202")]
)
def test_every_form_of_report_holds_the_new_findings(
    saved: Callable[[str], Path], arguments: tuple[object, ...], code: str
) -> None:
    for style in ("terminal", "markdown", "html", "sarif", "github", "junit"):
        ran = doctor(
            *("check", "--facts", saved("0.0.13"), "--fail-on", "never"),
            *("--format", style, "--lang", "zh", *arguments),
            PYTHONUTF8="1",
        )
        assert ran.returncode == 0, ran.stderr
        assert code in ran.stdout


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "kills the interpreter (SIGABRT)"),
        ("import os; os._exit(3)", "ends the interpreter (status 3)"),
        ("raise ImportError('libtorch_cpu.so: cannot open')", "torch is broken"),
    ],
)
def test_a_broken_torch_is_named_and_all_else_is_still_reported(
    tmp_path: Path, code: str, said: str
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(code)
    data = report(PYTHONPATH=str(tmp_path))
    assert data["exit_code"] == 1
    assert said in findings(data)["CPG401"]["title"]
    statuses = {each["code"]: each["status"] for each in data["checks"]}
    assert statuses["CPG101"] == "ok"
    assert statuses["CPG102"] == "ok"
    assert statuses["CPG402"] == "unknown"


def test_an_environment_without_the_doctor_and_without_anything_is_examined(
    tmp_path: Path,
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    for package in ("cpgpt_doctor", "rich", "torch"):
        imported = [python, "-c", f"import {package}"]
        ran = subprocess.run(imported, capture_output=True, cwd=tmp_path, env=clean_environment())
        assert ran.returncode == 1
    data = report("--python", python)
    assert data["patient"]["executable"] == str(python)
    assert findings(data)["CPG401"]["title"] == "torch is not installed"
    assert findings(data)["CPG402"]["title"] == "CpGPT is not installed in this environment"


OWN_DATASET = """
class Dataset:
    def __init__(self):
        self.tables = {"hg38": [open("data.bin", "rb")]}

    def __len__(self):
        return 100

    def __getitem__(self, at):
        stream = self.tables["hg38"][0]
        stream.seek(at * 10_000)
        return stream.read(100)
"""


def test_a_dataset_of_the_users_and_cpgpts_data_module_are_examined(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN_DATASET)
    (tmp_path / "data.bin").write_bytes(b"x" * 1_000_000)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "cpgpt_doctor", "check", "--format", "json", "--deep"),
            *("--dataset", "mine:Dataset", "--save-facts", "facts.json"),
        ],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 1, ran.stderr
    forked = findings(json.loads(ran.stdout))
    assert "share the position" in forked["CPG210"]["title"]
    assert list(forked["CPG210"]["evidence"]["seen"]) == [str(tmp_path / "data.bin")]
    paths = [each["path"] for each in forked["CPG205"]["evidence"]["culprits"]]
    assert all(".logger._core.handlers[" in path for path in paths)
    spawned = findings(report("--facts", tmp_path / "facts.json", "--start-method", "spawn"))
    assert spawned["CPG210"]["evidence"]["culprits"][0]["path"] == "dataset.tables['hg38'][0]"
    assert "CPG202" in forked
    assert "CPG202" not in spawned


FAILS_LATE = """
class Dataset:
    def __init__(self):
        self.stream = open("data.bin", "rb")

    def __len__(self):
        return 100

    def __getitem__(self, at):
        if at > 20:
            raise ValueError("no item")
        return 1
"""


def test_a_dataset_that_fails_late_is_not_safe_and_a_broken_cache_is_not_cpgpts_fault(
    tmp_path: Path,
) -> None:
    (tmp_path / "late.py").write_text(FAILS_LATE)
    (tmp_path / "data.bin").write_bytes(b"x" * 1000)
    cache = tmp_path / "hf" / "hub" / f"models--InstaDeepAI--{DNA_LLM}"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc")
    config = cache / "snapshots" / "abc" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"auto_map": {"AutoMod')
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "cpgpt_doctor", "check", "--format", "json"),
            *("--dataset", "late:Dataset", "--start-method", "fork", "--num-workers", "2"),
        ],
        cwd=tmp_path,
        env=clean_environment(HF_HOME=str(tmp_path / "hf")),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stderr
    data = json.loads(ran.stdout)
    said = {each["code"]: each for each in data["checks"]}
    assert said["CPG210"]["status"] == "unknown"
    assert "ValueError: no item" in said["CPG210"]["summary"]
    assert said["CPG402"]["status"] == "ok"
    assert data["patient"]["probe_failures"] == []
    assert findings(data)["CPG404"]["location"]["path"] == str(config)
    assert "JSONDecodeError" in findings(data)["CPG404"]["evidence"]["error"]


def test_the_terminal_report_is_a_screen_to_act_on(saved: Callable[[str], Path]) -> None:
    ran = doctor("check", "--facts", saved("0.0.7"), "--start-method", "spawn", COLUMNS="80")
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "\x1b" not in ran.stdout
    lines = [line for line in ran.stdout.splitlines() if "$ " not in line]  # commands are pasted
    assert max(len(line) for line in lines) <= 80
    for part in ("error[CPG201]", "cannot pickle", "remedy 1", "(recommended)", "verify", "cost"):
        assert part in ran.stdout
    assert " ".join(ran.stdout.split()).endswith("More: cpgpt-doctor explain CPG201")


def test_a_compressed_genome_is_refused_with_what_to_do(tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa.gz"
    genome.write_bytes(gzip.compress(b">1\nACGT\n"))
    ran = doctor("check", "--genome", genome)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"cpgpt-doctor: {genome}: the genome is compressed")
    assert "gzip -dk" in ran.stderr
