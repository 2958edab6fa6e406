"""The catalogue has every code that has a page, each with a name of its own."""

from __future__ import annotations

import re

import pytest

from cpgpt_doctor import catalogue, explain, pages
from cpgpt_doctor.cli import codes
from cpgpt_doctor.errors import InputError


def test_every_page_has_an_entry_and_every_entry_a_page() -> None:
    assert list(catalogue.CATALOGUE) == list(pages.codes())


def test_names_are_unique_and_kebab_case_and_no_codes() -> None:
    names = list(catalogue.NAMES.values())
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)+", name), name


def test_every_entry_belongs_to_a_family() -> None:
    listed = [each for _, entries in catalogue.families() for each in entries]
    assert listed == list(catalogue.CATALOGUE.values())
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
