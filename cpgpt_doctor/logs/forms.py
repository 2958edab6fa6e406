"""The forms in which tracebacks are printed: Python's own, rich's boxes, IPython's.

Each form is a function that takes the next line into an open traceback.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from cpgpt_doctor.logs.values import Frame

HEADER = "Traceback (most recent call last)"
# Of a deeper stack, frames in the middle are left out.
MOST_FRAMES = 200
LONGEST_FRAME = 1000

# What a line is to an open traceback: its own, something else's, or its end: kind and message.
Step = Literal["own", "foreign"] | tuple[str, str]


@dataclass
class Open:
    """A traceback whose error's line has not come yet."""

    form: Callable[[Open, str], Step]
    frames: list[Frame] = field(default_factory=list)
    group: bool = False  # in an exception group, behind "  | "
    foreign: int = 0  # lines of something else since it began
    expected: str | None = None  # IPython names the exception first
    boxed: bool = True  # rich: its box is open
    held: list[str] = field(default_factory=list)  # lines of a place that may be wrapped

    def add(self, frame: Frame) -> None:
        self.frames.append(frame)
        if len(self.frames) > MOST_FRAMES:
            del self.frames[MOST_FRAMES // 2]

    def say(self, text: str) -> None:
        """The source text of the last frame; its first line is kept."""
        if self.frames and self.frames[-1].text is None:
            last = self.frames[-1]
            self.frames[-1] = Frame(last.path, last.line, last.function, text)


# Python's own, and loguru's, which marks a frame with ">" and draws values below the source.
CLASSIC_FRAME = re.compile(
    r'\s*(?:> ?)?File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in(?: (?P<function>.*))?)?$'
)
# Broken by a terminal or a mail program, within the path or behind it, or within the number.
BROKEN_FRAME = re.compile(r'\s*(?:> ?)?File "(?:[^"]*|[^"]+",?(?: l?i?n?e?)?)$')
REST_OF_FRAME = re.compile(r"(?P<digits>\d{0,6})(?:,? ?in | ?, in )(?P<function>[\w<>.]+)$")
NO_SOURCE = re.compile(r"[\s~^│└.|-]*$|[\s│]*└ |\s*\.\.\.<\d+ lines>|\s*\[Previous line repeated")
ERROR_LINE = re.compile(
    r"(?P<kind>(?:[A-Za-z_][\w<>]*\.)*[A-Za-z_]\w*)(?P<colon>:\s?(?P<message>.*))?$"
)
LEVELS = ("DEBUG", "INFO", "NOTE", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
BARE_KIND = re.compile(r"(?:Error|Exception|Interrupt|Exit|Warning|Empty|Full|Timeout|Group)$")
LOWER_KIND = re.compile(r"\.(?:\w*error|timeout|empty|full)$")  # socket.gaierror, struct.error
RAIL = re.compile(r"\s*[|+] ?")


def classic(opened: Open, text: str) -> Step:
    if opened.group:
        rail = RAIL.match(text)
        if rail is None:
            return "foreign"
        text = text[rail.end() :]
    if opened.held:
        text = joined(opened.held.pop(), text)
    frame = CLASSIC_FRAME.match(text)
    if frame:
        opened.add(Frame(frame["path"], int(frame["line"]), frame["function"]))
        return "own"
    if not text:
        return "own"
    if len(text) < LONGEST_FRAME and BROKEN_FRAME.match(text):
        opened.held.append(text)
        return "own"
    if opened.frames and broken_after(opened, text):
        return "own"
    if text[0].isspace():
        if opened.frames and not NO_SOURCE.match(text):
            opened.say(text.strip())
        return "own" if opened.frames else "foreign"
    error = error_line(text)
    if error:
        return error
    # Pasted without its indentation: the source below its frame.
    if opened.frames and opened.frames[-1].text is None:
        opened.say(text)
        return "own"
    return "foreign"


def joined(begin: str, rest: str) -> str:
    """Two parts of a frame: broken at a blank, which is gone, or within a word."""
    spaced = f"{begin} {rest.lstrip()}"
    return spaced if CLASSIC_FRAME.match(spaced) else begin + rest


def broken_after(opened: Open, text: str) -> bool:
    """The rest of a frame that was broken in its number, or before the function."""
    last = opened.frames[-1]
    rest = REST_OF_FRAME.match(text)
    if rest is None or last.function or last.text is not None or last.line is None:
        return False
    line = int(f"{last.line}{rest['digits']}")
    opened.frames[-1] = Frame(last.path, line, rest["function"])
    return True


def error_line(text: str) -> tuple[str, str] | None:
    """ "Kind: message", or a kind alone."""
    error = ERROR_LINE.match(text)
    if error is None or error["kind"] in LEVELS:
        return None
    name = error["kind"].rpartition(".")[2]
    if error["colon"] is None:
        return (error["kind"], "") if BARE_KIND.search(name) else None
    if name.lstrip("_")[:1].isupper() or LOWER_KIND.search(error["kind"]):
        return error["kind"], error["message"] or ""
    return None


BEGINS = re.compile(rf"{CLASSIC_FRAME.pattern}|\s*[│|] ")

# rich: a box of places with source around them, the line itself marked.
RICH_HEADER = re.compile(r"[╭+][─-]+ ?" + re.escape(HEADER))
BOX_END = re.compile(r"\s*[╰+][─-]{10,}")
RICH_PLACE = re.compile(r"(?P<path>.+):(?P<line>\d+)\s*in\s*(?P<function>\S+)$")
RICH_SOURCE = re.compile(r"(?P<here>[❱>])?\s*(?P<line>\d+)(?:\s(?P<text>.*))?$")
PANEL = re.compile(r"[│|╭╰+]")


def rich(opened: Open, text: str) -> Step:
    if not opened.boxed:
        return error_line(text) or ("own" if not text else "foreign")
    if BOX_END.match(text):
        opened.boxed = False
        return "own"
    stripped = text.strip()
    if stripped[:1] not in ("│", "|"):
        return "foreign"
    text = stripped.strip("│|").strip()
    if not text:
        opened.held.clear()
        return "own"
    if PANEL.match(text):  # values of local variables, in a box of their own
        return "own"
    source = RICH_SOURCE.match(text)
    if source and not opened.held:
        if source["here"] and source["text"]:
            opened.say(source["text"].strip("│ "))
        return "own"
    opened.held.append(text)
    place = RICH_PLACE.match("".join(opened.held))
    if place:
        opened.add(Frame(place["path"], int(place["line"]), place["function"]))
        opened.held.clear()
    return "own"


# IPython: a place, then source around it, the line itself behind an arrow.
NOTEBOOK_HEADER = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)\s{2,}" + re.escape(HEADER) + "$")
CELL = re.compile(
    r"(?:Cell |Input )?In ?\[(?P<cell>[\d ]*)\](?:, line (?P<line>\d+))?(?:, in (?P<function>.*))?$"
)
CELL_OF_FILE = re.compile(r"(?P<path>\S.*\.ipynb) Cell (?P<cell>\d+)(?: line (?P<line>\d+))?$")
PLACE = re.compile(r"File (?P<path>.+):(?P<line>\d+)(?:, in (?P<function>.*))?$")
OLD_PLACE = re.compile(r"(?P<path>[~/<]\S*|[A-Za-z]:\\.*?) in (?P<function>\S.*)$")
NOTEBOOK_SOURCE = re.compile(r"(?P<arrow>-+>)?\s*(?P<line>\d+)(?:\s(?P<text>.*))?$")
# Copied from a browser, places are links: [/path/file.py](https://localhost:8080/#) in f(x).
LINK = re.compile(r"\[([^\]]+)\]\((?:file|https?|vscode)[^)]*\)")


def notebook(opened: Open, text: str) -> Step:
    if "](" in text:
        text = LINK.sub(r"\1", text)
    if not text:
        return "own"
    if opened.expected and text.startswith(opened.expected):
        rest = text[len(opened.expected) :]
        if rest[:1] in ("", ":"):
            return opened.expected, rest[1:].strip()
    cell = CELL.match(text) or CELL_OF_FILE.match(text)
    if cell:
        path = f"In[{cell['cell'].strip()}]"
        opened.add(Frame(path, number(cell["line"]), name(cell.groupdict().get("function"))))
        return "own"
    place = PLACE.match(text) or OLD_PLACE.match(text)
    if place:
        line = number(place.groupdict().get("line"))
        opened.add(Frame(place["path"], line, name(place["function"])))
        return "own"
    source = NOTEBOOK_SOURCE.match(text.strip())
    if source:
        if source["arrow"] and opened.frames and opened.frames[-1].text is None:
            last = opened.frames[-1]
            line = last.line if last.line is not None else int(source["line"])
            shown = (source["text"] or "").strip()
            opened.frames[-1] = Frame(last.path, line, last.function, shown)
        return "own"
    return "own" if text[0].isspace() else "foreign"


def number(digits: str | None) -> int | None:
    return int(digits) if digits else None


def name(function: str | None) -> str | None:
    """The function without its arguments."""
    return function.partition("(")[0] if function else None
