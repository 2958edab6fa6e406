"""`explain`: the page of a rule, or what failed in a log."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cpgpt_doctor.commands.options import Commands, add_debug, add_shown
from cpgpt_doctor.commands.output import write
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.words import Language

EXAMPLES = """\
examples:
  cpgpt-doctor explain                              every rule, a line each
  cpgpt-doctor explain CPG201
  cpgpt-doctor explain CPG201 --lang zh --format markdown
  cpgpt-doctor explain --log slurm-1234.out
  python embed.py 2>&1 | cpgpt-doctor explain --log -

exit code: 0 a page, or no failure in the log; 1 failures in the log; 2 the call is wrong
"""


def add(commands: Commands) -> None:
    explain = commands.add_parser(
        "explain",
        help="the page of a rule, or what failed in a log",
        description="Show the page of a rule, or find every known failure in a log.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    explain.add_argument("code", nargs="?", metavar="CODE", help="such as CPG201")
    explain.add_argument("--log", metavar="FILE", help="a traceback or a log; - for standard input")
    out = explain.add_argument_group("what is shown")
    out.add_argument("--format", choices=("terminal", "markdown"), default="terminal")
    add_shown(out)
    out.add_argument(
        "--no-redact", action="store_true", help="keep personal data in what --log writes"
    )
    add_debug(explain)
    explain.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cpgpt_doctor import explain
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    files.check(args.output, "--output")
    if args.log is not None and args.code is not None:
        raise InputError("explain takes a CODE or --log FILE, not both")
    plain = args.format == "terminal" and not args.output
    shown = None
    if plain:
        shown = stream.console(stream.standard_output(), language, ascii_only=args.ascii)
    if args.log is not None:
        read = explain.read_log(args.log)
        if shown is not None:
            explain.show_log(read, shown, language)
        else:
            write(explain.log_markdown(read, language, keep=args.no_redact), args.output)
        return int(read.failed)
    answer = explain.page(args.code, language) if args.code else explain.every_rule(language)
    if shown is not None:
        explain.show(answer, shown)
    else:
        write(answer, args.output)
    return 0
