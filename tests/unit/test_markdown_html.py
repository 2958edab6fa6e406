"""The Markdown and HTML reports, read back by parsers that did not write them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Check, Finding, Judged, Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.report import Report, exit_code
from cpgpt_doctor.reports import html, markdown, view
from cpgpt_doctor.reports.view import View
from cpgpt_doctor.rules.registry import judge
from cpgpt_doctor.words import Language
from tests.machines import recorded

LANGUAGES: tuple[Language, Language] = ("en", "zh")
HOSTILE = (
    "Error: <script>alert(1)</script> <img src=x onerror=alert(2)> a|b ``` c ````\n"
    "```\n# not a heading\n\x1b[31mred\x1b[0m [x](javascript:alert(3)) ![y](http://evil.example/)"
    " *em* __init__ &lt; </code></pre></details>\n- item\n1. one\n| a | b |\n|---|---|\r\n~~~"
)


def report(facts: Facts, **settings: object) -> Report:
    intent = Intent(**settings)  # type: ignore[arg-type]
    judged = judge(facts, intent)
    return Report(facts, intent, resolve(intent, facts), judged, exit_code(judged, Severity.error))


def with_finding(base: Report, finding: Finding) -> Report:
    """The report with one finding in place of all."""
    return replace(
        base, judged=(Judged(finding.code, Check("finding", finding.title, (finding,))),)
    )


def hostile() -> dict[Language, View]:
    """A recorded finding into every text of which a hostile one was put."""
    return {language: with_hostile_texts(fix_document(language)) for language in LANGUAGES}


def with_hostile_texts(base: View) -> View:
    first = base.findings[0]
    assert first.location
    remedy = PageRemedy(
        "CPG201.main-process", "recommended", HOSTILE, HOSTILE, HOSTILE, HOSTILE,
        (HOSTILE,), (HOSTILE,), (HOSTILE,), HOSTILE,
    )  # fmt: skip
    finding = replace(
        first,
        title=HOSTILE,
        causes=(HOSTILE, "1. one", "- two", "# three"),
        remedies=(remedy,),
        error=HOSTILE,
        culprits=(view.Culprit(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        seen=(view.Seen(HOSTILE, HOSTILE, HOSTILE),),
        location=replace(first.location, path=HOSTILE, call=HOSTILE),
        verify=(HOSTILE,),
        expected=HOSTILE,
        cost=HOSTILE,
    )
    return replace(base, findings=(finding,))


def machine_of_the_fix_document() -> Report:
    """CPG201 alone, on the fix document's machine: every part has something to say."""
    base = report(recorded.mac(recorded.linux_old()))
    return with_finding(base, next(each for each in base.findings if each.code == "CPG201"))


def fix_document(language: Language) -> View:
    return view.of(machine_of_the_fix_document(), language)


def in_english(facts: Facts, **settings: object) -> View:
    return view.of(report(facts, **settings), "en")


REPORTS = {
    "linux": lambda: report(recorded.linux_new()),
    "mac": lambda: report(recorded.mac(recorded.linux_old())),
    "windows": lambda: report(recorded.windows(recorded.linux_new())),
    "python 3.14": lambda: report(recorded.python_314(recorded.linux_new())),
    "run-embed": lambda: report(recorded.mac(recorded.linux_old()), via="run-embed"),
    "nothing found": lambda: replace(report(recorded.linux_new()), judged=()),
}


def views(name: str) -> dict[Language, View]:
    return hostile() if name == "hostile" else view.in_each_language(REPORTS[name]())


@pytest.fixture(params=[*REPORTS, "hostile"])
def any_report(request: pytest.FixtureRequest) -> dict[Language, View]:
    return views(request.param)


# Markdown


def parse(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text)


def headings(text: str) -> list[tuple[int, str]]:
    return [
        (int(token.tag[1]), inline.content)
        for token, inline in pairwise(parse(text))
        if token.type == "heading_open"
    ]


def fences(text: str) -> list[str]:
    return [token.content for token in parse(text) if token.type == "fence"]


def inlines(text: str) -> Iterator[Token]:
    for token in parse(text):
        yield from token.children or ()


def test_the_fix_documents_parts_come_in_its_order_with_its_signs() -> None:
    found = headings(markdown.render(fix_document("zh")))
    assert [title for level, title in found if level == 3] == [
        "🔍 问题分析",
        "✅ 解决方案",
        "🧪 验证修复",
        "🎯 性能影响",
        "🐛 相关问题",
        "📚 技术背景",
        "✨ 最佳实践",
        "🔗 相关资源",
    ]
    assert [title for level, title in found if level == 2][1:] == ["📋 检查清单", "🎉 总结"]
    under_analysis = [title for level, title in found if level == 4][:6]
    assert under_analysis == [
        "错误信息",
        "错误位置",
        "根本原因",
        "问题对象",
        "检测结果",
        "技术细节",
    ]


