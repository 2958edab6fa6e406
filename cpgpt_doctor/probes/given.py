"""Read the locations that a user gave: a file of them, a matrix's columns, or what CpGPT saved."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts.dependencies import DependenciesFacts
from cpgpt_doctor.facts.locations import Kind, LocationFacts
from cpgpt_doctor.genome import held, locations
from cpgpt_doctor.genome.fasta import Genome, IndexWrong
from cpgpt_doctor.genome.locations import Gathered, Locations, NoLocation, parted
from cpgpt_doctor.probes import genomes, runner
from cpgpt_doctor.store import layout, metadata, probes, species
from cpgpt_doctor.store.coverage import covered
from cpgpt_doctor.store.layout import StorePaths

MODULE = "cpgpt_doctor.patient.observe.columns"
SAMPLE = 20_000  # locations whose bases check reads
SECONDS = 300.0  # for a message of the patient's
SAVED = "genomic_locations.db"  # CpGPTDataSaver's, of CpGPT 0.0.1 to 0.0.13: by species, a list
LONGEST_HEADER = 256 << 20  # bytes of a CSV's first line; a million probes take 12 MB
# What files begin with: https://arrow.apache.org/docs/format/Columnar.html, and Parquet's format.
MAGIC = {b"ARROW1": "arrow", b"PAR1": "parquet", b"\xff\xff\xff\xff": "stream"}
FEATHER_1 = b"FEA1"


@dataclass(frozen=True)
class Source:
    """What the user named: `value` is a path, "-" for standard input with --locations.

    positions: what locations count from, None for what the form says. fix_names: see `resolve`.
    """

    kind: Kind
    value: str
    species: str
    python: str
    positions: str | None = None
    fix_names: bool = False


def read(source: Source) -> Locations:
    """The locations, and the names of probes, still to be resolved.

    Raises InputError where there is none, or what is named is not what it should be.
    """
    if source.kind == "processed":
        return saved(Path(source.value), source.species)
    if source.kind == "betas":
        return of_columns(Path(source.value), source.python, source.positions)
    return locations.read(source.value, source.positions)


def resolved(given: Locations, source: Source, dependencies: Path) -> Locations:
    """The locations with those of the probes, by what the dependencies folder holds.

    Raises InputError.
    """
    return probes.resolve(given, dependencies, source.species, fix_names=source.fix_names)


def look(source: Source, folders: tuple[DependenciesFacts, ...]) -> LocationFacts:
    """Hold locations against the stores and the genome of dependencies folders, writing nothing.

    Raises InputError, as `read` does.
    """
    homes = [Path(each.folder) for each in folders]
    check_species(source.species, homes)
    given = read(source)
    knowing = (each for each in homes if probes.knows_probes(each, source.species))
    given = resolved(given, source, next(knowing, homes[0]))
    genome = sequences_of(source.species, folders)
    in_genome = None
    if genome is not None:
        with contextlib.closing(genome), contextlib.suppress(IndexWrong):
            if source.fix_names:
                known = genome.sequences
                given = held.rename(given, held.meant(given.places.names, known))
            in_genome = held.in_genome(given, genome, None, SAMPLE)
    stores = []
    for folder in folders:
        for seen in folder.stores:
            store = seen.store
            if store.species == source.species and store.index is not None:
                paths = StorePaths(
                    Path(folder.folder), store.species, store.dna_llm, store.context_len
                )
                stores.append(covered(given.places, layout.named_rows(paths), paths))
    return dataclasses.replace(held.in_file(given), in_genome=in_genome, stores=tuple(stores))


def check_species(name: str, homes: list[Path]) -> None:
    """Refuse a common name of a species, such as "human". Raises InputError."""
    databases = [each / metadata.FILE for each in homes]
    known = {one for each in databases if each.is_file() for one in metadata.species_names(each)}
    other = species.meant(name, known | set(species.COMMON.values()))
    if name not in known and other is not None:
        raise InputError(
            f"--species {name}: CpGPT names species as Ensembl does, so say --species {other}"
            " (CPG714)"
        )


def sequences_of(name: str, folders: tuple[DependenciesFacts, ...]) -> Genome | None:
    """The genome of a species in the first folder that has one whose sequences are known."""
    for seen in (genome for folder in folders for genome in folder.genomes):
        if seen.species == name and seen.found == "plain":
            path = Path(seen.path)
            with contextlib.suppress(InputError, OSError):
                sequences = genomes.look(path, name, [], everything=False).sequences
                if sequences:
                    return Genome(path, sequences)
    return None


def saved(folder: Path, name: str) -> Locations:
    """All locations that CpGPT's data saver has in a folder for a species, in its order."""
    path = folder / SAVED
    if not path.is_file():
        what = f"has no {SAVED}" if folder.is_dir() else "no such folder"
        raise InputError(
            f"--processed-dir {folder}: {what}; name the processed_dir of CpGPTDataSaver, after its"
            " process_files"
        )
    known = metadata.species_names(path)
    if name not in known:
        others = ", ".join(sorted(known)) or "none"
        raise InputError(f"{path}: has no locations of {name}; it has {others}: --species")
    with contextlib.closing(metadata.connect(path)) as connection:
        names = metadata.read_value(connection, name, path)
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise InputError(f"{path}: the entry of {name!r} is no list of locations")
    gathered = Gathered(None)
    for number, location in enumerate(names, 1):
        try:
            gathered.location(str(location), number)
        except NoLocation as wrong:
            gathered.bad(wrong, number)
    given = gathered.whole(str(path), None)
    if not given.places and not given.malformed:
        raise InputError(f"{path}: holds no location of {name}")
    return dataclasses.replace(given, kind="processed")


