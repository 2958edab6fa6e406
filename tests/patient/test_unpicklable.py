"""PicklingReport of pickling failures, over the zoo and against the real pickler.

For every specimen: the paths are the expected ones; the first error is the real pickler's; each
path, evaluated, gives what the real pickler refuses: it goes through when all culprits are kept
from it, and fails when any one is not; with something else in their places the specimen pickles.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import pickle
import re
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing import context
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest

from cpgpt_doctor.patient.pickling.unpicklable import (
    KINDS,
    Culprit,
    PicklingReport,
    find_unpicklable,
)
from tests import zoo


class Child:
    """What multiprocessing holds while it starts a child: descriptors go with it."""

    def duplicate_for_child(self, handle: int) -> int:
        return handle

    def DupFd(self, descriptor: int) -> int:  # noqa: N802
        return descriptor


class WithoutCulprits(ForkingPickler):
    """The real pickler, from which some objects are kept."""

    def __init__(self, file: Any, kept: list[Any]) -> None:
        super().__init__(file)
        self.kept = {id(obj) for obj in kept}

    def persistent_id(self, obj: Any) -> Any:
        return "kept" if id(obj) in self.kept else None


def pickled(obj: Any, kept: list[Any] | None = None) -> int | Exception:
    """The size of what the real pickler makes of an object, or its error."""
    before = context.get_spawning_popen()
    context.set_spawning_popen(Child())
    file = io.BytesIO()
    try:
        pickler = ForkingPickler(file) if kept is None else WithoutCulprits(file, kept)
        pickler.dump(obj)
    except Exception as error:
        return error
    finally:
        context.set_spawning_popen(before)
    return file.tell()


def said(error: int | Exception) -> str:
    return f"{type(error).__name__}: {error}"


def shortened(error: str) -> str:
    """Without what Python was doing when the recursion limit came, which may be anything."""
    return error.split(" exceeded")[0] if error.startswith("RecursionError") else error


def contents(root: Any, most: int = 50_000) -> dict[int, tuple[int, ...]]:
    """Which objects hold which, by identity, as far as dictionaries and containers tell."""
    held: dict[int, tuple[int, ...]] = {}
    waiting = [root]
    while waiting and len(held) < most:
        obj = waiting.pop()
        if id(obj) not in held:
            parts = parts_of(obj)
            held[id(obj)] = tuple(map(id, parts))
            waiting.extend(parts)
    return held


def parts_of(obj: Any) -> list[Any]:
    if issubclass(type(obj), type) or type(obj) in (type(sys), type(parts_of)):
        return []
    if type(obj) is dict:
        return [*obj.keys(), *obj.values()]
    if type(obj) in (list, tuple, set, frozenset):
        return list(obj)
    try:
        return list(object.__getattribute__(obj, "__dict__").values())
    except AttributeError:
        return []


LARGE = "a million objects and a lock"  # takes as long as all other specimens together


@dataclass
class Visit:
    specimen: zoo.Specimen
    obj: Any
    before: dict[int, tuple[int, ...]]
    after: dict[int, tuple[int, ...]]
    anatomy: PicklingReport

    @property
    def too_deep(self) -> bool:
        return any(culprit.error.startswith("RecursionError") for culprit in self.anatomy.culprits)

    def found(self) -> list[Any]:
        """The culprits, by evaluating their paths."""
        return [
            eval(culprit.path, {**vars(zoo), "x": self.obj}) for culprit in self.anatomy.culprits
        ]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            each,
            id=each.name.replace(" ", "_"),
            marks=(
                pytest.mark.skipif(not each.is_here, reason=f"no {each.needs} here"),
                *([pytest.mark.full] if each.name == LARGE else []),
            ),
        )
        for each in zoo.SPECIMENS
    ],
)
def visit(request: pytest.FixtureRequest) -> Visit:
    specimen: zoo.Specimen = request.param
    obj = specimen.make()
    before = contents(obj)
    anatomy = find_unpicklable(obj, "x")
    return Visit(specimen, obj, before, contents(obj), anatomy)


def test_there_are_enough_specimens() -> None:
    assert len(zoo.SPECIMENS) >= 45
    assert len({each.name for each in zoo.SPECIMENS}) == len(zoo.SPECIMENS)


def test_a_lock_among_many_objects_is_found() -> None:
    many = [*(zoo.Node(number) for number in range(20_000)), zoo.Reader()]
    anatomy = find_unpicklable(many, "x")
    assert [culprit.path for culprit in anatomy.culprits] == ["x[20000].lock"]
    assert anatomy.complete
    assert said(pickled(many)) == anatomy.culprits[0].error


# The next tests share their specimen; the last may change it.


def test_paths_are_right(visit: Visit) -> None:
    assert tuple(culprit.path for culprit in visit.anatomy.culprits) == visit.specimen.culprits
    assert visit.anatomy.complete


def test_nothing_is_changed(visit: Visit) -> None:
    assert visit.before == visit.after


def test_first_error_is_the_real_one(visit: Visit) -> None:
    real = pickled(visit.obj)
    if visit.anatomy.culprits:
        assert shortened(said(real)) == shortened(visit.anatomy.culprits[0].error)
        assert visit.anatomy.size is None
    else:
        assert isinstance(real, int)
        assert visit.anatomy.size is not None
        if visit.specimen.needs != "torch":  # tensors travel as handles, whose size is not known
            assert abs(visit.anatomy.size - real) < 100


def test_paths_lead_to_all_culprits_and_to_nothing_else(visit: Visit) -> None:
    if not visit.specimen.same or visit.too_deep or not visit.anatomy.culprits:
        pytest.skip("no culprit, or not one that a path can find again")
    found = visit.found()
    assert [zoo_type(obj) for obj in found] == [each.type for each in visit.anatomy.culprits]
    assert isinstance(pickled(visit.obj, found), int)
    for index, culprit in enumerate(visit.anatomy.culprits):
        kept = found[:index] + found[index + 1 :]
        assert said(pickled(visit.obj, kept)) == culprit.error


def zoo_type(obj: Any) -> str:
    kind = type(obj)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def test_every_culprit_is_described(visit: Visit) -> None:
    for culprit in visit.anatomy.culprits:
        assert culprit.type
        assert culprit.kind in KINDS


def test_mending_every_culprit_mends_the_whole(visit: Visit) -> None:
    if not visit.specimen.mend or not visit.anatomy.culprits:
        pytest.skip("nothing to mend, or not by setting attributes and items")
    for culprit in visit.anatomy.culprits:
        exec(f"{culprit.path} = other", {"x": visit.obj, "other": io.BytesIO()})
    assert isinstance(pickled(visit.obj), int)


# What it is


def only(obj: Any) -> Culprit:
    (culprit,) = find_unpicklable(obj, "x").culprits
    return culprit


def test_a_file_is_named() -> None:
    culprit = only(zoo.Box(file=open(__file__)))  # noqa: PTH123, SIM115
    assert (culprit.kind, culprit.name) == ("open-file", __file__)


def test_a_function_is_placed_and_its_variables_named() -> None:
    culprit = only(zoo.closure())
    assert culprit.place
    assert re.fullmatch(r".*zoo\.py:\d+", culprit.place)
    assert culprit.holds == ("lock",)


def test_where_a_reducer_raises_is_said() -> None:
    assert "zoo.py:" in str(only(zoo.reduce_raises()).place)


def test_a_function_in_a_cache_is_said_to_be_in_one() -> None:
    culprit = only(zoo.cached_local())
    assert (culprit.kind, culprit.cached) == ("local-function", True)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (zoo.generator, "generator"),
        (zoo.memory_map, "memory-map"),
        (zoo.local_instance, "local-class"),
        (zoo.a_lambda, "lambda"),
        (zoo.module, "module"),
        (zoo.weak_reference, "weak-reference"),
        (zoo.ctypes_pointer, "ctypes-object"),
        (zoo.closed_file, "closed-file"),
        (zoo.deeper, "too-deep"),
        (zoo.reduce_raises, "pickling-raises"),
    ],
)
def test_its_kind_is_named(made: Any, kind: str) -> None:
    assert only(made()).kind == kind


def test_the_zoo_has_every_kind() -> None:
    makers = [
        each.make
        for each in zoo.SPECIMENS
        if each.culprits and each.is_here and each.make is not zoo.many_objects  # slow: one lock
    ]
    found = {culprit.kind for make in makers for culprit in find_unpicklable(make(), "x").culprits}
    unless_told = set() if zoo.FORK_IS_TOLD else {"fork-only-lock"}
    assert found | unless_told == KINDS


# Against workers that are really started


@pytest.mark.parametrize(
    "name",
    [
        "lambda",
        "generator",
        "binary file",
        "instance of a local class",
        "SQLite connection and cursor",
    ],
)
def test_a_real_start_fails_with_the_first_error(name: str) -> None:
    specimen = next(each for each in zoo.SPECIMENS if each.name == name)
    obj = specimen.make()
    worker = multiprocessing.get_context("spawn").Process(target=len, args=(obj,))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        worker.start()
    assert said(caught.value) == find_unpicklable(obj, "x").culprits[0].error


# Side effects


def test_file_positions_stay() -> None:
    with open(__file__, "rb") as file:  # noqa: PTH123
        file.seek(100)
        file.read(1)
        before = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        find_unpicklable(zoo.Box(file=file, reader=iter(file)), "x")
        assert file.tell() == 101
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == before


def test_generators_are_not_run() -> None:
    reads = zoo.numbers()
    find_unpicklable(zoo.Box(reads=reads), "x")
    assert next(reads) == 1


def test_tensors_are_not_moved_to_shared_memory() -> None:
    torch = pytest.importorskip("torch")
    zoo_of_tensors = zoo.tensors()
    own = zoo.tensor_subclass()
    loose = [
        zoo_of_tensors.plain,
        zoo_of_tensors.leaf,
        zoo_of_tensors.parameter,
        zoo_of_tensors.layer.weight,
        zoo_of_tensors.storage,
        own.tensor,
    ]
    assert not any(each.is_shared() for each in loose)
    assert find_unpicklable(zoo_of_tensors, "x").culprits == ()
    assert len(find_unpicklable(own, "x").culprits) == 1
    assert not any(each.is_shared() for each in loose)
    assert pickled(zoo.Box(tensor=loose[0]))
    assert loose[0].is_shared()  # which is what the real pickler does
    assert torch.equal(loose[0], torch.zeros(3))


def test_big_arrays_are_counted_and_not_copied() -> None:
    np = pytest.importorskip("numpy")
    import tracemalloc

    rows = zoo.numpy_memmap().rows
    assert isinstance(rows, np.memmap)
    tracemalloc.start()
    size = find_unpicklable(rows, "x").size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size is not None
    assert 0 <= size - rows.nbytes < 1_000
    assert peak < rows.nbytes / 2


def test_the_start_of_a_child_is_pretended_only_for_the_length_of_the_look() -> None:
    assert find_unpicklable(zoo.spawn_lock(), "x").culprits == ()
    assert context.get_spawning_popen() is None
    with pytest.raises(RuntimeError):
        pickle.dumps(zoo.spawn_lock())


# Time


class Endless:
    """Each holds another, made when it is asked."""

    def __reduce__(self) -> Any:
        return Endless, (), {"first": Endless(), "second": Endless()}


class EndlessItems:
    def __reduce__(self) -> Any:
        return list, (), None, itertools.count()


def tree_of_lists() -> Any:
    return [[[number]] for number in range(1_000_000)]


def numbers() -> Any:
    return list(range(20_000_000))


@pytest.mark.parametrize("make", [Endless, EndlessItems, tree_of_lists, numbers])
def test_the_time_limit_holds(make: Any) -> None:
    obj = zoo.Box(lock=threading.Lock(), huge=make())
    anatomy = find_unpicklable(obj, "x", seconds=0.2)
    assert not anatomy.complete
    assert anatomy.size is None
    assert [culprit.path for culprit in anatomy.culprits] == ["x.lock"]


def test_a_path_of_many_steps_is_written_in_time() -> None:
    depth = 500_000
    started = time.process_time()
    anatomy = find_unpicklable(zoo.nested_lists(depth, threading.Lock()), "x")
    assert time.process_time() - started < 60
    assert anatomy.culprits[-1].path == "x" + "[0]" * (depth + 1)
