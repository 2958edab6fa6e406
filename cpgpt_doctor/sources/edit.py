"""Changes the text of a user's file at the very places, and leaves every other byte as it is.

A file is never written from a tree. Its text is decoded as Python decodes it, changed, and encoded
again the same way; where that does not give back the bytes of what was not changed, the file is
left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cpgpt_doctor.findings import Edit
from cpgpt_doctor.sources import configs, notebooks
from cpgpt_doctor.sources.project import parse
from cpgpt_doctor.sources.text import LINE_END, Unreadable, decode_python, decode_unicode

ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u.{4}|\\.|.", re.S
)


@dataclass(frozen=True)
class Span:
    """A stretch of a text, and what comes in its place."""

    start: int
    end: int
    text: str


def edited(raw: bytes, path: str, kind: str, edits: Sequence[Edit]) -> bytes:
    """A file's bytes with the edits made; Unreadable where they cannot be, or break the file."""
    decode = decode_python if kind == "python" else decode_unicode
    text, encoding, mark = decode(raw)
    if mark + text.encode(encoding, "strict") != raw:
        raise Unreadable(f"its text is not the only way to write it in {encoding}")
    changed = of_notebook(text, edits) if kind == "notebook" else of_text(text, edits)
    try:
        made = mark + changed.encode(encoding)
    except UnicodeEncodeError as error:
        raise Unreadable(f"the change cannot be written in {encoding}") from error
    check(made, path, kind)
    return made


def check(raw: bytes, path: str, kind: str) -> None:
    """Unreadable where a changed file is none of its kind any longer."""
    if kind == "notebook":
        notebooks.read(path, raw)
    elif kind == "yaml":
        configs.read(path, raw)
    else:
        parse("\n".join(LINE_END.split(decode_python(raw)[0])))


def of_text(text: str, edits: Iterable[Edit]) -> str:
    starts = line_starts(text)
    return put_in(text, [span(each, starts) for each in edits])


def line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in LINE_END.finditer(text))]


def span(edit: Edit, starts: list[int]) -> Span:
    place = edit.place
    first = starts[(place.line or 1) - 1] + (place.column or 1) - 1
    line = place.end_line or place.line or 1
    last = starts[line - 1] + (place.end_column or 1) - 1
    return Span(first, max(first, last), edit.text)


def put_in(text: str, spans: list[Span]) -> str:
    """The text with the spans replaced; of two that overlap, the first one."""
    out = []
    done = 0
    for each in sorted(dict.fromkeys(spans), key=lambda one: (one.start, one.end)):
        if each.start < done:
            continue
        out += [text[done : each.start], each.text]
        done = each.end
    return "".join((*out, text[done:]))


def of_notebook(text: str, edits: Sequence[Edit]) -> str:
    """The notebook's JSON with cells edited: characters of their strings, and nothing beside."""
    cells = notebooks.cells_of(notebooks.parse(text))
    pieces = notebooks.pieces(text)
    keys = [key for key, cell in enumerate(cells) if cell.get("cell_type") == "code"]
    spans: list[Span] = []
    for number, key in enumerate(keys, 1):
        own = [each for each in edits if each.place.cell == number]
        if own:
            spans += of_cell(text, pieces[key], own)
    return put_in(text, spans)


def of_cell(text: str, pieces: list[notebooks.Piece], edits: list[Edit]) -> list[Span]:
    """Edits of a cell as edits of the strings of JSON that make it up."""
    whole = "".join(each.text for each in pieces)
    starts = line_starts(whole)
    ascii_only = text.isascii()
    separator = text[pieces[0].end : pieces[1].start] if len(pieces) > 1 else ""
    found: list[Span] = []
    for each in sorted({span(edit, starts) for edit in edits}, key=lambda one: one.start):
        begin = 0
        for at, piece in enumerate(pieces):
            end = begin + len(piece.text)
            first, last = max(each.start, begin), min(each.end, end)
            at_point = each.start == each.end and begin <= each.start < end
            at_point = at_point or (each.start == each.end == end and at == len(pieces) - 1)
            if first < last or at_point:
                new = each.text if first == each.start else ""
                gone = first == begin and last == end and not new and at + 1 < len(pieces)
                if gone:
                    found.append(Span(piece.start, pieces[at + 1].start, ""))
                else:
                    raw = text[piece.start + 1 : piece.end - 1]
                    offsets = raw_offsets(raw)
                    start = piece.start + 1
                    inside = json.dumps(new, ensure_ascii=ascii_only)[1:-1]
                    rest = last < end
                    found.append(
                        Span(
                            start + offsets[first - begin],
                            start + offsets[max(first, last) - begin],
                            by_lines(inside, separator, rest=rest),
                        )
                    )
            begin = end
    return found


def by_lines(inside: str, separator: str, *, rest: bool) -> str:
    """JSON of a text whose lines are strings of their own, as notebooks write them."""
    if not separator:
        return inside
    parts = inside.split("\\n")
    if not rest and parts[-1] == "":
        parts = [*parts[:-2], parts[-2] + "\\n"] if len(parts) > 1 else parts
    return f'\\n"{separator}"'.join(parts)


def raw_offsets(raw: str) -> list[int]:
    """For each character of a JSON string's value, where it begins between the quotes."""
    offsets = [match.start() for match in ESCAPE.finditer(raw)]
    return [*offsets, len(raw)]


def by_file(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    found: dict[str, list[Edit]] = {}
    for each in edits:
        found.setdefault(each.place.path, []).append(each)
    return found
