"""`--into`: a dependencies folder of the user's own, which takes a store over before it grows.

A store in a shared cache must not be written to. Its rows, their index, the genome and what CpGPT
keeps beside them are copied into a folder beside the new one, and that folder gets its name only
once all of it is on the disk. So there never is a half store that CpGPT would trust. A copy that
was ended goes on with the file that it was at. Where the disk can share blocks, nothing is copied
until one of the two files changes; a hard link is never made, since writing would change both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from cpgpt_doctor.disk import flush, flush_folder, make_folder, open_regular, sync, write_whole
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import form
from cpgpt_doctor.genome import fasta
from cpgpt_doctor.store import lock, metadata, places, record
from cpgpt_doctor.store.layout import WORK, StorePaths

SCHEMA = "cpgpt-doctor/taken-over/v1"
NOTE = "taken-over.json"  # in our own folder, which moves with the rest
LARGEST_NOTE = 16 << 20
STAGING = "taking-over"
CHUNK = 1 << 24
NOTED = 1 << 23  # bytes from which a finished copy is noted at once, to be gone on from
# Beside the store and its genome: what CpGPT's prober keeps (0.0.1 to 0.0.13).
PROBER = ("manifests", "illumina_metadata.db")
# linux/fs.h: _IOW(0x94, 9, int), which is this number on these machines.
FICLONE, WITH_FICLONE = 0x40049409, ("x86_64", "aarch64", "arm64", "riscv64")
Identity = tuple[int, int, int, int]


class Progress(Protocol):
    def phase(self, text: str) -> None: ...
    def expect(self, total: int) -> None: ...
    def advance(self, done: int) -> None: ...


@dataclass(frozen=True)
class TakeOver:
    """What is to be taken over.

    source: the folder with the store and its index. files: each file to copy, by its place in the
    new folder. kept: models and context lengths of the species whose rows are among them. genome:
    the one that is copied, None for none. prober: the folder with what CpGPT's prober keeps.
    shared: the device whose files the new folder can share blocks with, that of the rows; None
    where it cannot.
    """

    source: Path
    into: Path
    species: str
    files: dict[str, Path]
    kept: tuple[tuple[str, int], ...]
    prober: Path
    genome: Path | None = None
    shared: int | None = None

    @property
    def staging(self) -> Path:
        return self.into.with_name(f".{self.into.name}.{STAGING}")

    @property
    def bytes(self) -> int:
        """What the copies take on the disk, without those that an earlier run has made."""
        known = read_note(self.staging)
        done = known.files if known else {}
        return sum(
            taken(path)
            for name, path in self.files.items()
            if done.get(name) != identity(path) and identity(path)[0] != self.shared
        )


@dataclass(frozen=True)
class Note:
    """What is written of a folder that was taken over, or is about to be.

    files: the identity of each file that was copied, by its place: device, inode, size, time.
    """

    source: str = ""
    species: str = ""
    status: str = "copying"
    when: str = ""
    files: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)


def identity(path: Path) -> Identity:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def taken(path: Path) -> int:
    """Bytes that a file takes; what a sparse one has no blocks for is not copied."""
    found = path.stat()
    return min(found.st_size, getattr(found, "st_blocks", found.st_size) * 512)


def read_note(folder: Path) -> Note | None:
    """The note of a folder; None where there is none of ours."""
    try:
        with open_regular(folder / WORK / NOTE, follow=False) as stream:
            data = json.loads(stream.read(LARGEST_NOTE))
        return form.read(data, Note, "note")[0] if data["schema"] == SCHEMA else None
    except (OSError, InputError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_note(folder: Path, note: Note) -> None:
    data = {"schema": SCHEMA, **dataclasses.asdict(note)}
    write_whole(folder / WORK / NOTE, json.dumps(data, indent=2) + "\n")


def already(into: Path, given: Path) -> str | None:
    """What to say of a folder that was taken over already; None where that is still to be done.

    Raises InputError where the folder cannot be the new one.
    """
    if into.name in ("", ".."):
        raise InputError(f"--into {into}: has no name of its own; write the folder's")
    if not os.path.lexists(into):
        return None
    if into.is_symlink() or not into.is_dir():
        raise InputError(f"--into {into}: is no folder; name one that is not there yet")
    if not any(into.iterdir()):
        if os.path.ismount(into):
            raise InputError(f"--into {into}: a disk is mounted there; name a folder below it")
        return None
    note = read_note(into)
    if note is None or note.status != "done":
        raise InputError(
            f"--into {into}: is not empty, and was not made by --into; name a folder that is not"
            f" there yet, or leave --into out and name it with --dependencies-dir"
        )
    if given.resolve() not in (Path(note.source), Path(note.source).parent):
        raise InputError(
            f"--into {into}: was taken over from {note.source}, not from {given}; name another"
        )
    return f"{into} was taken over from {note.source} ({note.when}); the run goes on there"


def plan(
    given: Path, into: Path, species: str, dna_llm: str, context_len: int, own_genome: bool
) -> TakeOver:
    """What is to be copied. Writes nothing. Raises InputError.

    own_genome: the user names a genome, so none is copied.
    """
    if places.cache_of(into.absolute()) is not None:
        raise InputError(f"--into {into}: lies in a Hugging Face cache, which other programs share")
    if into.resolve() in (given.resolve(), *given.resolve().parents):
        raise InputError(f"--into {into}: holds {given}; name a folder of its own")
    parent = into.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"--into {into}: no folder can be made in {parent}")
    source = home(given, species, dna_llm, context_len)
    files: dict[str, Path] = {}
    kept = []
    connection = metadata.connect(source / metadata.FILE)
    try:
        entry = metadata.read_species(connection, species, source / metadata.FILE)
    finally:
        connection.close()
    for model, length in layout_stores(entry):
        paths = StorePaths(source, species, model, length)
        # A model's folder has its name: one that leads elsewhere is none of CpGPT's.
        if metadata.is_folder_name(model) and paths.rows.is_file():
            kept.append((model, length))
            for path in (paths.rows, record.record_path(paths)):
                if path.is_file():
                    files[place(path, source)] = path
    places_of = (source, given)
    genome = first_file(places_of, f"genomes/{species}.{entry.get('assembly')}.dna.toplevel.fa")
    beside = [first_file(places_of, f"genomes/{metadata.ENSEMBL}"), None if own_genome else genome]
    with_prober = (each for each in places_of if any((each / name).exists() for name in PROBER))
    prober = next(with_prober, source)
    for name in PROBER:
        files |= {place(path, prober): path for path in below(prober / name)}
    files |= {f"genomes/{path.name}": path for path in beside if path is not None}
    rows = StorePaths(source, species, dna_llm, context_len).rows
    return TakeOver(
        source,
        into,
        species,
        files,
        tuple(kept),
        prober,
        None if own_genome else genome,
        rows.stat().st_dev if shares_blocks(rows, parent) else None,
    )


def home(given: Path, species: str, dna_llm: str, context_len: int) -> Path:
    """The folder that holds the store and its index: the given one, or one below it.

    CpGPT's download has them in `human/` and `mammalian/`. Raises InputError.
    """

    def holds(folder: Path) -> bool:
        rows = StorePaths(folder, species, dna_llm, context_len).rows
        return rows.is_file() and (folder / metadata.FILE).is_file()

    if not given.is_dir():
        raise InputError(f"--dependencies-dir {given}: no such folder")
    if holds(given):
        return given
    found = [each for each in sorted(given.iterdir()) if each.is_dir() and holds(each)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(str(each) for each in found)
        raise InputError(f"--into: {names} both hold rows of {species}; name one of them")
    raise InputError(
        f"--into: {given} and the folders in it have no rows of {species}, {dna_llm},"
        f" {context_len}, with their index {metadata.FILE}; there is nothing to take over"
    )


def layout_stores(entry: dict[Any, Any]) -> Iterator[tuple[str, int]]:
    """The models and context lengths that a species' entry names locations for."""
    for model, by_length in entry.items():
        if isinstance(model, str) and isinstance(by_length, dict):
            for length, rows in by_length.items():
                if type(length) is int and isinstance(rows, dict):
                    yield model, length


