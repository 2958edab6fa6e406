"""Follows names, attributes, arguments and simple functions to what they give on a platform."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.sources.program import Binding, Program, Scope, Use, Where
from cpgpt_doctor.sources.values import (
    COMPARISONS,
    DEEPEST,
    LONGEST,
    Entry,
    Spot,
    Val,
    argument_at,
    arithmetic,
    attributes_of,
    calculated,
    distinct,
    joined,
    truth,
    unknown,
    with_spot,
    without_spot,
)

if TYPE_CHECKING:
    from cpgpt_doctor.sources.project import Project


class Evaluator:
    """Values on one platform (as sys.platform has it). assumed: names whose value is given.

    hangs: something that was worked out hangs on the platform; whoever asks sets it back first.
    """

    def __init__(self, project: Project, platform: str) -> None:
        self.project = project
        self.system = platform
        self.hangs = False
        self.assumed: dict[str, Val] = {}
        self.followed: set[tuple[int, str]] = set()
        self.parameters: dict[tuple[int, str], tuple[list[Val], bool]] = {}

    @property
    def platform(self) -> str:
        self.hangs = True
        return self.system

    def values(self, node: ast.expr, where: Where, depth: int = 0) -> list[Val]:
        if depth > DEEPEST:
            return [unknown("expression", shown(node))]
        if self.assumed and isinstance(node, (ast.Name, ast.Attribute)):
            given = self.assumed.get(ast.unparse(node))
            if given is not None:
                return [given]
        work = getattr(self, f"of_{type(node).__name__}", None)
        if work is None:
            return [unknown("expression", shown(node))]
        found: list[Val] = work(node, where, depth + 1)
        return distinct(found)

    # Literals

    def of_Constant(self, node: ast.Constant, where: Where, depth: int) -> list[Val]:  # noqa: N802
        return [Val("value", node.value)]

    def of_List(self, node: ast.List | ast.Tuple, where: Where, depth: int) -> list[Val]:  # noqa: N802
        if len(node.elts) > LONGEST:
            return [unknown("expression", "")]
        parts = [self.values(each, where, depth) for each in node.elts]
        if all(len(each) == 1 and each[0].known for each in parts):
            return [Val("value", tuple(each[0].value for each in parts))]
        return [unknown("expression", shown(node))]

    of_Tuple = of_List  # noqa: N815
    of_Set = of_List  # noqa: N815

    def of_Dict(self, node: ast.Dict, where: Where, depth: int) -> list[Val]:  # noqa: N802
        entries: list[Entry] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                entries += self.entries_of(value, where, depth)
                continue
            names = self.values(key, where, depth)
            name = names[0].value if len(names) == 1 and names[0].known else ""
            entries.append(self.entry(name if isinstance(name, str) else "", value, where, depth))
        return [Val("mapping", tuple(entries))]

    def entry(self, name: str, value: ast.expr, where: Where, depth: int) -> Entry:
        spot = Spot(where.scope.program, value)
        return Entry(name, tuple(with_spot(self.values(value, where, depth), spot)))

    def entries_of(self, node: ast.expr, where: Where, depth: int) -> list[Entry]:
        """The entries of a mapping; one without a name where others can be in it."""
        found = self.values(node, where, depth)
        if len(found) == 1 and found[0].kind == "mapping":
            return list(found[0].value)
        return [Entry("", (unknown("options"),))]

    def of_JoinedStr(self, node: ast.JoinedStr, where: Where, depth: int) -> list[Val]:  # noqa: N802
        parts: list[list[Val]] = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                if each.format_spec is not None or each.conversion not in (-1, 115):
                    return [unknown("expression", shown(node))]
                parts.append(self.values(each.value, where, depth))
            else:
                parts.append(self.values(each, where, depth))
        known = calculated(lambda *texts: "".join(map(str, texts)), *parts, detail=shown(node))
        if all(each.known for each in known):
            return known
        whole = "".join(
            text_or_name(each[0], part) for each, part in zip(parts, node.values, strict=True)
        )
        return [unknown("expression", whole)]

    # Operators

    def of_BoolOp(self, node: ast.BoolOp, where: Where, depth: int) -> list[Val]:  # noqa: N802
        stops = isinstance(node.op, ast.Or)
        found: list[Val] = []
        for each in node.values:
            goes_on = False
            for value in self.values(each, where, depth):
                true = truth(value)
                if true is None or true is stops or each is node.values[-1]:
                    found.append(value)
                goes_on = goes_on or true is not stops
            if not goes_on:
                break
        return found

    def of_UnaryOp(self, node: ast.UnaryOp, where: Where, depth: int) -> list[Val]:  # noqa: N802
        inner = self.values(node.operand, where, depth)
        if isinstance(node.op, ast.Not):
            truths = [truth(each) for each in inner]
            return [
                unknown("machine", shown(node)) if each is None else Val("value", not each)
                for each in truths
            ]
        if isinstance(node.op, ast.USub):
            return calculated(lambda number: -number, inner, detail=shown(node))
        return [unknown("expression", shown(node))]

    def of_BinOp(self, node: ast.BinOp, where: Where, depth: int) -> list[Val]:  # noqa: N802
        left = self.values(node.left, where, depth)
        right = self.values(node.right, where, depth)
        if isinstance(node.op, ast.Div) and any(is_path(each) for each in left):
            return [joined([named(one, node.left), named(other, node.right)])
                    for one in left for other in right]  # fmt: skip
        if isinstance(node.op, ast.BitOr) and all(e.kind == "mapping" for e in (*left, *right)):
            return [Val("mapping", (*one.value, *other.value)) for one in left for other in right]
        return arithmetic(node.op, left, right, shown(node))

    def of_Compare(self, node: ast.Compare, where: Where, depth: int) -> list[Val]:  # noqa: N802
        parts = [self.values(each, where, depth) for each in (node.left, *node.comparators)]

        def compared(*values: Any) -> bool:
            pairs = zip(values, node.ops, values[1:], strict=False)
            return all(COMPARISONS[type(op)](one, other) for one, op, other in pairs)

        if len(parts) == 2 and all(len(each) == 1 for each in parts):
            (one,), (other,) = parts
            positive = isinstance(node.ops[0], (ast.Gt, ast.NotEq)) and other.known
            if one.kind == "at-least" and positive and type(other.value) is int:
                above = one.value > other.value
                return [Val("value", True) if above else unknown("machine", shown(node))]
        return calculated(compared, *parts, detail=shown(node))

    def of_IfExp(self, node: ast.IfExp, where: Where, depth: int) -> list[Val]:  # noqa: N802
        found: list[Val] = []
        for test in self.values(node.test, where, depth):
            true = truth(test)
            if true is not False:
                found += self.values(node.body, where, depth)
            if true is not True:
                found += self.values(node.orelse, where, depth)
        return found

    def of_NamedExpr(self, node: ast.NamedExpr, where: Where, depth: int) -> list[Val]:  # noqa: N802
        return self.values(node.value, where, depth)

    def of_Await(self, node: ast.Await, where: Where, depth: int) -> list[Val]:  # noqa: N802
        return self.values(node.value, where, depth)

    def of_Lambda(self, node: ast.Lambda, where: Where, depth: int) -> list[Val]:  # noqa: N802
        for each in where.scope.program.functions:
            if each.node is node:
                return [Val("function", each)]
        return [unknown("expression", shown(node))]

    def of_Subscript(self, node: ast.Subscript, where: Where, depth: int) -> list[Val]:  # noqa: N802
        keys = self.values(node.slice, where, depth)
        found: list[Val] = []
        for base in self.values(node.value, where, depth):
            if base.kind == "name" and base.value == "os.environ":
                found.append(unknown("environment", shown(node)))
            elif base.kind == "mapping":
                for key in keys:
                    found += self.entry_named(base, key, None, shown(node))
            else:
                found += calculated(lambda held, key: held[key], [base], keys, detail=shown(node))
        return found

    def entry_named(
        self, mapping: Val, key: Val, otherwise: list[Val] | None, detail: str
    ) -> list[Val]:
        entries: list[Entry] = [each for each in mapping.value if each.key == key.value]
        if key.known and entries:
            held = [e for e in entries[-1].values if e.kind != "absent"]
            maybe = [] if len(held) == len(entries[-1].values) else [unknown("options", detail)]
            return without_spot([*held, *maybe])
        if key.known and otherwise is not None and all(each.key for each in mapping.value):
            return otherwise
        return [unknown("options", detail)]

    # Names

    def of_Name(self, node: ast.Name, where: Where, depth: int) -> list[Val]:  # noqa: N802
        return self.named(node.id, where, depth)

    def named(self, name: str, where: Where, depth: int) -> list[Val]:
        """What a name gives at a place: what it was last bound to there."""
        scope: Scope | None = where.scope
        at: Where | None = where
        while scope is not None:
            visible = scope.kind != "class" or scope is where.scope
            if visible and name in scope.outside:
                scope, at = scope.outside[name], None
                continue
            if visible and (name in scope.bindings or name in scope.every_parameter):
                return self.bound(scope, name, at if at and at.scope is scope else None, depth)
            scope = scope.parent
        starred = where.scope.program.module.bindings.get("*", [])
        for each in starred:
            inside = self.project.imported(where.scope.program, each.name, each.level)
            if inside is not None and name in inside.module.bindings:
                return self.bound(inside.module, name, None, depth)
        if name == "__name__":
            return [Val("value", "__main__")]
        return [Val("name", name)]

    def bound(self, scope: Scope, name: str, at: Where | None, depth: int) -> list[Val]:
        """The values of a name of a scope; at: where it is read, None for the scope's end."""
        found: list[Val] = []
        extras: list[tuple[Binding, bool]] = []
        branches: dict[int, set[bool]] = {}
        for each in reversed(scope.bindings.get(name, [])):
            if at is not None and not reaches(each, at):
                continue
            shared = {(c.of, c.holds) for c in at.conditions} if at is not None else set()
            own = [c for c in each.where.conditions if (c.of, c.holds) not in shared]
            other = {(of, not holds) for of, holds in shared}
            if any((c.of, c.holds) in other for c in own):
                continue
            truths = [self.condition(c.test, c.holds, each.where, depth) for c in own]
            if False in truths:
                continue
            if each.kind in ("entry", "update", "altered"):
                extras.append((each, None not in truths))
                continue
            if not (each.kind == "changed" and at is not None and each.where.order == at.order):
                found += self.held(each, scope, name, depth)
            open_ones = [c for c, true in zip(own, truths, strict=True) if true is None]
            if not open_ones:
                break
            if len(open_ones) == 1:
                branches.setdefault(open_ones[0].of, set()).add(open_ones[0].holds)
                if len(branches[open_ones[0].of]) == 2:
                    break
        else:
            if name in scope.every_parameter:
                found += self.parameter(scope, name, depth)
            elif not found:
                found.append(unknown("name", name))
        return self.extended(found, list(reversed(extras)), depth) if extras else found

    def held(self, binding: Binding, scope: Scope, name: str, depth: int) -> list[Val]:
        """What a binding gives."""
        if binding.kind == "import":
            return [self.project.resolve(scope.program, binding.name, binding.level, self, depth)]
        if binding.kind == "function":
            return [Val("function", binding.inner)]
        if binding.kind == "class":
            return [Val("class", binding.inner)]
        assert binding.value is not None
        if binding.kind == "value":
            return self.once(binding, name, depth)
        if binding.kind == "each":
            found = self.values(binding.value, binding.where, depth)
            if len(found) == 1 and found[0].known and isinstance(found[0].value, tuple):
                return [Val("value", each, "loop") for each in found[0].value]
            return [unknown("loop", name)]
        return [unknown("changed", name)]

    def once(self, binding: Binding, name: str, depth: int) -> list[Val]:
        """The value of a binding; one that hangs on itself is not followed round."""
        assert binding.value is not None
        key = (id(binding), name)
        if key in self.followed:
            return [unknown("changed", name)]
        self.followed.add(key)
        try:
            found = self.values(binding.value, binding.where, depth)
        finally:
            self.followed.discard(key)
        return [replace(e, detail=name) if e.kind == "unknown" and not e.detail else e
                for e in found]  # fmt: skip

    def extended(
        self, found: list[Val], extras: list[tuple[Binding, bool]], depth: int
    ) -> list[Val]:
        """Mappings with what was put into them afterwards; of each, whether it surely was."""
        out = []
        for each in found:
            if each.kind != "mapping":
                out.append(each)
                continue
            entries = list(each.value)
            for extra, surely in extras:
                entries += [
                    more if surely else perhaps(more, entries)
                    for more in self.more_entries(extra, depth)
                ]
            out.append(Val("mapping", tuple(entries)))
        return out

    def more_entries(self, extra: Binding, depth: int) -> list[Entry]:
        assert extra.value is not None
        if extra.kind == "entry" and extra.key is not None:
            keys = self.values(extra.key, extra.where, depth)
            name = keys[0].value if len(keys) == 1 and keys[0].known else ""
            return [self.entry(name if isinstance(name, str) else "", extra.value,
                               extra.where, depth)]  # fmt: skip
        if extra.kind == "update" and isinstance(extra.value, ast.Call):
            found: list[Entry] = []
            for arg in extra.value.args:
                found += self.entries_of(arg, extra.where, depth)
            return found + self.keywords(extra.value, extra.where, depth)
        if extra.kind == "update":
            return self.entries_of(extra.value, extra.where, depth)
        return [Entry("", (unknown("changed"),))]

    def keywords(self, call: ast.Call, where: Where, depth: int) -> list[Entry]:
        found: list[Entry] = []
        for each in call.keywords:
            if each.arg is None:
                found += self.entries_of(each.value, where, depth)
            else:
                found.append(self.entry(each.arg, each.value, where, depth))
        return found

    def condition(
        self, test: ast.expr | None, holds: bool, where: Where, depth: int
    ) -> bool | None:
        """Whether a branch is taken, None where that is not known."""
        if test is None:
            return None
        truths = {truth(each) for each in self.values(test, where, depth)}
        if len(truths) != 1:
            return None
        (true,) = truths
        return None if true is None else true is holds

    def reached(self, where: Where) -> bool:
        """Whether a place can be reached on this platform."""
        return all(self.condition(c.test, c.holds, where, 0) is not False for c in where.conditions)

    def parameter(self, scope: Scope, name: str, depth: int) -> list[Val]:
        """What a function is given: the arguments of its calls in the project, or its default."""
        key = (id(scope), name)
        if key in self.followed:
            return []
        # What is worked out while something else is followed may be cut short by that.
        whole = not self.followed and not self.assumed
        if whole and key in self.parameters:
            known, hangs = self.parameters[key]
            self.hangs = self.hangs or hangs
            return known
        if scope.takes_self and scope.arguments is not None:
            first = [*scope.arguments.posonlyargs, *scope.arguments.args][:1]
            if first and first[0].arg == name and scope.owner is not None:
                return [Val("instance", scope.owner)]
        before, self.hangs = self.hangs, False
        self.followed.add(key)
        try:
            found = self.given(scope, name, depth)
        finally:
            self.followed.discard(key)
        if whole:
            self.parameters[key] = (found, self.hangs)
        self.hangs = self.hangs or before
        return found

    def given(self, scope: Scope, name: str, depth: int) -> list[Val]:
        default = scope.default(name)
        whole = Where(scope.parent or scope, scope.where.order if scope.where else 0)
        passed_on = scope.loads.get(name, 0) <= 1
        positions = scope.parameters
        position = positions.index(name) if name in positions else None
        found: list[Val] = []
        omitted = False
        uses = self.project.uses(scope, self, depth)
        for use in uses:
            given = argument_at(self, use, name, position, depth)
            if given is None or any(each.kind == "absent" for each in given):
                omitted = True
            found += [each for each in given or () if each.kind != "absent"]
        if omitted or not uses:
            option = self.project.option_default(scope, name)
            if option is not None:
                spot = Spot(scope.program, option)
                chosen = self.values(option, whole, depth)
                found += [replace(each, why="option", spot=spot) for each in chosen]
            elif default is not None:
                found += with_spot(self.values(default, whole, depth), Spot(scope.program, default))
            else:
                found.append(unknown("parameter", name))
        return found if passed_on else without_spot(found)

    # Attributes and calls

    def of_Attribute(self, node: ast.Attribute, where: Where, depth: int) -> list[Val]:  # noqa: N802
        found: list[Val] = []
        for base in self.values(node.value, where, depth):
            found += self.attribute(base, node.attr, shown(node), depth)
        return found

    def attribute(self, base: Val, name: str, detail: str, depth: int) -> list[Val]:
        if base.kind == "name":
            dotted = f"{base.value}.{name}"
            if dotted == "sys.platform":
                return [Val("value", self.platform)]
            if dotted == "os.name":
                return [Val("value", "nt" if self.platform == "win32" else "posix")]
            return [Val("name", dotted)]
        if base.kind == "module":
            program: Program = base.value
            if name in program.module.bindings:
                return self.bound(program.module, name, None, depth)
            return [unknown("import", detail)]
        if base.kind == "arguments":
            return self.project.option(base.value, name, self, depth)
        bindings = attributes_of(base, name)
        if base.kind == "value" and isinstance(base.value, str) and name == "parent":
            return [Val("value", base.value.rstrip("/").rpartition("/")[0] or ".")]
        if bindings:
            owner = base.value
            found: list[Val] = []
            for each in bindings:
                if self.reached(each.where):
                    found += without_spot(self.held(each, owner, name, depth))
            return found
        if isinstance(base.value, Scope) and name in base.value.methods:
            return [Val("method", (base, name))]
        if base.kind in ("instance", "value", "mapping", "method"):
            return [Val("method", (base, name))]
        if base.kind == "unknown" and name in ("parent", "parents"):
            return [unknown(base.why, detail)]
        return [unknown(base.why or "expression", detail)]

    def of_Call(self, node: ast.Call, where: Where, depth: int) -> list[Val]:  # noqa: N802
        use = Use(node, where)
        found: list[Val] = []
        for called in self.values(node.func, where, depth):
            found += self.result(called, use, depth)
        return found

    def result(self, called: Val, use: Use, depth: int) -> list[Val]:
        from cpgpt_doctor.sources import library

        if called.kind == "name":
            return library.call(self, called.value, use, depth)
        if called.kind == "method":
            base, name = called.value
            method = base.value.methods.get(name) if isinstance(base.value, Scope) else None
            if method is not None:
                return self.returned(method, depth)
            return library.method(self, base, name, use, depth)
        if called.kind == "class":
            return [Val("instance", called.value, use=use)]
        if called.kind == "function":
            return self.returned(called.value, depth)
        return [unknown("call", shown(use.node.func))]

    def returned(self, scope: Scope, depth: int) -> list[Val]:
        """What a function of the project returns."""
        if isinstance(scope.node, ast.AsyncFunctionDef) or depth > DEEPEST:
            return [unknown("call", scope.name)]
        found: list[Val] = []
        for each in scope.returns:
            truths = [
                self.condition(c.test, c.holds, each.where, depth) for c in each.where.conditions
            ]
            if False in truths:
                continue
            if each.value is None:
                found.append(Val("value", None))
            else:
                found += self.once(each, "return", depth)
            if all(truths):
                break
        return without_spot(found) or [unknown("call", scope.name)]


