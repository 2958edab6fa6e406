"""A program taken apart: its scopes, what its names are bound to, and its calls.

One pass over the tree; what an expression gives is worked out later, and only where it matters
(`values.py`). Names are bound under conditions and in loops, and these are kept.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeAlias

from cpgpt_doctor.sources.text import Source

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True)
class Condition:
    """A test under which code runs; `of` is the statement that it belongs to."""

    test: ast.expr | None
    holds: bool
    of: int


@dataclass(eq=False, slots=True)
class Scope:
    """A module, a class or a function; only these have names of their own.

    attributes: of a class, what is assigned to `self.NAME` or stands in its body. owner: the class
    of a method. loads: how often a name is read in it, and in the scopes inside.
    """

    kind: str
    program: Program
    node: ast.AST | None = None
    parent: Scope | None = None
    name: str = ""
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[str, list[Binding]] = field(default_factory=dict)
    outside: dict[str, Scope] = field(default_factory=dict)
    returns: list[Binding] = field(default_factory=list)
    methods: dict[str, Scope] = field(default_factory=dict)
    owner: Scope | None = None
    where: Where | None = None
    loads: dict[str, int] = field(default_factory=dict)

    @property
    def arguments(self) -> ast.arguments | None:
        return self.node.args if isinstance(self.node, (*FUNCTIONS, ast.Lambda)) else None

    @property
    def parameters(self) -> list[str]:
        """Those that can be given by position, in order; a method's without its first."""
        args = self.arguments
        if args is None:
            return []
        names = [each.arg for each in (*args.posonlyargs, *args.args)]
        return names[1:] if self.takes_self else names

    @property
    def takes_self(self) -> bool:
        decorators = getattr(self.node, "decorator_list", [])
        static = any(getattr(each, "id", "") == "staticmethod" for each in decorators)
        return self.owner is not None and not static

    @property
    def every_parameter(self) -> set[str]:
        args = self.arguments
        if args is None:
            return set()
        return {each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)}

    def default(self, name: str) -> ast.expr | None:
        args = self.arguments
        assert args is not None
        plain = [*args.posonlyargs, *args.args]
        if args.defaults:
            for each, value in zip(plain[-len(args.defaults) :], args.defaults, strict=True):
                if each.arg == name:
                    return value
        for each, given in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            if each.arg == name:
                return given
        return None


