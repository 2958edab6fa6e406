"""What a repair does to files, in steps that can be done and undone, again and again.

Both sides of each step are on the disk in the backup before the first one is done. So a step that
was killed half-way is done anew, or undone, whole: neither needs to know how far it was.
Paths are relative to the dependencies folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from cpgpt_doctor.disk import flush, flush_folder, make_folder, open_regular, sync
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store import metadata
from cpgpt_doctor.store.transaction import holders

CHUNK = 1 << 20
LOCKED_SECONDS = 30.0


class Changed(InputError):
    """A file is neither as before the repair nor as after it: another program wrote to it."""


@dataclass(frozen=True)
class Place:
    """Where a repair is done: the dependencies folder, and the backup's."""

    folder: Path
    backup: Path

    def real(self, path: str) -> Path:
        """The file itself, where links lead to it."""
        return (self.folder / path).resolve()


@dataclass(frozen=True)
class Swap:
    """A file is replaced whole by another, in one rename. None: it is not there.

    before, after: names in the backup, with their SHA-256. database: whether SQLite is to keep
    other writers out meanwhile.
    """

    kind: ClassVar[str] = "swap"
    path: str
    before: str | None
    after: str | None
    before_digest: str | None
    after_digest: str | None
    database: bool

    def needs(self) -> list[tuple[str, int | None]]:
        """Files of the backup that it needs, with their size where that is known."""
        return [(name, None) for name in (self.before, self.after) if name is not None]

    def do(self, place: Place) -> None:
        self.exchange(place, self.after, self.after_digest, self.before_digest)

    def undo(self, place: Place) -> None:
        self.exchange(place, self.before, self.before_digest, self.after_digest)

    def is_done(self, place: Place) -> bool:
        return file_digest(place.real(self.path)) == self.after_digest

    def exchange(
        self, place: Place, name: str | None, digest: str | None, other: str | None
    ) -> None:
        real = place.real(self.path)
        new = real.with_name(f".{real.name}.cpgpt-doctor")
        new.unlink(missing_ok=True)  # of a repair that was killed
        if file_digest(real) == digest:
            return
        if name is not None:
            shutil.copy2(place.backup / name, new)
            with contextlib.suppress(PermissionError, AttributeError):  # only root gives files away
                owned = real if real.exists() else place.folder
                os.chown(new, owned.stat().st_uid, owned.stat().st_gid)
            flush(new)
        with self.kept(real) as stream:
            if (None if stream is None else digest_of(stream)) != other:
                raise Changed(f"{real}: was changed by another program")
            if name is None:
                real.unlink()
            else:
                new.replace(real)
        flush_folder(real.parent)

    @contextlib.contextmanager
    def kept(self, real: Path) -> Iterator[BinaryIO | None]:
        """The file, which no other program of SQLite's writes to meanwhile; None for none.

        Closing a file gives up the locks that this process has on it, so it is closed last.
        """
        if not real.exists():
            yield None
            return
        with open_regular(real) as stream:
            if not self.database:
                yield stream
                return
            with unwritten(real):
                yield stream


@contextlib.contextmanager
def unwritten(database: Path) -> Iterator[sqlite3.Connection]:
    """Keep other writers out of a database; what a killed one left is rolled back before."""
    with contextlib.closing(metadata.connect(database, write=True, wait=LOCKED_SECONDS)) as held:
        try:
            held.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise InputError(
                f"{database}: cannot be locked for writing ({error}){holders(database)}; end the"
                " program that writes to it, then start again"
            ) from error
        yield held


@dataclass(frozen=True)
class Write:
    """Stretches of a file are written anew; it stays as long as it is.

    runs: (offset, bytes); before, after: files of the backup with the stretches, one on another.
    """

    kind: ClassVar[str] = "write"
    path: str
    runs: tuple[tuple[int, int], ...]
    before: str
    after: str

    def needs(self) -> list[tuple[str, int | None]]:
        size = sum(length for _, length in self.runs)
        return [(self.before, size), (self.after, size)]

    def do(self, place: Place) -> None:
        self.put(place, self.after)

    def undo(self, place: Place) -> None:
        self.put(place, self.before)

    def is_done(self, place: Place) -> bool:
        real = place.real(self.path)
        try:
            with open_regular(real) as stream, (place.backup / self.after).open("rb") as after:
                for offset, length in self.runs:
                    stream.seek(offset)
                    for chunk in chunks(after, length):
                        if stream.read(len(chunk)) != chunk:
                            return False
        except FileNotFoundError:
            return False
        return True

    def put(self, place: Place, name: str) -> None:
        real = place.real(self.path)
        end = max((offset + length for offset, length in self.runs), default=0)
        if not real.is_file() or real.stat().st_size < end:
            raise Changed(f"{real}: is shorter than it was")
        with real.open("r+b", buffering=0) as stream, (place.backup / name).open("rb") as data:
            for offset, length in self.runs:
                stream.seek(offset)
                for chunk in chunks(data, length):
                    write_all(stream, chunk)
            sync(stream.fileno())


