"""`check`: examine an environment, and stores of embeddings."""

from __future__ import annotations

import argparse
import gc
import importlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cpgpt_doctor import config
from cpgpt_doctor.commands.options import (
    FORMATS,
    Commands,
    add_circumstances,
    add_common,
    add_given,
    add_shown,
    count,
    folder,
    named,
    new_file,
    place,
    positive,
)
from cpgpt_doctor.commands.output import SHARED, show_report
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import files

if TYPE_CHECKING:
    from cpgpt_doctor.words import Language

EXAMPLES = """\
examples:
  cpgpt-doctor check --num-workers 4
  cpgpt-doctor check --start-method spawn           what macOS and Windows meet
  cpgpt-doctor check --dependencies-dir dependencies --quick
                                                    what is stored, in seconds
  cpgpt-doctor check .                              the environment, the code and the folders here
  cpgpt-doctor check embed.py --for macos           the same script on another platform
  cpgpt-doctor check . --quick --select CPG5        what is stored here, and nothing else
  cpgpt-doctor check --save-facts facts.json        to attach to an issue
  cpgpt-doctor check --facts facts.json             judge what another machine saw
  cpgpt-doctor check --format markdown --output report.md
  cpgpt-doctor check --format json | jq .findings

[tool.cpgpt-doctor] of pyproject.toml holds the same options by the same names.

exit code: 0 nothing at or above --fail-on, 1 findings, 2 the call is wrong, 3 the doctor failed
"""
# The module of each form of the report, in `reports`.
FORMS = {each: each for each in FORMATS} | {"json": "json_report"}


def add(commands: Commands) -> None:
    check = commands.add_parser(
        "check",
        help="examine the environment, your code, and the embedder's dataset",
        description="Examine an environment for CpGPT's embedding, scripts, notebooks and configs"
        " that use it, and stores of embeddings. Nothing is run of your code, nothing is changed.",
        epilog=EXAMPLES,
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
        type=folder,
        metavar="DIR",
        help="also the embeddings, indexes and genomes in the folder that CpGPT is given",
    )
    add_given(look)
    look.add_argument(
        "--species",
        default="homo_sapiens",
        metavar="NAME",
        help="of these locations (default: homo_sapiens)",
    )
    look.add_argument(
        "paths",
        nargs="*",
        type=place,
        metavar="PATH",
        help="scripts, notebooks and YAML files, or folders in which these, and folders such as"
        " --dependencies-dir, are looked for",
    )
    add_circumstances(look)
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
    check.set_defaults(run=run, parser=check)


def codes(text: str) -> tuple[str, ...]:
    """Codes, beginnings of codes, or names of rules, as codes or their beginnings."""
    from cpgpt_doctor import catalogue
    from cpgpt_doctor.rules.registry import all_rules

    parts = (part.strip() for part in text.split(",") if part.strip())
    prefixes = tuple(catalogue.code_of(part) or part.upper() for part in parts)
    for prefix in prefixes:
        if not any(rule.code.startswith(prefix) for rule in all_rules()):
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


def with_settings(
    said: argparse.Namespace, here: Path, top: argparse.ArgumentParser, argv: Sequence[str]
) -> argparse.Namespace:
    """The arguments with those of pyproject.toml, as far as the command line does not say them.

    said: those of the command line alone. A dataset is imported from where its name stands.
    """
    values, path = config.settings(here, said.parser)
    said.parser.set_defaults(**values, dataset_folder=here)
    args = top.parse_args(argv)
    if path is not None and args.dataset is not None and said.dataset is None:
        args.dataset_folder = path.parent
    if args.facts is not None:
        if args.paths:
            raise InputError(
                "--facts: what another machine saw is judged as it is; leave the PATHs out"
            )
        looks = ("genome", "quick", "deep", "dataset", "dependencies_dir", "full")
        for each in (*looks, "locations", "betas", "processed_dir"):
            if getattr(args, each):
                refuse_beside_facts(each, None if getattr(said, each) else path)
    return args


def import_the_rest(form: str, of_data: bool) -> None:
    """Import what judges and shows; of_data: rules of data, too.

    Nearly all that is made here stays, so that to collect garbage meanwhile is in vain, and to look
    through it again at every later collection and at the end, too.
    """
    gc.disable()
    for name in ("rules.registry", "reports.view", "reports.console"):
        importlib.import_module(f"cpgpt_doctor.{name}")
    importlib.import_module(f"cpgpt_doctor.reports.{FORMS[form]}")
    if of_data:
        importlib.import_module("cpgpt_doctor.rules.registry").all_rules()
    gc.freeze()
    gc.enable()


def run(args: argparse.Namespace) -> int:
    """The patient is at work before anything is imported that is not needed to start it."""
    from cpgpt_doctor import check

    if args.baseline:
        from cpgpt_doctor import baseline

        accepted = baseline.read(args.baseline)
    given = named(args)
    files.check(args.output, "--output", args.genome, given[1] if given else None)
    files.check(args.save_facts, "--save-facts", args.genome, given[1] if given else None)

    facts = check.observe(
        python=args.python,
        genome=args.genome,
        quick=args.quick,
        deep=args.deep,
        dna_llm=args.dna_llm,
        dataset=args.dataset,
        dataset_folder=args.dataset_folder,
        dependencies=args.dependencies_dir,
        paths=args.paths,
        every_row=args.full,
        given=given,
        species=args.species,
        positions=args.positions,
        fix_names=args.fix_names,
        recorded=args.facts,
        meanwhile=partial(import_the_rest, args.format, bool(args.dependencies_dir or args.paths)),
    )

    from cpgpt_doctor.findings import Finding, Severity
    from cpgpt_doctor.intent import Intent, resolve
    from cpgpt_doctor.report import Report, exit_code
    from cpgpt_doctor.rules.registry import judge, names_data, selected
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    intent = Intent(
        via=args.via,
        num_workers=args.num_workers,
        start_method=args.start_method,
        dna_llm=args.dna_llm,
        batch_size=args.batch_size,
        platform=args.platform,
        python=args.for_python,
        cpgpt=args.for_cpgpt,
    )
    if facts.sources is not None:
        from cpgpt_doctor.rules.sources.meant import meant

        intent = meant(facts, intent)
    if args.save_facts or args.format in SHARED:
        from cpgpt_doctor.redact import redacted

        public = facts if args.no_redact else redacted(facts)
        if args.save_facts:
            check.save(public, args.save_facts)
        if args.format in SHARED:
            facts = public
    # Of data that nobody named nothing is said but to who asks for it.
    every = judge(facts, intent, of_data=names_data(facts) or bool(args.select))
    judged = selected(every, args.select or (), args.ignore or ())
    known: tuple[Finding, ...] = ()
    if args.baseline:
        packages = facts.packages
        release = packages.cpgpt.version if packages and packages.cpgpt else None
        judged, known = baseline.without(judged, accepted, release)
    fail_on = None if args.fail_on == "never" else Severity[args.fail_on]
    code = exit_code(judged, fail_on)
    chosen = bool(args.select or args.ignore)
    report = Report(facts, intent, resolve(intent, facts), judged, code, known, chosen)
    if code or not args.quiet:
        show_report(report, args, language, fail_on)
    return code
