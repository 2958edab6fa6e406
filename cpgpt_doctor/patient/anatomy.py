"""Why an object cannot be sent to a DataLoader worker: every culprit, with its path.

A DataLoader that spawns its workers sends them its dataset with
`multiprocessing.reduction.ForkingPickler`. That pickler stops at the first object that it cannot
reduce; here the same pickler runs over the whole object in one pass, and each object that fails is
noted and replaced, so that the pass goes on to the next. Because the real pickler does the
walking, `__getstate__`, `__reduce__`, `copyreg`, slots, shared references and cycles mean here
what they mean there.

Two things would change what is looked at, and are kept from it: torch moves a tensor into shared
memory when it is pickled (so tensors are judged by torch's own condition instead), and
multiprocessing's locks and sockets insist on a child being started (so one is pretended).
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import context
from multiprocessing.reduction import ForkingPickler
from typing import Any

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
# What stands in for an object that cannot be pickled, so that the pass goes on.
SUBSTITUTE: tuple[Any, ...] = (str, ())


@dataclass(frozen=True)
class Culprit:
    """An object that cannot be pickled.

    path: the way to it from the root, as Python would write it.
    type: its class, with the module where that is not builtins.
    error: the pickler's own error, "TypeError: cannot pickle ...".
    about: what it is, in words (which file it has open, where a function was defined).
    """

    path: str
    type: str
    error: str
    about: str


@dataclass(frozen=True)
class Anatomy:
    """What pickling an object would do.

    culprits: in the order in which the pickler meets them; the first one's error is the error
        that a user sees.
    size: bytes that each worker would receive (tensors travel as handles), None with culprits.
    complete: False where the time limit or the interpreter's recursion limit ended the pass, so
        that there may be more culprits.
    """

    culprits: tuple[Culprit, ...]
    size: int | None
    complete: bool


class OutOfTime(Exception):
    """The pass took longer than it may."""


class Counter(io.RawIOBase):
    """A file that counts what is written and keeps nothing."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        length = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
        self.size += length
        return length


class StartingChild:
    """Stands for the child process that multiprocessing believes it is starting."""

    def duplicate_for_child(self, handle: int) -> int:
        return handle

    def DupFd(self, descriptor: int) -> int:
        return descriptor


class Pass(ForkingPickler):
    """ForkingPickler that notes what cannot be reduced and goes on."""

    def __init__(self, sink: Counter, deadline: float) -> None:
        super().__init__(sink)
        self.deadline = deadline
        self.failures: dict[int, tuple[Any, BaseException]] = {}
        self.reductions: dict[int, tuple[Any, tuple[Any, ...]]] = {}

    def fail(self, obj: Any, error: BaseException) -> tuple[Any, ...]:
        self.failures.setdefault(id(obj), (obj, error))
        return SUBSTITUTE

    def reducer_override(self, obj: Any) -> Any:
        if time.monotonic() > self.deadline:
            raise OutOfTime
        problem = tensor_problem(obj)
        if problem is not None:
            return self.fail(obj, problem)
        if is_tensor(obj):
            return SUBSTITUTE
        reducer = self.dispatch_table.get(type(obj))
        if reducer is None and isinstance(obj, (type, types.FunctionType)):
            return self.by_name(obj)
        try:
            if reducer is not None:
                reduced = reducer(obj)
            else:
                reduced = obj.__reduce_ex__(pickle.DEFAULT_PROTOCOL)
        except RecursionError:
            raise
        except Exception as error:
            return self.fail(obj, error)
        if not well_formed(reduced):
            return self.by_name(obj)
        parts = [*reduced, *[None] * (6 - len(reduced))]
        for index in (3, 4):  # iterators are read once; the path search needs them again
            if parts[index] is not None:
                parts[index] = list(parts[index])
        self.reductions[id(obj)] = (obj, tuple(parts))
        again = list(parts[: len(reduced)])
        for index in (3, 4):
            if index < len(again) and again[index] is not None:
                again[index] = iter(again[index])
        return tuple(again)

    def by_name(self, obj: Any) -> Any:
        """Let the real pickler save what it saves by name, or a malformed reduction, alone."""
        try:
            ForkingPickler.dumps(obj)
        except RecursionError:
            raise
        except Exception as error:
            return self.fail(obj, error)
        return NotImplemented


