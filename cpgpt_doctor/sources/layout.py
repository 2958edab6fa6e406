"""Where in the text of a program something can be put in or taken out, so that the rest stays.

The text is never written anew from a tree: a change is a stretch of it and what stands there
instead.
"""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import replace

from cpgpt_doctor.facts.sources import Change, Place
from cpgpt_doctor.sources.program import Program

SKIPPED = (
    *(tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
)


def argument(program: Program, call: ast.Call) -> tuple[Change, ...]:
    """How a keyword argument (`{}`) is put behind the last argument of a call.

    It stands as the last one does: on the same line, or on a line of its own, with a comma behind
    it where that one has one. () where the text cannot be split up.
    """
    lines = program.source.lines
    start = call.func.end_lineno, call.func.end_col_offset
    if start[0] is None or start[1] is None or call.end_lineno is None:
        return ()
    first_column = program.source.column(start[0], start[1]) - 1
    text = "\n".join([lines[start[0] - 1][first_column:], *lines[start[0] : call.end_lineno]])
    tokens = between_brackets(text)
    if tokens is None:
        return ()
    inside, close = tokens

    def place(at: tuple[int, int]) -> Place:
        line = start[0] + at[0] - 1  # type: ignore[operator]
        column = at[1] + (first_column if at[0] == 1 else 0)
        offset = len(lines[line - 1][:column].encode("utf-8", "surrogatepass"))
        return program.source.place(line, offset, line, offset)

    if not inside:
        return (Change(place(close), "{}"),)
    last = inside[-1]
    comma = last.string == ","
    close_line = text.split("\n")[close[0] - 1]
    own_line = not close_line[: close[1]].strip() and close[0] > last.end[0]
    if not own_line:
        return (Change(place(close if comma and last.end == close else last.end),
                       " {}" if comma else ", {}"),)  # fmt: skip
    argument_line = lines[line_of_last(call, start[0]) - 1]
    indent = argument_line[: len(argument_line) - len(argument_line.lstrip())]
    line_end = line_ending(program)
    added = Change(place((close[0], 0)), f"{indent}{{}}{',' if comma else ''}{line_end}")
    return (added,) if comma else (Change(place(last.end), ","), added)


def line_of_last(call: ast.Call, otherwise: int) -> int:
    """The line on which the last argument begins."""
    lines = [each.lineno for each in call.args]
    lines += [each.value.lineno if each.arg is None else each.lineno for each in call.keywords]
    return max(lines, default=otherwise)


def between_brackets(
    text: str,
) -> tuple[list[tokenize.TokenInfo], tuple[int, int]] | None:
    """The tokens between a call's brackets, comments left out, and where the last one closes."""
    found: list[tokenize.TokenInfo] = []
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.OP and token.string in "([{":
                depth += 1
                if depth == 1:
                    continue
            if token.type == tokenize.OP and token.string in ")]}":
                depth -= 1
                if depth == 0:
                    return found, token.start
            if depth and token.type not in SKIPPED:
                found.append(token)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
    return None


def line_ending(program: Program) -> str:
    """What ends the lines of a file: that of most of its chunks' text."""
    for chunk in program.source.chunks:
        if "\r\n" in chunk.text:
            return "\r\n"
        if "\n" in chunk.text:
            return "\n"
    return "\n"


def removal(program: Program, call: ast.Call) -> tuple[Change, ...]:
    """How the statement that a call is can be taken out; () where it is none."""
    for block in blocks(program.tree):
        for at, each in enumerate(block):
            if isinstance(each, ast.Expr) and each.value is call:
                return taken_out(program, block, at)
    return ()


def taken_out(program: Program, block: list[ast.stmt], at: int) -> tuple[Change, ...]:
    node = block[at]
    source = program.source
    end_line = node.end_lineno or node.lineno
    whole = source.place(node.lineno, node.col_offset, end_line, node.end_col_offset or 0)
    lines = source.lines
    before = lines[node.lineno - 1][: whole.column - 1]
    after = lines[end_line - 1][whole.end_column - 1 :]
    alone = not before.strip() and not after.strip(" \t")
    last_line = end_line >= len(lines) or source.chunk(end_line + 1) is not source.chunk(end_line)
    if len(block) == 1 or not alone or last_line:
        return (Change(whole, "pass"),)
    return (replace_place(whole, end_line=whole.end_line + 1),)


def replace_place(whole: Place, end_line: int) -> Change:
    return Change(replace(whole, column=1, end_line=end_line, end_column=1), "")


def blocks(tree: ast.Module) -> list[list[ast.stmt]]:
    found = []
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                found.append(block)
    return found


def before(program: Program, call: ast.Call) -> Place | None:
    """The beginning of the statement of the module in which a call stands."""
    for each in program.tree.body:
        decorators = getattr(each, "decorator_list", [])
        first = min([each.lineno, *(decorator.lineno for decorator in decorators)])
        if first <= call.lineno <= (each.end_lineno or first):
            if each.col_offset:
                return None
            return program.source.place(first, 0, first, 0)
    return None
