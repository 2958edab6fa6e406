"""Rules over a genome, locations and a store, on what can be seen of them."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from cpgpt_doctor import facts as recorded_facts
from cpgpt_doctor import pages
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.rules.data import genome, locations, probes, stores
from cpgpt_doctor.rules.registry import judge, selected
from tests import seen
from tests.findings import errors, found, said
from tests.machines import recorded

# Those of what a run is given; tests/unit/test_dependencies.py has those of whole folders.
DATA = tuple(rule.code for area in (genome, locations, probes, stores) for rule in area.RULES)
WRONG = [pytest.param(*each, id=f"{each[0]}-{at}") for at, each in enumerate(seen.WRONG_ONES)]


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    for facts in seen.WELL:
        assert found(genome=facts.genome, locations=facts.locations, store=facts.store) == []


@pytest.mark.parametrize(("code", "facts"), WRONG)
def test_what_is_wrong_is_found_by_its_rule_and_by_no_other(code: str, facts: Facts) -> None:
    findings = found(genome=facts.genome, locations=facts.locations, store=facts.store)
    also = {"CPG523"} if facts.store and facts.store.lost else set()
    assert {each.code for each in findings} - also <= {code}
    assert code in {each.code for each in findings}


def test_every_rule_over_data_has_something_wrong_here() -> None:
    # Locations without a row are what run-embed is for.
    assert {code for code, _ in seen.WRONG_ONES} == {*DATA} - {"CPG526"}


def test_locations_without_a_row_are_found_for_a_call_of_cpgpts_and_not_for_run_embed() -> None:
    (facts,) = (each for each in seen.WELL if each.locations and each.locations.total == 1000)
    assert not found(locations=facts.locations)
    (finding,) = found(via="direct", locations=facts.locations)
    assert (finding.code, finding.severity) == ("CPG526", Severity.warning)
    assert finding.title.en == "88 of 1000 locations have no row"
    assert "912 of 1000 locations have one of its 5000 rows" in said(finding)


@pytest.mark.parametrize(("code", "facts"), WRONG)
def test_what_is_found_is_an_error_for_run_embed_but_what_it_treats_or_warns_of(
    code: str, facts: Facts
) -> None:
    for each in found(genome=facts.genome, locations=facts.locations, store=facts.store):
        if each.severity is not Severity.error:
            assert each.code in ("CPG503", "CPG510", "CPG517", "CPG523", "CPG525")


def test_what_the_user_allows_by_name_is_a_note() -> None:
    for code, facts, name in (
        ("CPG507", seen.located(all_n=seen.Some(2, seen.ONE)), "all-n"),
        ("CPG517", seen.located(total=40, cg=0), "non-cpg"),
        ("CPG520", seen.stored(unnamed=seen.Unnamed(5, 0, 0)), "unnamed"),
    ):
        parts = {"genome": facts.genome, "locations": facts.locations, "store": facts.store}
        (refused,) = errors(**parts)
        assert refused.code == code
        assert errors((name,), **parts) == []
        (note,) = found((name,), **parts)
        assert (note.code, note.severity) == (code, Severity.note)


def test_a_window_of_nothing_but_n_is_at_a_column_of_a_matrix() -> None:
    facts = seen.located(all_n=seen.Some(2, seen.ONE), kind="betas")
    (finding,) = found(genome=facts.genome, locations=facts.locations)
    assert finding.location is not None
    assert finding.location.line is None
    assert "1:5: column 2" in said(finding)


def test_the_commands_of_the_remedies_name_the_paths_of_this_run() -> None:
    """What only the user can know stays a word in capitals: FASTA, NEWDIR, CACHE."""
    for code, facts in seen.WRONG_ONES:
        for each in found(genome=facts.genome, locations=facts.locations, store=facts.store):
            for remedy in each.remedies:
                values = {name: words.en for name, words in remedy.values}
                page = pages.remedies(each.code, "en")[remedy.id].filled(values)
                for line in page.commands:
                    words = re.split(r"[/ ]", line)
                    assert "DIR" not in words or not (facts.store or facts.genome), line
                    standard = facts.locations and facts.locations.source != "standard input"
                    assert "FILE" not in words or not standard, (code, line)


def test_a_path_with_spaces_is_one_word_for_a_shell() -> None:
    store = seen.replace(seen.STORE, dependencies="my deps", lost=1)
    (finding,) = found(store=store)
    values = {name: words.en for name, words in finding.remedies[0].values}
    line = pages.remedies("CPG523", "en")["newer-index"].filled(values).commands[0]
    assert "my deps/ensembl_metadata.db" in shlex.split(line)


def test_check_shows_no_line_for_data_that_nobody_named_unless_asked() -> None:
    judged = judge(recorded.linux_new(), Intent())
    shown = {each.code for each in selected(judged, (), ())}
    assert not shown & set(DATA)
    assert "CPG201" in shown
    (asked,) = selected(judged, ("CPG506",), ())
    assert asked.check.status == "unknown"


@pytest.mark.parametrize("facts", seen.EVERY)
def test_what_was_seen_goes_to_json_and_back(facts: Facts) -> None:
    data = json.loads(json.dumps(recorded_facts.to_data(facts)))
    assert recorded_facts.from_data(data) == facts


@pytest.mark.parametrize("code", [*DATA, "CPG405"])
def test_the_error_of_a_page_is_what_a_finding_is_titled(code: str) -> None:
    titles = {
        f"{finding.code} {finding.title.en}"
        for facts in (*seen.EVERY, recorded.linux_new())
        for allowed in seen.ALLOWED
        for via in ("run-embed", "direct")
        for each in judge(facts, Intent(via, allowed=allowed))  # type: ignore[arg-type]
        for finding in each.check.findings
    }
    shown = pages.read(code, "en").parts.get("error", "")
    lines = [line for line in shown.splitlines() if line.startswith("CPG")]
    assert lines or code in ("CPG510", "CPG523")  # which refuse nothing
    assert set(lines) <= titles
