"""The files of a project together: which import which, who calls whom, and what is read at all.

Most files of a project have nothing to do with CpGPT. They are opened, searched for a few names
(`upstream.MARKERS`) and closed again; only what holds one is parsed, and what such files import, or
what imports them.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.sources import notebooks, upstream
from cpgpt_doctor.sources.program import Program, Scope, Use, take_apart
from cpgpt_doctor.sources.text import Source, Unreadable, read_bytes, read_script
from cpgpt_doctor.sources.values import Val, unknown
from cpgpt_doctor.sources.walk import Found

if TYPE_CHECKING:
    from cpgpt_doctor.sources.evaluate import Evaluator

START_METHOD = re.compile(rb"set_start_method|get_context")
# Names that too many objects have for a call by name alone to be one of a given function.
COMMON = frozenset({"run", "main", "get", "__init__", "__call__", "update", "forward", "load"})
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
ROUNDS = 4  # of files that call what an earlier round found


@dataclass
class Project:
    """Programs by their path; those that could not be read, with the reason.

    contents: what is read in place of files, as after edits that were not written.
    """

    files: dict[str, Found] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    problems: dict[str, Unreadable] = field(default_factory=dict)
    marked: list[str] = field(default_factory=list)
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    known_uses: dict[int, list[Use]] = field(default_factory=dict)
    looking: set[int] = field(default_factory=set)
    groups: dict[str, set[str]] = field(default_factory=dict)

    # Reading

    def raw(self, path: str) -> bytes:
        """A file's bytes; raises Unreadable."""
        given = self.contents.get(path)
        return read_bytes(Path(path)) if given is None else given

    def program(self, path: str) -> Program | None:
        """The program of a file, None where it cannot be read or is none."""
        if path in self.programs:
            return self.programs[path]
        if path in self.problems or path not in self.files or self.files[path].kind == "yaml":
            return None
        try:
            self.programs[path] = parsed(source(self.files[path], self.raw(path)))
        except Unreadable as problem:
            self.problems[path] = problem
            return None
        return self.programs[path]

    def imported(self, program: Program, name: str, level: int) -> Program | None:
        """The program of a module that one of the project imports; None for what is elsewhere."""
        return self.program_of(os.path.dirname(program.source.path), name, level)  # noqa: PTH120

    def program_of(self, folder: str, name: str, level: int) -> Program | None:
        parts = [part for part in name.split(".") if part]
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)  # noqa: PTH120
            starts = [folder]
        elif parts and parts[-1] in self.by_stem:
            starts = [folder]
            while folder:
                folder = os.path.dirname(folder)  # noqa: PTH120
                starts.append(folder)
                if folder == os.path.dirname(folder):  # noqa: PTH120
                    break
            starts += [os.path.join(each, "src") for each in starts]  # noqa: PTH118
        else:
            return None
        for start in starts:
            base = os.path.join(start, *parts)  # noqa: PTH118
            for path in (f"{base}.py", os.path.join(base, "__init__.py")):  # noqa: PTH118
                if path in self.files:
                    return self.program(path)
        return None

    # Names and calls

    def resolve(
        self, program: Program, name: str, level: int, evaluator: Evaluator, depth: int
    ) -> Val:
        """What an import gives: a module of the project, a name in one, or a dotted name."""
        module = self.imported(program, name, level)
        if module is not None:
            return Val("module", module)
        head, _, last = name.rpartition(".")
        inside = self.imported(program, head, level) if head or level else None
        if inside is not None and inside is not program:
            if last not in inside.module.bindings:
                return unknown("import", name)
            found = evaluator.bound(inside.module, last, None, depth)
            return found[0] if len(found) == 1 else unknown("import", name)
        return Val("name", name)

    def related(self, path: str) -> set[str]:
        """A file and those that are joined to it by imports, in either direction."""
        if self.groups.keys() != self.programs.keys():
            self.groups = related(self)
        return self.groups.get(path, {path})

    def uses(self, scope: Scope, evaluator: Evaluator, depth: int) -> list[Use]:
        """The calls of a function of the project."""
        if id(scope) in self.known_uses:
            return self.known_uses[id(scope)]
        if id(scope) in self.looking:
            return []
        self.looking.add(id(scope))
        try:
            found = [
                use
                for path in sorted(self.related(scope.program.source.path))
                for use in candidates(self.programs[path], scope)
                if calls(use, scope, evaluator, depth)
            ]
        finally:
            self.looking.discard(id(scope))
        self.known_uses[id(scope)] = found
        return found

    # Options of the command line

    def option(self, program: Program, name: str, evaluator: Evaluator, depth: int) -> list[Val]:
        """What an option of argparse has where it is not given."""
        from dataclasses import replace

        from cpgpt_doctor.sources.values import Spot

        for use in program.by_name.get("add_argument", []):
            if name not in destinations(use.node):
                continue
            keywords = {each.arg: each.value for each in use.node.keywords}
            default = keywords.get("default")
            if default is not None:
                spot = Spot(program, default)
                found = evaluator.values(default, use.where, depth)
                return [replace(e, why="option", spot=spot) if e.known else e for e in found]
            action = keywords.get("action")
            if isinstance(action, ast.Constant) and action.value in ("store_true", "store_false"):
                return [Val("value", action.value == "store_false", "option")]
            break
        return [unknown("option", name)]

    def option_default(self, scope: Scope, name: str) -> ast.expr | None:
        """The default of an option of click for a function's parameter."""
        for each in getattr(scope.node, "decorator_list", []):
            if not isinstance(each, ast.Call) or name not in destinations(each):
                continue
            for keyword in each.keywords:
                if keyword.arg == "default":
                    return keyword.value
        return None


