"""The command line: one-line errors, signals, exit codes. A command is a file in commands/."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cpgpt_doctor import __version__, config
from cpgpt_doctor.commands.options import OneLineParser, did_you_mean, interpreter
from cpgpt_doctor.commands.output import complain
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.reports import stream

# In the order in which --help lists them; each is a module of commands/.
COMMANDS = ("check", "explain", "fix", "run-embed", "status", "verify", "repair", "bench")
EXAMPLES = """\
examples:
  cpgpt-doctor check
      examine this environment for CpGPT's embedding, as your own code calls it
  cpgpt-doctor check --python ~/cpgpt-env/bin/python --start-method spawn --num-workers 4
      examine another environment, and see what a Mac would meet
  cpgpt-doctor check --via run-embed
      the pre-flight of run-embed
  cpgpt-doctor explain CPG201
      the page of a rule; explain --log FILE reads a traceback or a log
  cpgpt-doctor run-embed --dependencies-dir dependencies --locations probes.txt
      embed every location of the file, safely; start it again to go on
  cpgpt-doctor run-embed --demo
      a whole run on a made-up genome and model
  cpgpt-doctor status dependencies
      what a run does there, or how the last one ended
  cpgpt-doctor verify --dependencies-dir dependencies
      compute a sample of a store's rows again, and say what those are that differ
  cpgpt-doctor repair --dependencies-dir dependencies
      what would mend a store; --apply does it, --undo puts it back
  cpgpt-doctor bench --plot loading.svg
      what CpGPT's worker settings and the safe path cost on this machine
"""


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the command that `argv` begins with, or of all: no other is imported."""
    top = OneLineParser(
        prog="cpgpt-doctor",
        description="Examines an environment for CpGPT's DNA embedding, and runs it safely.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("-V", "--version", action="version", version=f"cpgpt-doctor {__version__}")
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", required=True, title="commands"
    )
    for name in argv[:1] if argv[:1] and argv[0] in COMMANDS else COMMANDS:
        module = name.replace("-", "_")
        importlib.import_module(f"cpgpt_doctor.commands.{module}").add(commands)
    return top


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What the command line says, with what pyproject.toml does. Raises InputError.

    SystemExit comes after a help text, the version, or an error that was said.
    """
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    top = parser(argv)
    if not argv:
        top.epilog = "options and examples of one: cpgpt-doctor COMMAND --help"
        top.print_help(sys.stderr)
        sys.exit(2)
    if argv[0][:1] != "-" and argv[0] not in COMMANDS:
        top.error(f"no such command: {argv[0]}{did_you_mean(argv[0], COMMANDS)}")
    args = top.parse_args(argv)
    if args.command == "explain":  # which looks at nothing here
        return args
    here = working_folder()
    if args.command == "check":
        from cpgpt_doctor.commands import check

        args = check.with_settings(args, here, top, argv)
    elif "python" not in args:
        return args
    elif args.python is None:
        args.python = config.interpreter(here)
    args.python = sys.executable if args.python is None else interpreter(args.python)
    return args


def working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise InputError(
            f"the folder that you are in is gone ({error.strerror}); go to one that is there: cd ~"
        ) from error


class Terminated(KeyboardInterrupt):
    """A signal asked us to end; what Ctrl-C would have ended is to be ended, too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end this section as Ctrl-C does; afterwards they are as they were."""
    # Windows has no SIGHUP. What the caller ignores, as nohup does, stays ignored.
    found = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    ours = [each for each in found if each and signal.getsignal(each) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, terminate)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 to 3, or from 129 on for a signal)."""
    with ended_by_signals(), stream.guarded() as output:
        code = command(argv)
        if output is None:
            return code
        output.flush()
        lost = output.lost()
        if lost is not None and code in (0, 1):
            complain(f"standard output cannot be written: {lost}")
            return 3 if output.needed else code
        return code


def interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """The signal behind an error: one that comes while a class is made is wrapped in another."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def command(argv: list[str] | None) -> int:
    given = sys.argv[1:] if argv is None else argv
    debug = "--debug" in given
    try:
        args = arguments(given)
        return int(args.run(args))
    except SystemExit as ended:  # after --help, --version, or an error
        return int(ended.code or 0)
    except InputError as error:
        caught: BaseException = error
        code, line = 2, str(error)
    except DoctorError as error:
        caught = error
        code, line = 3, str(error)
    except (Exception, KeyboardInterrupt) as error:
        caught = error
        stopped = interruption(error)
        if stopped is not None:
            number = stopped.number if isinstance(stopped, Terminated) else signal.SIGINT
            code, line = 128 + number, "interrupted"
        else:
            code = 3
            what = f"{type(error).__name__}: {error}"
            line = f"the doctor itself failed: {what} (--debug shows where)"
    if debug:
        import traceback

        traceback.print_exception(caught)
    complain(line)
    return code
