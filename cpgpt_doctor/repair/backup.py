"""A repair's backup: drawn up before anything is changed, done, finished after a kill, undone.

Before the backup has its name nothing is changed. From then on its manifest says how far the
repair is, and holds all that finishing or undoing it takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from cpgpt_doctor.disk import flush_folder, free_name, open_regular, sync, write_whole
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.repair.steps import KINDS, Changed, Move, Place, Step, chunks, digest_of
from cpgpt_doctor.store import backups, layout, places
from cpgpt_doctor.store.layout import StorePaths

DRAFT = "repairing-"
DONE, STANDING = "done", "standing"  # notes of how many steps


@dataclass(frozen=True)
class Counted:
    """A store that a repair changes: how many locations are named before and after."""

    species: str
    dna_llm: str
    context_len: int
    before: int
    after: int

    def named(self, dependencies: Path) -> int:
        """How many are now."""
        key = self.species, self.dna_llm, self.context_len
        return len(layout.named_rows(StorePaths(dependencies, *key)))


@dataclass(frozen=True)
class Backup:
    """One action of a repair.

    run: names the call of `repair --apply` that it belongs to; more: whether others were to follow
    it there.
    """

    dependencies: Path
    folder: Path
    run: str
    more: bool
    code: str
    state: str
    steps: tuple[Step, ...]
    stores: tuple[Counted, ...]

    @property
    def place(self) -> Place:
        return Place(self.dependencies, self.folder)

    def apply(self) -> Backup:
        """Do all steps, or those that a killed repair has not done. Raises Changed, OSError."""
        self.check_whole()
        self.check_counts(f"finished; to begin anew, move {self.folder} away")
        for number in range(self.noted(DONE) or 0, len(self.steps)):
            self.steps[number].do(self.place)
            self.note(DONE, number + 1)
        return self.now("done")

    def undo(self) -> Backup:
        """Put every byte back. Raises Changed where another program wrote since."""
        self.check_whole()
        self.check_counts("undone")
        undoing = self.now("undoing")
        left = self.noted(STANDING)
        if left is None:  # the step after those that are done may have been begun
            left = min((self.noted(DONE) or 0) + 1, len(self.steps))
        for number in reversed(range(left)):
            self.steps[number].undo(self.place)
            self.note(STANDING, number)
        return undoing.now("undone")

    def noted(self, name: str) -> int | None:
        """How many steps are done for sure, or were not undone yet; None where none was noted."""
        try:
            with open_regular(self.folder / name, follow=False) as stream:
                steps = int(stream.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            steps = -1
        if not 0 <= steps <= len(self.steps):
            raise InputError(
                f"{self.folder / name}: is no number of steps; put the file back, then start again"
            )
        return steps

    def note(self, name: str, steps: int) -> None:
        write_whole(self.folder / name, str(steps))

    def check_whole(self) -> None:
        """Raise InputError where a file of the backup is gone or cut short."""
        for name, size in [each for step in self.steps for each in step.needs()]:
            path = self.folder / name
            if not path.is_file() or size not in (None, path.stat().st_size):
                raise InputError(
                    f"{path}: is not there in full, and a repair needs it; put it back, then start"
                    " again"
                )

    def check_counts(self, what: str, *, after: bool = False) -> None:
        """Raise Changed where rows were added to a store, or taken out, by another program.

        after: whether the repair is through.
        """
        for each in self.stores:
            named = each.named(self.dependencies)
            expected = (each.after,) if after else (each.before, each.after)
            if named not in expected:
                was = max(expected)
                how = f"{named - was} rows were added" if named > was else "its index was changed"
                raise Changed(
                    f"{self.dependencies}: {how} ({each.species}, {each.dna_llm},"
                    f" {each.context_len}) since the repair, so it cannot be {what}; its backup"
                    f" stays in {self.folder}"
                )

    def now(self, state: str) -> Backup:
        """Note how far it is, durably."""
        data = {**backups.read(self.folder), "state": state}
        write_whole(self.folder / backups.MANIFEST, json.dumps(data) + "\n")
        return dataclasses.replace(self, state=state)


def load(dependencies: Path, folder: Path) -> Backup:
    """Read a backup. Raises InputError where its manifest is none."""
    data = backups.read(folder)
    try:
        steps = []
        for each in data["steps"]:
            made = {key: value for key, value in each.items() if key != "kind"}
            if "runs" in made:
                made["runs"] = tuple((int(at), int(length)) for at, length in made["runs"])
            steps.append(KINDS[each["kind"]](**made))
        stores = tuple(Counted(**each) for each in data["stores"])
        run, code, more = str(data["run"]), str(data["code"]), bool(data["more"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / backups.MANIFEST}: is no manifest of a repair ({error!r}); put it back, or"
            f" move {folder} away, then start again"
        ) from None
    for step in steps:
        names = [step.path, *([step.target] if isinstance(step, Move) else [])]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise InputError(f"{folder / backups.MANIFEST}: names files outside of {dependencies}")
    return Backup(dependencies, folder, run, more, code, data["state"], tuple(steps), stores)


def all_of(dependencies: Path) -> list[Backup]:
    """All backups, the earliest first."""
    return [load(dependencies, each) for each in backups.folders(dependencies)]


def check_undone(some: Sequence[Backup]) -> None:
    """Raise Changed where a file is no longer as the repairs have left it.

    Steps may follow one another on a file: then the last one says how it was left.
    """
    last: dict[str, tuple[Backup, Step]] = {}
    for each in some:
        each.check_counts("undone", after=True)
        last.update({step.path: (each, step) for step in each.steps})
    for path, (each, step) in last.items():
        if not step.is_done(each.place):
            raise Changed(
                f"{each.dependencies / path}: was changed since the repair, so that cannot be"
                f" undone; its backup stays in {each.folder}"
            )


def new_run(work: Path) -> str:
    """A name that no run before had: the time, to the second."""
    while True:
        run = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if not (work / f"backup-{run}").exists():
            return run
        time.sleep(0.1)


@dataclass
class Draft:
    """A backup that is drawn up: nothing is changed yet."""

    dependencies: Path
    folder: Path
    steps: list[Step] = field(default_factory=list)
    stores: list[Counted] = field(default_factory=list)
    files: int = 0

    def name(self, ending: str) -> str:
        """A new name in the backup."""
        self.files += 1
        return f"{self.files}.{ending}"

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file of the backup, which is on the disk afterwards."""
        with (self.folder / name).open("xb") as stream:
            yield stream
            stream.flush()
            sync(stream.fileno())

    def keep(self, source: BinaryIO, ending: str, start: int = 0, end: int | None = None) -> str:
        """Copy a file, or a stretch of it, into the backup; returns its name there."""
        name = self.name(ending)
        end = os.fstat(source.fileno()).st_size if end is None else end
        with self.writing(name) as out:
            source.seek(start)
            for chunk in chunks(source, end - start):
                out.write(chunk)
        status = os.fstat(source.fileno())
        (self.folder / name).chmod(status.st_mode & 0o777)
        os.utime(self.folder / name, ns=(status.st_atime_ns, status.st_mtime_ns))
        return name

    def digest(self, name: str) -> str:
        with (self.folder / name).open("rb") as stream:
            return digest_of(stream)

    def rename(self, path: Path, target: Path) -> None:
        self.steps.append(Move(self.relative(path), self.relative(target), into_backup=False))

    def move_away(self, path: Path) -> None:
        """Let a file go into the backup, or where that is on another disk, beside its place.

        Raises InputError where its folder is that of a shared cache.
        """
        places.check_not_cached(path.parent)
        if path.lstat().st_dev == self.folder.stat().st_dev:
            step = Move(self.relative(path), self.name(path.name), into_backup=True)
        else:
            aside = free_name(path.with_name(f"{path.name}.set-aside"))
            step = Move(self.relative(path), self.relative(aside), into_backup=False)
        self.steps.append(step)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.dependencies).as_posix()

    def marked(self, move: Move) -> Move:
        """With the marks of the file, by which an undo sees whether another program wrote to it."""
        status = (self.dependencies / move.path).lstat()
        written = any(each.path == move.target for each in self.steps)
        if written or not stat.S_ISREG(status.st_mode):
            return move
        return dataclasses.replace(move, size=status.st_size, mtime_ns=status.st_mtime_ns)

    def commit(self, run: str, more: bool, code: str, says: str) -> Backup:
        """Give the backup its name: from here on the repair is under way."""
        if not self.steps:
            raise DoctorError(f"{self.dependencies}: a repair without a step")
        self.steps = [self.marked(each) if isinstance(each, Move) else each for each in self.steps]
        data: dict[str, Any] = {
            "schema": backups.SCHEMA,
            "state": "applying",
            "run": run,
            "more": more,
            "code": code,
            "says": says,
            "stores": [dataclasses.asdict(each) for each in self.stores],
            "steps": [{"kind": each.kind, **dataclasses.asdict(each)} for each in self.steps],
        }
        write_whole(self.folder / backups.MANIFEST, json.dumps(data) + "\n")
        named = free_name(self.folder.with_name(f"backup-{run}"))
        self.folder.rename(named)
        flush_folder(named.parent)
        steps, stores = tuple(self.steps), tuple(self.stores)
        return Backup(self.dependencies, named, run, more, code, "applying", steps, stores)


@contextlib.contextmanager
def drawing_up(dependencies: Path, work: Path) -> Iterator[Draft]:
    """A draft, which is gone afterwards unless it was committed."""
    remove_drafts(work)
    folder = Path(tempfile.mkdtemp(prefix=DRAFT, dir=work))
    try:
        yield Draft(dependencies, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_drafts(work: Path) -> None:
    """Remove what a repair that was killed had drawn up: copies, before anything was changed."""
    for entry in work.iterdir():
        if entry.name.startswith(DRAFT) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
