"""What the dataset of a DataLoader holds: an open genome, CpGPT's rows, or nothing of both."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from cpgpt_doctor.sources import upstream
from cpgpt_doctor.sources.program import Scope, Use
from cpgpt_doctor.sources.values import Val, argument_at

if TYPE_CHECKING:
    from cpgpt_doctor.sources.find import Finder

Holds = Literal["", "genome", "cpgpt", "other"]
# Wrappers of torch's that hold the dataset they are given.
WRAPPERS = ("Subset", "ConcatDataset", "random_split", "ChainDataset", "StackDataset")


def kind_of(finder: Finder, use: Use) -> Holds:
    """What the dataset of a loader holds; "" where it is not followed."""
    given = argument_at(finder.any, use, "dataset", 0, 0) or []
    kinds = {of_value(finder, each, 0) for each in given}
    for kind in ("genome", "cpgpt"):
        if kind in kinds:
            return kind
    return "other" if kinds == {"other"} else ""


def of_value(finder: Finder, value: Val, depth: int) -> Holds:
    if value.kind != "instance" or depth > 3:
        return ""
    if isinstance(value.value, Scope):
        return of_class(finder, value.value, value.use, depth)
    name = str(value.value)
    last = name.rpartition(".")[2]
    if name.startswith(f"{upstream.PACKAGE}."):
        if last == upstream.GENOME_DATASET:
            return "genome"
        return "cpgpt" if last == upstream.ROWS_DATASET else ""
    if last in WRAPPERS and value.use is not None and value.use.node.args:
        inner = finder.any.values(value.use.node.args[0], value.use.where)
        kinds = {of_value(finder, each, depth + 1) for each in inner}
        return next(iter(kinds)) if len(kinds) == 1 else ""
    return ""


def of_class(finder: Finder, scope: Scope, use: Use | None, depth: int) -> Holds:
    """By what the class puts into its objects when they are made."""
    made = scope.methods.get("__init__")
    if made is None:
        for base in getattr(scope.node, "bases", []):
            if scope.where is None:
                continue
            for each in finder.any.values(base, scope.where):
                if each.kind == "class":
                    return of_class(finder, each.value, use, depth + 1) if depth < 3 else ""
                if each.kind == "name" and str(each.value).startswith(f"{upstream.PACKAGE}."):
                    return of_value(finder, Val("instance", each.value), depth + 1)
        return "other"
    doubtful = False
    for bindings in scope.attributes.values():
        for bound in bindings:
            if bound.where.scope is not made or bound.value is None:
                continue
            for value in finder.any.values(bound.value, bound.where):
                if opens_genome(value):
                    return "genome"
                given = isinstance(bound.value, ast.Name)
                doubtful = doubtful or (value.kind == "unknown" and given)
    return "" if doubtful else "other"


def opens_genome(value: Val) -> bool:
    return value.kind == "instance" and value.value in upstream.GENOMES
