"""Read genomic locations from a user's file.

A location is "chromosome:position", the position being the 0-based start of the CpG, as CpGPT and
the manifests' CpG_beg have it.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cpgpt_doctor.errors import InputError

# Stricter than CpGPT, whose int() also takes "1_000", " 5000 " and "-500" and embeds another
# window than was meant. A leading zero would store one locus under two names.
LOCATION = re.compile(r"([^\s:\x00-\x1f\x7f-\x9f]+):(0|[1-9][0-9]{0,17})")
POSITION = re.compile(r"0|[1-9][0-9]{0,17}")
CHROMOSOME_COLUMNS = ("chrom", "chromosome", "chr", "cpg_chrm", "seqname", "#chrom")
POSITION_COLUMNS = ("pos", "position", "start", "cpg_beg", "chromstart")
LOCATION_COLUMNS = ("location", "genomic_location")
BED_NOT_DATA = re.compile(r"#|(track|browser)(\s|$)")
LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Locations:
    """Locations in the order in which they were first given.

    places: each location with the line that gave it first.
    duplicates: how many lines repeated one.
    """

    source: str
    places: dict[str, int]
    duplicates: int


def read(source: str) -> Locations:
    """Read a file ("-": standard input): chrom:pos lines, BED, or CSV/TSV with named columns.

    Raises InputError, with the file and line, for anything that is not clearly a location.
    """
    name = "standard input" if source == "-" else source
    lines = LINE_END.split(text(source, name))  # splitlines() also splits at \x1c, \x85 and others
    places: dict[str, int] = {}
    duplicates = 0
    for number, location in parse(lines, name):
        if location in places:
            duplicates += 1
        else:
            places[location] = number
    if not places:
        raise InputError(f"{name}: holds no location")
    return Locations(name, places, duplicates)


def text(source: str, name: str) -> str:
    if source == "-" and sys.stdin is None:
        raise InputError("--locations -: standard input is closed")
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"--locations {name}: cannot be read: {error.strerror}") from error
    if data.startswith(b"\x1f\x8b"):
        raise InputError(f"{name}: is compressed; pass it through gzip -dc and give --locations -")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not text (byte {error.start} is not UTF-8)") from error
    if "\0" in decoded:
        raise InputError(f"{name}: is not text (it holds a zero byte)")
    return decoded


def parse(lines: Sequence[str], name: str) -> Iterator[tuple[int, str]]:
    """Yield (line, location); the first line with data decides the form of all of them."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    number, first = next((each for each in numbered if not is_comment(each[1])), (1, ""))
    fields = first.split("\t")
    if len(fields) >= 3 and POSITION.fullmatch(fields[1]) and POSITION.fullmatch(fields[2]):
        yield from bed(numbered, name)
        return
    delimiter = "\t" if "\t" in first else ","
    header = split(first, delimiter, name, number)
    reader = column_reader([column.strip().lower() for column in header], name, number)
    if reader is not None:
        after = [each for each in numbered if each[0] > number]
        yield from table(after, delimiter, reader, name)
    elif delimiter in first:
        raise InputError(
            f"{name}:{number}: has neither BED's columns nor a header that names them; name a"
            f" chromosome column ({', '.join(CHROMOSOME_COLUMNS[:4])}) and a position column"
            f" ({', '.join(POSITION_COLUMNS[:4])}), or one column 'location'"
        )
    else:
        for number, line in numbered:
            if not is_comment(line):
                yield number, checked(line.strip(), name, number)


def is_comment(line: str) -> bool:
    return bool(BED_NOT_DATA.match(line)) and not line.lower().startswith("#chrom")


def split(line: str, delimiter: str, name: str, number: int) -> list[str]:
    """The fields of one line of CSV.

    A quoted field that goes on in the next line is refused: it is nearly always a stray quotation
    mark, which would swallow the locations of the lines up to the next one.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{name}:{number}: is not a line of CSV: {error}") from error


def checked(location: str, name: str, number: int) -> str:
    if not LOCATION.fullmatch(location):
        raise InputError(
            f"{name}:{number}: {location[:60]!r} is not a location; it is written"
            " chromosome:position, such as 1:100000"
        )
    return location


def bed(lines: Sequence[tuple[int, str]], name: str) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        if is_comment(line) or line.lower().startswith("#chrom"):
            continue
        fields = line.split("\t")
        if len(fields) < 3:
            raise InputError(f"{name}:{number}: a BED line has at least 3 columns with tabs")
        yield number, checked(f"{fields[0]}:{fields[1]}", name, number)


def column_reader(columns: list[str], name: str, number: int) -> Callable[[list[str]], str] | None:
    """How to make a location of a row, None where the header does not name the columns."""
    whole = [at for at, column in enumerate(columns) if column in LOCATION_COLUMNS]
    if whole:
        return lambda row: row[whole[0]].strip()
    chromosomes = [at for at, column in enumerate(columns) if column in CHROMOSOME_COLUMNS]
    positions = [at for at, column in enumerate(columns) if column in POSITION_COLUMNS]
    if not chromosomes or not positions:
        return None
    if len(chromosomes) > 1 or len(positions) > 1:
        raise InputError(f"{name}:{number}: names more than one chromosome or position column")
    chromosome, position = chromosomes[0], positions[0]
    return lambda row: f"{row[chromosome].strip()}:{row[position].strip()}"


def table(
    lines: Sequence[tuple[int, str]],
    delimiter: str,
    reader: Callable[[list[str]], str],
    name: str,
) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        row = split(line, delimiter, name, number)
        try:
            location = reader(row)
        except IndexError:
            raise InputError(
                f"{name}:{number}: has {len(row)} columns, fewer than the header"
            ) from None
        yield number, checked(location, name, number)
