"""Files as text, with the way back from a place in the text to the bytes of the file.

A source is a sequence of chunks of code: a script has one, a notebook one for each code cell. All
chunks are read as one program, whose lines are numbered through; `Source.place` says where a line
of it stands.
"""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from cpgpt_doctor.facts.sources import Place

# What ends a line for Python; str.splitlines() knows more.
LINE_END = re.compile(r"\r\n|\r|\n")
LARGEST = 64 * 2**20  # bytes; what is larger is no source, and takes minutes to read


class Unreadable(Exception):
    """Why a file cannot be read as what it is; line and column, from 1, where that has a place."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.reason = " ".join(reason.split())
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Chunk:
    """Code that stands together. first: its first line among those of the source, from 0.

    code: what Python reads (a notebook's magics are blanked out there, place for place); text: as
    it is written. cell: from 1, None in a script. file_lines: for each line, that of the file.
    key: which cell of the notebook's JSON it is, from 0.
    """

    code: str
    text: str
    first: int = 0
    cell: int | None = None
    file_lines: tuple[int, ...] = ()
    key: int = 0


@dataclass(frozen=True)
class Source:
    """A file of the user's. `lines` are those of all chunks, as they are read."""

    path: str
    kind: str
    chunks: tuple[Chunk, ...]
    lines: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        return "\n".join(self.lines)

    def chunk(self, line: int) -> Chunk:
        """The chunk of a line of the source, from 1."""
        firsts = [each.first for each in self.chunks]
        return self.chunks[max(0, bisect_right(firsts, line - 1) - 1)]

    def column(self, line: int, offset: int) -> int:
        """The column, from 1, of a byte offset in UTF-8, as `ast` counts."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "replace")) + 1

    def place(self, line: int, offset: int, end_line: int, end_offset: int) -> Place:
        """The place of what `ast` puts there."""
        chunk = self.chunk(line)
        inside = line - chunk.first
        return Place(
            self.path,
            inside,
            self.column(line, offset),
            end_line - chunk.first,
            self.column(end_line, end_offset),
            chunk.cell,
            chunk.file_lines[inside - 1] if inside <= len(chunk.file_lines) else inside,
        )


def source_of(path: str, kind: str, chunks: list[Chunk]) -> Source:
    """A source of chunks in their order; each begins where the one before it ended."""
    lines: list[str] = []
    placed = []
    for each in chunks:
        placed.append(Chunk(each.code, each.text, len(lines), each.cell, each.file_lines, each.key))
        lines += LINE_END.split(each.code)
    return Source(path, kind, tuple(placed), lines)


def decode_python(raw: bytes) -> tuple[str, str, bytes]:
    """A script's text, its encoding and its mark of order of bytes, by Python's own rules."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except (SyntaxError, UnicodeError, ValueError) as error:
        raise Unreadable(str(error) or "its encoding cannot be told", 1) from error
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    body = raw[len(mark) :]
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    try:
        return body.decode(name), name, mark
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise Unreadable(f"it is not {name}: byte {raw[error.start]:#04x}", line) from error
    except (UnicodeError, ValueError, LookupError) as error:
        raise Unreadable(f"it cannot be read as {name}: {error}", 1) from error


def decode_unicode(raw: bytes) -> tuple[str, str, bytes]:
    """The text of a file of JSON or YAML: UTF-8, or UTF-16 with its mark."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ):
        if raw.startswith(mark):
            try:
                return raw[len(mark) :].decode(name), name, mark
            except UnicodeDecodeError as error:
                line = raw[: error.start].count(b"\n") + 1
                raise Unreadable(f"it is not {name}", line) from error
    raise AssertionError("the last mark is in every file")


def read_bytes(path: Path) -> bytes:
    """A regular file's bytes; Unreadable where it is none, too long, or denied."""
    try:
        if not path.is_file():
            raise Unreadable("it is no regular file")
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def read_script(path: str, raw: bytes) -> Source:
    text, _, _ = decode_python(raw)
    return source_of(path, "python", [Chunk(text, text)])
