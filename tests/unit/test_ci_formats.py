"""Reports for programs, held against the schemas and the parsers of others; and the baseline."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import junitparser
import pytest
from lxml import etree
from markdown_it import MarkdownIt

from cpgpt_doctor import baseline, facts, pages
from cpgpt_doctor.baseline import Baseline
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Culprit, Facts, ProbeFailure
from cpgpt_doctor.findings import Evidence, Finding, Judged, Location, Severity, found
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.redact import redact, redacted
from cpgpt_doctor.report import Report, exit_code
from cpgpt_doctor.reports import github, json_report, junit, sarif, view
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.reports.view import View
from cpgpt_doctor.rules.registry import judge
from cpgpt_doctor.words import Language, same
from tests.machines import recorded

DATA = Path(__file__).parents[1] / "data"
SARIF = json.loads((DATA / "sarif-2.1.0.schema.json").read_text(encoding="utf-8"))
JUNIT = etree.XMLSchema(etree.parse(str(DATA / "junit-10.xsd")))
CHECK = json.loads(
    resources.files("cpgpt_doctor.reports").joinpath("check.schema.json").read_text()
)
HOSTILE = "a\n::error::b\r\n##[error]c ]]> %0A <b>|`x`| \x00\x1b[31m\x85\ufffe\ud800 end"
MACHINES = {
    "new": recorded.linux_new(),
    "old": recorded.linux_old(),
    "mac": recorded.mac(recorded.linux_old()),
    "windows": recorded.windows(recorded.linux_new()),
    "bare": replace(
        recorded.linux_new(),
        python=None,
        failures=(ProbeFailure("python", "killed", "SIGKILL", HOSTILE),),
    ),
}


def reported(machine: Facts, **intent: Any) -> Report:
    meant = Intent(**intent)
    judged = judge(machine, meant)
    return Report(
        machine, meant, resolve(meant, machine), judged, exit_code(judged, Severity.error)
    )


def with_findings(*findings: Finding) -> Report:
    report = reported(recorded.linux_new())
    judged = tuple(Judged(each.code, found(each)) for each in findings)
    return replace(report, judged=judged)


def hostile() -> Finding:
    text = same(HOSTILE)
    return Finding(
        "CPG201",
        Severity.error,
        text,
        (text,),
        evidence=Evidence(HOSTILE, (Culprit(HOSTILE, HOSTILE, HOSTILE, HOSTILE),), ((text, text),)),
        location=Location(f"/tmp/{HOSTILE}, x:y.py", 3, 5, call=HOSTILE),
    )


def shown(report: Report, language: Language) -> View:
    """The report in this language; hostile in its remedies too, where its findings are."""
    said = view.of(report, language)
    if HOSTILE not in [each.title for each in said.findings]:
        return said
    remedy = PageRemedy(
        "CPG201.main-process", "recommended", HOSTILE, HOSTILE, HOSTILE, HOSTILE,
        (HOSTILE,), (HOSTILE,), (HOSTILE,), HOSTILE,
    )  # fmt: skip
    findings = tuple(replace(each, remedies=(remedy,)) for each in said.findings)
    checks = tuple(replace(each, findings=findings) for each in said.checks)
    return replace(said, findings=findings, checks=checks)


@pytest.fixture(params=[*MACHINES, "hostile"])
def report(request: pytest.FixtureRequest) -> Report:
    if request.param == "hostile":
        return with_findings(hostile())
    return reported(MACHINES[request.param])


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Language:
    return request.param  # type: ignore[no-any-return]


# SARIF


def sarif_run(report: Report, language: Language) -> dict[str, Any]:
    data = json.loads(sarif.render(shown(report, language)))
    jsonschema.Draft4Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(data)
    run: dict[str, Any] = data["runs"][0]
    return run


def test_sarif_is_valid_and_has_a_result_for_each_finding(
    report: Report, language: Language
) -> None:
    run = sarif_run(report, language)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [each.code for each in report.judged]
    assert len(run["results"]) == len(report.findings) > 0
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert result["level"] == finding.severity.name
        assert result["message"]["text"].startswith(finding.title.say(language).rstrip(".。"))


def test_every_sarif_result_has_one_place_whose_base_is_named(
    report: Report, language: Language
) -> None:
    """GitHub refuses a whole file for one result without."""
    run = sarif_run(report, language)
    for result in run["results"]:
        (location,) = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        address = urlsplit(artifact["uri"])
        assert re.fullmatch(r"[\w%/.~:-]+", artifact["uri"], re.ASCII)
        if "uriBaseId" in artifact:
            assert artifact["uriBaseId"] in run["originalUriBaseIds"]
            assert not address.scheme
            assert not address.path.startswith("/")
        else:
            assert address.scheme == "file"


def test_sarif_rules_carry_their_page(language: Language) -> None:
    rules = sarif_run(reported(recorded.linux_new()), language)["tool"]["driver"]["rules"]
    for rule in rules:
        page = pages.read(rule["id"], language)
        assert rule["shortDescription"]["text"] == page.title
        assert rule["help"]["markdown"] == page.text
        opening = rule["fullDescription"]["text"]
        assert 20 < len(opening) <= 1024
        assert "".join(opening.split()) in "".join(page.text.split())
        assert re.fullmatch(r"[A-Z0-9][A-Za-z0-9]+", rule["name"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{cwd}/a b/träin.py", {"uri": "a%20b/tr%C3%A4in.py", "uriBaseId": "SRCROOT"}),
        ("sub/train.py", {"uri": "sub/train.py", "uriBaseId": "SRCROOT"}),
        ("~/env/x.py", {"uri": "env/x.py", "uriBaseId": "HOME"}),
        ("/opt/env/x#1.py", {"uri": "file:///opt/env/x%231.py"}),
        (r"C:\Users\me\x 1.py", {"uri": "file:///C:/Users/me/x%201.py"}),
        (r"\\server\share\x.py", {"uri": "file://server/share/x.py"}),
    ],
)
def test_a_place_is_relative_below_the_current_folder_and_else_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sarif.artifact(path.replace("{cwd}", str(tmp_path))) == expected


def test_a_sarif_finding_without_a_file_is_at_the_interpreter_or_the_folder() -> None:
    def place(report: Report) -> dict[str, Any]:
        made: dict[str, Any] = sarif.location(view.finding(report.findings[0], "en"), report)
        return made

    bare = Finding("CPG401", Severity.error, same("t"), (same("c"),))
    report = with_findings(bare)
    assert report.facts.python
    artifact = place(report)["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": f"file://{report.facts.python.executable}"}
    unknown = replace(report, facts=replace(report.facts, python=None))
    artifact = place(unknown)["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "./", "uriBaseId": "SRCROOT"}
    named = place(with_findings(replace(bare, location=Location("mine.data:make"))))
    assert named["logicalLocations"][0]["fullyQualifiedName"] == "mine.data:make"
    assert named["physicalLocation"]["artifactLocation"]["uri"].endswith("python")


# GitHub


def runner_reads(line: str) -> tuple[str, dict[str, str], str]:
    """A command as GitHub's runner takes it apart: up to the second `::`, then the message."""
    match = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert match, line
    properties = dict(each.split("=", 1) for each in match[2].split(","))
    return match[1], {name: unquote(value) for name, value in properties.items()}, match[3]


