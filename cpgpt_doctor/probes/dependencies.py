"""Look at dependencies folders: every store of every species, model and context length, the index,
the genomes, and other indexes near by. Nothing is written, and no model is loaded.

One species' index is in memory at a time: a million locations take about 200 MB.
"""

from __future__ import annotations

import array
import contextlib
import dataclasses
import os
import random
import re
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.facts.dependencies import (
    DependenciesFacts,
    Elsewhere,
    Entry,
    GenomeSeen,
    Named,
    OtherIndex,
    RowsSeen,
    StoreSeen,
    Unread,
)
from cpgpt_doctor.facts.store import ChangedRows, Damage
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.genome.locations import LOCATION
from cpgpt_doctor.probes import genomes, rows
from cpgpt_doctor.store import layout, metadata, observe, places, record, transaction
from cpgpt_doctor.store.layout import WIDTHS, StorePaths
from cpgpt_doctor.store.record import Earlier, Part, locations_digest

EMBEDDINGS, GENOMES = "dna_embeddings", "genomes"
HOLDS = (metadata.FILE, EMBEDDINGS, GENOMES)
STORE_FILE = re.compile(
    r"([1-9][0-9]{0,8})bp_dna_embeddings\.(mmap(\.tmp|\.checkpoint\.json)?|run\.json)"
)
DEEPEST = 4  # folders below one that was named in which dependencies folders are looked for
MOST_FOLDERS = 20_000  # that are looked through for them
MOST_NAMES = 2000  # of a folder whose names are looked at
MOST_OTHERS = 8  # indexes near by that are read for a species
COMPARED = 10_000  # locations of a store that are looked up in another index
COMPARED_ROWS = 64  # rows of two files that are compared
SHOWN = 3
LONGEST_POSITION = 18  # digits: more bases than any genome has
SEED = 20240917
SKIPPED = ("node_modules", "__pycache__", "site-packages", "blobs")


def is_dependencies(folder: Path) -> bool:
    """Whether a folder holds what CpGPT keeps in one."""
    if (folder / metadata.FILE).is_file() or any(stores_on_disk(folder)):
        return True
    genome_folder = folder / GENOMES
    return genome_folder.is_dir() and any(
        name.endswith((genomes.ENDING, f"{genomes.ENDING}.gz"))
        or name.startswith("species_metadata")
        for name in names_in(genome_folder)
    )


def find(folder: Path, deepest: int = DEEPEST) -> list[Path]:
    """Dependencies folders in a folder, itself included, and so many below; links are not followed.

    Raises InputError where there are more folders than are looked through.
    """
    found, level, seen = [], [folder], 0
    for _ in range(deepest + 1):
        below: list[Path] = []
        for each in level:
            if is_dependencies(each):
                found.append(each)
            below += folders_in(each)
            seen += 1
            if seen > MOST_FOLDERS:
                raise InputError(
                    f"{folder}: has more than {MOST_FOLDERS} folders; name the right one with"
                    " --dependencies-dir"
                )
        level = below
    return found


def folders_in(folder: Path) -> list[Path]:
    """Folders that may hold others, without links, hidden ones and those of packages."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sorted(
            Path(each.path)
            for each in entries
            if each.is_dir(follow_symlinks=False)
            and not each.name.startswith(".")
            and each.name not in SKIPPED
            and each.name != EMBEDDINGS
        )
    return []


def names_in(folder: Path) -> list[str]:
    """The names in a folder, none where there is none or it cannot be read."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            found.append(each.name)
            if len(found) == MOST_NAMES:
                break
    return sorted(found)


