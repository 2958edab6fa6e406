"""Audit a store: open it and what it takes, choose rows, judge them. Nothing is written beside it.

What the patient computes and reads goes through a temporary folder of the system's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpgpt_doctor.audit import compare, drawing, inspect, nearby
from cpgpt_doctor.audit.inspect import Choice, Progress, Source
from cpgpt_doctor.audit.patient import Patient, rows_in
from cpgpt_doctor.embed import admission, examine
from cpgpt_doctor.embed.supervisor import Worker, WorkerFailed, WorkerLost
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts import form
from cpgpt_doctor.facts.audit import AuditFacts
from cpgpt_doctor.facts.embedder import RemoteCode
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.genome import locations
from cpgpt_doctor.genome.fasta import Genome, keep_index
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.store import layout, metadata, places, probes
from cpgpt_doctor.store.layout import WIDTHS, StorePaths

CONTEXT_LEN = 2001  # CpGPT's own default
CHECKED_TOKENS = 64
MOST_NOWHERE = 1000  # rows of locations that the genome does not have, which are read of a sample


@dataclass(frozen=True)
class Asked:
    """What the user asked for; None: what the store, or CpGPT, has.

    sample: rows; every: all of them instead; locations: those of a file instead. against: another
    dependencies folder, whose rows are compared instead.
    """

    dependencies: Path
    species: str
    python: str
    dna_llm: str | None = None
    context_len: int | None = None
    sample: int = 300
    every: bool = False
    seed: int | None = None
    locations: str | None = None
    positions: str | None = None
    against: Path | None = None
    genome: Path | None = None
    device: str = "auto"


class NotCached(Exception):
    """The model is not in the cache of the patient's; nothing is downloaded."""

    def __init__(self, model: RemoteCode) -> None:
        super().__init__(model.dna_llm)
        self.model = model


@dataclass(frozen=True)
class Audited:
    """What was seen; `paths` with the width of a row. genome: None where none was needed."""

    paths: StorePaths
    facts: AuditFacts
    genome: GenomeFacts | None


def find_store(
    dependencies: Path, species: str, dna_llm: str | None, length: int | None
) -> StorePaths:
    """Which store of a folder is meant: the only one that fits, else the one of CpGPT's defaults.

    Raises InputError that names those that are there, and where its files are none.
    """
    if not dependencies.is_dir():
        raise InputError(f"{dependencies}: no such folder")
    database = dependencies / metadata.FILE
    if not database.exists():
        raise InputError(f"{database}: is not there, so no row has a name")
    known = metadata.species_names(database)
    if species not in known:
        raise examine.unknown_species(species, known, database)
    with contextlib.closing(metadata.connect(database)) as connection:
        value = metadata.read_species(connection, species, database)
    there = sorted(stores(value))
    fitting = [
        (model, long)
        for model, long in there
        if dna_llm in (None, model) and length in (None, long)
    ]
    if len(fitting) != 1:
        fitting = [each for each in fitting if each == (dna_llm or DNA_LLM, length or CONTEXT_LEN)]
    if not fitting:
        names = "; ".join(f"--dna-llm {model} --context-len {long}" for model, long in there)
        raise InputError(
            f"{database}: has rows of {species} for {names or 'no model'}; name one of them"
            if names
            else f"{database}: has no rows of {species}"
        )
    paths = StorePaths(dependencies, species, *fitting[0], WIDTHS.get(fitting[0][0]))
    places.check_files(paths)
    return paths


def stores(species: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    """The models and context lengths that an index has rows for."""
    for model, by_length in species.items():
        if isinstance(model, str) and isinstance(by_length, dict):
            for length, rows in by_length.items():
                if type(length) is int and isinstance(rows, dict) and rows:
                    yield model, length


@contextlib.contextmanager
def patient_worker(asked: Asked) -> Iterator[tuple[Worker, Path]]:
    """A worker in the patient's interpreter, and a temporary folder; both are gone afterwards.

    Raises InputError where CpGPT or its libraries fail, DoctorError where the worker is lost.
    """
    with tempfile.TemporaryDirectory(prefix="cpgpt-doctor-") as name:
        work = Path(name).resolve()
        log = work / "log"
        # What libraries leave in the system's temporary folder goes with ours, too.
        variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work))
        if asked.device == "cpu":
            variables["CUDA_VISIBLE_DEVICES"] = ""
        worker = Worker(asked.python, work, log, variables)
        try:
            yield worker, work
        except WorkerFailed as error:
            raise InputError(
                f"{asked.python}: the rows cannot be computed here ({error}); see:"
                f" cpgpt-doctor check --python {asked.python}"
            ) from error
        except WorkerLost as error:
            raise DoctorError(f"the worker of {asked.python} was lost: {error}") from error
        finally:
            worker.stop()