def test_a_finding_is_one_command_whatever_its_texts_hold(
    report: Report, language: Language
) -> None:
    text = github.render(shown(report, language))
    lines = text.split("\n")[:-1]
    assert "\r" not in text
    assert len(lines) == len(report.findings)
    kinds = {"error": "error", "warning": "warning", "note": "notice"}
    for line, finding in zip(lines, report.findings, strict=True):
        kind, properties, message = runner_reads(line)
        assert kind == kinds[finding.severity.name]
        assert set(properties) <= {"file", "line", "col", "title"}
        assert unquote(message).endswith(f"cpgpt-doctor explain {finding.code}")
        assert ("line" in properties) == bool(finding.location and finding.location.line)


def test_escaping_in_a_command_is_undone_by_its_reader() -> None:
    finding = hostile()
    assert finding.location
    # A lone surrogate is no character that an escape could stand for; it stays as it is.
    clean = HOSTILE.replace("\ud800", "")
    title = replace(finding, title=same(clean), location=Location(f"/tmp/{clean}, x:y.py", 3))
    _, properties, _ = runner_reads(github.command(view.finding(title, "en"), Labels("en")))
    assert properties["title"] == f"CPG201 {visible(clean)}"
    assert properties["file"] == f"/tmp/{visible(clean)}, x:y.py"


def test_an_annotation_names_the_file_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert github.in_repository(str(tmp_path / "sub/x.py")) == "x.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert github.in_repository(str(tmp_path / "sub/x.py")) == "sub/x.py"
    assert github.in_repository("/opt/env/x.py") == "/opt/env/x.py"


