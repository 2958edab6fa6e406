"""Arguments in, exit code out."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from cpgpt_doctor import __version__, config
from cpgpt_doctor.errors import DoctorError, InputError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.findings import Severity
    from cpgpt_doctor.reports.report import Report
    from cpgpt_doctor.words import Language

# Reports that are meant to be shared: personal data is taken out of them.
SHARED = ("markdown", "html", "sarif", "github", "junit")
FORMATS = ("terminal", "markdown", "html", "json", "sarif", "github", "junit")

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
  cpgpt-doctor verify --dependencies-dir dependencies
      compute a sample of a store's rows again, and say what those are that differ
  cpgpt-doctor bench --plot loading.svg
      what CpGPT's worker settings and the safe path cost on this machine
"""
CHECK_EXAMPLES = """\
examples:
  cpgpt-doctor check --num-workers 4
  cpgpt-doctor check --start-method spawn           what macOS and Windows meet
  cpgpt-doctor check --dependencies-dir dependencies --quick
                                                    what is stored, in seconds
  cpgpt-doctor check . --quick --select CPG5        every such folder here, and nothing else
  cpgpt-doctor check --save-facts facts.json        to attach to an issue
  cpgpt-doctor check --facts facts.json             judge what another machine saw
  cpgpt-doctor check --format markdown --output report.md
  cpgpt-doctor check --format json | jq .findings

[tool.cpgpt-doctor] of pyproject.toml holds the same options by the same names.

exit code: 0 nothing at or above --fail-on, 1 findings, 2 the call is wrong, 3 the doctor failed
"""


RUN_EMBED_EXAMPLES = """\
examples:
  cpgpt-doctor run-embed --dependencies-dir dependencies --locations probes.txt
  cpgpt-doctor run-embed --dependencies-dir dependencies --locations probes.bed --dry-run
  zcat manifest.tsv.gz | cpgpt-doctor run-embed --dependencies-dir dependencies --locations -
  cpgpt-doctor run-embed --demo

exit code: 0 embedded and verified, 1 started and not finished, 2 refused before it started, by a
finding or in one line, 3 the doctor failed, 129, 130, 143 ended by SIGHUP, Ctrl-C, SIGTERM. What
is finished is kept.
"""

VERIFY_EXAMPLES = """\
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

EXPLAIN_EXAMPLES = """\
examples:
  cpgpt-doctor explain                              every rule, a line each
  cpgpt-doctor explain CPG201
  cpgpt-doctor explain CPG201 --lang zh --format markdown
  cpgpt-doctor explain --log slurm-1234.out
  python embed.py 2>&1 | cpgpt-doctor explain --log -

exit code: 0 a page, or no failure in the log; 1 failures in the log; 2 the call is wrong
"""

BENCH_EXAMPLES = """\
examples:
  cpgpt-doctor bench --genome Homo_sapiens.GRCh38.dna.toplevel.fa --batch-size 8
  cpgpt-doctor bench --plot loading.svg             a chart, too (needs cpgpt-doctor[plot])
  cpgpt-doctor bench --start-method spawn           what macOS and Windows meet
  cpgpt-doctor bench --format json | jq .settings

