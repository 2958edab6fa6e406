"""Every code has a page, a family, and a name of its own."""

from __future__ import annotations

import re

import pytest

from cpgpt_doctor import catalogue, explain, pages
from cpgpt_doctor.commands.check import codes
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.words import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.mark.parametrize("code", pages.codes())
def test_a_page_has_its_name_below_its_title_in_both_languages(code: str) -> None:
    english, chinese = (pages.source(code, language).splitlines()[1] for language in LANGUAGES)
    assert english == chinese == f"<!-- {catalogue.name(code)} -->"


def test_names_are_unique_and_kebab_case_and_no_codes() -> None:
    names = [each.name for each in catalogue.entries().values()]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)+", name), name


def test_every_entry_belongs_to_a_family() -> None:
    listed = [each for _, entries in catalogue.families() for each in entries]
    assert listed == list(catalogue.entries().values())
    for each in listed:
        assert each.family in catalogue.FAMILIES.values()


@pytest.mark.parametrize("written", ["CPG201", "cpg201", "unpicklable-dataset"])
def test_a_rule_is_explained_by_its_code_and_by_its_name(written: str) -> None:
    assert explain.page(written, "zh") == pages.read("CPG201", "zh").text


def test_a_name_that_is_nearly_one_is_suggested() -> None:
    with pytest.raises(InputError, match="did you mean unpicklable-dataset"):
        explain.page("unpickleable-dataset", "en")


def test_rules_are_selected_by_code_by_its_beginning_and_by_name() -> None:
    assert codes("CPG201, cpg3,Worker-Guard-Gap") == ("CPG201", "CPG3", "CPG206")
