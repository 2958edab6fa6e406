"""`verify`: audit a finished store by computing rows of it again."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.commands.options import (
    Commands,
    add_common,
    add_computed,
    add_drawn,
    add_folder,
    add_report,
    positive,
)
from cpgpt_doctor.commands.output import complain
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.words import Language

EXAMPLES = """\
examples:
  cpgpt-doctor verify --dependencies-dir dependencies              300 rows, drawn at random
  cpgpt-doctor verify --dependencies-dir dependencies --sample 3000 --seed 7
  cpgpt-doctor verify --dependencies-dir dependencies --all
  cpgpt-doctor verify --dependencies-dir dependencies --against backup
      every row that both have, without model or genome

Nothing is written into the store. A sample of 300 finds a store of which 1 % of the rows are wrong
in 95 of 100 cases.

exit code: 0 nothing found, 1 findings, 2 the call or its input is wrong, 3 the doctor failed
"""


def add(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify",
        help="audit a finished store by computing rows again",
        description="Compute a random sample of a store's rows again, each location alone, and find"
        " out what those are that differ. The store is not written to.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(verify)
    which = verify.add_argument_group("which store")
    add_folder(which)
    which.add_argument("--species", default="homo_sapiens", metavar="NAME")
    which.add_argument("--dna-llm", metavar="NAME", help="default: the only one that is stored")
    which.add_argument(
        "--context-len", type=positive, metavar="N", help="default: the only one that is stored"
    )
    rows = verify.add_argument_group("which rows")
    one = rows.add_mutually_exclusive_group()
    one.add_argument(
        "--sample", type=positive, default=300, metavar="N", help="drawn at random: 300"
    )
    one.add_argument("--all", action="store_true", help="all of them")
    one.add_argument("--locations", metavar="FILE", help="those of a file, as run-embed reads it")
    one.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="another dependencies folder: every row that it has, too, held against its own",
    )
    add_drawn(rows)
    how = verify.add_argument_group("how they are computed")
    add_computed(how)
    add_report(verify.add_argument_group("what is shown"), "show nothing where nothing fails")
    verify.set_defaults(run=run)


def refuse_without_effect(args: argparse.Namespace) -> None:
    """Raise InputError for an option that the others leave without effect."""
    if args.positions and args.locations is None:
        raise InputError(
            "--positions says what those of --locations count from, and has no effect without it;"
            " leave it out"
        )
    for option in ("seed", "genome", "device"):
        if getattr(args, option) is None:
            continue
        if args.against is not None:
            raise InputError(
                f"--{option} has no effect beside --against, which compares all rows of two stores"
                " and computes none; leave one of the two out"
            )
        if option == "seed" and args.locations is not None:
            raise InputError(
                "--seed has no effect beside --locations, whose rows are named and not drawn; leave"
                " one of the two out"
            )


def run(args: argparse.Namespace) -> int:
    """Audit under signals: however it ends, the worker and its folder are gone."""
    from cpgpt_doctor.embed import signals

    try:
        with signals.handled():
            return audit(args)
    except signals.Interrupted as error:
        complain(f"interrupted ({error}); nothing was written")
        return error.exit_code


def audit(args: argparse.Namespace) -> int:
    from cpgpt_doctor.audit import report as audited
    from cpgpt_doctor.audit.run import Asked
    from cpgpt_doctor.commands.run_embed import show_findings
    from cpgpt_doctor.reports import run_terminal
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    refuse_without_effect(args)
    files.check(args.output, "--output", args.locations, args.genome)
    asked = Asked(
        dependencies=args.dependencies_dir,
        species=args.species,
        python=args.python,
        dna_llm=args.dna_llm,
        context_len=args.context_len,
        sample=args.sample,
        every=args.all,
        seed=args.seed,
        locations=args.locations,
        positions=args.positions,
        against=args.against,
        genome=args.genome,
        device=args.device or "auto",
    )
    notes = stream.console(io.StringIO() if args.quiet else sys.stderr, "en")
    with run_terminal.Shown(0, notes) as shown:
        report = audited.report(asked, shown)
    if report.exit_code or not args.quiet:
        show_findings(report, args, language)
    return report.exit_code