def destinations(call: ast.Call) -> set[str]:
    """The names under which an option's value is found, from how it is declared."""
    texts = [each.value for each in call.args if isinstance(each, ast.Constant)]
    names = [each for each in texts if isinstance(each, str)]
    for each in call.keywords:
        if each.arg == "dest" and isinstance(each.value, ast.Constant):
            return {str(each.value.value)}
    long = [each for each in names if each.startswith("--")] or names
    return {each.lstrip("-").replace("-", "_") for each in long}


def candidates(program: Program, scope: Scope) -> list[Use]:
    """Calls that could be of a function, by the name that they call."""
    owner = scope.owner
    name = owner.name if owner is not None and scope.name == "__init__" else scope.name
    found = list(program.by_name.get(name, []))
    for bound, bindings in program.module.bindings.items():  # `from tools import embed as run`
        renamed = any(each.kind == "import" and each.name.endswith(f".{name}") for each in bindings)
        if bound != name and renamed:
            found += program.by_name.get(bound, [])
    return found


def calls(use: Use, scope: Scope, evaluator: Evaluator, depth: int) -> bool:
    """Whether a call is one of this function."""
    if use.where.scope is scope:  # it calls itself
        return False
    owner = scope.owner
    for each in evaluator.values(use.node.func, use.where, depth):
        if each.kind == "partial":
            each = each.value
        if each.kind == "function" and each.value is scope:
            return True
        if each.kind == "class" and owner is not None and scope.name == "__init__":
            return each.value is owner
        if each.kind == "method" and owner is not None:
            base, name = each.value
            if base.value is owner and name == scope.name:
                return True
        is_method = owner is not None and isinstance(use.node.func, ast.Attribute)
        if each.kind == "unknown" and is_method:
            return scope.name not in COMMON  # an object that is not followed, by the name alone
    return False


def source(found: Found, raw: bytes) -> Source:
    return (notebooks.read if found.kind == "notebook" else read_script)(found.path, raw)


