"""Logs that are scored: known failures and look-alikes, gathered before rules were tuned on them.

`tune.txt` is to learn from; `score.txt` is for the score alone (benchmarks/logs.md): nobody reads
its logs to mend a rule. They were split at random, seed 20261126, each origin by itself; a log and
what was made of it by a tool (`cat -n`, `fold`) are in the same half.

A log begins with a line of its own:

    === CPG707 | https://github.com/OWNER/NAME/issues/1
    === none | printed by a run: Python 3.12 | why it is none

The codes are those that have to be found; `none` is a look-alike. Origins are public threads that
were opened (the lines that programs printed, names of users replaced), and runs. Texts of source
code and documentation that have the words of failures were written for the corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Half = Literal["tune", "score"]
BEGINS = re.compile(
    r"^=== (?P<codes>none|CPG\d{3}(?: CPG\d{3})*) \| (?P<origin>[^|\n]+?)(?: \| (?P<why>.+))?\n",
    re.M,
)
RUN = "printed by a run: "


@dataclass(frozen=True)
class Entry:
    """A log of the corpus; no codes: a look-alike."""

    codes: frozenset[str]
    origin: str
    why: str
    text: str

    @property
    def kind(self) -> str:
        """Where it comes from, as the score counts it."""
        if not self.origin.startswith(RUN):
            return "public threads"
        if "written for this corpus" in self.origin:
            return "texts written for it"
        return "runs, through a tool" if "; " in self.origin else "runs"


def entries(half: Half) -> Iterator[Entry]:
    text = (Path(__file__).parent / f"{half}.txt").read_bytes().decode()
    heads = list(BEGINS.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        codes = frozenset(head["codes"].split()) - {"none"}
        yield Entry(codes, head["origin"], head["why"] or "", text[head.end() : end])
