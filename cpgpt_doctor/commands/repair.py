"""`repair`: mend a store; shown by default, done with --apply, put back with --undo."""

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
from cpgpt_doctor.commands.output import SHARED, complain, show_report, write
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.repair.run import Asked, Looked
    from cpgpt_doctor.words import Language

EXAMPLES = """\
examples:
  cpgpt-doctor repair --dependencies-dir dependencies              what it would do; nothing is done
  cpgpt-doctor repair --dependencies-dir dependencies --apply
  cpgpt-doctor repair --dependencies-dir dependencies --undo
  cpgpt-doctor repair --dependencies-dir dependencies --index backup/ensembl_metadata.db

What is changed is kept in DIR/.cpgpt-doctor/backup-TIME first. An --apply that was killed is
finished by the next one, or undone by --undo.

exit code: 0 nothing is left, 1 something is, or was not applied, 2 refused, nothing more was
changed, 3 the doctor failed
"""


def add(commands: Commands) -> None:
    repair = commands.add_parser(
        "repair",
        help="mend a store of embeddings",
        description="Show what would mend a store of embeddings, and with --apply, do it. No row is"
        " deleted: what is changed goes into a backup first.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(repair)
    which = repair.add_argument_group("which store (default: all in the folder)")
    add_folder(which)
    which.add_argument("--species", metavar="NAME")
    which.add_argument("--dna-llm", metavar="NAME")
    which.add_argument("--context-len", type=positive, metavar="N")
    which.add_argument(
        "--index",
        type=Path,
        metavar="FILE",
        help="an ensembl_metadata.db that the rows are of (default: one near by that fits them)",
    )
    which.add_argument(
        "--move-here",
        action="store_true",
        help="move rows and index from a folder below to where CpGPT, given DIR, looks",
    )
    rows = repair.add_argument_group(
        "which rows are computed again (default: those that cannot be embeddings)"
    )
    looked = rows.add_mutually_exclusive_group()
    looked.add_argument("--all", action="store_true", help="every row that is wrong")
    looked.add_argument("--sample", type=positive, metavar="N", help="of so many, drawn at random")
    looked.add_argument(
        "--locations", metavar="FILE", help="of those of a file, as run-embed reads it"
    )
    add_drawn(rows)
    add_computed(rows)
    what = repair.add_argument_group("what is done")
    one = what.add_mutually_exclusive_group()
    one.add_argument("--apply", action="store_true", help="do it")
    one.add_argument("--undo", action="store_true", help="put every byte of the last --apply back")
    add_report(repair.add_argument_group("what is shown"), "show nothing where nothing is left")
    repair.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Repair under signals: however it ends, a repair that is under way can be finished."""
    from cpgpt_doctor.embed import signals

    stream.needed(not (args.apply or args.undo))
    try:
        with signals.handled():
            return repair(args)
    except signals.Interrupted as error:
        done = (
            "what was begun is finished by --apply, or undone by --undo"
            if args.apply or args.undo
            else "nothing was changed"
        )
        complain(f"interrupted ({error}); {done}")
        return error.exit_code


def repair(args: argparse.Namespace) -> int:
    import tempfile

    from cpgpt_doctor.audit.run import Asked as Computing
    from cpgpt_doctor.repair import run as mending
    from cpgpt_doctor.repair.plan import Chosen
    from cpgpt_doctor.reports import run_terminal
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    files.check(args.output, "--output", args.index, args.locations, args.genome)
    notes = stream.console(io.StringIO() if args.quiet else sys.stderr, "en")

    def tell(line: str) -> None:
        notes.print(line, soft_wrap=True)

    chosen = Chosen(args.species, args.dna_llm, args.context_len)
    if args.undo:
        refuse_beside_undo(args)
    if args.positions and not args.locations:
        raise InputError("--positions: says what --locations counts from; name FILE, or leave it")
    if args.seed is not None and not args.sample:
        raise InputError("--seed: draws the same --sample again; name N, or leave it")
    asked = mending.Asked(
        args.dependencies_dir,
        chosen,
        args.index,
        move_here=args.move_here,
        audit=bool(args.all or args.sample or args.locations),
        computing=Computing(
            dependencies=args.dependencies_dir,
            species="",
            python=args.python,
            sample=args.sample or 0,
            every=args.all,
            seed=args.seed,
            locations=args.locations,
            positions=args.positions,
            genome=args.genome,
            device=args.device or "auto",
        ),
    )
    try:
        if args.undo:
            mending.undo(args.dependencies_dir, tell)
            return 0
        with run_terminal.Shown(0, notes) as shown:
            if args.apply:
                done = mending.apply(asked, shown.note, shown)
            else:
                with tempfile.TemporaryFile() as spool:
                    looked = mending.look(asked, shown, spool)
        if not args.apply:
            return show(looked, asked, args, language, applied=False)
    except OSError as error:
        where = error.filename or args.dependencies_dir
        raise DoctorError(f"{where}: {error.strerror or error}") from error
    for each in done.backups:
        tell(f"backup: {each}")
    return show(done.left, asked, args, language, applied=True)


def refuse_beside_undo(args: argparse.Namespace) -> None:
    named = (
        "species",
        "dna_llm",
        "context_len",
        "index",
        "move_here",
        "all",
        "sample",
        "locations",
        "genome",
    )
    for each in named:
        if getattr(args, each):
            raise InputError(
                f"--undo: puts the whole of the last --apply back, so --{each.replace('_', '-')}"
                " has no effect; leave it out"
            )


def show(
    looked: Looked, asked: Asked, args: argparse.Namespace, language: Language, *, applied: bool
) -> int:
    """What would be done, or what is left; a whole report in every form but the terminal's."""
    code = looked.report.exit_code
    if args.quiet and not code:
        return code
    if args.format == "terminal":
        from cpgpt_doctor.reports import repair_terminal

        text = repair_terminal.render(looked, str(asked.dependencies), language, applied=applied)
        write(text, args.output)
        return code
    from cpgpt_doctor.findings import Severity

    report = looked.report
    if args.format in SHARED and not args.no_redact:
        report = looked.public()
    show_report(report, args, language, Severity.error)
    return code
