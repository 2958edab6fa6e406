"""Positions that are not those of CpGs stop a run, and what is said tells why (CPG517)."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor.embed.plan import positions
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.facts.locations import InGenome
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.genome import held, locations
from cpgpt_doctor.genome.fasta import Genome, build_index
from cpgpt_doctor.genome.places import Places
from tests.findings import errors, found, said

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
) -> tuple[InGenome, Finding | None]:
    """What is seen of the positions `at`, and what CPG517 says of it."""
    path = tmp_path / "given.txt"
    lines = [header] if header else []
    comma = "," if header else ":"
    path.write_text("\n".join([*lines, *(f"1{comma}{each}" for each in at)]) + "\n")
    given = locations.read(str(path), asked)
    seen = held.in_genome(given, genome, CONTEXT)
    facts = dataclasses.replace(held.in_file(given), in_genome=seen)
    findings = found(("non-cpg",) if allowed else (), locations=facts)
    return seen, next((each for each in findings if each.code == "CPG517"), None)


def refused(*arguments: Any, **options: Any) -> Finding:
    finding = judged(*arguments, **options)[1]
    assert finding is not None
    assert finding.severity is Severity.error
    return finding


def off(by: int, count: int = 40, right: int = 0) -> list[int]:
    """Positions so many bases after a CpG's, the last `right` of them at one."""
    return [at + (by if number < count - right else 0) for number, at in enumerate(CPGS[:count])]


def test_cpgs_in_either_case_are_all_seen(genome: Genome, tmp_path: Path) -> None:
    seen, finding = judged(genome, tmp_path, off(0))
    assert (seen.total, seen.cg, seen.left, seen.right, finding) == (40, 40, 0, 0, None)


@pytest.mark.parametrize("header", ["", "chrom,pos", "CHR,MAPINFO", "chrom,start"])
def test_positions_one_too_large_are_refused_in_every_form_with_the_option_that_mends_them(
    genome: Genome, tmp_path: Path, header: str
) -> None:
    finding = refused(genome, tmp_path, off(1), header)
    assert finding.remedies[0].id == "one-based"
    words = said(finding)
    assert "says CG at 0.0% of the 40 locations" in words
    assert "CG one base to the left: 100.0%" in words
    assert "CpG_beg" in words
    assert ("The column" in words) == header.endswith(("pos", "MAPINFO"))
    seen, none = judged(genome, tmp_path, off(1), header, "1-based")
    assert (seen.cg, none) == (40, None)


def test_a_column_that_often_counts_from_1_is_refused_for_few_locations_too(
    genome: Genome, tmp_path: Path
) -> None:
    finding = refused(genome, tmp_path, off(1, 10, right=1), "chrom,pos", allowed=True)
    assert "The column pos counts from 1" in said(finding)
    for few in (
        judged(genome, tmp_path, off(1, 10, right=2), "chrom,pos")[1],
        judged(genome, tmp_path, off(1, 10), "chrom,pos", "0-based")[1],
    ):
        assert few is not None
        assert few.severity is Severity.note


@pytest.mark.parametrize("header", ["chrom,pos", "CHR,MAPINFO"])
def test_such_a_column_with_cpgs_as_given_goes_on(
    genome: Genome, tmp_path: Path, header: str
) -> None:
    assert judged(genome, tmp_path, off(1, 40, right=36), header)[1] is None


def test_positions_one_too_small_are_refused_with_what_they_are(
    genome: Genome, tmp_path: Path
) -> None:
    finding = refused(genome, tmp_path, off(-1))
    assert "too small by 1: add 1" in said(finding)
    assert finding.remedies[0].id == "add-one"
    finding = refused(genome, tmp_path, off(0), asked="1-based")
    assert "count from 0 as they are given" in said(finding)
    assert finding.remedies[0].id == "zero-based"


def test_other_positions_are_refused_with_the_genome_and_the_option(
    genome: Genome, tmp_path: Path
) -> None:
    for by, asked in ((7, None), (2, "1-based"), (-2, None)):
        finding = refused(genome, tmp_path, off(by), asked=asked)
        assert "of another assembly" in said(finding)
        assert [each.id for each in finding.remedies] == ["other-genome", "as-they-are"]


def test_the_run_stops_under_half_and_from_20_locations_on(genome: Genome, tmp_path: Path) -> None:
    assert judged(genome, tmp_path, off(7, 40, right=20))[1] is None
    assert (
        "CG at 47.5% of the 40 locations"
        in refused(genome, tmp_path, off(7, 40, right=19)).title.en
    )
    refused(genome, tmp_path, off(7, 20))
    few = judged(genome, tmp_path, off(7, 19))[1]
    assert few is not None
    assert few.severity is Severity.note
    assert "fewer than 20" in said(few)


def test_what_was_allowed_or_converted_stands_in_the_plan(genome: Genome, tmp_path: Path) -> None:
    seen, finding = judged(genome, tmp_path, off(7), allowed=True)
    assert finding is not None
    assert finding.severity is Severity.note
    given = locations.read(str(tmp_path / "given.txt"))
    line = positions(given, seen, finding.causes[0].en)
    assert (line.asked, line.applied, line.code) == ("0-based", "0-based", "CPG517")
    assert line.why == (
        "the genome says CG at 0.0% of the locations, one base to the left at 0.0%, to the right"
        " at 0.0%; Allowed with --allow-non-cpg."
    )
    seen, _ = judged(genome, tmp_path, off(1), asked="1-based")
    given = locations.read(str(tmp_path / "given.txt"), "1-based")
    line = positions(given, seen, "")
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
        seen = held.in_genome(locations.Locations("x", Places({at: 1})), genome, CONTEXT)
        assert (seen.cg, seen.left, seen.right) == expected, at


@pytest.mark.parametrize("letter", ["E", "7", "*", "-", "e", "\u00e9", ">"])
def test_windows_with_more_than_nucleotides_are_refused_with_their_locations(
    tmp_path: Path, letter: str
) -> None:
    path = tmp_path / "other.fa"
    path.write_text(">1\n" + "ACGT" * 200 + "AC" + letter + "T" * 400 + "\n", "utf-8")
    genome = Genome(path, build_index(path))
    given = locations.Locations("x", Places({f"1:{at}": at for at in (0, 750, 790, 800, 850)}))
    finding = next(each for each in held_errors(given, genome) if each.code == "CPG518")
    assert "the windows of 4 locations hold" in said(finding)
    assert "1:750: line 750; 1:790: line 790; 1:800: line 800" in said(finding)
    assert "1:850" not in said(finding)
    far = locations.Locations("x", Places({"1:100": 1, "1:1100": 2}))
    assert "CPG518" not in [each.code for each in held_errors(far, genome)]


def held_errors(given: locations.Locations, genome: Genome) -> list[Finding]:
    seen = held.in_genome(given, genome, CONTEXT)
    facts = dataclasses.replace(held.in_file(given), in_genome=seen)
    return errors(genome=GenomeFacts(str(genome.path)), locations=facts)


def test_every_code_of_a_nucleotide_is_let_through(tmp_path: Path) -> None:
    path = tmp_path / "codes.fa"
    path.write_text(">1\n" + "ACGTURYSWKMBDHVNacgturyswkmbdhvn" * 10 + "\n")
    given = locations.Locations("x", Places({"1:150": 1}))
    seen = held.in_genome(given, Genome(path, build_index(path)), CONTEXT)
    assert (seen.total, seen.foreign.count) == (1, 0)
