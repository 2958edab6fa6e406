"""The picture of an audit: each row has its place, and its shape tells what it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args
from xml.etree import ElementTree

import pytest

from cpgpt_doctor.audit.report import judged
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.audit import AuditedRow, AuditFacts, Verdict
from cpgpt_doctor.reports import html, view
from cpgpt_doctor.reports.audit_picture import LEFT, SIDE, TOP, picture, shape
from cpgpt_doctor.words import Language
from tests import seen, seen_audits

NAMESPACE = "{http://www.w3.org/2000/svg}"
ROWS = tuple(
    AuditedRow(f"1:{number}<", number, verdict, 10.0 ** -(number % 9), 0.5)
    for number, verdict in enumerate(get_args(Verdict))
)
AUDIT = replace(seen_audits.NONE, rows=ROWS)


def marks(audit: AuditFacts) -> list[ElementTree.Element]:
    return ElementTree.fromstring(picture(audit, "en")).findall(f"{NAMESPACE}g")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_svg_that_loads_nothing_and_has_a_mark_for_each_row(language: Language) -> None:
    text = picture(AUDIT, language)
    root = ElementTree.fromstring(text)
    assert len(root.findall(f"{NAMESPACE}g")) == len(ROWS)
    assert not re.search(r"href|url\(|style|script|#[0-9a-f]{3}", text)
    said = [each.text or "" for each in root.iter(f"{NAMESPACE}text")]
    assert any(re.search("[\u4e00-\u9fff]", each) for each in said) == (language == "zh")


def test_each_mark_looks_other_than_the_rest_without_colour() -> None:
    kinds = ("circle", "disc", "cross", "triangle", "square", "plus", "diamond")
    assert len({shape(kind, 5, 5) for kind in kinds}) == len(kinds)


def test_equal_rows_stand_at_the_left_end_and_infinite_ones_at_the_right() -> None:
    ends = (
        AuditedRow("1:1", 1, "own", 0.0, 0.5),
        AuditedRow("1:2", 2, "own", 10.0, 1e-20),
        AuditedRow("1:3", 3, "own", None, None),
    )
    first, second = (each.find(f"{NAMESPACE}circle") for each in marks(replace(AUDIT, rows=ends)))
    assert first is not None
    assert second is not None
    assert float(first.attrib["cx"]) == LEFT
    assert float(second.attrib["cx"]) == LEFT + SIDE
    assert float(second.attrib["cy"]) == TOP + SIDE


def test_where_no_distance_is_known_there_is_no_picture() -> None:
    assert picture(replace(AUDIT, rows=()), "en") == ""


def test_the_page_has_the_picture_in_both_languages() -> None:
    report = judged(Facts(store=seen.STORE, audit=AUDIT))
    page = html.render(view.in_each_language(report), "en")
    assert page.count("<svg ") == 2
    assert "1:0&lt;" in page


def test_names_of_any_characters_are_shown_as_text() -> None:
    """An index that somebody else made can hold anything."""
    name = "1:\x00\x1b[31m\x0b</title><script>\"&'"
    (row,) = marks(replace(AUDIT, rows=(replace(ROWS[0], location=name, owner=name),)))
    (title,) = row.findall(f"{NAMESPACE}title")
    shown = "1:\ufffd\ufffd[31m </title><script>\"&'"
    assert title.text == f"{shown} (its own): {shown}"
