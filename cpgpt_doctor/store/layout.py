"""CpGPT's embedding store: where it is, what it names, and what its file of rows holds.

For a species, model and context length it is two things in a dependencies folder:
`dna_embeddings/SPECIES/DNA_LLM/{LEN}bp_dna_embeddings.mmap`, rows of float32, and the entry
`[dna_llm][len]` of the species in `ensembl_metadata.db`, a row for each location. The file may hold
more rows than are named: what stands after the last named row does not count. Nothing is written
here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import DoctorError
from cpgpt_doctor.facts.store import IndexSeen, Unnamed
from cpgpt_doctor.store import metadata

FLOAT32 = 4
NOTE_SCHEMA = "cpgpt-doctor/appending/v1"
LARGEST_NOTE = 64 << 20
BLOCK = 512  # bytes that reach a disk together, or not at all
CHUNK = 1 << 20
# Ours, of work of ours in a dependencies folder: lock, log, staging, index.
WORK = ".cpgpt-doctor"
# Numbers of a row by model, as CpGPT 0.0.1 to 0.0.13 have them (`llm_embedding_size_dict`).
WIDTHS = {
    "NTv3_650M_pre": 1536,
    "NTv3_100M_pre": 768,
    "NTv3_8M_pre": 256,
    "nucleotide-transformer-v2-500m-multi-species": 1024,
    "nucleotide-transformer-v2-100m-multi-species": 1024,
    "nucleotide-transformer-v2-50m-multi-species": 512,
    "DNABERT-2-117M": 768,
    "hyenadna-large-1m-seqlen-hf": 256,
    "hyenadna-medium-450k-seqlen-hf": 256,
    "hyenadna-small-32k-seqlen-hf": 256,
    "hyenadna-tiny-1k-seqlen-d256": 256,
}


@dataclass(frozen=True)
class StorePaths:
    """Which store: the folder and what CpGPT names its parts by.

    `width` is numbers a row; None where only files and names are looked at.
    """

    dependencies: Path
    species: str
    dna_llm: str
    context_len: int
    width: int | None = None

    @property
    def folder(self) -> Path:
        return self.dependencies / "dna_embeddings" / self.species / self.dna_llm

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.context_len}bp_dna_embeddings.mmap"

    @property
    def unfinished(self) -> Path:
        """What CpGPT calls the file while it writes, and leaves behind when it is stopped."""
        return self.rows.with_name(self.rows.name + ".tmp")

    @property
    def checkpoint(self) -> Path:
        """CpGPT's note of how many rows of an unfinished run it trusts (0.0.8 and later)."""
        return self.rows.with_name(self.rows.name + ".checkpoint.json")

    @property
    def note(self) -> Path:
        """Ours: what is being appended to the file. Gone once it is named."""
        return self.rows.with_name(self.rows.name + ".appending")

    @property
    def database(self) -> Path:
        return self.dependencies / metadata.FILE

    @property
    def row_bytes(self) -> int:
        assert self.width is not None
        return self.width * FLOAT32


def named_rows(paths: StorePaths) -> dict[str, int]:
    """The row of each location in the store; empty where there is none yet."""
    if not paths.database.exists():
        return {}
    connection = metadata.connect(paths.database)
    try:
        species = metadata.read_species(connection, paths.species, paths.database)
    finally:
        connection.close()
    return entry(species, paths)


def entry(species: dict[Any, Any], paths: StorePaths) -> dict[str, int]:
    by_length = species.get(paths.dna_llm, {})
    rows = by_length.get(paths.context_len, {}) if isinstance(by_length, dict) else None
    if not isinstance(rows, dict) or not all(
        isinstance(key, str) and type(value) is int for key, value in rows.items()
    ):
        said = (
            f"the rows of {paths.species}, {paths.dna_llm}, {paths.context_len} are not a"
            " table of locations"
        )
        raise metadata.MetadataWrong(paths.database, "rows", paths.dna_llm, said)
    return rows


def shape(rows: dict[str, int]) -> IndexSeen:
    """Whether the locations of an index have the first rows, one each."""
    taken = set(rows.values())
    outside = sum(not 0 <= row < len(rows) for row in taken)
    return IndexSeen(len(rows), len(rows) - len(taken), outside)


def size(paths: StorePaths) -> int | None:
    """Of the file of rows, in bytes; None where there is none."""
    return paths.rows.stat().st_size if paths.rows.exists() else None


