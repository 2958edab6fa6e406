"""From bytes to lines of text, as a reader sees them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 1 << 20
# Of a longer line, such as a progress bar without an end or a dumped array, the rest is left out.
LONGEST = 1 << 16

# ECMA-48 control sequences (colours, cursor), operating-system commands (titles, links), and
# two-character escapes.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()][A-Z0-9]|[ -~])"
)

# PowerShell 5 writes `python script.py > log.txt` in UTF-16.
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def texts(stream: BinaryIO) -> Iterator[str]:
    """The stream decoded, in pieces; bytes that are no text become replacement characters."""
    first = stream.read(CHUNK)
    encoding = next((name for mark, name in ENCODINGS if first.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    piece = first
    while piece:
        yield decoder.decode(piece)
        piece = stream.read(CHUNK)
    yield decoder.decode(b"", final=True)


def lines(stream: BinaryIO, words: tuple[str, ...]) -> Iterator[tuple[int, str, bool]]:
    """Line numbers, from 1, texts without colours, and whether a text may have one of the words.

    A carriage return begins a text of its own (each state of a progress bar is one), in the line
    of the same number.
    """
    number = 1
    held = ""  # the beginning of a line whose end is not here yet
    for piece in texts(stream):
        piece = held + piece
        here = tuple(word for word in words if word in piece)
        parts = piece.split("\n")
        held = parts.pop()
        for part in parts:
            if "\r" in part:
                yield from segments(number, part, here)
            else:
                yield number, clean(part), has(part, here)
            number += 1
        if len(held) > LONGEST:
            # Finished states of a progress bar go out; of what is left, the beginning is kept.
            *done, held = held.rsplit("\r", 1)
            for part in done:
                yield from segments(number, part, here)
            held = held[:LONGEST]
    if held:
        yield from segments(number, held, words)


def has(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as any(), for each line of a log
        if word in text:
            return True
    return False


def segments(number: int, line: str, words: tuple[str, ...]) -> Iterator[tuple[int, str, bool]]:
    *states, last = line.removesuffix("\r").split("\r")
    for state in states:
        if state:
            yield number, clean(state), has(state, words)
    yield number, clean(last), has(last, words)


def clean(text: str) -> str:
    if len(text) > LONGEST:
        text = text[:LONGEST]
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    return text.rstrip()
