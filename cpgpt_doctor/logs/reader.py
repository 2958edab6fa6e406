"""Streams a log and keeps what it shows, in bounded memory."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import BinaryIO

from cpgpt_doctor.logs import forms, structured
from cpgpt_doctor.logs.cited import cited
from cpgpt_doctor.logs.forms import HEADER, Open
from cpgpt_doctor.logs.lines import has, lines
from cpgpt_doctor.logs.values import Failure, Frame, Log, Noted, Raised, Watch

# Lines kept after an error's line.
AFTER = 12
# A traceback whose error has not come within so many lines of something else is given up.
PATIENCE = 50
# Different failures and lines kept: those that are known, and others.
MOST_KNOWN = 2000
MOST_OTHERS = 500
# Lines kept before and after one that is noted, and how much of each.
NEAR = 3
NEAR_LENGTH = 200
# A line shorter than this is not one that was broken at the width of a terminal.
NARROWEST = 20
# No traceback is indented further.
WIDEST = 80
# Of the end of a broken line, and of the beginning of the next, so much is put together.
JOINED = 1000

TIMESTAMP = r"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
LINKS = re.compile(
    r"The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred"
    r"|-- Process \d+ terminated with the following error"
)
IGNORED = re.compile(r"Exception ignored (?:in|while)\b")
# An error's line outside of a traceback, alone or behind what a logger or launcher puts first.
# Few parts, each without blanks at its ends: many ways to divide a line would take for ever.
BEFORE_ERROR = (
    rf"\s*(?:(?:\[[^\]]{{1,80}}\]:?|\([^)]{{1,80}}\)|{TIMESTAMP}|[\w.:-]{{1,60}} ?\|"
    r"|[|>*`\"'-]{1,3}|(?:[^\s:]{1,200}:)?\d{1,9}[:\t])\s*){0,6}"
)
# The number of a line, as `cat -n`, `nl` and `grep -n` put it before each.
NUMBERED = re.compile(r"(?P<name>(?:[^\s:]{1,200}:)?)\s*\d+(?P<end>[:\t])$")
# The place in a traceback pasted without its first line, behind what stands before each line.
FRAME_BEHIND = re.compile(r'(?P<before>[^"]{0,120}?)(?P<indent> {0,2})File "[^"]+", line \d')
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
# A record of a logger's is not the rest of a broken line.
RECORD = re.compile(rf"[\[(]?{TIMESTAMP}")
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
WORDS = ("Traceback", 'File "', "File “", "Error", "Exception", *LEVELS, *DEATHS)


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
    indented: bool = False  # the prefix is nothing but blanks
    drafts: list[Draft] = field(default_factory=list)
    opened: Open | None = None
    opened_at: int = 0
    settled: bool = False  # the prefix was found again, or given up
    linked: bool = False  # a line said that the next traceback belongs to it
    grouped: bool = False  # an exception group's: the next one behind its rail belongs to it
    headless: bool = False  # pasted without its first line
    left: int = AFTER  # lines to wait for such a line
    ignored: bool = False
    mixed: bool = False  # another one was open beside it, and nothing tells their lines apart

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
        if self.opened is not None and self.indented and forms.error_line(text):
            return text  # only the places were indented
        return None


def prefix(before: str) -> re.Pattern[str] | None:
    """What the lines of a traceback begin with, from what stands before its header."""
    if not before:
        return None
    shown = before.rstrip()
    if not shown:
        return re.compile(rf"{re.escape(before)}|$")
    numbered = NUMBERED.match(before)
    if numbered:
        return re.compile(rf"{re.escape(numbered['name'])}\s*\d+(?:{numbered['end']}|$)")
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

    def __init__(self, watch: Watch) -> None:
        self.watch = [(word, each.pattern) for each in watch.patterns for word in each.words]
        self.known = watch.known
        self.chains: list[Chain] = []  # not finished
        self.record: Noted | None = None  # of level ERROR: a traceback may follow
        self.record_left = 0
        self.ignored_at = -AFTER
        self.failures: dict[object, Failure] = {}
        self.times: dict[object, int] = {}  # how often each was seen
        self.noted: dict[str, Noted] = {}
        self.left_out = 0
        self.kept = 0  # that are known
        self.others = 0
        self.last = ""  # the line before, which may be broken: the rest of it is this one
        self.unsure = False  # it had a word that is watched for, and told nothing
        self.recent: deque[str] = deque(maxlen=NEAR)
        self.wanting: list[tuple[str, int]] = []  # keys of noted lines, lines that they still want

    def line(self, number: int, text: str, *, has_word: bool = True) -> None:
        """Take a line; has_word: it may have one of the words."""
        idle = not self.chains and self.record is None
        if not has_word and idle and not self.unsure and not self.wanting:
            self.last = text
            self.recent.append(text)
            return
        self.take(number, text, has_word=has_word)
        if self.wanting:
            self.give(text)
        self.last = text
        self.recent.append(text)

    def take(self, number: int, text: str, *, has_word: bool) -> None:
        told = structured.texts(text) if has_word or self.chains else None
        if told is not None:  # a structured log: a record, with a traceback in one field, is a line
            for each in told:
                for part in each.split("\n"):
                    self.take(number, part.rstrip(), has_word=True)
            return
        if ESCAPED in text:  # another one holds a traceback in one line
            for part in text.replace(r"\"", '"').split(r"\n"):
                self.take(number, part, has_word=True)
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

    def give(self, text: str) -> None:
        """The line to those noted before that want what follows them."""
        wanting = []
        for key, left in self.wanting:
            noted = self.noted[key]
            self.noted[key] = replace(noted, near=(*noted.near, text[:NEAR_LENGTH]))
            if left > 1:
                wanting.append((key, left - 1))
        self.wanting = wanting

    def watched(self, text: str) -> tuple[bool, re.Match[str] | None]:
        """Whether the text has a word that is watched for, and where it fits that one's pattern."""
        worded = False
        for word, pattern in self.watch:
            if word in text:
                worded = True
                found = pattern.search(text)
                if found is not None:
                    return True, found
        return worded, None

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
        chain.indented = chain_prefix is not None and any(
            chain_prefix.match(blank * WIDEST) for blank in " \t"
        )
        for other in self.chains:
            if other is not chain and other.opened is not None and same(other, chain_prefix):
                other.mixed = chain.mixed = True
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
            chain.mixed = True
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
            joined = self.broken(text) if self.unsure else None
            self.unsure = False
            if joined is not None:
                self.note(Noted(joined, number, near=self.before()))
            return
        if IGNORED.match(text):
            self.ignored_at = number
            return
        behind = FRAME_BEHIND.match(text) if 'File "' in text else None
        if behind is not None and self.headless(number, text, behind):
            return
        worded, watched = self.watched(text)
        error = self.lone_error(text, watched)
        if error:
            chain = self.continued(None)
            chain.drafts.append(Draft(*error, (), number))
            chain.left = AFTER
            return
        died = has(text, DEATHS) and DIED.match(text) is not None
        logged = has(text, LEVELS) and LOGGED.match(text) is not None
        whole = watched or died or logged or RECORD.match(text) is not None
        joined = None if whole or not (worded or self.unsure) else self.broken(text)
        self.unsure = worded and not watched and not died and joined is None
        if joined is not None:
            self.note(Noted(joined, number, near=self.before()))
        elif watched or died:
            self.note(Noted(text, number, logged=died or logged, near=self.before()))
        elif logged:
            if self.record is not None:
                self.note(self.record)
            self.record = Noted(text, number, logged=True, near=self.before())
            self.record_left = 3

    def before(self) -> tuple[str, ...]:
        return tuple(text[:NEAR_LENGTH] for text in self.recent)

    def headless(self, number: int, text: str, behind: re.Match[str]) -> bool:
        """A traceback pasted without its first line begins with this one."""
        of = prefix(behind["before"])
        chain = Chain(of, opened=Open(forms.classic), opened_at=number, headless=True)
        chain.indented = not behind["before"].strip()
        own = chain.own(text)
        if own is None or forms.CLASSIC_FRAME.match(own) is None:
            return False
        self.chains.append(chain)
        self.opened(chain, number, own)
        return True

    def broken(self, text: str) -> str | None:
        """The line before and this one as one, where only both together tell of something."""
        begin, rest = self.last[-JOINED:], text[:JOINED].lstrip("| ")
        if len(begin) < NARROWEST or not rest:
            return None
        for joined in (f"{begin} {rest}", begin + rest):
            _, found = self.watched(joined)
            if found is not None and found.start() < len(begin) < found.end():
                return joined
        return None

    def lone_error(self, text: str, watched: re.Match[str] | None) -> tuple[str, str] | None:
        """Kind and message of an error's line; of a watched one, anywhere in the line."""
        if ENDS.search(text) is None:
            return None
        error = LONE.match(text)
        if error and not cited(text, error.start("kind"), error.end("kind")):
            return error["kind"], error["message"] or ""
        if watched:
            for error in KIND.finditer(text):
                if error.end() > watched.end() or cited(text, error.start(), watched.end()):
                    continue
                return error["kind"], text[error.end() :]
        return None

    def note(self, noted: Noted) -> None:
        key = alike(noted.text)
        before = self.noted.get(key)
        if before is not None:
            self.noted[key] = replace(before, times=before.times + 1)
        elif self.room(self.known(noted)):
            self.noted[key] = noted
            self.wanting.append((key, NEAR + 1))  # the first one given is the line itself

    def room(self, known: bool) -> bool:
        """Whether one more may be kept: much that is unknown must not hide what is known."""
        if known:
            fits = self.kept < MOST_KNOWN
            self.kept += fits
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
            mixed=chain.mixed,
        )
        if self.room(self.known(failure)):
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


def read(stream: BinaryIO, watch: Watch) -> Log:
    """Read a log from its beginning to its end; NoText for what has to be unpacked first."""
    reader = Reader(watch)
    watched = (word for each in watch.patterns for word in each.words)
    words = tuple(dict.fromkeys((*WORDS, *watched)))
    number = 0
    for number, text, has_word in lines(stream, words):
        reader.line(number, text, has_word=has_word)
    return reader.end(number)
