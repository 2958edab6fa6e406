"""Locations are read from every form that users have, or refused with the file and line."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.locations import BadLine
from cpgpt_doctor.findings import Location
from cpgpt_doctor.genome import held, locations
from tests.findings import errors, said

VCF = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\n"
CSV = "probe,CpG_chrm,CpG_beg,note\n"


@pytest.fixture
def file(tmp_path: Path):
    """A function that writes a file of locations and returns its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "given.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.mark.parametrize(
    "content",
    [
        "1:5\nX:70\n",
        "1:5\r\nX:70\r\n",
        "1:5\rX:70",
        "\n  1:5  \n\n\tX:70",
        "# a comment\n1:5\n#another\nX:70\n",
        "location\n1:5\nX:70\n",
        "1\t5\t7\nX\t70\t72\n",
        "track name=a\nbrowser position 1\n# c\n1\t5\t7\tcg1\t0\t+\n\nX\t70\t72\n",
        "#chrom\tstart\tend\n1\t5\t7\nX\t70\t72\n",
        "#chr\tstart\tend\n1\t5\t7\nX\t70\t72\n",
        "chrom,pos\n1,5\nX,70\n",
        "chrom\tpos\n1\t5\nX\t70\n",
        " Chromosome , Position \n1, 5\nX ,70\n",
        CSV + "cg1,1,5,a\ncg2,X,70,b\n",
        CSV + '"cg1","1","5","a, b"\n"cg2","X","70","say ""c"""\n',
        "\ufeff" + CSV + "cg1,1,5,a\r\ncg2,X,70,b\r\n",
        "probe\tseqname\tstart\tend\ncg1\t1\t5\t7\ncg2\tX\t70\t72\n",
        "probe,genomic_location\ncg1,1:5\ncg2,X:70\n",
        "# from a manifest\n" + CSV + "cg1,1,5,a\n\ncg2,X,70,b\n",
        "   \n" + CSV + "cg1,1,5,a\n   \ncg2,X,70,b\n",
        "track_id,chrom,pos\nt,1,5\nt,X,70\n",
        "IlmnID,CHR,MAPINFO\ncg1,1,5\ncg2,X,70\n",
        "#chrom\tchromStart\tchromEnd\n1\t5\t7\nX\t70\t72\n",
        VCF + "1\t6\t.\tC\tT\t.\nX\t71\tcg2\tC\tT\t.\n",
        "##fileformat=VCFv4.2\n" + VCF + "1\t6\t.\tC\tT\t.\r\nX\t71\t72\tC\tT\t.\n",
        "##fileformat=VCFv4.2\n##contig=<ID=1>\n1\t6\t7\tC\tT\nX\t71\t72\tC\tT\n",
        VCF.lower() + "1\t6\t.\tC\tT\t.\nX\t71\tcg2\tC\tT\t.\n",
    ],
)
def test_each_form_gives_the_same_locations_in_order(file, content: str) -> None:
    assert list(locations.read(file(content)).places) == ["1:5", "X:70"]


@pytest.mark.parametrize(
    ("content", "positions", "found", "converted"),
    [
        ("1:5\n", None, "1:5", None),
        ("1:5\n", "0-based", "1:5", None),
        ("1:5\n", "1-based", "1:4", "asked"),
        ("1\t5\t7\n", None, "1:5", None),
        ("1\t5\t7\n", "1-based", "1:4", "asked"),
        ("chrom,pos\n1,5\n", None, "1:5", None),
        ("CHR,MAPINFO\n1,5\n", "1-based", "1:4", "asked"),
        (VCF + "1\t5\t.\tC\tT\n", None, "1:4", "vcf"),
        (VCF + "1\t5\t.\tC\tT\n", "1-based", "1:4", "asked"),
        (VCF + "1\t5\t.\tC\tT\n", "0-based", "1:5", None),
        (VCF + "1\t1\t.\tC\tT\n", None, "1:0", "vcf"),
        (VCF + "1\t100000\t.\tC\tT\n", None, "1:99999", "vcf"),
    ],
)
def test_one_is_subtracted_from_positions_that_count_from_1(
    file, content: str, positions: str | None, found: str, converted: str | None
) -> None:
    given = locations.read(file(content), positions)
    assert (list(given.places), given.converted) == ([found], converted)


