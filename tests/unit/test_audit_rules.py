"""What is said of an audit: the right rule, and a sentence that is right as statistics."""

from __future__ import annotations

import re

import pytest

from cpgpt_doctor.audit.statistics import bounds
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.audit import AuditFacts, BoundsFacts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.report import Report
from cpgpt_doctor.reports import view
from cpgpt_doctor.rules.data import audit as rules
from cpgpt_doctor.rules.registry import judge
from tests import seen, seen_audits
from tests.findings import errors, found, said
from tests.seen_audits import audit


@pytest.mark.parametrize(("code", "facts"), seen_audits.WRONG)
def test_each_fault_is_a_finding_of_its_rule(code: str, facts: AuditFacts) -> None:
    told = found(via="direct", store=seen.STORE, audit=facts)
    assert {each.code for each in told} == {code}
    level = Severity.warning if facts.counts.get("near") else Severity.error
    assert {each.severity for each in told} == {level}


@pytest.mark.parametrize("facts", seen_audits.WELL)
def test_a_store_that_is_well_has_no_finding(facts: AuditFacts) -> None:
    assert found(via="direct", store=seen.STORE, audit=facts) == []


def sentence(population: int, sample: int, wrong: int) -> str:
    known = bounds(population, sample, wrong)
    facts = audit(
        {"own": sample - wrong, "unknown": wrong},
        bounds=BoundsFacts(population, known.low, known.high),
    )
    return rules.confidence(facts).en


def test_the_sentence_about_confidence() -> None:
    assert sentence(929_770, 300, 0) == (
        "none of 300 wrong: with 95 % confidence fewer than 1 % are (up to 9,236 of 929,770)"
    )
    assert sentence(929_770, 300, 300) == (
        "300 of 300 wrong: with 95 % confidence at least 99 % are (920,534 or more of 929,770)"
    )
    assert sentence(929_770, 300, 3) == (
        "3 of 300 wrong: with 95 % confidence 0.2 % to 2.9 % are (1,923 to 26,908 of 929,770)"
    )


@pytest.mark.parametrize("part", [929_764, 929_769])
def test_a_share_that_is_nearly_all_is_not_rounded_up(part: int) -> None:
    assert float(rules.no_more_than(part, 929_770).rstrip(" %")) <= 100 * part / 929_770


@pytest.mark.parametrize("wrong", [0, 1, 2, 57, 149, 150, 299, 300])
@pytest.mark.parametrize("population", [301, 1000, 929_770])
def test_rounded_shares_say_no_more_than_the_bounds(population: int, wrong: int) -> None:
    known = bounds(population, 300, wrong)
    shares = re.findall(r"([\d.]+) %", sentence(population, 300, wrong))[1:]
    if wrong < 300:
        assert known.high / population < float(shares[-1]) / 100
    if wrong:
        assert float(shares[0]) / 100 <= known.low / population + 1e-12


def test_nothing_is_said_of_others_where_rows_were_named_or_all_were_judged() -> None:
    named = audit({"own": 12}, drawn="locations", bounds=None)
    every = audit({"own": 12}, drawn="all")
    for facts in (named, every):
        assert "confidence" not in rules.confidence(facts).en
        assert "置信度" not in rules.confidence(facts).zh


def test_a_misplaced_store_is_told_with_its_law_its_proof_and_the_folder_to_give() -> None:
    (told,) = errors(store=seen.STORE, audit=seen_audits.EVERY_ROW)
    text = said(told)
    assert "300 of 300 locations have the row of another one" in text
    assert f"in the order of {seen_audits.HUMAN}" in text
    assert "it foretold 32 of 32 further rows" in text
    assert "at least 99 %" in text
    (first, *_) = told.remedies
    assert dict(first.values)["home"].en == "/data/human"  # type: ignore[union-attr]


def test_rows_that_were_asked_for_and_not_judged_are_said() -> None:
    named = audit({"own": 12}, drawn="locations", bounds=None, missing=3, outside=2)
    text = rules.confidence(named)
    assert text.en.endswith(
        "; 2 more do not lie in the genome, and were not judged; 3 of the named locations have"
        " no row"
    )
    assert "另有 2 行" in text.zh
    assert "有 3 个没有" in text.zh
    assert "988 more do not lie" in rules.confidence(audit({"own": 12}, outside=988)).en


def test_rows_that_were_not_looked_into_are_given_no_cause_of_their_own() -> None:
    """All rows of a store under a foreign index, of which 300 were looked into."""
    facts = audit({"foreign": 300, "untried": 2700}, 3000, 3000, laws=seen_audits.LAWS[:1])
    (rest,) = [each for each in errors(store=seen.STORE, audit=facts) if each.code == "CPG513"]
    assert "forked" not in said(rest)
    assert "the others are probably like them" in said(rest)


@pytest.mark.parametrize(
    ("counts", "first"),
    [
        ({"own": 9, "foreign": 280, "unknown": 11}, "CPG519"),
        ({"foreign": 300, "untried": 2700}, "CPG519"),
        ({"own": 250, "foreign": 2, "unknown": 48}, "CPG513"),
        ({"own": 250, "unknown": 50}, "CPG513"),
    ],
)
def test_the_last_line_begins_with_what_most_rows_are(counts: dict[str, int], first: str) -> None:
    facts = Facts(store=seen.STORE, audit=audit(counts, 5, 900))
    intent = Intent()
    judged = judge(facts, intent)
    report = Report(facts, intent, resolve(intent, facts), judged, 1)
    assert f"Begin with {first}" in view.of(report, "en").next_step
    assert f"请先处理 {first}" in view.of(report, "zh").next_step


def test_rows_that_changed_places_without_a_law_are_not_laid_to_the_index() -> None:
    (told,) = errors(store=seen.STORE, audit=audit({"own": 297, "foreign": 3}, 3, 900))
    assert "without the rows" not in said(told)
    assert "rows were exchanged" in said(told)
