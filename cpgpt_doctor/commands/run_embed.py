"""`run-embed`: the full embedding, with safe settings applied."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor import __version__
from cpgpt_doctor.commands.options import (
    DEVICES,
    Commands,
    add_common,
    add_given,
    add_report,
    count,
    duration,
    folder,
    named,
    new_file,
    positive,
)
from cpgpt_doctor.commands.output import SHARED, complain, show_report
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.embed.preflight import Preflight
    from cpgpt_doctor.report import Report
    from cpgpt_doctor.reports.console import Clean
    from cpgpt_doctor.reports.events import Events
    from cpgpt_doctor.words import Language

EXAMPLES = """\
examples:
  cpgpt-doctor run-embed --dependencies-dir dependencies --locations probes.txt
  cpgpt-doctor run-embed --dependencies-dir dependencies --locations probes.bed --dry-run
  cpgpt-doctor run-embed --dependencies-dir dependencies --betas betas.feather
  zcat manifest.tsv.gz | cpgpt-doctor run-embed --dependencies-dir dependencies --locations -
  cpgpt-doctor run-embed --dependencies-dir SNAPSHOT --into dependencies --locations probes.txt
  cpgpt-doctor run-embed --demo

exit code: 0 embedded and verified, 1 started and not finished, 2 refused before it started, by a
finding or in one line, 3 the doctor failed, 75 ended by --time-limit or SIGUSR1 (start it again),
129, 130, 143 ended by SIGHUP, Ctrl-C, SIGTERM. What is finished is kept.
"""


def add(commands: Commands) -> None:
    embed = commands.add_parser(
        "run-embed",
        help="the full embedding, with safe settings applied",
        description="Embed every location of a file into CpGPT's store, safely."
        " Started again, it goes on where it was.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(embed)
    embed.add_argument(
        "--dependencies-dir",
        type=folder,
        metavar="DIR",
        help="CpGPT's dependencies folder, to which the store belongs",
    )
    embed.add_argument(
        "--into",
        type=folder,
        metavar="NEWDIR",
        help="first make a dependencies folder of your own, with a copy of the rows in DIR, their"
        " index and genome; then embed there (DIR may lie in a shared cache)",
    )
    add_given(embed)
    embed.add_argument("--species", default="homo_sapiens", metavar="NAME")
    embed.add_argument(
        "--rows",
        choices=("unpadded", "padded", "release"),
        help="which kind of rows a new store gets: unpadded (CpGPT up to 0.0.7), padded to 128"
        " tokens (from 0.0.8), or the installed release's (the default); a store with rows gets the"
        " kind that it holds",
    )
    embed.add_argument("--dna-llm", metavar="NAME", help="default: CpGPT's own")
    embed.add_argument("--context-len", type=positive, default=2001, metavar="N")
    embed.add_argument("--batch-size", type=positive, default=8, metavar="N")
    embed.add_argument(
        "--num-workers",
        type=count,
        default=0,
        metavar="N",
        help="processes that read windows (default: none, which is seldom slower)",
    )
    embed.add_argument(
        "--start-method",
        choices=("fork", "spawn", "forkserver"),
        help="of these processes (default: the platform's)",
    )
    embed.add_argument(
        "--genome", type=Path, metavar="FASTA", help="default: the one in the dependencies folder"
    )
    embed.add_argument("--device", choices=DEVICES, default="auto")
    embed.add_argument(
        "--allow-all-n", action="store_true", help="embed windows of nothing but N, too"
    )
    embed.add_argument(
        "--allow-non-cpg",
        action="store_true",
        help="embed locations of which under half say CG in the genome, too",
    )
    embed.add_argument(
        "--set-aside-unnamed",
        action="store_true",
        help="move rows that the index does not name into a file of their own, and go on",
    )
    embed.add_argument(
        "--facts",
        type=Path,
        metavar="FILE",
        help="an examination of this very environment, saved by check --no-redact --save-facts;"
        " saves examining it again for each of many runs",
    )
    embed.add_argument(
        "--fallback",
        choices=("cpu",),
        help="where a GPU's memory does not hold even one window, compute the rest on the CPU",
    )
    embed.add_argument(
        "--time-limit",
        type=duration,
        metavar="HH:MM:SS",
        help="end within this time, at the end of a part, with exit code 75; also MM, MM:SS and"
        " D-HH:MM:SS, as Slurm has them. SIGUSR1 ends a run after the part under way",
    )
    embed.add_argument(
        "--log-json",
        type=new_file,
        metavar="FILE",
        help="append what the run does to this file, one JSON object a line",
    )
    embed.add_argument(
        "--dry-run",
        action="store_true",
        help="examine, show the plan, compute a few windows, say what the run would take, and stop",
    )
    embed.add_argument(
        "--demo",
        action="store_true",
        help="make a small genome and a random model (in DIR, default cpgpt-doctor-demo), and"
        " embed them",
    )
    out = embed.add_argument_group("what is shown (findings; the plan and the progress go on)")
    add_report(out, "show nothing where nothing fails", "also the findings that refuse nothing")
    embed.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it under signals; what happens to its output does not change how it ended."""
    from cpgpt_doctor.embed import signals
    from cpgpt_doctor.reports.events import Events

    if not args.dry_run:
        stream.needed(False)
    events = Events(args.log_json, complain)
    code = 3
    try:
        with signals.handled(restartable=True):
            code = embed(args, events)
    except signals.Interrupted as error:
        code = error.exit_code
        if code == signals.AGAIN:
            complain(f"ended by {error} before all was done; start it again to go on")
        else:
            complain(f"interrupted ({error}); what is finished is kept, start it again to go on")
    except (InputError, DoctorError) as error:
        code = 2 if isinstance(error, InputError) else 3
        events.write("problem", text=str(error))
        raise
    finally:
        events.write("ended", exit_code=code)
        events.close()
    return code


