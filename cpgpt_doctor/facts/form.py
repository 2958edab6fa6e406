"""Values of frozen dataclasses as JSON, and back: strict in what is known, keeping what is not.

A file of another version may lack fields, which then have their defaults, and may have more, which
are kept as they stand (`Unknown`); what an earlier version had and none reads any more (`RETIRED`
of its class) is passed over. What a field holds is never guessed at: text is no number, a
bool is no int, a mapping is no list.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cpgpt_doctor.errors import InputError

T = TypeVar("T")

# In a field's metadata: the value is no field of the JSON.
APART = "apart"
EXPECTED = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    dict: "an object",
}
SHOWN = 40  # characters of a wrong value that an error shows
DEEPEST = 100  # levels in which what is kept may nest; JSON's own reader takes a few hundred more


@dataclass(frozen=True)
class Unknown:
    """A field that this version does not know: its place, outermost first, and its JSON value."""

    path: tuple[str | int, ...]
    value: Any

    @property
    def name(self) -> str:
        return written(self.path)


def written(path: tuple[str | int, ...]) -> str:
    """A place as one reads it: host.gpus[0].name."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def build(data: Any, kind: type[T], named: str = "facts") -> T:
    """A value of `kind` from parsed JSON; an unknown field or a bad value raises InputError."""
    value, unknown = read(data, kind, named)
    if unknown:
        raise InputError(f"{named}.{unknown[0].name}: there is no such field")
    return value


def read(data: Any, kind: type[T], named: str = "facts") -> tuple[T, tuple[Unknown, ...]]:
    """A value of `kind` from parsed JSON, and what was in it that this version does not know.

    named: what the data are called where a bad value is named by its place.
    Raises InputError at the first value that is not of its field's type, and where a field without
    a default is missing.
    """
    reader = Reader(named, [])
    value: T = reader.value(data, kind, ())
    return value, tuple(reader.unknown)


@functools.cache
def names(kind: Any) -> tuple[str, ...]:
    """The names of the fields that stand in JSON."""
    every = dataclasses.fields(kind)
    return tuple(field.name for field in every if not field.metadata.get(APART))


@functools.cache
def fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """The fields that stand in JSON: their types, and whether they have a default."""
    hints = get_type_hints(kind)
    return {
        field.name: (
            hints[field.name],
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
        if not field.metadata.get(APART)
    }


@dataclass(frozen=True)
class Reader:
    named: str
    unknown: list[Unknown]

    def wrong(self, path: tuple[str | int, ...], expected: str, found: Any) -> InputError:
        text = repr(found)
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        place = written((self.named, *path))
        return InputError(f"{place}: {expected} is expected, not {shown}")

    def value(self, data: Any, kind: Any, path: tuple[str | int, ...]) -> Any:
        origin = get_origin(kind)
        if kind is Any:
            return data
        if origin in (Union, types.UnionType):
            (inner,) = (each for each in get_args(kind) if each is not type(None))
            return None if data is None else self.value(data, inner, path)
        if origin is Literal:
            if type(data) is not str or data not in get_args(kind):
                choice = ", ".join(repr(each) for each in get_args(kind))
                raise self.wrong(path, f"one of {choice}", data)
            return data
        if origin is tuple:
            return self.items(data, get_args(kind), path)
        if origin is dict:
            _, inner = get_args(kind)
            self.expect(data, dict, path)
            return {key: self.value(each, inner, (*path, key)) for key, each in data.items()}
        if dataclasses.is_dataclass(kind):
            return self.whole(data, kind, path)
        return self.scalar(data, kind, path)

    def expect(self, data: Any, kind: type[Any], path: tuple[str | int, ...]) -> None:
        if type(data) is not (list if kind is tuple else kind):
            raise self.wrong(path, EXPECTED[kind], data)

    def scalar(self, data: Any, kind: Any, path: tuple[str | int, ...]) -> Any:
        if kind is float and type(data) is int:
            return float(data) if abs(data) < 2**63 else self.expect(str(data), float, path)
        self.expect(data, kind, path)
        if kind is float and not math.isfinite(data):
            raise self.wrong(path, EXPECTED[float], data)
        return data

    def items(
        self, data: Any, kinds: tuple[Any, ...], path: tuple[str | int, ...]
    ) -> tuple[Any, ...]:
        self.expect(data, tuple, path)
        if kinds[-1] is ...:
            kinds = kinds[:1] * len(data)
        elif len(data) != len(kinds):
            raise self.wrong(path, f"a list of {len(kinds)}", data)
        return tuple(
            self.value(each, kind, (*path, index))
            for index, (each, kind) in enumerate(zip(data, kinds, strict=True))
        )

    def whole(self, data: Any, kind: Any, path: tuple[str | int, ...]) -> Any:
        self.expect(data, dict, path)
        known = fields(kind)
        values = {}
        for name, each in data.items():
            if name in known:
                values[name] = self.value(each, known[name][0], (*path, name))
            elif name not in getattr(kind, "RETIRED", ()):
                self.unknown.append(Unknown((*path, name), self.kept(each, (*path, name))))
        for name, (_, has_default) in known.items():
            if name not in values and not has_default:
                raise InputError(f"{written((self.named, *path, name))}: is missing")
        return kind(**values)

    def kept(self, data: Any, path: tuple[str | int, ...]) -> Any:
        if nesting(data) > DEEPEST:
            raise InputError(f"{written((self.named, *path))}: nested too deep")
        return data


def nesting(data: Any) -> int:
    """Levels of lists and objects."""
    deepest, level = 0, [data]
    while level:
        level = [
            each
            for held in level
            if isinstance(held, (dict, list))
            for each in (held.values() if isinstance(held, dict) else held)
        ]
        deepest += 1
    return deepest


def plain(value: Any) -> Any:
    """What `json.dumps` takes, from a value of dataclasses, tuples, mappings and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in names(type(value))}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def put_back(data: Any, unknown: tuple[Unknown, ...]) -> None:
    """Put what was kept where it stood; what stood in a part that is gone goes with it."""
    for each in unknown:
        part = data
        for step in each.path[:-1]:
            inside = isinstance(part, dict) and step in part
            inside = inside or (isinstance(part, list) and isinstance(step, int))
            if not inside or (isinstance(part, list) and int(step) >= len(part)):
                break
            part = part[step]
        else:
            if isinstance(part, dict):
                part[each.path[-1]] = each.value