def stores_on_disk(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Species, model and context length of every store that has a file."""
    home = folder / EMBEDDINGS
    for species in names_in(home):
        for dna_llm in names_in(home / species):
            lengths = {
                int(written[1])
                for name in names_in(home / species / dna_llm)
                if (written := STORE_FILE.fullmatch(name))
            }
            for length in sorted(lengths):
                yield species, dna_llm, length


def stores_in_index(species: dict[Any, Any]) -> Iterator[tuple[str, int]]:
    """Model and context length of each table that an entry of the index has, if it is not empty."""
    for dna_llm, by_length in species.items():
        named = isinstance(dna_llm, str) and metadata.is_folder_name(dna_llm)
        if named and isinstance(by_length, dict):
            for length, table in by_length.items():
                if type(length) is int and length > 0 and isinstance(table, dict) and table:
                    yield dna_llm, length


@dataclass
class Store:
    """A store while its folder is looked at. some: locations of it, with their rows."""

    paths: StorePaths
    seen: StoreSeen
    known: Earlier = field(default_factory=Earlier)
    some: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        return self.paths.dna_llm, self.paths.context_len


@dataclass(frozen=True)
class Near:
    """Another index near by. folder: whose it is, None for a copy with a name of its own."""

    path: Path
    folder: Path | None
    species: tuple[str, ...]


@dataclass(frozen=True)
class Compact:
    """An index in eight bytes a location: the hash of the location of each row.

    whole: its locations have the first rows, one each; else there are no rows.
    """

    named: int
    whole: bool
    rows: array.array[int] = field(default_factory=lambda: array.array("q"))

    def rows_of(self, locations: Iterable[str]) -> list[int | None]:
        """The row of each of these locations."""
        wanted = [hash(each) for each in locations]
        marks = set(wanted)
        found = {mark: row for row, mark in enumerate(self.rows) if mark in marks}
        return [found.get(each) for each in wanted]


Indexes = dict[tuple[object, str], dict[tuple[str, int], Compact]]  # by file and species


@dataclass
class Look:
    """A folder while it is looked at. indexes: those that were read so far, other folders' too."""

    folder: Path
    given: bool
    everything: bool
    indexes: Indexes
    unread: list[Unread] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    stores: dict[str, list[Store]] = field(default_factory=dict)
    genomes: list[GenomeSeen] = field(default_factory=list)
    damage: Damage | None = None

    @property
    def database(self) -> Path:
        return self.folder / metadata.FILE

    def cannot(self, path: Path, error: Exception) -> None:
        """Note a file that could not be looked at, once."""
        unread = why_unread(path, error)
        if unread not in self.unread:
            self.unread.append(unread)


class NotAFile(Exception):
    """A path that leads to no regular file."""

    def __init__(self, why: Literal["loop", "gone", "no-file"], detail: str = "") -> None:
        super().__init__(why)
        self.unread = why, detail


def why_unread(path: Path, error: Exception) -> Unread:
    if isinstance(error, NotAFile):
        return Unread(str(path), *error.unread)
    if isinstance(error, metadata.Locked):
        return Unread(str(path), "locked")
    if isinstance(error, rows.Shrank | DoctorError):
        return Unread(str(path), "shrank", str(error))
    if isinstance(error, OSError):
        return Unread(str(path), "denied", error.strerror or str(error))
    return Unread(str(path), "no-record", str(error).removeprefix(f"{path}: "))


def check_file(path: Path) -> None:
    """Raise NotAFile or OSError where something stands at a path that cannot be read as a file."""
    if not os.path.lexists(path):
        return
    try:
        list(places.steps(path))
    except InputError as error:
        raise NotAFile("loop") from error
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise NotAFile("gone", str(path.resolve())) from error
    if not stat.S_ISREG(mode):
        raise NotAFile("no-file")
    open_regular(path).close()


def look_at(look: Look) -> None:
    """Look at the index, the stores and the genomes of a folder."""
    on_disk: dict[str, set[tuple[str, int]]] = {}
    for species, dna_llm, length in stores_on_disk(look.folder):
        on_disk.setdefault(species, set()).add((dna_llm, length))
    indexed = species_of(look, look.database)
    for species in sorted({*on_disk, *indexed}):
        look.stores[species], genome = look_at_species(
            look, species, on_disk.get(species, set()), species in indexed
        )
        look.genomes += genome


def look_near(look: Look) -> DependenciesFacts:
    """Hold the indexes near by against the stores of a folder that was looked at; all of its facts.

    By then the indexes of all folders that are looked at have been read, each once.
    """
    elsewhere: list[Elsewhere] = []
    near = others(look.folder, look.database)
    for species in sorted({*look.stores, *(name for each in near for name in each.species)}):
        here = look.stores.get(species, [])
        named = {each.key: each.seen.store.index.named for each in here if each.seen.store.index}
        with_species = [each for each in near if species in each.species]
        for other in with_species[:MOST_OTHERS]:
            elsewhere += compare(look, other, species, here, named)
        for other in with_species[MOST_OTHERS:] if here else []:
            look.unread.append(Unread(str(other.path), "skipped"))
    return DependenciesFacts(
        folder=str(look.folder),
        given=look.given,
        database=str(look.database),
        has_database=os.path.lexists(look.database),
        damage=look.damage,
        entries=tuple(look.entries),
        stores=tuple(each.seen for stores in look.stores.values() for each in stores),
        genomes=tuple(look.genomes),
        elsewhere=tuple(elsewhere),
        unread=tuple(look.unread),
    )


def species_of(look: Look, database: Path) -> list[str]:
    """The species that the index knows; what stands against reading it is noted."""
    try:
        check_file(database)
        return metadata.species_names(database) if database.exists() else []
    except metadata.MetadataWrong as wrong:
        look.damage = wrong.damage
    except (OSError, NotAFile, InputError) as error:
        look.cannot(database, error)
    return []


def look_at_species(
    look: Look, species: str, on_disk: set[tuple[str, int]], indexed: bool
) -> tuple[list[Store], list[GenomeSeen]]:
    """All stores of a species, and the genome that CpGPT would take for it.

    The species' index is let go of before this returns: the next one needs the room.
    """
    database = look.folder / metadata.FILE
    entry: dict[Any, Any] | None = {}
    damage = look.damage
    if indexed:
        entry, size, damage = read_entry(look, database, species)
    found = sorted({*on_disk, *stores_in_index(entry or {})})
    if indexed and (found or damage):
        look.entries.append(Entry(species, size, damage))
    if not found:
        return [], []
    look.indexes[transaction.identity(database), species] = all_compact(
        look.folder, species, entry or {}
    )
    genome = look_at_genome(look, species, entry or {})
    unreadable = any(each.path == str(database) for each in look.unread)
    stores = []
    for key in found:
        paths = StorePaths(look.folder, species, *key, WIDTHS.get(key[0]))
        if damage is not None:
            stores.append(Store(paths, StoreSeen(observe.damaged(paths, damage))))
        elif not unreadable:
            stores.append(look_at_store(look, paths, entry or {}, genome))
    return stores, [genome.seen] if genome else []


def read_entry(
    look: Look, database: Path, species: str
) -> tuple[dict[Any, Any], int, Damage | None]:
    """The entry of a species, its size, and its damage."""
    size = 0
    try:
        with contextlib.closing(metadata.connect(database)) as connection:
            metadata.check_table(connection, database)
            (size,) = connection.execute(
                "SELECT total(length(value)) FROM unnamed WHERE key = ?", (species,)
            ).fetchone()
            size = int(size)
            return metadata.read_species(connection, species, database), size, None
    except metadata.MetadataWrong as wrong:
        return {}, size, wrong.damage
    except sqlite3.Error as error:
        wrong_or_locked = metadata.unreadable(database, error)
        if isinstance(wrong_or_locked, metadata.MetadataWrong):
            return {}, size, wrong_or_locked.damage
        look.cannot(database, wrong_or_locked)
    except (OSError, InputError) as error:
        look.cannot(database, error)
    return {}, size, None


def look_at_genome(look: Look, species: str, entry: dict[Any, Any]) -> genomes.Looked | None:
    """The genome of a species; None where the index names no assembly, or it cannot be read."""
    assembly, vocab = entry.get("assembly"), entry.get("vocab")
    if not isinstance(assembly, str) or not assembly or "/" in assembly:
        return None
    known = [each for each in vocab if isinstance(each, str)] if isinstance(vocab, dict) else []
    path = look.folder / GENOMES / f"{species}.{assembly}{genomes.ENDING}"
    try:
        check_file(path)
        return genomes.look(path, species, known, look.everything)
    except (OSError, NotAFile) as error:
        look.cannot(path, error)
        return None


def look_at_store(
    look: Look, paths: StorePaths, entry: dict[Any, Any], genome: genomes.Looked | None
) -> Store:
    """A store whose index was read."""
    for path in (paths.rows, paths.unfinished, paths.checkpoint, record.record_path(paths)):
        try:
            check_file(path)
        except (OSError, NotAFile) as error:
            look.cannot(path, error)
            return Store(paths, StoreSeen(observe.bare(paths)))
    with contextlib.ExitStack() as stack:
        reader = None
        if genome is not None and genome.sequences:
            with contextlib.suppress(InputError):
                reader = Genome(Path(genome.seen.path), genome.sequences)
                stack.callback(reader.close)
        digested = reader if genome and all(each.digest for each in genome.sequences) else None
        try:
            seen = observe.look(paths, digested, lambda paths: layout.entry(entry, paths))
        except metadata.MetadataWrong as wrong:
            return Store(paths, StoreSeen(observe.damaged(paths, wrong.damage)))
        except (OSError, InputError) as error:
            look.cannot(record.record_path(paths), error)
            return Store(paths, StoreSeen(observe.bare(paths)))
        facts, index = seen.facts, seen.facts.index
        some = some_rows(seen.rows)
        lacking, past = unplaced(seen.rows, reader)
        whole = StoreSeen(facts, elsewhere=lacking, outside=past)
        if paths.width is None or facts.size is None:
            return Store(paths, whole, seen.known, some)
        try:
            whole = dataclasses.replace(whole, filled=layout.filled(paths.rows, paths.row_bytes))
            if index is not None and not (index.shared or index.outside):
                names = by_row(seen.rows)
                # Beside an unfinished file, what is missing here may be there (CPG505).
                there = whole.filled if facts.unfinished else facts.size // paths.row_bytes
                have = names[:there]
                whole = dataclasses.replace(
                    whole, rows=scanned(paths, have, reader, look.everything)
                )
                whole = held(whole, paths, names, seen.known, look.everything)
        except (OSError, rows.Shrank, DoctorError, InputError) as error:
            look.cannot(paths.rows, error)
        return Store(paths, whole, seen.known, some)


def by_row(table: dict[str, int]) -> list[str]:
    """The location of each row of an index that has the first rows, one each."""
    names = [""] * len(table)
    for location, row in table.items():
        names[row] = location
    return names


def some_rows(table: dict[str, int]) -> dict[str, int]:
    """A sample of an index, drawn at random; always the same one."""
    chosen = random.Random(SEED).sample(range(len(table)), min(len(table), COMPARED))
    numbers = set(chosen)
    return {each: row for at, (each, row) in enumerate(table.items()) if at in numbers}


def unplaced(table: dict[str, int], genome: Genome | None) -> tuple[Named, Named]:
    """Locations whose sequence the genome lacks, and those past its end."""
    if genome is None:
        return Named(), Named()
    lengths = {name: each.length for name, each in genome.sequences.items()}
    lacking: list[str] = []
    past: list[str] = []
    for location in table:
        name, _, position = location.rpartition(":")
        length = lengths.get(name)
        if length is None:
            lacking.append(location)
        elif position.isdecimal() and is_past(position, length):
            past.append(location)
    return some_of(lacking), some_of(past)


def is_past(position: str, length: int) -> bool:
    """Whether decimal digits name a base past a sequence of this length; however many there are."""
    digits = position.lstrip("0")
    return len(digits) > LONGEST_POSITION or int(digits or "0") >= length


def some_of(locations: list[str], count: int | None = None) -> Named:
    return Named(len(locations) if count is None else count, tuple(locations[:SHOWN]))


def scanned(
    paths: StorePaths, names: list[str], genome: Genome | None, everything: bool
) -> RowsSeen:
    """Look at the rows of these locations: all, or a sample."""
    seen = rows.scan(paths.rows, paths.row_bytes, len(names), everything)
    equal: list[tuple[str, str]] = []
    all_n: list[str] = []
    alike = 0
    for row, earlier in seen.equal:
        one, other = names[row], names[earlier]
        windows = [window(each, genome, paths.context_len) for each in (one, other)]
        if windows[0] is not None and windows[0] == windows[1]:
            alike += 1
            if not windows[0].strip("Nn"):
                all_n.append(one)
        else:
            equal.append((one, other))
    return RowsSeen(
        named=len(names),
        read=seen.read,
        in_holes=seen.in_holes,
        zero=some_of([names[row] for row in seen.zero], seen.zeros),
        not_finite=some_of([names[row] for row in seen.not_finite], seen.others),
        equal=some_of([one for one, _ in equal], seen.equals - alike),
        equal_to=equal[0][1] if equal else None,
        all_n=some_of(all_n),
        windows=genome is not None,
    )


def window(location: str, genome: Genome | None, context_len: int) -> str | None:
    """The window of a location; None where the genome has no such place, or there is none."""
    written = LOCATION.fullmatch(location)
    if genome is None or written is None or written[1] not in genome.sequences:
        return None
    if int(written[2]) >= genome.sequences[written[1]].length:
        return None
    return genome.window(written[1], int(written[2]), context_len)


def held(
    seen: StoreSeen, paths: StorePaths, names: list[str], known: Earlier, everything: bool
) -> StoreSeen:
    """Hold the parts that were recorded against the index, and some or all of their rows.

    Those of other locations were looked at before: `observe.renamed`.
    """
    parts = [each for each in known.parts if each.first_row + each.rows <= len(names)]
    here = [
        each for each in parts if locations_digest(stretch(names, each)) == each.locations_digest
    ]
    small = sum(each.rows for each in here) * paths.row_bytes <= rows.ALL_BELOW
    read = here if small or everything else random.Random(SEED).sample(here, min(4, len(here)))
    there = (seen.store.size or 0) // paths.row_bytes  # CPG506 says where rows are lacking
    read = [each for each in read if each.first_row + each.rows <= there]
    changed = list(seen.store.changed)
    for each in read:
        numbers = range(each.first_row, each.first_row + each.rows)
        if layout.digest(layout.read_rows(paths, numbers)) != each.rows_digest:
            changed.append(ChangedRows("file", each.first_row, each.rows))
    facts = dataclasses.replace(seen.store, changed=tuple(changed))
    return dataclasses.replace(seen, store=facts, parts=len(parts), recorded=len(here))


def stretch(names: list[str], part: Part) -> list[str]:
    return names[part.first_row : part.first_row + part.rows]


def others(folder: Path, database: Path) -> list[Near]:
    """Other indexes near by, each file once: in folders above, beside and below, where links lead,
    and copies of an index under a name of their own."""
    folders = [folder, *folders_in(folder)]
    if folder.resolve().parent != folder.resolve():
        folders += [folder.resolve().parent, *folders_in(folder.resolve().parent)]
    led = [database, *(folder / EMBEDDINGS / species for species in names_in(folder / EMBEDDINGS))]
    for species, dna_llm, length in stores_on_disk(folder):
        led.append(StorePaths(folder, species, dna_llm, length).rows)
    for path in led:
        folders += where_led(path)
    candidates = [each / metadata.FILE for each in folders]
    for each in dict.fromkeys(folders):
        if each != folder and not ((each / metadata.FILE).exists() or (each / EMBEDDINGS).is_dir()):
            continue
        candidates += [
            each / name
            for name in names_in(each)
            if name.startswith("ensembl_metadata")
            and name != metadata.FILE
            and not name.endswith(("-journal", "-wal", "-shm", ".json"))
        ]
    found: list[Near] = []
    known = {transaction.identity(database), None}
    for path in candidates:
        mark = transaction.identity(path)
        if mark in known:
            continue
        known.add(mark)
        with contextlib.suppress(OSError, NotAFile, InputError):
            check_file(path)
            home = path.parent if path.name == metadata.FILE else None
            found.append(Near(path, home, tuple(metadata.species_names(path))))
    return found


def where_led(path: Path) -> Iterator[Path]:
    """Folders whose part a path is, after each link on its way; of a cache, all its snapshots."""
    with contextlib.suppress(InputError, OSError):
        for step in list(places.steps(path))[1:]:
            for above in list(step.parents)[:4]:
                if (above / metadata.FILE).exists():
                    yield above
        cache = places.cache_of(path)
        if cache is not None:
            snapshots = next(
                each for each in (cache, *cache.parents) if (each / "snapshots").is_dir()
            )
            for revision in folders_in(snapshots / "snapshots"):
                yield from (revision, *folders_in(revision))


def compare(
    look: Look, other: Near, species: str, here: list[Store], named: dict[tuple[str, int], int]
) -> list[Elsewhere]:
    """Hold another index of a species against the folder's stores, and note it with each.

    Returns the stores that it has and the folder has not, or smaller, where it lies below.
    """
    if not here and not (other.path.parent / EMBEDDINGS / species).is_dir():
        return []
    mark = transaction.identity(other.path), species
    recorded = any(each.known.parts for each in here)
    entry: dict[Any, Any] = {}
    if mark not in look.indexes or recorded:
        try:
            with contextlib.closing(metadata.connect(other.path)) as connection:
                entry = metadata.read_species(connection, species, other.path)
        except (OSError, sqlite3.Error, InputError):
            return []  # it is none that would help
        look.indexes[mark] = all_compact(other.path.parent, species, entry)
    tables = look.indexes[mark]
    for each in here:
        if each.key in tables:
            with contextlib.suppress(OSError, InputError, NotAFile, rows.Shrank):
                found = other_index(other, each, tables[each.key], entry)
                each.seen = dataclasses.replace(each.seen, others=(*each.seen.others, found))
    if other.folder is None or look.folder not in other.folder.parents:
        return []
    return [
        Elsewhere(str(other.folder), species, *key, table.named, named.get(key, 0))
        for key, table in tables.items()
        if table.named > named.get(key, 0) and StorePaths(other.folder, species, *key).rows.exists()
    ]


def all_compact(
    folder: Path, species: str, entry: dict[Any, Any]
) -> dict[tuple[str, int], Compact]:
    """The tables of a species' entry; those that are none are left out."""
    found = {}
    for key in stores_in_index(entry):
        with contextlib.suppress(metadata.MetadataWrong):
            found[key] = compact(layout.entry(entry, StorePaths(folder, species, *key)))
    return found


def compact(table: dict[str, int]) -> Compact:
    seen = layout.shape(table)
    if seen.shared or seen.outside:
        return Compact(len(table), whole=False)
    marks = array.array("q", bytes(8 * len(table)))
    for location, row in table.items():
        marks[row] = hash(location)
    return Compact(len(table), whole=True, rows=marks)


def other_index(other: Near, mine: Store, table: Compact, entry: dict[Any, Any]) -> OtherIndex:
    """How another index fits a store's rows; entry: as it is, where parts were recorded."""
    paths = mine.paths
    theirs = dataclasses.replace(paths, dependencies=other.folder or other.path.parent)
    found = table.rows_of(mine.some)
    numbers = list(mine.some.values())
    parts = mine.known.parts
    recorded = 0
    if parts and table.whole:
        names = by_row(layout.entry(entry, theirs))
        recorded = sum(
            locations_digest(stretch(names, each)) == each.locations_digest for each in parts
        )
    file = theirs.rows if other.folder is not None and theirs.rows.exists() else None
    return OtherIndex(
        path=str(other.path),
        folder=str(other.folder or ""),
        rows=str(file) if file else None,
        shares=shares(file, paths, table.named) if file else None,
        home=other.folder is not None and is_home(paths, other.folder),
        named=table.named,
        whole=table.whole,
        same=sum(one == row for one, row in zip(found, numbers, strict=True)),
        moved=sum(one is not None and one != row for one, row in zip(found, numbers, strict=True)),
        recorded=recorded,
    )


def is_home(paths: StorePaths, folder: Path) -> bool:
    """Whether links lead from a store's rows into another dependencies folder."""
    steps = list(places.steps(paths.rows))[1:]
    return any(
        len(step.parents) > 3 and step.parents[3].resolve() == folder.resolve() for step in steps
    )


def shares(file: Path, paths: StorePaths, named: int) -> Literal["file", "equal", "other"] | None:
    """Whether another file of rows is the store's, or holds the same rows."""
    check_file(file)
    if transaction.identity(file) == transaction.identity(paths.rows):
        return "file"
    if paths.width is None or not paths.rows.exists():
        return None
    both = min(named, *(each.stat().st_size // paths.row_bytes for each in (file, paths.rows)))
    if not both:
        return "other"
    some = random.Random(SEED).sample(range(both), min(COMPARED_ROWS, both))
    return "equal" if rows.alike(file, paths.rows, paths.row_bytes, some) else "other"


def observe_folders(
    given: list[Path], searched: list[Path], *, everything: bool = False
) -> tuple[DependenciesFacts, ...]:
    """Look at the folders that CpGPT is given, at those below them, and at those found elsewhere.

    searched: folders that are dependencies folders or hold some. everything: read every row, and
    long compressed genomes, instead of samples. Raises InputError where one is no
    folder, and where there is nothing of CpGPT's in it.
    """
    found: dict[Path, bool] = {}
    for folder in (*given, *searched):
        if not folder.is_dir():
            what = "is no folder" if os.path.lexists(folder) else "no such folder"
            raise InputError(f"{folder}: {what}")
        deepest = 1 if folder in given else DEEPEST  # human and mammalian of a download
        below = find(folder, deepest)
        if not below:
            raise InputError(
                f"{folder}: holds none of CpGPT's dependencies ({', '.join(HOLDS)}), nor does a"
                f" folder up to {deepest} below it; name the folder that DNALLMEmbedder is given"
            )
        for each in dict.fromkeys([folder, *below] if folder in given else below):
            found[each] = found.get(each, False) or each == folder
    indexes: Indexes = {}
    looks = [Look(folder, given, everything, indexes) for folder, given in found.items()]
    for look in looks:
        look_at(look)
    return tuple(look_near(look) for look in looks)


def observe_species(folder: Path, species: str) -> DependenciesFacts:
    """Look at one species of a folder, and at the indexes near by."""
    look = Look(folder, True, False, {})
    on_disk = {(llm, length) for each, llm, length in stores_on_disk(folder) if each == species}
    indexed = species in species_of(look, look.database)
    look.stores[species], look.genomes = look_at_species(look, species, on_disk, indexed)
    return look_near(look)