def embed(args: argparse.Namespace, events: Events) -> int:
    """Observe, judge, refuse on an error; else show the plan and run it.

    In the form for a terminal, findings are shown where they refuse the run or end it. Every other
    form, and every file, is a whole report, written when it is known how the run ended; then the
    plan goes to standard error.
    """
    import dataclasses

    from cpgpt_doctor.embed import demo, signals, takeover
    from cpgpt_doctor.embed.pace import Deadline
    from cpgpt_doctor.embed.preflight import (
        EmbedRequest,
        limited,
        prepare,
        taken_over,
        with_failure,
        with_store,
    )
    from cpgpt_doctor.embed.run import Refused, run
    from cpgpt_doctor.findings import Severity
    from cpgpt_doctor.reports import run_terminal
    from cpgpt_doctor.reports.events import Told
    from cpgpt_doctor.words import from_locale

    deadline = None
    if args.time_limit is not None:
        asked_for = args.time_limit
        deadline = Deadline(asked_for.text, time.monotonic() + asked_for.seconds)
        signals.end_in(deadline.left())
    language: Language = args.lang or from_locale()
    document = args.format != "terminal" or args.output is not None
    given = named(args)
    files.check(args.output, "--output", given[1] if given else None, args.genome)
    # Only a plan that was asked for alone needs somebody to read it.
    output = stream.standard_output() if args.dry_run else sys.stdout or io.StringIO()
    notes = stream.console(io.StringIO() if args.quiet else sys.stderr, "en")
    console = notes if document or args.quiet else stream.console(output, "en")
    if args.demo:
        if given is not None:
            option = "processed-dir" if given[0] == "processed" else given[0]
            raise InputError(f"--demo has locations of its own; leave --{option} out")
        args.dependencies_dir, path = demo.make(args.python, args.dependencies_dir, notes)
        given = "locations", path
    if args.dependencies_dir is None:
        raise InputError("run-embed needs --dependencies-dir (or --demo)")
    if given is None:
        raise InputError("run-embed needs --locations, --betas or --processed-dir (or --demo)")
    notes.print("examining the environment, the genome and the locations")
    asked = EmbedRequest(
        dependencies=args.dependencies_dir,
        locations=given[1],
        kind=given[0],
        fix_names=args.fix_names,
        species=args.species,
        dna_llm=args.dna_llm,
        context_len=args.context_len,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        start_method=args.start_method,
        genome=args.genome,
        device=args.device,
        python=args.python,
        allow_all_n=args.allow_all_n,
        allow_non_cpg=args.allow_non_cpg,
        positions=args.positions,
        set_aside_unnamed=args.set_aside_unnamed,
        facts=args.facts,
        rows=args.rows,
        into=args.into,
        fallback=args.fallback == "cpu",
    )
    prepared = limited(prepare(asked), deadline)
    job, report = prepared.job, prepared.report
    if job is None:
        show_findings(report, args, language)
        return report.exit_code
    run_terminal.show_plan(prepared, console)
    if args.verbose and not document:
        show_findings(report, args, language)
    if args.dry_run:
        code, report = estimated(args, prepared, console, notes)
        if document or code:
            show_findings(report, args, language)
        return code
    started = time.monotonic()
    if prepared.taking is not None:
        try:
            with run_terminal.Shown(0, notes) as shown:
                takeover.take(prepared.taking, shown, job.inputs.index)
        except OSError as error:
            why = f"{error.filename or prepared.taking.staging}: {error.strerror or error}"
            complain(f"not taken over: {why}; what is copied is kept, start it again to go on")
            return 1
        notes.print(f"taken over: {prepared.taking.into}", soft_wrap=True)
        prepared = limited(taken_over(asked, prepared), deadline)
        job, report = prepared.job, prepared.report
        if job is None:
            show_findings(report, args, language)
            return report.exit_code
    try:
        with run_terminal.Shown(len(job.locations), notes) as shown:
            told = Told(shown, events, len(job.locations))
            events.write(
                "started",
                version=__version__,
                pid=os.getpid(),
                store=str(job.paths.rows),
                locations=len(job.all_locations),
                stored=len(job.all_locations) - len(job.locations),
            )
            result = run(job, told, lambda store: with_store(report, store).findings)
    except Refused as refused:
        report = with_store(report, refused.store)
        show_findings(report, args, language)
        return report.exit_code
    run_terminal.show_end(job, result, console, time.monotonic() - started)
    code = 0 if result.problem is None else 1
    report = with_store(report, result.store) if result.store else report
    report = dataclasses.replace(with_failure(report, result.findings), exit_code=code)
    if document or result.store or result.findings:
        show_findings(report, args, language)
    events.write(
        "result",
        committed=result.committed,
        problem=result.problem,
        set_aside=result.set_aside,
        findings=[each.code for each in report.findings if each.severity == Severity.error],
    )
    if result.problem is not None:
        stored = f"{result.committed} locations were stored by this run"
        complain(f"not finished: {result.problem} ({stored})")
    return code


