"""Words of a failure that a log only cites: in source code, a document's sentence, a table."""

from __future__ import annotations

import re

# A number of the line, or the place that `grep` puts first.
NUMBER = r"(?:[^\s:]{1,200}:)?\s*\d+[:\t-]\s*"
BEFORE = re.compile(rf"(?:{NUMBER})?\s*(?:[+-](?=\s)\s*)?")
# A comment, a heading of Markdown. Bars of many signs are a program's own decoration.
COMMENT = re.compile(r"#{1,6}\s|//\s|/\*|<!--|%\s")
LATER_COMMENT = re.compile(r"[\w)\]}\"']\s{1,40}#\s")
CELL = re.compile(r"\|.*\|$")
# What stands before a string literal, or before words that a sentence cites.
LITERAL = re.compile(r"(?:[=(\[{,+]|\b(?:in|return|raise|assert|not|case|echo|grep|or|and|x))\s*$")
PREFIX = re.compile(r"\b[rfbu]{1,2}$")
KEY = re.compile(r"(?:^|[{,])\s*-?\s*[\"']?[A-Za-z][\w-]{0,30}[\"']?:\s*$")
# Keys under which a structured log has what failed.
TOLD = re.compile(
    r"[\"'](?:\w*_)?(?:exception|error|err|message|msg|log|event|text|traceback|stack|reason|detail)"
    r"(?:_\w+)?[\"']\s*:\s*$",
    re.I,
)
RAISED = re.compile(r"\braise\s+[\w.]+\(\s*[rfbu]{0,2}$")
REPR = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\($")
RAISES = re.compile(r"\b[Rr]aises?:?\s+(?:[\w.]+:\s*)?$")
# A hint: "If you encounter ..., try".
HINT = re.compile(r"\b(?:[Ii]f|[Ww]hen|[Ii]n case) (?:you|we|it|there|of)\b[^.]{0,80}$")
SENTENCE = re.compile(r"(?:[a-z]{2,}|'s),?\s+$|[-–—(]\s*$")
BOLD = re.compile(r"\*\*(?:\s+[a-z(]|:)")
QUOTES = "\"'`"
# A string literal that has a line to itself is indented so far.
DEEP = 8
# So many signs before and after the words are looked at.
FAR = 400


def cited(text: str, start: int, end: int) -> bool:
    """Whether text[start:end], words of a failure, is cited and not told.

    text: the line as printed.
    """
    begin = BEFORE.match(text)
    assert begin is not None
    at = begin.end()
    told = text[at:]
    deep = len(begin.group()) - len(begin.group().rstrip(" ")) >= DEEP
    if COMMENT.match(told) or CELL.fullmatch(told):
        return True
    before, after = text[max(at, start - FAR) : start], text[end : end + FAR]
    if LATER_COMMENT.search(before) is not None:
        return True
    if RAISES.search(before) is not None or HINT.search(before) is not None:
        return True
    bold = before.lstrip("-• ").startswith("**") or before.endswith("**")
    if bold and BOLD.search(after) is not None:
        return True
    opened = open_quote(before)
    if opened is None:
        return False
    lead = PREFIX.sub("", before[:opened])
    if not lead.strip(" -*>\"'`"):  # the whole line is quoted: it is what was printed,
        return deep or lead != before[:opened]  # unless it lies in a block, or has f before it
    if RAISED.search(before[: opened + 1].rstrip(QUOTES)):
        return True
    if REPR.search(lead) or TOLD.search(lead):
        return False
    return bool(LITERAL.search(lead) or KEY.search(lead) or SENTENCE.search(lead))


def open_quote(before: str) -> int | None:
    """Where the quotation begins that is not closed in the text, None where none is."""
    opened: int | None = None
    for position, sign in enumerate(before):
        if sign not in QUOTES:
            continue
        if opened is not None and before[opened] == sign:
            opened = None
        elif opened is None and not (sign == "'" and position and before[position - 1].isalnum()):
            opened = position
    return opened
