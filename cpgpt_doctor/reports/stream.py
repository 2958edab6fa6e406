"""Where a report for readers goes: a console that shows what its stream can show, and standard
streams that nothing can be written to."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO, cast

from cpgpt_doctor.errors import DoctorError, InputError

if TYPE_CHECKING:
    from cpgpt_doctor.reports.console import Clean
    from cpgpt_doctor.words import Language

NARROWEST = 20  # columns; in fewer no report can be read
WIDTH = 80
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


class Guarded(io.TextIOBase):
    """A standard stream that never raises OSError: a full disk or a reader that left ends no work.

    trouble: the first such error. What is written after it is lost. needed: losing it is a failure
    of the command; a run's result is in its store and its record.
    """

    needed = True

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.trouble: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def write(self, text: str) -> int:
        with self.kept():
            try:
                self.stream.write(text)
            except UnicodeEncodeError:  # half a character, in a name: as its escape
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        with self.kept():
            self.stream.flush()
            self.stream.buffer.write(data)
            self.stream.flush()

    def flush(self) -> None:
        with self.kept():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.trouble = self.trouble or error
            # What is still in the stream's buffer is tried again when the interpreter ends, which
            # would make its exit code 120.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)

    def lost(self, platform: str = sys.platform) -> str | None:
        """Why something that was to be read was not written; None where its reader left.

        Windows says EINVAL for a pipe whose reader left.
        """
        if self.trouble is None or isinstance(self.trouble, BrokenPipeError):
            return None
        if platform == "win32" and self.trouble.errno == errno.EINVAL:
            return None
        return self.trouble.strerror or str(self.trouble)


@contextlib.contextmanager
def guarded() -> Iterator[Guarded | None]:
    """Guard standard output, which is given (None where it is closed), and standard error.

    Descriptors 0 to 2 that the caller has closed lead nowhere: no file that is opened later gets
    their numbers, and so what libraries print there.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(nowhere)
    out, err = sys.stdout, sys.stderr
    output = None if out is None else Guarded(out)
    # Where it is closed sys.stderr is None, and print() would take standard output for it.
    errors = Guarded(io.StringIO() if err is None else err)
    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, errors)
    try:
        yield output
    finally:
        errors.flush()
        if output is not None:
            output.flush()
        sys.stdout, sys.stderr = out, err


def standard_output() -> TextIO:
    """Standard output; DoctorError where the caller has closed it."""
    if sys.stdout is None:
        raise DoctorError("standard output is closed; send it to a file: > FILE")
    return sys.stdout


def needed(value: bool) -> None:
    """Say whether losing standard output is a failure of the command."""
    if isinstance(sys.stdout, Guarded):
        sys.stdout.needed = value


def write_utf8(text: str) -> None:
    """Write a document to standard output: UTF-8, whatever the terminal's encoding."""
    write_bytes(text.encode("utf-8", "backslashreplace"))


def write_bytes(data: bytes) -> None:
    """Write to standard output what is no text of the terminal's."""
    output = standard_output()
    assert isinstance(output, Guarded)
    output.write_bytes(data)


def console(stream: TextIO, language: Language, *, ascii_only: bool = False) -> Clean:
    """A console on the stream; raises InputError for Chinese where only ASCII can be shown."""
    from cpgpt_doctor.reports.console import Clean  # rich: not before there is something to show

    plain = ascii_only or not can_show(stream, "✓✗·→│─❌")
    if plain and language == "zh" and not can_show(stream, "中文"):
        raise InputError(
            f"--lang zh: this terminal's encoding ({stream.encoding}) cannot show Chinese;"
            " set PYTHONUTF8=1, or write a file: --output FILE"
        )
    shown = stream
    if plain:
        shown = cast(TextIO, Marks(stream) if language == "zh" else Plain(stream))
    # Brackets in a path are no markup of ours.
    made = Clean(
        file=shown, highlight=False, markup=False, emoji=False, _environ=usual_size(os.environ)
    )
    if made.width < NARROWEST:
        made.width = WIDTH
    return made


def usual_size(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables without a size that no terminal has: at COLUMNS=0 nothing is shown at all."""
    least = {"COLUMNS": NARROWEST, "LINES": 1}
    return {
        name: value
        for name, value in variables.items()
        if name not in least or (re.fullmatch("[0-9]{1,4}", value) and int(value) >= least[name])
    }


def visible(plain: str) -> str:
    """Control characters, as those that colour a terminal, made harmless; whitespace stays."""
    return re.sub(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", plain)


def json_text(data: object) -> str:
    """JSON of the same data in which every control character is an escape.

    json leaves those from DEL on as they are, by which some terminals take commands, too.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)


class Marks(Plain):
    """Plain marks, and the letters of the language as they are."""

    def write(self, text: str) -> int:
        return self.stream.write(text.translate(PLAIN))
