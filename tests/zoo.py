"""Objects of every kind that a dataset may hold, with what stops each from being pickled.

Each specimen says the exact paths of its culprits, in the order in which DataLoader's pickler
meets them; none where it pickles. The root is called `x`.

Only the standard library is needed here, beside what a specimen names in `needs`; so the zoo can
be visited with any Python: `python -m tests.zoo`.
"""

# What users have open is opened here as they open it.
# ruff: noqa: PTH118, PTH123, SIM115

from __future__ import annotations

import array
import asyncio
import collections
import contextvars
import copyreg
import ctypes
import dataclasses
import datetime
import enum
import functools
import gzip
import importlib.util
import io
import mmap
import multiprocessing
import operator
import os
import pickle
import queue
import random
import re
import socket
import sqlite3
import sys
import tempfile
import threading
import types
import unittest.mock
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

# Later Python releases refuse to send what was made for forked workers to others.
FORK_IS_TOLD = hasattr(multiprocessing.get_context("fork").Lock(), "_is_fork_ctx")


@dataclass(frozen=True)
class Specimen:
    """An object for examination.

    make: makes a fresh one.
    culprits: the expected paths, in the pickler's order.
    needs: a package that it takes.
    same: whether each path, evaluated, gives the culprit itself (a call may make another).
    mend: whether its culprits can be replaced by assignments to their paths.
    """

    name: str
    make: Callable[[], Any]
    culprits: tuple[str, ...]
    needs: str | None = None
    same: bool = True
    mend: bool = True

    @property
    def is_here(self) -> bool:
        return self.needs is None or importlib.util.find_spec(self.needs) is not None


SPECIMENS: list[Specimen] = []
SCRATCH = tempfile.TemporaryDirectory()


