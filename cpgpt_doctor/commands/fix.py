"""`fix`: show, or write, the edits that mend scripts, notebooks and configs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cpgpt_doctor.commands.check import codes
from cpgpt_doctor.commands.options import Commands, add_circumstances, add_common, place
from cpgpt_doctor.commands.output import complain
from cpgpt_doctor.reports import stream

if TYPE_CHECKING:
    from cpgpt_doctor.fix import Mended
    from cpgpt_doctor.words import Language, Words

EXAMPLES = """\
examples:
  cpgpt-doctor fix embed.py                         show what would be changed
  cpgpt-doctor fix . --write                        change it, in scripts, notebooks and YAML
  cpgpt-doctor fix . --write --for macos            as it is right on macOS, too
  cpgpt-doctor fix . > fix.patch                    a patch, for: git apply fix.patch

Only the text of the argument is changed; comments, line endings and encodings stay. An edit is
unsafe where more than the finding may hang on it: it is shown, and written with --unsafe.

exit code: 0 nothing is left to mend, 1 something is, 2 the call is wrong, 3 the doctor failed
"""


def add(commands: Commands) -> None:
    fix = commands.add_parser(
        "fix",
        help="mend scripts, notebooks and configs",
        description="Show the edits that mend scripts, notebooks and YAML files, as a unified diff;"
        " write them with --write.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(fix)
    fix.add_argument("paths", nargs="+", type=place, metavar="PATH", help="files, or folders")
    what = fix.add_argument_group("what is mended")
    add_circumstances(what)
    what.add_argument(
        "--start-method",
        choices=("fork", "spawn", "forkserver"),
        help="the one that your code sets elsewhere (default: the platform's)",
    )
    what.add_argument(
        "--select", type=codes, metavar="CODES", help="these rules only, and their notes, too"
    )
    what.add_argument("--ignore", type=codes, metavar="CODES", help="all rules but these")
    what.add_argument("--unsafe", action="store_true", help="also where more may hang on it")
    what.add_argument("--write", action="store_true", help="change the files")
    out = fix.add_argument_group("what is shown")
    out.add_argument(
        "--lang", choices=("en", "zh"), help="English or Chinese (default: the locale's)"
    )
    out.add_argument("--quiet", action="store_true", help="no diff, no summary")
    fix.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show or write what mends the files; 1 where something is left to mend."""
    from cpgpt_doctor import check, fix
    from cpgpt_doctor.findings import Severity
    from cpgpt_doctor.intent import Intent
    from cpgpt_doctor.words import from_locale

    language: Language = args.lang or from_locale()
    facts = check.observe(python=args.python, quick=True)
    intent = Intent(
        start_method=args.start_method,
        platform=args.platform,
        python=args.for_python,
        cpgpt=args.for_cpgpt,
    )
    choice = fix.Choice(args.select or (), args.ignore or (), args.unsafe)
    made = fix.mend(args.paths, facts, intent, choice)
    for path, reason in made.refused.items():
        complain(f"{path}: left as it is: {reason}")
    unsafe = None
    if not args.unsafe and any(each.edits for each in made.left):
        wider = fix.Choice(choice.select, choice.ignore, unsafe=True)
        unsafe = fix.mend(args.paths, facts, intent, wider, made.after)
    if args.write:
        fix.write(made)
    if not args.quiet:
        shown = fix.diff(made)
        if unsafe is not None and unsafe.changed:
            said = unsafe_words().say(language)
            shown += f"# {said}\n{fix.diff(unsafe)}"
        stream.write_utf8(shown)
        complain(summary(made, written=args.write).say(language))
    left = [each for each in made.left if each.severity is Severity.error]
    return int(bool(left) or (bool(made.changed) and not args.write))


def unsafe_words() -> Words:
    from cpgpt_doctor.words import Words

    return Words(
        "Unsafe: look at these first; --unsafe makes them, too",
        "以下改动可能影响其他代码，请先查看；加上 --unsafe 才会执行",
    )


def summary(made: Mended, *, written: bool) -> Words:
    """One line: how many findings are mended, in how many files, and what is left."""
    from cpgpt_doctor.words import Words

    count, files, left = len(made.done), len(made.changed), len(made.left)
    if not files:
        return Words(f"nothing to change (findings left: {left})",
                     f"没有可以修改的内容（剩余检查结果：{left}）")  # fmt: skip
    if written:
        return Words(
            f"findings mended: {count}, files written: {files}, findings left: {left}",
            f"已修复的检查结果：{count}，已写入的文件：{files}，剩余检查结果：{left}",
        )
    return Words(
        f"findings that --write mends: {count}, in files: {files}; findings left: {left}",
        f"--write 可修复的检查结果：{count}，涉及文件：{files}；剩余检查结果：{left}",
    )