def parsed(source: Source) -> Program:
    """A source's program; Unreadable with its place where it is no Python."""
    try:
        tree = parse(source.code)
    except Unreadable as problem:
        if source.kind != "notebook":
            raise
        source, tree = without_broken_cells(source, problem)
    try:
        return take_apart(source, tree)
    except RecursionError as error:
        raise Unreadable("its code nests too deep") from error


def parse(code: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except SyntaxError as error:
            raise Unreadable(error.msg or "no Python", error.lineno, error.offset) from error
        except (RecursionError, MemoryError) as error:
            raise Unreadable("its code nests too deep") from error
        except ValueError as error:  # a zero byte
            raise Unreadable(str(error)) from error


def without_broken_cells(source: Source, problem: Unreadable) -> tuple[Source, ast.Module]:
    """A notebook without the cells that do not parse; the problem where none is left."""
    lines = list(source.lines)
    good = 0
    for chunk in source.chunks:
        count = len(re.split(r"\r\n|\r|\n", chunk.code))
        try:
            parse(chunk.code)
            good += 1
        except Unreadable:
            lines[chunk.first : chunk.first + count] = [""] * count
    if not good:
        raise problem
    kept = Source(source.path, source.kind, source.chunks, lines)
    return kept, parse(kept.code)


def read_project(found: Sequence[Found], contents: Mapping[str, bytes]) -> Project:
    """Read what has to do with CpGPT, and what is connected with it."""
    project = Project({each.path: each for each in found}, contents)
    others: list[str] = []
    setters: list[str] = []
    for each in found:
        if each.kind != "yaml":
            stem = Path(each.path).stem
            name = Path(each.path).parent.name if stem == "__init__" else stem
            project.by_stem.setdefault(name, []).append(each.path)
        try:
            raw = project.raw(each.path)
        except Unreadable as problem:
            if each.named:
                project.problems[each.path] = problem
                project.marked.append(each.path)
            continue
        if each.named or is_marked(raw):
            project.marked.append(each.path)
        elif each.kind != "yaml":
            if START_METHOD.search(raw):
                setters.append(each.path)
            others.append(each.path)
    if not project.marked:
        return project
    for path in project.marked:
        project.program(path)
    for path in setters:
        project.program(path)
    join(project, others)
    return project


def is_marked(raw: bytes) -> bool:
    """Whether a file names what is looked for; UTF-16, of which YAML may be, hides it."""
    lower = raw.lower()
    return any(each in lower for each in upstream.MARKERS) or raw[:2] in UTF_16


def join(project: Project, others: list[str]) -> None:
    """Read the files that import one of those that were read."""
    joined: set[str] = set()
    for _ in range(ROUNDS):
        new = [path for path in project.programs if path not in joined]
        joined.update(new)
        stems = {stem_of(path) for path in new} - {""}
        if not stems:
            return
        names = re.compile(b"|".join(rb"\b%s\b" % re.escape(os.fsencode(s)) for s in sorted(stems)))
        for path in others:
            if path not in project.programs and names.search(content(project, path)):
                program = project.program(path)
                if program is not None and not imports_any(project, program, joined):
                    del project.programs[path]


def content(project: Project, path: str) -> bytes:
    try:
        return project.raw(path)
    except Unreadable:
        return b""


def imports_any(project: Project, program: Program, paths: set[str]) -> bool:
    for name, level in program.imports:
        other = project.imported(program, name, level)
        if other is not None and other is not program and other.source.path in paths:
            return True
    return False


def stem_of(path: str) -> str:
    place = Path(path)
    return place.parent.name if place.stem == "__init__" else place.stem


def related(project: Project) -> dict[str, set[str]]:
    """For each file, those that are joined to it by imports, in either direction."""
    groups: dict[str, set[str]] = {path: {path} for path in project.programs}
    for path, program in list(project.programs.items()):
        for name, level in program.imports:
            other = project.imported(program, name, level)
            if other is None or other.source.path not in groups:
                continue
            one, two = groups[path], groups[other.source.path]
            if one is not two:
                one |= two
                for each in two:
                    groups[each] = one
    return groups
