"""What a log shows: exceptions with their frames, and lines worth noting."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """A kind of line that is to be noted: it has one of the words, and fits the pattern.

    Most lines have none of the words, and are passed over without a look at the pattern.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Frame:
    """A place in a traceback, as printed; a notebook's cell has the path "In[3]"."""

    path: str
    line: int | None
    function: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Raised:
    """An exception as printed: "kind: message".

    frames: outermost first; none where the log shows the error's line alone. after: up to
    `AFTER` lines that follow the error's line; some messages go on there. at_line: the number, from
    1, of the error's line.
    """

    kind: str
    message: str
    frames: tuple[Frame, ...]
    after: tuple[str, ...]
    at_line: int

    @property
    def error(self) -> str:
        """The error's line."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


@dataclass(frozen=True)
class Failure:
    """A chain of exceptions in the order printed, so that the last is what ended the program.

    times: how often it was printed with the same frames. ignored: Python printed it and went on
    ("Exception ignored in"). mixed: the lines of another traceback lay between its own and nothing
    told them apart, so that its frames may be another's.
    """

    chain: tuple[Raised, ...]
    times: int = 1
    ignored: bool = False
    mixed: bool = False

    @property
    def at_line(self) -> int:
        return min(raised.at_line for raised in self.chain)


@dataclass(frozen=True)
class Noted:
    """A line that shows no exception: one that was watched for, or (`logged`) one of level ERROR,
    or one that tells of the end of a process.

    times: how often lines alike but for their numbers were printed. near: a few lines before and
    after the first of them, as far as they are kept.
    """

    text: str
    at_line: int
    times: int = 1
    logged: bool = False
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """What a log is read for.

    patterns: the lines that are to be noted. known: whether a failure or a line is one that is
    looked for, by all that was seen of it: what is known is kept whatever else the log is full of.
    """

    patterns: tuple[Watched, ...]
    known: Callable[[Failure | Noted], bool]


@dataclass(frozen=True)
class Log:
    """left_out: how many different failures and lines were more than are kept."""

    lines: int
    failures: tuple[Failure, ...]
    noted: tuple[Noted, ...]
    left_out: int = 0
