"""What calls of Python's library, and of those that scripts use with CpGPT, give."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.sources.program import Use
from cpgpt_doctor.sources.values import (
    CORES,
    ORDINARY_CORES,
    SYSTEMS,
    TEXT_METHODS,
    Spot,
    Val,
    calculated,
    distinct,
    extreme,
    joined,
    unknown,
)

if TYPE_CHECKING:
    from cpgpt_doctor.sources.evaluate import Evaluator

PATHS = ("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.path.join")
# What gives the same place under another name.
SAME_PATH = (
    *("os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expanduser"),
    *("os.fspath", "os.path.expandvars"),
)
SAME_PATH_METHODS = ("resolve", "absolute", "expanduser", "as_posix")
PURE: dict[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "abs": abs,
    "len": len,
    "round": round,
    "tuple": tuple,
    "list": tuple,
}
KEPT = ("int", "round", "abs", "str")  # what leaves a number of cores, or a path, what it is
AFFINITY = "os.sched_getaffinity"
CONTEXTS = ("get_context",)


def call(evaluator: Evaluator, name: str, use: Use, depth: int) -> list[Val]:
    """What a function or a class gives that an import names."""
    node, where = use.node, use.where
    detail = text_of(node)

    def argument(at: int, keyword: str = "") -> list[Val] | None:
        if at < len(node.args) and not isinstance(node.args[at], ast.Starred):
            return evaluator.values(node.args[at], where, depth)
        given = next((each for each in node.keywords if each.arg == keyword), None)
        return evaluator.values(given.value, where, depth) if keyword and given else None

    if name == "platform.system":
        return [Val("value", SYSTEMS[evaluator.platform])]
    if name in CORES:
        return [Val("at-least", ORDINARY_CORES)]
    if name == "torch.cuda.is_available" and evaluator.platform == "darwin":
        return [Val("value", False)]
    if name == "torch.backends.mps.is_available" and evaluator.platform != "darwin":
        return [Val("value", False)]
    if name in ("torch.cuda.is_available", "torch.backends.mps.is_available"):
        return [unknown("machine", detail)]
    if name in ("os.environ.get", "os.getenv"):
        otherwise = argument(1, "default")
        if otherwise is None:
            return [unknown("environment", detail)]
        return [replace(each, why="environment") if each.known else each for each in otherwise]
    if name in ("typer.Option", "typer.Argument", "click.option"):
        first = argument(0, "default") or [unknown("option", detail)]
        spot = Spot(where.scope.program, node.args[0]) if node.args else None
        return [replace(each, why="option", spot=spot) if each.known else each for each in first]
    if name in PATHS:
        return paths(evaluator, use, depth)
    if name in SAME_PATH:
        return argument(0) or [unknown("call", detail)]
    if name in ("max", "min") and not node.keywords:
        every = [argument(at) for at in range(len(node.args))]
        return extreme(name, [each for each in every if each is not None], detail)
    if name == "dict":
        entries = [e for arg in node.args for e in evaluator.entries_of(arg, where, depth)]
        return [Val("mapping", (*entries, *evaluator.keywords(node, where, depth)))]
    if name in PURE and not node.keywords and len(node.args) == 1:
        return pure(name, argument(0) or [], detail)
    if name == "functools.partial" and node.args:
        called = argument(0) or []
        return [Val("partial", each, use=use) for each in called]
    if name == "getattr" and len(node.args) > 1:
        return attribute(evaluator, use, depth)
    if name.rpartition(".")[2] in CONTEXTS:
        return argument(0, "method") or [Val("value", None)]
    if name == "copy.deepcopy" or name == "copy.copy":
        return argument(0) or [unknown("call", detail)]
    return [Val("instance", name, detail=detail, use=use)]


def pure(name: str, given: list[Val], detail: str) -> list[Val]:
    found: list[Val] = []
    for each in given:
        cores = each.kind == "instance" and each.value == AFFINITY
        if name == "len" and cores:
            found.append(Val("at-least", ORDINARY_CORES))
        elif name == "len" and each.kind == "mapping":
            found.append(unknown("expression", detail))
        elif each.kind == {"str": "unknown"}.get(name, "at-least") and name in KEPT:
            found.append(each)
        else:
            found += calculated(PURE[name], [each], detail=detail)
    return found


def paths(evaluator: Evaluator, use: Use, depth: int) -> list[Val]:
    combined: list[list[Val]] = [[]]
    for each in use.node.args:
        values = evaluator.values(each, use.where, depth)
        named = [
            value if value.known or value.detail else replace(value, detail=text_of(each))
            for value in values
        ]
        combined = [[*head, value] for head in combined for value in named][:12]
    return distinct(joined(parts) if parts else Val("value", ".") for parts in combined)


def attribute(evaluator: Evaluator, use: Use, depth: int) -> list[Val]:
    """`getattr(object, "name")`."""
    names = evaluator.values(use.node.args[1], use.where, depth)
    if len(names) != 1 or not isinstance(names[0].value, str):
        return [unknown("expression", text_of(use.node))]
    found: list[Val] = []
    for base in evaluator.values(use.node.args[0], use.where, depth):
        found += evaluator.attribute(base, names[0].value, text_of(use.node), depth)
    return found


def method(evaluator: Evaluator, base: Val, name: str, use: Use, depth: int) -> list[Val]:
    """What a method gives of a text, a path, a mapping or an object of a library."""
    detail = text_of(use.node)
    given = [evaluator.values(each, use.where, depth) for each in use.node.args]
    if base.kind == "mapping":
        if name == "copy":
            return [base]
        if name == "get" and given:
            otherwise = given[1] if len(given) > 1 else [Val("value", None)]
            return [
                value
                for key in given[0]
                for value in evaluator.entry_named(base, key, otherwise, detail)
            ]
    if base.kind == "value" and isinstance(base.value, str):
        if name in SAME_PATH_METHODS:
            return [base]
        if name == "joinpath":
            return [joined([base, *(each[0] for each in given)])]
        if name in TEXT_METHODS:
            return calculated(getattr(base.value, name), *given, detail=detail)
    if base.kind == "instance" and str(base.value).endswith("ArgumentParser"):
        if name in ("parse_args", "parse_intermixed_args"):
            return [Val("arguments", use.where.scope.program)]
        return [unknown("call", detail)]
    if base.kind == "instance" and not isinstance(base.value, str):
        return [unknown("call", detail)]
    owner = base.value if base.kind == "instance" else ""
    return [Val("instance", f"{owner}.{name}", detail=detail, use=use)]


def text_of(node: ast.AST) -> str:
    from cpgpt_doctor.sources.evaluate import shown

    return shown(node)
