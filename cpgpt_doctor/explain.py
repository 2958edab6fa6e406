"""`explain`: the page of a rule, or what failed in a log."""

from __future__ import annotations

import difflib
import sys

from rich.markdown import Markdown

from cpgpt_doctor import pages
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports.stream import console
from cpgpt_doctor.words import Language, Words


def page(code: str, language: Language) -> str:
    """The Markdown of a rule's page; InputError for a code that is none."""
    known = pages.codes()
    if code.upper() not in known:
        near = difflib.get_close_matches(code.upper(), known, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"explain {code}: no such rule; {meant}all of them: cpgpt-doctor explain")
    return pages.read(code.upper(), language).text


def every_rule(language: Language) -> str:
    """A Markdown list of all pages."""
    head = Words("# The rules of cpgpt-doctor", "# cpgpt-doctor 的规则").say(language)
    lines = [f"- `{code}` {pages.read(code, language).title}" for code in pages.codes()]
    more = Words(
        "A rule's page: `cpgpt-doctor explain CODE`", "查看某条规则：`cpgpt-doctor explain CODE`"
    )
    return "\n".join([head, "", *lines, "", more.say(language)]) + "\n"


def show(text: str, language: Language, *, ascii_only: bool) -> None:
    """Markdown on the terminal."""
    shown = console(sys.stdout, language, ascii_only=ascii_only)
    shown.print(Markdown(text, code_theme="ansi_dark"))
