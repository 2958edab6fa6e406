"""What is written beside each case of the corpus is found, and nothing else; fix mends it."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

import pytest

from cpgpt_doctor import fix
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.sources import edit
from cpgpt_doctor.sources.read import read
from tests.sources import corpus

CASES = corpus.cases()
EACH = [
    pytest.param(case, letter, id=f"{case.relative_to(corpus.CASES).as_posix()}-{letter}")
    for case in CASES
    for letter in corpus.letters(case)
]
# Findings that nobody but the user can mend: what failed, what cannot be read, how a program is
# built.
BY_HAND = ("CPG610", "CPG611", "CPG612")
# What an edit may put in, and how much of a line it may take out.
VOCABULARY = set(
    b"num_workers prefetch_factor persistent_workers None False if else pass human f"
    b" import as args settings lambda cpgpt_loader cpgpt_module DataLoader cpgpt data components"
    b" dna_llm_embedder WORKERS workers ROOT n nembedder".split()
)
TOKEN = re.compile(rb"\w+|\s|[^\w\s]")
LONGEST = 80


def test_the_corpus_has_as_many_cases_as_are_claimed() -> None:
    assert len(CASES) >= 80
    for suffix in (".py", ".ipynb", ".yaml"):
        assert sum(case.suffix == suffix for case in CASES) >= 8
    assert sum(case.is_dir() for case in CASES) >= 4


@pytest.mark.parametrize(("case", "letter"), EACH)
def test_each_case_is_judged_without_a_false_alarm_and_without_a_miss(
    case: Path, letter: str
) -> None:
    found = corpus.findings(letter, corpus.seen(case))
    assert sorted(map(corpus.said, found)) == corpus.expected(case, letter)


@pytest.mark.parametrize(("case", "letter"), EACH)
def test_fix_makes_every_wrong_one_right_and_a_second_time_changes_nothing(
    case: Path, letter: str, tmp_path: Path
) -> None:
    copy = copied(case, tmp_path)
    made = fix.mend([copy], corpus.facts(letter), Intent(), fix.Choice(unsafe=True))
    assert made.refused == {}
    fix.write(made)
    left = corpus.wrong(corpus.findings(letter, read([copy])))
    links = [each for each in left if each.code == "CPG609" and not each.edits]
    assert [each.code for each in left if each not in links and each.code not in BY_HAND] == []
    again = fix.mend([copy], corpus.facts(letter), Intent(), fix.Choice(unsafe=True))
    assert again.changed == []


@pytest.mark.parametrize(("case", "letter"), EACH)
def test_what_is_right_is_left_as_it_is_byte_for_byte(
    case: Path, letter: str, tmp_path: Path
) -> None:
    """Lines that are changed are those of a finding; all others stay as they were."""
    copy = copied(case, tmp_path)
    before = {path: path.read_bytes() for path in corpus.files(copy)}
    found = corpus.findings(letter, read([copy]))
    fix.write(fix.mend([copy], corpus.facts(letter), Intent(), fix.Choice(unsafe=True)))
    edits = edit.by_file(each for one in found for each in one.edits)
    for path, raw in before.items():
        after = path.read_bytes()
        own = edits.get(str(path), [])
        if not own:
            assert after == raw, path
            continue
        same = difflib.SequenceMatcher(None, TOKEN.findall(raw), TOKEN.findall(after), False)
        for tag, start, end, first, last in same.get_opcodes():
            if tag != "equal":
                gone, come = same.a[start:end], same.b[first:last]
                assert len(b"".join(gone)) <= LONGEST, gone
                assert {each for each in come if each.isalpha()} <= VOCABULARY, come


def copied(case: Path, folder: Path) -> Path:
    copy = folder / case.name
    if case.is_dir():
        shutil.copytree(case, copy)
    else:
        shutil.copyfile(case, copy)
    return copy


def test_a_note_is_left_alone_unless_its_rule_is_chosen(tmp_path: Path) -> None:
    copy = copied(corpus.CASES / "data_module_pinned.py", tmp_path)
    facts = corpus.facts("L")
    assert fix.mend([copy], facts, Intent(), fix.Choice(unsafe=True)).changed == []
    chosen = fix.mend([copy], facts, Intent(), fix.Choice(("CPG607",), unsafe=True))
    assert chosen.changed == [str(copy)]
    assert b"pin_memory=False" in chosen.after[str(copy)]


def test_an_unsafe_edit_is_made_with_unsafe_only(tmp_path: Path) -> None:
    copy = copied(corpus.CASES / "fork_is_set.py", tmp_path)
    facts = corpus.facts("L")
    safe = fix.mend([copy], facts, Intent(), fix.Choice())
    assert b"set_start_method" in safe.after[str(copy)]
    assert b"num_workers=0" in safe.after[str(copy)]
    wide = fix.mend([copy], facts, Intent(), fix.Choice(unsafe=True))
    assert b"set_start_method" not in wide.after[str(copy)]


def test_every_code_of_the_area_is_in_the_corpus_as_wrong_and_as_well() -> None:
    seen = {
        each.code
        for case in CASES
        for letter in corpus.letters(case)
        for each in corpus.expected(case, letter)
    }
    assert seen == {f"CPG{number}" for number in range(601, 613)}
    right = [case for case in CASES if not any(map(has_mark, corpus.files(case)))]
    assert len(right) >= 25


def has_mark(path: Path) -> bool:
    return re.search(rb"#> ?\d", path.read_bytes()) is not None


def test_the_severity_of_a_finding_follows_the_platform_that_is_asked_for() -> None:
    sources = corpus.seen(corpus.CASES / "keyword.py")
    for platform, severity in (("darwin", Severity.warning), ("win32", Severity.error)):
        (found,) = corpus.findings("L", sources, Intent(platform=platform))
        assert found.severity is severity
    (found,) = corpus.findings("M", sources, Intent(platform="linux", python="3.14"))
    assert "forkserver" in found.title.en
    (found,) = corpus.findings("M", sources, Intent(cpgpt="0.0.7"))
    assert found.severity is Severity.error