def test_the_step_summary_is_a_table_with_a_row_for_each_finding(
    report: Report, language: Language
) -> None:
    text = github.summary(shown(report, language))
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == len(report.findings) + 1
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert not {token.type for token in tokens} & {"html_block", "fence"}
    assert kinds <= {"text", "code_inline", "strong_open", "strong_close", "text_special"}
    assert text.endswith("\n")
    assert text.encode()  # nothing that a file in UTF-8 cannot hold


# JUnit


def test_junit_is_valid_and_is_read_back(report: Report, language: Language) -> None:
    text = junit.render(shown(report, language), Severity.error).encode()
    JUNIT.assertValid(etree.fromstring(text))
    (suite,) = junitparser.JUnitXml.fromstring(text)
    cases = list(suite)
    assert suite.tests == len(cases) == len(report.judged)
    failed = [case.name.split()[0] for case in cases if case.is_failure]
    assert failed == [
        each.code
        for each in report.judged
        if any(finding.severity is Severity.error for finding in each.check.findings)
    ]
    assert suite.failures == len(failed)
    skipped = [case.name.split()[0] for case in cases if case.is_skipped]
    statuses = {each.code: each.check.status for each in report.judged}
    assert skipped == [code for code in statuses if statuses[code] in ("skipped", "unknown")]
    assert suite.skipped == len(skipped)


def test_junit_fails_from_fail_on_and_tells_the_rest(language: Language) -> None:
    report = reported(recorded.linux_old())
    held = {each.severity for each in report.findings}
    assert held == set(Severity)
    for fail_on in (Severity.warning, Severity.error, None):
        text = junit.render(shown(report, language), fail_on)
        root = etree.fromstring(text.encode())
        failures = "".join(each.text for each in root.iter("failure"))
        told = "".join(each.text for each in root.iter("system-out"))
        for finding in report.findings:
            title = finding.title.say(language)
            fails = fail_on is not None and finding.severity >= fail_on
            assert (title in failures, title in told) == (fails, not fails)
        assert bool(failures) == bool(exit_code(report.judged, fail_on))


# JSON


def test_json_is_valid_and_its_keys_are_the_same_in_both_languages(report: Report) -> None:
    both = [json.loads(json_report.render(shown(report, each))) for each in ("en", "zh")]
    for data, spoken in zip(both, ("en", "zh"), strict=True):
        jsonschema.Draft202012Validator(CHECK).validate(data)
        assert data["language"] == spoken
    english, chinese = both
    for one, other in zip(english["findings"], chinese["findings"], strict=True):
        assert one["fingerprint"] == other["fingerprint"]
        assert list(one["evidence"]["seen"]) == list(other["evidence"]["seen"])
        assert one["page"] == other["page"] == f"cpgpt-doctor explain {one['code']}"


def test_json_speaks_the_language() -> None:
    report = reported(MACHINES["mac"])
    lock = Culprit("dataset.lock", "_thread.lock", "TypeError: no", kind="thread-lock")
    (judged,) = (each for each in report.judged if each.code == "CPG201")
    evidence = replace(judged.check.findings[0].evidence, culprits=(lock,))
    check = replace(judged.check, findings=(replace(judged.check.findings[0], evidence=evidence),))
    report = replace(report, judged=(replace(judged, check=check),))
    data = json.loads(json_report.render(shown(report, "zh")))
    finding = next(each for each in data["findings"] if each["code"] == "CPG201")
    said = [finding["title"], *finding["causes"], *(r["why"] for r in finding["remedies"])]
    said += [culprit["about"] for culprit in finding["evidence"]["culprits"]]
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in said)


# Fingerprints


def test_fingerprints_do_not_change_with_lines_machines_or_redaction() -> None:
    for machine in MACHINES.values():
        plain = reported(machine).findings
        for public in (redacted(machine), moved(machine)):
            other = reported(public).findings
            assert [fingerprint(each) for each in plain] == [fingerprint(each) for each in other]


def moved(machine: Facts) -> Facts:
    """The same machine with its environment in another folder."""
    text = json.dumps(facts.to_data(machine))
    text = text.replace("/home/user/cpgpt-env/", "/srv/envs/other/")
    value = facts.from_data(json.loads(text))
    return value