def of_columns(path: Path, python: str, positions: str | None) -> Locations:
    """The names of a matrix's columns: locations, and others that are still to be resolved.

    In place of a line stands the number of the column.
    """
    gathered = Gathered("asked" if positions == "1-based" else None)
    for number, name in enumerate(columns(path, python), 1):
        try:
            parted(name)
        except NoLocation:
            gathered.name(name, number)
            continue
        try:
            gathered.location(name, number)
        except NoLocation as wrong:  # position 0 where they count from 1
            gathered.bad(wrong, number)
    if not gathered.names and not gathered.places and not gathered.malformed:
        raise InputError(f"--betas {path}: has no column with a name")
    return dataclasses.replace(gathered.whole(str(path), None), kind="betas")


def columns(path: Path, python: str) -> list[str]:
    """The names of a matrix's columns. Raises InputError where it is none that is known."""
    try:
        with open_regular(path) as stream:
            begin = stream.read(8)
            kind = next((MAGIC[each] for each in MAGIC if begin.startswith(each)), None)
            if begin.startswith(FEATHER_1):
                raise InputError(
                    f"--betas {path}: is Feather's version 1, which pyarrow reads as a whole only;"
                    " write it again with pandas: pandas.read_feather(OLD).to_feather(NEW)"
                )
            if kind is None:
                stream.seek(0)
                return of_csv(path, stream)
    except OSError as error:
        raise InputError(f"--betas {path}: cannot be read: {error.strerror or error}") from error
    return of_patient(path, python, kind)


def of_csv(path: Path, stream: Any) -> list[str]:
    """The header of a CSV or TSV file, compressed or not; no more than that is read."""
    source = stream
    if stream.read(2) == locations.GZIP:
        source = gzip.GzipFile(fileobj=stream)
    stream.seek(0)
    try:
        line = source.readline(LONGEST_HEADER)
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--betas {path}: is neither Arrow, Feather, Parquet nor text") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"--betas {path}: is damaged: {error}") from error
    if len(line) == LONGEST_HEADER:
        raise InputError(f"--betas {path}: its first line is longer than {LONGEST_HEADER} bytes")
    try:
        header = next(csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text else ","), [])
    except csv.Error as error:
        raise InputError(f"--betas {path}: its first line is no line of CSV: {error}") from error
    return [each.strip() for each in header if each.strip()]


def of_patient(path: Path, python: str, kind: str) -> list[str]:
    """The names of a file that pyarrow reads, which the patient's interpreter has."""
    names: list[str] = []
    asked = {"path": str(path.resolve()), "kind": kind}
    missing: runner.NoLine | None = None
    with runner.running(python, MODULE, asked) as patient:
        try:
            for message in messages(patient):
                if "error" in message:
                    raise InputError(unreadable(path, python, message))
                names += map(str, message.get("columns", ()))
        except runner.NoLine as error:
            missing = error
        except ValueError as error:
            raise DoctorError(f"--betas {path}: what pyarrow says cannot be read") from error
    if missing is not None:
        failed = patient.failure("columns", missing)
        raise DoctorError(f"--betas {path}: {python} could not read it: {failed.detail}")
    return names


def messages(patient: runner.Running) -> Iterable[dict[str, Any]]:
    while True:
        message = json.loads(patient.line(SECONDS))
        yield message
        if "end" in message:
            return


def unreadable(path: Path, python: str, message: dict[str, Any]) -> str:
    if message["missing"]:
        return (
            f"--betas {path}: takes pyarrow, which {python} cannot import ({message['error']});"
            f" install it there: {python} -m pip install pyarrow"
        )
    return f"--betas {path}: cannot be read: {message['error']}"
