"""Positions that are not those of CpGs stop a run, and what is said tells why (CPG517)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cpgpt_doctor.embed import examine, locations
from cpgpt_doctor.embed.genome import Genome, build_index
from cpgpt_doctor.embed.plan import positions
from cpgpt_doctor.errors import InputError

CONTEXT = 201


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    """A sequence in which `CG` is rare beside its CpGs, one in lower case among them."""
    rng = random.Random(3)
    text = "".join(rng.choices("AT", k=60_000))
    for at in CPGS:
        text = text[:at] + ("cg" if at == CPGS[0] else "CG") + text[at + 2 :]
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    lines = (text[at : at + 60] + "\n" for at in range(0, len(text), 60))
    path.write_text(">1\n" + "".join(lines))
    return Genome(path, build_index(path))


CPGS = range(500, 59_000, 500)


def judged(
    genome: Genome,
    tmp_path: Path,
    at: list[int],
    header: str = "",
    asked: str | None = None,
    allowed: bool = False,
) -> tuple[examine.Seen, str]:
    """What is seen of the positions `at`, and what is decided."""
    path = tmp_path / "given.txt"
    lines = [header] if header else []
    comma = "," if header else ":"
    path.write_text("\n".join([*lines, *(f"1{comma}{each}" for each in at)]) + "\n")
    given = locations.read(str(path), asked)
    seen = examine.check_locations(given, genome, CONTEXT)
    return seen, examine.check_cpgs(given, seen, allowed)


def off(by: int, count: int = 40, right: int = 0) -> list[int]:
    """Positions so many bases after a CpG's, the last `right` of them at one."""
    return [at + (by if number < count - right else 0) for number, at in enumerate(CPGS[:count])]


def test_cpgs_in_either_case_are_all_seen(genome: Genome, tmp_path: Path) -> None:
    seen, decided = judged(genome, tmp_path, off(0))
    assert (seen.total, seen.cg, seen.left, seen.right, decided) == (40, 40, 0, 0, "")


@pytest.mark.parametrize("header", ["", "chrom,pos", "CHR,MAPINFO", "chrom,start"])
def test_positions_one_too_large_are_refused_in_every_form_with_the_option_that_mends_them(
    genome: Genome, tmp_path: Path, header: str
) -> None:
    with pytest.raises(InputError, match="--positions 1-based") as caught:
        judged(genome, tmp_path, off(1), header)
    said = str(caught.value)
    assert "says CG at 0.0% of the locations, one base to the left at 100.0%, to the right" in said
    assert "CpG_beg" in said
    assert "CPG517" in said
    assert ("the column" in said) == header.endswith(("pos", "MAPINFO"))
    seen, decided = judged(genome, tmp_path, off(1), header, "1-based")
    assert (seen.cg, decided) == (40, "")