@dataclass(frozen=True)
class Tail:
    """What stands in a file from `at` on becomes another; before, after: files of the backup."""

    kind: ClassVar[str] = "tail"
    path: str
    at: int
    before: str
    after: str

    def needs(self) -> list[tuple[str, int | None]]:
        return [(self.before, None), (self.after, None)]

    def do(self, place: Place) -> None:
        self.put(place, self.after)

    def undo(self, place: Place) -> None:
        self.put(place, self.before)

    def is_done(self, place: Place) -> bool:
        """Whether the file has the length; a tail that was added has to be there, too."""
        length = self.length(place, self.after)
        try:
            with open_regular(place.real(self.path)) as stream:
                if os.fstat(stream.fileno()).st_size != self.at + length:
                    return False
                stream.seek(self.at)
                with (place.backup / self.after).open("rb") as after:
                    return all(stream.read(len(each)) == each for each in chunks(after, length))
        except FileNotFoundError:
            return False

    def length(self, place: Place, name: str) -> int:
        return (place.backup / name).stat().st_size

    def put(self, place: Place, name: str) -> None:
        real = place.real(self.path)
        most = self.at + max(self.length(place, each) for each in (self.before, self.after))
        if not real.is_file() or not self.at <= real.stat().st_size <= most:
            raise Changed(f"{real}: is no longer as long as it was")
        length = self.length(place, name)
        with real.open("r+b", buffering=0) as stream, (place.backup / name).open("rb") as data:
            stream.seek(self.at)
            for chunk in chunks(data, length):
                write_all(stream, chunk)
            stream.truncate(self.at + length)
            sync(stream.fileno())


@dataclass(frozen=True)
class Move:
    """A file or folder gets another place; links are moved as links.

    into_backup: whether `target` is a name in the backup, else one in the dependencies folder.
    size, mtime_ns: of a file that no other step writes; None where that is not to be held.
    """

    kind: ClassVar[str] = "move"
    path: str
    target: str
    into_backup: bool
    size: int | None = None
    mtime_ns: int | None = None

    def needs(self) -> list[tuple[str, int | None]]:
        return []

    def do(self, place: Place) -> None:
        self.rename(place, place.folder / self.path, self.there(place))

    def undo(self, place: Place) -> None:
        self.rename(place, self.there(place), place.folder / self.path)

    def is_done(self, place: Place) -> bool:
        try:
            seen = self.there(place).lstat()
        except FileNotFoundError:
            return False
        same = self.size is None or (seen.st_size, seen.st_mtime_ns) == (self.size, self.mtime_ns)
        return same and not os.path.lexists(place.folder / self.path)

    def there(self, place: Place) -> Path:
        return (place.backup if self.into_backup else place.folder) / self.target

    def rename(self, place: Place, source: Path, target: Path) -> None:
        here, there = os.path.lexists(source), os.path.lexists(target)
        if there and not here:
            return
        if there or not here:
            raise Changed(f"{target if there else source}: {'is' if there else 'is not'} there")
        make_folder(target.parent, place.folder)
        source.rename(target)
        flush_folder(target.parent)
        flush_folder(source.parent)


Step = Swap | Write | Tail | Move
KINDS: dict[str, type[Step]] = {each.kind: each for each in (Swap, Write, Tail, Move)}


def write_all(stream: BinaryIO, data: bytes) -> None:
    """A file without a buffer may take less than it is given."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def chunks(stream: BinaryIO, length: int) -> Iterator[bytes]:
    """So many bytes of a file, some at a time. Raises InputError where it is cut short."""
    while length:
        chunk = stream.read(min(CHUNK, length))
        if not chunk:
            raise InputError(f"{stream.name}: is cut short; what it should hold is lost")
        length -= len(chunk)
        yield chunk


def digest_of(stream: BinaryIO) -> str:
    total = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        total.update(chunk)
    return total.hexdigest()


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    try:
        with open_regular(path) as stream:
            return digest_of(stream)
    except FileNotFoundError:
        return None
