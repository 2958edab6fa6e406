"""Read genomic locations from a user's file.

A location is "chromosome:position", the position being the 0-based start of the CpG, as CpGPT and
the manifests' CpG_beg have it. Public advice that calls them 1-indexed names windows one base off.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.locations import BadLine, Problem

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
EXAMPLES = 3
SHOWN = 60  # characters of a line that is none


@dataclass(frozen=True)
class Locations:
    """Locations in the order in which they were first given.

    places: each location with the line that gave it first.
    duplicates: how many lines repeated one.
    converted: why one was subtracted from every position; None where none was.
    column: the name of the position column, where such a one often counts from 1 and nobody said
    how this one does.
    malformed: how many lines give no location; bad_lines: the first of them.
    """

    source: str
    places: dict[str, int]
    duplicates: int = 0
    converted: Literal["asked", "vcf"] | None = None
    column: str | None = None
    malformed: int = 0
    bad_lines: tuple[BadLine, ...] = ()


class NoLocation(Exception):
    """A line gives no location; `text` is what stands there."""

    def __init__(self, problem: Problem, text: str) -> None:
        super().__init__(problem)
        self.problem: Problem = problem
        self.text = text


@dataclass(frozen=True)
class Form:
    """How a file is to be read: its numbered lines with data, what makes a location of one (or
    raises NoLocation), and what tells where its positions count from."""

    lines: Iterable[tuple[int, str]]
    location: Callable[[str], str]
    vcf: bool = False
    column: str | None = None


def read(source: str, positions: str | None = None) -> Locations:
    """Read a file ("-": standard input): chrom:pos lines, BED, VCF, or CSV/TSV with named columns.

    positions: "0-based", "1-based" (then one is subtracted), or None: as the form has it, VCF from
    1 and every other from 0.

    Raises InputError for what is no file of locations. Lines that are not clearly a location are
    counted.
    """
    name = "standard input" if source == "-" else source
    form = parse(LINE_END.split(text(source, name)), name)  # splitlines() also splits at \x1c
    converted: Literal["asked", "vcf"] | None = None
    if positions == "1-based":
        converted = "asked"
    elif positions is None and form.vcf:
        converted = "vcf"
    places: dict[str, int] = {}
    bad_lines: list[BadLine] = []
    duplicates = malformed = 0
    for number, line in form.lines:
        try:
            location = form.location(line)
            location = zero_based(location) if converted else location
        except NoLocation as wrong:
            malformed += 1
            if len(bad_lines) < EXAMPLES:
                bad_lines.append(BadLine(number, wrong.problem, wrong.text[:SHOWN]))
            continue
        if location in places:
            duplicates += 1
        else:
            places[location] = number
    if not places and not malformed:
        raise InputError(f"{name}: holds no location")
    column = None if positions else form.column
    return Locations(name, places, duplicates, converted, column, malformed, tuple(bad_lines))


def zero_based(location: str) -> str:
    chromosome, _, position = location.partition(":")
    if position == "0":
        raise NoLocation("zero", location)
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
        return Form(data(numbered), vcf, vcf=True)
    if (
        len(fields) >= 3 and POSITION.fullmatch(fields[1]) and POSITION.fullmatch(fields[2])
    ) or columns[:3] in BED_COLUMNS:
        return Form(data(numbered), bed)
    delimiter = "\t" if "\t" in first else ","
    try:
        header = split(first, delimiter)
    except NoLocation as wrong:
        raise InputError(f"{name}:{number}: is not a line of CSV: {wrong.text}") from wrong
    columns = [column.strip().lower() for column in header]
    reader = column_reader(columns, name, number)
    if reader is not None:
        after = [each for each in numbered if each[0] > number]
        often = [header[at].strip() for at, each in enumerate(columns) if each in OFTEN_ONE_BASED]
        whole = any(column in LOCATION_COLUMNS for column in columns)
        return Form(
            after,
            lambda line: of_table(line, delimiter, reader),
            column=often[0] if often and not whole else None,
        )
    if delimiter in first:
        raise InputError(
            f"{name}:{number}: has neither BED's columns nor a header that names them; name a"
            f" chromosome column ({', '.join(CHROMOSOME_COLUMNS[:4])}) and a position column"
            f" ({', '.join(POSITION_COLUMNS[:4])}), or one column 'location'"
        )
    return Form(
        (each for each in numbered if not is_comment(each[1])), lambda line: checked(line.strip())
    )


def is_comment(line: str) -> bool:
    return bool(BED_NOT_DATA.match(line)) and not line.lower().startswith("#chrom")


def data(numbered: Iterable[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    """The lines of a BED or VCF that are neither comments nor its header."""
    return (
        (number, line)
        for number, line in numbered
        if not is_comment(line) and not line.lower().startswith("#chrom")
    )


def split(line: str, delimiter: str) -> list[str]:
    """The fields of one line of CSV.

    A quoted field that goes on in the next line is none: it is nearly always a stray quotation
    mark, which would swallow the locations of the lines up to the next one.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise NoLocation("csv", str(error)) from error


def checked(location: str) -> str:
    if not LOCATION.fullmatch(location):
        raise NoLocation("location", location)
    return location


def bed(line: str) -> str:
    fields = line.split("\t")
    if len(fields) < 3:
        raise NoLocation("bed-columns", line)
    chromosome, start, end = fields[:3]
    location = checked(f"{chromosome}:{start}")
    if not POSITION.fullmatch(end):
        raise NoLocation("bed-end", end)
    if int(end) <= int(start):
        raise NoLocation("bed-order", f"{start} {end}")
    return location


def vcf(line: str) -> str:
    fields = line.split("\t")
    if len(fields) < 5:
        raise NoLocation("vcf-columns", line)
    return checked(f"{fields[0]}:{fields[1]}")


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


def of_table(line: str, delimiter: str, reader: Callable[[list[str]], str]) -> str:
    row = split(line, delimiter)
    try:
        location = reader(row)
    except IndexError:
        raise NoLocation("columns", line) from None
    return checked(location)
