"""What `describe` says of a culprit has a Chinese form, for every kind of object in the zoo."""

from __future__ import annotations

import re

import pytest

from cpgpt_doctor.culprits import WHOLE, about
from cpgpt_doctor.patient import anatomy
from cpgpt_doctor.patient.anatomy import dissect
from tests import zoo
from tests.machines import recorded

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What the Chinese shares with the English: paths, places in files, names with dots, the
# variables of a closure, and the terms of Python and PyTorch that both languages use.
SHARED = re.compile(r"/\S+|<\S+>(?::\d+)?|\w+(?:\.\w+|\.<\w+>)+|_\w+|\w+:\d+")
TERMS = {
    "lambda", "pickle", "pickler", "multiprocessing", "fork", "context", "detach", "traceback",
    "SQLite", "DataLoader", "ctypes", "reduce",
}  # fmt: skip


def left_over(words: str, names: set[str]) -> set[str]:
    """Latin words that are neither a name, a path nor a term of Python's."""
    return set(re.findall(r"[A-Za-z]+", SHARED.sub(" ", words))) - TERMS - names


@pytest.mark.parametrize(
    "specimen",
    [
        pytest.param(each, id=each.name)
        for each in zoo.SPECIMENS
        if each.culprits and each.is_here and each.make is not zoo.many_objects  # slow: one lock
    ],
)
def test_every_culprit_of_the_zoo_is_described_in_chinese(specimen: zoo.Specimen) -> None:
    culprits = dissect(specimen.make(), "x").culprits
    assert culprits
    for culprit in culprits:
        words = about(culprit.about)
        assert words.en == culprit.about
        assert CHINESE.search(words.zh), culprit.about
        holds = re.search(r"\(it holds (.+?)\)", words.en)
        names = {*culprit.type.split("."), *(holds[1].split(", ") if holds else ())}
        module = re.match(r"the module (\w+):", words.en)
        names |= {module[1]} if module else set()
        assert not left_over(words.zh, names), words.zh
        for shared in SHARED.findall(words.en):
            assert shared.rstrip(":,;)") in words.zh


def test_each_fixed_sentence_of_the_anatomy_has_a_chinese_form() -> None:
    fixed = {*anatomy.WORDS.values(), anatomy.TOO_DEEP, anatomy.FORK_ONLY}
    assert fixed <= set(WHOLE)
    for chinese in WHOLE.values():
        assert CHINESE.search(chinese)
        assert not left_over(chinese, set())


def test_no_sentence_is_kept_that_the_anatomy_no_longer_says() -> None:
    fixed = {*anatomy.WORDS.values(), anatomy.TOO_DEEP, anatomy.FORK_ONLY}
    (loss,) = dissect(zoo.non_leaf(), "x").culprits
    assert set(WHOLE) == fixed | {loss.about}


@pytest.mark.parametrize(
    ("made", "english", "chinese"),
    [
        (zoo.a_lambda, "a lambda defined at ", "定义的 lambda："),
        (zoo.closure, "(it holds lock)", "（引用了 lock）"),
        (zoo.cached_local, "with a cache, a function", "带缓存的函数：定义在另一个函数内部的函数"),
        (zoo.module, "the module operator", "模块 operator："),
        (zoo.local_instance, "a class defined inside a function", "定义在函数内部的类 tests.zoo."),
        (zoo.reduce_raises, "whose pickling raises at ", "zoo.py:"),
        (zoo.closed_file, "a closed file, ", "已关闭的文件 /"),
    ],
)
def test_forms_keep_their_names(made: object, english: str, chinese: str) -> None:
    (culprit,) = dissect(made(), "x").culprits  # type: ignore[operator]
    words = about(culprit.about)
    assert english in words.en
    assert chinese in words.zh


def test_a_file_whose_name_looks_like_the_sentence_is_kept_whole() -> None:
    name = "/data/a: its descriptor and position belong to this process/b, c.fa"
    text = f"an open file, {name}: its descriptor and position belong to this process"
    assert about(text).zh == f"已打开的文件 {name}：文件描述符和读写位置属于本进程"


def test_a_file_without_a_name_is_described() -> None:
    text = "a file: its descriptor and position belong to this process"
    assert about(text).zh == "文件：文件描述符和读写位置属于本进程"


def test_an_unknown_text_stays_as_it_is() -> None:
    assert about("something that no release says").zh == "something that no release says"


def test_the_recorded_culprits_of_cpgpt_are_known() -> None:
    for facts in (recorded.linux_new(), recorded.linux_old()):
        assert facts.embedder
        assert facts.embedder.examined
        assert facts.embedder.examined.dataset
        for culprit in facts.embedder.examined.dataset.culprits:
            assert about(culprit.about).zh != culprit.about
