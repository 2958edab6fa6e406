"""Look at the genomes of a dependencies folder without reading them whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.dependencies import GenomeSeen, Named
from cpgpt_doctor.genome import fasta
from cpgpt_doctor.genome.fasta import Sequence
from cpgpt_doctor.store.layout import WORK

ENDING = ".dna.toplevel.fa"
SMALL = 64 << 20  # bytes: a file up to this is read whole
PLACES, PLACE = 256, 4096  # places of a genome that are looked at, and bytes of each
SEED = 20240917
SHOWN = 3
LARGEST_INDEX = 64 << 20
MOST_SEQUENCES = 2000  # whose entries are held against the file; of more, the first and a sample
CHUNK = 1 << 20
GZIP_BITS = 31  # of zlib: gzip's header, and the largest window
Packed = Literal["whole", "cut", "unknown"]


@dataclass(frozen=True)
class Looked:
    """What was seen, and the sequences by which windows are read; none without a right index."""

    seen: GenomeSeen
    sequences: tuple[Sequence, ...] = ()


def look(path: Path, species: str | None, known: list[str], everything: bool) -> Looked:
    """Look at the genome that CpGPT takes for a species.

    known: names of its sequences, as the index of the store has them. everything: also read what
    is long. Raises OSError where the file cannot be read.
    """
    packed = path.with_name(path.name + ".gz")
    seen = GenomeSeen(str(path), species, found="missing", known=len(known))
    if os.path.lexists(packed):
        seen = dataclasses.replace(seen, packed=str(packed), packed_is=unpacks(packed, everything))
    if not os.path.lexists(path):
        return Looked(seen)
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        seen = dataclasses.replace(
            seen, found="plain", size=size, writable=os.access(path.resolve().parent, os.W_OK)
        )
        begin = fasta.read_at(stream, 0, 2)
        if begin == fasta.GZIP:
            return Looked(dataclasses.replace(seen, found="compressed"))
        if begin[:1] != b">":
            return Looked(dataclasses.replace(seen, found="no-fasta"))
        seen = dataclasses.replace(seen, line_end=fasta.read_at(stream, size - 1, 1) == b"\n")
        seen, sequences = with_index(seen, path, stream)
        letters, lower = case(stream, sequences, size)
    names = {each.name for each in sequences}
    missing = [each for each in known if each not in names] if sequences else []
    seen = dataclasses.replace(
        seen,
        sequences=len(sequences),
        names=tuple(each.name for each in sequences[:SHOWN]),
        letters=letters,
        lower=lower,
        missing_names=Named(len(missing), tuple(missing[:SHOWN])),
    )
    return Looked(seen, sequences)


def with_index(
    seen: GenomeSeen, path: Path, stream: BinaryIO
) -> tuple[GenomeSeen, tuple[Sequence, ...]]:
    """The .fai beside a genome held against it; the sequences by it, by our own, or by reading."""
    fai = path.with_name(path.name + ".fai")
    own: tuple[Sequence, ...] = ()
    with contextlib.suppress(InputError):
        own = fasta.read_index(
            fasta.cached_index(path, path.parents[1] / WORK, fasta.identity(path)),
            fasta.identity(path),
        )
        if not own and seen.size <= SMALL:
            own = fasta.build_index(path)
    if not fai.is_file():
        return seen, own
    entries = read_fai(fai)
    problem = "it cannot be read" if entries is None else wrong(entries, stream, seen.size)
    if not problem:
        return dataclasses.replace(seen, index="right"), own or entries or ()
    short = any(end_of(each) > seen.size for each in entries or ())
    older = fai.stat().st_mtime_ns < path.stat().st_mtime_ns
    seen = dataclasses.replace(seen, index="older" if older else "wrong", problem=problem)
    return dataclasses.replace(seen, short=short), own


def end_of(entry: Sequence) -> int:
    """The byte after the last base that an entry has; entries of no length end where they begin."""
    if entry.length <= 0 or entry.line_bases <= 0:
        return entry.offset
    return entry.at(entry.length - 1) + 1


def read_fai(path: Path) -> tuple[Sequence, ...] | None:
    """The entries of an index of samtools' or pyfaidx's; None where it is none."""
    try:
        with open_regular(path) as stream:
            text = stream.read(LARGEST_INDEX + 1)
        if len(text) > LARGEST_INDEX:
            return None
        split = [line.split("\t") for line in text.decode().splitlines()]
        return tuple(
            Sequence(name, int(length), int(offset), int(bases), int(width), "")
            for name, length, offset, bases, width in split
        )
    except (OSError, ValueError):
        return None


def wrong(entries: tuple[Sequence, ...], stream: BinaryIO, size: int) -> str:
    """How an index differs from what stands in the file; empty where all that is looked at fits."""
    if not entries:
        return "it is empty"
    some = entries
    if len(entries) > MOST_SEQUENCES:
        rng = random.Random(SEED)
        some = (*entries[: MOST_SEQUENCES // 2], *rng.sample(entries, MOST_SEQUENCES // 2))
    for entry in some:
        problem = fasta.mismatch(stream, entry)
        if problem:
            return f"{entry.name}: {problem}"
    last = max(entries, key=lambda each: each.offset)
    if fasta.read_at(stream, end_of(last), CHUNK).strip(b"\r\n"):
        return f"{last.name} is its last sequence, and the file has more after it"
    return ""


def case(stream: BinaryIO, sequences: tuple[Sequence, ...], size: int) -> tuple[int, int]:
    """Letters at some places of the file, and how many of them are lower-case bases.

    Headers are left out as far as they can be told: a line that begins with `>`.
    """
    rng = random.Random(SEED)
    letters = lower = 0
    for _ in range(PLACES):
        start = rng.randrange(max(1, size - PLACE))
        lines = fasta.read_at(stream, start, PLACE).split(b"\n")
        # The first line may be the rest of a header; every other begins where it begins.
        for line in lines[1:] if len(lines) > 1 else lines:
            if line.startswith(b">"):
                continue
            letters += len(line)
            lower += len(line) - len(line.translate(None, b"acgt"))
    return letters, lower


def unpacks(path: Path, everything: bool) -> Packed:
    """Whether a gzip file can be unpacked to its end; long ones are read where that was asked."""
    try:
        with open_regular(path) as stream:
            if os.fstat(stream.fileno()).st_size > SMALL and not everything:
                return "unknown"
            unpacker = zlib.decompressobj(wbits=GZIP_BITS)
            while data := stream.read(CHUNK):
                while data:
                    if unpacker.eof:  # a file of several members goes on; gzip passes over zeros
                        data = data.lstrip(b"\0")
                        if not data:
                            break
                        unpacker = zlib.decompressobj(wbits=GZIP_BITS)
                    unpacker.decompress(data, CHUNK)  # thrown away, a part at a time
                    data = unpacker.unused_data or unpacker.unconsumed_tail
            return "whole" if unpacker.eof else "cut"
    except zlib.error:
        return "cut"
    except OSError:
        return "unknown"
