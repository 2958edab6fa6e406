"""A genome in FASTA, read by position, with an index of our own.

The index has samtools' .fai format (http://www.htslib.org/doc/faidx.html), so that pyfaidx can use
it too; it is never written beside the user's genome.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cpgpt_doctor.disk import open_regular, write_whole
from cpgpt_doctor.errors import InputError

BLOCK = 1 << 23  # bytes of a genome in memory at once, about
LARGEST_INDEX = 1 << 30
INDEX_SCHEMA = "cpgpt-doctor/genome-index/v1"
CHECKED_LINES = 16  # of each sequence, besides its first ones and its last
CHECKED_BYTES = 4096  # at either end of a line, and after a sequence
GZIP = b"\x1f\x8b"
LONE_CR = re.compile(rb"\r(?!\n)")


class IndexWrong(InputError):
    """An index that does not say what stands in the genome."""


@dataclass(frozen=True)
class Sequence:
    """One sequence of a FASTA file, as a .fai line has it.

    length: bases. offset: of the first base in the file, in bytes. line_bases and line_bytes: of
    each full line, without and with its end. digest: SHA-256 of the bases as they stand, in upper
    and lower case, without line ends.
    """

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int
    digest: str

    def fai(self) -> str:
        """The line of a .fai."""
        numbers = self.length, self.offset, self.line_bases, self.line_bytes
        return "\t".join([self.name, *map(str, numbers)]) + "\n"

    def at(self, base: int) -> int:
        """Where a base stands in the file."""
        line, column = divmod(base, self.line_bases)
        return self.offset + line * self.line_bytes + column


@dataclass(frozen=True)
class Identity:
    """What tells whether a file is still the one that was read: another has another of these."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    def __str__(self) -> str:
        return f"{self.size}-{self.mtime_ns}-{self.inode}-{self.device}"


@dataclass(frozen=True)
class Index:
    """The sequences of a genome, and the state of the file that they were read from."""

    identity: Identity
    sequences: tuple[Sequence, ...]