def estimated(
    args: argparse.Namespace, prepared: Preflight, console: Clean, notes: Clean
) -> tuple[int, Report]:
    """Compute a few windows, and show what the run would take: the exit code, and the report."""
    import dataclasses

    from cpgpt_doctor.embed.estimate import NoEstimate, estimate
    from cpgpt_doctor.embed.preflight import with_failure
    from cpgpt_doctor.reports import run_terminal

    job, report = prepared.job, prepared.report
    assert job is not None
    if not job.locations:
        console.print("nothing to compute", soft_wrap=True)
        return 0, report
    host = report.facts.host
    try:
        found = estimate(job, notes.print, host.memory_limit if host else None)
    except NoEstimate as error:
        complain(f"no estimate: {error}")
        return 1, dataclasses.replace(with_failure(report, error.findings), exit_code=1)
    room = report.facts.store.room if report.facts.store else None
    if room is not None:  # of the disk that is written to, which --into may change
        found = dataclasses.replace(found, disk=room.needed, free=room.free)
    limit = args.time_limit.seconds if args.time_limit else None
    run_terminal.show_estimate(found, console, limit)
    return 0, report


def show_findings(report: Report, args: argparse.Namespace, language: Language) -> None:
    """A report on a run, in the form that was asked for; personal data is taken out as by check."""
    if args.format in SHARED and not args.no_redact:
        from cpgpt_doctor.embed.preflight import public

        report = public(report)
    from cpgpt_doctor.findings import Severity

    show_report(report, args, language, Severity.error)