def specimen(
    name: str, *culprits: str, needs: str | None = None, same: bool = True, mend: bool = True
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a function that makes an object into the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        SPECIMENS.append(Specimen(name, make, culprits, needs, same, mend))
        return make

    return enter


class Box:
    """An object with the attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


# Plain data


@specimen("plain data")
def plain_data() -> Any:
    return {"a": [1, 2.5, 3j, True, None, ...], (1, 2): frozenset({b"b"}), "c": bytearray(b"d")}


@specimen("an atom")
def atom() -> Any:
    return 1.5


@specimen("what looks hard and pickles")
def picklable_rarities() -> Any:
    return Box(
        pattern=re.compile("[ACGT]+"),
        functions=[len, os.path.join, operator.itemgetter(1), list.append, "a".join],
        types=[int, type(None), Box, collections.OrderedDict, Color],
        color=Color.RED,
        random=random.Random(1),
        buffer=io.BytesIO(b"abc"),
        ranges=(range(3), slice(1, 2)),
        iterators=[iter([1, 2]), map(len, ["a"])],
        error=ValueError("no"),
        when=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        array=array.array("d", [1.0, 2.0]),
        counted=collections.Counter("abc"),
        queue=collections.deque([1, 2], maxlen=3),
        space=types.SimpleNamespace(a=1),
    )


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


# Open things


@specimen("binary file", "x.file")
def binary_file() -> Any:
    return Box(file=open(__file__, "rb"))


@specimen("text file", "x.file")
def text_file() -> Any:
    return Box(file=open(__file__, encoding="utf-8"))


@specimen("unbuffered file", "x.file")
def raw_file() -> Any:
    return Box(file=open(__file__, "rb", buffering=0))


@specimen("closed file", "x.file")
def closed_file() -> Any:
    with open(__file__, "rb") as file:
        pass
    return Box(file=file)


@specimen("standard output", "x.out")
def standard_output() -> Any:
    return Box(out=sys.__stdout__)


@specimen("gzip file", "x.file.myfileobj", "x.file._buffer", mend=False)
def gzip_file() -> Any:
    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH.name), "a.gz")
    with gzip.open(path, "wb") as out:
        out.write(b"ACGT")
    return Box(file=gzip.open(path, "rb"))


@specimen("memory map", "x.map")
def memory_map() -> Any:
    return Box(map=mmap.mmap(-1, 4096))


@specimen("SQLite connection and cursor", "x.connection", "x.cursor")
def sqlite_connection() -> Any:
    connection = sqlite3.connect(":memory:")
    return Box(connection=connection, cursor=connection.cursor())


@specimen("socket, which multiprocessing sends")
def a_socket() -> Any:
    return Box(socket=socket.socket())


@specimen("connections of multiprocessing")
def a_pipe() -> Any:
    return Box(ends=multiprocessing.Pipe())


# Synchronization


@specimen("thread locks", "x.lock", "x.again")
def thread_locks() -> Any:
    return Box(lock=threading.Lock(), again=threading.RLock())


@specimen("event", "x.stop._cond._lock", mend=False)
def event() -> Any:
    # Condition keeps its lock's methods too, which are reached by way of the lock.
    return Box(stop=threading.Event())


@specimen("thread-local data", "x.local")
def thread_local() -> Any:
    return Box(local=threading.local())


@specimen("thread", "x.thread._started._cond._lock", mend=False)
def thread() -> Any:
    made = threading.Thread(target=len)
    for name in vars(made):
        if name not in ("_started", "_name", "_target"):
            vars(made)[name] = None
    return Box(thread=made)


@specimen("queue", "x.queue.mutex", mend=False)
def thread_queue() -> Any:
    return Box(queue=queue.Queue())


@specimen("simple queue", "x.queue")
def simple_queue() -> Any:
    return Box(queue=queue.SimpleQueue())


@specimen("multiprocessing lock of the fork context", *(["x.lock"] if FORK_IS_TOLD else []))
def fork_lock() -> Any:
    return Box(lock=multiprocessing.get_context("fork").Lock())


@specimen(
    "multiprocessing queue of the fork context",
    *(["x.queue._rlock", "x.queue._wlock", "x.queue._sem"] if FORK_IS_TOLD else []),
)
def fork_queue() -> Any:
    return Box(queue=multiprocessing.get_context("fork").Queue())


@specimen("multiprocessing lock of the spawn context")
def spawn_lock() -> Any:
    return Box(lock=multiprocessing.get_context("spawn").Lock())


@specimen("multiprocessing queue of the spawn context")
def spawn_queue() -> Any:
    return Box(queue=multiprocessing.get_context("spawn").Queue())


# Code


@specimen("lambda", "x.key")
def a_lambda() -> Any:
    return Box(key=lambda name: name)


@specimen("local function", "x.key")
def local_function() -> Any:
    def key(name: str) -> str:
        return name

    return Box(key=key)


@specimen("closure over a lock", "x.key")
def closure() -> Any:
    lock = threading.Lock()

    def key(name: str) -> str:
        with lock:
            return name

    return Box(key=key)


def doubled(number: int) -> int:
    return 2 * number


@specimen("function that its name no longer means", "x.function")
def shadowed_function() -> Any:
    function = types.FunctionType(doubled.__code__, globals(), "doubled")
    function.__qualname__, function.__module__ = "doubled", __name__
    return Box(function=function)


@specimen("local class and its instances", "x.kind", mend=False)
def local_class() -> Any:
    class Local:
        pass

    return Box(kind=Local, one=Local(), two=Local())


@specimen("instance of a local class", "type(x.transform)", mend=False)
def local_instance() -> Any:
    class Local:
        pass

    return Box(transform=Local())


@specimen("mock", "type(x.embedder)", mend=False)
def mock() -> Any:
    return Box(embedder=unittest.mock.Mock(spec=[]))


class Reader:
    """A well-named class that holds a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def read(self) -> None:
        """A method to bind."""


@specimen("bound method of what holds a lock", "x.read.__self__.lock")
def bound_method() -> Any:
    return Box(read=Reader().read)


@specimen("method of a built-in object", "x.acquire.__self__", mend=False)
def builtin_method() -> Any:
    return Box(acquire=threading.Lock().acquire)


def collate(batch: list[Any], tokenizer: Any = None) -> list[Any]:
    return batch


@specimen("partial: keyword", "x.keywords['tokenizer'].lock")
def partial_keyword() -> Any:
    return functools.partial(collate, tokenizer=Reader())


@specimen("partial: function and arguments", "x.func", "x.args[1]", mend=False)
def partial_arguments() -> Any:
    return functools.partial(lambda *_: None, 1, threading.Lock())


@specimen("cached function of a module")
def cached_function() -> Any:
    return Box(function=cached)


@functools.lru_cache
def cached() -> int:
    return 1


@specimen("cached local function", "x.function")
def cached_local() -> Any:
    @functools.lru_cache
    def local() -> int:
        return 1

    return Box(function=local)


@specimen("module", "x.np")
def module() -> Any:
    return Box(np=math_module())


def math_module() -> types.ModuleType:
    return operator


def numbers() -> Iterator[int]:
    yield 1


async def coroutine() -> None:
    """Never awaited."""


@specimen("generator", "x.reads")
def generator() -> Any:
    return Box(reads=numbers())


@specimen("generator under a map", "x.__reduce__()[1][1]", mend=False)
def mapped_generator() -> Any:
    return map(abs, numbers())


@specimen("coroutine", "x.task")
def a_coroutine() -> Any:
    made = coroutine()
    made.close()
    return Box(task=made)


async def asynchronous_numbers() -> AsyncIterator[int]:
    yield 1


@specimen("asynchronous generator", "x.reads")
def asynchronous_generator() -> Any:
    return Box(reads=asynchronous_numbers())


@specimen("frame", "x.frame")
def frame() -> Any:
    return Box(frame=sys._getframe())


@specimen("traceback", "x.trace")
def traceback() -> Any:
    try:
        raise ValueError
    except ValueError as error:
        return Box(trace=error.__traceback__)


@specimen("code and cell", "x.code", "x.cell")
def code_and_cell() -> Any:
    return Box(code=doubled.__code__, cell=types.CellType(1))


# References and C objects


@specimen("weak reference", "x.parent")
def weak_reference() -> Any:
    return Box(parent=weakref.ref(Box))


@specimen("weak proxy of what pickles, and of what does not", "x.locked.lock", mend=False)
def weak_proxy() -> Any:
    plain, locked = Box(number=1), Reader()
    KEPT.extend([plain, locked])
    return Box(plain=weakref.proxy(plain), locked=weakref.proxy(locked))


KEPT: list[Any] = []


@specimen("dictionary of weak values", "x.cache._remove", "x.cache.data['a']", mend=False)
def weak_values() -> Any:
    value = Box()
    KEPT.append(value)
    cache: Any = weakref.WeakValueDictionary()
    cache["a"] = value
    return Box(cache=cache)


@specimen("context variable", "x.variable")
def context_variable() -> Any:
    return Box(variable=contextvars.ContextVar("variable"))


@specimen("context", "x.context")
def context() -> Any:
    return Box(context=contextvars.copy_context())


class Pair(ctypes.Structure):
    _fields_ = (("left", ctypes.c_int), ("right", ctypes.c_int))


@specimen("ctypes structure and pointer", "x.pointer")
def ctypes_pointer() -> Any:
    return Box(plain=Pair(1, 2), pointer=ctypes.pointer(ctypes.c_int(1)))


@specimen("memory view", "x.view")
def memory_view() -> Any:
    return Box(view=memoryview(b"ACGT"))


@specimen("buffer for pickle 5", "x['buffer']")
def pickle_buffer() -> Any:
    return {"buffer": pickle.PickleBuffer(b"ACGT")}


@specimen("buffer for pickle 5 between locks", "x[0]", "x[1]", "x[2]")
def pickle_buffer_between() -> Any:
    return [threading.Lock(), pickle.PickleBuffer(b"ACGT"), threading.Lock()]


@specimen("read-only dictionary and views", "x.proxy", "x.keys", "x.match")
def views() -> Any:
    return Box(
        proxy=types.MappingProxyType({}),
        keys={}.keys(),
        pattern=re.compile("a"),
        match=re.match("a", "a"),
    )


@specimen("event loop's lock")
def asyncio_lock() -> Any:
    return Box(lock=asyncio.Lock()) if sys.version_info >= (3, 10) else Box()


# Classes with their own ways


class Slots:
    __slots__ = ("__private", "empty", "lock", "number")

    def __init__(self) -> None:
        self.number = 1
        self.lock = threading.Lock()
        self.__private = threading.Lock()


@specimen("slots", "x.number._Slots__private", "x.number.lock")
def slots() -> Any:
    return Box(number=Slots())


class SlotsAndDict(Slots):
    def __init__(self) -> None:
        super().__init__()
        self.more = open(__file__, "rb")


@specimen("slots and a dictionary", "x.more", "x._Slots__private", "x.lock")
def slots_and_dict() -> Any:
    return SlotsAndDict()


class DropsHandle(Reader):
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "lock": None}


