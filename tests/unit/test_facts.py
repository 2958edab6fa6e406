"""Facts may grow: what 0.1.0 wrote is judged as it stands, what a later version writes is kept."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cpgpt_doctor
from cpgpt_doctor import facts
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts, Host, form
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.redact import redacted
from cpgpt_doctor.report import Report
from cpgpt_doctor.reports import view
from cpgpt_doctor.rules.registry import is_of_data, judge, names_data, selected
from cpgpt_doctor.words import Language
from tests.environment import clean_environment
from tests.machines import recorded

RECORDED = sorted(recorded.HERE.glob("*.json"))
INTENTS = [
    Intent(),
    Intent("run-embed", start_method="spawn"),
    Intent(start_method="forkserver", batch_size=8),
]


def machine() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(RECORDED[0].read_text(encoding="utf-8"))
    return value


def parts(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every field and item in parsed JSON."""
    if path:
        yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from parts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from parts(value, (*path, index))


def kinds_of_parts(data: Any) -> Iterator[tuple[Any, ...]]:
    """The same, but of a list's items and of the installed packages the first: all are alike."""
    first = next(iter(data["packages"]["installed"]))
    for path in parts(data):
        alike = path[:2] == ("packages", "installed") and path[2:] not in ((), (first,))
        if not alike and not any(isinstance(step, int) and step for step in path):
            yield path


