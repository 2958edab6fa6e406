"""What a culprit is has words in both languages, for every kind of object in the zoo."""

from __future__ import annotations

import re

import pytest

from cpgpt_doctor.culprits import KINDS, about
from cpgpt_doctor.facts import Culprit, build
from cpgpt_doctor.patient.pickling import unpicklable
from tests.machines import recorded

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Terms of Python and PyTorch that Chinese uses as they are.
TERMS = {
    "lambda", "pickle", "pickler", "multiprocessing", "fork", "context", "detach", "traceback",
    "SQLite", "DataLoader", "ctypes", "reduce",
}  # fmt: skip
FILLED = {"name": "NAME", "place": "PLACE:1", "holds": ["ONE", "TWO"], "type": "TYPE"}
FILLED_WORDS = {"NAME", "PLACE", "ONE", "TWO", "TYPE"}


def latin(words: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]+", words))


def culprit(kind: str, **said: object) -> Culprit:
    return build({"path": "x.a", "error": "TypeError: no", "kind": kind, **said}, Culprit)


def test_what_the_patient_may_say_is_what_has_words() -> None:
    assert set(KINDS) == unpicklable.KINDS


@pytest.mark.parametrize("kind", sorted(unpicklable.KINDS))
@pytest.mark.parametrize("cached", [False, True])
def test_each_kind_says_the_same_in_both_languages(kind: str, cached: bool) -> None:
    words = about(culprit(kind, **FILLED, cached=cached))
    assert CHINESE.search(words.zh)
    assert not CHINESE.search(words.en)
    assert latin(words.zh) - TERMS <= FILLED_WORDS
    assert latin(words.zh) & FILLED_WORDS == latin(words.en) & FILLED_WORDS
    assert "{" not in words.en + words.zh
    assert ("cache" in words.en) == cached


@pytest.mark.parametrize(
    ("kind", "said", "english", "chinese"),
    [
        (
            "open-file", {"name": "/data/a b.fa"},
            "an open file, /data/a b.fa: its descriptor and position belong to this process",
            "已打开的文件 /data/a b.fa：文件描述符和读取位置属于本进程",
        ),
        (
            "closed-file", {},
            "a closed file: its descriptor and position belong to this process",
            "已关闭的文件：文件描述符和读取位置属于本进程",
        ),
        (
            "lambda", {"place": "/a.py:3"},
            "a lambda defined at /a.py:3: it has no name that a worker could import",
            "在 /a.py:3 定义的 lambda：没有可供工作进程导入的名字",
        ),
        (
            "lambda", {"place": "/a.py:3", "holds": ["file", "lock"]},
            "a lambda defined at /a.py:3 (it holds file, lock): it has no name that a worker could"
            " import",
            "在 /a.py:3 定义的 lambda（引用了 file、lock）：没有可供工作进程导入的名字",
        ),
        (
            "local-function", {"place": "/a.py:3", "cached": True},
            "with a cache, a function defined inside another, at /a.py:3: no worker can import it",
            "带缓存的函数：定义在另一个函数内部的函数，位于 /a.py:3：工作进程无法导入它",
        ),
        (
            "module", {"name": "operator"},
            "the module operator: modules are imported, not sent",
            "模块 operator：模块是导入的，不会被发送",
        ),
    ],
)  # fmt: skip
def test_names_and_places_stand_in_the_words(
    kind: str, said: dict[str, object], english: str, chinese: str
) -> None:
    words = about(culprit(kind, **said))
    assert (words.en, words.zh) == (english, chinese)


def test_a_name_that_looks_like_a_sentence_or_a_field_is_kept_whole() -> None:
    name = "/data/a: its descriptor {place} (it holds x)/b, c.fa"
    for words in (about(culprit("open-file", name=name)), about(culprit("module", name=name))):
        assert name in words.en
        assert name in words.zh


def test_a_kind_of_a_later_version_is_named_as_it_stands() -> None:
    words = about(culprit("quantum-state", type="qiskit.Circuit"))
    assert words.en == "an object of qiskit.Circuit (quantum-state)"
    assert words.zh == "qiskit.Circuit 的对象（quantum-state）"


def test_what_0_1_0_said_in_english_is_shown_as_it_stands() -> None:
    for facts in (recorded.linux_new(), recorded.linux_old()):
        assert facts.embedder
        assert facts.embedder.examined
        assert facts.embedder.examined.dataset
        for each in facts.embedder.examined.dataset.culprits:
            assert each.about
            assert about(each).en == about(each).zh == each.about
