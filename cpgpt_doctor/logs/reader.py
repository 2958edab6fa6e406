"""Streams a log and keeps what it shows, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import BinaryIO

from cpgpt_doctor.logs import forms
from cpgpt_doctor.logs.forms import HEADER, Open
from cpgpt_doctor.logs.lines import has, lines
from cpgpt_doctor.logs.values import Failure, Frame, Log, Noted, Raised, Watched

# Lines kept after an error's line.
AFTER = 12
# A traceback whose error has not come within so many lines of something else is given up.
PATIENCE = 50
# Different failures and lines kept: those watched for, and others.
MOST_WATCHED = 2000
MOST_OTHERS = 500

TIMESTAMP = r"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
LINKS = re.compile(
    r"The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred"
    r"|-- Process \d+ terminated with the following error"
)
IGNORED = re.compile(r"Exception ignored (?:in|while)\b")
# An error's line outside of a traceback, alone or behind what a logger or launcher puts first.
BEFORE_ERROR = (
    rf"(?:\[[^\]]{{1,80}}\]:?\s*|\([^)]{{1,80}}\)\s*|{TIMESTAMP}\s*"
    r"|[\w.:-]{1,60} ?\|\s*|[|-]\s*)*"
)
# With bounds, so that no line takes long.
QUALIFIED = r"(?:[A-Za-z_]\w{0,80}\.){0,12}\w{0,80}"
LONE = re.compile(
    BEFORE_ERROR + rf"(?P<kind>{QUALIFIED}(?:Error|Exception|Empty))(?:: (?P<message>.+)|:)?$"
)
ENDS = re.compile(r"(?:Error|Exception|Empty)(?::|$)")
KIND = re.compile(rf"(?<![\w.])(?P<kind>{QUALIFIED}(?:Error|Exception)): ")
# A record of level ERROR, as logging, loguru, Hydra and others write it.
LOGGED = re.compile(
    r"(?:ERROR|CRITICAL|FATAL)\s?[:|\]-]"
    r"|\[[^\]]*\b(?:ERROR|CRITICAL|FATAL)\b"
    rf"|[\[(]?{TIMESTAMP}.{{0,80}}?[\s|\[:-](?:ERROR|CRITICAL|FATAL)(?=[\s|\]:,-])"
)
# The end of a process, as the interpreter, the C++ library, the shell and Slurm tell it.
DIED = re.compile(
    r"Fatal Python error: |terminate called after throwing an instance of "
    r"|s(?:lurmstepd|run): error: "
    r"|(?:.*: line \d+: +\d+ )?(?:Segmentation fault|Bus error|Aborted|Illegal instruction"
    r"|Floating point exception|段错误|总线错误|已放弃)\b"
)
ESCAPED = r"\n  File \""
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
NUMBER = re.compile(r"(?<![A-Za-z_])\d+(?:[.,:]\d+)*")

# Lines without any of these, and without a word that is watched for, tell of no failure.
LEVELS = ("ERROR", "CRITICAL", "FATAL")
DEATHS = (
    *("Fatal Python error", "terminate called", "slurmstepd: error", "srun: error"),
    *("Segmentation fault", "Bus error", "Aborted", "Illegal instruction"),
    *("Floating point exception", "段错误", "总线错误", "已放弃"),
)
WORDS = ("Traceback", 'File "', "Error", "Exception", *LEVELS, *DEATHS)


@dataclass
class Draft:
    """An exception in the making: lines that follow it may still belong to it."""

    kind: str
    message: str
    frames: tuple[Frame, ...]
    at_line: int
    after: list[str] = field(default_factory=list)


@dataclass
class Chain:
    """Exceptions that belong together, until it is clear that no more follow."""

    prefix: re.Pattern[str] | None
    drafts: list[Draft] = field(default_factory=list)
    opened: Open | None = None
    opened_at: int = 0
    settled: bool = False  # the prefix was found again, or given up
    linked: bool = False  # a line said that the next traceback belongs to it
    grouped: bool = False  # an exception group's: the next one behind its rail belongs to it
    headless: bool = False  # pasted without its first line
    left: int = AFTER  # lines to wait for such a line
    ignored: bool = False

    def own(self, text: str) -> str | None:
        """The text without the prefix of this traceback's lines, None where it has not got it."""
        if self.prefix is None:
            return text
        found = self.prefix.match(text)
        if found:
            self.settled = True
            return text[found.end() :]
        if not self.settled and (not text or forms.BEGINS.match(text)):
            self.prefix = None  # what stood before the header was something else: a progress bar
            return text
        return None


def prefix(before: str) -> re.Pattern[str] | None:
    """What the lines of a traceback begin with, from what stands before its header."""
    shown = before.rstrip()
    if not shown:
        return None
    pieces = re.split(f"({TIMESTAMP})", shown)
    pattern = "".join(
        TIMESTAMP if position % 2 else re.escape(piece) for position, piece in enumerate(pieces)
    )
    return re.compile(rf"{pattern}(?:{re.escape(before[len(shown) :])}|$)")