@pytest.mark.parametrize(
    ("content", "positions", "column"),
    [
        ("chrom,pos\n1,5\n", None, "pos"),
        ("CHROM\tPOS\n1\t5\n", None, "POS"),
        ("CHR,MAPINFO\n1,5\n", None, "MAPINFO"),
        ("CHR,MAPINFO\n1,5\n", "0-based", None),
        ("chrom,position\n1,5\n", None, None),
        ("location,pos\n1:5,8\n", None, None),
        (CSV + "cg1,1,5,\n", None, None),
        (VCF + "1\t5\t.\tC\tT\n", None, None),
        ("1\t5\t7\n", None, None),
    ],
)
def test_a_column_that_often_counts_from_1_is_named_unless_the_user_said(
    file, content: str, positions: str | None, column: str | None
) -> None:
    assert locations.read(file(content), positions).column == column


@pytest.mark.parametrize(
    ("content", "line"),
    [("1:5\n1:0\n", 2), ("chrom,pos\n1,0\n", 2), ("1\t5\t7\n\n1\t0\t2\n", 3)],
)
def test_position_0_among_positions_that_count_from_1_is_refused(
    file, content: str, line: int
) -> None:
    path = file(content)
    (bad,) = locations.read(path, "1-based").bad_lines
    assert (bad.number, bad.problem) == (line, "zero")
    assert locations.read(path).malformed == 0


def test_position_0_in_a_vcf_is_refused(file) -> None:
    path = file(VCF + "1\t0\t.\tC\tT\n")
    given = locations.read(path)
    assert given.bad_lines == (BadLine(2, "zero", "1:0"),)
    (finding,) = errors(locations=held.in_file(given))
    assert finding.location == Location(path, 2)
    assert "position 0, where positions count from 1" in said(finding)


def test_the_same_place_counted_both_ways_is_one_location(file) -> None:
    vcf = locations.read(file(VCF + "1\t6\t.\tC\tT\n1\t6\t.\tC\tA\n"))
    assert (list(vcf.places), vcf.duplicates) == (["1:5"], 1)


def test_a_sequence_named_like_a_bed_keyword_is_not_left_out(file) -> None:
    assert list(locations.read(file("1:5\ntrack2:7\n")).places) == ["1:5", "track2:7"]


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1:5\nX:70\n")))
    given = locations.read("-")
    assert (given.source, list(given.places)) == ("standard input", ["1:5", "X:70"])


def test_a_repeated_location_is_counted_and_kept_where_it_was_first(file) -> None:
    given = locations.read(file("2:9\n1:5\n2:9\n3:1\n2:9\n"))
    assert given.places == {"2:9": 1, "1:5": 2, "3:1": 4}
    assert given.duplicates == 2


def test_lines_are_numbered_as_an_editor_numbers_them(file) -> None:
    assert locations.read(file("# c\r\n\r\n1:5\r\n\r\nX:70")).places == {"1:5": 3, "X:70": 5}
    named = locations.read(file(f"# c\n\n{CSV}cg1,1,5,\x85\u2028\x0c\n\ncg2,X,70,\n"))
    assert named.places == {"1:5": 4, "X:70": 6}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no location"),
        (b"\n  \n", "holds no location"),
        (b"# only a comment\n", "holds no location"),
        (b"chrom,pos\n", "holds no location"),
        (b"\x00\x01\x02\x03", "zero byte"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8"),
        ("1:5\n".encode("utf-16"), "is not UTF-8"),
        (gzip.compress(b"1:5\n", mtime=0), "gzip -dc"),
    ],
)
def test_a_file_without_readable_locations_is_refused(file, content: bytes, said: str) -> None:
    path = file(content)
    with pytest.raises(InputError, match=said) as caught:
        locations.read(path)
    assert path in str(caught.value)


