"""From bytes to lines of text, as a reader sees them."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

CHUNK = 1 << 20
# A longer line, such as a progress bar without an end or a dumped array, is taken in pieces of
# this length. Each begins with the end of the one before, so that nothing is cut by a border.
LONGEST = 1 << 16
OVERLAP = 1 << 12

# ECMA-48 control sequences (colours, cursor), operating-system commands (titles, links), and
# two-character escapes.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()][A-Z0-9]|[ -~])"
)
# Word processors, forums and mail programs make these of straight ones.
CURLY = re.compile("[‘’“”]")
STRAIGHT = str.maketrans("‘’“”", "''\"\"")
# Each line of a file copied from gist.github.com ends with its table's bars.
GIST = " | |"

# PowerShell 5 writes `python script.py > log.txt` in UTF-16.
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PACKED: tuple[tuple[bytes, str, Callable[[BinaryIO], object]], ...] = (
    (b"\x1f\x8b", "gzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMAFile),
)
OTHER_ARCHIVES = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
)


class NoText(ValueError):
    """It is not a log that can be read as it is: what it is instead, and what to do."""


class Begun(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self.first, self.rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.first[: len(buffer)] or self.rest.read(len(buffer))
        self.first = self.first[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a log, unpacked; NoText where it is packed in another way, or damaged."""
    first = stream.read(CHUNK)
    for mark, name in OTHER_ARCHIVES:
        if first.startswith(mark):
            raise NoText(f"is compressed ({name}): unpack it first")
    for mark, name, opened in PACKED:
        if first.startswith(mark):
            begun = cast("BinaryIO", io.BufferedReader(Begun(first, stream)))
            try:
                unpacked = cast("BinaryIO", opened(begun))
                while piece := unpacked.read(CHUNK):
                    yield piece
            except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
                # Of damaged data gzip and bz2 say so in an OSError without a number.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise NoText(f"is compressed ({name}), and damaged or cut off: {error}") from error
            return
    while first:
        yield first
        first = stream.read(CHUNK)


def encoding(first: bytes) -> str:
    """By its mark; UTF-16 without one by its zero bytes, of which UTF-8 has none."""
    for mark, name in ENCODINGS:
        if first.startswith(mark):
            return name
    part = first[:4096]
    even, odd = part[::2].count(0), part[1::2].count(0)
    if max(even, odd) * 10 > len(part) and min(even, odd) * 20 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def texts(stream: BinaryIO) -> Iterator[str]:
    """The stream decoded, in pieces; bytes that are no text become replacement characters."""
    decoder: codecs.IncrementalDecoder | None = None
    for piece in chunks(stream):
        if decoder is None:
            decoder = codecs.getincrementaldecoder(encoding(piece))(errors="replace")
        yield decoder.decode(piece)
    if decoder is not None:
        yield decoder.decode(b"", final=True)


def lines(stream: BinaryIO, words: tuple[str, ...]) -> Iterator[tuple[int, str, bool]]:
    """Line numbers, from 1, texts without colours, and whether a text may have one of the words.

    A carriage return begins a text of its own (each state of a progress bar is one), in the line
    of the same number; so does each piece of a very long line.
    """
    number = 1
    held = ""  # the beginning of a line whose end is not here yet
    for piece in texts(stream):
        piece = held + piece
        here = tuple(word for word in words if word in piece)
        parts = piece.split("\n")
        held = parts.pop()
        for part in parts:
            yield from whole(number, part, here)
            number += 1
        if len(held) > LONGEST:
            # Finished states of a progress bar go out, and so do pieces of what is left.
            *done, held = held.rsplit("\r", 1)
            for part in done:
                yield from segments(number, part, here)
            while len(held) > LONGEST:
                yield number, clean(held[:LONGEST]), has(held, here)
                held = held[LONGEST - OVERLAP :]
    if held:
        yield from whole(number, held, words)


def has(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as any(), for each line of a log
        if word in text:
            return True
    return False


def whole(number: int, line: str, words: tuple[str, ...]) -> Iterator[tuple[int, str, bool]]:
    if "\r" in line or len(line) > LONGEST:
        yield from segments(number, line, words)
    else:
        yield number, clean(line), has(line, words)


def segments(number: int, line: str, words: tuple[str, ...]) -> Iterator[tuple[int, str, bool]]:
    *states, last = line.removesuffix("\r").split("\r")
    for state in (*(state for state in states if state), last):
        piece = state
        while len(piece) > LONGEST:
            yield number, clean(piece[:LONGEST]), has(piece[:LONGEST], words)
            piece = piece[LONGEST - OVERLAP :]
        yield number, clean(piece), has(piece, words)


def clean(text: str) -> str:
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    if not text.isascii() and CURLY.search(text):
        text = text.translate(STRAIGHT)
    return text.rstrip().removesuffix(GIST).rstrip()
