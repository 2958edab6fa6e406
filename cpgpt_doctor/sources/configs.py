"""YAML: what Hydra's configs of CpGPT's data module say.

A mapping is one of CpGPT's data module where its `_target_` says so, or where it is the `data` of a
file that names CpGPT.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.facts.sources import Change, Outcome, Place, Setting, Site, SourceCall
from cpgpt_doctor.sources import upstream
from cpgpt_doctor.sources.text import LINE_END, Unreadable, decode_unicode

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

TARGET = "_target_"
GROUPS = ("data", "datamodule", "data_module")
INTERPOLATION = re.compile(r"\$\{\s*([\w.]+)\s*\}")
ENVIRONMENT = re.compile(r"\$\{\s*oc\.env:\s*[\w.]+\s*(?:,\s*([^}]*))?\}")
DEEPEST = 50  # mappings in mappings
KINDS = {"int": int, "float": float}


@dataclass(frozen=True)
class Config:
    """A file's text, its lines, and the roots of its documents."""

    path: str
    text: str
    lines: list[str]
    roots: tuple[Any, ...]


def read(path: str, raw: bytes) -> Config:
    """A file of YAML; Unreadable, with its place, where it is none."""
    text, _, _ = decode_unicode(raw)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():  # an anchor that is there twice is the user's
            warnings.simplefilter("ignore")
            roots = tuple(each for each in yaml.compose_all(text) if each is not None)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        raise Unreadable(f"it is not YAML: {error.problem or error.context}", *place) from error
    except Exception as error:  # the library has more ways to say that a text is none
        raise Unreadable(f"it is not YAML: {type(error).__name__}: {error}") from error
    return Config(path, text, LINE_END.split(text), roots)


def calls(config: Config) -> Iterator[SourceCall]:
    """The data modules that a config sets up."""
    for root in config.roots:
        for name, node in mappings(root, "", 0):
            kind = target(node)
            if kind.endswith(f".{upstream.DATA_MODULE}") and upstream.PACKAGE in kind:
                yield call(config, root, node, kind, upstream.DATA_MODULE_DEFAULTS)
            elif not kind and name in GROUPS and entry(node, "num_workers") is not None:
                yield call(config, root, node, name, {})


def mappings(node: Node, name: str, depth: int) -> Iterator[tuple[str, MappingNode]]:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if depth > DEEPEST:
        return
    if isinstance(node, MappingNode):
        yield name, node
        for key, value in node.value:
            if not (isinstance(key, ScalarNode) and key.value == "<<"):
                of = str(key.value) if isinstance(key, ScalarNode) else ""
                yield from mappings(value, of, depth + 1)
    elif isinstance(node, SequenceNode):
        for each in node.value:
            yield from mappings(each, "", depth + 1)


def target(node: MappingNode) -> str:
    found = entry(node, TARGET)
    return str(getattr(found, "value", "")) if found is not None else ""


def entry(node: MappingNode, key: str) -> Node | None:
    """The value of a key that stands in the mapping itself."""
    found = None
    for name, value in node.value:
        if getattr(name, "value", None) == key:
            found = value
    return found


def merged(node: MappingNode, key: str) -> Node | None:
    """The value of a key that a mapping takes from another one, by `<<`."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    base = entry(node, "<<")
    parts = base.value if isinstance(base, SequenceNode) else [base]
    for each in parts:
        if isinstance(each, MappingNode) and each is not node:
            found = entry(each, key)
            if found is not None:
                return found
    return None


def call(
    config: Config, root: Node, node: MappingNode, text: str, defaults: Mapping[str, object]
) -> SourceCall:
    settings = []
    for name in ("num_workers", "pin_memory", "dependencies_dir"):
        own = entry(node, name)
        value = own if own is not None else merged(node, name)
        if value is None:
            if name in defaults:
                site = Site(place(config, node), "insert", "", added(config, node))
                settings.append(Setting(name, "", (Outcome("value", defaults[name], site=site),)))
            continue
        edit = "replace" if own is not None else "insert"
        spot = value if own is not None else node
        shown = str(value.value) if is_scalar(value) else ""
        changes = () if own is not None else added(config, node)
        site = Site(place(config, spot), edit, shown, changes)  # type: ignore[arg-type]
        settings.append(Setting(name, f"{name}: {shown}", (outcome(root, value, site),)))
    return SourceCall("data-module", place(config, node), text, tuple(settings))


def added(config: Config, node: MappingNode) -> tuple[Change, ...]:
    """How an entry (`{}`) is put behind the last one of a mapping."""
    key, value = node.value[-1]
    mark = value.end_mark
    if node.flow_style:
        return (Change(point(config, mark.line, mark.column), ", {}"),)
    if not is_scalar(value) or value.style in ("|", ">"):
        # Before the first key: what ends a block's last entry need not be on a line of its own.
        first = node.value[0][0].start_mark
        inner = " " * first.column
        return (Change(point(config, first.line, first.column), "{}" + end(config) + inner),)
    line = config.lines[mark.line]
    indent = " " * key.start_mark.column
    return (Change(point(config, mark.line, len(line)), f"{end(config)}{indent}{{}}"),)


def end(config: Config) -> str:
    return "\r\n" if "\r\n" in config.text else "\n"


def point(config: Config, line: int, column: int) -> Place:
    return Place(config.path, line + 1, column + 1, line + 1, column + 1, file_line=line + 1)


def is_scalar(node: Node) -> bool:
    from ruamel.yaml.nodes import ScalarNode

    return isinstance(node, ScalarNode)


def outcome(root: Node, node: Node, site: Site, depth: int = 0) -> Outcome:
    if not is_scalar(node) or depth > 4:
        return Outcome("unknown", why="expression", site=site)
    text = str(node.value)
    environment = ENVIRONMENT.fullmatch(text.strip())
    if environment is not None:
        default = environment[1]
        if default is None or not re.fullmatch(r"\d{1,6}", default.strip()):
            return Outcome("unknown", why="environment", detail=text, site=site)
        return Outcome("value", int(default), why="environment", site=site)
    reference = INTERPOLATION.fullmatch(text.strip())
    if reference is not None:
        named = at(root, reference[1])
        if named is None:
            return Outcome("unknown", why="interpolation", detail=text, site=site)
        return outcome(root, named, site, depth + 1)
    if "${" in text:
        return Outcome("unknown", why="interpolation", detail=text, site=site)
    return Outcome("value", scalar(node), site=site)  # type: ignore[arg-type]


def at(root: Node, path: str) -> Node | None:
    """The node that an absolute interpolation names, where it is in the same file."""
    from ruamel.yaml.nodes import MappingNode

    node: Node | None = root
    for part in path.split("."):
        if not isinstance(node, MappingNode):
            return None
        node = entry(node, part)
    return node


def scalar(node: ScalarNode) -> int | float | bool | str | None:
    """A scalar as Hydra reads it, whose YAML has yes and no for true and false."""
    text = str(node.value)
    kind = str(node.tag).rpartition(":")[2]
    plain = node.style is None
    if plain and text.lower() in ("true", "yes", "on"):
        return True
    if plain and text.lower() in ("false", "no", "off"):
        return False
    if kind == "null":
        return None
    if kind in KINDS:
        try:
            number = KINDS[kind](text.replace("_", ""))
        except ValueError:
            return text
        return number if abs(number) < 2**63 else text
    return text


def place(config: Config, node: Node) -> Place:
    start, end = node.start_mark, node.end_mark
    return Place(
        config.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1,
        file_line=start.line + 1,
    )  # fmt: skip
