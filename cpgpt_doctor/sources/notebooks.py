"""Jupyter notebooks: the code of their cells, and where its text stands in the file.

A notebook is JSON. It is read by `json`; where each text of a cell stands is found by a walk over
the same text, so that an edit changes these characters and nothing else: no key is sorted, no
output written anew.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from cpgpt_doctor.sources.text import (
    LINE_END,
    Chunk,
    Source,
    Unreadable,
    decode_unicode,
    source_of,
)

DEEPEST = 200  # levels in which JSON may nest; a notebook has about ten
BLANK = re.compile(r"[ \t\r\n]*")
# A line of IPython's that is not Python: %magic, !command, ?help, with or without a name before it.
MAGIC = re.compile(r"(\s*)(?:[%!?]|[\w., ]+=\s*[%!])|\s*[\w.]+\?{1,2}\s*$")
TIMED = re.compile(r"(\s*)(%time |%timeit )(?![-])")
# Cells of these magics hold Python; of others, another language.
PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%memit", "%%python", "%%python3")


@dataclass(frozen=True)
class Piece:
    """A JSON string of a cell's source: from where to where in the file, and what it says."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Scan:
    """Finds the end of each JSON value in a text that `json` has read, and the strings wanted."""

    text: str

    def skip(self, at: int) -> int:
        match = BLANK.match(self.text, at)
        assert match is not None
        return match.end()

    def string(self, at: int) -> tuple[str, int]:
        value, end = scanstring(self.text, at + 1, False)
        return value, end

    def value(self, at: int) -> int:
        """Where the value that begins at a place ends."""
        first = self.text[at]
        if first == '"':
            return self.string(at)[1]
        if first in "{[":
            ends = [at, *(end for _, _, end in self.parts(at))]
            return self.text.index("}" if first == "{" else "]", ends[-1]) + 1
        match = re.compile(r"[^\s,\]}]+").match(self.text, at)
        assert match is not None
        return match.end()

    def parts(self, at: int) -> Iterator[tuple[str | int, int, int]]:
        """Key or index, beginning and end of each part of an object or a list."""
        is_object = self.text[at] == "{"
        at = self.skip(at + 1)
        index = 0
        while self.text[at] not in "}]":
            key: str | int = index
            if is_object:
                key, at = self.string(at)
                at = self.skip(self.skip(at) + 1)
            end = self.value(at)
            yield key, at, end
            at = self.skip(end)
            if self.text[at] == ",":
                at = self.skip(at + 1)
            index += 1


def pieces(text: str) -> list[list[Piece]]:
    """The texts of the source of each cell, in the order of the cells."""
    scan = Scan(text)
    found: list[list[Piece]] = []

    def cells(at: int) -> None:
        for _, start, _ in scan.parts(at):
            of_cell: dict[str, list[Piece]] = {}
            for key, place, end in scan.parts(start):
                if key in ("source", "input"):
                    of_cell[str(key)] = source(place, end)
            found.append(of_cell.get("source") or of_cell.get("input") or [])

    def source(at: int, end: int) -> list[Piece]:
        if text[at] == '"':
            return [Piece(at, end, scan.string(at)[0])]
        return [Piece(start, stop, scan.string(start)[0]) for _, start, stop in scan.parts(at)]

    for key, at, _ in scan.parts(scan.skip(0)):
        if key == "cells":
            cells(at)
        elif key == "worksheets":  # notebooks of before 2015
            for _, sheet, _ in scan.parts(at):
                for name, place, _ in scan.parts(sheet):
                    if name == "cells":
                        cells(place)
    return found


def cells_of(data: Any) -> list[dict[str, Any]]:
    """The cells of a notebook of any format; Unreadable where it is none."""
    if not isinstance(data, dict):
        raise Unreadable("it is no notebook: no object of JSON", 1)
    sheets = data.get("worksheets")
    if "cells" not in data and isinstance(sheets, list):
        lists = [each.get("cells") for each in sheets if isinstance(each, dict)]
    else:
        lists = [data.get("cells")]
    cells: list[dict[str, Any]] = []
    for each in lists:
        if not isinstance(each, list) or not all(isinstance(cell, dict) for cell in each):
            raise Unreadable("it is no notebook: it has no list of cells", 1)
        cells += each
    return cells


def parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is not JSON: {error.msg}", error.lineno, error.colno) from error
    except (RecursionError, ValueError) as error:
        raise Unreadable(f"it is not JSON: {error}", 1) from error


def read(path: str, raw: bytes) -> Source:
    text, _, _ = decode_unicode(raw)
    data = parse(text)
    cells = cells_of(data)
    language = language_of(data)
    if language not in ("python", "python3", "ipython", ""):
        return source_of(path, "notebook", [])
    try:
        where = pieces(text)
    except (AssertionError, IndexError, RecursionError, ValueError) as error:
        raise Unreadable("it is no notebook that can be read", 1) from error
    if len(where) != len(cells):
        raise Unreadable("it is no notebook that can be read: a key is there twice", 1)
    starts = [match.end() for match in LINE_END.finditer(text)]
    chunks = []
    number = 0
    for key, (cell, found) in enumerate(zip(cells, where, strict=True)):
        if cell.get("cell_type") != "code" or not all(isinstance(e.text, str) for e in found):
            continue
        number += 1
        written = "".join(each.text for each in found)
        chunks.append(
            Chunk(code(written), written, cell=number, key=key, file_lines=lines(found, starts))
        )
    return source_of(path, "notebook", chunks)


def language_of(data: dict[str, Any]) -> str:
    about = data.get("metadata")
    about = about if isinstance(about, dict) else {}
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        part = about.get(key)
        said = part.get(name) if isinstance(part, dict) else None
        if isinstance(said, str):
            return said.lower()
    return ""


def lines(found: list[Piece], starts: list[int]) -> tuple[int, ...]:
    """The file's line of each line of a cell."""
    placed = [1]
    begins = True  # whether the next string begins a line
    for each in found:
        of_file = bisect_right(starts, each.start) + 1
        if begins:
            placed[-1] = of_file
        placed += [of_file] * (len(LINE_END.split(each.text)) - 1)
        begins = each.text.endswith(("\n", "\r"))
    return tuple(placed)


def code(text: str) -> str:
    """A cell as Python reads it: what is IPython's becomes blank or `pass`, place for place."""
    first = text.lstrip().split(None, 1)[:1]
    if first and first[0].startswith("%%") and first[0] not in PYTHON_CELLS:
        return "".join(each if each in "\r\n" else " " for each in text)
    parts = re.split(r"(\r\n|\r|\n)", text)
    out = []
    goes_on = False
    depth = Depth()
    for line in parts:
        if line[:1] in ("\r", "\n"):
            out.append(line)
            continue
        magic = None if depth.inside and not goes_on else MAGIC.match(line)
        timed = TIMED.match(line)
        if goes_on or (magic and not timed):
            indent = len(line) - len(line.lstrip())
            body = "" if goes_on else "pass"
            out.append((" " * indent + body).ljust(len(line)))
            goes_on = line.rstrip().endswith("\\")
            continue
        if timed and not depth.inside:
            start, end = timed.span(2)
            line = line[:start] + ("if 1: " if end - start == 6 else "if   1: ") + line[end:]
        depth.read(line)
        out.append(line)
    return "".join(out)


class Depth:
    """Whether a line begins inside a bracket or a text that an earlier one opened."""

    TOKEN = re.compile(
        r"#.*|'''|\"\"\"|'(?:\\.|[^'\\])*'?|\"(?:\\.|[^\"\\])*\"?|[\[({]|[\])}]|\\.", re.S
    )

    def __init__(self) -> None:
        self.brackets = 0
        self.quote = ""

    @property
    def inside(self) -> bool:
        return bool(self.brackets or self.quote)

    def read(self, line: str) -> None:
        at = 0
        while at < len(line):
            if self.quote:
                end = line.find(self.quote, at)
                if end < 0:
                    return
                at = end + 3
                self.quote = ""
                continue
            match = self.TOKEN.search(line, at)
            if match is None:
                return
            token = match[0]
            at = match.end()
            if token in ("'''", '"""'):
                self.quote = token
            elif token in "[({":
                self.brackets += 1
            elif token in "])}":
                self.brackets = max(0, self.brackets - 1)
