"""The pages: one Markdown file per rule and language, in the parts of the fix document."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

from markdown_it import MarkdownIt

from cpgpt_doctor.words import Language, Words

# The headings of a page in their order, by name of the part. `cause` is the one that each page has.
PARTS: dict[str, Words] = {
    "analysis": Words("Analysis", "问题分析"),
    "error": Words("Error", "错误信息"),
    "place": Words("Place", "错误位置"),
    "cause": Words("Root cause", "根本原因"),
    "details": Words("Details", "技术细节"),
    "remedies": Words("Remedies", "解决方案"),
    "files": Words("Files", "涉及的文件"),
    "verify": Words("Verify", "验证修复"),
    "cost": Words("Cost", "性能影响"),
    "related": Words("Related", "相关问题"),
    "background": Words("Background", "技术背景"),
    "practice": Words("Practice", "最佳实践"),
    "links": Words("Links", "相关资源"),
    "checklist": Words("Checklist", "检查清单"),
    "summary": Words("Summary", "总结"),
}


@dataclass(frozen=True)
class Page:
    """A page: `title` without its code, `text` as it is in the file, `parts` by name."""

    code: str
    title: str
    text: str
    parts: dict[str, str]


def codes() -> tuple[str, ...]:
    """The codes that have a page, in order."""
    files = resources.files(__name__).joinpath("en").iterdir()
    return tuple(sorted(file.name.removesuffix(".md") for file in files))


def read(code: str, language: Language) -> Page:
    """The page of a rule; FileNotFoundError where it has none."""
    file = resources.files(__name__).joinpath(language).joinpath(f"{code}.md")
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    names = {words.say(language): name for name, words in PARTS.items()}
    tokens = MarkdownIt().parse(text)
    headings = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map is not None:
            headings.append((inline.content, token.map))
    title = headings[0][0].partition(" · ")[2]
    known = [(names[heading], at) for heading, at in headings if heading in names]
    ends = [at[0] for _, at in known[1:]] + [len(lines)]
    parts = {
        name: "\n".join(lines[at[1] : end]).strip()
        for (name, at), end in zip(known, ends, strict=True)
    }
    return Page(code, title, text, parts)