@specimen("__getstate__ that drops the lock")
def drops_handle() -> Any:
    return DropsHandle()


class Renames(Reader):
    def __getstate__(self) -> dict[str, Any]:
        return {"version": 2, "guard": self.lock}


@specimen("__getstate__ that renames", "x.lock", mend=True)
def renames() -> Any:
    return Renames()


class MakesAnew:
    def __getstate__(self) -> dict[str, Any]:
        return {"version": 2, "handles": [1, threading.Lock()]}

    def __setstate__(self, state: Any) -> None:
        """It takes what it is given."""


@specimen(
    "__getstate__ that makes a lock", "x.part.__getstate__()['handles'][1]", same=False, mend=False
)
def makes_anew() -> Any:
    return Box(part=MakesAnew())


class TupleState:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __getstate__(self) -> Any:
        return (1, self.lock, [threading.Lock])

    def __setstate__(self, state: Any) -> None:
        """It takes what it is given."""


@specimen("__getstate__ that gives a tuple", "x.lock")
def tuple_state() -> Any:
    return TupleState()


class GetstateRaises:
    def __getstate__(self) -> Any:
        raise NotImplementedError("not to be pickled", type(self).__name__)


@specimen("__getstate__ that raises", "x.loader")
def getstate_raises() -> Any:
    return Box(loader=GetstateRaises())


