"""The pages: one Markdown file per rule and language, in the parts of the fix document.

A page owns the remedies of its findings, how to verify them, and what they cost. The rule's name
stands in a comment below its title, a remedy's id in one below its heading. `[[name=default]]` is
what a finding fills in with what it saw; a page that is read as a document shows the default.

Pages are read line by line, not by a Markdown parser, whose import alone takes as long as a whole
report; the tests hold what is read here against one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from cpgpt_doctor.findings import Advice
from cpgpt_doctor.words import Language, Words

FILES = Path(__file__).parent  # importlib.resources takes longer to import than a page to read
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
ADVICE: dict[Advice, Words] = {
    "recommended": Words("recommended", "推荐"),
    "possible": Words("possible", "可行"),
    "not-recommended": Words("not recommended", "不推荐"),
}
# What stands above a remedy's code.
BEFORE = Words("Before", "修改前")
AFTER = Words("After", "修改后")
RUN = Words("Run", "运行")

REMEDY = Words(r"### Remedy \d+: (.+) \((.+)\)", r"### 方案 \d+：(.+)（(.+)）")
ID = re.compile(r"<!-- ([a-z0-9-]+) -->")
PLACEHOLDER = re.compile(r"\[\[(\w+)=(.*?)\]\]")
CHINESE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"


@dataclass(frozen=True)
class PageRemedy:
    """A way out, as plain text in one language; placeholders are filled in by `filled`.

    why: why it is or is not recommended, "" where the page has no more to say. warning: what can
    go wrong with it. before, after: Python code. commands: lines for a shell.
    """

    id: str
    advice: Advice
    title: str
    why: str
    before: str | None
    after: str | None
    commands: tuple[str, ...]
    gains: tuple[str, ...]
    drawbacks: tuple[str, ...]
    warning: str | None

    @property
    def placeholders(self) -> set[str]:
        texts = (self.title, self.why, self.before, self.after, self.warning)
        lists = (self.commands, self.gains, self.drawbacks)
        every = [*texts, *(text for each in lists for text in each)]
        return {name for text in every if text for name in placeholders(text)}

    def filled(self, values: Mapping[str, str]) -> PageRemedy:
        """With the values in the placeholders of these names, and defaults in the others."""

        def fill(text: str | None) -> str | None:
            return None if text is None else filled(text, values)

        def each(texts: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(filled(text, values) for text in texts)

        return replace(
            self,
            title=filled(self.title, values),
            why=filled(self.why, values),
            before=fill(self.before),
            after=fill(self.after),
            commands=each(self.commands),
            gains=each(self.gains),
            drawbacks=each(self.drawbacks),
            warning=fill(self.warning),
        )


@dataclass(frozen=True)
class Verification:
    """Commands, and what they then show ("" where the page does not say it)."""

    commands: tuple[str, ...]
    expected: str


@dataclass(frozen=True)
class Page:
    """A page as a document: `title` without its code, `text` and `parts` by name, as Markdown."""

    code: str
    title: str
    text: str
    parts: dict[str, str]


@cache
def codes() -> tuple[str, ...]:
    """The codes that have a page, in order."""
    files = FILES.joinpath("en").iterdir()
    return tuple(sorted(file.name.removesuffix(".md") for file in files))


@cache
def read(code: str, language: Language) -> Page:
    """The page of a rule; FileNotFoundError where it has none."""
    text = as_document(source(code, language))
    parts = {name: as_document(part) for name, part in raw_parts(code, language).items()}
    return Page(code, heading(text), text, parts)


@cache
def name(code: str) -> str:
    """The rule's name, which stands below its title; ValueError where it does not."""
    match = ID.fullmatch(source(code, "en").split("\n", 2)[1])
    if match is None:
        raise ValueError(f"pages/en/{code}.md: no name below the title")
    return match[1]


@cache
def remedies(code: str, language: Language) -> dict[str, PageRemedy]:
    """The remedies of a page by their ids, in its order, with their placeholders."""
    text = raw_parts(code, language).get("remedies", "")
    sections: list[list[str]] = []
    for line, in_code in lines_of(text):
        if not in_code and line.startswith("### "):
            sections.append([])
        if sections:
            sections[-1].append(line)
    read = [remedy(section, code, language) for section in sections]
    return {each.id: each for each in read}


def verification(code: str, language: Language) -> Verification:
    """How a page says that a remedy is verified, with its placeholders: its first block for a
    shell, and its first paragraph."""
    content = list(blocks(raw_parts(code, language).get("verify", "")))
    commands = next((text for kind, text in content if kind == "bash"), "")
    said = next((text for kind, text in content if kind == "paragraph"), "")
    return Verification(tuple(commands.splitlines()), plain(said))


def cost(code: str, language: Language) -> str | None:
    """The first paragraph of what a page says of the cost, with its placeholders."""
    content = blocks(raw_parts(code, language).get("cost", ""))
    return next((plain(text) for kind, text in content if kind == "paragraph"), None)


def title(code: str) -> Words:
    """The title of a page, as plain text."""
    return Words(*(plain(read(code, language).title) for language in ("en", "zh")))