def test_a_fingerprint_follows_what_a_finding_is() -> None:
    where = Location("/x/site-packages/cpgpt/a.py", 5, call="DataLoader(num_workers=8)")
    lock = Culprit("dataset.lock", "lock", "TypeError", "about")
    base = Finding(
        "CPG201", Severity.error, same("t"), (same("c"),),
        evidence=Evidence(culprits=(lock, replace(lock, path="dataset.file"))), location=where,
    )  # fmt: skip
    mark = fingerprint(base)
    assert re.fullmatch("[0-9a-f]{32}", mark)
    assert mark == fingerprint(replace(base, title=same("other"), causes=()))
    assert mark == fingerprint(replace(base, location=replace(where, line=9, column=2)))
    swapped = Evidence(culprits=base.evidence.culprits[::-1])
    assert mark == fingerprint(replace(base, evidence=swapped))
    inside = r"D:\env\Lib\site-packages\cpgpt\a.py"
    assert mark == fingerprint(replace(base, location=replace(where, path=inside)))
    for other in (
        replace(base, code="CPG202"),
        replace(base, severity=Severity.warning),
        replace(base, location=None),
        replace(base, location=replace(where, path="/x/site-packages/cpgpt/b.py")),
        replace(base, location=replace(where, call="DataLoader(num_workers=4)")),
        replace(base, evidence=Evidence(culprits=(lock,))),
    ):
        assert fingerprint(other) != mark


def test_a_file_of_the_project_has_one_fingerprint_wherever_the_project_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(folder)
        for path in (str(folder / "train.py"), redact(str(folder / "train.py")), "train.py"):
            finding = Finding("CPG201", Severity.error, same("t"), (), location=Location(path))
            marks.add(fingerprint(finding))
    assert len(marks) == 1


# The baseline


def written(folder: Path, report: Report, language: Language = "en") -> Path:
    path = folder / "baseline.json"
    path.write_text(json_report.render(shown(report, language)), encoding="utf-8")
    return path


def test_a_baseline_accepts_its_own_findings_and_no_others(
    tmp_path: Path, report: Report, language: Language
) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(
        json_report.render(shown(report, language)).encode("utf-8", "backslashreplace")
    )
    accepted = baseline.read(path)
    judged, known = baseline.without(report.judged, accepted, None)
    assert sorted(map(id, known)) == sorted(map(id, report.findings))
    assert exit_code(judged, Severity.note) == 0
    assert {each.check.status for each in judged} <= {"ok", "skipped", "unknown"}
    assert baseline.without(report.judged, Baseline(path), None) == (report.judged, ())


def test_a_finding_that_got_graver_or_more_frequent_is_new(tmp_path: Path) -> None:
    note = Finding("CPG403", Severity.note, same("t"), (same("c"),))
    accepted = baseline.read(written(tmp_path, with_findings(note)))
    graver = with_findings(replace(note, severity=Severity.warning)).judged
    assert baseline.without(graver, accepted, None) == (graver, ())
    twice = (Judged("CPG403", found(note, note)),)
    judged, known = baseline.without(twice, accepted, None)
    assert known == (note,)
    assert judged == (Judged("CPG403", found(note)),)
    assert accepted.marks.total() == 1


def test_a_baseline_of_another_release_is_refused(tmp_path: Path) -> None:
    note = Finding("CPG403", Severity.note, same("t"), (same("c"),))
    path = written(tmp_path, with_findings(note))
    data = json.loads(path.read_text(encoding="utf-8"))
    data["patient"]["cpgpt"] = "0.0.7"
    path.write_text(json.dumps(data), encoding="utf-8")
    accepted = baseline.read(path)
    judged = with_findings(note).judged
    assert baseline.without(judged, accepted, "0.0.7")[1] == (note,)
    assert baseline.without(judged, accepted, None)[1] == (note,)
    with pytest.raises(InputError, match=r"is of CpGPT 0\.0\.7, not 0\.0\.13; write one with"):
        baseline.without(judged, accepted, "0.0.13")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "not a text file"),
        (b"", "not JSON"),
        (b"{\n'a': 1}", ":2: not JSON"),
        (b"[]", "None found"),
        (b'{"schema": "cpgpt-doctor/facts/v1"}', "'cpgpt-doctor/facts/v1' found"),
        (b'{"schema": "cpgpt-doctor/check/v1"}', "no list of findings"),
        (b'{"schema": "cpgpt-doctor/check/v1", "findings": [{}]}', "no fingerprint"),
        (b'{"schema": "cpgpt-doctor/check/v1", "findings": [3]}', "no fingerprint"),
        (b"[" * 100_000, "not a report"),
        (b'{"schema": %s}' % (b"9" * 5000), "not a report"),
    ],
    ids=["missing", "binary", "empty", "not JSON", "list", "facts", "none", "old", "3", "[", "9"],
)
def test_what_is_no_baseline_is_named_in_one_line(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        baseline.read(path)
    line = str(caught.value)
    assert line.startswith(f"--baseline {path}")
    assert said in line
    assert "\n" not in line
