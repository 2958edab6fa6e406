"""Read genomic locations from a user's file.

A location is "chromosome:position", the position being the 0-based start of the CpG, as CpGPT and
the manifests' CpG_beg have it. Public advice that calls them 1-indexed names windows one base off.
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
POSITION_COLUMNS = ("pos", "position", "start", "cpg_beg", "chromstart", "mapinfo")
OFTEN_ONE_BASED = ("pos", "mapinfo")  # tables made of a VCF, and Illumina's manifests
BED_COLUMNS = [["#chrom", "start", "end"], ["#chrom", "chromstart", "chromend"]]
VCF_COLUMNS = ["#chrom", "pos", "id", "ref", "alt"]
LOCATION_COLUMNS = ("location", "genomic_location")
BED_NOT_DATA = re.compile(r"#|(track|browser)(\s|$)")
LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Locations:
    """Locations in the order in which they were first given.

    places: each location with the line that gave it first.
    duplicates: how many lines repeated one.
    converted: why one was subtracted from every position; empty where none was.
    column: the name of the position column, where such a one often counts from 1 and nobody said
    how this one does.
    """

    source: str
    places: dict[str, int]
    duplicates: int
    converted: str
    column: str


@dataclass(frozen=True)
class Form:
    """How a file was read: its (line, location) pairs as written, and what tells where it counts
    from."""

    pairs: Iterator[tuple[int, str]]
    vcf: bool = False
    column: str = ""


def read(source: str, positions: str | None = None) -> Locations:
    """Read a file ("-": standard input): chrom:pos lines, BED, VCF, or CSV/TSV with named columns.

    positions: "0-based", "1-based" (then one is subtracted), or None: as the form has it, VCF from
    1 and every other from 0.

    Raises InputError, with the file and line, for anything that is not clearly a location.
    """
    name = "standard input" if source == "-" else source
    form = parse(LINE_END.split(text(source, name)), name)  # splitlines() also splits at \x1c
    converted = ""
    if positions == "1-based":
        converted = "--positions 1-based"
    elif positions is None and form.vcf:
        converted = "a VCF counts from 1"
    places: dict[str, int] = {}
    duplicates = 0
    for number, written in form.pairs:
        location = zero_based(written, name, number) if converted else written
        if location in places:
            duplicates += 1
        else:
            places[location] = number
    if not places:
        raise InputError(f"{name}: holds no location")
    return Locations(name, places, duplicates, converted, "" if positions else form.column)


def zero_based(location: str, name: str, number: int) -> str:
    chromosome, _, position = location.partition(":")
    if position == "0":
        raise InputError(f"{name}:{number}: {location!r}: position 0, where positions count from 1")
    return f"{chromosome}:{int(position) - 1}"


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


def parse(lines: Sequence[str], name: str) -> Form:
    """The first line with data decides the form of all of them."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    number, first = next((each for each in numbered if not is_comment(each[1])), (1, ""))
    fields = first.split("\t")
    columns = [column.strip().lower() for column in fields]
    if columns[:5] == VCF_COLUMNS or any(
        line.startswith("##fileformat=VCF") for _, line in numbered[:1]
    ):
        return Form(vcf(numbered, name), vcf=True)
    if (
        len(fields) >= 3 and POSITION.fullmatch(fields[1]) and POSITION.fullmatch(fields[2])
    ) or columns[:3] in BED_COLUMNS:
        return Form(bed(numbered, name))
    delimiter = "\t" if "\t" in first else ","
    header = split(first, delimiter, name, number)
    columns = [column.strip().lower() for column in header]
    reader = column_reader(columns, name, number)
    if reader is not None:
        after = [each for each in numbered if each[0] > number]
        often = [header[at].strip() for at, each in enumerate(columns) if each in OFTEN_ONE_BASED]
        whole = any(column in LOCATION_COLUMNS for column in columns)
        return Form(
            table(after, delimiter, reader, name), column="".join(often[:1]) if not whole else ""
        )
    if delimiter in first:
        raise InputError(
            f"{name}:{number}: has neither BED's columns nor a header that names them; name a"
            f" chromosome column ({', '.join(CHROMOSOME_COLUMNS[:4])}) and a position column"
            f" ({', '.join(POSITION_COLUMNS[:4])}), or one column 'location'"
        )
    return Form(
        (number, checked(line.strip(), name, number))
        for number, line in numbered
        if not is_comment(line)
    )


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
    for number, fields in data_fields(lines):
        if len(fields) < 3:
            raise InputError(f"{name}:{number}: a BED line has at least 3 columns with tabs")
        chromosome, start, end = fields[:3]
        location = checked(f"{chromosome}:{start}", name, number)
        if not POSITION.fullmatch(end):
            raise InputError(f"{name}:{number}: {end[:60]!r} is not the end of an interval")
        if int(end) <= int(start):
            raise InputError(
                f"{name}:{number}: the interval from {start} to {end} is empty or reversed; BED"
                " counts from 0 and leaves the end out: a CpG's is START to START + 2"
            )
        yield number, location


def vcf(lines: Sequence[tuple[int, str]], name: str) -> Iterator[tuple[int, str]]:
    for number, fields in data_fields(lines):
        if len(fields) < 5:
            raise InputError(f"{name}:{number}: a VCF line has at least 5 columns with tabs")
        yield number, checked(f"{fields[0]}:{fields[1]}", name, number)


def data_fields(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        if not is_comment(line) and not line.lower().startswith("#chrom"):
            yield number, line.split("\t")


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
