"""Our frozen dataclasses are what the standard library's are, in all that is asked of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from cpgpt_doctor import facts
from cpgpt_doctor.frozen import dataclass


@dataclass(frozen=True)
class Ours:
    name: str
    size: int = 3
    parts: tuple[str, ...] = ()
    table: dict[str, int] = field(default_factory=dict)
    apart: int = field(default=0, metadata={"apart": True})


Theirs = dataclasses.make_dataclass(
    "Ours",
    [
        ("name", str),
        ("size", int, 3),
        ("parts", tuple, ()),
        ("table", dict, field(default_factory=dict)),
        ("apart", int, field(default=0, metadata={"apart": True})),
    ],
    frozen=True,
)

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "the least": (("a",), {}),
    "by name": ((), {"size": 4, "name": "b"}),
    "mixed": (("a", 4), {"table": {"x": 1}}),
    "all": (("a", 4, ("p",), {}, 5), {}),
    "none": ((), {}),
    "one missing": ((), {"size": 3}),
    "too many": (("a", 4, (), {}, 5, 6), {}),
    "unknown": (("a",), {"colour": 1}),
    "twice": (("a",), {"name": "b"}),
}
ASKED: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "asdict": dataclasses.asdict,
    "astuple": dataclasses.astuple,
    "replaced": lambda value: repr(dataclasses.replace(value, size=9)),
    "fields": lambda value: [
        (each.name, each.default, dict(each.metadata)) for each in dataclasses.fields(value)
    ],
    "is a dataclass": dataclasses.is_dataclass,
    "equal to its like": lambda value: value == dataclasses.replace(value),
    "equal to another": lambda value: value == dataclasses.replace(value, size=9),
    "equal to another kind": lambda value: value == dataclasses.astuple(value),
    "hash": lambda value: hash(dataclasses.replace(value, table=())),
    "match": lambda value: value.__match_args__,
}


def outcome(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
@pytest.mark.parametrize(("values", "named"), CALLS.values(), ids=CALLS.keys())
def test_it_does_what_the_standard_one_does(
    values: tuple[Any, ...], named: dict[str, Any], asked: Callable[[Any], Any]
) -> None:
    ours = outcome(lambda: asked(Ours(*values, **named)))
    assert ours == outcome(lambda: asked(Theirs(*values, **named)))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: setattr(value, "size", 1),
        lambda value: setattr(value, "colour", 1),
        lambda value: delattr(value, "size"),
    ],
)
def test_it_is_frozen(change: Callable[[Any], None]) -> None:
    for kind in (Ours, Theirs):
        value = kind("a")
        with pytest.raises(dataclasses.FrozenInstanceError):
            change(value)
        assert value.size == 3


def test_defaults_are_made_anew() -> None:
    one, other = Ours("a"), Ours("b")
    assert one.table is not other.table


def test_it_can_be_copied_and_sent() -> None:
    value = Ours("a", table={"x": 1})
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_facts_are_made_of_it() -> None:
    """Else each start compiles half a hundred classes again."""
    kinds = [each for each in vars(facts).values() if dataclasses.is_dataclass(each)]
    assert len(kinds) > 20
    assert {each.__init__ for each in kinds} == {Ours.__init__}  # type: ignore[misc]
