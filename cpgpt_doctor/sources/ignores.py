"""`# cpgpt-doctor: ignore[CPG601]`: what the user has decided not to be told.

On a line with code it is about that line, alone on a line about the next one;
`ignore-file[…]` is about the whole file, `ignore-cell[…]` about a notebook's cell. Without codes it
is about all.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from cpgpt_doctor.facts.sources import Ignore, Place
from cpgpt_doctor.sources.text import Source

MARK = "cpgpt-doctor:"
COMMENT = re.compile(r"#\s*cpgpt-doctor:\s*ignore(-file|-cell)?\b(?:\s*\[([^\]]*)\])?")
IN_YAML = re.compile(rf"(?:^|\s)({COMMENT.pattern})")


def of_source(source: Source) -> tuple[Ignore, ...]:
    """Those of a script or a notebook: in comments, not in texts that look like one."""
    if MARK not in source.code:
        return ()
    found = []
    for line, column, text in comments(source.code):
        match = COMMENT.match(text)
        if match is not None:
            alone = not source.lines[line - 1][:column].strip()
            about = line + 1 if alone and not match[1] else line
            last = source.chunk(line)
            if alone and source.chunk(min(about, len(source.lines))) is not last:
                about = line
            found.append(ignore(match, source.place(about, 0, about, 0)))
    return tuple(found)


def comments(code: str) -> Iterator[tuple[int, int, str]]:
    """Line, column from 0, and text of each comment, as far as the code can be split up."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.start[1], token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def of_yaml(path: str, lines: list[str]) -> tuple[Ignore, ...]:
    found = []
    for number, line in enumerate(lines, 1):
        match = IN_YAML.search(line) if MARK in line else None
        if match is not None:
            inner = COMMENT.match(match[1])
            assert inner is not None
            about = number if line[: match.start()].strip() or inner[1] else number + 1
            found.append(ignore(inner, Place(path, about, 1, about, 1, file_line=about)))
    return tuple(found)


def ignore(match: re.Match[str], place: Place) -> Ignore:
    codes = tuple(each.strip().upper() for each in (match[2] or "").split(",") if each.strip())
    scope = {"-file": "file", "-cell": "cell"}.get(match[1] or "", "line")
    return Ignore(place, codes, scope)  # type: ignore[arg-type]
