"""Reads scripts, notebooks and configs, and says what stands in them, as facts."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpgpt_doctor.facts.sources import Place, SourceFile, SourcesFacts
from cpgpt_doctor.sources import configs, ignores, upstream
from cpgpt_doctor.sources.find import Finder
from cpgpt_doctor.sources.program import Program
from cpgpt_doctor.sources.project import Project, read_project
from cpgpt_doctor.sources.text import Unreadable
from cpgpt_doctor.sources.walk import Found, files


def read(paths: Sequence[Path], contents: Mapping[str, bytes] | None = None) -> SourcesFacts:
    """What stands in these files, and in those of these folders.

    contents: what is read in place of files of these names.
    Raises InputError for a path that is not there. A file that cannot be read is a fact.
    """
    found = files(paths)
    project = read_project(found, contents or {})
    if not project.marked:
        return SourcesFacts(len(found))
    finder = Finder(project)
    seen = []
    for each in found:
        if each.kind == "yaml":
            if each.path in project.marked:
                seen.append(of_config(each, project))
        elif each.path in project.programs or each.path in project.marked:
            seen.append(of_program(each, project, finder))
    kept = [each for each in seen if each.path in project.marked or each.calls]
    return SourcesFacts(len(found), tuple(kept))


def of_program(found: Found, project: Project, finder: Finder) -> SourceFile:
    problem = project.problems.get(found.path)
    program = project.programs.get(found.path)
    if problem is not None or program is None:
        return unread(found, problem or Unreadable("it cannot be read"))
    kind = "notebook" if found.kind == "notebook" else "python"
    try:
        calls = tuple(finder.calls(program))
        replaced = replaces_loader(program)
    except RecursionError:
        return unread(found, Unreadable("its code nests too deep"))
    return SourceFile(
        found.path,
        kind,  # type: ignore[arg-type]
        calls=calls,
        ignores=ignores.of_source(program.source),
        related=tuple(sorted(project.related(found.path))),
        loader_replaced=replaced,
        problem="",
    )


def of_config(found: Found, project: Project) -> SourceFile:
    try:
        config = configs.read(found.path, project.raw(found.path))
        calls = tuple(configs.calls(config))
    except Unreadable as problem:
        return unread(found, problem)
    return SourceFile(
        found.path,
        "yaml",
        calls=calls,
        ignores=ignores.of_yaml(found.path, config.lines),
        related=(found.path,),
    )


def unread(found: Found, problem: Unreadable) -> SourceFile:
    line = problem.line or 1
    column = problem.column or 1
    return SourceFile(
        found.path,
        found.kind,  # type: ignore[arg-type]
        problem.reason,
        Place(found.path, line, column, line, column, file_line=line),
        related=(found.path,),
    )


def replaces_loader(program: Program) -> bool:
    """Whether CpGPT's module is given a DataLoader that takes prefetch_factor away.

    That is an assignment to `MODULE.DataLoader` of something in whose code prefetch_factor is
    named.
    """
    for target, value, where in program.stores:
        if target.attr != upstream.LOADER:
            continue
        nodes: list[ast.AST] = [value]
        name = getattr(value, "id", "")
        for scope in (where.scope, program.module):
            nodes += [
                each.inner.node
                for each in scope.bindings.get(name, [])
                if each.inner is not None and each.inner.node is not None
            ]
            nodes += [each.value for each in scope.bindings.get(name, []) if each.value]
        if any(names_prefetch(each) for each in nodes):
            return True
    return any(patches_loader(use.node) for use in program.by_name.get("setattr", []))


def names_prefetch(node: ast.AST) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and each.value == "prefetch_factor":
            return True
        if isinstance(each, ast.keyword) and each.arg == "prefetch_factor":
            return True
        if isinstance(each, ast.arg) and each.arg == "prefetch_factor":
            return True
    return False


def patches_loader(call: ast.Call) -> bool:
    """`setattr(module, "DataLoader", …)`."""
    names = [each.value for each in call.args[1:2] if isinstance(each, ast.Constant)]
    return names == [upstream.LOADER] and any(map(names_prefetch, call.args[2:]))
