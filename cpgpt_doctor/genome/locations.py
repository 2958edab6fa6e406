"""Read genomic locations, or names of probes, from a user's file.

A location is "chromosome:position", the position being the 0-based start of the CpG, as CpGPT and
the manifests' CpG_beg have it. Public advice that calls them 1-indexed names windows one base off.

A file is read block by block, and what is kept of a location takes some bytes (`places.py`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.locations import STANDARD_INPUT, BadLine, Kind, ProbesSeen, Problem
from cpgpt_doctor.genome.places import Places

# Stricter than CpGPT, whose int() also takes "1_000", " 5000 " and "-500" and embeds another
# window than was meant. A leading zero would store one locus under two names.
LOCATION = re.compile(r"([^\s:\x00-\x1f\x7f-\x9f]+):(0|[1-9][0-9]{0,17})")
# Whole blocks of lines at once, where each is well-formed; any other is looked at line by line.
LINES_OF_LOCATIONS = re.compile(r"^(?!#)" + LOCATION.pattern + "$", re.MULTILINE)
LINES_OF_BED = re.compile(
    r"^(?!#|(?:track|browser)\t)"
    + LOCATION.pattern.replace(":(", r"\t(")
    + r"\t(0|[1-9][0-9]{0,17})(?:\t.*)?$",
    re.MULTILINE,
)
POSITION = re.compile(r"0|[1-9][0-9]{0,17}")
# Names of probes on Illumina's arrays, with the suffix that EPICv2 and MSA add (cg00000029_TC11).
PROBE = re.compile(r"(cg|rs|mu|uk)[0-9]+(_[0-9A-Za-z]+)*|(ch|nv|ctl)[-._][-.\w]*[0-9A-Za-z]", re.A)
CHROMOSOME_COLUMNS = ("chrom", "chromosome", "chr", "cpg_chrm", "seqname", "#chrom")
POSITION_COLUMNS = ("pos", "position", "start", "cpg_beg", "chromstart", "mapinfo")
OFTEN_ONE_BASED = ("pos", "mapinfo")  # tables made of a VCF, and Illumina's manifests
BED_COLUMNS = [["#chrom", "start", "end"], ["#chrom", "chromstart", "chromend"]]
VCF_COLUMNS = ["#chrom", "pos", "id", "ref", "alt"]
LOCATION_COLUMNS = ("location", "genomic_location")
PROBE_COLUMNS = ("probe_id", "probeid", "probe", "ilmnid", "cpg_id", "cpg", "id_ref")
BED_NOT_DATA = re.compile(r"#|(track|browser)(\s|$)")
EXAMPLES = 3
SHOWN = 60  # characters of a line that is none
BLOCK = 1 << 20  # bytes
LONGEST_LINE = 64 << 20  # characters
GZIP, BOM = b"\x1f\x8b", codecs.BOM_UTF8


@dataclass(frozen=True)
class Locations:
    """Locations in the order in which they were first given.

    places: each location with the line that gave it first.
    duplicates: how many lines repeated one.
    converted: why one was subtracted from every position; None where none was.
    column: the name of the position column, where such a one often counts from 1 and nobody said
    how this one does.
    malformed: how many lines give no location; bad_lines: the first of them.
    names: probes and other names that are no locations, with their lines, still to be resolved.
    kind: of the input. probes: how its probes were resolved. renamed: names of sequences that were
    replaced, as (theirs, the genome's).
    """

    source: str
    places: Places
    duplicates: int = 0
    converted: Literal["asked", "vcf"] | None = None
    column: str | None = None
    malformed: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    names: dict[str, int] = field(default_factory=dict)
    kind: Kind = "locations"
    probes: ProbesSeen | None = None
    renamed: tuple[tuple[str, str], ...] = ()


class NoLocation(Exception):
    """A line gives no location; `text` is what stands there."""

    def __init__(self, problem: Problem, text: str) -> None:
        super().__init__(problem)
        self.problem: Problem = problem
        self.text = text


@dataclass(frozen=True)
class Block:
    """Whole lines of a file, without a line's end at their end. number: that of the first."""

    number: int
    text: str

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, with their numbers."""
        for number, line in enumerate(self.text.split("\n"), self.number):
            if line.strip():
                yield number, line


@dataclass(frozen=True)
class Form:
    """How a file is to be read: the first block with data, what makes a location of a line (or
    raises NoLocation), and what tells where its positions count from.

    after: the number of the last line of its header. probes: its lines may name probes instead.
    plain: a location a line.
    """

    first: Block
    location: Callable[[str], str]
    after: int = 0
    vcf: bool = False
    column: str | None = None
    probes: bool = False
    plain: bool = False


class Gathered:
    """What is gathered while a file is read."""

    def __init__(self, converted: Literal["asked", "vcf"] | None) -> None:
        self.converted: Literal["asked", "vcf"] | None = converted
        self.places = Places()
        self.names: dict[str, int] = {}
        self.bad_lines: list[BadLine] = []
        self.duplicates = self.malformed = 0

    def location(self, location: str, number: int) -> None:
        """Add a location as it is written. Raises NoLocation where it is none."""
        name, position = parted(location)
        if self.converted:
            if not position:
                raise NoLocation("zero", location)
            position -= 1
        self.places.add(name, position, number)

    def name(self, name: str, number: int) -> None:
        if name in self.names:
            self.duplicates += 1
        else:
            self.names[name] = number

    def bad(self, wrong: NoLocation, number: int) -> None:
        self.malformed += 1
        if len(self.bad_lines) < EXAMPLES:
            self.bad_lines.append(BadLine(number, wrong.problem, wrong.text[:SHOWN]))

    def line(self, form: Form, number: int, line: str) -> None:
        try:
            written = form.location(line)
            if form.probes and not LOCATION.fullmatch(written):
                if not (PROBE.fullmatch(written) if form.plain else written):
                    raise NoLocation("location", written)
                self.name(written, number)
            else:
                self.location(written, number)
        except NoLocation as wrong:
            self.bad(wrong, number)

    def block(self, form: Form, block: Block) -> None:
        if (form.plain or form.location is bed) and not self.converted:
            found = well_formed(form, block)
            if found is not None:
                self.places.extend(found, block.number)
                return
        for number, line in block.lines():
            # Below the header of a table nothing is a comment.
            if number > form.after and (form.after or not passed_over(line, form)):
                self.line(form, number, line)

    def whole(self, source: str, column: str | None) -> Locations:
        repeats = self.places.take_repeats_out()
        return Locations(
            source,
            self.places,
            self.duplicates + repeats,
            self.converted,
            column,
            self.malformed,
            tuple(self.bad_lines),
            self.names,
        )


def read(source: str, positions: str | None = None) -> Locations:
    """Read a file ("-": standard input): chrom:pos lines, BED, VCF, CSV/TSV with named columns, or
    names of probes, a line each or in a column.

    positions: "0-based", "1-based" (then one is subtracted), or None: as the form has it, VCF from
    1 and every other from 0.

    Raises InputError for what is no file of locations. Lines that are not clearly a location are
    counted.
    """
    name = STANDARD_INPUT if source == "-" else source
    blocks = blocks_of(source, name)
    form = find_form(blocks, name)
    converted: Literal["asked", "vcf"] | None = None
    if positions == "1-based":
        converted = "asked"
    elif positions is None and form is not None and form.vcf:
        converted = "vcf"
    gathered = Gathered(converted)
    if form is not None:
        gathered.block(form, form.first)
        for block in blocks:
            gathered.block(form, block)
    if not gathered.places and not gathered.malformed and not gathered.names:
        raise InputError(f"{name}: holds no location")
    return gathered.whole(name, form.column if form and not positions else None)


def well_formed(form: Form, block: Block) -> list[tuple[str, str]] | None:
    """Name and position of each line of a block, None where a line gives no location."""
    lines = block.text.count("\n") + 1
    if form.plain:
        found: list[tuple[str, str]] = LINES_OF_LOCATIONS.findall(block.text)
        return found if len(found) == lines else None
    intervals: list[tuple[str, str, str]] = LINES_OF_BED.findall(block.text)
    if len(intervals) != lines or any(int(start) >= int(end) for _, start, end in intervals):
        return None
    return [(name, start) for name, start, _ in intervals]


def parted(location: str) -> tuple[str, int]:
    """Name and position of a location. Raises NoLocation where it is none."""
    found = LOCATION.fullmatch(location)
    if found is None:
        raise NoLocation("location", location)
    return found[1], int(found[2])


def blocks_of(source: str, name: str) -> Iterator[Block]:
    """A file as text, block by block; a line ends as on any system. Raises InputError."""
    if source == "-" and sys.stdin is None:
        raise InputError("--locations -: standard input is closed")
    try:
        if source == "-":
            yield from decoded(sys.stdin.buffer, name)
        else:
            with Path(source).open("rb") as stream:
                yield from decoded(stream, name)
    except OSError as error:
        raise InputError(f"--locations {name}: cannot be read: {error.strerror}") from error


def decoded(stream: BinaryIO, name: str) -> Iterator[Block]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    done = length = 0  # bytes that were decoded; characters of the line that is not at its end
    number = 1
    rest: list[str] = []
    while True:
        data = stream.read(BLOCK)
        ended = not data
        if not done:
            if data.startswith(GZIP):
                raise InputError(
                    f"{name}: is compressed; pass it through gzip -dc and give --locations -"
                )
            if data.startswith(BOM):
                data, done = data[len(BOM) :], len(BOM)
        try:
            text = newlines.decode(data, final=ended)
        except UnicodeDecodeError as error:
            at = done - (len(error.object) - len(data)) + error.start
            raise InputError(f"{name}: is not text (byte {at} is not UTF-8)") from error
        if "\0" in text:
            raise InputError(f"{name}: is not text (it holds a zero byte)")
        done += len(data)
        whole, end, last = text.rpartition("\n")
        if end:
            block = Block(number, "".join((*rest, whole)))
            number += block.text.count("\n") + 1
            rest, length = [], 0
            yield block
        rest.append(last)
        length += len(last)
        if length > LONGEST_LINE:
            raise InputError(
                f"{name}:{number}: is longer than {LONGEST_LINE} characters, so it is no line of"
                " locations (the columns of a matrix: --betas)"
            )
        if ended:
            if length:
                yield Block(number, "".join(rest))
            return


def find_form(blocks: Iterator[Block], name: str) -> Form | None:
    """The first line with data decides the form of all of them; None where there is none."""
    of_vcf = at_start = False
    for block in blocks:
        for number, line in block.lines():
            if not at_start:
                of_vcf, at_start = line.startswith("##fileformat=VCF"), True
            if not is_comment(line):
                return form_of(line, number, block, name, of_vcf)
    return None


def form_of(first: str, number: int, block: Block, name: str, of_vcf: bool) -> Form:
    """The form of a file whose first line with data is `first`."""
    fields = first.split("\t")
    columns = [column.strip().lower() for column in fields]
    if columns[:5] == VCF_COLUMNS or of_vcf:
        return Form(block, vcf, vcf=True)
    if (
        len(fields) >= 3 and POSITION.fullmatch(fields[1]) and POSITION.fullmatch(fields[2])
    ) or columns[:3] in BED_COLUMNS:
        return Form(block, bed)
    delimiter = "\t" if "\t" in first else ","
    try:
        header = split(first, delimiter)
    except NoLocation as wrong:
        raise InputError(f"{name}:{number}: is not a line of CSV: {wrong.text}") from wrong
    columns = [column.strip().lower() for column in header]
    reader = column_reader(columns, name, number)
    if reader is not None:
        often = [header[at].strip() for at, each in enumerate(columns) if each in OFTEN_ONE_BASED]
        whole = any(column in LOCATION_COLUMNS for column in columns)
        return Form(
            block,
            lambda line: of_table(line, delimiter, reader),
            number,
            column=often[0] if often and not whole else None,
        )
    probes = [at for at, column in enumerate(columns) if column in PROBE_COLUMNS]
    if probes:
        at = probes[0]
        return Form(
            block,
            lambda line: of_table(line, delimiter, lambda row: row[at].strip()),
            number,
            probes=True,
        )
    if delimiter in first:
        raise InputError(
            f"{name}:{number}: has neither BED's columns nor a header that names them; name a"
            f" chromosome column ({', '.join(CHROMOSOME_COLUMNS[:4])}) and a position column"
            f" ({', '.join(POSITION_COLUMNS[:4])}), or one column 'location' or 'probe' (the"
            " columns of a matrix are read with --betas)"
        )
    return Form(block, str.strip, probes=True, plain=True)


def is_comment(line: str) -> bool:
    return bool(BED_NOT_DATA.match(line)) and not line.lower().startswith("#chrom")


def passed_over(line: str, form: Form) -> bool:
    """Whether a line is a comment, or the header of a BED or VCF."""
    header = form.location in (bed, vcf) and line.lower().startswith("#chrom")
    return header or is_comment(line)


def split(line: str, delimiter: str) -> list[str]:
    """The fields of one line of CSV.

    A quoted field that goes on in the next line is none: it is nearly always a stray quotation
    mark, which would swallow the locations of the lines up to the next one.
    """
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise NoLocation("csv", str(error)) from error


def bed(line: str) -> str:
    fields = line.split("\t")
    if len(fields) < 3:
        raise NoLocation("bed-columns", line)
    chromosome, start, end = fields[:3]
    location = f"{chromosome}:{start}"
    parted(location)
    if not POSITION.fullmatch(end):
        raise NoLocation("bed-end", end)
    if int(end) <= int(start):
        raise NoLocation("bed-order", f"{start} {end}")
    return location


def vcf(line: str) -> str:
    fields = line.split("\t")
    if len(fields) < 5:
        raise NoLocation("vcf-columns", line)
    return f"{fields[0]}:{fields[1]}"


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
    return location
