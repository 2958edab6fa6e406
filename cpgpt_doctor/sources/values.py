"""What an expression gives, worked out without running anything, for one platform.

An answer is a list of alternatives. What cannot be followed is an alternative of its own, which
says why; nothing is guessed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.facts.sources import Why
from cpgpt_doctor.sources.program import Binding, Program, Scope, Use

if TYPE_CHECKING:
    from cpgpt_doctor.sources.evaluate import Evaluator

DEEPEST = 12  # names, arguments and functions that are followed one after the other
MOST = 12  # alternatives
LONGEST = 4096  # characters or elements of a value
ORDINARY_CORES = 2  # what a machine has at least; of one with a single core nobody speaks

SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
CORES = ("os.cpu_count", "multiprocessing.cpu_count", "psutil.cpu_count", "os.process_cpu_count")
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
    ast.Is: lambda one, other: one is other,
    ast.IsNot: lambda one, other: one is not other,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
TEXT_METHODS = ("lower", "upper", "strip", "startswith", "endswith", "casefold", "rstrip")


@dataclass(frozen=True)
class Spot:
    """A piece of a program; edit: how another value is written there (facts.sources.Site)."""

    program: Program
    node: ast.expr
    edit: str = "replace"


@dataclass(frozen=True)
class Val:
    """An alternative.

    kind: "value" (of Python, or a path as text); "at-least"; "unknown"; "name" (value: what an
    import gives, dotted); "function", "class" (value: its scope); "instance" (value: the class, a
    scope or a dotted name; use: the call that made it); "method" (value: receiver and name);
    "mapping" (value: entries); "absent" (of an entry that may not be in it); "partial" (value: what
    is called; use: the call that made it);
    "module" (value: a program of the project); "arguments" (of the command line).
    """

    kind: str
    value: Any = None
    why: Why = ""
    detail: str = ""
    spot: Spot | None = None
    use: Use | None = None

    @property
    def known(self) -> bool:
        return self.kind == "value"


@dataclass(frozen=True)
class Entry:
    """An entry of a mapping: its values; spot where they stand."""

    key: str
    values: tuple[Val, ...]


def unknown(why: Why, detail: str = "") -> Val:
    return Val("unknown", None, why, detail)


def distinct(values: Iterable[Val]) -> list[Val]:
    """Alternatives, each once; too many are one that is unknown."""
    found: list[Val] = []
    for each in values:
        if not any(same(each, other) for other in found):
            found.append(each)
    return found if len(found) <= MOST else [unknown("expression")]


def same(one: Val, other: Val) -> bool:
    if one.kind != other.kind or one.spot != other.spot or one.why != other.why:
        return False
    return type(one.value) is type(other.value) and (
        one.value is other.value or bool(one.value == other.value)
    )


def truth(value: Val) -> bool | None:
    """Whether a value counts as true, None where that is not known."""
    if value.kind == "value":
        return bool(value.value)
    if value.kind == "at-least":
        return True if value.value > 0 else None
    if value.kind in ("instance", "function", "class", "module", "name", "method"):
        return None if value.kind in ("name", "instance") else True
    return None


def text(value: Val) -> str:
    """A part of a path as text; what is not known, by the name that it has in braces."""
    if value.kind == "value":
        return str(value.value)
    return value.detail if value.detail.startswith("{") else "{" + (value.detail or "?") + "}"


def joined(parts: list[Val]) -> Val:
    """Parts of a path put together; known where all are."""
    texts = [text(each).replace("\\", "/") for each in parts]
    whole = ""
    for each in texts:
        absolute = each.startswith("/") or each[1:3] == ":/"
        whole = each if absolute or not whole else f"{whole.rstrip('/')}/{each}"
    if all(each.known for each in parts):
        return Val("value", whole)
    why = next(each.why for each in parts if not each.known)
    return Val("unknown", None, why or "expression", whole)


def calculated(work: Callable[..., Any], *alternatives: list[Val], detail: str = "") -> list[Val]:
    """A function of values, for each way in which they can be combined."""
    combined: list[list[Val]] = [[]]
    for each in alternatives:
        combined = [[*head, value] for head in combined for value in each][: MOST * MOST]
    return distinct(one_of(work, values, detail) for values in combined)


def one_of(work: Callable[..., Any], values: list[Val], detail: str) -> Val:
    doubtful = next((each for each in values if not each.known), None)
    if doubtful is not None:
        why = doubtful.why if doubtful.kind == "unknown" else "expression"
        return unknown(why or "expression", detail)
    try:
        given = work(*(each.value for each in values))
    except Exception:  # whatever the program would raise there, too
        return unknown("expression", detail)
    if isinstance(given, (str, bytes, list, tuple)) and len(given) > LONGEST:
        return unknown("expression", detail)
    if isinstance(given, int) and abs(given) > 2**63:
        return unknown("expression", detail)
    why = next((each.why for each in values if each.why), "")
    return Val("value", given, why)


def arithmetic(op: ast.operator, left: list[Val], right: list[Val], detail: str) -> list[Val]:
    """Sums and products, also of a number of cores."""
    work = ARITHMETIC.get(type(op))
    if work is None:
        return [unknown("expression", detail)]
    found = []
    for one in left:
        for other in right:
            if one.kind == "at-least" and other.known and type(other.value) in (int, float):
                found.append(shifted(op, work, one, other, detail))
            else:
                found.append(one_of(guarded(work), [one, other], detail))
    return distinct(found)


def shifted(op: ast.operator, work: Callable[..., Any], one: Val, other: Val, detail: str) -> Val:
    """A number of cores, changed by a number: what it then is at least."""
    if isinstance(op, ast.Mod) or other.value <= 0:
        return unknown("expression", detail)
    try:
        lowest = work(one.value, other.value)
    except ArithmeticError:
        return unknown("expression", detail)
    return Val("at-least", max(0, int(lowest)) if isinstance(lowest, float) else lowest)


def guarded(work: Callable[..., Any]) -> Callable[..., Any]:
    """Work on values of moderate size only: 'a' * 10**9 is not worked out."""

    def small(one: Any, other: Any) -> Any:
        for each, count in ((one, other), (other, one)):
            if isinstance(each, (str, bytes, list, tuple)) and isinstance(count, int):
                return None if len(each) * count > LONGEST else work(one, other)
        return work(one, other)

    return small


def extreme(name: str, parts: list[list[Val]], detail: str) -> list[Val]:
    """`min` and `max` of values some of which may be numbers of cores."""
    if not parts:
        return [unknown("expression", detail)]
    combined: list[list[Val]] = [[]]
    for each in parts:
        combined = [[*head, value] for head in combined for value in each][:MOST]
    found = []
    for values in combined:
        numbers = [v for v in values if v.kind in ("value", "at-least")]
        plain = all(type(each.value) in (int, float, bool) for each in numbers)
        doubtful = len(numbers) < len(values)
        if not plain or not numbers or (doubtful and name == "min"):
            least = [n.value for n in numbers if plain and n.known and n.value <= 0]
            # The lesser of 0 and any number of processes is 0.
            zero = doubtful and plain and least == [0]
            found.append(Val("value", 0) if zero else unknown("expression", detail))
            continue
        work = min if name == "min" else max
        bound = work(each.value for each in numbers)
        exact = all(each.known for each in numbers) and not doubtful
        if name == "min" and bound in [each.value for each in numbers if each.known]:
            lowest = min(each.value for each in numbers)
            exact = exact or lowest == bound
        found.append(Val("value" if exact else "at-least", bound))
    return distinct(found)


def attributes_of(value: Val, name: str) -> list[Binding]:
    """What an attribute of an object, a class or a module is bound to."""
    if value.kind == "instance" and isinstance(value.value, Scope):
        return value.value.attributes.get(name, [])
    if value.kind == "class":
        return list(value.value.attributes.get(name, []))
    return []


def with_spot(values: list[Val], spot: Spot | None) -> list[Val]:
    """Values that stand at a spot, but for those that have one further out."""
    return [each if each.spot is not None else replace(each, spot=spot) for each in values]


def without_spot(values: list[Val]) -> list[Val]:
    return distinct(replace(each, spot=None) for each in values)


def argument_at(
    evaluator: Evaluator, use: Use, name: str, position: int | None, depth: int
) -> list[Val] | None:
    """An argument of a call by name or position, with its spot; None where it is not given."""
    call = use.node
    program = use.where.scope.program
    for keyword in call.keywords:
        if keyword.arg == name:
            given = evaluator.values(keyword.value, use.where, depth)
            return with_spot(given, Spot(program, keyword.value))
    if position is not None:
        before = call.args[: position + 1]
        if any(isinstance(each, ast.Starred) for each in before):
            return [unknown("options", name)]
        if position < len(call.args):
            given = evaluator.values(call.args[position], use.where, depth)
            return with_spot(given, Spot(program, call.args[position]))
    found: list[Val] | None = None
    for keyword in call.keywords:
        if keyword.arg is None:
            found = spread(evaluator, use, keyword.value, name, depth)
            if found is not None:
                return found
    return None


def spread(
    evaluator: Evaluator, use: Use, mapping: ast.expr, name: str, depth: int
) -> list[Val] | None:
    """An argument that comes from a mapping behind `**`; None where the mapping has none."""
    program = use.where.scope.program
    found: list[Val] = []
    for each in evaluator.values(mapping, use.where, depth):
        if each.kind != "mapping":
            found.append(replace(unknown("options", name), spot=Spot(program, mapping, "spread")))
            continue
        entries = [entry for entry in each.value if entry.key == name]
        if any(entry.key == "" for entry in each.value) and not entries:
            found.append(replace(unknown("options", name), spot=Spot(program, mapping, "spread")))
        elif entries:
            values = list(entries[-1].values)
            alone = isinstance(mapping, ast.Dict) or (
                isinstance(mapping, ast.Name) and program.module.loads.get(mapping.id, 0) == 1
            )
            if not alone or any(value.kind == "absent" for value in values):
                other = Spot(program, mapping, "spread")
                values = [replace(value, spot=other) for value in values]
            found += values
    return distinct(found) if found else None
