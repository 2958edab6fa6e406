"""The last line of a report claims no more than was seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor import baseline, check
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.report import Report, exit_code
from cpgpt_doctor.reports import view
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.rules.registry import judge, selected
from cpgpt_doctor.words import Language
from tests.machines import recorded
from tests.machines.test_rules import finding

NEEDED = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
CLAIMS = ("stops", "can start", "妨碍", "可以开始")


def report(facts: Facts, *, select: tuple[str, ...] = (), **settings: object) -> Report:
    intent = Intent(**settings)  # type: ignore[arg-type]
    judged = selected(judge(facts, intent), select, ())
    code = exit_code(judged, Severity.error)
    return Report(facts, intent, resolve(intent, facts), judged, code, (), bool(select))


def examined(facts: Facts, **changes: object) -> Facts:
    assert facts.embedder
    assert facts.embedder.examined
    changed = replace(facts.embedder.examined, **changes)  # type: ignore[arg-type]
    return replace(facts, embedder=replace(facts.embedder, examined=changed))


def cached(facts: Facts) -> Facts:
    assert facts.embedder
    assert facts.embedder.examined
    codes = tuple(
        replace(each, cached=True, weights=1 << 20) for each in facts.embedder.examined.remote_code
    )
    return examined(facts, remote_code=codes)


def next_step(shown: Report, language: Language) -> str:
    return view.of(shown, language).next_step


def claims(shown: Report) -> bool:
    said = next_step(shown, "en") + next_step(shown, "zh")
    return any(each in said for each in CLAIMS)


def accepted(shown: Report) -> Report:
    """The same with all its findings accepted."""
    marks = Counter(fingerprint(each) for each in shown.findings)
    known = baseline.Baseline(Path("baseline.json"), None, marks)
    judged, found = baseline.without(shown.judged, known, None)
    assert found
    return replace(shown, judged=judged, accepted=found, exit_code=0)


def test_a_call_that_nothing_was_found_against_is_not_stopped_here() -> None:
    shown = report(recorded.linux_new(), num_workers=0)
    assert next_step(shown, "en").endswith(". Nothing here stops this call.")


def test_an_accepted_error_stops_the_call_all_the_same() -> None:
    shown = accepted(report(recorded.linux_old(), num_workers=0))
    count = len(shown.accepted)
    errors = sorted({each.code for each in shown.accepted if each.severity is Severity.error})
    assert errors
    names = " and ".join([", ".join(errors[:-1]), errors[-1]] if errors[1:] else errors)
    assert next_step(shown, "en") == (
        f"Nothing found beside the {count} accepted by the baseline, with the errors {names}."
    )
    assert f"除基线已接受的 {count} 个（含错误 {errors[0]}" in next_step(shown, "zh")
    assert not claims(accepted(report(cached(recorded.linux_old()), via="run-embed")))


def test_a_warning_that_predicts_a_failure_is_not_called_well() -> None:
    facts = examined(recorded.linux_new(), remote_needs={NEEDED: False})
    shown = report(facts, num_workers=0)
    assert [each.severity for each in shown.findings if each.code == "CPG404"] == [Severity.warning]
    assert not claims(shown)
    assert "CPG404" in next_step(shown, "en")


def test_of_run_embed_only_the_environment_is_spoken_for() -> None:
    shown = report(cached(recorded.linux_new()), via="run-embed", num_workers=0)
    assert not shown.unknown
    assert next_step(shown, "en").endswith(". Nothing in the environment stops run-embed.")


def test_a_model_that_run_embed_would_have_to_download_is_an_error() -> None:
    facts = recorded.linux_new()
    found = finding(facts, "CPG405", via="run-embed")
    assert found.severity is Severity.error
    (command,) = view.finding(found, "en").remedies[0].commands
    assert f"get('InstaDeepAI/{report(facts).call.dna_llm}')" in command
    assert not claims(report(facts, via="run-embed"))
    assert next(each for each in report(facts).judged if each.code == "CPG405").check.status == "ok"


@pytest.mark.parametrize("names", [("Fasta",), ("DataLoader", "Fasta")])
def test_a_cpgpt_without_the_names_that_run_embed_replaces_is_an_error_for_it(
    names: tuple[str, ...],
) -> None:
    facts = examined(cached(recorded.linux_new()), missing_seams=names)
    found = finding(facts, "CPG407", via="run-embed")
    assert found.severity is Severity.error
    assert ", ".join(names) in found.title.en
    assert not claims(report(facts, via="run-embed"))
    direct = report(facts, num_workers=0)
    assert finding(facts, "CPG407").severity is Severity.note
    assert {"CPG201", "CPG202", "CPG203", "CPG404", "CPG514"} - {"CPG201"} <= {*direct.unknown}
    assert not claims(direct)


@pytest.mark.parametrize(
    ("option", "asked"), [("--deep", {"deep": True}), ("--dataset", {"dataset": "mine:make"})]
)
def test_quick_beside_what_it_cannot_look_at_is_refused(option: str, asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"--quick .* {option} has no effect"):
        check.observe(python="no-such-python", quick=True, **asked)
