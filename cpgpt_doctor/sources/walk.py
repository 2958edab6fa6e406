"""The files of a project that could be scripts, notebooks or configs.

Folders are walked as git sees them: what .gitignore leaves out is left out, in every folder its
own. Virtual environments, installed packages and the folders of tools are skipped. Links to folders
are not followed, so that a loop of them is no loop here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.errors import InputError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

KINDS = {
    ".py": "python",
    ".pyw": "python",
    ".ipynb": "notebook",
    ".yaml": "yaml",
    ".yml": "yaml",
}
# Folders that no user writes code in.
SKIPPED = frozenset(
    {"site-packages", "dist-packages", "__pycache__", "node_modules", "__pypackages__"}
    | {".git", ".hg", ".svn", ".tox", ".nox", ".eggs", ".mypy_cache", ".ruff_cache"}
    | {".pytest_cache", ".ipynb_checkpoints", ".venv", ".pixi", ".conda"}
)


@dataclass(frozen=True)
class Found:
    """A file, and whether the user named it (then it is read whatever stands in it)."""

    path: str
    kind: str
    named: bool = False


@dataclass(frozen=True)
class Rules:
    """The lines of a folder's .gitignore."""

    folder: str
    spec: GitIgnoreSpec

    def says(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether a path below the folder is left out; None where no line is about it."""
        inside = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return self.spec.check_file(inside + "/" * is_folder).include


def files(paths: Sequence[Path]) -> list[Found]:
    """What is to be read of these paths, each file once, in order.

    Raises InputError for a path that is not there, and for a named file that is none of ours.
    """
    found: dict[str, Found] = {}
    for path in paths:
        name = os.fspath(path)
        if path.is_dir():
            for each in walk(name):
                found.setdefault(each.path, each)
        elif not os.path.lexists(name):
            raise InputError(f"{name}: no such file or folder")
        else:
            found[name] = Found(name, kind_of_named(path), named=True)
    return list(found.values())


def kind_of_named(path: Path) -> str:
    """The kind of a file that the user named; a script need not be called one."""
    kind = KINDS.get(path.suffix.lower())
    if kind is not None:
        return kind
    try:
        with path.open("rb") as stream:
            first = stream.readline(200)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if first.startswith(b"#!") and b"python" in first:
        return "python"
    raise InputError(
        f"{path}: is no Python script, notebook or YAML file ({', '.join(KINDS)}), and its first"
        " line names no Python; name a file that is, or the folder of a project"
    )


def walk(top: str) -> Iterator[Found]:
    """The files below a folder, in the order of their names."""
    yield from below(top, above(top))


def below(folder: str, rules: tuple[Rules, ...]) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
    except OSError:  # a folder that may not be looked into holds nothing that we could read
        return
    names = {entry.name for entry in there}
    if "pyvenv.cfg" in names or "conda-meta" in names:
        return
    if ".gitignore" in names:
        rules = (*rules, *read_rules(folder, ".gitignore"))
    for entry in there:
        is_folder = entry.is_dir(follow_symlinks=False)
        kind = None if is_folder else KINDS.get(os.path.splitext(entry.name)[1].lower())  # noqa: PTH122
        if not is_folder and (kind is None or not is_file(entry)):
            continue
        if is_folder and (entry.name in SKIPPED or entry.name.endswith(".egg-info")):
            continue
        if rules and left_out(entry.path, rules, is_folder=is_folder):
            continue
        if is_folder:
            yield from below(entry.path, rules)
        else:
            assert kind is not None
            yield Found(entry.path.removeprefix("./"), kind)


def is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def left_out(path: str, rules: tuple[Rules, ...], *, is_folder: bool) -> bool:
    """By the nearest folder whose lines are about it, as git has it."""
    for each in reversed(rules):
        said = each.says(path, is_folder=is_folder)
        if said is not None:
            return said
    return False


def above(top: str) -> tuple[Rules, ...]:
    """The rules of the folders above, up to the repository's; of no repository, none."""
    folders = [Path(top).absolute(), *Path(top).absolute().parents]
    root = next((at for at, each in enumerate(folders) if os.path.lexists(each / ".git")), None)
    if root is None:
        return ()
    found = [*read_rules(os.fspath(folders[root]), ".git/info/exclude")]
    for each in reversed(folders[1 : root + 1]):
        found += read_rules(os.fspath(each), ".gitignore")
    return tuple(found)


def read_rules(folder: str, name: str) -> tuple[Rules, ...]:
    """The rules of a file, none where it cannot be read."""
    try:
        text = Path(folder, name).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ()
    if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
        return ()
    from pathspec import GitIgnoreSpec

    lines = []
    for line in text.splitlines():
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:  # git, too, passes over a pattern that is none
            continue
        lines.append(line)
    return (Rules(folder, GitIgnoreSpec.from_lines(lines)),)
