"""Whose a frame of a traceback is: the user's, or a library's."""

from __future__ import annotations

import re
import sys

from cpgpt_doctor.findings import Location
from cpgpt_doctor.logs import Frame

# Code that a user types at a prompt; other names in angle brackets are generated or frozen code.
TYPED = re.compile(r"<(?:stdin|input|console|python-input|ipython-input|timed)\b")
LIBRARIES = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|transformers_modules)/"
    # Python's own modules on Linux and macOS; on Windows they lie in Lib.
    r"|(?:^|/)lib(?:64)?/(?:python|pypy)\d[\d.]*t?/"
    rf"|(?:^|/)[Ll]ib/(?:{'|'.join(sorted(sys.stdlib_module_names))})(?:\.py$|/)"
    # From a checkout instead of an installed package.
    r"|(?:^|/)torch/(?:utils|multiprocessing|nn|cuda|distributed|_\w+)[/.]"
    r"|(?:^|/)multiprocessing/\w+\.py$"
    # Launchers of installed programs.
    r"|/Scripts/[^/]+\.exe/__main__\.py$|/bin/[^/.]+$"
)
CPGPT = re.compile(
    r"(?:^|/)cpgpt/(?:(?:data|infer|log|loss|model|trainer|utils)/|(?:downloads|eval|train)\.py$)"
)


def path(frame: Frame) -> str:
    """The path with slashes, on every platform."""
    return frame.path.replace("\\", "/")


def through(frames: tuple[Frame, ...], pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(path(frame)) for frame in frames)


def is_library(frame: Frame) -> bool:
    where = path(frame)
    if where.startswith("<"):
        return TYPED.match(where) is None
    return LIBRARIES.search(where) is not None or CPGPT.search(where) is not None


def users_line(frames: tuple[Frame, ...]) -> Location | None:
    """The user's own line that led there: the innermost that is no library's."""
    for frame in reversed(frames):
        if not is_library(frame):
            return Location(frame.path, frame.line, call=frame.text)
    return None
