"""Places in sources, and the edits that mend what stands there."""

from __future__ import annotations

import shlex

from cpgpt_doctor.facts.sources import Change, Place, Site, SourceCall, SourceFile
from cpgpt_doctor.findings import Edit, Location
from cpgpt_doctor.words import Words, same


def location(place: Place, call: str | None = None, argument: str | None = None) -> Location:
    return Location(
        place.path,
        place.line,
        place.column,
        place.cell,
        call,
        place.file_line,
        place.end_line,
        place.end_column,
        argument,
    )


def edit(change: Change, put_in: str, *, safe: bool) -> Edit:
    return Edit(location(change.place), change.text.replace("{}", put_in), safe)


def written(site: Site, name: str, value: str, *, yaml: bool = False) -> tuple[Edit, ...]:
    """The edits that give a setting another value at its site; () where there is no way."""
    if site.edit == "replace":
        return (Edit(location(site.place), value),)
    if site.edit == "spread":
        put_in = f'"{name}": {value}'
    else:
        put_in = f"{name}: {value}" if yaml else f"{name}={value}"
    return tuple(edit(each, put_in, safe=True) for each in site.changes)


def at(site: Site, call: SourceCall) -> Location:
    """Where a finding about a value is: at the text that decides it."""
    inside = site.edit == "insert" or within(site.place, call.place)
    text = call.text if inside else site.around or site.text
    argument = None if site.edit == "insert" else site.text
    return location(site.place, text, argument)


def within(inner: Place, outer: Place) -> bool:
    return (
        inner.path == outer.path
        and inner.cell == outer.cell
        and (outer.line, outer.column) <= (inner.line, inner.column)
        and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
    )


def mended(call: SourceCall, site: Site, name: str, value: str) -> str:
    """The call on one line as it reads afterwards."""
    if site.edit == "replace" and within(site.place, call.place):
        before, found, after = call.text.rpartition(f"{name}={site.text}")
        if found:
            return f"{before}{name}={value}{after}"
        return call.text
    if site.edit == "insert" and call.text.endswith(")"):
        between = "" if call.text.endswith("()") else ", "
        return f"{call.text[:-1]}{between}{name}={value})"
    return call.text


def at_line(place: Place) -> Words:
    """Where something is, in a sentence."""
    cell = place.cell
    if cell is not None:
        return Words(
            f"{place.path}, cell {cell}, line {place.line}",
            f"{place.path} 第 {cell} 个单元格第 {place.line} 行",
        )
    return same(f"{place.path}:{place.line}")


def quoted(path: str) -> Words:
    """A path as a shell takes it."""
    return same(shlex.quote(path))


def is_yaml(file: SourceFile) -> bool:
    return file.kind == "yaml"