class ReduceRaises:
    def __reduce__(self) -> Any:
        raise RuntimeError("this one does not travel")


@specimen("__reduce__ that raises", "x[0]")
def reduce_raises() -> Any:
    return [ReduceRaises()]


class ReduceRecurses:
    def __reduce__(self) -> Any:
        return self.__reduce__()


@specimen("__reduce__ that never ends", "x.endless")
def reduce_recurses() -> Any:
    return Box(endless=ReduceRecurses())


class Reduces:
    """Its reduction is what it is given."""

    def __init__(self, reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


class PairsOfThree:
    def __reduce__(self) -> Any:
        return dict, (), None, None, iter([(1, 2, 3)])


@specimen(
    "malformed reductions",
    *(f"x[{index}]" for index in range(9)),
)
def malformed() -> Any:
    return [
        Reduces(42),
        Reduces(None),
        Reduces((Box,)),
        Reduces((1, ())),
        Reduces((Box, [])),
        Reduces((Box, (), None, [1])),
        Reduces((Box, (), None, None, None, 5)),
        Reduces("no_such_name"),
        PairsOfThree(),
    ]


@specimen("reduction to a name")
def reduction_to_a_name() -> Any:
    return Box(only=ONLY)


class Only:
    def __reduce__(self) -> str:
        return "ONLY"


ONLY = Only()


def rebuilt(*_: Any) -> Any:
    return Box()


class ReducesToArguments(Reader):
    def __reduce__(self) -> Any:
        return rebuilt, (1, self.lock, {"made": [lambda: None]})


@specimen(
    "__reduce__ with a lock and a lambda among its arguments",
    "x.lock",
    "x.__reduce__()[1][2]['made'][0]",
    same=False,
    mend=False,
)
def reduce_arguments() -> Any:
    return ReducesToArguments()


class ReducesByLambda:
    def __reduce__(self) -> Any:
        return (lambda: None), ()


@specimen("__reduce__ to a lambda", "x.odd.__reduce__()[0]", same=False, mend=False)
def reduce_by_lambda() -> Any:
    return Box(odd=ReducesByLambda())


class Registered(Reader):
    """Known to copyreg, below."""


def reduce_registered(obj: Registered) -> Any:
    return rebuilt, ([obj.lock], {"made": threading.Lock()})


copyreg.pickle(Registered, reduce_registered)


@specimen(
    "type registered with copyreg",
    "x.part.lock",
    "reduce_registered(x.part)[1][1]['made']",
    same=False,
    mend=False,
)
def registered() -> Any:
    return Box(part=Registered())


class NewArguments:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __getnewargs_ex__(self) -> Any:
        return (1, self.lock), {"key": self.lock}

    def __getstate__(self) -> None:
        return None


@specimen("arguments for __new__", "x.lock", mend=True)
def new_arguments() -> Any:
    return NewArguments()


class Explosive:
    """Whoever runs its properties learns it."""

    @property
    def lock(self) -> Any:
        raise AssertionError("a property was run")

    @property
    def file(self) -> Any:
        raise AssertionError("a property was run")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError(f"{name} was asked for")


@specimen("properties that raise", "x.real")
def explosive() -> Any:
    made = Explosive()
    made.real = threading.Lock()
    return made


@specimen("property over a stored lock", "x.__dict__['lock']")
def hidden_by_property() -> Any:
    made = Explosive()
    vars(made)["lock"] = threading.Lock()
    return made


class Lying(Box):
    __class__ = property(lambda self: Box)  # type: ignore[assignment]


class ClassRaises(Box):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")

    @__class__.setter
    def __class__(self, kind: type) -> None:
        """It stays."""


@specimen("false and raising __class__", "x.lying", "x.raising")
def false_class() -> Any:
    return Box(lying=Lying(number=1), raising=ClassRaises(number=1))


@specimen("attribute whose name is no name", "x.__dict__['a lock']")
def odd_attribute() -> Any:
    return Box(**{"a lock": threading.Lock()})


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    lock: Any


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    name: str
    lock: Any


@specimen("data classes", "x[0].lock", "x[1].lock", mend=False)
def data_classes() -> Any:
    return [Frozen("a", threading.Lock()), FrozenSlots("b", threading.Lock())]


class Named(NamedTuple):
    name: str
    lock: Any


@specimen("named tuple", "x.pair.lock", mend=False)
def named_tuple() -> Any:
    return Box(pair=Named("a", threading.Lock()))


@specimen("exception with a lock among its arguments", "x.error.args[1]", mend=False)
def exception() -> Any:
    return Box(error=ValueError("no", threading.Lock()))


# Containers


class Tuple(tuple):
    """A tuple of one's own."""


class List(list):  # type: ignore[type-arg]
    """A list of one's own."""


class Dict(dict):  # type: ignore[type-arg]
    """A dictionary of one's own."""


class Set(set):  # type: ignore[type-arg]
    """A set of one's own."""


@specimen("nested containers", "x.tables['hg38'][3].lock")
def nested() -> Any:
    return Box(tables={"hg19": [], "hg38": [1, {}, (2,), Reader()]})


@specimen(
    "subclasses of containers",
    "x[0][1]",
    "x[1][0]",
    "x[1].name",
    "x[2]['a']",
    "list(x[3])[0]",
    mend=False,
)
def container_subclasses() -> Any:
    with_name = List([threading.Lock()])
    with_name.name = threading.Lock()
    return [
        Tuple((1, threading.Lock())),
        with_name,
        Dict(a=threading.Lock()),
        Set([threading.Lock()]),
    ]


@specimen(
    "containers of collections",
    "x[0]['a']",
    "x[1].default_factory",
    "x[1]['b']",
    "x[2][1]",
    "x[3].maps[1]['c']",
    "x[4].data['d']",
    "x[5]['e']",
    "x[6].lock",
)
def collections_containers() -> Any:
    default: Any = collections.defaultdict(lambda: 0)
    default["b"] = threading.Lock()
    counter: Any = collections.Counter()
    counter["e"] = threading.Lock()
    return [
        collections.OrderedDict(a=threading.Lock()),
        default,
        collections.deque([0, threading.Lock()]),
        collections.ChainMap({}, {"c": threading.Lock()}),
        collections.UserDict({"d": threading.Lock()}),
        counter,
        types.SimpleNamespace(lock=threading.Lock()),
    ]


@specimen(
    "keys of dictionaries, elements of sets",
    "list(x[0])[1]",
    "list(x[1])[0]",
    "list(x[2])[0]",
    "list(x[3])[0][1]",
    mend=False,
)
def keys() -> Any:
    return [
        {"a": 1, threading.Lock(): 2},
        {threading.Lock()},
        frozenset([threading.Lock()]),
        {("a", threading.Lock()): 1},
    ]


@specimen(
    "values under keys of all kinds",
    "x[\"a 'b'\"]",
    "x[-3]",
    "x[('hg38', 3)]",
    "list(x.values())[3]",
    "list(x.values())[4]",
    "x[b'c']",
    mend=False,
)
def odd_keys() -> Any:
    keys: list[Any] = ["a 'b'", -3, ("hg38", 3), Color.RED, float("nan"), b"c"]
    return {key: threading.Lock() for key in keys}


# Shape


@specimen("cycle", "x.children[0].lock")
def cycle() -> Any:
    root = Box(children=[])
    root.children.append(Box(parent=root, lock=threading.Lock()))
    root.itself = root
    return root


@specimen("cycle without a culprit")
def good_cycle() -> Any:
    root = Box(children=[])
    root.children.append(Box(parent=root, again=root.children))
    return root


@specimen("one culprit by two ways", "x.lock", mend=False)
def shared() -> Any:
    lock = threading.Lock()
    return Box(far=[[[lock]]], lock=lock)


@specimen("the root itself", "x", mend=False)
def root() -> Any:
    return threading.Lock()


def nested_lists(depth: int, innermost: Any = None) -> Any:
    made = [innermost]
    for _ in range(depth):
        made = [made]
    return made


def too_deep(depth: int) -> bool:
    """Whether so many lists are too deep for this Python."""
    try:
        pickle.dumps(nested_lists(depth))
    except RecursionError:
        return True
    return False


@specimen("nested 1,500 deep", *(["x.tree"] if too_deep(1_500) else []))
def deep() -> Any:
    return Box(number=1, tree=nested_lists(1_500))


@specimen("nested 100,000 deep", "x.tree")
def deeper() -> Any:
    return Box(number=1, tree=nested_lists(100_000))


@specimen(
    "culprits before, below and after what is too deep",
    "x.a",
    "x.b",
    "x.c",
    "x.b" + "[0]" * 50_001,
    same=False,  # Python cannot parse so long an expression
    mend=False,
)
def deep_with_culprits() -> Any:
    return Box(a=threading.Lock(), b=nested_lists(50_000, threading.Lock()), c=threading.Lock())


class Node:
    def __init__(self, following: Any) -> None:
        self.following = following


@specimen("linked list of 20,000", "x.cache['head']")
def linked_list() -> Any:
    head = None
    for _ in range(20_000):
        head = Node(head)
    return Box(cache={"head": head})


@specimen("ten million numbers")
def ten_million() -> Any:
    return Box(numbers=list(range(10_000_000)))


@specimen("a million objects and a lock", "x[1000000].lock")
def many_objects() -> Any:
    return [*(Node(number) for number in range(1_000_000)), Reader()]


# What real datasets hold


def upstream() -> types.ModuleType:
    from cpgpt_doctor.patient.upstream import import_alone

    return import_alone()


def write_fasta() -> str:
    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH.name), "genome.fa")
    with open(path, "w", encoding="ascii") as out:
        out.write(">1\n" + "ACGT" * 15 + "\n")
    return path


