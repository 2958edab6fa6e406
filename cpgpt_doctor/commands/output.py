"""What commands say: a report in its form, and an error in one line."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cpgpt_doctor.errors import DoctorError
from cpgpt_doctor.reports import files, stream

if TYPE_CHECKING:
    from cpgpt_doctor.findings import Severity
    from cpgpt_doctor.report import Report
    from cpgpt_doctor.words import Language

# Reports that are meant to be shared: personal data is taken out of them.
SHARED = ("markdown", "html", "sarif", "github", "junit")


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


def complain(line: str) -> None:
    """An error is one line, whatever a file's name or a library's message holds."""
    print("cpgpt-doctor:", " ".join(stream.visible(line).split()), file=sys.stderr)
