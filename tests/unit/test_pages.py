"""Pages and rules belong together, and what a page says can be tried."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import cpgpt_doctor
from cpgpt_doctor import explain, pages
from cpgpt_doctor.cli import parser
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.failures import FAILURES
from cpgpt_doctor.rules.registry import all_rules, judge
from cpgpt_doctor.words import Language
from tests.conftest import HERE, PATIENTS, World
from tests.environment import clean_environment
from tests.machines import recorded

LANGUAGES: tuple[Language, ...] = ("en", "zh")
CODES = pages.codes()
REQUIRED = {"analysis", "cause", "verify", "links", "summary"}
SUBPARTS = {"error", "place", "cause", "details"}
ADVICE = {"推荐": "recommended", "可行": "possible", "不推荐": "not recommended"}
# What a page's code is run with; CpGPT 0.0.13 and the platform's start method where not said.
CIRCUMSTANCES = {
    "CPG103": ("0.0.13", "forkserver"),
    "CPG201": ("0.0.13", "forkserver"),
    "CPG202": ("0.0.13", "fork"),
    "CPG203": ("0.0.7", ""),
    "CPG206": ("0.0.13", "forkserver"),
    "CPG207": ("0.0.13", "forkserver"),
    "CPG208": ("0.0.13", "fork"),
}


@dataclass(frozen=True)
class Block:
    language: str
    words: tuple[str, ...]
    text: str


def blocks(text: str) -> list[Block]:
    found = []
    for token in MarkdownIt().parse(text):
        assert token.type != "code_block", "code is fenced"
        if token.type == "fence":
            first, *rest = token.info.split() or [""]
            found.append(Block(first, tuple(rest), token.content))
    return found


def headings(text: str) -> list[tuple[str, str]]:
    tokens = MarkdownIt().parse(text)
    return [
        (token.tag, inline.content)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open"
    ]


def without_comments(code: str) -> str:
    return re.sub(r"\s*#.*", "", code)


def part_of(heading: str, language: Language) -> str | None:
    return next((n for n, words in pages.PARTS.items() if words.say(language) == heading), None)


def strings(path: Path) -> Iterator[str]:
    """Every text in a file; an expression in a text is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {
        id(p) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for p in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values
            )


def codes_in(texts: Iterator[str]) -> set[str]:
    return {code for text in texts for code in re.findall(r"CPG\d{3}", text)}


def codes_of_readme() -> set[str]:
    """The codes that README and docs/ name, those in their tables' column `rule` without their
    letters, too."""
    files = [HERE.parent / "README.md", *sorted((HERE.parent / "docs").glob("*.md"))]
    text = "\n".join(each.read_text(encoding="utf-8") for each in files)
    found = codes_in(iter([text]))
    column = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if "rule" in cells:
            column = cells.index("rule")
        elif len(cells) == 1:
            column = None
        elif column is not None:
            found |= {f"CPG{number}" for number in re.findall(r"\d{3}", cells[column])}
    return found


PACKAGE = Path(cpgpt_doctor.__file__).parent
JUDGED = {rule.code for rule in all_rules()} | {failure.code for failure in FAILURES}


def test_each_rule_has_a_page_in_both_languages_and_each_page_a_rule() -> None:
    # A line of run-embed's plan names no other.
    assert codes_in(strings(PACKAGE / "embed" / "plan.py")) <= JUDGED
    for language in LANGUAGES:
        folder = Path(pages.__file__).parent / language
        assert {path.stem for path in folder.glob("*.md")} == JUDGED