@specimen(
    "CpGPT's dataset",
    "x.genome.faidx.file",
    "x.genome.faidx.key_function",
    "x.genome.faidx.filt_function",
    "x.genome.faidx.lock",
    needs="cpgpt",
)
def cpgpt_dataset() -> Any:
    module = upstream()
    return module.GenomicSequenceDataset(["1:10"], module.Fasta(write_fasta()), 20)


def esm_tokenizer() -> Any:
    from transformers import EsmTokenizer

    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH.name), "vocab.txt")
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(["<unk>", "<pad>", "<mask>", "<cls>", "A", "C", "G", "T"]))
    return EsmTokenizer(path)


@specimen("CpGPT's collate function with a slow tokenizer", needs="cpgpt")
def cpgpt_collate() -> Any:
    return functools.partial(upstream().collate_sequences, tokenizer=esm_tokenizer())


@specimen(
    "CpGPT's collate function with a tokenizer that holds a lambda",
    "x.keywords['tokenizer'].cleaner",
    needs="cpgpt",
)
def cpgpt_collate_lambda() -> Any:
    tokenizer = esm_tokenizer()
    tokenizer.cleaner = lambda text: text.upper()
    return functools.partial(upstream().collate_sequences, tokenizer=tokenizer)


@specimen("loguru logger", "x.logger._core.handlers[0]._sink._stream", needs="loguru")
def loguru_logger() -> Any:
    from loguru._logger import Core, Logger

    logger = Logger(Core(), None, 0, False, False, False, False, True, [], {})
    logger.add(open(os.devnull, "w", encoding="utf-8"))
    return Box(logger=logger)