def causes(code: str) -> tuple[Words, ...]:
    """The numbered causes of a page, as plain text."""
    english, chinese = (
        [
            plain(text)
            for kind, text in blocks(read(code, language).parts["cause"])
            if kind == "step"
        ]
        for language in ("en", "zh")
    )
    return tuple(Words(*both) for both in zip(english, chinese, strict=True))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with values in its placeholders, or their defaults."""
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[2]), text)


def placeholders(text: str) -> dict[str, str]:
    """The placeholders of a text with their defaults."""
    return dict(PLACEHOLDER.findall(text))


@cache
def source(code: str, language: Language) -> str:
    """A page as it is in its file; FileNotFoundError where there is none."""
    return FILES.joinpath(language).joinpath(f"{code}.md").read_text(encoding="utf-8")


def as_document(text: str) -> str:
    """The text without its ids, and with the defaults of its placeholders."""
    return filled(re.sub(rf"(?m)^{ID.pattern}\n", "", text), {})


def heading(text: str) -> str:
    return text.partition("\n")[0].partition(" · ")[2]


@cache
def raw_parts(code: str, language: Language) -> dict[str, str]:
    """The parts of a page by name, as they are in its file; one ends where the next one begins."""
    names = {words.say(language): name for name, words in PARTS.items()}
    found: dict[str, list[str]] = {}
    name = None
    for line, in_code in lines_of(source(code, language)):
        marks, _, said = line.partition(" ")
        if not in_code and marks in ("##", "###") and said in names:
            name = names[said]
            found[name] = []
        elif name is not None:
            found[name].append(line)
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a text, and whether each belongs to a block of code."""
    fence = ""
    for line in text.splitlines():
        begun = fence or fence_of(line)
        yield line, bool(begun)
        fence = "" if line == fence else begun


def fence_of(line: str) -> str:
    """The fence of a block of code that a line begins, which ends it too; "" for none."""
    return line[: len(line) - len(line.lstrip("`"))] if line.startswith("```") else ""


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """What a part consists of: ("paragraph", text), ("item" or "step", text of a list's item),
    ("table", text), ("comment", id), or (language of a block of code, code)."""
    kind, fence, gathered = "", "", list[str]()
    for line in [*text.splitlines(), ""]:
        begins = "" if fence else "code" if fence_of(line) else kind_of(line)
        if fence:
            ends = line == fence
        elif kind == "table":
            ends = begins != "table"
        else:
            ends = begins != "paragraph"
        if kind and ends:
            yield kind, "\n".join(gathered)
            kind, gathered = "", []
        if fence:
            gathered += [] if ends else [line]
            fence = "" if ends else fence
        elif begins == "code":
            fence = fence_of(line)
            kind = (line.strip("`").split() or ["text"])[0]
        elif begins:
            kind = kind or begins
            gathered.append(re.sub(r"^(- |\d+\. |<!-- | +)| -->$", "", line))


def kind_of(line: str) -> str:
    """What a line begins, "" for an empty one; what begins nothing else is a paragraph's."""
    for kind, pattern in (
        ("", r"\s*$"),
        ("comment", "<!--"),
        ("heading", "#"),
        ("item", "- "),
        ("step", r"\d+\. "),
        ("table", r"\|"),
    ):
        if re.match(pattern, line):
            return kind
    return "paragraph"


def remedy(section: list[str], code: str, language: Language) -> PageRemedy:
    """A remedy from its lines; ValueError where it has not the form of one."""
    head = re.fullmatch(REMEDY.say(language), section[0])
    advices = {words.say(language): advice for advice, words in ADVICE.items()}
    if head is None or head[2] not in advices:
        raise ValueError(f"pages/{language}/{code}.md: no remedy's heading: {section[0]}")
    labels = {f"{BEFORE.say(language)} ❌": "before", f"{AFTER.say(language)} ✅": "after"}
    label = ""
    name = ""
    python: dict[str, str] = {}
    commands: list[str] = []
    why: list[str] = []
    points: dict[str, list[str]] = {"✅": [], "⚠️": [], "❌": []}
    for kind, text in blocks("\n".join(section[1:])):
        if kind == "comment":
            name = text
        elif kind == "python":
            python[label] = text
        elif kind == "bash":
            commands += text.splitlines()
        elif kind == "item":
            mark, _, said = text.partition(" ")
            points[mark].append(plain(said))
        elif kind == "paragraph" and text in labels:
            label = labels[text]
        elif kind == "paragraph" and text != RUN.say(language):
            why.append(plain(text))
    if not name:
        raise ValueError(f"pages/{language}/{code}.md: no id below the heading: {section[0]}")
    between = "" if language == "zh" else " "
    return PageRemedy(
        name,
        advices[head[2]],
        plain(head[1]),
        between.join(why),
        python.get("before"),
        python.get("after"),
        tuple(commands),
        tuple(points["✅"]),
        tuple(points["⚠️"]),
        between.join(points["❌"]) or None,
    )


def plain(text: str) -> str:
    """Markdown of one paragraph as plain text on one line, without the marks of code and links.

    A line's end is a space, but not between two Chinese letters.
    """
    text = re.sub(rf"(?<=[{CHINESE}])\n(?=[{CHINESE}])", "", text)
    text = " ".join(text.split())
    text = re.sub(r"(?<!\[)\[([^\[\]]+)\]\([^()\s]+\)", r"\1", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    return re.sub(r"\\([\\`*_\[\]<|~&$#])", r"\1", text.replace("`", ""))
