"""Output that never fails, for work that is worth more than what it says about itself."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Unbreakable(io.RawIOBase):
    """Bytes go to the file below as long as it takes them; what it refuses is dropped."""

    def __init__(self, below: io.RawIOBase) -> None:
        self.below = below

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        try:
            written = self.below.write(data)
        except (OSError, ValueError):  # a pipe or a terminal is gone, the disk is full; it is shut
            return size
        return size if written is None else written  # None: it does not take any now

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self.below.isatty()
        return False

    def fileno(self) -> int:
        return self.below.fileno()


def unbreakable(stream: TextIO) -> TextIO:
    """The same stream, whose writes never fail; one without a file below stays itself.

    What the stream's encoding lacks is shown as its escape.
    """
    buffer = getattr(stream, "buffer", None)
    below = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED the buffer is the file itself
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(below, io.RawIOBase):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Unbreakable(below)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


@contextlib.contextmanager
def unbreakable_output() -> Iterator[None]:
    """Standard output and standard error never raise in this section."""
    before = sys.stdout, sys.stderr
    ours = sys.stdout, sys.stderr = unbreakable(sys.stdout), unbreakable(sys.stderr)
    try:
        yield
    finally:
        for stream, own in zip(before, ours, strict=True):
            if own is not stream:
                own.flush()
        sys.stdout, sys.stderr = before