@specimen("NumPy arrays", "x.objects.flat[2]", needs="numpy")
def numpy_arrays() -> Any:
    import numpy as np

    objects = np.array([[1, 2], [None, 4]], dtype=object)
    objects[1, 0] = threading.Lock()
    return Box(
        small=np.arange(10),
        big=np.zeros((1000, 1000)),
        scalar=np.float32(1),
        kind=np.dtype("f4"),
        generator=np.random.default_rng(1),
        objects=objects,
    )


@specimen("NumPy memory map", needs="numpy")
def numpy_memmap() -> Any:
    import numpy as np

    path = os.path.join(tempfile.mkdtemp(dir=SCRATCH.name), "rows.mmap")
    return Box(rows=np.memmap(path, dtype="f4", mode="w+", shape=(1_000, 512)))


@specimen("torch tensors", needs="torch")
def tensors() -> Any:
    import torch

    return Box(
        plain=torch.zeros(3),
        leaf=torch.zeros(3, requires_grad=True),
        parameter=torch.nn.Parameter(torch.zeros(3)),
        layer=torch.nn.Linear(2, 2),
        shared=torch.zeros(3).share_memory_(),
        storage=torch.zeros(3).untyped_storage(),
        typed=torch.storage.TypedStorage(
            wrap_storage=torch.zeros(3).untyped_storage(), dtype=torch.float32, _internal=True
        ),
        device=torch.device("cpu"),
        kind=torch.float32,
    )


