"""Options and kinds of values that several commands have."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NoReturn, TypeAlias

from cpgpt_doctor.commands.output import complain

FORMATS = ("terminal", "markdown", "html", "json", "sarif", "github", "junit")


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of ours are."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see: {self.prog} --help)")
        sys.exit(2)


Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--python", default=sys.executable, help="the interpreter that runs CpGPT (default: this)"
    )
    add_debug(command)


def add_debug(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--debug", action="store_true", help="show the traceback of an error of the doctor"
    )


def add_shown(out: argparse._ArgumentGroup) -> None:
    out.add_argument("--output", type=new_file, metavar="FILE", help="write the report there")
    out.add_argument(
        "--lang", choices=("en", "zh"), help="English or Chinese (default: the locale's)"
    )
    out.add_argument("--ascii", action="store_true", help="plain marks, for any terminal")


def new_file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name of a file is needed, not an empty one")
    return Path(text)


def count(text: str) -> int:
    # More digits than any number of processes or windows has, and than int() may refuse.
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"a whole number from 0 is needed, not {text!r}")
    return int(text)


def folder(text: str) -> Path:
    """A folder; an empty text, as of a variable that is not set, would be the one at hand."""
    if not text:
        raise argparse.ArgumentTypeError("a folder is needed, not ''; the one at hand is .")
    return Path(text)


def positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)
