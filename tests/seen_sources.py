"""Facts of machines with the corpus of sources, for what is true of every finding."""

from __future__ import annotations

from dataclasses import replace

from cpgpt_doctor.facts import Facts
from tests.sources import corpus

EVERY: tuple[Facts, ...] = tuple(
    replace(corpus.facts(letter), sources=corpus.seen(case))
    for case in corpus.cases()
    for letter in corpus.letters(case)
)
