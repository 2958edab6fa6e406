"""README and docs/: links lead somewhere, every page is linked, README's excerpts are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cpgpt_doctor import cli

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)")
BLOCK = re.compile(r"```text\n(.*?)\n```\n", re.DOTALL)
LEFT_OUT = "[...]"


def local_links(path: Path) -> list[Path]:
    found = LINK.findall(path.read_text(encoding="utf-8"))
    return [path.parent / each for each in found if "://" not in each]


@pytest.mark.parametrize("path", [README, *DOCS], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    assert [each for each in local_links(path) if not each.exists()] == []


def test_readme_links_every_page_of_docs() -> None:
    linked = {each.resolve() for each in local_links(README)}
    assert {each.resolve() for each in DOCS} <= linked


def test_readme_or_docs_name_every_command() -> None:
    said = "".join(each.read_text(encoding="utf-8") for each in (README, *DOCS))
    assert [each for each in cli.COMMANDS if f"cpgpt-doctor {each} " not in said] == []


def test_what_readme_shows_stands_whole_in_docs() -> None:
    whole = "".join(each.read_text(encoding="utf-8") for each in DOCS).splitlines()
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert len(blocks) == 2
    for block in blocks:
        lines = [each for each in block.splitlines() if each.strip() != LEFT_OUT]
        assert [each for each in lines if each not in whole] == []