@dataclass(frozen=True, eq=False, slots=True)
class Where:
    """Where something stands: in which scope, after how many statements, under which conditions.

    tries: bodies of try statements whose handlers catch what fails there.
    """

    scope: Scope
    order: int
    conditions: tuple[Condition, ...] = ()
    loops: tuple[ast.AST, ...] = ()
    tries: tuple[ast.AST, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Binding:
    """What a name is bound to.

    kind: "value" (of an expression), "import" (name: the dotted one), "function", "class" (inner),
    "each" (an element of it), "entry" (key, of the mapping that the name is bound to already),
    "update" (by a mapping); not followed: "altered" (a mapping, by a method) and "changed".
    """

    kind: str
    where: Where
    value: ast.expr | None = None
    name: str = ""
    level: int = 0
    inner: Scope | None = None
    key: ast.expr | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Use:
    """A call, and where it stands."""

    node: ast.Call
    where: Where

    @property
    def name(self) -> str:
        """The last part of what is called."""
        called = self.node.func
        return getattr(called, "attr", "") or getattr(called, "id", "")


@dataclass(eq=False, slots=True)
class Program:
    """A file's program. stores: what is assigned to attributes of other objects than `self`. tree:
    as `ast` has it."""

    source: Source
    tree: ast.Module
    module: Scope = field(init=False)
    calls: list[Use] = field(default_factory=list)
    by_name: dict[str, list[Use]] = field(default_factory=dict)
    stores: list[tuple[ast.Attribute, ast.expr, Where]] = field(default_factory=list)
    imports: list[tuple[str, int]] = field(default_factory=list)
    functions: list[Scope] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.module = Scope("module", self)


def take_apart(source: Source, tree: ast.Module) -> Program:
    program = Program(source, tree)
    Reader(program).block(tree.body, Where(program.module, 0))
    return program


class Reader:
    """Walks through the statements in their order."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.order = 0

    def block(self, body: list[ast.stmt], where: Where) -> None:
        for each in body:
            self.order += 1
            where = Where(where.scope, self.order, where.conditions, where.loops, where.tries)
            self.statement(each, where)
            if isinstance(each, ast.If) and leaves(each.body) != leaves(each.orelse):
                # What follows runs only where the branch that leaves was not taken.
                condition = Condition(each.test, leaves(each.orelse), id(each))
                conditions = (*where.conditions, condition)
                where = Where(where.scope, self.order, conditions, where.loops, where.tries)

    def statement(self, node: ast.stmt, where: Where) -> None:
        if isinstance(node, FUNCTIONS):
            self.function(node, where)
        elif isinstance(node, ast.ClassDef):
            self.a_class(node, where)
        elif isinstance(node, ast.If):
            self.expression(node.test, where)
            self.block(node.body, under(where, node.test, True, node))
            self.block(node.orelse, under(where, node.test, False, node))
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.expression(node.iter, where)
            self.target(node.target, "each", node.iter, inside(where, node))
            self.block(node.body, inside(where, node))
            self.block(node.orelse, where)
        elif isinstance(node, ast.While):
            self.expression(node.test, where)
            self.block(node.body, inside(where, node))
            self.block(node.orelse, where)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for each in node.items:
                self.expression(each.context_expr, where)
                if each.optional_vars is not None:
                    self.target(each.optional_vars, "value", each.context_expr, where)
            self.block(node.body, where)
        elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            self.attempt(node, where)  # type: ignore[arg-type]
        elif isinstance(node, ast.Match):
            self.expression(node.subject, where)
            for case in node.cases:
                self.block(case.body, under(where, None, True, case))
        else:
            self.simple(node, where)

    def attempt(self, node: ast.Try, where: Where) -> None:
        caught = [each for each in node.handlers if not raises(each.body)]
        tries = (*where.tries, node) if caught else where.tries
        body = Where(where.scope, where.order, where.conditions, where.loops, tries)
        self.block(node.body, body)
        for handler in node.handlers:
            self.block(handler.body, under(where, None, True, handler))
        self.block(node.orelse, where)
        self.block(node.finalbody, where)

    def simple(self, node: ast.stmt, where: Where) -> None:
        if isinstance(node, ast.Assign):
            self.expression(node.value, where)
            for each in node.targets:
                self.target(each, "value", node.value, where)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.expression(node.value, where)
                self.target(node.target, "value", node.value, where)
        elif isinstance(node, ast.AugAssign):
            self.expression(node.value, where)
            merges = isinstance(node.op, ast.BitOr)
            self.target(node.target, "update" if merges else "changed", node.value, where)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imported(node, where)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            self.outside(node, where)
        elif isinstance(node, ast.Return):
            if node.value is not None:
                self.expression(node.value, where)
            where.scope.returns.append(Binding("value", where, node.value))
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.expression(child, where)

    def expression(self, node: ast.expr, where: Where) -> None:
        """Calls and names of an expression, in whatever it nests."""
        stack: list[ast.AST] = [node]
        while stack:
            each = stack.pop()
            if isinstance(each, ast.Name):
                if isinstance(each.ctx, ast.Load):
                    self.read(each.id, where.scope)
                continue
            if isinstance(each, ast.Constant):
                continue
            if isinstance(each, ast.Call):
                use = Use(each, where)
                self.program.calls.append(use)
                self.program.by_name.setdefault(use.name, []).append(use)
                self.update(each, where)
            elif isinstance(each, ast.Lambda):
                self.function(each, where)
                continue
            elif isinstance(each, ast.NamedExpr):
                self.target(each.target, "value", each.value, where)
            elif isinstance(each, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
                self.comprehension(each, where)
                continue
            stack.extend(ast.iter_child_nodes(each))

    def read(self, name: str, scope: Scope | None) -> None:
        while scope is not None:
            scope.loads[name] = scope.loads.get(name, 0) + 1
            scope = scope.parent

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, where: Where
    ) -> None:
        within = inside(where, node)
        for each in node.generators:
            self.expression(each.iter, where)
            self.target(each.target, "each", each.iter, within)
            for test in each.ifs:
                self.expression(test, within)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for part in parts:
            self.expression(part, within)

    def update(self, node: ast.Call, where: Where) -> None:
        """`options.update(…)` and `options.setdefault(…)` bind the mapping's name once more."""
        called = node.func
        if not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
            return
        if called.attr == "update":
            self.bind(called.value.id, Binding("update", where, node))
        elif called.attr in ("setdefault", "pop", "clear", "popitem"):
            self.bind(called.value.id, Binding("altered", where, node))

    def target(self, node: ast.expr, kind: str, value: ast.expr, where: Where) -> None:
        if isinstance(node, ast.Name):
            self.bind(node.id, Binding(kind, where, value))
        elif isinstance(node, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            fits = kind == "value" and len(parts) == len(node.elts)
            starred = any(isinstance(each, ast.Starred) for each in (*node.elts, *parts))
            for at, each in enumerate(node.elts):
                if fits and not starred:
                    self.target(each, kind, parts[at], where)
                else:
                    self.target(each, "changed", value, where)
        elif isinstance(node, ast.Starred):
            self.target(node.value, "changed", value, where)
        elif isinstance(node, ast.Attribute):
            self.attribute(node, kind, value, where)
        elif isinstance(node, ast.Subscript):
            self.expression(node.slice, where)
            if isinstance(node.value, ast.Name) and kind == "value":
                self.bind(node.value.id, Binding("entry", where, value, key=node.slice))
            elif isinstance(node.value, ast.Name):
                self.bind(node.value.id, Binding("changed", where, value))
            else:
                self.expression(node.value, where)

    def attribute(self, node: ast.Attribute, kind: str, value: ast.expr, where: Where) -> None:
        owner = where.scope.owner
        args = where.scope.arguments
        first = [*args.posonlyargs, *args.args][:1] if args else []
        is_self = first and isinstance(node.value, ast.Name) and node.value.id == first[0].arg
        if owner is not None and is_self:
            owner.attributes.setdefault(node.attr, []).append(Binding(kind, where, value))
        else:
            self.program.stores.append((node, value, where))
            self.expression(node.value, where)

    def bind(self, name: str, binding: Binding) -> None:
        scope = binding.where.scope
        scope = scope.outside.get(name, scope)
        scope.bindings.setdefault(name, []).append(binding)
        if scope.kind == "class":
            scope.attributes.setdefault(name, []).append(binding)

    def function(self, node: Function, where: Where) -> None:
        name = "" if isinstance(node, ast.Lambda) else node.name
        scope = Scope("function", self.program, node, where.scope, name, where=where)
        self.program.functions.append(scope)
        if where.scope.kind == "class":
            scope.owner = where.scope
            where.scope.methods[name] = scope
        for each in (*node.args.defaults, *node.args.kw_defaults):
            if each is not None:
                self.expression(each, where)
        # A new scope: what stands around it, loops and conditions, is not that of its calls.
        inner = Where(scope, self.order)
        if isinstance(node, ast.Lambda):
            scope.returns.append(Binding("value", inner, node.body))
            self.expression(node.body, inner)
            return
        for decorator in node.decorator_list:
            self.expression(decorator, where)
        self.bind(name, Binding("function", where, inner=scope))
        self.block(node.body, inner)

    def a_class(self, node: ast.ClassDef, where: Where) -> None:
        scope = Scope("class", self.program, node, where.scope, node.name, where=where)
        for each in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self.expression(each, where)
        for each in node.decorator_list:
            self.expression(each, where)
        self.bind(node.name, Binding("class", where, inner=scope))
        self.block(node.body, Where(scope, self.order, where.conditions))

    def imported(self, node: ast.Import | ast.ImportFrom, where: Where) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.program.imports.append((alias.name, 0))
                bound = alias.asname or alias.name.partition(".")[0]
                name = alias.name if alias.asname else bound
                self.bind(bound, Binding("import", where, name=name))
            return
        module = node.module or ""
        for alias in node.names:
            name = f"{module}.{alias.name}" if module else alias.name
            self.program.imports += [(name, node.level), (module, node.level)]
            if alias.name == "*":
                self.bind("*", Binding("import", where, name=module, level=node.level))
            else:
                bound = alias.asname or alias.name
                self.bind(bound, Binding("import", where, name=name, level=node.level))

    def outside(self, node: ast.Global | ast.Nonlocal, where: Where) -> None:
        scope: Scope | None = self.program.module
        for name in node.names:
            if isinstance(node, ast.Nonlocal):
                scope = where.scope.parent
                while scope is not None and name not in scope.bindings | dict.fromkeys(
                    scope.every_parameter
                ):
                    scope = scope.parent
            if scope is not None:
                where.scope.outside[name] = scope


def under(where: Where, test: ast.expr | None, holds: bool, of: ast.AST) -> Where:
    conditions = (*where.conditions, Condition(test, holds, id(of)))
    return Where(where.scope, where.order, conditions, where.loops, where.tries)


def inside(where: Where, loop: ast.AST) -> Where:
    loops = (*where.loops, loop)
    return Where(where.scope, where.order, where.conditions, loops, where.tries)


def leaves(body: list[ast.stmt]) -> bool:
    """Whether what follows a block is not reached from its end."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, LEAVING):
        return True
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func) in ("sys.exit", "exit", "quit", "os._exit")
    return False


def raises(body: list[ast.stmt]) -> bool:
    """Whether a handler passes on what it caught, or ends the program."""
    return leaves(body) and not isinstance(body[-1], (ast.Continue, ast.Break, ast.Return))