def identity(path: Path) -> Identity:
    """Of the file itself, where `path` is a link. Raises InputError where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def build_index(path: Path) -> tuple[Sequence, ...]:
    """Read a whole FASTA file once.

    Raises InputError, with the line, where it is not FASTA or its lines differ in length.
    """
    reading = Reading(path)
    rest = b""
    with open_genome(path) as stream:
        try:
            while block := stream.read(BLOCK):
                if block.endswith(b"\r"):
                    block += stream.read(1)  # CR and LF stay together
                data = rest + block
                rest = data[reading.take(data) :]
        except OSError as error:
            raise unreadable(path, error) from error
    if rest or reading.begun:
        reading.line(rest)
    reading.close()
    if not reading.sequences:
        raise InputError(f"{path}: not FASTA: it holds no sequence")
    return tuple(reading.sequences)


class Reading:
    """The index of a FASTA file, while the file is read from its start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sequences: list[Sequence] = []
        self.seen: set[str] = set()
        self.number = 1  # of the line at hand
        self.position = 0  # in the file, in bytes
        self.begun = 0  # bytes of the line at hand that were taken already
        self.start("")

    def start(self, name: str) -> None:
        self.name = name
        self.offset = self.position
        self.length = 0
        self.bases = 0
        self.width = 0
        self.short_line = 0
        self.hash = hashlib.sha256()

    def close(self) -> None:
        """Note the sequence at hand, which has ended."""
        if self.name:
            digest = self.hash.hexdigest()
            self.sequences.append(
                Sequence(self.name, self.length, self.offset, self.bases, self.width, digest)
            )

    def take(self, data: bytes) -> int:
        """Take in as much as is whole; returns the bytes taken. `data` begins where that ended."""
        self.check_text(data)
        at = 0
        while at < len(data):
            at += self.full_lines(data, at)
            end = data.find(b"\n", at) + 1
            if end:
                self.line(data[at:end])
                at = end
            elif len(data) - at < BLOCK:
                break
            else:  # a chromosome in one line
                at += self.part_of_line(data[at:])
        return at

    def check_text(self, data: bytes) -> None:
        """Refuse zero bytes, and CR without LF, at which pyfaidx and CpGPT see no line end."""
        zero = data.find(b"\0")
        lone = LONE_CR.search(data) if b"\r" in data else None
        if zero >= 0 or lone:
            at = min(each for each in (zero, lone.start() if lone else -1) if each >= 0)
            line = self.number + data.count(b"\n", 0, at)
            if at == zero:
                raise InputError(f"{self.path}:{line}: holds a zero byte; FASTA is text")
            raise InputError(
                f"{self.path}:{line}: a line ends in CR without LF, which CpGPT does not read as"
                " an end; write LF, for example with: tr '\\r' '\\n' < IN > OUT"
            )

    def full_lines(self, data: bytes, at: int) -> int:
        """Take in the lines from `at` on that are as the sequence's first; returns their bytes."""
        width, bases = self.width, self.bases
        if width <= bases or self.short_line or self.begun:
            return 0
        end = data.find(b">", at)  # the next header, at the furthest
        lines = ((len(data) if end < 0 else end) - at) // width
        while lines and not self.regular(data, at, lines):
            lines //= 2
        if lines:
            end = at + lines * width
            text = bytearray(memoryview(data)[at:end])
            for removed in range(width - bases):  # a stride is quicker than a search
                del text[bases :: width - removed]
            self.hash.update(text)
            self.length += lines * bases
            self.number += lines
            self.position += lines * width
        return lines * width

    def regular(self, data: bytes, at: int, lines: int) -> bool:
        """Whether the next lines have the length of the first and no end elsewhere."""
        end = at + lines * self.width
        ends = data[at + self.width - 1 : end : self.width]
        if not ends.count(b"\n") == lines == data.count(b"\n", at, end):
            return False
        if self.width == self.bases + 1:
            return data.find(b"\r", at, end) < 0
        return data.count(b"\r", at, end) == lines

    def part_of_line(self, part: bytes) -> int:
        if part.startswith(b">") and not self.begun:
            raise InputError(f"{self.path}:{self.number}: a FASTA header of over {BLOCK} bytes")
        if not self.name:
            raise self.not_fasta(self.number)
        self.hash.update(part)
        self.begun += len(part)
        self.position += len(part)
        return len(part)

    def line(self, line: bytes) -> None:
        """Take in one line, or what is left of it."""
        number = self.number
        self.number += 1
        self.position += len(line)
        if line.startswith(b">") and not self.begun:
            self.close()
            self.start(self.checked_name(line, number))
            return
        text = line.rstrip(b"\r\n")
        bases, width = self.begun + len(text), self.begun + len(line)
        self.begun = 0
        if not bases and not self.name:
            return
        if not self.name:
            raise self.not_fasta(number)
        if self.short_line and bases:
            raise InputError(
                f"{self.path}:{self.short_line}: shorter than the other lines of {self.name!r},"
                " which only the last line may be; reformat it, for example with seqtk seq -l 60"
            )
        if not self.width:
            self.bases, self.width = bases, width
        elif bases > self.bases:
            raise InputError(f"{self.path}:{number}: longer than the other lines of {self.name!r}")
        if (bases, width) != (self.bases, self.width):
            self.short_line = number
        self.hash.update(text)
        self.length += bases

    def checked_name(self, header: bytes, number: int) -> str:
        name = header_name(header)
        if not name:
            raise InputError(f"{self.path}:{number}: a FASTA header without a name")
        if name in self.seen:
            raise InputError(f"{self.path}:{number}: the name {name!r} stands twice")
        self.seen.add(name)
        return name

    def not_fasta(self, number: int) -> InputError:
        return InputError(f"{self.path}:{number}: not FASTA: it does not begin with '>'")


def header_name(header: bytes) -> str:
    """The name in a header line, empty where there is none directly after its `>`."""
    words = header[1:].split(None, 1)
    if not words or header[1:2].isspace():
        return ""
    return words[0].decode("utf-8", "replace")


def open_genome(path: Path) -> BinaryIO:
    """Open a file that can be read by position; a pipe or a device is refused without waiting."""
    try:
        stream = open_regular(path)
        packed = read_at(stream, 0, 2) == GZIP
    except OSError as error:
        raise unreadable(path, error) from error
    if packed:
        stream.close()
        raise InputError(
            f"{path}: the genome is compressed, which CpGPT cannot read by position; decompress it"
            f" with: gzip -dk {path}"
        )
    stream.seek(0)
    return stream


def is_compressed(path: Path) -> bool:
    """Whether a genome begins as gzip's files do. Raises InputError where it cannot be read."""
    try:
        with open_regular(path) as stream:
            return read_at(stream, 0, 2) == GZIP
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: the genome cannot be read: {error.strerror}")


def write_index(sequences: tuple[Sequence, ...], path: Path) -> None:
    write_whole(path, "".join(each.fai() for each in sequences))


