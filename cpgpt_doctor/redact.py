"""Personal data out of what is meant to be shared: home folder, user and host names, tokens."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
from pathlib import Path

from cpgpt_doctor.facts import Facts, from_data, to_data

# Names that say nothing of a person, or that a report needs: `root` runs most containers, and a
# user called `cpgpt` must not take the package's name out of every path.
COMMON = frozenset(
    {"root", "admin", "user", "users", "home", "runner", "ubuntu", "debian", "docker", "jovyan"}
    | {"nobody", "localhost", "python", "python3", "torch", "cpgpt", "conda", "data", "genome"}
    | {"dataset", "embedder", "linux", "darwin", "windows"}
)
HOMES = re.compile(
    r"(?<![\w.])(?:/home/|/Users/|/var/home/|[A-Za-z]:\\+Users\\+)(?!Shared\b|Public\b)[^/\\\s:'\",;)]+"
)
TOKENS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|sk-[\w-]{16,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,})"
)
CREDENTIALS = re.compile(r"(?<=://)[^/\s@:]+(?::[^/\s@]*)?@")
BEARER = re.compile(r"(?i)\b(authorization:\s*(?:bearer|basic)\s+)\S+")
NAMED = re.compile(
    r"(?i)\b((?:\w+_)?(?:token|password|secret|api_?key)\s*[=:]\s*)(?!<)[^\s'\",;)]+"
)


def personal_names() -> dict[str, str]:
    """This machine's user and host names and what stands for each; common words are left out."""
    found: dict[str, str] = {}
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        found[getpass.getuser()] = "<user>"
    host = socket.gethostname()
    for name in (host, host.partition(".")[0]):
        found.setdefault(name, "<host>")
    longest_first = sorted(found, key=len, reverse=True)
    return {name: found[name] for name in longest_first if len(name) > 2 and name not in COMMON}


def home() -> str | None:
    """The user's home folder, None where there is none worth a name of its own."""
    try:
        folder = str(Path.home())
    except RuntimeError:
        return None
    return folder if len(Path(folder).parts) > 1 else None


def redact(text: str) -> str:
    """The text with `~`, `<user>`, `<host>` and `<token>` in place of what they stand for."""
    return replaced(text, home(), personal_names())


def replaced(text: str, folder: str | None, names: dict[str, str]) -> str:
    if folder:
        text = re.sub(rf"(?<![\w.]){re.escape(folder)}(?![\w.-])", "~", text)
    text = HOMES.sub("~", text)
    text = TOKENS.sub("<token>", text)
    text = CREDENTIALS.sub("<token>@", text)
    text = BEARER.sub(r"\1<token>", text)
    text = NAMED.sub(r"\1<token>", text)
    for name, mark in names.items():
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", mark, text)
    return text


def redacted(facts: Facts) -> Facts:
    """Facts without personal data; every text in them is looked at, keys too."""
    folder, names = home(), personal_names()

    def walk(value: object) -> object:
        if isinstance(value, str):
            return replaced(value, folder, names)
        if isinstance(value, dict):
            return {walk(key): walk(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(each) for each in value]
        return value

    return from_data(walk(to_data(facts)))
