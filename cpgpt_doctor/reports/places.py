"""Where a finding is, for programs that open the place themselves."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import quote

from cpgpt_doctor.redact import redact


def is_name(path: str) -> bool:
    """MODULE:CALLABLE, as `check --dataset` has it: a place, and not a file."""
    return re.fullmatch(r"\w[\w.]+:[\w.]+", path) is not None


def below(path: str, folder: Path | None = None) -> str | None:
    """The path from the folder (default: the current one), with `/`; None where it is elsewhere.

    Facts that are meant to be shared have `~` for the home folder, so the folder is tried with it.
    """
    place = pure(path)
    if not place.is_absolute() and place.parts[:1] != ("~",):
        return place.as_posix()
    base = str(folder or Path.cwd())
    for start in (base, redact(base)):
        if place.is_relative_to(start):
            return place.relative_to(start).as_posix()
    return None


def pure(path: str) -> PurePosixPath | PureWindowsPath:
    """A path of the machine that was examined, which need not be this one."""
    windows = re.match(r"[A-Za-z]:[\\/]|\\\\|~\\", path)
    return PureWindowsPath(path) if windows else PurePosixPath(path)


def uri(path: str) -> tuple[str, str | None]:
    """A URI, and the name of the base that it is relative to: SRCROOT, HOME, or none."""
    inside = below(path)
    if inside is not None:
        return quoted(inside), "SRCROOT"
    place = pure(path)
    if place.parts[0] == "~":
        return quoted("/".join(place.parts[1:])), "HOME"
    text = place.as_posix()
    if text.startswith("//"):  # a server of Windows is the host of the URI
        return f"file:{quoted(text)}", None
    root = f"/{place.drive}" if place.drive else ""
    return f"file://{root}{quoted(text[len(place.drive) :])}", None


def quoted(text: str) -> str:
    # A name that is no Unicode arrives as lone surrogates, which a URI cannot hold.
    return quote(text, errors="replace")
