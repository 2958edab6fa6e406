"""What is looked for in pieces of code, by the names that stand in them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Literal, TypeAlias

from cpgpt_doctor.sources import upstream
from cpgpt_doctor.sources.program import Scope, Use, Where

Kind: TypeAlias = Literal[
    "embed", "embedder", "data-module", "loader", "start-method", "download", "link"
]
# Names of calls that are looked at, before what is called is followed.
NAMES = (
    *(upstream.EMBED, upstream.EMBEDDER, upstream.DATA_MODULE, upstream.LOADER),
    *(upstream.DOWNLOAD_METHOD, upstream.DOWNLOAD, "set_start_method"),
    *("symlink", "symlink_to", "copytree", "link", "copy", "copy2", "copyfile"),
)
RETRIES = ("retry", "retrying", "backoff", "on_exception", "on_predicate", "Retrying")
LONGEST_CALL = 200  # characters of a call's text


def argument_node(use: Use, name: str, position: int | None) -> ast.expr | None:
    for keyword in use.node.keywords:
        if keyword.arg == name:
            return keyword.value
    args = use.node.args
    if position is None or position >= len(args):
        return None
    starred = any(isinstance(each, ast.Starred) for each in args[: position + 1])
    return None if starred else args[position]


def workers_parameter(use: Use) -> str:
    """The parameter of the function around a call that is its number of workers, "" for none."""
    node = argument_node(use, "num_workers", 5)
    named = isinstance(node, ast.Name) and node.id in use.where.scope.every_parameter
    return node.id if named and isinstance(node, ast.Name) else ""


def mentions(value: ast.expr) -> bool:
    """Whether an expression names what is looked for, without calling it."""
    nodes: Iterable[ast.AST] = (
        (value.func, *value.args) if isinstance(value, ast.Call) else (value,)
    )
    return any(
        getattr(node, "attr", getattr(node, "id", "")) in NAMES
        or (isinstance(node, ast.Constant) and node.value in NAMES)
        for node in nodes
    )


def kind_of_name(name: str) -> Kind | None:
    """What a dotted name is, as an import gives it."""
    first, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    if first == upstream.PACKAGE:
        kinds: dict[str, Kind] = {
            upstream.EMBEDDER: "embedder",
            upstream.DATA_MODULE: "data-module",
            upstream.DOWNLOAD: "download",
            upstream.LOADER: "loader",
        }
        return kinds.get(last)
    if last == upstream.LOADER and first in ("torch", "lightning", "pytorch_lightning"):
        return "loader"
    if last == "set_start_method" and first in ("multiprocessing", "torch", "multiprocess"):
        return "start-method"
    if name in ("os.symlink", "os.link", "shutil.copytree"):
        return "link"
    return None


def is_ours(name: str) -> bool:
    """Whether the class of an object is CpGPT's, or not known to be another's."""
    return name.startswith(f"{upstream.PACKAGE}.") or not name.rpartition(".")[2][:1].isupper()


def is_main_test(test: ast.expr | None) -> bool:
    return isinstance(test, ast.Compare) and any(
        isinstance(each, ast.Name) and each.id == "__name__"
        for each in (test.left, *test.comparators)
    )


def catches_and_goes_on(where: Where) -> bool:
    """Whether a try inside the innermost loop catches, so that the loop tries again."""
    loop = where.loops[-1]
    inside = {id(each) for each in ast.walk(loop)}
    return any(id(each) in inside for each in where.tries)


def is_retried(scope: Scope) -> bool:
    decorators: list[ast.expr] = getattr(scope.node, "decorator_list", [])
    for each in decorators:
        called = each.func if isinstance(each, ast.Call) else each
        names = {getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(called)}
        if names & set(RETRIES):
            return True
    return False


def varies(node: ast.expr, loops: tuple[ast.AST, ...]) -> bool:
    """Whether an argument is another one in each turn of a loop."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    for loop in loops:
        targets = [loop.target] if isinstance(loop, (ast.For, ast.AsyncFor)) else []
        targets += [each.target for each in getattr(loop, "generators", [])]
        for target in targets:
            if names & {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}:
                return True
    return False


def brief(node: ast.AST) -> str:
    try:
        text = " ".join(ast.unparse(node).split())
    except (RecursionError, ValueError):
        return type(node).__name__
    return text if len(text) <= LONGEST_CALL else f"{text[: LONGEST_CALL - 1]}…"