def test_it_is_filled_with_what_was_seen_on_this_machine() -> None:
    text = markdown.render(fix_document("en"), date="2026-11-23")
    assert fences(text)[0] == "TypeError: cannot pickle 'BufferedReader' instances\n"
    assert "DataLoader(dataset, num_workers=8)  # ❌\n" in fences(text)
    for name in ("file", "lock", "key_function", "filt_function"):
        assert f"| `dataset.genome.faidx.{name}` |" in text
    head = text.partition("\n## ")[0]
    for expected in ("2026-11-23", "CPython 3.13.0", "CpGPT 0.0.7", "torch 2.6.0", "spawn"):
        assert expected in head
    assert "**Date**" not in markdown.render(fix_document("en"))


def test_the_checklist_has_what_to_do_and_what_is_well() -> None:
    text = markdown.render(in_english(recorded.mac(recorded.linux_old())))
    checklist = text.partition("## 📋 Checklist\n")[2].partition("\n## ")[0]
    assert "- [ ] CPG201: load in the main process, with num_workers=0" in checklist
    assert "- [ ] CPG201: verified with `cpgpt-doctor check --num-workers 0`" in checklist
    assert "- [x] CPG202: " in checklist
    assert "- [x] CPG201" not in checklist
    treated = markdown.render(in_english(recorded.mac(recorded.linux_old()), via="run-embed"))
    assert "- [x] CPG201: " in treated