def test_a_column_that_often_counts_from_1_is_refused_for_few_locations_too(
    genome: Genome, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the column pos counts from 1"):
        judged(genome, tmp_path, off(1, 10, right=1), "chrom,pos", allowed=True)
    assert judged(genome, tmp_path, off(1, 10, right=2), "chrom,pos")[1]
    assert judged(genome, tmp_path, off(1, 10), "chrom,pos", "0-based")[1]


@pytest.mark.parametrize("header", ["chrom,pos", "CHR,MAPINFO"])
def test_such_a_column_with_cpgs_as_given_goes_on(
    genome: Genome, tmp_path: Path, header: str
) -> None:
    assert judged(genome, tmp_path, off(1, 40, right=36), header)[1] == ""


def test_positions_one_too_small_are_refused_with_what_they_are(
    genome: Genome, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="one too small: add one"):
        judged(genome, tmp_path, off(-1))
    with pytest.raises(InputError, match="from 0 as they are given: give --positions 0-based"):
        judged(genome, tmp_path, off(0), asked="1-based")


def test_other_positions_are_refused_with_the_genome_and_the_option(
    genome: Genome, tmp_path: Path
) -> None:
    for by, asked in ((7, None), (2, "1-based"), (-2, None)):
        with pytest.raises(InputError, match="of another assembly") as caught:
            judged(genome, tmp_path, off(by), asked=asked)
        assert "--genome" in str(caught.value)
        assert "--allow-non-cpg" in str(caught.value)


def test_the_run_stops_under_half_and_from_20_locations_on(genome: Genome, tmp_path: Path) -> None:
    assert judged(genome, tmp_path, off(7, 40, right=20))[1] == ""
    with pytest.raises(InputError, match=r"CG at 47\.5% of the locations"):
        judged(genome, tmp_path, off(7, 40, right=19))
    with pytest.raises(InputError):
        judged(genome, tmp_path, off(7, 20))
    assert "fewer than 20" in judged(genome, tmp_path, off(7, 19))[1]


def test_what_was_allowed_or_converted_stands_in_the_plan(genome: Genome, tmp_path: Path) -> None:
    seen, decided = judged(genome, tmp_path, off(7), allowed=True)
    given = locations.read(str(tmp_path / "given.txt"))
    line = positions(given, seen, decided)
    assert (line.asked, line.applied, line.code) == ("0-based", "0-based", "CPG517")
    assert line.why == (
        "the genome says CG at 0.0% of the locations, one base to the left at 0.0%, to the right"
        " at 0.0%; allowed with --allow-non-cpg"
    )
    seen, decided = judged(genome, tmp_path, off(1), asked="1-based")
    given = locations.read(str(tmp_path / "given.txt"), "1-based")
    line = positions(given, seen, decided)
    assert (line.asked, line.applied, line.code) == ("1-based", "0-based", "CPG517")
    assert line.why.startswith("--positions 1-based; the genome says CG at 100.0%")


def test_cpgs_at_a_sequences_ends_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "ends.fa"
    path.write_text(">1\nCGAACGT\n>2\nACG\n>3\nA\n")
    genome = Genome(path, build_index(path))
    for at, expected in (
        ("1:0", (1, 0, 0)), ("1:1", (0, 1, 0)), ("1:3", (0, 0, 1)), ("1:4", (1, 0, 0)),
        ("1:5", (0, 1, 0)), ("2:0", (0, 0, 0)), ("3:0", (0, 0, 0)),
    ):  # fmt: skip
        given = locations.Locations("x", {at: 1}, 0, "", "")
        seen = examine.check_locations(given, genome, CONTEXT)
        assert (seen.cg, seen.left, seen.right) == expected, at


@pytest.mark.parametrize("letter", ["E", "7", "*", "-", "e", "\u00e9", ">"])
def test_windows_with_more_than_nucleotides_are_refused_with_their_locations(
    tmp_path: Path, letter: str
) -> None:
    path = tmp_path / "other.fa"
    path.write_text(">1\n" + "ACGT" * 200 + "AC" + letter + "T" * 400 + "\n")
    genome = Genome(path, build_index(path))
    given = locations.Locations("x", {f"1:{at}": at for at in (0, 750, 790, 800, 850)}, 0, "", "")
    with pytest.raises(InputError, match="4 have a window with what is no code") as caught:
        examine.check_locations(given, genome, CONTEXT)
    assert "1:750 (line 750), 1:790 (line 790), 1:800 (line 800)" in str(caught.value)
    assert "1:850" not in str(caught.value)
    far = locations.Locations("x", {"1:100": 1, "1:1100": 2}, 0, "", "")
    assert examine.check_locations(far, genome, CONTEXT).total == 2


def test_every_code_of_a_nucleotide_is_let_through(tmp_path: Path) -> None:
    path = tmp_path / "codes.fa"
    path.write_text(">1\n" + "ACGTURYSWKMBDHVNacgturyswkmbdhvn" * 10 + "\n")
    given = locations.Locations("x", {"1:150": 1}, 0, "", "")
    assert examine.check_locations(given, Genome(path, build_index(path)), CONTEXT).total == 1
