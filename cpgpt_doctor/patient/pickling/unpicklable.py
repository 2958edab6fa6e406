"""Why an object cannot be sent to a DataLoader worker: every culprit, with its path.

A DataLoader that spawns its workers sends them its dataset with
`multiprocessing.reduction.ForkingPickler`. That pickler stops at the first object that it cannot
reduce. Here

1. a `Walk` visits everything that the pickler would, breadth first and without recursion: it
   reduces each object once, with the pickler's own reducers, and notes those that fail. So
   `__getstate__`, `__reduce__`, `copyreg`, slots, shared references and cycles mean here what
   they mean there, and each culprit gets its shortest path;
2. a `Rehearsal`, the real pickler fed with the walk's reductions, pickles it all with something
   harmless in each culprit's place. It tells the order in which the culprits are met, the size,
   and whether the whole is nested too deep.

Some reducers would change what they look at, or the machine, and are kept from it: torch moves a
tensor into shared memory (so tensors are judged by torch's own conditions), a big NumPy array is
read and copied (so its bytes are counted instead), and multiprocessing's locks and sockets insist
on a child being started (so one is pretended).
"""

from __future__ import annotations

import copyreg
import functools
import io
import itertools
import pickle
import sys
import time
import types
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import context
from multiprocessing import reduction as forking
from multiprocessing.reduction import ForkingPickler
from typing import Any

# The pickler writes these itself, and they hold nothing else.
ATOMS = {type(None), bool, int, float, complex, str, bytes, bytearray, type(...)}
CONTAINERS = {dict, list, tuple, set, frozenset}
# The pickler decides on these without asking for a reduction.
SAVED_AS_THEY_ARE = {type, types.FunctionType, pickle.PickleBuffer}
# What stands in for an object that cannot be pickled, so that the rehearsal goes on.
SUBSTITUTE: tuple[Any, ...] = (str, ())
HERE = "\0"  # stands for the path so far, so that a path of a million steps is joined once
BATCH = 65_536  # items looked at between two looks at the clock
BIG_ARRAY = 2**20  # bytes from which the content of a NumPy array is not read
REPEATS = 3  # objects of one type on one way that tell of endless nesting
LONGEST_KEY = 80  # characters of a dictionary key that is written in a path