def place(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def first_file(folders: Iterable[Path], name: str) -> Path | None:
    return next((each / name for each in folders if (each / name).is_file()), None)


def below(path: Path) -> Iterator[Path]:
    """A file, or all files in a folder; links to folders in it are not followed.

    Hidden ones are left out: CpGPT clones its manifests, with all of Git's objects.
    """
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            if not name.startswith(".") and (Path(folder) / name).is_file():
                yield Path(folder) / name


def clone(source: BinaryIO, target: BinaryIO) -> bool:
    """Let two files share their blocks; False where the disk cannot."""
    if not sys.platform.startswith("linux") or os.uname().machine not in WITH_FICLONE:
        return False
    import fcntl

    try:
        fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
    except OSError:
        return False
    return True


def shares_blocks(path: Path, folder: Path) -> bool:
    """Whether a file in the folder could share the blocks of this one; nothing is left of a try."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        number = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        return False
    with os.fdopen(number, "r+b") as target, open_regular(path) as source:
        return clone(source, target)


def take(taking: TakeOver, progress: Progress, sequences: fasta.Index | None = None) -> None:
    """Make the new folder, whole or not at all.

    sequences: the index of the genome that is copied, so that it is not built again. Raises
    InputError where the source changes meanwhile or somebody else is at it, and OSError; what is
    copied by then stays in `taking.staging`, and the next run goes on with it.
    """
    staging = taking.staging
    check_staging(taking)
    staging.mkdir(exist_ok=True)
    flush_folder(staging.parent)
    with lock.held(staging):
        before = {name: identity(path) for name, path in taking.files.items()}
        index = taking.source / metadata.FILE
        index_before = identity(index)
        earlier = read_note(staging)
        note = Note(str(taking.source.resolve()), taking.species, when=record.now())
        if earlier is not None:
            note = dataclasses.replace(note, files=dict(earlier.files))
        remove_others(staging, taking, note)
        write_note(staging, note)
        for name, path in taking.files.items():
            if note.files.get(name) != before[name] or not whole(staging / name, before[name]):
                make_folder((staging / name).parent, staging)
                copy(path, staging / name, progress)
                note.files[name] = before[name]
                if before[name][2] >= NOTED:
                    write_note(staging, note)
        progress.phase("copying the index")
        copy_index(taking, staging / metadata.FILE)
        changed = [name for name, path in taking.files.items() if identity(path) != before[name]]
        changed += [metadata.FILE] if identity(index) != index_before else []
        if changed:
            raise InputError(
                f"{taking.source / changed[0]}: changed while it was copied, so rows and index may"
                f" be of two moments; {taking.into} was not made; start again when no program"
                " writes to it"
            )
        if sequences is not None and taking.genome is not None:
            genome = staging / "genomes" / taking.genome.name
            moved = dataclasses.replace(sequences, identity=fasta.identity(genome))
            fasta.keep_index(moved, genome, staging / WORK)
        write_note(staging, dataclasses.replace(note, status="done"))
        for folder, _, _ in os.walk(staging):
            flush_folder(Path(folder))
        if taking.into.is_dir():
            taking.into.rmdir()  # it was empty
        staging.rename(taking.into)
        flush_folder(staging.parent)


def check_staging(taking: TakeOver) -> None:
    """Refuse what stands where we copy to and is not ours. Raises InputError."""
    staging = taking.staging
    if not os.path.lexists(staging):
        return
    note = None if staging.is_symlink() else read_note(staging)
    if note is None and (staging.is_symlink() or not staging.is_dir() or any_but_work(staging)):
        raise InputError(f"{staging}: is in the way, and not of --into; move it away")
    if note is not None and note.source != str(taking.source.resolve()):
        raise InputError(
            f"{staging}: holds what was copied of {note.source} for another run; remove it, or name"
            " another folder with --into"
        )
    for folder, names, _ in os.walk(staging):
        for each in names:
            if (Path(folder) / each).is_symlink():
                raise InputError(
                    f"{Path(folder) / each}: is a link, which --into did not make; remove it"
                )


def any_but_work(staging: Path) -> bool:
    return any(each.name != WORK for each in staging.iterdir())


def remove_others(staging: Path, taking: TakeOver, note: Note) -> None:
    """Remove files of an earlier try that are no longer to be copied, and those that it left half.

    Only what lies in our own folder, under names that a note of ours has or that end in `.part`.
    """
    for name in note.files.keys() - taking.files.keys():
        path = staging / name
        if staging.resolve() in path.parent.resolve().parents:
            path.unlink(missing_ok=True)
    for folder, _, names in os.walk(staging):
        for name in names:
            if name.endswith(".part"):
                (Path(folder) / name).unlink()


def whole(path: Path, of: Identity) -> bool:
    """Whether a copy stands there, as long as what it was made of."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size == of[2]


def copy(source: Path, target: Path, progress: Progress) -> None:
    """Copy a file under its name only once it is on the disk whole. Raises InputError, OSError."""
    part = target.with_name(target.name + ".part")
    with open_regular(source) as reader, part.open("xb") as writer:
        size = os.fstat(reader.fileno()).st_size
        progress.phase(f"copying {source.name} ({size / 1e6:,.0f} MB)")
        if not clone(reader, writer):
            progress.expect(size >> 20)
            for done in copied(reader, writer, size):
                progress.advance(done >> 20)
        writer.flush()
        sync(writer.fileno())
    part.rename(target)
    flush_folder(target.parent)


def copied(reader: BinaryIO, writer: BinaryIO, size: int) -> Iterator[int]:
    """Copy bytes, telling how many are; what is zeros stays a hole."""
    done = 0
    while done < size and (chunk := reader.read(min(CHUNK, size - done))):
        if chunk.count(0) == len(chunk):
            writer.seek(len(chunk), os.SEEK_CUR)
        else:
            writer.write(chunk)
        done += len(chunk)
        yield done
    writer.truncate(done)


def copy_index(taking: TakeOver, target: Path) -> None:
    """Copy the index, without the entries of rows that stay behind. Raises InputError."""
    part = target.with_name(target.name + ".part")
    path = taking.source / metadata.FILE
    try:
        with (
            contextlib.closing(metadata.connect(path)) as source,
            contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("BEGIN IMMEDIATE")
            for species in metadata.species_names(path):
                drop(copy, species, path, taking.kept if species == taking.species else ())
            copy.execute("COMMIT")
    except sqlite3.Error as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, str(error), str(part)) from error
        raise metadata.unreadable(path, error) from error
    flush(part)
    part.rename(target)


def drop(
    connection: sqlite3.Connection, species: str, path: Path, kept: tuple[tuple[str, int], ...]
) -> None:
    """Take the entries of rows out of a species' value, but for those that are kept."""
    try:
        value = metadata.read_species(connection, species, path)
    except metadata.MetadataWrong:
        return  # CpGPT cannot read it either
    gone = [each for each in layout_stores(value) if each not in kept]
    for model, length in gone:
        del value[model][length]
    if gone:
        metadata.write_species(connection, species, value)