def well_formed(reduced: object) -> bool:
    return (
        isinstance(reduced, tuple)
        and 2 <= len(reduced) <= 6
        and callable(reduced[0])
        and isinstance(reduced[1], tuple)
    )


def is_tensor(obj: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(obj, (torch.Tensor, torch.UntypedStorage))


def tensor_problem(obj: object) -> Exception | None:
    """torch's own refusal of a tensor (torch/multiprocessing/reductions.py, reduce_tensor)."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(obj, torch.Tensor):
        return None
    if obj.requires_grad and not obj.is_leaf:
        return RuntimeError("a non-leaf tensor that requires grad is not sent to another process")
    return None


def dissect(root: object, name: str, seconds: float = 30.0) -> Anatomy:
    """Pickle `root` as a DataLoader would, and name everything that stops it.

    Args:
        root: what would be sent to a worker. It is not changed.
        name: how paths begin, such as "dataset".
        seconds: the time limit of the whole examination.
    """
    deadline = time.monotonic() + seconds
    sink = Counter()
    pickling = Pass(sink, deadline)
    complete = True
    whole: Exception | None = None
    before = context.get_spawning_popen()
    context.set_spawning_popen(StartingChild())  # type: ignore[arg-type]
    try:
        pickling.dump(root)
    except (OutOfTime, RecursionError) as error:
        complete = False
        whole = error if isinstance(error, RecursionError) else None
    except Exception as error:
        whole = error
    finally:
        context.set_spawning_popen(before)
    wanted = {key: error for key, (_, error) in pickling.failures.items()}
    paths, all_found = find_paths(root, name, wanted.keys(), pickling.reductions, deadline)
    culprits = [
        Culprit(
            path=paths.get(key, f"{name}, at a depth that was not reached in time"),
            type=type_name(obj),
            error=f"{type(error).__name__}: {error}",
            about=describe(obj),
        )
        for key, (obj, error) in pickling.failures.items()
    ]
    if whole is not None:
        culprits.append(
            Culprit(name, type_name(root), f"{type(whole).__name__}: {whole}", describe(root))
        )
    return Anatomy(
        culprits=tuple(culprits),
        size=sink.size if complete and not culprits else None,
        complete=complete and all_found,
    )


def find_paths(
    root: object,
    name: str,
    wanted: Any,
    reductions: dict[int, tuple[Any, tuple[Any, ...]]],
    deadline: float,
) -> tuple[dict[int, str], bool]:
    """Breadth first, so that each culprit gets its shortest path."""
    missing = set(wanted)
    paths: dict[int, str] = {}
    if id(root) in missing:
        paths[id(root)] = name
        missing.discard(id(root))
    parents: dict[int, tuple[int, Callable[[str], str]]] = {}
    seen = {id(root)}
    level: list[Any] = [root]
    keep: list[Any] = []  # temporaries keep their id only while they live
    while level and missing:
        following: list[Any] = []
        for obj in level:
            if time.monotonic() > deadline:
                return paths, False
            for label, child in children(obj, reductions):
                if type(child) in ATOMS or id(child) in seen:
                    continue
                seen.add(id(child))
                keep.append(child)
                parents[id(child)] = (id(obj), label)
                if id(child) in missing:
                    paths[id(child)] = written(id(child), name, parents)
                    missing.discard(id(child))
                following.append(child)
        level = following
    return paths, not missing


def written(key: int, name: str, parents: dict[int, tuple[int, Callable[[str], str]]]) -> str:
    labels = []
    while key in parents:
        key, label = parents[key]
        labels.append(label)
    path = name
    for label in reversed(labels):
        path = label(path)
    return path


Step = tuple[Callable[[str], str], Any]


def children(obj: Any, reductions: dict[int, tuple[Any, tuple[Any, ...]]]) -> Iterator[Step]:
    kind = type(obj)
    if kind is dict:
        yield from dict_steps(obj)
    elif kind in (list, tuple):
        for index, item in enumerate(obj):
            yield suffix(f"[{index}]"), item
    elif kind in (set, frozenset):
        for index, item in enumerate(obj):
            yield listed(index), item
    elif id(obj) in reductions:
        yield from reduced_steps(*reductions[id(obj)])


def dict_steps(mapping: dict[Any, Any]) -> Iterator[Step]:
    for index, (key, value) in enumerate(mapping.items()):
        yield listed(index), key
        if type(key) in ATOMS:
            yield suffix(f"[{key!r}]"), value
        else:
            yield listed_value(index), value


def reduced_steps(obj: Any, parts: tuple[Any, ...]) -> Iterator[Step]:
    """The parts of a reduction, each named by the attribute that it is, where it is one."""
    function, arguments, state, items, pairs = parts[:5]
    names = attribute_names(obj)

    def step(value: Any, otherwise: str) -> Step:
        found = names.get(id(value))
        return suffix(f".{found}" if found else otherwise), value

    new = function in (copyreg.__newobj__, getattr(copyreg, "__newobj_ex__", None))  # type: ignore[attr-defined]
    if not new:
        yield step(function, ".__reduce__()[0]")
    for index, argument in enumerate(arguments):
        if argument is type(obj):
            yield (lambda path: f"type({path})"), argument
        elif new and isinstance(obj, tuple):
            yield from ((suffix(f"[{at}]"), item) for at, item in enumerate(obj))
        else:
            yield step(argument, f".__reduce__()[1][{index}]")
    for attributes in state if slots_state(state) else (state,):
        if type(attributes) is dict:
            for key, value in attributes.items():
                plain = isinstance(key, str) and key.isidentifier()
                own = id(value) in names or not has_own_getstate(obj)
                label = f".{key}" if plain and own else f".__getstate__()[{key!r}]"
                yield suffix(label), value
        elif type(attributes) is tuple:
            for index, value in enumerate(attributes):
                yield step(value, f".__getstate__()[{index}]")
        elif attributes is not None:
            yield step(attributes, ".__getstate__()")
    for index, item in enumerate(items or ()):
        yield suffix(f"[{index}]"), item
    for index, (key, value) in enumerate(pairs or ()):
        yield listed(index), key
        yield suffix(f"[{key!r}]" if type(key) in ATOMS else f".__reduce__()[4][{index}][1]"), value


def slots_state(state: Any) -> bool:
    """copyreg's form for objects with slots: (instance dictionary or None, slots)."""
    return (
        type(state) is tuple
        and len(state) == 2
        and type(state[1]) is dict
        and (state[0] is None or type(state[0]) is dict)
    )


def has_own_getstate(obj: Any) -> bool:
    own = getattr(type(obj), "__getstate__", None)
    return own is not None and own is not getattr(object, "__getstate__", None)


def attribute_names(obj: Any) -> dict[int, str]:
    """Attribute names by the identity of their values; properties are not run."""
    names: dict[int, str] = {}
    for owner in type(obj).__mro__:
        for name, member in vars(owner).items():
            stored = isinstance(member, types.MemberDescriptorType)
            computed = isinstance(member, types.GetSetDescriptorType) and owner is not object
            if name != "__dict__" and (stored or computed):
                try:
                    names.setdefault(id(getattr(obj, name)), name)
                except Exception:
                    continue  # an empty slot, or a C attribute that this object does not have
    for name, value in getattr(obj, "__dict__", {}).items():
        if isinstance(name, str) and name.isidentifier():
            names[id(value)] = name
    return names


def suffix(text: str) -> Callable[[str], str]:
    return lambda path: path + text


def listed(index: int) -> Callable[[str], str]:
    return lambda path: f"list({path})[{index}]"


def listed_value(index: int) -> Callable[[str], str]:
    return lambda path: f"list({path}.values())[{index}]"


def type_name(obj: object) -> str:
    kind = type(obj)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def describe(obj: Any) -> str:
    """What an object is, in words; nothing of it is run."""
    if isinstance(obj, io.IOBase):
        name = getattr(obj, "name", None)
        return f"an open file, {name}" if name is not None else "an open file"
    if isinstance(obj, types.FunctionType):
        kind = "a lambda" if obj.__name__ == "<lambda>" else "a function"
        code = obj.__code__
        return f"{kind} defined at {code.co_filename}:{code.co_firstlineno}"
    if isinstance(obj, type):
        return f"a class, {obj.__module__}.{obj.__qualname__}"
    if isinstance(obj, types.GeneratorType):
        return "a generator, which exists only in the process that runs it"
    if isinstance(obj, types.ModuleType):
        return f"a module, {obj.__name__}"
    if type_name(obj) in ("_thread.lock", "_thread.RLock"):
        return "a thread lock, which exists only in its own process"
    return f"an object of {type_name(obj)}"
