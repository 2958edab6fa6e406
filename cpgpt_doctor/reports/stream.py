"""Where a report for readers goes: a console that shows what its stream can show."""

from __future__ import annotations

import io
import sys
from typing import IO, TextIO, cast

from rich.console import Console

from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.words import Language

PLAIN = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "✅": "+",
        "❌": "x",
        "⚠": "!",
        "️": "",  # the selector that makes a sign an emoji
        "·": "-",
        "•": "*",
        "…": "...",
        "–": "-",
        "—": "-",
        "→": "->",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "│": "|",
        "┃": "|",
        "▌": "|",
        **dict.fromkeys("─━═╴╶╸╺", "-"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┡┩╇╈╋┳┻╭╮╰╯", "+"),
    }
)


class Plain(io.TextIOBase):
    """A stream of plain ASCII: marks become letters, what has no likeness its escape."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        shown = text.translate(PLAIN)
        return self.stream.write(shown.encode("ascii", "backslashreplace").decode("ascii"))

    def isatty(self) -> bool:
        return self.stream.isatty()

    def flush(self) -> None:
        self.stream.flush()


def can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def standard_output() -> TextIO:
    """Standard output; DoctorError where the caller has closed it."""
    if sys.stdout is None:
        raise DoctorError("standard output is closed; write a file: --output FILE")
    return sys.stdout


def console(stream: TextIO, language: Language, *, ascii_only: bool = False) -> Console:
    """A console on the stream; raises InputError for Chinese where only ASCII can be shown."""
    plain = ascii_only or not can_show(stream, "✓✗·→│─❌")
    if plain and language == "zh" and not can_show(stream, "中文"):
        raise InputError(
            f"--lang zh: this terminal's encoding ({stream.encoding}) cannot show Chinese;"
            " set PYTHONUTF8=1, or write a file: --output FILE"
        )
    if plain and language == "zh":
        return Console(file=cast(IO[str], Marks(stream)), highlight=False)
    shown = cast(IO[str], Plain(stream)) if plain else stream
    return Console(file=shown, highlight=False)


class Marks(Plain):
    """Plain marks, and the letters of the language as they are."""

    def write(self, text: str) -> int:
        return self.stream.write(text.translate(PLAIN))
