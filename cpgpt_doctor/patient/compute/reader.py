"""A genome that workers can share: read by position, and picklable.

pyfaidx keeps one open file. Forked workers share its position, so that one's seek moves another's
read (CPG202), and spawned workers cannot be sent it (CPG201). Here pyfaidx stays as it is, and
what it holds is replaced: the file by one that is read by position and travels as its path, the
lock by one that is made anew where it arrives, and the two lambdas by functions with a name.
"""

from __future__ import annotations

import io
import os
import threading
from typing import Any


class PositionalFile:
    """A file opened for reading whose position is its own.

    `os.pread` takes the position from the caller and leaves the shared one alone. Windows has no
    `os.pread`, but no fork either, so there the file's own position is nobody else's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.position = 0
        self.descriptor: int | None = None

    def open(self) -> int:
        if self.descriptor is None:
            self.descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        return self.descriptor

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only positions from the start are of use here")
        self.position = offset
        return offset

    def tell(self) -> int:
        return self.position

    def read(self, size: int) -> bytes:
        """Up to `size` bytes from the position on, fewer only at the end of the file."""
        parts = []
        while size > 0:
            part = self._read_once(size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self.position += len(part)
        return b"".join(parts)

    def _read_once(self, size: int) -> bytes:
        descriptor = self.open()
        if hasattr(os, "pread"):
            return os.pread(descriptor, size, self.position)
        os.lseek(descriptor, self.position, os.SEEK_SET)
        return os.read(descriptor, size)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "position": self.position, "descriptor": None}


class Lock:
    """A thread lock that is made anew in the process that it is sent to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


def same_name(name: str) -> str:
    """pyfaidx's default key function: names stay as they are."""
    return name


def any_name(name: str) -> bool:
    """pyfaidx's default filter: every name is kept."""
    return True


def shareable(fasta: Any) -> Any:
    """Make a pyfaidx.Fasta safe to fork and to pickle, in place; its sequences stay the same.

    Raises ValueError for one that is compressed: its reader keeps a position of its own kind.
    """
    index = fasta.faidx
    path = os.path.abspath(index.filename)
    if not isinstance(index.file, io.BufferedReader):
        raise ValueError(f"{path}: only plain FASTA files can be shared between workers")
    index.file.close()
    index.file = PositionalFile(path)
    index.lock = Lock()
    index.key_function = same_name
    index.filt_function = any_name
    return fasta
