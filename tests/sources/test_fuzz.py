"""Whatever stands in a file, reading it ends in facts: a program, or the reason why it is none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cpgpt_doctor import fix
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.sources.read import read
from tests.sources import corpus

SEEDS = [path for case in corpus.cases() for path in corpus.files(case)]
RAW = {path: path.read_bytes() for path in SEEDS}
# Texts that change what a file is: brackets, quotes, ends of lines, names that are looked for.
PIECES = [
    *(b"(", b")", b"[", b"]", b"{", b"}", b'"', b"'", b'"""', b"\\", b"\n", b"\r", b"\r\n", b"\t"),
    *(
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xe5\xb5\x8c",
        b"*",
        b"**",
        b":",
        b",",
        b"=",
        b"if ",
        b"#",
    ),
    *(
        b"num_workers",
        b"lambda: ",
        b"N",
        b"None",
        b"0",
        b"4",
        b"for x in x: ",
        b"embedder",
        b"self.",
    ),
    *(
        b"import ",
        b"from . import *\n",
        b"global N\n",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"${data}",
        b"%%",
    ),
    *(b"%time ", b"!", b"await ", b"del N\n", b"# cpgpt-doctor: ignore[", b"\\u12", b"1" * 5000),
]


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """A file with a few changes: cut, doubled, swapped, with a piece put in or a byte changed."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(raw)) for _ in range(2))
        to = min(to, at + chance.choice((1, 3, 40, 400)))
        how = chance.randrange(5)
        if how == 0:
            raw = raw[:at] + raw[to:]
        elif how == 1:
            raw = raw[:to] + raw[at:]
        elif how == 2:
            raw = raw[:at] + chance.choice(PIECES) + raw[at:]
        elif how == 3:
            raw = raw[:at] + chance.choice(PIECES) + raw[to:]
        else:
            raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    return raw


def judged(path: Path, raw: bytes) -> None:
    """Read, judge and mend a file of these bytes; only what the rules say may come out of it."""
    path.touch()
    sources = read([path], {str(path): raw})
    for letter in "LW":
        found = corpus.findings(letter, sources)
        assert all(each.location is not None for each in found)
    for file in sources.files:
        assert file.problem == "" or file.place is not None
    made = fix.mend([path], corpus.facts("L"), Intent(), fix.Choice(unsafe=True), {str(path): raw})
    left = [each for each in made.left if each.severity is Severity.error and each.edits]
    assert left == [] or made.refused, raw


def run(count: int, seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    for number in range(count):
        source = chance.choice(SEEDS)
        raw = mutated(RAW[source], chance)
        try:
            judged(folder / f"case{source.suffix}", raw)
        except Exception as error:
            raise AssertionError(f"seed {seed}, input {number}: {raw!r}") from error


def test_mutated_files_are_read_judged_and_mended_without_a_crash(tmp_path: Path) -> None:
    run(150, 20261126, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_thousand_mutated_files(seed: int, tmp_path: Path) -> None:
    run(5000, seed, tmp_path)
