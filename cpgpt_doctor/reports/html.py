"""The report as one self-contained HTML file, in both languages.

It has the parts of the Markdown report, which are turned into HTML here; raw HTML in them stays
text. Nothing is loaded, and without its script the page lacks its copy buttons only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from cpgpt_doctor.findings import Severity
from cpgpt_doctor.reports import markdown
from cpgpt_doctor.reports.audit_picture import BESIDE, picture
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.view import Finding, View
from cpgpt_doctor.words import Language

LANGUAGES: tuple[tuple[Language, str, str], ...] = (
    ("en", "English", "en"),
    ("zh", "中文", "zh-CN"),
)
# Where a page may not write to the clipboard (no HTTPS, or refused), the text is selected.
SCRIPT = """\
for (const button of document.querySelectorAll(".block button")) {
  const text = button.parentElement.querySelector("code");
  const select = () => {
    getSelection().selectAllChildren(text);
    button.textContent = button.dataset.selected;
  };
  const copied = () => { button.textContent = button.dataset.copied; };
  button.hidden = false;
  button.addEventListener("click", () => {
    if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(copied, select);
    else select();
  });
}
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
});
"""


def render(views: Mapping[Language, View], language: Language, *, date: str | None = None) -> str:
    """The page of a report in all its languages; it starts in `language`, and a switch shows the
    other one."""
    style = resources.files(__package__).joinpath("html.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src {digest(style)}; script-src {digest(SCRIPT)};"
        " base-uri 'none'; form-action 'none'"
    )
    choices = "".join(
        f'<label for="language-{code}" lang="{tag}"><input type="radio" name="language"'
        f' id="language-{code}"{" checked" if code == language else ""}>{name}</label>'
        for code, name, tag in LANGUAGES
    )
    articles = "\n".join(article(views[code], tag, date) for code, _, tag in LANGUAGES)
    start = next(tag for code, _, tag in LANGUAGES if code == language)
    return f"""\
<!DOCTYPE html>
<html lang="{start}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(markdown.title(views[language]))}</title>
<style>{style}</style>
</head>
<body>
<main>
<fieldset><legend>Language · <span lang="zh-CN">语言</span></legend>{choices}</fieldset>
{articles}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def digest(content: str) -> str:
    """What a content security policy calls this very text."""
    sha = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(sha).decode()}'"


def article(view: View, tag: str, date: str | None) -> str:
    labels = view.labels
    language = labels.language
    shown: dict[object, str] = {}
    findings = [
        section(finding, f"{language}-finding-{number}", labels, shown)
        for number, finding in enumerate(view.findings, 1)
    ]
    parts = [("checklist", markdown.checklist(view))]
    if view.findings:
        parts.append(("summary", markdown.summary(view)))
    ends = [
        f'<section id="{language}-{part}">'
        f"<h2>{markdown.part_heading(part, labels)}</h2>\n{html(content, labels)}</section>"
        for part, content in parts
    ]
    links = [
        (f"{language}-finding-{number}", html(markdown.heading(finding), labels, True))
        for number, finding in enumerate(view.findings, 1)
    ] + [(f"{language}-{part}", markdown.part_heading(part, labels)) for part, _ in parts]
    contents = "".join(f'<li><a href="#{target}">{said}</a></li>' for target, said in links)
    return "\n".join(
        (
            f'<article lang="{tag}">',
            f"<h1>{escape(markdown.title(view))}</h1>",
            html(markdown.head(view, date), labels),
            f'<nav aria-label="{labels["contents"]}"><ul>{contents}</ul></nav>',
            *drawn(view),
            *findings,
            *ends,
            "</article>",
        )
    )


def drawn(view: View) -> list[str]:
    """The picture of an audit, where there is one."""
    audit, language = view.report.facts.audit, view.labels.language
    svg = picture(audit, language) if audit else ""
    return [f"<figure>{svg}<figcaption>{BESIDE.say(language)}</figcaption></figure>"] if svg else []


def section(finding: Finding, name: str, labels: Labels, shown: dict[object, str]) -> str:
    """A finding, which folds; errors are open."""
    heading = html(markdown.heading(finding), labels, inline=True)
    return (
        f'<details id="{name}" class="{finding.severity.name}"'
        f"{' open' if finding.severity is Severity.error else ''}>"
        f"<summary><h2>{heading}</h2></summary>\n"
        f"{html(markdown.body(finding, labels, shown), labels)}</details>"
    )


def html(content: str, labels: Labels, inline: bool = False) -> str:
    """Markdown as HTML: code with a button, tables that say their headings at each cell, tasks."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", block)
    env = {"labels": labels}
    if inline:
        return str(parser.renderInline(content, env))
    tokens = parser.parse(content, env)
    label_cells(tokens)
    make_tasks(tokens)
    return str(parser.renderer.render(tokens, parser.options, env))


def block(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    """A code block, which scrolls by keyboard too."""
    labels: Labels = env["labels"]
    token = tokens[index]
    return (
        f'<div class="block"><button type="button" hidden data-copied="{labels["copied"]}"'
        f' data-selected="{labels["selected"]}" aria-live="polite">{labels["copy"]}</button>'
        f'<pre tabindex="0"><code translate="no">{escape(token.content.rstrip())}</code></pre>'
        "</div>\n"
    )


ROLES = {
    "table_open": "table",
    "thead_open": "rowgroup",
    "tbody_open": "rowgroup",
    "tr_open": "row",
    "th_open": "columnheader",
    "td_open": "cell",
}


def label_cells(tokens: list[Token]) -> None:
    """On a narrow screen each row is a card whose cells say their column; roles keep it a table."""
    columns: list[str] = []
    column = 0
    for token, content in pairwise(tokens):
        if token.type in ROLES:
            token.attrSet("role", ROLES[token.type])
        if token.type == "table_open":
            columns = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            columns.append("".join(child.content for child in content.children or ()))
            if not columns[-1]:  # the corner of a table, which is no heading
                token.tag = "td"
                token.attrSet("role", "cell")
        elif token.type == "th_close" and not columns[-1]:
            token.tag = "td"
        elif token.type == "td_open":
            if columns[column]:
                token.attrSet("data-label", columns[column])
            column += 1


def make_tasks(tokens: list[Token]) -> None:
    """Items that begin with [ ] or [x] become boxes that a reader can tick."""
    lists: list[Token] = []
    for token in tokens:
        if token.type == "bullet_list_open":
            lists.append(token)
        elif token.type == "bullet_list_close":
            lists.pop()
        elif token.type == "inline" and lists and token.content.startswith(("[ ] ", "[x] ")):
            assert token.children
            first = token.children[0]
            checked = " checked" if first.content.startswith("[x]") else ""
            first.content = first.content[4:]
            opening = Token("html_inline", "", 0)
            opening.content = f'<label><input type="checkbox"{checked}><span>'
            closing = Token("html_inline", "", 0)
            closing.content = "</span></label>"
            token.children = [opening, *token.children, closing]
            lists[-1].attrSet("class", "tasks")
