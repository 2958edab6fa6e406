"""The calls that matter to the embedding, in programs that were taken apart, as facts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from cpgpt_doctor.facts.sources import (
    PLATFORMS,
    Change,
    Outcome,
    Place,
    Setting,
    Site,
    SourceCall,
)
from cpgpt_doctor.sources import datasets, layout, upstream
from cpgpt_doctor.sources.evaluate import Evaluator, shown
from cpgpt_doctor.sources.nodes import (
    LONGEST_CALL,
    NAMES,
    Kind,
    argument_node,
    brief,
    catches_and_goes_on,
    is_main_test,
    is_ours,
    is_retried,
    kind_of_name,
    mentions,
    varies,
    workers_parameter,
)
from cpgpt_doctor.sources.program import Program, Scope, Use, Where
from cpgpt_doctor.sources.project import Project
from cpgpt_doctor.sources.values import Spot, Val, argument_at

EMBED_SETTINGS = ("num_workers", "batch_size", "dna_llm", "species", "dna_context_len")
LOADER_SETTINGS = (
    *("num_workers", "prefetch_factor", "persistent_workers", "pin_memory"),
    "multiprocessing_context",
)


class Finder:
    """Facts of one project, worked out for each platform and put together."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.evaluators = {each: Evaluator(project, each) for each in PLATFORMS}
        self.any = self.evaluators["linux"]

    def calls(self, program: Program) -> Iterator[SourceCall]:
        for use, kind in self.targets(program):
            platforms: tuple[str, ...] = PLATFORMS
            if use.where.conditions:
                platforms = tuple(
                    name for name, each in self.evaluators.items() if each.reached(use.where)
                )
            if not platforms:
                continue
            yield self.fact(use, kind, () if platforms == PLATFORMS else platforms)

    def targets(self, program: Program) -> Iterator[tuple[Use, Kind]]:
        """Calls of what is looked for, under whatever name."""
        names = {*NAMES, *self.aliases(program)}
        for use in program.calls:
            if use.name in names:
                kind = self.kind_of(use)
                if kind is not None:
                    yield use, kind

    def aliases(self, program: Program) -> set[str]:
        """Other names that a program gives to what is looked for."""
        wanted: set[str] = set()
        for scope in (program.module, *program.functions):
            for name, bindings in scope.bindings.items():
                for each in bindings:
                    last = each.name.rpartition(".")[2] if each.kind == "import" else ""
                    if last in NAMES or (each.value is not None and mentions(each.value)):
                        wanted.add(name)
        for store, value, _ in program.stores:
            if mentions(value):
                wanted.add(store.attr)
        for scope in program.functions:
            if scope.owner is not None:
                for name, bindings in scope.owner.attributes.items():
                    if any(each.value is not None and mentions(each.value) for each in bindings):
                        wanted.add(name)
        return wanted

    def kind_of(self, use: Use) -> Kind | None:
        called = self.any.values(use.node.func, use.where)
        for each in called:
            kind = self.kind_called(each, use)
            if kind is not None:
                return kind
        # A method of this name of an object that is not followed: nothing else has it.
        followed = all(each.kind in ("method", "function", "class") for each in called)
        if use.name == upstream.EMBED and not followed and isinstance(use.node.func, ast.Attribute):
            return "embed"
        if use.name == upstream.DOWNLOAD_METHOD and not followed:
            return "download"
        return None

    def kind_called(self, called: Val, use: Use) -> Kind | None:
        if called.kind == "partial":
            return self.kind_called(called.value, use)
        if called.kind == "class" and isinstance(called.value, Scope):
            return self.kind_of_subclass(called.value)
        if called.kind == "method":
            base, name = called.value
            if base.kind == "instance" and isinstance(base.value, Scope):
                inherits = self.kind_of_subclass(base.value) == "embedder"
                return "embed" if name == upstream.EMBED and inherits else None
            if name in ("symlink_to", "hardlink_to"):
                return "link"
            if base.kind == "instance" and name == upstream.EMBED:
                return "embed" if is_ours(str(base.value)) else None
            if base.kind == "instance" and name == upstream.DOWNLOAD_METHOD:
                return "download" if is_ours(str(base.value)) else None
            return None
        if called.kind != "name":
            return None
        return kind_of_name(str(called.value))

    def kind_of_subclass(self, scope: Scope) -> Kind | None:
        """What a class of the project is by the classes that it is made from."""
        node = scope.node
        if not isinstance(node, ast.ClassDef) or scope.where is None:
            return None
        if upstream.EMBED in scope.methods:
            return None
        for base in node.bases:
            for each in self.any.values(base, scope.where):
                if each.kind == "name" and str(each.value).endswith(f".{upstream.EMBEDDER}"):
                    return "embedder"
        return None

    # One call

    def fact(self, use: Use, kind: Kind, platforms: tuple[str, ...]) -> SourceCall:
        read = {
            "embed": self.of_embed,
            "embedder": self.of_embedder,
            "data-module": self.of_data_module,
            "loader": self.of_loader,
            "start-method": self.of_start_method,
            "download": self.of_download,
            "link": self.of_link,
        }[kind]
        settings, alone = read(use)
        return SourceCall(
            kind,
            self.place(use.where.scope.program, use.node),
            brief(use.node),
            settings,
            alone,
            platforms,
            datasets.kind_of(self, use) if kind == "loader" else "",
            self.repeated(use) if kind == "embed" else "",
            self.at_import(use.where, workers_parameter(use)),
            layout.removal(use.where.scope.program, use.node) if kind == "start-method" else (),
            layout.before(use.where.scope.program, use.node) if kind == "embed" else None,
        )

    def of_embed(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        return tuple(
            self.setting(use, name, upstream.EMBED_PARAMETERS, upstream.EMBED_DEFAULTS)
            for name in EMBED_SETTINGS
        ), ()

    def of_embedder(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        names = upstream.EMBEDDER_PARAMETERS
        return (self.setting(use, "dependencies_dir", names, {}),), ()

    def of_data_module(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        return tuple(
            self.setting(use, name, upstream.DATA_MODULE_PARAMETERS, upstream.DATA_MODULE_DEFAULTS)
            for name in ("num_workers", "pin_memory", "dependencies_dir")
        ), ()

    def of_loader(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        def read(name: str) -> Setting:
            return self.setting(use, name, upstream.LOADER_PARAMETERS, upstream.LOADER_DEFAULTS)

        settings = tuple(read(name) for name in LOADER_SETTINGS)
        workers = argument_node(use, "num_workers", 5)
        if not isinstance(workers, (ast.Name, ast.Attribute)):
            return settings, tuple(read(name) for name in LOADER_SETTINGS[1:3])
        name = ast.unparse(workers)
        for each in self.evaluators.values():
            each.assumed[name] = Val("value", 0)
        try:
            return settings, tuple(read(name) for name in LOADER_SETTINGS[1:3])
        finally:
            for each in self.evaluators.values():
                each.assumed.clear()

    def of_start_method(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        return (self.setting(use, "method", ("method", "force"), {}),), ()

    def of_download(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        """Where a download puts the dependencies: the folder, and of which species."""
        if use.name == upstream.DOWNLOAD:
            names: tuple[str, ...] = ()
            return (
                self.setting(use, "folder", names, {}, keyword="local_dir"),
                self.setting(use, "species", names, {"species": None}),
            ), ()
        names = upstream.DOWNLOAD_PARAMETERS
        species = self.setting(use, "species", names, {"species": upstream.DOWNLOAD_SPECIES})
        folder = self.setting(use, "folder", names, {}, keyword="dependencies_dir")
        if not folder.text:
            folder = self.folder_of_receiver(use) or folder
        return (folder, species), ()

    def folder_of_receiver(self, use: Use) -> Setting | None:
        """The folder that the inferencer was made with, whose download this is."""
        if not isinstance(use.node.func, ast.Attribute):
            return None
        for each in self.any.values(use.node.func.value, use.where):
            if each.kind == "instance" and each.use is not None:
                default = {"folder": upstream.INFERENCER_DEFAULT_FOLDER}
                names = upstream.INFERENCER_PARAMETERS
                return self.setting(each.use, "folder", names, default, keyword="dependencies_dir")
        return None

    def of_link(self, use: Use) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
        if use.name in ("symlink_to", "hardlink_to") and isinstance(use.node.func, ast.Attribute):
            receiver = use.node.func.value
            into = self.outcomes(lambda each: each.values(receiver, use.where))
            made = Setting("to", shown(receiver), into)
            return (self.setting(use, "from", ("from",), {}, keyword="target"), made), ()
        return (
            self.setting(use, "from", ("from", "to"), {}, keyword="src"),
            self.setting(use, "to", ("from", "to"), {}, keyword="dst"),
        ), ()

    # Arguments

    def setting(
        self,
        use: Use,
        name: str,
        parameters: tuple[str, ...],
        defaults: Mapping[str, object],
        keyword: str = "",
    ) -> Setting:
        """An argument of a call, or what it is where it is absent."""
        keyword = keyword or name
        listed = keyword if keyword in parameters else name
        position = parameters.index(listed) if listed in parameters else None
        program = use.where.scope.program

        def values(evaluator: Evaluator) -> list[Val]:
            given = self.argument(evaluator, use, keyword, position)
            if given is not None:
                return [
                    Val("value", defaults[name], spot=each.spot)
                    if each.kind == "absent" and name in defaults
                    else each
                    for each in given
                ]
            where = Spot(program, use.node, "insert")
            if name in defaults:
                return [Val("value", defaults[name], spot=where)]
            return [Val("unknown", None, "", spot=where)]

        node = argument_node(use, keyword, position)
        text = shown(node) if node is not None else ""
        if not text and any(each.arg is None for each in use.node.keywords):
            spread_from = next(each.value for each in use.node.keywords if each.arg is None)
            given = [self.argument(each, use, keyword, position) for each in
                     self.evaluators.values()]  # fmt: skip
            text = f"**{shown(spread_from)}" if any(each is not None for each in given) else ""
        return Setting(name, text, self.outcomes(values))

    def argument(
        self, evaluator: Evaluator, use: Use, name: str, position: int | None
    ) -> list[Val] | None:
        """An argument of a call, also where a partial function holds it."""
        for called in evaluator.values(use.node.func, use.where):
            if called.kind == "partial" and called.use is not None:
                held = len(called.use.node.args) - 1
                moved = position - held if position is not None and position >= held else None
                given = argument_at(evaluator, use, name, moved, 0)
                if given is not None:
                    return given
                inner = position + 1 if position is not None else None
                return argument_at(evaluator, called.use, name, inner, 0)
        return argument_at(evaluator, use, name, position, 0)

    def outcomes(self, values: Callable[[Evaluator], list[Val]]) -> tuple[Outcome, ...]:
        """What an expression gives on each platform, put together where it is the same."""
        by_outcome: dict[str, tuple[Outcome, list[str]]] = {}
        self.any.hangs = False
        first = values(self.any)
        same = not self.any.hangs  # most values are the same everywhere
        for platform, evaluator in self.evaluators.items():
            for value in first if same or evaluator is self.any else values(evaluator):
                outcome = self.outcome(value)
                key = repr(outcome)
                by_outcome.setdefault(key, (outcome, []))[1].append(platform)
        return tuple(
            Outcome(
                each.kind,
                each.value,
                () if tuple(names) == PLATFORMS else tuple(names),
                each.why,
                each.detail,
                each.site,
            )
            for each, names in by_outcome.values()
        )

    def outcome(self, value: Val) -> Outcome:
        site = self.site(value.spot)
        if value.kind == "value" and isinstance(value.value, (int, float, str, bool, type(None))):
            given = value.value
            finite = not isinstance(given, float) or abs(given) < 1e300
            if finite and (not isinstance(given, int) or abs(given) < 2**63):
                return Outcome("value", given, (), value.why, "", site)
        if value.kind == "at-least":
            return Outcome("at-least", value.value, (), value.why, "", site)
        if value.kind == "unknown":
            return Outcome("unknown", None, (), value.why, value.detail, site)
        return Outcome("unknown", None, (), "call", value.detail, site)

    def site(self, spot: Spot | None) -> Site | None:
        if spot is None:
            return None
        edit = spot.edit
        assert edit in ("replace", "insert", "spread")
        place = self.place(spot.program, spot.node)
        changes: tuple[Change, ...] = ()
        if edit == "insert" and isinstance(spot.node, ast.Call):
            changes = layout.argument(spot.program, spot.node)
        elif edit == "spread":
            start = replace(place, end_line=place.line, end_column=place.column)
            end = replace(place, line=place.end_line, column=place.end_column)
            changes = (Change(start, "{**"), Change(end, ", {}}"))
        line = spot.program.source.lines[spot.node.lineno - 1].strip()[:LONGEST_CALL]
        return Site(place, edit, shown(spot.node), changes, line)  # type: ignore[arg-type]

    def place(self, program: Program, node: ast.expr) -> Place:
        return program.source.place(
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            node.end_col_offset or node.col_offset,
        )

    # Circumstances

    def at_import(self, where: Where, parameter: str = "", depth: int = 0) -> bool:
        """Whether a place is reached when its file is imported, as a new worker does.

        parameter: that of the function which says how many workers there are; calls that give it
        none do not count.
        """
        scope: Scope | None = where.scope
        if depth > 4 or any(is_main_test(each.test) for each in where.conditions):
            return False
        while scope is not None and scope.kind == "class":
            assert scope.where is not None
            return self.at_import(scope.where, depth=depth)
        if scope is None or scope.kind == "module":
            return True
        positions = scope.parameters
        position = positions.index(parameter) if parameter in positions else None
        for use in self.project.uses(scope, self.any, 0):
            given = argument_at(self.any, use, parameter, position, 0) if parameter else None
            none = given is not None and all(each.known and each.value == 0 for each in given)
            same_file = use.where.scope.program is where.scope.program
            if same_file and not none and self.at_import(use.where, depth=depth + 1):
                return True
        return False

    def repeated(self, use: Use, depth: int = 0) -> Literal["", "loop", "retry"]:
        """Whether a call is made again for parts of one store, or after it failed."""
        where = use.where
        if where.tries and where.loops and catches_and_goes_on(where):
            return "retry"
        if where.scope.kind == "function" and is_retried(where.scope):
            return "retry"
        of_stores = [
            node
            for name in ("species", "dna_llm", "dna_context_len")
            if (node := argument_node(use, name, upstream.EMBED_PARAMETERS.index(name)))
        ]
        if where.loops and not any(varies(node, where.loops) for node in of_stores):
            return "loop"
        if where.scope.kind == "function" and depth < 3:
            for caller in self.project.uses(where.scope, self.any, 0):
                if caller.where.tries and caller.where.loops and catches_and_goes_on(caller.where):
                    return "retry"
        return ""
