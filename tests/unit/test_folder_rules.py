"""Rules over dependencies folders, on what can be seen of them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import pytest

from cpgpt_doctor import facts as recorded_facts
from cpgpt_doctor import pages
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.dependencies import Unread
from cpgpt_doctor.facts.store import IndexSeen
from cpgpt_doctor.findings import Finding, Remedy, Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.data.dependencies import OF_A_STORE, OWN
from cpgpt_doctor.rules.registry import all_rules, judge
from tests import seen_folders
from tests.folders import findings
from tests.seen import STORE
from tests.seen_folders import HUMAN, folder, stored

WRONG = [
    pytest.param(*each, id=f"{each[0]}-{at}") for at, each in enumerate(seen_folders.WRONG_ONES)
]


def of_data(facts: Facts) -> list[Finding]:
    return [each for each in findings(facts) if each.code.startswith("CPG5")]


@pytest.mark.parametrize("facts", seen_folders.WELL_ONES)
def test_where_nothing_is_wrong_nothing_is_found(facts: Facts) -> None:
    assert [each.title.en for each in of_data(facts)] == []


@pytest.mark.parametrize(("code", "facts"), WRONG)
def test_what_is_wrong_is_found_by_its_rule_once_and_by_no_other(code: str, facts: Facts) -> None:
    assert [each.code for each in of_data(facts)] == [code]


@pytest.mark.parametrize(("code", "facts"), seen_folders.UNKNOWN)
def test_what_cannot_be_looked_at_is_unknown(code: str, facts: Facts) -> None:
    assert of_data(facts) == []
    unknown = [each.code for each in judge(facts, Intent()) if each.check.status == "unknown"]
    assert code in unknown


def test_every_rule_over_folders_has_something_wrong_here() -> None:
    of_folders = {rule.code for rule in all_rules() if rule.code in OWN or rule.code in OF_A_STORE}
    # 501 is a note; 513, 521 and 522 are tried with real files.
    assert of_folders - {"CPG501", "CPG513", "CPG521", "CPG522"} == {
        code for code, _ in seen_folders.WRONG_ONES
    }


@pytest.mark.parametrize("facts", seen_folders.EVERY)
def test_what_was_seen_goes_to_json_and_back(facts: Facts) -> None:
    data = json.loads(json.dumps(recorded_facts.to_data(facts)))
    assert recorded_facts.from_data(data) == facts


@pytest.mark.parametrize(("code", "facts"), WRONG)
def test_remedies_are_those_of_a_page_and_name_the_paths_that_were_seen(
    code: str, facts: Facts
) -> None:
    for finding in of_data(facts):
        assert finding.remedies
        for remedy in finding.remedies:
            assert isinstance(remedy, Remedy)
            values = {name: words.en for name, words in remedy.values}
            page = pages.remedies(remedy.page or code, "en")[remedy.id].filled(values)
            for text in (*page.commands, page.before or "", page.after or ""):
                assert "DIR" not in re.split(r"[/ \"]", text), text


def test_a_path_of_spaces_and_quotes_can_be_pasted() -> None:
    odd = replace(HUMAN, folder='my "deps"/human', path='my "deps"/human/ensembl_metadata.db')
    (finding,) = of_data(stored(filled=500, others=(odd,)))
    code, run = (each for each in finding.remedies if each.id != "repair")
    values = {name: words.en for name, words in code.values}
    after = pages.remedies("CPG519", "en")[code.id].filled(values).after
    assert after is not None
    paths: list[str] = []
    exec(after, {"DNALLMEmbedder": paths.append})
    assert paths == ['my "deps"/human']
    values = {name: words.en for name, words in run.values}
    (line,) = pages.remedies("CPG519", "en")[run.id].filled(values).commands
    assert 'my "deps"/human' in shlex.split(line)


def test_a_folder_that_was_only_found_does_not_fail_for_rows_in_one_below() -> None:
    facts = dict(seen_folders.WRONG_ONES)["CPG508"]
    (given,) = facts.dependencies
    levels = {
        is_given: [
            each.severity for each in of_data(Facts(dependencies=(replace(given, given=is_given),)))
        ]
        for is_given in (True, False)
    }
    assert levels == {True: [Severity.warning], False: [Severity.warning]}
    nothing_here = replace(given.elsewhere[0], here=0)
    empty = replace(given, elsewhere=(nothing_here,))
    assert of_data(Facts(dependencies=(empty,)))[0].severity is Severity.error


def test_run_embed_is_told_of_a_release_that_zeroes_rows_in_a_note() -> None:
    found = [
        finding
        for each in judge(stored("0.0.3"), Intent("run-embed"))
        for finding in each.check.findings
        if each.code == "CPG516"
    ]
    assert [(each.severity, each.treated) for each in found] == [(Severity.note, True)]


def test_what_is_well_is_said_once_and_of_how_many_where_it_differs() -> None:
    two = tuple(
        replace(seen_folders.WELL, store=replace(STORE, index=IndexSeen(count)), filled=count)
        for count in (300, 200)
    )
    said = {
        each.code: each.check.summary.en
        for each in judge(Facts(dependencies=(folder(stores=two),)), Intent())
    }
    assert said["CPG506"] == "300 locations have a row each (the first of 2)"
    assert said["CPG510"] == "no old checkpoint stands beside the rows"


def test_each_store_of_a_folder_has_its_own_finding() -> None:
    two = tuple(
        replace(seen_folders.WELL, store=replace(STORE, rows=f"{name}.mmap", size=4096))
        for name in ("one", "two")
    )
    found = of_data(Facts(dependencies=(folder(stores=two),)))
    assert [(each.code, each.location.path) for each in found if each.location] == [
        ("CPG506", "one.mmap"),
        ("CPG506", "two.mmap"),
    ]


@pytest.mark.parametrize(("count", "said"), [(1, "1 index near by was"), (2, "2 indexes near by")])
def test_indexes_that_were_not_read_are_counted_in_words(count: int, said: str) -> None:
    passed = tuple(Unread(f"deps/{at}.db", "skipped") for at in range(count))
    (check,) = [
        each.check
        for each in judge(seen_folders.here(unread=passed), Intent())
        if each.code == "CPG519"
    ]
    assert check.summary is not None
    assert said in check.summary.en