def read_rows(paths: StorePaths, rows: Sequence[int]) -> Iterator[bytes]:
    """The bytes of each of these rows, in their order."""
    with paths.rows.open("rb") as stream:
        for row in rows:
            stream.seek(row * paths.row_bytes)
            data = stream.read(paths.row_bytes)
            if len(data) != paths.row_bytes:
                raise DoctorError(f"{paths.rows}: row {row} is not there in full")
            yield data


def digest(chunks: Iterator[bytes]) -> str:
    """SHA-256 over rows in their order."""
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


def block_digest(block: bytes) -> str:
    return hashlib.blake2b(block.ljust(BLOCK, b"\0"), digest_size=8).hexdigest()


def read_note(paths: StorePaths, first_row: int) -> list[str]:
    """The digests of the blocks that were about to be appended from this row on; empty for none."""
    try:
        with open_regular(paths.note, follow=False) as stream:
            data = json.loads(stream.read(LARGEST_NOTE))
        blocks = data["blocks"]
        if data["schema"] != NOTE_SCHEMA or data["first_row"] != first_row:
            return []
        return [blocks[at : at + 16] for at in range(0, len(blocks), 16)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def foreign_from(paths: StorePaths, named: int) -> int | None:
    """Where in the file, after the last named row, the first bytes are that are not ours to write.

    Bytes, from the file's start; None where all is zeros or what our note says. Zeros that CpGPT
    allocated can be gigabytes of a sparse file: its holes are passed over.
    """
    if not paths.rows.exists():
        return None
    start = named * paths.row_bytes
    blocks: list[str] | None = None
    with paths.rows.open("rb") as stream:
        end = os.fstat(stream.fileno()).st_size
        at = start
        while at < end:
            at = max(at, start + (next_data(stream, at) - start) // BLOCK * BLOCK)
            stream.seek(at)
            chunk = stream.read(CHUNK)
            if not chunk:
                return None
            if chunk.count(0) != len(chunk):
                blocks = read_note(paths, named) if blocks is None else blocks
                for inside in range(0, len(chunk), BLOCK):
                    block = chunk[inside : inside + BLOCK]
                    number = (at + inside - start) // BLOCK
                    ours = number < len(blocks) and blocks[number] == block_digest(block)
                    if not ours and block.strip(b"\0"):
                        return at + inside + len(block) - len(block.lstrip(b"\0"))
            at += len(chunk)
    return None


def next_data(stream: BinaryIO, at: int) -> int:
    """The first byte from `at` on that is not in a hole of the file; `at` where that is unknown."""
    if not hasattr(os, "SEEK_DATA"):
        return at
    try:
        return os.lseek(stream.fileno(), at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole
            return os.fstat(stream.fileno()).st_size
        return at


def holes(stream: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """The holes before `end` of a sparse file, in bytes; none where the system does not tell."""
    if not hasattr(os, "SEEK_HOLE"):
        return
    at = 0
    try:
        while at < end:
            start = os.lseek(stream.fileno(), at, os.SEEK_HOLE)
            if start >= end:
                return
            try:
                at = min(end, os.lseek(stream.fileno(), start, os.SEEK_DATA))
            except OSError:  # nothing but a hole from there on
                at = end
            yield start, at
    except OSError:
        return


def filled(path: Path, row_bytes: int) -> int:
    """Rows up to the last that is not zeros; a rest after the last whole row is left out.

    CpGPT allocates 10,000 rows and then twice as many, which stay zeros until they are used.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        gaps = list(holes(stream, size))
        end = size // row_bytes * row_bytes
        while end > 0:
            if gaps and gaps[-1][1] >= end:
                end = min(end, gaps.pop()[0])
                continue
            start = max(0, end - CHUNK, gaps[-1][1] if gaps else 0)
            stream.seek(start)
            data = stream.read(end - start).rstrip(b"\0")
            if data:
                return -(-(start + len(data)) // row_bytes)
            end = start
    return 0


def unnamed_rows(paths: StorePaths, named: int) -> Unnamed | None:
    """What the file holds after the `named` rows that is neither zeros nor ours; None for nothing.

    Rows of zeros at the end are CpGPT's allocation, and not counted. Nearby is the folder where a
    download of CpGPT's puts published rows with their index.
    """
    first_byte = foreign_from(paths, named)
    if first_byte is None:
        return None
    rest = paths.rows.stat().st_size % paths.row_bytes
    human = paths.dependencies / "human"
    return Unnamed(
        max(0, filled(paths.rows, paths.row_bytes) - named),
        rest,
        first_byte,
        str(human) if (human / metadata.FILE).exists() else None,
    )