@specimen("torch tensor with a history", "x.loss", needs="torch")
def non_leaf() -> Any:
    import torch

    return Box(loss=torch.zeros(3, requires_grad=True) * 2)


@specimen("torch module with a hook", "x.model._forward_hooks[0]", needs="torch", mend=False)
def hooked_module() -> Any:
    import torch

    model = torch.nn.Linear(2, 2)
    model._forward_hooks[0] = lambda *_: None
    return Box(model=model)


@specimen("torch tensor of one's own class", "x.tensor.lock", needs="torch")
def tensor_subclass() -> Any:
    import torch

    tensor = torch.zeros(3).as_subclass(own_tensor())
    tensor.lock = threading.Lock()
    return Box(tensor=tensor)


@functools.cache
def own_tensor() -> Any:
    import torch

    made = type("OwnTensor", (torch.Tensor,), {"__module__": __name__})
    globals()["OwnTensor"] = made
    return made


@specimen("iterator of a DataLoader", "x.batches", needs="torch")
def loader_iterator() -> Any:
    from torch.utils.data import DataLoader

    return Box(batches=iter(DataLoader([1, 2])))


if __name__ == "__main__":
    from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable

    for each in SPECIMENS:
        if each.is_here:
            found = tuple(culprit.path for culprit in find_unpicklable(each.make(), "x").culprits)
            print("right" if found == each.culprits else f"WRONG {found}"[:300], each.name)