@lru_cache(maxsize=64)  # the same message often comes many times in a row
def alike(text: str) -> str:
    """The text without what changes from one time to the next."""
    return NUMBER.sub("#", ADDRESS.sub("#", text))


class Reader:
    """The state of reading; `line` takes the next line."""

    def __init__(self, watch: tuple[Watched, ...]) -> None:
        self.watch = [(word, each.pattern) for each in watch for word in each.words]
        self.chains: list[Chain] = []  # not finished
        self.record: Noted | None = None  # of level ERROR: a traceback may follow
        self.record_left = 0
        self.ignored_at = -AFTER
        self.failures: dict[object, Failure] = {}
        self.times: dict[object, int] = {}  # how often each was seen
        self.noted: dict[str, Noted] = {}
        self.left_out = 0
        self.others = 0

    def line(self, number: int, text: str, *, has_word: bool = True) -> None:
        """Take a line; has_word: it may have one of the words."""
        if not has_word and not self.chains and self.record is None:
            return
        if ESCAPED in text:  # a structured log holds a traceback in one line
            for part in text.replace(r"\"", '"').split(r"\n"):
                self.line(number, part)
            return
        if HEADER in text and self.header(number, text):
            return
        taken = False
        for chain in self.chains[::-1]:
            own = chain.own(text)
            if own is None:
                self.age(chain)
            elif not taken:
                taken = self.opened(chain, number, own) if chain.opened else self.follow(chain, own)
            if chain.opened is None and chain.left <= 0:
                self.finish(chain)
        if not taken:
            self.scan(number, text, has_word=has_word)

    def watched(self, text: str) -> re.Match[str] | None:
        for word, pattern in self.watch:
            if word in text:
                found = pattern.search(text)
                if found is not None:
                    return found
        return None

    def header(self, number: int, text: str) -> bool:
        """Open a traceback, where the line is the head of one."""
        before, _, rest = text.partition(HEADER)
        opened: Open | None = None
        chain_prefix: re.Pattern[str] | None = None
        box = forms.RICH_HEADER.search(text)
        if box:
            opened = Open(forms.rich)
            chain_prefix = prefix(text[: box.start()])
        elif rest.startswith(":"):
            group = before.endswith("Exception Group ")
            original = before.endswith("Original ")
            before = before.removesuffix("Exception Group ").removesuffix("Original ")
            rail = re.search(r"\s*[|+] $", before)
            opened = Open(forms.classic, group=group or rail is not None)
            chain_prefix = prefix(before[: rail.start()] if rail else before)
            if original:
                self.link(chain_prefix)
        else:
            named = forms.NOTEBOOK_HEADER.search(text)
            if named:
                opened = Open(forms.notebook, expected=named["kind"])
                chain_prefix = prefix(text[: named.start()])
        if opened is None:
            return False
        chain = self.continued(chain_prefix, group=opened.group)
        chain.ignored = chain.ignored or number - self.ignored_at <= 2
        chain.opened, chain.opened_at = opened, number
        self.record = None  # what was logged is this traceback
        return True

    def continued(self, of: re.Pattern[str] | None, *, group: bool = False) -> Chain:
        """The chain that the next exception belongs to: one that was linked to it, or a new one."""
        found: Chain | None = None
        for chain in self.chains[::-1]:
            if chain.opened is None and same(chain, of):
                if found is None and (chain.linked or (chain.grouped and group)):
                    found = chain
                else:
                    self.finish(chain)
        if found is None:
            found = Chain(of)
            self.chains.append(found)
        found.linked = found.grouped = False
        return found

    def link(self, of: re.Pattern[str] | None) -> None:
        for chain in reversed(self.chains):
            if chain.opened is None and same(chain, of):
                chain.linked = True
                return

    def opened(self, chain: Chain, number: int, text: str) -> bool:
        """Take the line into the chain's open traceback."""
        opened = chain.opened
        assert opened is not None
        step = opened.form(opened, text)
        if step == "own":
            return True
        if isinstance(step, str) or (chain.headless and not forms.BARE_KIND.search(step[0])):
            self.age(chain)
            return False
        kind, message = step
        if forms.CLASSIC_FRAME.match(message):  # another process's line in this one's
            message = ""
        chain.drafts.append(Draft(kind, message, tuple(opened.frames), number))
        chain.opened, chain.left = None, AFTER
        chain.grouped = opened.group
        return True

    def age(self, chain: Chain) -> None:
        """A line that is not of this chain went by."""
        if chain.opened is None:
            chain.left -= 1
            return
        chain.opened.foreign += 1
        if chain.opened.foreign > PATIENCE:
            self.give_up(chain)

    def give_up(self, chain: Chain) -> None:
        """The traceback's error did not come."""
        assert chain.opened is not None
        if chain.opened.frames and not chain.headless:
            draft = Draft("", "", tuple(chain.opened.frames), chain.opened_at)
            chain.drafts.append(draft)
        chain.opened, chain.left = None, 0

    def follow(self, chain: Chain, text: str) -> bool:
        """A line after an error's line: part of its message, a link, or something else."""
        chain.left -= 1
        last = chain.drafts[-1]
        if LINKS.search(text) or (text == '"""' and last.kind.endswith("RemoteTraceback")):
            chain.linked = True
            chain.left = AFTER
            return True
        if len(last.after) < AFTER:
            last.after.append(text)
        return text.startswith("    ")

    def scan(self, number: int, text: str, *, has_word: bool) -> None:
        """A line outside of tracebacks."""
        if self.record is not None:
            self.record_left -= 1
            if self.record_left <= 0:
                self.note(self.record)
                self.record = None
        if not has_word:
            return
        if IGNORED.match(text):
            self.ignored_at = number
            return
        if forms.CLASSIC_FRAME.match(text):  # a traceback pasted without its first line
            chain = Chain(None, opened=Open(forms.classic), opened_at=number, headless=True)
            self.chains.append(chain)
            self.opened(chain, number, text)
            return
        watched = self.watched(text)
        error = self.lone_error(text, watched)
        if error:
            chain = self.continued(None)
            chain.drafts.append(Draft(*error, (), number))
            chain.left = AFTER
            return
        died = has(text, DEATHS) and DIED.match(text) is not None
        logged = has(text, LEVELS) and LOGGED.match(text) is not None
        if watched or died:
            self.note(Noted(text, number, logged=died or logged))
        elif logged:
            if self.record is not None:
                self.note(self.record)
            self.record, self.record_left = Noted(text, number, logged=True), 3

    def lone_error(self, text: str, watched: re.Match[str] | None) -> tuple[str, str] | None:
        """Kind and message of an error's line; of a watched one, anywhere in the line."""
        if ENDS.search(text) is None:
            return None
        error = LONE.match(text)
        if error:
            return error["kind"], error["message"] or ""
        if watched:
            for error in KIND.finditer(text):
                if error.end() <= watched.end():
                    return error["kind"], text[error.end() :]
        return None

    def note(self, noted: Noted) -> None:
        key = alike(noted.text)
        before = self.noted.get(key)
        if before is not None:
            self.noted[key] = Noted(before.text, before.at_line, before.times + 1, before.logged)
        elif self.room(not noted.logged, len(self.noted)):
            self.noted[key] = noted

    def room(self, watched: bool, kept: int) -> bool:
        """Whether one more may be kept: much that is unknown must not hide what is known."""
        if watched:
            fits = kept < MOST_WATCHED + MOST_OTHERS
        else:
            fits = self.others < MOST_OTHERS
            self.others += fits
        self.left_out += not fits
        return fits

    def finish(self, chain: Chain) -> None:
        self.chains.remove(chain)
        if chain.opened is not None:
            self.give_up(chain)
        if not chain.drafts:  # no frame, or no first line: not a traceback
            return
        key = tuple(
            [
                (each.kind, alike(each.message), *[(f.path, f.line) for f in each.frames])
                for each in chain.drafts
            ]
        )
        if key in self.failures:  # nothing is made of it: a log may have it 100,000 times
            self.times[key] += 1
            return
        failure = Failure(
            tuple(
                Raised(d.kind, d.message, d.frames, tuple(d.after), d.at_line) for d in chain.drafts
            ),
            ignored=chain.ignored,
        )
        watched = any(
            self.watched("\n".join((raised.error, *raised.after))) for raised in failure.chain
        )
        if self.room(watched, len(self.failures)):
            self.failures[key] = failure
            self.times[key] = 1

    def end(self, number: int) -> Log:
        for chain in self.chains[:]:
            self.finish(chain)
        if self.record is not None:
            self.note(self.record)
        return Log(
            number,
            tuple(
                sorted(
                    (replace(each, times=self.times[key]) for key, each in self.failures.items()),
                    key=lambda failure: failure.at_line,
                )
            ),
            tuple(sorted(self.noted.values(), key=lambda noted: noted.at_line)),
            self.left_out,
        )


def same(chain: Chain, other: re.Pattern[str] | None) -> bool:
    if chain.prefix is None or other is None:
        return chain.prefix is other
    return chain.prefix.pattern == other.pattern


def read(stream: BinaryIO, watch: tuple[Watched, ...]) -> Log:
    """Read a log from its beginning to its end.

    watch: the wordings of errors that have to be kept, and of lines that are to be noted.
    """
    reader = Reader(watch)
    words = tuple(dict.fromkeys((*WORDS, *(word for each in watch for word in each.words))))
    number = 0
    for number, text, has_word in lines(stream, words):
        reader.line(number, text, has_word=has_word)
    return reader.end(number)