PARTS = {"function": 0, "argument": 1, "state": 2, "setter": 5}  # places in a reduction
FILES = (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
BY_TYPE = {  # kinds by the names of types, for types that are not to be imported for this
    "_thread.lock": "thread-lock",
    "_thread.RLock": "thread-lock",
    "_thread._local": "thread-local",
    "generator": "generator",
    "coroutine": "coroutine",
    "async_generator": "async-generator",
    "frame": "stack-frame",
    "traceback": "traceback",
    "code": "code-object",
    "cell": "closure-variable",
    "mappingproxy": "read-only-dictionary",
    "memoryview": "memory-view",
    "pickle.PickleBuffer": "pickle-buffer",
    "re.Match": "regex-match",
    "dict_keys": "dictionary-view",
    "dict_values": "dictionary-view",
    "dict_items": "dictionary-view",
    "_queue.SimpleQueue": "thread-queue",
    "mmap.mmap": "memory-map",
    "sqlite3.Connection": "sqlite-connection",
    "sqlite3.Cursor": "sqlite-cursor",
    "weakref.ReferenceType": "weak-reference",
    "weakref.KeyedRef": "weak-reference",
    "_contextvars.ContextVar": "context-variable",
    "_contextvars.Context": "context",
}
# What a culprit may be. What each means, in words, stands in the doctor's culprits.py.
KINDS = frozenset(BY_TYPE.values()) | {
    "open-file",
    "closed-file",
    "file",  # which does not say whether it is open
    "lambda",
    "local-function",  # defined inside another
    "renamed-function",  # not what its name gives
    "local-class",
    "renamed-class",
    "module",
    "fork-only-lock",  # of multiprocessing
    "computed-tensor",  # from others that require gradients
    "ctypes-object",
    "pickling-raises",  # in Python code of its class
    "reduce-unpicklable",  # its __reduce__ gives what cannot be pickled
    "not-picklable",  # no way to pickle it, and nothing more is known
    "too-deep",
}

# A reduction with all its parts, its iterators read.
Reduction = tuple[Any, Any, Any, Any, Any, Any]
# Which part of its parent an object is: ("item", 3), ("key", 0), ("state", "lock"), ...
Step = tuple[Any, ...]


@dataclass(frozen=True)
class Culprit:
    """An object that cannot be pickled.

    path: the way to it from the root, as Python would write it.
    type: its class, with the module where that is not builtins.
    error: the pickler's own error, "TypeError: cannot pickle ...".
    kind: what it is, of `KINDS`.
    name: the file, or the module, function or class as it calls itself; None where it has none,
        or its type says it all.
    place: the file and line at which a function was defined, or pickling raised.
    holds: the variables of other functions that a function refers to.
    cached: whether it is a function in a cache (functools.lru_cache).
    """

    path: str
    type: str
    error: str
    kind: str
    name: str | None = None
    place: str | None = None
    holds: tuple[str, ...] = ()
    cached: bool = False


@dataclass(frozen=True)
class PicklingReport:
    """What pickling an object would do.

    culprits: in the order in which the pickler meets them; the first one's error is the error
        that a user sees. (Where the time limit came first, in the order of their depth.)
    size: bytes that each worker would receive (tensors travel as handles), None with culprits.
    complete: False where the time limit ended the examination, so that there may be more.
    """

    culprits: tuple[Culprit, ...]
    size: int | None
    complete: bool


class OutOfTime(Exception):
    """The examination took longer than it may."""


@dataclass(frozen=True)
class Deadline:
    at: float

    def check(self) -> None:
        if time.monotonic() > self.at:
            raise OutOfTime


class Counter(io.RawIOBase):
    """A file that counts what is written and keeps nothing."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.size = 0

    def write(self, data: Any) -> int:
        self.deadline.check()
        length = memoryview(data).nbytes
        self.size += length
        return length


class StartingChild:
    """Stands for the child process that multiprocessing believes it is starting."""

    def duplicate_for_child(self, handle: int) -> int:
        return handle

    def DupFd(self, descriptor: int) -> int:
        return descriptor


def find_unpicklable(root: object, name: str, seconds: float = 30.0) -> PicklingReport:
    """Examine `root` as a DataLoader would pickle it, and name everything that stops it.

    Args:
        root: what would be sent to a worker. It is not changed.
        name: how paths begin, such as "dataset".
        seconds: the time limit of the whole examination. A single reducer is never cut short.
    """
    deadline = Deadline(time.monotonic() + seconds)
    before = context.get_spawning_popen()
    context.set_spawning_popen(StartingChild())  # type: ignore[arg-type]
    try:
        return examine(root, name, deadline)
    finally:
        context.set_spawning_popen(before)


def examine(root: object, name: str, deadline: Deadline) -> PicklingReport:
    walk = Walk(root, deadline)
    complete = walk.run()
    rehearsal = Rehearsal(walk)
    beyond: list[Culprit] = []  # what only the rehearsal sees
    try:
        if complete:
            rehearsal.dump(root)
    except OutOfTime:
        complete = False
    except RecursionError as error:
        deep = too_deep_part(walk)
        beyond.append(Culprit(walk.path(deep, name), type_name(deep), say(error), "too-deep"))
    except Exception as error:
        if not walk.failures:
            beyond.append(describe(root, error, name))

    def culprit(key: int) -> Culprit:
        obj, error = walk.failures[key]
        return describe(obj, error, walk.path(obj, name))

    met = [culprit(key) for key in rehearsal.met]
    unmet = [culprit(key) for key in walk.failures if key not in rehearsal.met]
    culprits = (*met, *beyond, *unmet)
    size = rehearsal.sink.size + walk.uncopied if complete and not culprits else None
    return PicklingReport(culprits, size, complete)


class Walk:
    """A visit to everything that the pickler would pickle."""

    def __init__(self, root: Any, deadline: Deadline) -> None:
        self.root = root
        self.deadline = deadline
        self.reducers = ForkingPickler(io.BytesIO()).dispatch_table
        self.failures: dict[int, tuple[Any, Exception]] = {}
        self.reductions: dict[int, Reduction] = {}
        # Each object met, its parent and its place there; it keeps temporary objects alive, as
        # an id belongs to its object only while that lives.
        self.origins: dict[int, tuple[Any, Any, Step]] = {}
        self.uncopied = 0  # bytes of arrays that were not read

    def run(self) -> bool:
        """Visit everything; False where the time was too short."""
        waiting = deque([self.root])
        self.origins[id(self.root)] = (self.root, None, ())
        try:
            while waiting:
                self.deadline.check()
                parent = waiting.popleft()
                for step, child in self.steps(parent):
                    if id(child) not in self.origins:
                        self.origins[id(child)] = (child, parent, step)
                        waiting.append(child)
        except OutOfTime:
            return False
        return True

    def steps(self, parent: Any) -> Iterator[tuple[Step, Any]]:
        """What the pickler saves next, without what holds nothing."""
        kind = type(parent)
        if kind in ATOMS or id(parent) in self.failures:
            return
        if kind is dict:
            yield from self.numbered("key", list(parent))  # a list: threads may change it
            yield from self.numbered("value", list(parent.values()))
        elif kind in CONTAINERS:
            yield from self.numbered("item", parent if kind is list else tuple(parent))
        else:
            reduction = self.reduction(parent)
            if reduction is not None:
                yield from self.reduced_steps(reduction)

    def numbered(self, part: str, items: Iterable[Any]) -> Iterator[tuple[Step, Any]]:
        for start, batch in self.batches(items):
            if not ATOMS.issuperset(map(type, batch)):
                for index, item in enumerate(batch, start):
                    if type(item) not in ATOMS:
                        yield (part, index), item

    def batches(self, items: Iterable[Any]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        iterator = iter(items)
        start = 0
        while batch := tuple(itertools.islice(iterator, BATCH)):
            self.deadline.check()
            yield start, batch
            start += len(batch)

    def reduced_steps(self, reduction: Reduction) -> Iterator[tuple[Step, Any]]:
        function, arguments, state, items, pairs, setter = reduction
        for part, value in (("function", function), ("setter", setter)):
            if value is not None:
                yield (part,), value
        for index, argument in enumerate(arguments):
            if type(argument) not in ATOMS:
                yield ("argument", index), argument
        for half, attributes in enumerate(state) if slots_state(state) else ((None, state),):
            place: Step = ("state",) if half is None else ("state", half)
            if type(attributes) is dict and all(type(key) is str for key in attributes):
                for key, value in list(attributes.items()):
                    if type(value) not in ATOMS:
                        yield (*place, key), value
            elif type(attributes) in (list, tuple):
                for (_, index), value in self.numbered("", attributes):
                    yield (*place, index), value
            elif type(attributes) not in ATOMS:
                yield place, attributes
        if items:
            yield from self.numbered("item", items)
        if pairs:
            yield from self.numbered("key", (key for key, _ in pairs))
            yield from self.numbered("value", (value for _, value in pairs))

    def reduction(self, obj: Any) -> Reduction | None:
        """The parts of `obj`; None where it is saved by name, or cannot be saved."""
        if id(obj) in self.reductions:
            return self.reductions[id(obj)]
        try:
            return self.reduce(obj)
        except OutOfTime:
            raise
        except Exception as error:
            self.failures[id(obj)] = (obj, error)
            return None

    def reduce(self, obj: Any) -> Reduction | None:
        kind = type(obj)
        reducer = self.reducers.get(kind)
        if kind in SAVED_AS_THEY_ARE or (reducer is None and issubclass(kind, type)):
            ForkingPickler.dumps(obj)
            return None
        if reducer is None:
            reduced = self.own_reduction(obj)
        else:
            reduced = SUBSTITUTE if is_moved_by_torch(obj) else reducer(obj)
        if merely_attributes(obj, reduced):
            return (*reduced, None)
        if well_formed(obj, reduced):
            function, arguments, state, items, pairs, setter = padded(reduced)
            pairs = self.read(pairs)
            if pairs is None or all(type(pair) is tuple and len(pair) == 2 for pair in pairs):
                whole = function, arguments, state, self.read(items), pairs, setter
                self.reductions[id(obj)] = whole
                return whole
        ForkingPickler.dumps(obj)  # by the name that is its reduction, or to the pickler's error
        return None

    def own_reduction(self, obj: Any) -> Any:
        if is_big_array(obj):
            self.uncopied += obj.nbytes
            obj = obj[(slice(0),) * obj.ndim]
        method = getattr(obj, "__reduce_ex__", None)
        return None if method is None else method(pickle.DEFAULT_PROTOCOL)

    def read(self, items: Iterator[Any] | None) -> list[Any] | None:
        if items is None:
            return None
        return [item for _, batch in self.batches(items) for item in batch]

    def path(self, obj: Any, name: str) -> str:
        """The way to an object from the root."""
        steps = []
        child, parent, step = self.origins[id(obj)]
        while step:
            steps.append((parent, step, child))
            child, parent, step = self.origins[id(parent)]
        before: list[str] = []
        after: list[str] = []
        owner, of_owner, called = self.root, (0, 0), False
        for parent, step, child in reversed(steps):
            if type(parent) not in CONTAINERS:
                owner, of_owner = parent, (len(before), len(after))
            # What was put into a container only for the pickler may be an attribute as well.
            text = attribute(HERE, owner, child) if called else None
            if text is not None:
                del before[of_owner[0] :], after[of_owner[1] :]
            text = text or self.written(HERE, parent, step, child)
            called = called or "(" in text
            left, right = text.split(HERE)
            before.append(left)
            after.append(right)
        return "".join(reversed(before)) + name + "".join(after)

    def written(self, path: str, parent: Any, step: Step, child: Any) -> str:
        """The path of a child, from its parent's."""
        part, *where = step
        if part == "item":
            unordered = type(parent) in (set, frozenset)
            return f"list({path})[{where[0]}]" if unordered else f"{path}[{where[0]}]"
        if part == "key":
            return f"list({path})[{where[0]}]"
        if part == "value":
            key = self.key(parent, where[0])
            return f"{path}[{key!r}]" if literal(key) else f"list({path}.values())[{where[0]}]"
        if part == "state" and where and self.is_attribute(parent, where[-1], child):
            plain = is_name(where[-1]) and not is_hidden(type(parent), where[-1])
            return f"{path}.{where[-1]}" if plain else f"{path}.__dict__[{where[-1]!r}]"
        if child is type(parent):
            return f"type({path})"
        return (
            attribute(path, parent, child)
            or copy_of(path, parent, child)
            or self.in_reduction(path, parent, step)
        )

    def key(self, parent: Any, index: int) -> Any:
        if type(parent) is dict:
            return next(itertools.islice(parent, index, None))
        return self.reductions[id(parent)][4][index][0]

    def is_attribute(self, parent: Any, name: Any, value: Any) -> bool:
        """Whether an entry of an object's state is its attribute of that name."""
        if not isinstance(name, str):
            return False
        if any(own == name and held is value for own, held in own_attributes(parent)):
            return True
        return self.is_reduced_by_default(parent) and not has_own_getstate(type(parent))

    def is_reduced_by_default(self, obj: Any) -> bool:
        kind: Any = type(obj)
        plain = kind.__reduce_ex__ is object.__reduce_ex__ and not has_own_reduce(kind)
        return plain and kind not in self.reducers

    def in_reduction(self, path: str, parent: Any, step: Step) -> str:
        """The path of what is not an attribute, by the call that makes it."""
        part, *where = step
        kind = type(parent)
        if part == "state" and self.is_reduced_by_default(parent) and has_own_getstate(kind):
            place = f"{path}.__getstate__()"
        else:
            if kind in self.reducers:
                call = f"{getattr(self.reducers[kind], '__name__', 'reduce')}({path})"
            elif has_own_reduce(kind):
                call = f"{path}.__reduce__()"
            else:
                call = f"{path}.__reduce_ex__({pickle.DEFAULT_PROTOCOL})"
            place = f"{call}[{PARTS[part]}]"
        if part == "argument":
            place = attribute(path, parent, self.reductions[id(parent)][1]) or place
        return place + "".join(f"[{at!r}]" for at in where)


class Rehearsal(ForkingPickler):
    """The real pickler over the walk's reductions, with a substitute for each culprit."""

    def __init__(self, walk: Walk) -> None:
        self.sink = Counter(walk.deadline)
        self.walk = walk
        self.met: dict[int, None] = {}  # ids of culprits, in the order of the pickler
        # A buffer is refused without a question, except by a protocol that asks this way.
        if any(type(obj) is pickle.PickleBuffer for obj, _ in walk.failures.values()):
            super().__init__(self.sink, 5, True, self.note)
        else:
            super().__init__(self.sink)

    def note(self, obj: Any) -> None:
        self.met[id(obj)] = None

    def reducer_override(self, obj: Any) -> Any:
        if id(obj) in self.walk.failures:
            self.note(obj)
            return SUBSTITUTE
        if id(obj) not in self.walk.reductions:
            return NotImplemented
        function, arguments, state, items, pairs, setter = self.walk.reductions[id(obj)]
        return function, arguments, state, again(items), again(pairs), setter


def again(items: list[Any] | None) -> Iterator[Any] | None:
    return None if items is None else iter(items)


def too_deep_part(walk: Walk) -> Any:
    """The outermost of the objects that are nested too deep.

    What is nested too deep repeats itself: the way down is followed until a type comes up often,
    and its first object is meant.
    """
    way = [walk.root]
    try:
        while sum(type(above) is type(way[-1]) for above in way) < REPEATS:
            children = (child for _, child in walk.steps(way[-1]))
            way.append(next(child for child in children if is_too_deep(walk, child)))
    except (OutOfTime, StopIteration):
        return way[-1]
    return next(above for above in way if type(above) is type(way[-1]))


def is_too_deep(walk: Walk, obj: Any) -> bool:
    try:
        Rehearsal(walk).dump(obj)
    except OutOfTime:
        raise
    except Exception as error:
        return isinstance(error, RecursionError)
    return False


def padded(reduced: tuple[Any, ...]) -> Reduction:
    parts: Any = (*reduced, *[None] * (6 - len(reduced)))
    return parts  # type: ignore[no-any-return]


def well_formed(obj: Any, reduced: Any) -> bool:
    """Whether the pickler takes a reduction, which it judges before it goes into it."""
    if not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:
        return False
    function, arguments, _, items, pairs, setter = padded(reduced)
    if not callable(function) or not isinstance(arguments, tuple):
        return False
    if not all(each is None or hasattr(type(each), "__next__") for each in (items, pairs)):
        return False
    if not (setter is None or callable(setter)):
        return False
    name = getattr(function, "__name__", "")
    if name == "__newobj__":
        return len(arguments) > 0 and obj.__class__ is arguments[0]
    if name == "__newobj_ex__":
        kinds = [tuple, dict]
        return list(map(type, arguments[1:])) == kinds and obj.__class__ is arguments[0]
    return True


def merely_attributes(obj: Any, reduced: Any) -> bool:
    """Whether a reduction is of the commonest kind, which need be neither judged nor stored."""
    return (
        type(reduced) is tuple
        and reduced[0] is copyreg.__newobj__  # type: ignore[attr-defined]
        and reduced[1] == (type(obj),)
        and reduced[2] is own_dictionary(obj)
        and obj.__class__ is type(obj)
        and not any(reduced[3:])
    )


def is_moved_by_torch(obj: Any) -> bool:
    """Whether torch's reducer would move `obj` into shared memory; where it refuses, it may run."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(obj, torch.Tensor):
        return bool(obj.is_leaf or not obj.requires_grad)
    return isinstance(obj, torch.UntypedStorage) and obj.device.type not in ("cuda", "meta")


def is_big_array(obj: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return (
        numpy is not None
        and type(obj) in (numpy.ndarray, numpy.memmap)
        and obj.nbytes >= BIG_ARRAY
        and obj.ndim > 0
        and not obj.dtype.hasobject
    )


def slots_state(state: Any) -> bool:
    """copyreg's form for objects with slots: (instance dictionary or None, slots)."""
    return (
        type(state) is tuple
        and len(state) == 2
        and type(state[1]) is dict
        and (state[0] is None or type(state[0]) is dict)
    )


def has_own_reduce(kind: Any) -> bool:
    """Whether `obj.__reduce__()` is what the pickler calls."""
    inherited = kind.__reduce_ex__ is object.__reduce_ex__
    return inherited and kind.__reduce__ is not object.__reduce__


def has_own_getstate(kind: type) -> bool:
    own = getattr(kind, "__getstate__", None)
    return own is not None and own is not getattr(object, "__getstate__", None)


def own_dictionary(obj: Any) -> Any:
    """The instance dictionary; no code of the object's class is run."""
    try:
        return object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return None


def own_attributes(obj: Any) -> Iterator[tuple[str, Any]]:
    """What an object stores by name, in its dictionary or in slots; no property is run."""
    dictionary = own_dictionary(obj)
    if type(dictionary) is dict:
        yield from dictionary.items()
    for owner in type(obj).__mro__:
        for name, member in vars(owner).items():
            if name != "__dict__" and is_stored(owner, member):
                try:
                    yield name, member.__get__(obj)
                except Exception:
                    continue  # an empty slot, or what this object does not have


def is_stored(owner: type, member: Any) -> bool:
    """Whether a class's member reads what its objects store: a slot, or Python's own C code."""
    if isinstance(member, types.GetSetDescriptorType):
        return owner is not object and owner.__module__ in sys.stdlib_module_names
    return isinstance(member, types.MemberDescriptorType)


def attribute(path: str, parent: Any, child: Any) -> str | None:
    """The path of what a named attribute, or a place in a tuple, of its parent holds."""
    for name, value in own_attributes(parent):
        if value is child and is_name(name) and not is_hidden(type(parent), name):
            return f"{path}.{name}"
    if issubclass(type(parent), tuple):
        fields = getattr(type(parent), "_fields", ())
        for index, item in enumerate(tuple.__iter__(parent)):
            if item is child:
                return f"{path}.{fields[index]}" if fields else f"{path}[{index}]"
    return None


def is_name(key: Any) -> bool:
    return type(key) is str and key.isidentifier()


def is_hidden(kind: type, name: str) -> bool:
    """Whether `.name` would run a property instead of reading the instance dictionary."""
    for owner in kind.__mro__:
        if name in vars(owner):
            member = vars(owner)[name]
            stored = isinstance(member, (types.MemberDescriptorType, types.GetSetDescriptorType))
            return hasattr(type(member), "__set__") and not stored
    return False


def copy_of(path: str, parent: Any, child: Any) -> str | None:
    """The path of a container that holds what its parent holds: made to pickle a subclass."""
    numpy = sys.modules.get("numpy")
    kinds = (type(child), type(parent))
    if kinds[0] is tuple and issubclass(kinds[1], tuple):
        return path
    if kinds[0] is dict and issubclass(kinds[1], dict):
        return path
    if kinds[0] is list and issubclass(kinds[1], (set, frozenset)):
        return f"list({path})"
    if kinds[0] is list and numpy is not None and issubclass(kinds[1], numpy.ndarray):
        return f"{path}.flat"
    return None


def literal(key: Any) -> bool:
    """Whether a dictionary key can be written down."""
    if type(key) is tuple:
        return len(repr(key)) <= LONGEST_KEY if all(map(literal, key)) else False
    if type(key) is float:
        return key - key == 0  # neither infinite nor not a number
    return type(key) in (str, bytes, int, bool, type(None)) and len(repr(key)) <= LONGEST_KEY


def type_name(obj: object) -> str:
    kind = type(obj)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def say(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def describe(obj: Any, error: Exception, path: str) -> Culprit:
    """What an object is that cannot travel; nothing of it is run."""
    name = type_name(obj)
    culprit = functools.partial(Culprit, path, name, say(error))
    wrapped = (own_dictionary(obj) or {}).get("__wrapped__")
    if type(obj) in FILES:
        return culprit(*file_said(obj))
    if type(obj) is types.FunctionType:
        return culprit(**function_said(obj))
    if name == "functools._lru_cache_wrapper" and type(wrapped) is types.FunctionType:
        return culprit(**function_said(wrapped), cached=True)
    if issubclass(type(obj), type):
        called = f"{obj.__module__}.{obj.__qualname__}"
        return culprit("local-class" if "<locals>" in called else "renamed-class", called)
    if type(obj) is types.ModuleType:
        return culprit("module", obj.__name__)
    if name in BY_TYPE:
        return culprit(BY_TYPE[name])
    if name.startswith("multiprocessing.synchronize."):
        return culprit("fork-only-lock")
    if "torch" in sys.modules and issubclass(type(obj), sys.modules["torch"].Tensor):
        return culprit("computed-tensor")
    if any(owner.__module__ == "_ctypes" for owner in type(obj).__mro__):
        return culprit("ctypes-object")
    place = raised_at(error)
    if place is not None:
        return culprit("pickling-raises", place=place)
    return culprit("reduce-unpicklable" if has_own_reduce(type(obj)) else "not-picklable")


def file_said(file: Any) -> tuple[str, str | None]:
    """The kind of a file and its name; a number is the name of one that was opened by it."""
    try:
        return ("closed-file" if file.closed else "open-file"), str(file.name)
    except Exception:  # it may be detached from what has a name
        return "file", None


def function_said(function: types.FunctionType) -> dict[str, Any]:
    code = function.__code__
    kind = "renamed-function"
    if "<locals>" in function.__qualname__:
        kind = "local-function"
    if function.__name__ == "<lambda>":
        kind = "lambda"
    return {
        "kind": kind,
        "name": f"{function.__module__}.{function.__qualname__}",
        "place": f"{code.co_filename}:{code.co_firstlineno}",
        "holds": code.co_freevars,
    }


def raised_at(error: Exception) -> str | None:
    """Where in Python code an error was raised; None where the pickler itself raised it."""
    place = None
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename not in (__file__, forking.__file__):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