def test_every_code_that_a_message_or_the_readme_names_can_be_explained() -> None:
    said = codes_of_readme()
    assert {"CPG201", "CPG521", "CPG524"} <= said
    said |= codes_in(text for path in PACKAGE.rglob("*.py") for text in strings(path))
    for code in said:
        for language in LANGUAGES:
            assert explain.page(code, language).startswith(f"# {code} · ")


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of cpgpt-doctor in the shell code of a page."""
    for block in blocks(text):
        if block.language == "bash":
            for line in block.text.splitlines():
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:
                    words.pop(0)
                if words[:1] == ["cpgpt-doctor"]:
                    ends = [at for at, word in enumerate(words) if re.match(r"[|&;<>]|2>", word)]
                    yield words[1 : ends[0]] if ends else words[1:]


@pytest.mark.parametrize("code", CODES)
def test_the_commands_of_a_page_are_ones_that_cpgpt_doctor_takes(code: str) -> None:
    for arguments in commands(pages.read(code, "en").text):
        parser().parse_args(arguments)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_parts_of_the_fix_document_in_their_order(
    code: str, language: Language
) -> None:
    page = pages.read(code, language)
    (first, title), *rest = headings(page.text)
    assert first == "h1"
    assert title == f"{code} · {page.title}"
    assert page.title
    names = []
    inside = ""
    for tag, heading in rest:
        name = part_of(heading, language)
        if name is None:
            assert inside == "remedies", heading
            assert tag == "h3"
            continue
        assert tag == ("h3" if name in SUBPARTS else "h2"), heading
        inside = name if tag == "h2" else inside
        names.append(name)
    assert set(names) >= REQUIRED
    order = list(pages.PARTS)
    assert names == sorted(set(names), key=order.index)
    assert all(page.parts[name] for name in names if name not in ("analysis", "remedies"))


@pytest.mark.parametrize("code", CODES)
def test_both_languages_say_the_same_things(code: str) -> None:
    english, chinese = (pages.read(code, language) for language in LANGUAGES)
    assert list(english.parts) == list(chinese.parts)
    shared = [
        [(block.language, block.words, without_comments(block.text)) for block in blocks(page.text)]
        for page in (english, chinese)
    ]
    assert shared[0] == shared[1]
    links = [set(re.findall(r"\]\((\S+)\)", page.text)) for page in (english, chinese)]
    assert links[0] == links[1]
    advice = [re.findall(r"^### Remedy \d+: .*\((.+)\)$", english.text, re.M)]
    words = re.findall(r"^### 方案 \d+：.*（(.+)）$", chinese.text, re.M)
    advice.append([ADVICE[word] for word in words])
    assert advice[0] == advice[1]
    codes = [set(re.findall(r"CPG\d{3}", page.text)) for page in (english, chinese)]
    assert codes[0] == codes[1]
    assert re.search(r"[\u4e00-\u9fff]", chinese.title)
    assert not re.search(r"[\u4e00-\u9fff]", without_comments(english.text))


@pytest.mark.parametrize("code", CODES)
def test_the_code_of_a_page_parses(code: str) -> None:
    for block in blocks(pages.read(code, "zh").text):
        assert block.language in ("text", "python", "bash", "toml", "yaml"), block
        assert set(block.words) <= {"before", "after", "run"}
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "bash":
            ran = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True)
            assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("code", CODES)
def test_links_are_whole_and_lead_to_pages_of_the_package(code: str) -> None:
    text = pages.read(code, "en").text
    assert all(link.startswith("https://") for link in re.findall(r"\]\((\S+)\)", text))
    assert set(re.findall(r"CPG\d{3}", text)) <= set(CODES)


def test_remedies_of_findings_are_there_where_a_page_has_some() -> None:
    """A finding that is an error or a warning leaves nobody without a way out."""
    for facts in (recorded.linux_new(), recorded.linux_old()):
        for method in ("fork", "spawn", "forkserver"):
            for each in judge(facts, Intent(start_method=method)):
                for finding in each.check.findings:
                    if finding.severity > Severity.note:
                        assert finding.remedies, finding.code
                        assert "remedies" in pages.read(finding.code, "en").parts


RUN = [
    (code, block)
    for code in CODES
    for block in blocks(pages.read(code, "en").text)
    if "run" in block.words
]


@pytest.mark.parametrize("release", ["0.0.13", "0.0.7"])
def test_before_really_fails_and_after_really_works(
    world: World, tmp_path: Path, release: str
) -> None:
    chosen = [each for each in RUN if CIRCUMSTANCES.get(each[0], ("0.0.13", ""))[0] == release]
    assert chosen
    request = {
        "out": str(tmp_path / "raised.json"),
        "blocks": [
            {
                "code": block.text,
                "start_method": CIRCUMSTANCES.get(code, ("", ""))[1],
                "dependencies": str(world.dependencies(f"page-{release}-{number}")),
            }
            for number, (code, block) in enumerate(chosen)
        ],
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    ran = subprocess.run(
        [PATIENTS[release], HERE / "read_page_blocks.py", tmp_path / "request.json"],
        env=clean_environment(**world.variables),
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    results = json.loads((tmp_path / "raised.json").read_text())
    for (code, block), raised in zip(chosen, results, strict=True):
        if "before" in block.words:
            known = pages.read(code, "en").parts["error"]
            lines = [line for each in blocks(known) for line in each.text.splitlines() if line]
            assert raised is not None, f"{code}: {block.text}"
            assert any(same_error(line, raised) for line in lines), f"{code}: {raised}"
        else:
            assert raised is None, f"{code}: {block.text}: {raised}"


def same_error(written: str, raised: str) -> bool:
    """Whether a page's line is what was raised; `…` and names in brackets stand for anything."""
    first = raised.splitlines()[0]
    pattern = ".*".join(map(re.escape, re.split(r"…|\.\.\.|0x[0-9a-f]+", written.strip())))
    return re.match(pattern, first) is not None or first in written


def doctor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cpgpt_doctor", *arguments],
        env=clean_environment(**variables),
        capture_output=True,
        encoding="utf-8",
    )


def test_explain_shows_a_page_and_its_markdown() -> None:
    raw = doctor("explain", "cpg201", "--format", "markdown", "--lang", "zh")
    assert raw.stdout == pages.read("CPG201", "zh").text
    shown = doctor("explain", "CPG201", LANG="en_US.UTF-8", LC_ALL="en_US.UTF-8", COLUMNS="80")
    assert shown.returncode == 0
    assert "cannot pickle 'BufferedReader' instances" in shown.stdout
    assert "## " not in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())


def test_explain_without_a_code_lists_every_page() -> None:
    listed = doctor("explain", "--format", "markdown", "--lang", "en").stdout
    for code in CODES:
        assert f"- `{code}` {pages.read(code, 'en').title}" in listed


def test_explain_refuses_a_code_that_is_none_in_one_line() -> None:
    ran = doctor("explain", "CPG21")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "did you mean CPG" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_the_language_is_the_locales() -> None:
    for value, language in (("zh_CN.UTF-8", "zh"), ("de_DE.UTF-8", "en"), ("C", "en")):
        shown = doctor("explain", "CPG204", "--format", "markdown", LC_ALL=value).stdout
        assert shown == pages.read("CPG204", language).text  # type: ignore[arg-type]
