"""What run-embed refuses is shown as check shows its findings: in each form, in both languages."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import World, write_genome

SCHEMA = json.loads(
    resources.files("cpgpt_doctor.reports").joinpath("check.schema.json").read_text()
)
NOTE = "examining the environment, the genome and the locations"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A genome without a model: what is refused here is refused before one is needed."""
    write_genome(tmp_path / "genome.fa")
    (tmp_path / "given.txt").write_text("1:5\nchr1:7\n1:1_000\n")
    return World(tmp_path, tmp_path / "genome.fa", {"HOME": str(tmp_path)}, tmp_path)


def run(world: World, *more: object) -> Any:
    return world.doctor(
        "run-embed", "--dependencies-dir", world.dependencies("deps"),
        "--locations", world.folder / "given.txt", *more,
    )  # fmt: skip


def shown(world: World, *more: object) -> str:
    ran = run(world, *more)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines() == [NOTE]
    return str(ran.stdout)


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "1 line gives no location"), ("zh", "有 1 行不是位点")],
)
def test_a_refusal_is_a_report_in_each_form_and_language(
    world: World, language: str, title: str
) -> None:
    for form in ("terminal", "markdown", "html", "json", "sarif", "github", "junit"):
        text = shown(world, "--format", form, "--lang", language)
        assert title in text, form
        assert "CPG502" in text, form
        if form == "json":
            data = json.loads(text)
            jsonschema.validate(data, SCHEMA)
            assert data["exit_code"] == 2
            assert data["intent"]["via"] == "run-embed"
        elif form == "sarif":
            results = json.loads(text)["runs"][0]["results"]
            assert {each["ruleId"] for each in results} >= {"CPG502", "CPG503"}
        elif form == "junit":
            assert Xml.fromstring(text).get("failures") == "2"


def test_a_report_for_others_has_no_personal_data_and_a_file_is_written_whole(
    world: World,
) -> None:
    report = world.folder / "report.md"
    assert shown(world, "--format", "markdown", "--output", report) == ""
    text = report.read_text()
    assert str(world.folder) not in text
    assert "~/given.txt" in text
    kept = shown(world, "--format", "markdown", "--no-redact")
    assert str(world.folder / "given.txt") in kept


def test_quiet_shows_a_refusal_and_nothing_else(world: World) -> None:
    ran = run(world, "--quiet")
    assert ran.returncode == 2
    assert ran.stderr == ""
    assert "CPG503" in ran.stdout


def test_what_is_wrong_is_told_all_at_once_before_the_environment_is_examined(
    world: World,
) -> None:
    data = json.loads(shown(world, "--format", "json", "--python", "/no/such/python"))
    codes = [each["code"] for each in data["findings"] if each["severity"] == "error"]
    assert codes == ["CPG502", "CPG503"]
    assert data["patient"]["python"] is None