def test_what_two_findings_have_in_common_is_said_once() -> None:
    base = fix_document("en")
    finding = base.findings[0]
    text = markdown.render(replace(base, findings=(finding, replace(finding, code="CPG202"))))
    assert finding.cost
    assert text.count(markdown.text(finding.cost)) == 1
    assert text.count("As for CPG201.") > 1
    assert text.count("As remedy 1 of CPG201.") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_nest(any_report: dict[Language, View], language: Language) -> None:
    levels = [level for level, _ in headings(markdown.render(any_report[language]))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_both_languages_have_the_same_evidence_in_the_same_structure(
    any_report: dict[Language, View],
) -> None:
    """Pages have tests of their own, that hold their parts together."""
    documents = [
        "\n".join(
            f"## {number}\n\n{markdown.body(replace(finding, page={}), shown.labels, {})}"
            for number, finding in enumerate(shown.findings)
        )
        + "\n\n"
        + markdown.checklist(shown)
        for shown in any_report.values()
    ]
    english, chinese = ([token.type for token in parse(text)] for text in documents)
    assert english == chinese


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_have_as_many_cells_in_each_row(
    any_report: dict[Language, View], language: Language
) -> None:
    cells: list[int] = []
    for token in parse(markdown.render(any_report[language])):
        if token.type == "table_open":
            cells = []
        elif token.type == "tr_open":
            cells.append(0)
        elif token.type in ("th_open", "td_open"):
            cells[-1] += 1
        elif token.type == "table_close":
            assert len(cells) > 1
            assert len(set(cells)) == 1


def test_a_bar_in_evidence_stays_in_its_cell() -> None:
    culprit = view.Culprit("a|b", "kind", "c | d \\| e", "f|g")
    base = fix_document("en")
    finding = replace(base.findings[0], culprits=(culprit,), page={})
    text = markdown.body(finding, base.labels, {})
    row = [inline.content for cell, inline in pairwise(parse(text)) if cell.type == "td_open"]
    assert len(row) == 3
    shown = [
        "".join(child.content for child in inline.children or ())
        for cell, inline in pairwise(parse(text))
        if cell.type == "td_open"
    ]
    assert shown == ["a|b", "f|g", "c | d \\| e"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_evidence_is_text_in_markdown(language: Language) -> None:
    text = markdown.render(hostile()[language])
    tokens = parse(text)
    assert not [token for token in tokens if token.type == "html_block"]
    assert not [child for child in inlines(text) if child.type in ("html_inline", "image")]
    links = [str(child.attrGet("href")) for child in inlines(text) if child.type == "link_open"]
    assert all(link.startswith("https://") for link in links)
    assert not [child for child in inlines(text) if child.type == "em_open"]
    shown = [
        "".join(child.content for child in inline.children or ())
        for token, inline in pairwise(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    assert " ".join(HOSTILE.replace("\x1b", "\ufffd").split()) in shown[0]
    errors = [block for block in fences(text) if block.startswith("Error: <script>")]
    assert len(errors) >= 4
    assert all("# not a heading" in block for block in errors)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "plain",
    [
        "1. one",
        "2) two",
        "- item",
        "+ item",
        "* item",
        "> quoted",
        "# heading",
        "=== ",
        "---",
        "a_b __init__ _c_ *args **kwargs",
        "~/x ~~y~~ <b> &amp; `code` [a](b) \\ $x$ 1.2.3",
    ],
)
def test_text_reads_as_it_is(plain: str) -> None:
    (opening, inline, _) = parse(markdown.text(plain))
    assert opening.type == "paragraph_open"
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or ()) == plain.strip()


# HTML


def tree(text: str) -> Element:
    """The page, read by a parser that refuses what is not valid HTML 5."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    document: Element = parser.parse(text)
    return document


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest, any_report: dict[Language, View]) -> Element:
    return tree(html.render(any_report, request.param, date="2026-11-23"))


def test_nothing_is_loaded(page: Element) -> None:
    for element in page.iter():
        assert element.tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert "src" not in element.attrib
        assert "style" not in element.attrib
        assert not [name for name in element.attrib if name.startswith("on")]
        if "href" in element.attrib:
            assert element.tag == "a"
            assert element.attrib["href"].startswith(("#", "https://"))
    style = "".join(page.find("head/style").itertext())  # type: ignore[union-attr]
    assert "url(" not in style
    assert "@import" not in style


def test_ids_are_unique_and_everything_that_points_to_one_finds_it(page: Element) -> None:
    ids = [element.attrib["id"] for element in page.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    targets = [e.attrib["for"] for e in page.iter("label") if "for" in e.attrib]
    targets += [e.attrib["href"][1:] for e in page.iter("a") if e.attrib["href"].startswith("#")]
    assert {"language-en", "language-zh"} <= set(targets)
    assert set(targets) <= set(ids)


def test_both_languages_are_in_the_page_with_the_same_parts(
    any_report: dict[Language, View],
) -> None:
    page = tree(html.render(any_report, "en"))
    english, chinese = page.iter("article")
    assert english.attrib["lang"] == "en"
    assert chinese.attrib["lang"] == "zh-CN"
    assert "问题分析" not in "".join(english.itertext())
    for tag in ("details", "section", "h1", "h2"):
        assert len(list(english.iter(tag))) == len(list(chinese.iter(tag)))
    if any_report["en"].findings:
        assert "问题分析" in "".join(chinese.itertext())


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_the_page_starts_in_the_language_asked_for(language: Language, tag: str) -> None:
    page = tree(html.render(view.in_each_language(machine_of_the_fix_document()), language))
    assert page.attrib["lang"] == tag
    checked = [
        element.attrib["id"]
        for element in page.iter("input")
        if element.attrib["type"] == "radio" and "checked" in element.attrib
    ]
    assert checked == [f"language-{language}"]


def test_errors_are_open_and_the_rest_folds() -> None:
    page = tree(html.render(views("mac"), "en"))
    opened = {each.attrib["class"]: "open" in each.attrib for each in page.iter("details")}
    assert opened == {"error": True, "warning": False, "note": False}


def test_headings_of_the_page_do_not_leave_out_a_level(page: Element) -> None:
    for article in page.iter("article"):
        levels = [int(e.tag[1]) for e in article.iter() if re.fullmatch("h[1-6]", str(e.tag))]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_code_block_has_a_button_that_hides_without_script(page: Element) -> None:
    blocks = [e for e in page.iter("div") if e.attrib.get("class") == "block"]
    assert len(blocks) == len(list(page.iter("pre")))
    for block in blocks:
        (button,) = block.iter("button")
        assert "hidden" in button.attrib
        assert (button.text or "").strip()


def test_hostile_evidence_is_text_in_html() -> None:
    page = tree(html.render(hostile(), "en"))
    assert len(list(page.iter("script"))) == 1
    codes = ["".join(code.itertext()) for code in page.iter("code")]
    assert any(code.startswith("Error: <script>alert(1)</script>") for code in codes)
    title = next(page.iter("summary"))
    assert [element.tag for element in title.iter()] == ["summary", "h2"]


# A real browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MEASURE = """\
addEventListener("load", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  const shown = [...document.querySelectorAll("article")].filter((each) => each.offsetHeight);
  const buttons = [...document.querySelectorAll(".block button")].filter((each) => !each.hidden);
  const width = document.documentElement.scrollWidth;
  const said = [innerWidth, width, shown.map((each) => each.lang), buttons.length].join(" ");
  parent.postMessage(said, "*");
});
"""
# Chromium's own window is never narrower than 500 pixels; a frame is.
FRAME = """\
<!DOCTYPE html><title>nothing heard</title>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>
<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("name", ["mac", "hostile"])
def test_in_a_browser_one_language_is_shown_and_nothing_is_wider_than_the_screen(
    tmp_path: Path, language: Language, width: int, name: str
) -> None:
    text = html.render(views(name), language)
    measured = html.SCRIPT + MEASURE  # the page's policy runs only the script that it names
    text = text.replace(html.SCRIPT, measured).replace(
        html.digest(html.SCRIPT), html.digest(measured)
    )
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    ran = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,1000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    found = re.search(r"<title>(\d+) (\d+) ([\w,-]*) (\d+)</title>", ran.stdout)
    assert found, ran.stdout + ran.stderr
    inner_width, scroll_width, shown, buttons = found.groups()
    assert int(inner_width) == width
    assert int(scroll_width) <= width
    assert shown == {"en": "en", "zh": "zh-CN"}[language]
    assert int(buttons) > 0