def holder(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


# What 0.1.0 saw and no version reads any more; the numbers of items are left out.
RETIRED = {
    ("host", "disk"),
    ("host", "memory_total"),
    ("host", "system"),
    ("python", "environment"),
    ("embedder", "examined", "defaults", "dna_context_len"),
    ("embedder", "examined", "trials", "persistent_workers"),
}


def is_retired(place: tuple[Any, ...]) -> bool:
    names = tuple(step for step in place if not isinstance(step, int))
    return any(names[: len(each)] == each for each in RETIRED)


def nothing_is_lost(data: Any, again: Any) -> None:
    """Whatever stands in `data` stands in `again`, which may have more fields, but the retired."""
    for place in parts(data):
        if is_retired(place):
            continue
        value = holder(data, place)[place[-1]]
        if not value or not isinstance(value, (dict, list)):
            assert holder(again, place)[place[-1]] == value, place


def crashed(seen: Facts) -> list[str]:
    """Rules that failed on these facts."""
    return [
        each.check.summary.en
        for intent in INTENTS
        for each in judge(seen, intent)
        if each.check.summary and "own rule failed" in each.check.summary.en
    ]


# What 0.1.0 wrote


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_0_1_0_wrote_is_read_judged_and_written_again_with_nothing_lost(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    seen = facts.read(path)
    assert data["doctor_version"] == "0.1.0"
    assert seen.unknown == ()
    assert crashed(seen) == []
    nothing_is_lost(data, facts.to_data(seen))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_no_version_reads_any_more_is_passed_over_and_not_written_again(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    again = facts.to_data(facts.read(path))
    assert any(is_retired(place) for place in parts(data))
    assert not any(is_retired(place) for place in parts(again))


def test_a_name_that_was_retired_is_no_fields_again() -> None:
    retired = {(kind, name) for kind in kinds() for name in getattr(kind, "RETIRED", ())}
    assert len(retired) == len(RETIRED)
    assert not [(kind, name) for kind, name in retired if name in form.fields(kind)]


def test_no_rule_fails_where_any_one_field_is_missing() -> None:
    data = machine()
    for path in parts(data):
        if path == ("schema",) or isinstance(path[-1], int):
            continue
        if path[:2] == ("packages", "installed"):  # one of them, or all
            continue
        fewer = copy.deepcopy(data)
        del holder(fewer, path)[path[-1]]
        assert crashed(facts.from_data(fewer)) == [], path


def test_no_rule_fails_on_parts_of_which_nothing_is_known() -> None:
    names = [
        "host", "python", "packages", "accelerator", "embedder", "workers", "own_dataset",
    ]  # fmt: skip
    assert crashed(Facts()) == []
    assert crashed(facts.from_data({name: {} for name in names})) == []
    nested: dict[str, Any] = {name: {} for name in names}
    nested["accelerator"] = {"torch": {}}
    nested["embedder"] = {"examined": {}}
    nested["packages"] = {"cpgpt": {}}
    assert crashed(facts.from_data(nested)) == []


def kinds() -> list[type[Any]]:
    """The dataclasses that facts are made of."""
    facts.import_areas()
    seen: list[type[Any]] = [Facts]
    for kind in seen:
        for hint, _ in form.fields(kind).values():
            inside = [hint, *form.get_args(hint)]
            inside += [each for one in inside for each in form.get_args(one)]
            new = [each for each in inside if dataclasses.is_dataclass(each)]
            seen += [each for each in new if each not in seen and isinstance(each, type)]
    return seen


def test_every_field_has_a_default() -> None:
    assert len(kinds()) > 20
    for kind in kinds():
        for name, (_, has_default) in form.fields(kind).items():
            assert has_default, f"{kind.__name__}.{name}"


# What a later version writes


def later() -> dict[str, Any]:
    data = machine()
    data["papers"] = [{"path": "/home/user/run.py", "calls": [{"line": 3}, 4, None]}, "text"]
    data["host"]["foo"] = {"a": [1, 2.5, None]}
    data["host"]["gpus"] = [{"name": "A", "memory": 1, "bus": "0000:3b"}]
    data["embedder"]["examined"]["dataset"]["culprits"][1]["depth"] = 2
    return data


def test_what_a_later_version_saw_is_kept_named_and_written_back() -> None:
    seen = facts.from_data(later())
    assert [each.name for each in seen.unknown] == [
        "host.gpus[0].bus", "host.foo", "embedder.examined.dataset.culprits[1].depth", "papers",
    ]  # fmt: skip
    assert crashed(seen) == []
    nothing_is_lost(later(), json.loads(facts.to_json(seen)))


def test_what_is_kept_goes_with_the_part_in_which_it_stood() -> None:
    seen = dataclasses.replace(facts.from_data(later()), host=None)
    data = facts.to_data(seen)
    assert data["host"] is None
    assert "papers" in data


def test_what_is_kept_is_redacted_like_the_rest() -> None:
    text = facts.to_json(redacted(facts.from_data(later())))
    assert "/home/user" not in text
    assert "~/run.py" in text


def test_a_field_called_unknown_is_one_that_is_not_known() -> None:
    seen = facts.from_data({**machine(), "unknown": [1]})
    assert [each.name for each in seen.unknown] == ["unknown"]
    assert facts.to_data(seen)["unknown"] == [1]


def test_what_nests_without_end_is_refused() -> None:
    endless: Any = 1
    for _ in range(150):
        endless = [endless]
    with pytest.raises(InputError, match=r"^facts\.host\.foo: nested too deep$"):
        facts.from_data({"host": {"foo": endless}})


# Strict scalars


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        (("host", "cpus"), "2", "facts.host.cpus: a whole number is expected, not '2'"),
        (("host", "cpus"), True, "facts.host.cpus: a whole number is expected, not True"),
        (("host", "cpus"), 2.0, "facts.host.cpus: a whole number is expected, not 2.0"),
        (
            ("host", "shared_memory", "free"), [],
            "facts.host.shared_memory.free: a whole number is expected, not []",
        ),
        (("host", "release"), 1, "facts.host.release: text is expected, not 1"),
        (("host", "release"), None, "facts.host.release: text is expected, not None"),
        (("host", "gpus"), {}, "facts.host.gpus: a list is expected, not {}"),
        (("host", "gpus"), ["H100"], "facts.host.gpus[0]: an object is expected, not 'H100'"),
        (("host", "gpus"), [[]], "facts.host.gpus[0]: an object is expected, not []"),
        (("host",), [], "facts.host: an object is expected, not []"),
        (("python", "rosetta"), 1, "facts.python.rosetta: true or false is expected, not 1"),
        (("skipped",), "embedder", "facts.skipped: a list is expected, not 'embedder'"),
        (
            ("packages", "installed"), {"torch": 2},
            "facts.packages.installed.torch: text is expected, not 2",
        ),
        (("packages", "markers"), [], "facts.packages.markers: an object is expected, not []"),
        (
            ("accelerator", "outcome", "seconds"), "1",
            "facts.accelerator.outcome.seconds: a number is expected, not '1'",
        ),
        (
            ("accelerator", "outcome", "seconds"), float("nan"),
            "facts.accelerator.outcome.seconds: a number is expected, not nan",
        ),
        (
            ("accelerator", "outcome", "seconds"), False,
            "facts.accelerator.outcome.seconds: a number is expected, not False",
        ),
        (
            ("failures",), [{"kind": "bored"}],
            "facts.failures[0].kind: one of 'killed', 'exited', 'timeout', 'garbled' is expected,"
            " not 'bored'",
        ),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_its_place(path: Any, wrong: Any, said: str) -> None:
    data = machine()
    holder(data, path)[path[-1]] = wrong
    with pytest.raises(InputError) as caught:
        facts.from_data(data)
    assert str(caught.value) == said


def taken(data: Any) -> Facts | str:
    """Facts that can be written again, or the error."""
    try:
        seen = facts.from_data(data)
    except InputError as error:
        return str(error)
    facts.to_json(seen)
    return seen


def test_whatever_stands_in_a_field_is_taken_or_refused_in_one_line() -> None:
    shapes: list[Any] = [None, True, 0, -1, 2.5, "x", [], [[]], [{}], [{"a": [{}]}], {}, {"a": {}}]
    data = machine()
    for path in kinds_of_parts(data):
        whole, place = copy.deepcopy(data), path[-1]
        for shape in shapes:
            holder(whole, path)[place] = shape
            seen = taken(whole)
            assert not isinstance(seen, str) or re.fullmatch(r"facts\..+ is expected, not .+", seen)


def test_a_whole_number_is_a_number() -> None:
    data = machine()
    data["accelerator"]["outcome"]["seconds"] = 2
    seen = facts.from_data(data)
    assert seen.accelerator
    assert seen.accelerator.outcome.seconds == 2.0


def test_an_answer_of_a_probe_may_hold_nothing_that_facts_do_not() -> None:
    with pytest.raises(InputError, match=r"^facts\.colour: there is no such field$"):
        facts.build({"colour": "red"}, Host)


def test_the_report_names_what_is_not_understood_in_both_languages() -> None:
    intent = Intent()
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        lines = []
        for seen in (facts.from_data(machine()), facts.from_data(later())):
            report = Report(seen, intent, resolve(intent, seen), judge(seen, intent), 0)
            lines.append(view.of(report, language).patient)
        assert all(name in lines[1] for name in ("host.foo", "host.gpus[0].bus", "papers"))
        assert lines[1].startswith(lines[0])


# Areas are imported where they are asked for


def test_every_name_of_an_area_is_exported_from_its_module() -> None:
    own = {"SCHEMA", "Facts", "Unknown", "build", "from_data", "read", "to_data", "to_json"}
    assert {*facts.__all__} == own | facts.AREA_OF.keys()
    for name, area in facts.AREA_OF.items():
        assert getattr(facts, name).__module__ == f"cpgpt_doctor.facts.{area}"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        facts.area_class("Nothing")


def test_what_was_not_looked_at_is_not_imported() -> None:
    """An interpreter that judges and writes what check --quick saw needs few of the areas."""
    script = (
        "import json, sys\n"
        "from cpgpt_doctor import facts\n"
        "from cpgpt_doctor.intent import Intent\n"
        "from cpgpt_doctor.rules.registry import judge, names_data\n"
        "seen = facts.Facts(host=facts.Host(), python=facts.Python(), packages=facts.Packages())\n"
        "assert not names_data(seen)\n"
        "assert judge(seen, Intent(), of_data=False)\n"
        "assert json.loads(facts.to_json(seen))['host']\n"
        "unneeded = {'audit', 'dependencies', 'locations', 'store', 'workers', 'embedder'}\n"
        "print(*(each for each in unneeded if f'cpgpt_doctor.facts.{each}' in sys.modules))\n"
        "print(*(each for each in sys.modules if each.startswith('cpgpt_doctor.rules.data.')))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True
    )
    assert ran.stdout == "\ncpgpt_doctor.rules.data.common\n", ran.stderr


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_rules_of_data_are_all_that_is_left_out_where_no_data_are_named(path: Path) -> None:
    seen = facts.read(path)
    assert not names_data(seen)
    for intent in INTENTS:
        every = judge(seen, intent)
        of_data = [each for each in every if is_of_data(each.code)]
        assert {each.check.status for each in of_data} == {"skipped"}
        rest = tuple(each for each in every if each not in of_data)
        assert judge(seen, intent, of_data=False) == rest
        assert selected(every, (), ()) == selected(rest, (), ())


# What is seen is used


# Fields that nothing outside reads by name, and why they are there.
UNREAD = {
    "Facts.schema": "says what kind of file it is",
    "ProbeFailure.probe": "read by Facts.failure",
    "Sampled.either": "read by Sampled.kinds",
    "Sampled.other_padding": "read by Sampled.kinds",
}


def test_every_field_is_read_by_a_rule_a_report_or_a_run_or_says_why_it_is_there() -> None:
    """By its name: an attribute of that name is read where facts are judged, shown or used."""
    package = Path(cpgpt_doctor.__file__).parent
    read = {
        node.attr
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in ("facts", "patient", "probes")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    unread = {
        f"{kind.__name__}.{name}"
        for kind in kinds()
        for name in form.fields(kind)
        if name not in read
    }
    assert unread == UNREAD.keys()
