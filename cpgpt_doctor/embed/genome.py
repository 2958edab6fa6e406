"""A genome in FASTA, read by position, with an index of our own.

The index has samtools' .fai format (http://www.htslib.org/doc/faidx.html), so that pyfaidx can use
it too; it is never written beside the user's genome.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cpgpt_doctor.errors import InputError


@dataclass(frozen=True)
class Sequence:
    """One sequence of a FASTA file, as a .fai line has it.

    length: bases. offset: of the first base in the file, in bytes. line_bases and line_bytes: of
    each full line, without and with its end.
    """

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int


def build_index(path: Path) -> tuple[Sequence, ...]:
    """Read a whole FASTA file once.

    Raises InputError, with the line, where it is not FASTA or its lines differ in length.
    """
    sequences: list[Sequence] = []
    seen: set[str] = set()
    name, length, offset, bases, width = "", 0, 0, 0, 0
    short_line = 0
    number = 0

    def close() -> None:
        if name:
            sequences.append(Sequence(name, length, offset, bases, width))

    with open_genome(path) as stream:
        position = 0
        for number, line in enumerate(stream, 1):
            position += len(line)
            if line[:1] == b">":
                close()
                words = line[1:].split(None, 1)
                if not words or line[1:2].isspace():
                    raise InputError(f"{path}:{number}: a FASTA header without a name")
                name = words[0].decode("utf-8", "replace")
                if name in seen:
                    raise InputError(f"{path}:{number}: the name {name!r} stands twice")
                seen.add(name)
                length, offset, bases, width, short_line = 0, position, 0, 0, 0
                continue
            stripped = len(line.rstrip(b"\r\n"))
            if not name:
                if stripped == 0:
                    continue
                raise InputError(f"{path}:{number}: not FASTA: it does not begin with '>'")
            if short_line and stripped:
                raise InputError(
                    f"{path}:{short_line}: shorter than the other lines of {name!r}, which only"
                    " the last line may be; reformat it, for example with seqtk seq -l 60"
                )
            if not width:
                bases, width = stripped, len(line)
            elif stripped > bases:
                raise InputError(f"{path}:{number}: longer than the other lines of {name!r}")
            if len(line) != width:
                short_line = number
            length += stripped
    close()
    if not sequences:
        raise InputError(f"{path}: not FASTA: it holds no sequence")
    return tuple(sequences)


def open_genome(path: Path) -> BinaryIO:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: the genome cannot be read: {error.strerror}") from error
    if stream.read(2) == b"\x1f\x8b":
        stream.close()
        raise InputError(
            f"{path}: the genome is compressed, which CpGPT cannot read by position; decompress it"
            f" with: gzip -dk {path}"
        )
    stream.seek(0)
    return stream


def write_index(sequences: tuple[Sequence, ...], path: Path) -> None:
    lines = (
        f"{each.name}\t{each.length}\t{each.offset}\t{each.line_bases}\t{each.line_bytes}\n"
        for each in sequences
    )
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(lines)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


class Genome:
    """A FASTA file whose windows are read by position; each read names its own offset."""

    def __init__(self, path: Path, sequences: tuple[Sequence, ...]) -> None:
        self.path = path
        self.sequences = {each.name: each for each in sequences}
        self._stream = open_genome(path)

    def close(self) -> None:
        self._stream.close()

    def window(self, name: str, position: int, context_len: int) -> str:
        """The window that CpGPT embeds for a 0-based position; at most context_len - 1 bases.

        Its half widths are context_len // 2, and it ends one base before the sequence does:
        https://pypi.org/project/CpGPT/ 0.0.1 to 0.0.13, GenomicSequenceDataset.
        """
        sequence = self.sequences[name]
        start = max(0, position - context_len // 2)
        end = min(sequence.length - 1, position + context_len // 2)
        return self.read(sequence, start, end)

    def read(self, sequence: Sequence, start: int, end: int) -> str:
        """Bases start (0-based) to end (not included)."""
        if end <= start:
            return ""
        first = self._at(sequence, start)
        self._stream.seek(first)
        data = self._stream.read(self._at(sequence, end - 1) + 1 - first)
        return data.translate(None, b"\r\n").decode("ascii", "replace")

    @staticmethod
    def _at(sequence: Sequence, base: int) -> int:
        line, column = divmod(base, sequence.line_bases)
        return sequence.offset + line * sequence.line_bytes + column


def fingerprint(path: Path) -> str:
    """What tells whether a file has changed since it was indexed: size and time of change."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def index(path: Path, cache: Path) -> tuple[Sequence, ...]:
    """The index of a genome, from the folder `cache` where one was kept for this very file."""
    return read_index(cached_index(path, cache)) or build_index(path)


def keep_index(sequences: tuple[Sequence, ...], path: Path, cache: Path) -> Path:
    """Keep an index in the folder `cache`, for the next run and for pyfaidx; return its path."""
    kept = cached_index(path, cache)
    if read_index(kept) != sequences:
        write_index(sequences, kept)
    return kept


def cached_index(path: Path, cache: Path) -> Path:
    """Where the index of this state of a genome is kept."""
    return cache / f"{path.name}.{fingerprint(path)}.fai"


def read_index(path: Path) -> tuple[Sequence, ...]:
    """A kept index; empty where there is none, or a damaged one."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        split = [line.split("\t") for line in lines]
        return tuple(Sequence(name, *map(int, numbers)) for name, *numbers in split)
    except (OSError, ValueError, TypeError):
        return ()
