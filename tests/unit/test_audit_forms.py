"""An audit is reported in every form, with the sentence about confidence and the law in each."""

from __future__ import annotations

import io
import json
import re
from importlib import resources

import jsonschema
import pytest

from cpgpt_doctor.audit.report import judged
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.report import Report
from cpgpt_doctor.reports import (
    github,
    html,
    json_report,
    junit,
    markdown,
    sarif,
    terminal,
    view,
)
from cpgpt_doctor.reports.console import Clean
from cpgpt_doctor.words import Language
from tests import seen, seen_audits

SCHEMA = json.loads(
    resources.files("cpgpt_doctor.reports").joinpath("check.schema.json").read_text()
)
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def report(audit: object) -> Report:
    return judged(Facts(store=seen.STORE, audit=audit))  # type: ignore[arg-type]


def forms(told: Report, language: Language) -> dict[str, str]:
    said = view.of(told, language)
    shown = io.StringIO()
    terminal.render(said, Clean(file=shown, width=1000, highlight=False, markup=False))
    return {
        "terminal": shown.getvalue(),
        "markdown": markdown.render(said),
        "html": html.render({"en": view.of(told, "en"), "zh": view.of(told, "zh")}, language),
        "json": json_report.render(said),
        "sarif": sarif.render(said),
        "junit": junit.render(said, Severity.error),
        "github": github.render(said),
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_form_names_the_rule_and_the_people_are_told_the_law_and_the_bound(
    language: Language,
) -> None:
    told = report(seen_audits.EVERY_ROW)
    assert told.exit_code == 1
    for name, text in forms(told, language).items():
        plain = re.sub(r"\\(.)", r"\1", text)  # Markdown's escapes
        assert "CPG519" in plain, name
        if name not in ("sarif", "junit", "github"):
            assert "929,770" in plain, name
            assert seen_audits.HUMAN in plain, name
            assert "99 %" in plain, name


def test_json_has_the_schema_of_check() -> None:
    for audit in (*seen_audits.WELL, *(each for _, each in seen_audits.WRONG)):
        data = json.loads(json_report.render(view.of(report(audit), "en")))
        jsonschema.Draft202012Validator(SCHEMA).validate(data)


def test_a_store_that_is_well_is_called_neither_safe_nor_a_call() -> None:
    shown = forms(report(seen_audits.NONE), "en")["terminal"]
    assert shown.rstrip().endswith("Nothing found.")
    assert "judged rows" in shown
    assert "drawn with --seed 7" in shown
    assert "parse_dna_embeddings" not in shown
    assert "none of 300 wrong: with 95 % confidence fewer than 1 % are" in shown


def test_no_rule_is_judged_twice() -> None:
    for audit in (seen_audits.NONE, seen_audits.EVERY_ROW):
        codes = [each.code for each in report(audit).judged]
        assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_command_is_one_line_of_a_terminal_however_narrow(language: Language) -> None:
    """Broken by the report, it could not be run as it is copied."""
    told = report(seen_audits.EVERY_ROW)
    said = view.of(told, language)
    shown = io.StringIO()
    terminal.render(said, Clean(file=shown, width=40, highlight=False, markup=False))
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    commands = [
        command
        for finding in said.findings
        for command in (*finding.verify, *(c for each in finding.remedies for c in each.commands))
    ]
    assert max(map(len, commands)) > 40
    for command in commands:
        assert any(line.endswith(f"$ {command}") for line in lines), command
