"""Every text of the rules is there in both languages, and says the same in both."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor import rules
from cpgpt_doctor.facts import (
    BatchTrial,
    Collate,
    Culprit,
    DeepLook,
    Facts,
    ForkedRead,
    MissingName,
    MovedOffset,
    Outcome,
    OwnDataset,
    PicklingReport,
    ProbeFailure,
    UnreadableFile,
    WindowTokens,
    WorkerStart,
)
from cpgpt_doctor.findings import Check, Judged
from cpgpt_doctor.intent import DNA_LLM, Intent, resolve
from cpgpt_doctor.rules.registry import all_rules, judge, judged
from cpgpt_doctor.rules.sources import files
from cpgpt_doctor.words import Words
from tests import seen, seen_folders, seen_sources
from tests.machines import recorded

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Numbers, codes of rules, options, settings, and names such as DataLoader or CUDA.
TOKEN = re.compile(
    r"CPG\d{3}|--[a-z][\w-]*|\w*_\w+|\d[\d.,]*\d|\d|\b\w*[a-z][A-Z]\w*|\b[A-Z]{2,}\b", re.ASCII
)
METHODS = ("fork", "spawn", "forkserver")
WORKS = Outcome(True, None, None, 0.1)
FAILS = Outcome(False, "RuntimeError", "boom", 2.0)
STUCK = PicklingReport((Culprit("x.file", "file", "TypeError: no", "an open file"),), None, True)
FINE = PicklingReport((), 120, True)
READ = ForkedRead("well", None, items=3, size=12288, open_files=3)
NOT_READ = (
    READ,
    None,
    *(
        replace(READ, ended=ended, detail=detail)  # type: ignore[arg-type]
        for ended, detail in (
            ("raised", "ValueError: x"),
            ("killed", "SIGSEGV"),
            ("exited", "status 3"),
            ("timeout", "60 s"),
        )
    ),
    replace(READ, items=0),
    replace(READ, size=0),
)
FORKED = tuple(WorkerStart(each, 2, WORKS) for each in METHODS)
BATCH = BatchTrial(
    DNA_LLM,
    "SixMers",
    False,
    tuple(WindowTokens(kind, 2000, 336) for kind in ("plain", "short", "N")),  # type: ignore[arg-type]
    2001,
    False,
    None,
)
BATCHES: tuple[dict[str, Any], ...] = (
    {},
    {"cached": True},
    {"masked": True},
    {"together": 336},
    {"together": None, "error": "OSError: x"},
    {"dna_llm": "x"},
)


def tokens(text: str) -> set[str]:
    return set(TOKEN.findall(text))


def texts(value: Any) -> Iterator[Words]:
    """All pairs of texts in a value."""
    if isinstance(value, Words):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))


def says_the_same(words: Words) -> None:
    assert words.en.strip()
    assert words.zh.strip()
    assert CHINESE.search(words.zh) or words.en == words.zh, words.zh
    assert tokens(words.en) == tokens(words.zh), (words.en, words.zh)


def platforms(base: Facts) -> Iterator[Facts]:
    yield base
    yield recorded.mac(base)
    yield recorded.mac(base, mps=False)
    yield recorded.mac(base, mps=False, machine="x86_64")
    yield recorded.windows(base)
    yield recorded.python_314(base)
    yield recorded.with_gpu(base)
    yield recorded.with_torch(base, cuda_build="12.4", cuda_available=True)
    unseen = recorded.with_torch(recorded.with_gpu(base), cuda_build="12.4")
    yield unseen
    yield recorded.with_variables(unseen, CUDA_VISIBLE_DEVICES="")
    yield recorded.with_examined(base, missing_seams=("Fasta", "DataLoader"))
    yield recorded.with_host(unseen, gpus=(), driver=None, container="docker")
    yield from (recorded.small(base), recorded.small(base, container=None))
    yield recorded.with_host(recorded.small(base), memory_limit=1 << 30)
    yield recorded.with_host(recorded.with_model(base, 2 << 30), memory_available=None)
    yield recorded.with_cuda(base, "12.0", "sm_80", "sm_90")
    yield recorded.with_cuda(base, "9.0", "sm_90")
    yield recorded.with_cuda(recorded.with_model(base, 2 << 30), "?", "sm_90", memory=2100 << 20)
    mps = recorded.mac(base)
    yield recorded.with_variables(mps, PYTORCH_MPS_HIGH_WATERMARK_RATIO="0.0")
    yield recorded.with_variables(
        mps, PYTORCH_MPS_HIGH_WATERMARK_RATIO="2", PYTORCH_ENABLE_MPS_FALLBACK="1"
    )


def with_workers(base: Facts, **changes: Any) -> Facts:
    assert base.workers
    return replace(base, workers=replace(base.workers, **changes))


def with_examined(base: Facts, **changes: Any) -> Facts:
    assert base.embedder
    assert base.embedder.examined
    return replace(
        base,
        embedder=replace(base.embedder, examined=replace(base.embedder.examined, **changes)),
    )


def with_import(base: Facts, error: str) -> Facts:
    assert base.embedder
    outcome = Outcome(False, "ImportError", error, 0.1)
    changed = replace(base.embedder, imported=outcome, imported_alone=WORKS, examined=None)
    return replace(base, embedder=changed)


def faulty(base: Facts) -> Iterator[Facts]:
    """Machines on which something is broken or was not looked at."""
    for probe, (kind, detail) in itertools.product(
        ("host", "packages", "accelerator", "embedder", "workers", "own_dataset"),
        (
            ("killed", "SIGSEGV"),
            ("exited", "status 3"),
            ("timeout", "60 s"),
            ("garbled", "its answer is not JSON"),
        ),
    ):
        failure = ProbeFailure(probe, kind, detail, "boom")  # type: ignore[arg-type]
        yield replace(base, failures=(failure,), **{probe: None})  # type: ignore[arg-type]
    assert base.packages
    assert base.packages.cpgpt
    quick = replace(
        base, accelerator=None, embedder=None, workers=None,
        skipped=("accelerator", "embedder", "workers"),
    )  # fmt: skip
    yield quick
    cpgpt = base.packages.cpgpt
    for packages in (
        replace(base.packages, cpgpt=replace(cpgpt, version="unknown")),
        replace(base.packages, installed={}),
        replace(base.packages, installed={}, without_metadata=("torch",)),
        replace(base.packages, cpgpt=replace(cpgpt, requires=("torch",)), installed={"torch": ""}),
        replace(base.packages, cpgpt=replace(cpgpt, requires=("; no",))),
    ):
        yield replace(quick, packages=packages)
        yield replace(base, packages=packages)
    yield replace(base, workers=None, skipped=("workers",))
    assert base.python
    yield replace(base, python=replace(base.python, version="none"))
    assert base.accelerator
    bare = replace(base.packages, cpgpt=None, installed={})
    absent = Outcome(False, "ModuleNotFoundError", "No module named 'torch'", 0.1)
    for outcome in (absent, FAILS):
        yield replace(
            with_import(base, "No module named 'torch'"),
            packages=bare,
            accelerator=replace(base.accelerator, outcome=outcome, torch=None),
            workers=None,
            failures=(ProbeFailure("workers", "exited", "status 1", "boom"),),
        )
    yield with_import(base, "No module named 'lightning'")
    yield with_import(base, "cannot import name 'x'")


def odd(base: Facts) -> Iterator[Facts]:
    """Machines on which trials came out otherwise than recorded."""
    assert base.embedder
    assert base.embedder.examined
    assert base.embedder.examined.dataset
    examined = base.embedder.examined
    yield with_examined(base, dataset=None, trials=())
    yield with_examined(base, dataset=replace(FINE, complete=False))
    yield with_examined(base, dataset=FINE)
    yield with_examined(base, dataset=replace(STUCK, complete=False), genome="/data/hg38.fa")
    yield with_examined(
        base, trials=tuple(replace(each, error="OSError: x") for each in examined.trials)
    )
    yield with_examined(
        base,
        trials=tuple(
            replace(each, error="OSError: x", prefetch_factor=None, pin_memory=None)
            for each in examined.trials
        ),
    )
    missing = (MissingName("transformers.pytorch_utils.x", "modeling.py", 27),)
    for changes in ({"missing": missing}, {"cached": True}, {"cached": True, "files": ("a.py",)}):
        codes = tuple(replace(each, **changes) for each in examined.remote_code)
        yield with_examined(base, remote_code=codes)
    yield with_examined(base, missing_seams=("DataLoader", "Fasta"))
    yield with_examined(base, remote_needs=dict.fromkeys(examined.remote_needs, False))
    yield with_examined(base, remote_code=())
    yield with_workers(base, moved=None, trial=None, starts=())
    yield with_workers(base, moved=())
    yield with_workers(base, trial=None)
    yield with_workers(base, collate=Collate(DNA_LLM, FAILS, None, None))
    unreached = tuple(replace(each, error="OSError: x", workers=None) for each in examined.trials)
    yield with_examined(base, trials=unreached)
    yield with_workers(base, starts=tuple(WorkerStart(each, 2, FAILS) for each in METHODS))
    for fast, anatomy in ((False, STUCK), (True, FINE)):
        for model in (DNA_LLM, "x"):
            yield with_workers(base, collate=Collate(model, WORKS, fast, anatomy))
    for forked in NOT_READ:
        yield with_workers(base, moved=(), forked=forked)
        yield replace(base, own_dataset=OwnDataset("m:d", WORKS, FINE, (), FORKED, forked))
    file = UnreadableFile("config.json", "ValueError: x")
    codes = tuple(replace(each, unreadable=file) for each in examined.remote_code)
    yield with_examined(base, remote_code=codes)
    yield with_examined(base, batch=replace(BATCH, windows=()))
    for changes in BATCHES:
        yield with_examined(base, batch=replace(BATCH, **changes))
    yield with_examined(base, batch=BATCH, remote_code=())
    for outcome, deep in ((FAILS, None), (WORKS, FINE), (WORKS, STUCK)):
        yield with_workers(base, deep=(DeepLook("embedder", outcome, deep),))
    moved = (MovedOffset("data.bin", 0, 8192),)
    starts = tuple(WorkerStart(each, 2, FAILS) for each in METHODS)
    for own in (
        OwnDataset("mine:make", FAILS, None, None, ()),
        OwnDataset("mine:make", WORKS, STUCK, moved, starts),
        OwnDataset("mine:make", WORKS, FINE, (), ()),
        OwnDataset("mine:make", WORKS, FINE, (), starts, NOT_READ[2]),
        OwnDataset("mine:make", WORKS, FINE, None, starts),
    ):
        yield replace(base, own_dataset=own)


def intents() -> Iterator[Intent]:
    for method, workers, via in itertools.product(
        (None, *METHODS), (0, 4), ("direct", "run-embed")
    ):
        yield Intent(via=via, num_workers=workers, start_method=method)  # type: ignore[arg-type]
    for batch_size, via in itertools.product((1, 8), ("direct", "run-embed")):
        yield Intent(via=via, batch_size=batch_size)  # type: ignore[arg-type]
    yield Intent(num_workers=1, start_method="fork")
    yield Intent(dna_llm="no-such-model")


def of_sources(facts: Facts) -> tuple[Judged, ...]:
    """What the rules of sources say, those of the comments that ignore findings too."""
    call = resolve(Intent(), facts)
    every = (Judged(rule.code, judged(rule, facts, call)) for rule in files.RULES)
    return files.ignored(tuple(every), facts)


@cache
def every_check() -> tuple[Check, ...]:
    """What the rules say of all these machines and intents."""
    return (
        tuple(
            judged.check
            for base in (recorded.linux_new(), recorded.linux_old())
            for facts in itertools.chain(platforms(base), faulty(base), odd(base))
            for intent in intents()
            for judged in judge(facts, intent)
        )
        + tuple(
            judged.check
            for facts in (*seen.EVERY, *seen_folders.EVERY)
            for via in ("direct", "run-embed")
            for allowed in seen.ALLOWED
            for judged in judge(facts, Intent(via, allowed=allowed))  # type: ignore[arg-type]
        )
        + tuple(each.check for facts in seen_sources.EVERY for each in of_sources(facts))
    )


def test_every_check_and_finding_says_the_same_in_both_languages() -> None:
    said = {words for check in every_check() for words in texts(check)}
    assert len(said) > 200
    for words in said:
        says_the_same(words)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: str(rule.code))
def test_every_subject_is_there_in_both_languages(rule: Any) -> None:
    says_the_same(rule.subject)


# Also what no machine here brings out: the texts as they are written.


def written(node: ast.expr) -> tuple[str, set[str]] | None:
    """The fixed part of a text and the expressions in it; None where it is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, set()
    if not isinstance(node, ast.JoinedStr):
        return None
    fixed, filled = "", set()
    for part in node.values:
        if isinstance(part, ast.Constant):
            fixed += str(part.value)
        else:
            filled.add(re.sub(r"\bzh\b", "en", ast.unparse(part)).replace("、", ", "))
            fixed += "…"
    return fixed, filled


def pairs() -> Iterator[Any]:
    for path in sorted(Path(rules.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Words":
                yield pytest.param(node, id=f"{path.name}:{node.lineno}")


@pytest.mark.parametrize("call", list(pairs()))
def test_every_pair_is_filled_with_the_same_in_both_languages(call: ast.Call) -> None:
    english, chinese = map(written, call.args)
    if english is not None and chinese is not None:
        assert english[1] == chinese[1]
        assert tokens(english[0]) == tokens(chinese[0])
        assert bool(english[0].strip()) == bool(chinese[0].strip())
