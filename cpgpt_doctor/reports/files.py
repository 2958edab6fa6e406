"""Files that were asked for by name: a report, facts, a chart.

A regular file is there whole, or as it was before. What is no regular file (a device, a FIFO) is
written to, never replaced. A link stays, and what it leads to is what was asked for.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import stream

# In the file's own folder, since a file is moved whole within one file system only.
PREFIX = ".cpgpt-doctor-"
LINKS = 40  # that Linux follows
# What CpGPT keeps in a dependencies folder, and our record of it.
DATA = re.compile(r"(ensembl_metadata\.db|\.mmap(\.tmp)?|\.fa(\.gz|\.fai)?|\.run\.json)$")


def check(path: Path | None, option: str, *inputs: str | Path | None) -> None:
    """Refuse, before any work, a file that cannot be written. Nothing is opened or changed.

    option: the one that asked for it, such as "--output". inputs: files that the command reads,
    which a slip would replace; those of a store and genomes are known by their names.
    """
    if path is None or descriptor(path) is not None:
        return
    try:
        there = kind(path)
        if there is not None and stat.S_ISREG(there):
            same = any(each and Path(each).exists() and path.samefile(each) for each in inputs)
            if same or DATA.search(os.path.realpath(path)):
                raise InputError(
                    f"{option} {path}: is a file of data, which a report would replace; give it a"
                    " name of its own"
                )
        if there is not None and stat.S_ISDIR(there):
            raise InputError(f"{option} {path}: is a folder; name a file")
        if there is None or stat.S_ISREG(there):
            folder = Path(os.path.realpath(path)).parent
            if not folder.is_dir():
                raise InputError(f"{option} {path}: there is no folder {folder_of(path)}")
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise refusal(path, option, error) from error
    if there is not None and not os.access(path, os.W_OK):
        raise InputError(f"{option} {path}: cannot be written: Permission denied")


def write(data: bytes, path: Path, option: str) -> None:
    """Write a file that was asked for; InputError where it cannot be written."""
    number = descriptor(path)
    try:
        if number == 1:
            stream.write_bytes(data)
        elif number is not None:
            into(os.dup(number), data)
        else:
            there = kind(path)
            if there is None or stat.S_ISREG(there):
                replace(data, Path(os.path.realpath(path)))
            else:
                into(os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0)), data)
    except OSError as error:
        raise refusal(path, option, error) from error


def write_text(text: str, path: Path, option: str) -> None:
    """As UTF-8. A name that is no Unicode came as lone surrogates, which become escapes."""
    write(text.encode("utf-8", "backslashreplace"), path, option)


def kind(path: Path) -> int | None:
    """The mode of what the path leads to, None for nothing. Raises OSError."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def descriptor(path: Path) -> int | None:
    """The number, where the path stands for an open descriptor of ours, as /dev/stdout does.

    To open such a path again would begin at the start of a file that others write to as well.
    """
    for _ in range(LINKS):
        if path.name.isascii() and path.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.path.realpath(path.parent) in ("/dev/fd", f"/proc/{os.getpid()}/fd"):
                    return int(path.name)
        try:
            path = path.parent / path.readlink()
        except (OSError, ValueError):  # no link, or nothing there
            return None
    return None


def folder_of(path: Path) -> Path:
    """The folder as the caller knows it: of the path, or of what a link leads to."""
    return Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent


def into(number: int, data: bytes) -> None:
    """Write all of it to a descriptor, which is closed then."""
    with os.fdopen(number, "wb") as out:
        out.write(data)


def replace(data: bytes, path: Path) -> None:
    """Put a whole file in the place of `path`, which is no link. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        as_before(partial, path)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            partial.unlink()
        raise


def as_before(partial: Path, path: Path) -> None:
    """Give a new file the owner and mode of the one that it replaces, or those of any new one."""
    try:
        before = path.stat()
    except FileNotFoundError:
        mask = os.umask(0o077)  # there is no other way to read it
        os.umask(mask)
        mode = 0o666 & ~mask
    else:
        mode = before.st_mode & 0o777
        if hasattr(os, "chown"):  # not on Windows
            with contextlib.suppress(PermissionError):  # only root gives files away
                os.chown(partial, before.st_uid, before.st_gid)
    with contextlib.suppress(PermissionError):  # vfat and some network disks have no modes
        partial.chmod(mode)


def refusal(path: Path, option: str, error: OSError) -> InputError:
    return InputError(f"{option} {path}: cannot be written: {error.strerror or error}")
