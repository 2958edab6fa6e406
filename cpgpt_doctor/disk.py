"""Files of ours: written whole and brought onto the disk, opened without waiting or being led
elsewhere, named so that none is replaced."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a file for reading. Raises OSError, at once, for what is no regular file.

    follow: whether a link is taken for the file that it leads to.
    """
    # Without O_NONBLOCK, opening a FIFO waits for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {what}, which has no bytes by position", str(path))
    return os.fdopen(descriptor, "rb")


def write_whole(path: Path, text: str) -> None:
    """Write a file that has its name only once it is on the disk whole; no half of it is left."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)  # a link with this name would lead to another's file
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            sync(out.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    flush_folder(path.parent)


def free_name(path: Path, first: int | None = None) -> Path:
    """`path`, or with the first number that makes a name of nothing.

    first: the lowest number, where `path` itself is not to be taken.
    """
    number, name = (2, path) if first is None else (first + 1, numbered(path, first))
    while os.path.lexists(name):
        name = numbered(path, number)
        number += 1
    return name


def numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}-{number}")


def make_folder(path: Path, within: Path) -> None:
    """Make a folder and those above it, up to one that must be there; all are on the disk then.

    Raises OSError, such as where `within` was removed: it is not made again.
    """
    if path.is_dir():
        return
    if path == within:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    make_folder(path.parent, within)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    flush_folder(path.parent)


def sync(descriptor: int) -> None:
    """Bring a file onto the disk.

    macOS leaves what fsync writes in the drive's cache; F_FULLFSYNC empties that, where the file
    system knows it: https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man2/fsync.2.html
    """
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # a network disk, for one
    os.fsync(descriptor)


def flush(path: Path) -> None:
    with path.open("r+b") as stream:
        sync(stream.fileno())


def flush_folder(path: Path) -> None:
    """Bring a folder's entries onto the disk; Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