Nothing is downloaded: tokenizer and model come from the cache that HF_HOME names. The model is
timed where it is cached.
"""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of ours are."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see: {self.prog} --help)")
        sys.exit(2)


Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def parser() -> argparse.ArgumentParser:
    top = OneLineParser(
        prog="cpgpt-doctor",
        description="Examines an environment for CpGPT's DNA embedding, and runs it safely.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"cpgpt-doctor {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_check(commands)
    add_explain(commands)
    add_run_embed(commands)
    add_verify(commands)
    add_bench(commands)
    return top


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--python", default=sys.executable, help="the interpreter that runs CpGPT (default: this)"
    )
    add_debug(command)


def add_debug(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--debug", action="store_true", help="show the traceback of an error of the doctor"
    )


def add_check(commands: Commands) -> None:
    check = commands.add_parser(
        "check",
        help="examine the environment and the embedder's dataset",
        description="Examine an environment for CpGPT's embedding, and stores of embeddings."
        " Nothing is changed.",
        epilog=CHECK_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(check)
    meant = check.add_argument_group("what you mean to do (severity is the consequence for it)")
    meant.add_argument(
        "--via",
        choices=("direct", "run-embed"),
        default="direct",
        help="your own code calls CpGPT (default), or cpgpt-doctor run-embed does",
    )
    meant.add_argument("--num-workers", type=count, metavar="N", help="default: CpGPT's own, 8")
    meant.add_argument(
        "--start-method",
        choices=("fork", "spawn", "forkserver"),
        help="the one that your code sets (default: the platform's)",
    )
    meant.add_argument("--dna-llm", metavar="NAME", help="default: CpGPT's own")
    meant.add_argument("--batch-size", type=positive, metavar="N", help="default: CpGPT's own, 1")
    look = check.add_argument_group("what is looked at")
    look.add_argument("--genome", type=Path, metavar="FASTA", help="default: a tiny one, made up")
    look.add_argument("--quick", action="store_true", help="import neither torch nor CpGPT")
    look.add_argument(
        "--deep", action="store_true", help="also CpGPT's embedder and its data module's dataset"
    )
    look.add_argument(
        "--dataset", metavar="MODULE:CALLABLE", help="also a dataset of yours, which is imported"
    )
    look.add_argument(
        "--dependencies-dir",
        type=Path,
        metavar="DIR",
        help="also the embeddings, indexes and genomes in the folder that CpGPT is given",
    )
    look.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="such folders, or folders in which they are looked for",
    )
    look.add_argument(
        "--full", action="store_true", help="read every stored row, of a large file too"
    )
    look.add_argument("--facts", type=Path, metavar="FILE", help="judge facts saved elsewhere")
    look.add_argument("--save-facts", type=new_file, metavar="FILE", help="write what was seen")
    look.add_argument(
        "--no-redact",
        action="store_true",
        help="keep home folder, user and host names in what is shared (facts and reports)",
    )
    out = check.add_argument_group("what is shown")
    out.add_argument("--format", choices=FORMATS, default="terminal")
    add_shown(out)
    out.add_argument(
        "--select", type=codes, metavar="CODES", help="these rules only, such as CPG2,torch-broken"
    )
    out.add_argument("--ignore", type=codes, metavar="CODES", help="all rules but these")
    out.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="accept the findings of this report (written with --format json)",
    )
    out.add_argument("--quiet", action="store_true", help="show nothing where nothing fails")
    out.add_argument("--verbose", action="store_true", help="notes and skipped checks in full")
    out.add_argument(
        "--fail-on",
        choices=("error", "warning", "never"),
        default="error",
        help="exit 1 from this severity on (default: error)",
    )
    check.set_defaults(run=run_check, parser=check)


def add_shown(out: argparse._ArgumentGroup) -> None:
    out.add_argument("--output", type=new_file, metavar="FILE", help="write the report there")
    out.add_argument(
        "--lang", choices=("en", "zh"), help="English or Chinese (default: the locale's)"
    )
    out.add_argument("--ascii", action="store_true", help="plain marks, for any terminal")


def add_explain(commands: Commands) -> None:
    explain = commands.add_parser(
        "explain",
        help="the page of a rule, or what failed in a log",
        description="Show the page of a rule, or find every known failure in a log.",
        epilog=EXPLAIN_EXAMPLES,
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
    explain.set_defaults(run=run_explain)


def add_run_embed(commands: Commands) -> None:
    embed = commands.add_parser(
        "run-embed",
        help="the full embedding, with safe settings applied",
        description="Embed every location of a file into CpGPT's store, safely."
        " Started again, it goes on where it was.",
        epilog=RUN_EMBED_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(embed)
    embed.add_argument(
        "--dependencies-dir",
        type=Path,
        metavar="DIR",
        help="CpGPT's dependencies folder, to which the store belongs",
    )
    embed.add_argument(
        "--locations",
        metavar="FILE",
        help="chrom:pos lines, BED, VCF, or CSV/TSV with named columns; positions are the 0-based"
        " start of the CpG, a VCF's are converted; - for standard input",
    )
    embed.add_argument(
        "--positions",
        choices=("0-based", "1-based"),
        help="what the file's positions count from; one is subtracted from 1-based ones"
        " (default: 0-based, a VCF's 1-based)",
    )
    embed.add_argument("--species", default="homo_sapiens", metavar="NAME")
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
    embed.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
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
    embed.add_argument("--dry-run", action="store_true", help="examine, show the plan, and stop")
    embed.add_argument(
        "--demo",
        action="store_true",
        help="make a small genome and a random model (in DIR, default cpgpt-doctor-demo), and"
        " embed them",
    )
    out = embed.add_argument_group("what is shown (findings; the plan and the progress go on)")
    out.add_argument("--format", choices=FORMATS, default="terminal")
    add_shown(out)
    out.add_argument("--quiet", action="store_true", help="show nothing where nothing fails")
    out.add_argument("--verbose", action="store_true", help="also the findings that refuse nothing")
    out.add_argument(
        "--no-redact", action="store_true", help="keep personal data in reports that are shared"
    )
    embed.set_defaults(run=run_run_embed)


def add_verify(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify",
        help="audit a finished store by computing rows again",
        description="Compute a random sample of a store's rows again, each location alone, and find"
        " out what those are that differ. The store is not written to.",
        epilog=VERIFY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(verify)
    which = verify.add_argument_group("which store")
    which.add_argument(
        "--dependencies-dir",
        type=Path,
        metavar="DIR",
        required=True,
        help="CpGPT's dependencies folder, to which the store belongs",
    )
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
    rows.add_argument(
        "--positions",
        choices=("0-based", "1-based"),
        help="what the positions of --locations count from",
    )
    rows.add_argument("--seed", type=count, metavar="N", help="draws the same sample again")
    how = verify.add_argument_group("how they are computed")
    how.add_argument(
        "--genome", type=Path, metavar="FASTA", help="default: the one in the dependencies folder"
    )
    how.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    out = verify.add_argument_group("what is shown")
    out.add_argument("--format", choices=FORMATS, default="terminal")
    add_shown(out)
    out.add_argument("--quiet", action="store_true", help="show nothing where nothing fails")
    out.add_argument("--verbose", action="store_true", help="notes and skipped checks in full")
    out.add_argument(
        "--no-redact", action="store_true", help="keep personal data in reports that are shared"
    )
    verify.set_defaults(run=run_verify)


def add_bench(commands: Commands) -> None:
    bench = commands.add_parser(
        "bench",
        help="measure what worker settings cost on this machine",
        description="Measure windows a second and wrong windows of CpGPT's loading with 0, 2, 4"
        " and 8 workers and of the safe path, and the time of a forward pass.",
        epilog=BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(bench)
    bench.add_argument("--genome", type=Path, metavar="FASTA", help="default: one that is made up")
    bench.add_argument("--dna-llm", metavar="NAME", help="default: CpGPT's own")
    bench.add_argument(
        "--batch-size", type=positive, default=1, metavar="N", help="default: CpGPT's own, 1"
    )
    bench.add_argument(
        "--windows", type=positive, default=2000, metavar="N", help="a setting and round: 2000"
    )
    bench.add_argument(
        "--start-method",
        choices=("fork", "spawn", "forkserver"),
        help="of CpGPT's workers (default: the platform's)",
    )
    bench.add_argument("--format", choices=("terminal", "json"), default="terminal")
    bench.add_argument(
        "--plot", type=new_file, metavar="FILE", help="also draw a chart, .svg or .png"
    )
    bench.set_defaults(run=run_bench)


def new_file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name of a file is needed, not an empty one")
    return Path(text)


def count(text: str) -> int:
    # More digits than any number of processes or windows has, and than int() may refuse.
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"a whole number from 0 is needed, not {text!r}")
    return int(text)


def positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)


def codes(text: str) -> tuple[str, ...]:
    """Codes, beginnings of codes, or names of rules, as codes or their beginnings."""
    from cpgpt_doctor import catalogue
    from cpgpt_doctor.rules.registry import RULES

    parts = (part.strip() for part in text.split(",") if part.strip())
    prefixes = tuple(catalogue.code_of(part) or part.upper() for part in parts)
    for prefix in prefixes:
        if not any(rule.code.startswith(prefix) for rule in RULES):
            if any(code.startswith(prefix) for code in catalogue.entries()):
                where = (
                    "such failures are recognised in logs: cpgpt-doctor explain --log FILE"
                    if prefix.startswith("CPG7")
                    else "run-embed does; its page: cpgpt-doctor explain CODE"
                )
                raise argparse.ArgumentTypeError(f"check does not look for {prefix}: {where}")
            raise argparse.ArgumentTypeError(
                f"no rule's code begins with {prefix!r}, and none has this name;"
                " they are listed by: cpgpt-doctor explain"
            )
    return prefixes


def refuse_beside_facts(option: str, pyproject: Path | None) -> NoReturn:
    """An option that chooses what is looked at, where nothing is; pyproject: where it stands."""
    where = f" (it stands in [tool.cpgpt-doctor] of {pyproject})" if pyproject else ""
    raise InputError(
        f"--facts: what another machine saw is judged as it is, so --{option.replace('_', '-')} has"
        f" no effect; leave one of the two out{where}"
    )


# The module of each form of the report, in `reports`.
FORMS = {each: each for each in FORMATS} | {"json": "json_report"}


def import_the_rest(form: str) -> None:
    """Import what judges and shows."""
    for name in ("rules.registry", "redact", "reports.view", "reports.console"):
        importlib.import_module(f"cpgpt_doctor.{name}")
    importlib.import_module(f"cpgpt_doctor.reports.{FORMS[form]}")


def run_check(args: argparse.Namespace) -> int:
    """The patient is at work before anything is imported that is not needed to start it."""
    from cpgpt_doctor import check

    if args.baseline:
        from cpgpt_doctor import baseline

        accepted = baseline.read(args.baseline)
    files.check(args.output, "--output")
    files.check(args.save_facts, "--save-facts")

    facts = check.observe(
        python=args.python,
        genome=args.genome,
        quick=args.quick,
        deep=args.deep,
        dna_llm=args.dna_llm,
        dataset=args.dataset,
        dataset_folder=args.dataset_folder,
        dependencies=args.dependencies_dir,
        searched=args.paths,
        every_row=args.full,
        recorded=args.facts,
        meanwhile=partial(import_the_rest, args.format),
    )

    from cpgpt_doctor.findings import Severity
    from cpgpt_doctor.intent import Intent, resolve
    from cpgpt_doctor.redact import redacted
    from cpgpt_doctor.reports.report import Report, exit_code
    from cpgpt_doctor.rules.registry import judge, selected
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    intent = Intent(
        via=args.via,
        num_workers=args.num_workers,
        start_method=args.start_method,
        dna_llm=args.dna_llm,
        batch_size=args.batch_size,
    )
    if args.save_facts or args.format in SHARED:
        public = facts if args.no_redact else redacted(facts)
        if args.save_facts:
            check.save(public, args.save_facts)
        if args.format in SHARED:
            facts = public
    judged = selected(judge(facts, intent), args.select or (), args.ignore or ())
    known = 0
    if args.baseline:
        judged, known = baseline.without(judged, accepted)
    fail_on = None if args.fail_on == "never" else Severity[args.fail_on]
    code = exit_code(judged, fail_on)
    chosen = bool(args.select or args.ignore)
    report = Report(facts, intent, resolve(intent, facts), judged, code, known, chosen)
    if code or not args.quiet:
        show_report(report, args, language, fail_on)
    return code


def show_report(
    report: Report, args: argparse.Namespace, language: Language, fail_on: Severity | None
) -> None:
    """Write the report in its form; a form is imported where it is asked for."""
    import datetime

    from cpgpt_doctor.reports import view

    today = datetime.date.today().isoformat()
    if args.format == "html":  # which has both languages
        from cpgpt_doctor.reports import html

        write(html.render(view.in_each_language(report), language, date=today), args.output)
        return
    said = view.of(report, language)
    if args.format == "terminal":
        from cpgpt_doctor.reports import terminal

        if args.output is None:
            shown = stream.console(stream.standard_output(), language, ascii_only=args.ascii)
            terminal.render(said, shown, verbose=args.verbose)
        else:
            from cpgpt_doctor.reports.console import Clean

            text = io.StringIO()
            plain = Clean(file=text, width=100, highlight=False, markup=False, emoji=False)
            terminal.render(said, plain, verbose=args.verbose)
            write(text.getvalue(), args.output)
    elif args.format == "markdown":
        from cpgpt_doctor.reports import markdown

        write(markdown.render(said, date=today), args.output)
    elif args.format == "json":
        from cpgpt_doctor.reports import json_report

        write(json_report.render(said), args.output)
    elif args.format == "sarif":
        from cpgpt_doctor.reports import sarif

        write(sarif.render(said), args.output)
    elif args.format == "junit":
        from cpgpt_doctor.reports import junit

        write(junit.render(said, fail_on), args.output)
    else:
        from cpgpt_doctor.reports import github

        write(github.render(said), args.output)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            append(github.summary(said), Path(summary))


def write(text: str, path: Path | None) -> None:
    """Write a report as UTF-8: to standard output, or to the file."""
    if path is None:
        stream.write_utf8(text)
    else:
        files.write_text(text, path, "--output")


def append(text: str, summary: Path) -> None:
    """Add to the summary of a step, to which others add as well."""
    try:
        with summary.open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError as error:
        raise DoctorError(
            f"the report was written, the step's summary was not: {summary} cannot be written:"
            f" {error.strerror}; unset GITHUB_STEP_SUMMARY, or name a file that can be written"
        ) from error


def run_explain(args: argparse.Namespace) -> int:
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


def run_run_embed(args: argparse.Namespace) -> int:
    """Run it under signals; what happens to its output does not change how it ended."""
    from cpgpt_doctor.embed import signals

    if not args.dry_run:
        stream.needed(False)
    try:
        with signals.handled():
            return embed(args)
    except signals.Interrupted as error:
        complain(f"interrupted ({error}); what is finished is kept, start it again to go on")
        return error.exit_code


def embed(args: argparse.Namespace) -> int:
    """Observe, judge, refuse on an error; else show the plan and run it.

    In the form for a terminal, findings are shown where they refuse the run or end it. Every other
    form, and every file, is a whole report, written when it is known how the run ended; then the
    plan goes to standard error.
    """
    import dataclasses

    from cpgpt_doctor.embed import demo
    from cpgpt_doctor.embed.run import Refused, run
    from cpgpt_doctor.reports import run_terminal
    from cpgpt_doctor.run_embed import EmbedRequest, prepare, with_store
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    document = args.format != "terminal" or args.output is not None
    files.check(args.output, "--output")
    # Only a plan that was asked for alone needs somebody to read it.
    output = stream.standard_output() if args.dry_run else sys.stdout or io.StringIO()
    notes = stream.console(io.StringIO() if args.quiet else sys.stderr, "en")
    console = notes if document or args.quiet else stream.console(output, "en")
    if args.demo:
        if args.locations is not None:
            raise InputError("--demo has locations of its own; leave --locations out")
        args.dependencies_dir, args.locations = demo.make(args.python, args.dependencies_dir, notes)
    for option in ("dependencies_dir", "locations"):
        if getattr(args, option) is None:
            raise InputError(f"run-embed needs --{option.replace('_', '-')} (or --demo)")
    notes.print("examining the environment, the genome and the locations")
    prepared = prepare(
        EmbedRequest(
            dependencies=args.dependencies_dir,
            locations=args.locations,
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
        )
    )
    job, report = prepared.job, prepared.report
    if job is None:
        show_findings(report, args, language)
        return report.exit_code
    run_terminal.show_plan(prepared, console)
    if args.verbose and not document:
        show_findings(report, args, language)
    if args.dry_run:
        if document:
            show_findings(report, args, language)
        return 0
    started = time.monotonic()
    try:
        with run_terminal.Shown(len(job.locations), notes) as shown:
            result = run(job, shown, lambda store: with_store(report, store).findings)
    except Refused as refused:
        report = with_store(report, refused.store)
        show_findings(report, args, language)
        return report.exit_code
    run_terminal.show_end(job, result, console, time.monotonic() - started)
    code = 0 if result.problem is None else 1
    report = dataclasses.replace(
        with_store(report, result.store) if result.store else report, exit_code=code
    )
    if document or result.store:
        show_findings(report, args, language)
    if result.problem is not None:
        stored = f"{result.committed} locations were stored by this run"
        complain(f"not finished: {result.problem} ({stored})")
    return code


def show_findings(report: Report, args: argparse.Namespace, language: Language) -> None:
    """A report on a run, in the form that was asked for; personal data is taken out as by check."""
    if args.format in SHARED and not args.no_redact:
        from cpgpt_doctor.run_embed import public

        report = public(report)
    from cpgpt_doctor.findings import Severity

    show_report(report, args, language, Severity.error)


def run_verify(args: argparse.Namespace) -> int:
    """Audit under signals: however it ends, the worker and its folder are gone."""
    from cpgpt_doctor.embed import signals

    try:
        with signals.handled():
            return verify_store(args)
    except signals.Interrupted as error:
        complain(f"interrupted ({error}); nothing was written")
        return error.exit_code


def verify_store(args: argparse.Namespace) -> int:
    from cpgpt_doctor import verify
    from cpgpt_doctor.audit.run import Asked
    from cpgpt_doctor.reports import run_terminal
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    files.check(args.output, "--output")
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
        device=args.device,
    )
    notes = stream.console(io.StringIO() if args.quiet else sys.stderr, "en")
    with run_terminal.Shown(0, notes) as shown:
        report = verify.report(asked, shown)
    if report.exit_code or not args.quiet:
        show_findings(report, args, language)
    return report.exit_code


def run_bench(args: argparse.Namespace) -> int:
    from cpgpt_doctor import bench
    from cpgpt_doctor.reports import bench_plot, bench_terminal

    if args.plot:
        bench_plot.check(args.plot)
    output = stream.standard_output()
    notes = stream.console(sys.stderr, "en")
    notes.print("measuring (a minute or two; let the machine do nothing else)")
    measured = bench.measure(
        python=args.python,
        genome=args.genome,
        dna_llm=args.dna_llm,
        batch_size=args.batch_size,
        windows=args.windows,
        start_method=args.start_method,
    )
    if args.plot:
        bench_plot.save(measured, args.plot)
    if args.format == "json":
        stream.write_utf8(bench.to_json(measured))
    else:
        bench_terminal.render(measured, stream.console(output, "en"))
    return 0


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


def command(argv: list[str] | None) -> int:
    top = parser()
    try:
        args = top.parse_args(argv)
    except SystemExit as ended:  # after --help, --version, or an error
        return int(ended.code or 0)
    try:
        if args.command != "explain":  # which looks at nothing here
            here = working_folder()
        if args.command == "check":
            said = args
            values, path = config.settings(here, args.parser)
            args.parser.set_defaults(**values, dataset_folder=here)
            args = top.parse_args(argv)
            if path is not None and args.dataset is not None and said.dataset is None:
                args.dataset_folder = path.parent
            if args.facts is not None:
                if args.paths:
                    raise InputError(
                        "--facts: what another machine saw is judged as it is; leave the PATHs out"
                    )
                for each in ("genome", "quick", "deep", "dataset", "dependencies_dir", "full"):
                    if getattr(args, each):
                        refuse_beside_facts(each, None if getattr(said, each) else path)
        return int(args.run(args))
    except InputError as error:
        caught: BaseException = error
        code, line = 2, str(error)
    except DoctorError as error:
        caught = error
        code, line = 3, str(error)
    except KeyboardInterrupt as error:
        caught = error
        number = error.number if isinstance(error, Terminated) else signal.SIGINT
        code, line = 128 + number, "interrupted"
    except Exception as error:
        caught = error
        code = 3
        line = f"the doctor itself failed: {type(error).__name__}: {error} (--debug shows where)"
    if args.debug:
        import traceback

        traceback.print_exception(caught)
    complain(line)
    return code


def complain(line: str) -> None:
    """An error is one line, whatever a file's name or a library's message holds."""
    print("cpgpt-doctor:", " ".join(stream.visible(line).split()), file=sys.stderr)