class Watched:
    """Files that an audit reads, as they were when it began to."""

    def __init__(self) -> None:
        self.files: dict[Path, tuple[int, int, int] | None] = {}

    def watch(self, *paths: Path) -> None:
        self.files.update((path, state(path)) for path in paths)

    def changed(self) -> InputError | None:
        """What is said of the first file that is another by now, or was written to."""
        for path, before in self.files.items():
            if state(path) != before:
                return InputError(
                    f"{path}: changed while it was read, so nothing can be said of the rows; verify"
                    " again when no program writes to it"
                )
        return None


def state(path: Path) -> tuple[int, int, int] | None:
    """Which file it is, and when it was last written; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def audit(asked: Asked, paths: StorePaths, progress: Progress) -> Audited:
    """Judge the rows that were asked for. Raises InputError, NotCached, DoctorError, OSError.

    What is wrong with a store that somebody writes to meanwhile, or to its genome, may be the
    writing: that is not held against it.
    """
    watched = Watched()
    watched.watch(paths.rows, paths.database)
    try:
        audited = judge(asked, paths, progress, watched)
    except (InputError, DoctorError) as error:
        changed = watched.changed()
        if changed is not None:
            raise changed from error
        raise
    changed = watched.changed()
    if audited.facts.wrong and changed is not None:
        raise changed
    return audited


def judge(asked: Asked, paths: StorePaths, progress: Progress, watched: Watched) -> Audited:
    given = None if asked.locations is None else read_locations(asked.locations, asked)
    progress.phase("reading the index")
    named = layout.named_rows(paths)
    if asked.against is not None:
        return against(asked, asked.against, paths, named, progress, watched)
    with opened(asked, paths, named, progress, watched) as store:
        choice = chosen(asked, given, store.source.judgeable)
        if not choice.locations:
            raise InputError(nothing(store.paths, named, store.source.index, store.genome, asked))
        facts = inspect.inspect(store.source, choice, store.patient, progress)
        facts = with_store(facts, store, named, given, every=asked.every)
    return Audited(store.paths, facts, store.genome)


@dataclass(frozen=True)
class Opened:
    """A store that is audited, with all that its rows are computed with."""

    paths: StorePaths
    genome: GenomeFacts
    reader: Genome
    patient: Patient
    source: Source


@contextlib.contextmanager
def opened(
    asked: Asked,
    paths: StorePaths,
    named: Mapping[str, int],
    progress: Progress,
    watched: Watched,
) -> Iterator[Opened]:
    """Open a store and its genome, and load the model.

    Raises InputError, NotCached, DoctorError.
    """
    progress.phase("reading the genome")
    assembly = examine.assembly(asked.dependencies, asked.species)
    genome = examine.find_genome(asked.dependencies, asked.species, assembly, asked.genome)
    if genome.found != "plain":
        what = "is compressed" if genome.found == "compressed" else "is not there"
        raise InputError(
            f"{genome.path}: the genome {what}, and rows are computed from it; name one with"
            " --genome FASTA, or hold the store against another one with --against DIR"
        )
    watched.watch(Path(genome.path))
    inputs = examine.inputs(asked.dependencies, Path(genome.path))
    names = {location.rpartition(":")[0] for location in named}
    inputs, _ = examine.prove_index(inputs, names)
    with (
        contextlib.closing(Genome(inputs.genome, inputs.sequences)) as reader,
        patient_worker(asked) as (worker, work),
    ):
        progress.phase("loading the model")
        check_cached(worker, paths.dna_llm)
        patient = Patient(
            worker,
            work,
            paths,
            {
                "species": paths.species,
                "dna_llm": paths.dna_llm,
                "context_len": paths.context_len,
                "batch_size": 1,
                "num_workers": 0,
                "start_method": None,
                "device": asked.device,
                "genome": str(inputs.genome.resolve()),
                "index": str(keep_index(inputs.index, inputs.genome, work)),
            },
        )
        paths = patient.paths
        in_file = rows_in_file(paths, named)
        judgeable = [each for each in in_file if admission.usable(each, reader)]
        if judgeable:
            patient.check_tokens(drawing.draw(judgeable, CHECKED_TOKENS, 0))
        with paths.rows.open("rb") as stream:

            def stored(row: int) -> bytes:
                stream.seek(row * paths.row_bytes)
                data = stream.read(paths.row_bytes)
                if len(data) != paths.row_bytes:
                    raise DoctorError(f"{paths.rows}: row {row} is not there in full")
                return data

            def is_plain(location: str) -> bool:
                return plain(location, reader, paths.context_len)

            def others() -> Iterator[tuple[str, dict[str, int]]]:
                return nearby.indexes(paths, named)

            source = Source(in_file, judgeable, rows_in(paths), others, stored, is_plain)
            yield Opened(paths, genome, reader, patient, source)


def with_store(
    facts: AuditFacts,
    store: Opened,
    named: Mapping[str, int],
    given: Sequence[str] | None,
    *,
    every: bool,
) -> AuditFacts:
    """The facts of an audit, with what is known of the store and the patient."""
    in_file = store.source.index
    nowhere = outside(in_file, store.source.judgeable, given)
    read = nowhere if every else drawing.draw(nowhere, MOST_NOWHERE, 0)
    return dataclasses.replace(
        facts,
        rows_file=str(store.paths.rows),
        named=len(named),
        in_file=len(in_file),
        missing=sum(each not in named for each in given or ()),
        outside=len(nowhere),
        nowhere=len(inspect.of_nothing(store.source, read, store.patient)),
        nowhere_read=len(read),
        release=store.patient.loaded["versions"].get("CpGPT", ""),
        device=store.patient.loaded["device"],
    )


def check_cached(worker: Worker, dna_llm: str) -> None:
    """Raise NotCached where the model would have to be downloaded."""
    seen = form.build(worker.ask({"op": "model", "dna_llm": dna_llm})["model"], RemoteCode)
    if seen.repository is not None and not seen.cached:
        raise NotCached(seen)


def rows_in_file(paths: StorePaths, named: Mapping[str, int]) -> dict[str, int]:
    """The locations whose row is in the file."""
    have = rows_in(paths)
    return {location: row for location, row in named.items() if 0 <= row < have}


def read_locations(source: str, asked: Asked) -> list[str]:
    """The locations of a file, each once. Raises InputError where a line is none."""
    given = locations.read(source, asked.positions)
    given = probes.resolve(given, asked.dependencies, asked.species)
    if given.malformed:
        first = given.bad_lines[0]
        raise InputError(
            f"{source}: {given.malformed} of its lines give no location, such as line"
            f" {first.number}: {first.text!r}; correct them or take them out"
        )
    return list(given.places)


def chosen(asked: Asked, given: Sequence[str] | None, judgeable: Sequence[str]) -> Choice:
    """Which rows are judged; given: the locations that the user named."""
    if given is not None:
        able = set(judgeable)
        return Choice("locations", [each for each in given if each in able])
    seed = drawing.new_seed() if asked.seed is None else asked.seed
    count = len(judgeable) if asked.every else asked.sample
    drawn = drawing.draw(judgeable, count, seed)
    every = len(drawn) == len(judgeable)
    return Choice("all" if every else "sample", drawn, seed)


def outside(
    in_file: Mapping[str, int],
    judgeable: Sequence[str],
    given: Sequence[str] | None,
) -> list[str]:
    """The locations that were asked for and have a row, and do not lie in the genome."""
    able = set(judgeable)
    wanted = in_file if given is None else [each for each in given if each in in_file]
    return [each for each in wanted if each not in able]


def nothing(
    paths: StorePaths,
    named: Mapping[str, int],
    in_file: Mapping[str, int],
    genome: GenomeFacts,
    asked: Asked,
) -> str:
    """Why no row can be judged."""
    if not in_file:
        return f"{paths.rows}: holds none of the {len(named)} rows that are named"
    if asked.locations is not None:
        return f"{asked.locations}: names no location that has a row here and lies in the genome"
    first = next(iter(in_file))
    return (
        f"{genome.path}: none of the {len(in_file)} locations, such as {first}, lies in this"
        " genome, so no row can be computed again; name the right one with --genome FASTA"
    )


def plain(location: str, genome: Genome, context_len: int) -> bool:
    """Whether a window has as many tokens as most: whole, and without letters beside ACGT."""
    if locations.LOCATION.fullmatch(location) is None:
        return True  # CpGPT may have embedded anything
    name, _, position = location.rpartition(":")
    if name not in genome.sequences:
        return False
    window = genome.window(name, int(position), context_len)
    return len(window) == context_len // 2 * 2 and not window.strip("ACGT")


def against(
    asked: Asked,
    folder: Path,
    paths: StorePaths,
    named: Mapping[str, int],
    progress: Progress,
    watched: Watched,
) -> Audited:
    """Hold every row against that of another store."""
    other = find_store(folder, asked.species, paths.dna_llm, paths.context_len)
    watched.watch(other.rows, other.database)
    there = layout.named_rows(other)
    if paths.width is None:
        raise InputError(f"--dna-llm {paths.dna_llm}: how wide its rows are is not known")
    here, there = rows_in_file(paths, named), rows_in_file(other, there)
    if here.keys().isdisjoint(there):
        raise InputError(f"--against {folder}: has none of the locations of {asked.dependencies}")
    if paths.rows.samefile(other.rows) and all(
        there.get(location, row) == row for location, row in here.items()
    ):
        raise InputError(
            f"--against {folder}: has the same rows by the same index, {other.rows}, so it proves"
            " nothing; name another store, or leave --against out"
        )

    def others() -> Iterator[tuple[str, Mapping[str, int]]]:
        yield str(other.database), there
        yield from nearby.indexes(paths, named)

    with patient_worker(asked) as (worker, work):
        facts = compare.compare(paths, other, here, there, others, worker, work, progress)
    facts = dataclasses.replace(facts, rows_file=str(paths.rows), named=len(named))
    return Audited(paths, facts, None)
