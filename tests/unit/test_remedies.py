"""Pages own remedies: what a rule refers to is there, and all that is there is referred to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cpgpt_doctor import logs, pages, rules
from cpgpt_doctor.findings import Finding, Remedy
from cpgpt_doctor.rules import failures
from cpgpt_doctor.rules.data import dependencies
from cpgpt_doctor.words import Language
from tests.unit.test_rule_words import every_check, says_the_same

LANGUAGES: tuple[Language, ...] = ("en", "zh")
CODES = pages.codes()
LOGS = sorted((Path(__file__).parents[1] / "logs" / "known").iterdir())
# Remedies of which no finding of these tests makes use, and why their pages have them.
FOR_READERS: dict[tuple[str, str], str] = {
    ("CPG503", "new-folder"): "a store that was made with repeats is found by CPG506",
}


@cache
def findings() -> tuple[Finding, ...]:
    """Those of all machines and intents of the tests, and of all known logs."""
    told = [finding for check in every_check() for finding in check.findings]
    for path in LOGS:
        with path.open("rb") as stream:
            told += failures.judge(logs.read(stream, failures.WATCH)).findings
    return tuple(dict.fromkeys(told))


def references() -> Iterator[tuple[str, Remedy]]:
    """The code of a page, and what a finding refers to on it."""
    for finding in findings():
        for remedy in finding.remedies:
            yield remedy.page or finding.code, remedy


def test_each_remedy_of_a_finding_is_on_its_page_in_both_languages() -> None:
    seen = dict.fromkeys((code, remedy.id) for code, remedy in references())
    assert len(seen) > 10
    for code, name in seen:
        for language in LANGUAGES:
            assert name in pages.remedies(code, language), (code, name, language)


def test_each_remedy_of_a_page_is_a_findings_or_says_why_it_is_there() -> None:
    used = {(code, remedy.id) for code, remedy in references()}
    there = {(code, name) for code in CODES for name in pages.remedies(code, "en")}
    # Those of whole folders are found on real ones, in test_dependencies.py.
    folders = set(strings(Path(dependencies.__file__)))
    used |= {(code, name) for code, name in there if {code, name} <= folders}
    assert there - used == set(FOR_READERS)
    assert all(FOR_READERS.values())


def strings(path: Path) -> Iterator[str]:
    """Every text of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_values_have_placeholders_and_say_the_same_in_both_languages() -> None:
    for code, remedy in references():
        names = pages.remedies(code, "en")[remedy.id].placeholders
        for name, words in remedy.values:
            assert name in names, (code, remedy.id, name)
            says_the_same(words)
    for finding in findings():
        names = set(of_the_finding(finding.code, "en"))
        for name, words in finding.values:
            assert name in names, (finding.code, name)
            says_the_same(words)


def of_the_finding(code: str, language: Language) -> dict[str, str]:
    """The placeholders of what a page says of verification and of cost."""
    verification = pages.verification(code, language)
    return pages.placeholders(
        "\n".join((*verification.commands, verification.expected, pages.cost(code, language) or ""))
    )


@pytest.mark.parametrize("code", CODES)
def test_remedies_are_the_same_ones_in_both_languages(code: str) -> None:
    english, chinese = (pages.remedies(code, language) for language in LANGUAGES)
    assert list(english) == list(chinese)
    for one, other in zip(english.values(), chinese.values(), strict=True):
        assert one.advice == other.advice
        assert (one.before, one.after, one.commands) == (other.before, other.after, other.commands)
        assert len(one.gains) == len(other.gains)
        assert len(one.drawbacks) == len(other.drawbacks)
        assert bool(one.warning) == bool(other.warning)
        assert bool(one.why) == bool(other.why)
        assert one.placeholders == other.placeholders
    assert set(of_the_finding(code, "en")) == set(of_the_finding(code, "zh"))


@pytest.mark.parametrize("code", CODES)
def test_a_placeholder_has_one_default_on_a_page(code: str) -> None:
    """Where it is code or a number; in a sentence it may be words."""
    for language in LANGUAGES:
        for remedy in pages.remedies(code, language).values():
            found = re.findall(r"\[\[(\w+)=(.*?)\]\]", repr(remedy))
            assert len(dict(found)) == len(set(found)), found


@pytest.mark.parametrize("code", CODES)
def test_each_remedy_has_an_id_and_a_gain_or_a_reason(code: str) -> None:
    for language in LANGUAGES:
        text = pages.source(code, language)
        headings = re.findall(rf"(?m)^{pages.REMEDY.say(language)}$", text)
        assert len(pages.remedies(code, language)) == len(headings)
        for remedy in pages.remedies(code, language).values():
            assert remedy.why or remedy.gains, remedy.id
            if remedy.advice != "not-recommended":  # of what one does anyway, nothing comes after
                assert remedy.before is None or remedy.after is not None, remedy.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_a_page_that_is_read_shows_no_ids_and_no_placeholders(
    code: str, language: Language
) -> None:
    text = pages.read(code, language).text
    assert "<!--" not in text
    assert "[[" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_remedies_are_read_as_a_markdown_parser_reads_them(code: str, language: Language) -> None:
    """Ours reads line by line, and knows no more of Markdown than pages use."""
    tokens = MarkdownIt().parse(pages.raw_parts(code, language).get("remedies", ""))
    first = next((n for n, token in enumerate(tokens) if token.type == "heading_open"), len(tokens))
    blocks = [token.content.rstrip("\n") for token in tokens if token.type == "fence"]
    spoken = ["".join(map(shown, token.children or ())) for token in tokens[first:]]
    remedies = pages.remedies(code, language).values()
    python = [each for remedy in remedies for each in (remedy.before, remedy.after) if each]
    commands = [each for remedy in remedies for each in remedy.commands]
    assert sorted((*python, *commands)) == sorted(
        each
        for block, info in zip(blocks, infos(tokens), strict=True)
        for each in (block.splitlines() if info == "bash" else [block])
    )
    said = "".join(
        "".join(text.split())
        for remedy in remedies
        for text in (
            *(f"✅{gain}" for gain in remedy.gains),
            *(f"⚠️{drawback}" for drawback in remedy.drawbacks),
            f"❌{remedy.warning}",
            remedy.title,
            remedy.why,
        )
    )
    labels = [words.say(language) for words in (pages.BEFORE, pages.AFTER, pages.RUN)]
    for text in spoken:
        heading = re.fullmatch(pages.REMEDY.say(language).removeprefix("### "), text)
        plain = heading[1] if heading else text
        if not any(plain.startswith(label) for label in labels):
            assert "".join(plain.split()) in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_that_go_into_a_folder_come_back(language: Language) -> None:
    """What follows has paths from where the reader was."""
    blocks = [
        remedy.commands
        for code in CODES
        for remedy in pages.remedies(code, language).values()
        if any(each.startswith("cd ") for each in remedy.commands)
    ]
    assert blocks
    assert {each[-1] for each in blocks} == {"cd -"}


def shown(token: Token) -> str:
    return "" if token.type == "softbreak" else token.content


def infos(tokens: list[Token]) -> list[str]:
    return [token.info.split()[0] for token in tokens if token.type == "fence"]


def test_no_rule_has_the_text_of_a_remedy() -> None:
    """What a call of Remedy may say: an id, a page, values and an advice."""
    for path in sorted(Path(rules.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Remedy":
                assert len(node.args) <= 3, f"{path.name}:{node.lineno}"
                assert {each.arg for each in node.keywords} <= {"page", "values", "advice"}
