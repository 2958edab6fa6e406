"""Frozen dataclasses that cost nothing to make.

`dataclasses.dataclass(frozen=True)` writes and compiles six methods for each class, 0.7 ms of a
command's start each time; there are more than a hundred classes, and few of a command's classes get
more than a few instances. Here the methods are written once, for all of them. What they do is the
same, and the tests hold them to it; `dataclasses.fields`, `replace` and `asdict` work as ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool) -> Callable[[type], type]:
        """As `dataclasses.dataclass(frozen=True)`, for a class without dataclasses above it."""
        assert frozen
        return made


def made(cls: type[Any]) -> type[Any]:
    cls.__doc__ = cls.__doc__ or ""  # dataclasses writes one otherwise, which takes its time
    made = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    for name, method in METHODS.items():
        setattr(made, name, method)
    return made


def set_fields(self: Any, /, *values: Any, **named: Any) -> None:
    fields = self.__dataclass_fields__
    if len(values) > len(fields):
        raise TypeError(f"{name(self)}() takes {len(fields)} values, and {len(values)} were given")
    given = dict(zip(fields, values, strict=False))
    for key, value in named.items():
        if key not in fields:
            raise TypeError(f"{name(self)}() got an unexpected keyword argument {key!r}")
        if key in given:
            raise TypeError(f"{name(self)}() got multiple values for argument {key!r}")
        given[key] = value
    for key, field in fields.items():
        if key in given:
            value = given[key]
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{name(self)}() is missing the argument {key!r}")
        object.__setattr__(self, key, value)


def name(self: Any) -> str:
    return str(type(self).__qualname__)


def values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, key) for key in self.__dataclass_fields__)


def equals(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return values(self) == values(other)


def hashed(self: Any) -> int:
    return hash(values(self))


def shown(self: Any) -> str:
    pairs = zip(self.__dataclass_fields__, values(self), strict=True)
    return f"{name(self)}({', '.join(f'{key}={value!r}' for key, value in pairs)})"


def refuse_to_set(self: Any, key: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {key!r}")


def refuse_to_delete(self: Any, key: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {key!r}")


METHODS = {
    "__init__": set_fields,
    "__eq__": equals,
    "__hash__": hashed,
    "__repr__": shown,
    "__setattr__": refuse_to_set,
    "__delattr__": refuse_to_delete,
}