def perhaps(entry: Entry, before: list[Entry]) -> Entry:
    """An entry that may have been put into a mapping; else what it was before stands."""
    earlier = next((each.values for each in reversed(before) if each.key == entry.key), None)
    absent = Val("absent") if all(each.key for each in before) else unknown("options")
    return Entry(entry.key, (*entry.values, *(earlier or (absent,))))


def reaches(binding: Binding, at: Where) -> bool:
    """Whether a binding comes before a place, or after it in a loop around both."""
    if binding.where.order < at.order:
        return True
    if binding.where.order == at.order:
        return binding.kind == "each" or bool(set(binding.where.loops) - set(at.loops))
    return bool(set(binding.where.loops) & set(at.loops))


def is_path(value: Val) -> bool:
    if value.kind == "unknown":
        return True
    return value.kind == "value" and isinstance(value.value, str)


def named(value: Val, node: ast.expr) -> Val:
    """A part of a path, with a name where it is not known."""
    if value.kind == "value" or value.detail:
        return value
    return replace(value, detail=shown(node))


def text_or_name(value: Val, node: ast.expr) -> str:
    if value.known:
        return str(value.value)
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    return "{" + shown(inner) + "}"


@lru_cache(maxsize=8192)  # each expression is looked at for three platforms, and often
def shown(node: ast.AST) -> str:
    """Code on one line, shortened."""
    try:
        text = " ".join(ast.unparse(node).split())
    except (RecursionError, ValueError):
        return type(node).__name__
    return text if len(text) <= 80 else f"{text[:79]}…"
