"""Options and kinds of values that several commands have."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from cpgpt_doctor.commands.output import complain
from cpgpt_doctor.errors import InputError

if TYPE_CHECKING:
    from cpgpt_doctor.facts.locations import Kind

DEVICES = ("auto", "cpu", "cuda", "mps")
FORMATS = ("terminal", "markdown", "html", "json", "sarif", "github", "junit")


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and name the nearest that there is."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see: {self.prog} --help)")
        sys.exit(2)

    # The two signatures of argparse, whose values are of any type.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; what a command does not know is an error of the command's."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown and not self.has_commands():
            said = unknown[0].partition("=")[0]
            self.error(
                f"no such {'option' if said[:1] == '-' else 'argument'}: {said}{self.near(said)}"
            )
        return known, unknown

    def has_commands(self) -> bool:
        return any(isinstance(each, argparse._SubParsersAction) for each in self._actions)

    def near(self, said: str) -> str:
        """The option that may be meant, as the end of a sentence."""
        options = [each for action in self._actions for each in action.option_strings]
        return did_you_mean(said, options)


def did_you_mean(said: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(said, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def interpreter(text: str) -> str:
    """The interpreter that is meant; of the folder of a virtual or conda environment, its own."""
    folder = Path(text)
    if not text or not folder.is_dir():
        return text
    usual = ("bin/python", "Scripts/python.exe", "python.exe")
    found = [folder / each for each in usual if (folder / each).exists()]
    if not found:
        raise InputError(
            f"--python {text}: a folder without bin/python or Scripts/python.exe, so it is no"
            " environment; name the interpreter itself"
        )
    return str(found[0])


Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter that runs CpGPT, or its environment's folder (default: this one, or"
        " what [tool.cpgpt-doctor] of pyproject.toml names)",
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


PLATFORMS = {"macos": "darwin", "linux": "linux", "windows": "win32"}


def add_circumstances(options: argparse._ArgumentGroup) -> None:
    """What the user's code is judged for, where that is not what is examined."""
    options.add_argument(
        "--for",
        dest="platform",
        type=platform,
        metavar="PLATFORM",
        help="judge the code for macos, linux or windows (default: the one examined)",
    )
    options.add_argument(
        "--for-python", type=version, metavar="VERSION", help="judge it for this Python, as 3.14"
    )
    options.add_argument(
        "--for-cpgpt", type=version, metavar="VERSION", help="judge it for this CpGPT, as 0.0.7"
    )


def platform(text: str) -> str:
    """A platform as sys.platform has it."""
    if text.lower() in PLATFORMS:
        return PLATFORMS[text.lower()]
    if text in PLATFORMS.values():
        return text
    raise argparse.ArgumentTypeError(f"{', '.join(PLATFORMS)} is needed, not {text!r}")


def version(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){1,3}", text):
        raise argparse.ArgumentTypeError(f"a version such as 3.14 is needed, not {text!r}")
    return text


def add_given(group: argparse._ActionsContainer) -> None:
    """The options that name locations, of which one is taken, and how they are meant."""
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--locations",
        metavar="FILE",
        help="chrom:pos lines, BED, VCF, CSV/TSV with named columns, or names of probes; positions"
        " are the 0-based start of the CpG, a VCF's are converted; - for standard input",
    )
    one.add_argument(
        "--betas",
        metavar="FILE",
        help="the columns of a matrix in Feather, Arrow, Parquet or CSV: probes or locations",
    )
    one.add_argument(
        "--processed-dir", metavar="DIR", help="the locations that CpGPT's data saver wrote there"
    )
    group.add_argument(
        "--positions",
        choices=("0-based", "1-based"),
        help="what given positions count from; one is subtracted from 1-based ones"
        " (default: 0-based, a VCF's 1-based)",
    )
    group.add_argument(
        "--fix-names",
        action="store_true",
        help="take chr1 for 1 and cg00000029_TC11 for cg00000029, where that is what is known",
    )


def named(args: argparse.Namespace) -> tuple[Kind, str] | None:
    """The kind of input that was named, and its path; None where none was."""
    kinds: tuple[Kind, ...] = ("locations", "betas", "processed")
    for kind, value in zip(kinds, (args.locations, args.betas, args.processed_dir), strict=True):
        if value is not None:
            if not value:
                raise InputError("the name of a file is needed, not an empty one")
            if kind == "processed" and args.positions == "1-based":
                raise InputError("--processed-dir: CpGPT's locations count from 0")
            return kind, value
    for option in ("positions", "fix_names"):
        if getattr(args, option):
            raise InputError(
                f"--{option.replace('_', '-')} is of locations: name them with --locations, --betas"
                " or --processed-dir"
            )
    return None


def add_report(
    out: argparse._ArgumentGroup, quiet: str, verbose: str = "notes and skipped checks in full"
) -> None:
    """How findings are shown; quiet, verbose: what these two do here."""
    out.add_argument("--format", choices=FORMATS, default="terminal")
    add_shown(out)
    out.add_argument("--quiet", action="store_true", help=quiet)
    out.add_argument("--verbose", action="store_true", help=verbose)
    out.add_argument(
        "--no-redact", action="store_true", help="keep personal data in reports that are shared"
    )


def add_folder(which: argparse._ArgumentGroup) -> None:
    """The folder whose store is looked at; it has to be named."""
    which.add_argument(
        "--dependencies-dir",
        type=folder,
        metavar="DIR",
        required=True,
        help="CpGPT's dependencies folder, to which the store belongs",
    )


def add_drawn(rows: argparse._ArgumentGroup) -> None:
    """What belongs to --locations and --sample of stored rows."""
    rows.add_argument(
        "--positions",
        choices=("0-based", "1-based"),
        help="what the positions of --locations count from",
    )
    rows.add_argument("--seed", type=count, metavar="N", help="draws the same sample again")


def add_computed(how: argparse._ArgumentGroup) -> None:
    """What rows of a store are computed from, and on; None where it was not said."""
    how.add_argument(
        "--genome", type=Path, metavar="FASTA", help="default: the one in the dependencies folder"
    )
    how.add_argument("--device", choices=DEVICES, help="default: auto")


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


def place(text: str) -> Path:
    """A file or a folder; an empty text would be the folder at hand."""
    if not text:
        raise argparse.ArgumentTypeError("a file or folder is needed, not ''; this one is .")
    return Path(text)


def positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)


# Slurm's forms of a time limit, as sbatch takes them.
DURATIONS = (
    r"(?P<minutes>\d+)",
    r"(?P<minutes>\d+):(?P<seconds>\d+)",
    r"(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)",
    r"(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+)(?::(?P<seconds>\d+))?)?",
)
UNITS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


class Duration(NamedTuple):
    """A time as it was given, and its seconds."""

    text: str
    seconds: int


def duration(text: str) -> Duration:
    """HH:MM:SS, or another of Slurm's forms."""
    for form in DURATIONS:
        found = re.fullmatch(form, text, re.ASCII)
        if found is None or len(text) > 20:
            continue
        seconds = sum(UNITS[name] * int(value or 0) for name, value in found.groupdict().items())
        if 0 < seconds < 1000 * UNITS["days"]:
            return Duration(text, seconds)
    raise argparse.ArgumentTypeError(
        f"a time such as 11:50:00, MM, MM:SS or D-HH:MM:SS is needed, not {text!r}"
    )