class Genome:
    """A FASTA file whose windows are read by position; each read names its own offset.

    An entry of the index is held against the file before it is used: IndexWrong.
    """

    def __init__(self, path: Path, sequences: tuple[Sequence, ...]) -> None:
        self.path = path
        self.sequences = {each.name: each for each in sequences}
        self._stream = open_genome(path)
        self._checked: set[str] = set()

    def close(self) -> None:
        self._stream.close()

    def window(self, name: str, position: int, context_len: int) -> str:
        """The window that CpGPT embeds for a 0-based position; at most context_len - 1 bases.

        Its half widths are context_len // 2, and it ends one base before the sequence does:
        https://pypi.org/project/CpGPT/ 0.0.1 to 0.0.13, GenomicSequenceDataset.
        """
        sequence = self.sequences[name]
        if name not in self._checked:
            check_entry(self._stream, sequence, self.path)
            self._checked.add(name)
        start = max(0, position - context_len // 2)
        end = min(sequence.length - 1, position + context_len // 2)
        return self.read(sequence, start, end)

    def read(self, sequence: Sequence, start: int, end: int) -> str:
        """Bases start (0-based) to end (not included). Raises IndexWrong where there are fewer."""
        if end <= start:
            return ""
        first = sequence.at(start)
        data = positioned(self._stream, first, sequence.at(end - 1) + 1 - first)
        bases = data.replace(b"\n", b"") if b"\r" not in data else data.translate(None, b"\r\n")
        if len(bases) != end - start:
            raise IndexWrong(
                f"{self.path}: the index of the genome is wrong about sequence {sequence.name!r}:"
                f" bases {start} to {end - 1} are not where it has them"
            )
        return bases.decode("ascii", "replace")


def check_index(path: Path, sequences: Iterable[Sequence], names: Iterable[str]) -> None:
    """Hold the entries of `names` against the genome itself; those it does not have are passed by.

    Raises IndexWrong where one does not say what stands in the file.
    """
    entries = {each.name: each for each in sequences}
    with open_genome(path) as stream:
        for name in set(names) & set(entries):
            check_entry(stream, entries[name], path)


def check_entry(stream: BinaryIO, entry: Sequence, path: Path) -> None:
    wrong = mismatch(stream, entry)
    if wrong:
        raise IndexWrong(
            f"{path}: the index of the genome is wrong about sequence {entry.name!r}: {wrong}"
        )


def mismatch(stream: BinaryIO, entry: Sequence) -> str:
    """How an entry differs from what stands in the file; empty where all that is looked at fits.

    Looked at are the header, the first lines, some in the middle, the last, and what follows.
    """
    size = os.fstat(stream.fileno()).st_size
    if not (0 < entry.offset <= size and 0 <= entry.length <= size):
        return "its numbers contradict each other"
    header = line_before(stream, entry.offset)
    if not header.startswith(b">") or header_name(header) != entry.name:
        return f"its header does not end at byte {entry.offset}"
    end = entry.offset
    if entry.length:
        full, left = divmod(entry.length, entry.line_bases) if entry.line_bases > 0 else (0, 0)
        line_end = entry.line_bytes - entry.line_bases
        if not full or line_end not in ((0, 1, 2) if (full, left) == (1, 0) else (1, 2)):
            return "its numbers contradict each other"
        for line in {0, 1, 2, *range(0, full, full // CHECKED_LINES + 1), full - 1}:
            if line < full and not line_fits(stream, entry, line, closed=(line < full - 1 or left)):
                return f"line {line + 1} is not one of {entry.line_bases} bases"
        if left and not all_bases(stream, entry.at(full * entry.line_bases), left):
            return f"its last line is not one of {left} bases"
        end = entry.at(entry.length - 1) + 1
    return "" if ends_at(stream, end, entry.length) else f"it does not end at byte {end}"


def line_before(stream: BinaryIO, offset: int) -> bytes:
    """The line that ends directly before `offset`, or with the file; empty where none does."""
    for length in (CHECKED_BYTES, BLOCK):
        start = max(0, offset - length)
        data = read_at(stream, start, offset - start)
        begin = data[:-1].rfind(b"\n") + 1
        if len(data) < offset - start or (not data.endswith(b"\n") and stream.read(1)):
            return b""
        if begin or not start:
            return data[begin:]
    return b""


def line_fits(stream: BinaryIO, entry: Sequence, line: int, closed: object) -> bool:
    """Whether a full line holds bases alone and, where it is closed, ends as the first one does."""
    start = entry.offset + line * entry.line_bytes
    line_end = b"\r\n"[-(entry.line_bytes - entry.line_bases) :]
    return all_bases(stream, start, entry.line_bases) and (
        not closed or read_at(stream, start + entry.line_bases, len(line_end)) == line_end
    )


def all_bases(stream: BinaryIO, start: int, length: int) -> bool:
    """Whether there are `length` bytes with no line end; a long line is read at both ends."""
    part = min(length, CHECKED_BYTES)
    return all(
        len(data) == part and not re.search(rb"[\r\n]", data)
        for data in (read_at(stream, at, part) for at in (start, start + length - part))
    )


def ends_at(stream: BinaryIO, end: int, length: int) -> bool:
    """Whether nothing but line ends stands between `end` and the next header or the file's end."""
    closed = not length
    while data := read_at(stream, end, CHECKED_BYTES):
        after = data.lstrip(b"\r\n")
        closed = closed or after != data
        if after:
            return closed and after.startswith(b">")
        end += len(data)
    return True


def read_at(stream: BinaryIO, start: int, length: int) -> bytes:
    stream.seek(start)
    return stream.read(length)


def positioned(stream: BinaryIO, start: int, length: int) -> bytes:
    """The same of a file on disk in half the time, where the system can; its position may stay."""
    if hasattr(os, "pread"):
        return os.pread(stream.fileno(), length, start)
    return read_at(stream, start, length)


def sample_digests(genome: Genome, locations: Iterable[str], context_len: int) -> dict[str, str]:
    """SHA-256 of the window of each location, as text. Raises KeyError for an unknown name."""
    digests = {}
    for location in locations:
        name, _, position = location.partition(":")
        window = genome.window(name, int(position), context_len)
        digests[location] = hashlib.sha256(window.encode()).hexdigest()
    return digests


def index(path: Path, cache: Path) -> Index:
    """The index of a genome, from the folder `cache` where one was kept for this very file.

    Raises InputError where the file changes while it is read.
    """
    before = identity(path)
    sequences = read_index(cached_index(path, cache, before), before)
    if not sequences:
        sequences = build_index(path)
        check_same(path, before, "while it was read")
    return Index(before, sequences)


def check_same(path: Path, before: Identity, when: str) -> None:
    """Refuse a genome that is no longer the file of `before`."""
    now = identity(path)
    if now != before:
        raise InputError(f"{path}: the genome changed {when} ({before} was {now}); start again")


def keep_index(kept: Index, path: Path, cache: Path) -> Path:
    """Keep an index in the folder `cache`, for the next run and for pyfaidx; return its path.

    Our digests stand in a file beside it, which names the state of the genome and holds a digest
    over both files: one without the other counts as none.
    """
    fai = cached_index(path, cache, kept.identity)
    if read_index(fai, kept.identity) != kept.sequences:
        write_index(kept.sequences, fai)
        write_whole(digests_file(fai), json.dumps(digests(kept, fai.read_bytes())) + "\n")
    return fai


def check_kept(kept: Index, fai: Path) -> None:
    """Raise IndexWrong where the index kept in the file `fai` is no longer `kept`."""
    if read_index(fai, kept.identity) != kept.sequences:
        raise IndexWrong(f"{fai}: the index of the genome was changed by something else")


def cached_index(path: Path, cache: Path, state: Identity) -> Path:
    """Where the index of this state of a genome is kept."""
    return cache / f"{path.name}.{state}.fai"


def digests_file(fai: Path) -> Path:
    return fai.with_name(fai.name + ".json")


def digests(kept: Index, fai: bytes) -> dict[str, Any]:
    """What is kept beside the index whose file holds `fai`."""
    own = [each.digest for each in kept.sequences]
    return {
        "schema": INDEX_SCHEMA,
        "genome": str(kept.identity),
        "whole": hashlib.sha256(b"\n".join([fai, *(each.encode() for each in own)])).hexdigest(),
        "sequences": own,
    }


def read_index(fai: Path, state: Identity) -> tuple[Sequence, ...]:
    """A kept index of this state of a genome; empty where there is none, or a damaged one."""
    try:
        content = read_kept(fai)
        stored = json.loads(read_kept(digests_file(fai)))
        split = [line.split("\t") for line in content.decode().split("\n")[:-1]]
        sequences = tuple(
            Sequence(name, int(length), int(offset), int(bases), int(width), digest)
            for (name, length, offset, bases, width), digest in zip(
                split, stored["sequences"], strict=True
            )
        )
        whole = stored == digests(Index(state, sequences), content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()
    return sequences if whole else ()


def read_kept(path: Path) -> bytes:
    """A file of ours. Raises OSError where it is something else, or larger than any index."""
    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size > LARGEST_INDEX:
            raise OSError(errno.EFBIG, "larger than any index", str(path))
        return stream.read()