@pytest.mark.parametrize("source", ["/no/such/file", "/"])
def test_a_file_that_cannot_be_read_is_named(source: str) -> None:
    with pytest.raises(InputError, match=rf"--locations {source}: cannot be read"):
        locations.read(source)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1:5\n1:1_000\n", 2),
        ("1:5\n1: 5000 \n", 2),
        ("1:5\n\n1:-5\n", 3),
        ("1:5\nchr1\n", 2),
        ("1:5\n1:007\n", 2),
        ("1:5\n1:+7\n", 2),
        ("1:5\n1:7.0\n", 2),
        ("1:5\n:7\n", 2),
        ("1:5\n1:7:9\n", 2),
        ("1:5\n1:\u0661\n", 2),
        ("1:5\n1:7\x1c1:8\n", 2),
        ("1:5\n1:" + "9" * 5000 + "\n", 2),
        ("1:5\n1,7\n", 2),
        ("chr1 5 7\n", 1),
        ("1\t5\t7\n1\t-5\t7\n", 2),
        ("1\t5\t7\n1\t1_000\t7\n", 2),
        ("1\t5\t7\n1\t9\n", 2),
        ("1\t5\t7\n\t9\t10\n", 2),
        ("1\t5\t7\n1\t9\t9\n", 2),
        ("1\t5\t7\n1\t9\t8\n", 2),
        ("1\t5\t5\n", 1),
        ("1\t5\t7\n1\t9\t\n", 2),
        ("1\t5\t7\n1\t9\t-11\n", 2),
        ("#chrom\tstart\tend\n1\t9\t9\n", 2),
        (VCF + "1\t5\t.\tC\n", 2),
        (VCF + "1\t-5\t.\tC\tT\n", 2),
        (VCF + "1:5\n", 2),
        (CSV + "cg1,1,5,\ncg2,1,NA,\n", 3),
        (CSV + "cg1,NA,,\n", 2),
        (CSV + "cg1,,5,\n", 2),
        (CSV + "cg1,1,5,\ncg2,1\n", 3),
        (CSV + "cg1,1,1e5,\n", 2),
        (CSV + "\ncg1,1,5,\n\ncg2,1,07,\n", 5),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(file, content: str, line: int) -> None:
    path = file(content)
    given = locations.read(path)
    assert given.malformed == 1
    (finding,) = errors(locations=held.in_file(given))
    assert finding.code == "CPG503"
    assert finding.location == Location(path, line)
    assert len(said(finding)) < 500


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("# c\nsymbol,gene\ncg1,TP53\n", 2),
        ("# c\nchrom,pos,start\n1,5,5\n", 2),
        ("1:5," * 50_000, 1),
    ],
)
def test_a_header_without_a_chromosome_and_a_position_is_refused_in_a_line(
    file, content: str, line: int
) -> None:
    path = file(content)
    with pytest.raises(InputError) as caught:
        locations.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: ")
    assert "\n" not in text
    assert len(text) < 400


def test_all_lines_that_are_no_locations_are_counted_and_the_first_are_shown(file) -> None:
    path = file("1:5\n" + "".join(f"chr{each}\n" for each in range(9)))
    given = locations.read(path)
    assert (given.malformed, [each.number for each in given.bad_lines]) == (9, [2, 3, 4])
    (finding,) = errors(locations=held.in_file(given))
    assert finding.title.en == "9 lines give no location"


def test_a_stray_quotation_mark_does_not_swallow_the_lines_after_it(file) -> None:
    path = file(CSV + 'cg1,1,5,"5 prime\ncg2,1,6,\ncg3,1,7,b"\n')
    given = locations.read(path)
    assert [(each.number, each.problem) for each in given.bad_lines] == [(2, "csv")]
    assert list(given.places) == ["1:6", "1:7"]
