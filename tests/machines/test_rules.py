"""Rules judge recorded machines: severity is the consequence for what the user intends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cpgpt_doctor.facts import (
    BatchTrial,
    Collate,
    Culprit,
    DeepLook,
    Facts,
    ForkedRead,
    ForkTrial,
    MissingName,
    MovedOffset,
    Outcome,
    OwnDataset,
    PicklingReport,
    ProbeFailure,
    UnreadableFile,
    WindowTokens,
    WorkerStart,
)
from cpgpt_doctor.findings import Check, Finding, Severity
from cpgpt_doctor.intent import DNA_LLM, Intent
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.reports import view
from cpgpt_doctor.rules import registry
from cpgpt_doctor.rules.registry import all_rules, judge, selected
from tests.machines import recorded

FIX_DOCUMENT_ERROR = "TypeError: cannot pickle 'BufferedReader' instances"
CULPRITS = {
    f"dataset.genome.faidx.{name}" for name in ("file", "lock", "key_function", "filt_function")
}


def check(facts: Facts, code: str, **intent: object) -> Check:
    judged = judge(facts, Intent(**intent))  # type: ignore[arg-type]
    return next(each.check for each in judged if each.code == code)


def finding(facts: Facts, code: str, **intent: object) -> Finding:
    result = check(facts, code, **intent)
    assert result.status == "finding", result.summary.en
    return result.findings[0]


def remedies(found: Finding) -> tuple[PageRemedy, ...]:
    """Its remedies with the texts of their pages, in English."""
    return view.finding(found, "en").remedies


def test_codes_are_unique_and_in_order() -> None:
    codes = [rule.code for rule in all_rules()]
    assert codes == sorted(set(codes))


# CPG1xx


def test_101_python_outside_cpgpts_range() -> None:
    found = finding(recorded.python_314(recorded.linux_new()), "CPG101")
    assert found.severity is Severity.error
    assert "3.14.0" in found.title.en
    assert check(recorded.linux_new(), "CPG101").status == "ok"


def test_102_says_where_the_start_method_comes_from() -> None:
    assert "Linux's default" in check(recorded.linux_new(), "CPG102").summary.en
    assert (
        "macOS's default since Python 3.8"
        in check(recorded.mac(recorded.linux_new()), "CPG102").summary.en
    )
    assert (
        "since Python 3.14" in check(recorded.python_314(recorded.linux_new()), "CPG102").summary.en
    )
    assert (
        "set by your code" in check(recorded.linux_new(), "CPG102", start_method="spawn").summary.en
    )


def test_102_a_start_method_that_the_platform_lacks_is_an_error() -> None:
    found = finding(recorded.windows(recorded.linux_new()), "CPG102", start_method="fork")
    assert found.severity is Severity.error


def test_103_forkserver_by_default_on_linux_only() -> None:
    assert finding(recorded.python_314(recorded.linux_new()), "CPG103").severity is Severity.warning
    assert check(recorded.linux_new(), "CPG103").status == "ok"
    assert check(recorded.mac(recorded.linux_new()), "CPG103").status == "skipped"


# CPG2xx


def test_201_is_the_fix_documents_case_on_its_machine() -> None:
    found = finding(recorded.mac(recorded.linux_old()), "CPG201", num_workers=4)
    assert found.severity is Severity.error
    assert found.evidence.error == FIX_DOCUMENT_ERROR
    assert {culprit.path for culprit in found.evidence.culprits} == CULPRITS
    assert [remedy.advice for remedy in remedies(found)] == [
        "recommended",
        "not-recommended",
        "possible",
    ]
    assert "num_workers=0 alone is not enough" in remedies(found)[0].why
    assert "prefetch_factor option could only be specified" in remedies(found)[0].why


def test_201_names_the_line_of_the_call() -> None:
    found = finding(recorded.linux_old(), "CPG201", start_method="spawn")
    assert found.location
    assert found.location.path.endswith("dna_llm_embedder.py")
    assert found.location.line == 506


def test_201_is_a_warning_where_cpgpts_guard_falls_back() -> None:
    facts = recorded.linux_new()
    assert finding(facts, "CPG201", start_method="spawn").severity is Severity.warning
    assert finding(facts, "CPG201", start_method="forkserver").severity is Severity.error
    assert finding(recorded.mac(facts), "CPG201").severity is Severity.warning


def test_201_is_an_error_where_the_guard_sees_no_start_method() -> None:
    """On Windows nothing sets it, so CpGPT sees None, and spawn comes all the same."""
    assert finding(recorded.windows(recorded.linux_new()), "CPG201").severity is Severity.error


@pytest.mark.parametrize("base", [recorded.linux_new(), recorded.linux_old()])
def test_201_is_not_among_the_findings_without_workers(base: Facts) -> None:
    for facts in (base, recorded.mac(base), recorded.windows(base)):
        assert check(facts, "CPG201", num_workers=0, start_method="spawn").status == "ok"


def test_201_is_a_treated_note_for_run_embed() -> None:
    found = finding(recorded.mac(recorded.linux_old()), "CPG201", via="run-embed")
    assert found.severity is Severity.note
    assert found.treated


def test_201_says_nothing_against_fork_which_does_not_pickle() -> None:
    assert check(recorded.linux_new(), "CPG201").status == "ok"


def test_203_is_an_error_for_the_call_that_meets_it() -> None:
    facts = recorded.linux_old()
    assert finding(facts, "CPG203", num_workers=0).severity is Severity.error
    assert finding(facts, "CPG203", num_workers=4).severity is Severity.warning
    assert finding(facts, "CPG203", num_workers=0, via="run-embed").severity is Severity.note
    assert check(recorded.linux_new(), "CPG203", num_workers=0).status == "ok"


def test_204_is_a_note_without_cuda_and_nothing_with_it() -> None:
    facts = recorded.linux_new()
    assert finding(facts, "CPG204").severity is Severity.note
    assert check(recorded.with_torch(facts, cuda_available=True), "CPG204").status == "ok"


def test_206_the_guard_misses_forkserver_and_an_unset_spawn() -> None:
    facts = recorded.linux_new()
    assert finding(facts, "CPG206", start_method="forkserver").severity is Severity.error
    assert finding(recorded.windows(facts), "CPG206").severity is Severity.error
    assert check(facts, "CPG206", start_method="spawn").status == "ok"
    assert check(facts, "CPG206").status == "ok"
    assert check(recorded.linux_old(), "CPG206").status == "skipped"


# CPG3xx


def test_301_a_gpu_that_torch_was_not_built_for() -> None:
    found = finding(recorded.with_gpu(recorded.linux_new()), "CPG301")
    assert found.severity is Severity.warning
    assert "H100" in found.title.en
    assert check(recorded.linux_new(), "CPG301").status == "ok"


def test_302_is_a_warning_with_a_gpu_and_a_note_without() -> None:
    facts = recorded.linux_old()
    assert finding(facts, "CPG302").severity is Severity.note
    assert finding(recorded.with_gpu(facts), "CPG302").severity is Severity.warning
    assert check(recorded.linux_new(), "CPG302").status == "skipped"


def test_303_mps_that_cpgpt_leaves_unused() -> None:
    facts = recorded.mac(recorded.linux_new())
    assert finding(facts, "CPG303").severity is Severity.warning
    assert finding(facts, "CPG303", via="run-embed").treated


def test_304_says_why_mps_is_not_available() -> None:
    rosetta = recorded.mac(recorded.linux_new(), mps=False, machine="x86_64")
    assert "arm64 Python" in finding(rosetta, "CPG304").causes[0].en
    assert check(recorded.mac(recorded.linux_new()), "CPG304").status == "ok"


# CPG4xx


def broken(facts: Facts, kind: str, detail: str) -> Facts:
    failure = ProbeFailure("accelerator", kind, detail, "boom")  # type: ignore[arg-type]
    return replace(facts, accelerator=None, embedder=None, failures=(failure,))


def test_401_says_how_torch_fails() -> None:
    facts = recorded.linux_new()
    assert facts.accelerator
    killed = finding(broken(facts, "killed", "SIGSEGV"), "CPG401")
    assert "kills the interpreter (SIGSEGV)" in killed.title.en
    error = Outcome(False, "OSError", "libtorch_cpu.so: cannot open", 0.1)
    raised = replace(facts, accelerator=replace(facts.accelerator, outcome=error, torch=None))
    assert finding(raised, "CPG401").evidence.error == "OSError: libtorch_cpu.so: cannot open"
    assert check(facts, "CPG401").status == "ok"


def test_402_is_unknown_rather_than_a_second_finding_without_torch() -> None:
    assert check(broken(recorded.linux_new(), "killed", "SIGSEGV"), "CPG402").status == "unknown"


def test_402_names_the_missing_package() -> None:
    facts = recorded.linux_new()
    assert facts.embedder
    error = Outcome(False, "ModuleNotFoundError", "No module named 'lightning'", 0.1)
    without = replace(facts, embedder=replace(facts.embedder, imported=error))
    (command,) = remedies(finding(without, "CPG402"))[0].commands
    assert command == "python -m pip install 'lightning'"


def test_402_cpgpt_missing() -> None:
    facts = recorded.linux_new()
    assert facts.packages
    without = replace(facts, packages=replace(facts.packages, cpgpt=None))
    assert "not installed" in finding(without, "CPG402").title.en
    assert check(without, "CPG403").status == "unknown"
    assert "CPG402" in check(without, "CPG403").summary.en


def consequences(found: Finding) -> dict[str, str]:
    """What is said beside each requirement of a finding."""
    return {name.en: value.en for name, value in found.evidence.seen}


def test_403_separates_what_works_from_what_is_needed_only_elsewhere() -> None:
    (found,) = check(recorded.linux_old(), "CPG403").findings
    assert found.severity is Severity.warning
    said = consequences(found)
    assert "the embedder works with it" in said["pyarrow"]
    assert "the embedder does not load it" in said["hydra-core"]
    assert list(said).index("pyarrow") < list(said).index("hydra-core")
    (command,) = remedies(found)[0].commands
    assert "'pyarrow" in command
    assert "hydra-core" not in command


def test_403_writes_a_requirement_as_its_author_did() -> None:
    base = recorded.linux_new()
    assert base.packages
    assert base.packages.cpgpt
    written = (
        "torch (>=9.0,!=9.1,<=10)",
        "NumPy<2,>=99; python_version >= '3'",
        "pandas>=99; python_version < '3'",
    )
    cpgpt = replace(base.packages.cpgpt, requires=written)
    found = finding(replace(base, packages=replace(base.packages, cpgpt=cpgpt)), "CPG403")
    said = consequences(found)
    assert said["torch"].startswith("torch (>=9.0,!=9.1,<=10): 2.13.0+cpu is installed;")
    assert said["numpy"].startswith("NumPy<2,>=99: ")
    (command,) = remedies(found)[0].commands
    assert "'torch (>=9.0,!=9.1,<=10)' 'NumPy<2,>=99'" in command
    assert remedies(found)[0].advice == "possible"


def test_403_is_an_error_where_the_import_fails_for_it() -> None:
    facts = recorded.linux_new()
    assert facts.packages
    assert facts.embedder
    installed = {k: v for k, v in facts.packages.installed.items() if k != "lightning"}
    error = Outcome(False, "ModuleNotFoundError", "No module named 'lightning'", 0.1)
    without = replace(
        facts,
        packages=replace(facts.packages, installed=installed),
        embedder=replace(facts.embedder, imported=error),
    )
    found = finding(without, "CPG403")
    assert found.severity is Severity.error
    said = consequences(found)
    assert next(iter(said)) == "lightning"
    assert [name for name, each in said.items() if "the import fails" in each] == ["lightning"]
    assert remedies(found)[0].commands == ("python -m pip install 'lightning>=2.2.0'",)
    assert remedies(found)[0].advice == "recommended"


def with_remote_code(facts: Facts, **changes: object) -> Facts:
    assert facts.embedder
    assert facts.embedder.examined
    examined = facts.embedder.examined
    needs = changes.pop("remote_needs", examined.remote_needs)
    codes = tuple(
        replace(code, **changes) if "500m" in code.dna_llm else code  # type: ignore[arg-type]
        for code in examined.remote_code
    )
    changed = replace(examined, remote_code=codes, remote_needs=needs)  # type: ignore[arg-type]
    return replace(facts, embedder=replace(facts.embedder, examined=changed))


def test_404_is_an_error_read_off_the_cached_code() -> None:
    name = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
    facts = with_remote_code(
        recorded.linux_new(), cached=True, missing=(MissingName(name, "modeling_esm.py", 27),)
    )
    found = finding(facts, "CPG404")
    assert found.severity is Severity.error
    assert name in found.causes[0].en
    assert found.location
    assert found.location.line == 27
    assert remedies(found)[0].commands == ("python -m pip install 'transformers<5'",)


def test_404_names_a_file_of_the_cache_that_cannot_be_read_and_how_to_fetch_it() -> None:
    file = UnreadableFile("/hf/config.json", "JSONDecodeError: Expecting value")
    found = finding(with_remote_code(recorded.linux_new(), cached=True, unreadable=file), "CPG404")
    assert found.severity is Severity.error
    assert found.location
    assert found.location.path == "/hf/config.json"
    assert found.evidence.error == file.error
    assert "force_download=True" in remedies(found)[0].commands[0]
    assert f"InstaDeepAI/{DNA_LLM}" in remedies(found)[0].commands[0]


def test_404_is_a_warning_where_the_model_is_only_known_to_need_it() -> None:
    name = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
    facts = with_remote_code(recorded.linux_new(), cached=False, remote_needs={name: False})
    assert finding(facts, "CPG404").severity is Severity.warning
    assert check(facts, "CPG404", dna_llm="hyenadna-large-1m-seqlen-hf").status == "ok"


def test_404_a_model_that_this_cpgpt_does_not_have() -> None:
    assert finding(recorded.linux_old(), "CPG404", dna_llm="NTv3_8M_pre").severity is Severity.error


# What was not looked at


def quick(facts: Facts) -> Facts:
    """The facts of `check --quick` on the same machine."""
    heavy = ("accelerator", "embedder", "workers")
    return replace(facts, accelerator=None, embedder=None, workers=None, skipped=heavy)


def released(facts: Facts, version: str) -> Facts:
    assert facts.packages
    assert facts.packages.cpgpt
    cpgpt = replace(facts.packages.cpgpt, version=version)
    return replace(facts, packages=replace(facts.packages, cpgpt=cpgpt))


def test_what_quick_did_not_look_at_is_unknown() -> None:
    facts = quick(recorded.linux_new())
    statuses = {each.code: each.check.status for each in judge(facts, Intent())}
    assert statuses["CPG101"] == "ok"
    for code in ("CPG202", "CPG204", "CPG208", "CPG301", "CPG401", "CPG402", "CPG404"):
        assert statuses[code] == "unknown", code


def test_a_rule_that_takes_an_option_is_unknown_where_it_is_selected_without_it() -> None:
    for facts in (recorded.linux_new(), quick(recorded.linux_new())):
        judged = judge(facts, Intent())
        for code in ("CPG205", "CPG210"):
            assert next(each for each in judged if each.code == code).check.status == "skipped"
            (chosen,) = selected(judged, (code,), ())
            assert chosen.check.status == "unknown"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_201_under_quick_is_decided_by_the_release(method: str) -> None:
    old, new = quick(recorded.linux_old()), quick(recorded.linux_new())
    assert finding(old, "CPG201", start_method=method).severity is Severity.error
    found = finding(new, "CPG201", start_method=method)
    assert found.severity is (Severity.warning if method == "spawn" else Severity.error)
    assert (
        "num_workers=0 alone is not enough"
        in remedies(finding(old, "CPG201", start_method=method))[0].why
    )
    for facts in (old, new):
        assert check(facts, "CPG201", start_method=method, num_workers=0).status == "ok"
        assert finding(facts, "CPG201", start_method=method, via="run-embed").treated


def test_201_under_quick_agrees_with_what_a_whole_check_tries() -> None:
    for base in (recorded.linux_new(), recorded.linux_old()):
        for change in (lambda same: same, recorded.mac, recorded.python_314):
            whole = change(base)
            for method in (None, "fork", "spawn", "forkserver"):
                tried = check(whole, "CPG201", start_method=method)
                known = check(quick(whole), "CPG201", start_method=method)
                assert known.status == tried.status
                assert [each.severity for each in known.findings] == [
                    each.severity for each in tried.findings
                ]


def test_201_under_quick_is_unknown_where_it_depends_on_what_was_loaded_before() -> None:
    """On Windows nothing sets spawn, and CpGPT's guard sees it or not."""
    assert check(quick(recorded.windows(recorded.linux_new())), "CPG201").status == "unknown"
    old = quick(recorded.windows(recorded.linux_old()))
    assert finding(old, "CPG201").severity is Severity.error


def test_203_under_quick_is_decided_by_the_release() -> None:
    old = quick(recorded.linux_old())
    assert finding(old, "CPG203", num_workers=0).severity is Severity.error
    assert finding(old, "CPG203").severity is Severity.warning
    assert finding(old, "CPG203", num_workers=0, via="run-embed").severity is Severity.note
    assert check(quick(recorded.linux_new()), "CPG203", num_workers=0).status == "ok"


@pytest.mark.parametrize("version", ["0.0.14", "1.0", "unknown", "None", "0.0.13+mine"])
def test_of_a_release_that_is_not_known_quick_says_nothing(version: str) -> None:
    facts = released(quick(recorded.linux_old()), version)
    for code in ("CPG201", "CPG203"):
        assert check(facts, code, start_method="spawn").status == "unknown", code


def installed(facts: Facts, **versions: str | None) -> Facts:
    """The same machine with these distributions at these versions, None for not there."""
    assert facts.packages
    names = {name.replace("_", "-"): version for name, version in versions.items()}
    merged = {**facts.packages.installed, **names}
    kept = {name: version for name, version in merged.items() if version is not None}
    return replace(facts, packages=replace(facts.packages, installed=kept))


def test_under_quick_a_missing_torch_and_missing_requirements_are_errors() -> None:
    facts = quick(recorded.linux_new())
    assert facts.packages
    bare = replace(facts, packages=replace(facts.packages, installed={"cpgpt": "0.0.13"}))
    assert finding(bare, "CPG401").severity is Severity.error
    (found,) = check(bare, "CPG403").findings
    assert found.severity is Severity.error
    said = consequences(found)
    needed = {name for name, each in said.items() if "before it can embed" in each}
    assert {"torch", "lightning", "transformers"} <= needed
    assert {each.partition("; ")[2] for name, each in said.items() if name not in needed} == {
        "whether the embedder needs it is not known"
    }
    assert len(said) == 25


def test_under_quick_a_torch_without_metadata_is_not_called_missing() -> None:
    facts = installed(quick(recorded.linux_new()), torch=None)
    assert facts.packages
    found = replace(facts, packages=replace(facts.packages, without_metadata=("torch",)))
    assert check(found, "CPG401").status == "unknown"
    assert "torch" in check(found, "CPG403").summary.en


def test_under_quick_requirements_of_other_parts_alone_decide_nothing() -> None:
    assert check(installed(quick(recorded.linux_new())), "CPG403").status == "unknown"


# Versions that cannot be read, and rules that fail


@pytest.mark.parametrize("version", ["3.14.0a1+", "unknown", "None", "", "3.11.x", "٣"])
def test_a_python_version_that_cannot_be_read_leaves_the_rest_of_the_report(version: str) -> None:
    facts = recorded.python_314(recorded.linux_new())
    assert facts.python
    odd = replace(facts, python=replace(facts.python, version=version))
    statuses = {each.code: each.check.status for each in judge(odd, Intent())}
    assert statuses["CPG102"] == "ok"
    assert statuses["CPG103"] == "finding"
    assert statuses["CPG101"] == ("finding" if version == "3.14.0a1+" else "unknown")


@pytest.mark.parametrize("version", ["unknown", "None", "", "2.x", "git-main"])
def test_a_requirement_whose_version_cannot_be_read_is_named_and_the_others_are_judged(
    version: str,
) -> None:
    base = recorded.linux_old()
    usual = finding(base, "CPG403")
    found = finding(installed(base, torch=version), "CPG403")
    assert found.severity is usual.severity
    shown = version or "?"
    assert f"its version {shown!r} cannot be read" in consequences(found)["torch"]
    assert {**consequences(found), "torch": ""} == {**consequences(usual), "torch": ""}


def test_403_is_unknown_where_only_unreadable_versions_are_left() -> None:
    base = recorded.linux_new()
    assert base.packages
    assert base.packages.cpgpt
    cpgpt = replace(base.packages.cpgpt, requires=("torch>=2", "; no name"))
    facts = replace(base, packages=replace(base.packages, cpgpt=cpgpt))
    result = check(installed(facts, torch="unknown"), "CPG403")
    assert result.status == "unknown"
    assert "'unknown'" in result.summary.en
    assert "; no name" in result.summary.en


def test_a_rule_that_raises_is_a_result_of_its_own_and_the_rest_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(facts: Facts, call: object) -> Check:
        raise ZeroDivisionError("a number\nover two lines")

    facts = recorded.linux_new()
    usual = judge(facts, Intent())
    rules = tuple(
        replace(rule, judge=fails) if rule.code == "CPG301" else rule for rule in all_rules()
    )
    monkeypatch.setattr(registry, "all_rules", lambda: rules)
    with_fault = judge(facts, Intent())
    assert [each for each in with_fault if each.code != "CPG301"] == [
        each for each in usual if each.code != "CPG301"
    ]
    result = next(each.check for each in with_fault if each.code == "CPG301")
    assert result.status == "unknown"
    assert "ZeroDivisionError: a number over two lines" in result.summary.en
    assert "\n" not in result.summary.zh


def test_every_finding_of_the_recorded_machines_says_what_to_do() -> None:
    machines = [recorded.linux_new(), recorded.linux_old()]
    machines += [change(base) for change in (recorded.mac, recorded.windows) for base in machines]
    for facts in machines:
        for each in judge(facts, Intent()):
            for found in each.check.findings:
                assert found.causes
                if found.severity is Severity.error:
                    assert found.remedies
                    assert remedies(found)[0].advice == "recommended"


# Workers as they were really started (CPG202, 205, 207 to 210)


READ = ForkedRead("well", None, items=3, size=12288, open_files=3)


def with_workers(facts: Facts, **changes: object) -> Facts:
    assert facts.workers
    return replace(facts, workers=replace(facts.workers, **changes))  # type: ignore[arg-type]


def test_202_is_an_error_with_fork_by_proof_whatever_the_trial_said() -> None:
    facts = recorded.linux_new()
    for wrong in (0, 39):
        seen = with_workers(facts, trial=ForkTrial(8, 4000, wrong))
        found = finding(seen, "CPG202")
        assert found.severity is Severity.error
        assert f"{wrong} of 4000 windows were wrong" in " ".join(cause.en for cause in found.causes)
    assert check(with_workers(facts, moved=(), forked=READ), "CPG202").status == "ok"


@pytest.mark.parametrize("wrong", [0, 1])
def test_202_is_a_note_with_one_worker_and_an_error_from_two_on(wrong: int) -> None:
    """While one worker reads, nobody else does; a lucky trial lowers nothing."""
    for base in (recorded.linux_new(), recorded.linux_old()):
        facts = with_workers(base, trial=ForkTrial(8, 4000, wrong))
        assert finding(facts, "CPG202", num_workers=1).severity is Severity.note
        for workers in (2, 3, 8):
            found = finding(facts, "CPG202", num_workers=workers)
            assert found.severity is Severity.error
            assert found.title != finding(facts, "CPG202", num_workers=1).title


NOT_READ = {
    "raised": replace(READ, ended="raised", detail="IndexError: list index", items=0, size=None),
    "killed": replace(READ, ended="killed", detail="SIGSEGV", items=0, size=None),
    "exited": replace(READ, ended="exited", detail="status 3", items=0, size=None),
    "timeout": replace(READ, ended="timeout", detail="60 s", items=0, size=None),
    "nothing to read": replace(READ, items=0, size=0),
    "nothing read": replace(READ, size=0),
    "not counted": replace(READ, size=None),
}


@pytest.mark.parametrize("forked", [*NOT_READ.values(), None], ids=[*NOT_READ, "not recorded"])
def test_202_and_210_are_unknown_where_the_child_of_the_proof_did_not_read(
    forked: ForkedRead | None,
) -> None:
    facts = with_workers(recorded.linux_new(), moved=(), forked=forked)
    result = check(facts, "CPG202")
    assert result.status == "unknown"
    own = own_dataset(forked=forked)
    result = check(replace(facts, own_dataset=own), "CPG210")
    assert result.status == "unknown"
    if forked is not None and forked.detail:
        assert forked.detail in result.summary.en
    # Without workers only that something was read matters; where none is forked, the starts do.
    read = forked is None or bool(forked.items)
    alone = check(replace(facts, own_dataset=own), "CPG210", num_workers=0)
    assert alone.status == ("ok" if read else "unknown")
    assert "safe" not in alone.summary.en
    assert check(replace(facts, own_dataset=own), "CPG210", start_method="spawn").status == "ok"


def test_202_stands_where_the_child_moved_the_position_and_then_crashed() -> None:
    facts = with_workers(recorded.linux_new(), forked=NOT_READ["killed"])
    assert finding(facts, "CPG202").severity is Severity.error


def test_210_is_well_for_a_dataset_in_memory_and_for_one_that_reads_by_position() -> None:
    in_memory = replace(READ, size=0, open_files=0)
    for forked in (READ, in_memory):
        facts = replace(recorded.linux_new(), own_dataset=own_dataset(forked=forked))
        assert check(facts, "CPG210").status == "ok"


def test_210_is_unknown_where_no_worker_was_started_with_the_method() -> None:
    facts = replace(recorded.linux_new(), own_dataset=own_dataset(starts=()))
    assert check(facts, "CPG210", start_method="spawn").status == "unknown"


def own_dataset(**changes: object) -> OwnDataset:
    """A dataset of the user's with which everything went well."""
    works = Outcome(True, None, None, 0.1)
    starts = tuple(WorkerStart(each, 2, works) for each in ("fork", "spawn", "forkserver"))
    own = OwnDataset("mine:make", works, PicklingReport((), 100, True), (), starts, READ)
    return replace(own, **changes)  # type: ignore[arg-type]


def test_202_is_never_found_without_fork_or_without_workers() -> None:
    for facts in (recorded.linux_new(), recorded.linux_old()):
        for method in ("spawn", "forkserver"):
            assert check(facts, "CPG202", start_method=method).status == "ok"
        assert check(facts, "CPG202", num_workers=0).status == "ok"
        assert check(recorded.mac(facts), "CPG202").status == "ok"


def test_202_is_a_treated_note_for_run_embed() -> None:
    assert finding(recorded.linux_new(), "CPG202", via="run-embed").treated


def test_202_corrects_the_fix_documents_linux_advice() -> None:
    advice = remedies(finding(recorded.linux_new(), "CPG202"))[-1]
    assert advice.advice == "not-recommended"
    assert advice.before
    assert "else 4" in advice.before


def test_205_is_looked_at_only_when_asked() -> None:
    facts = recorded.linux_new()
    assert check(facts, "CPG205").status == "skipped"
    culprit = Culprit("embedder.logger", "loguru", "TypeError: cannot pickle", "an open file")
    look = DeepLook(
        "embedder", Outcome(True, None, None, 0.1), PicklingReport((culprit,), None, True)
    )
    assert finding(with_workers(facts, deep=(look,)), "CPG205").severity is Severity.warning


def test_207_matters_only_where_the_collate_function_is_pickled() -> None:
    facts = recorded.linux_new()
    assert check(facts, "CPG207").status == "ok"
    assert check(facts, "CPG207", start_method="forkserver").status == "unknown"
    culprit = Culprit("collate_fn.keywords['tokenizer']", "T", "TypeError: no", "an object")
    works = Outcome(True, None, None, 0.1)
    collate = Collate(DNA_LLM, works, False, PicklingReport((culprit,), None, True))
    seen = with_workers(facts, collate=collate)
    assert finding(seen, "CPG207", start_method="forkserver").severity is Severity.error
    assert check(seen, "CPG207", start_method="fork").status == "ok"
    assert check(seen, "CPG207", start_method="spawn", num_workers=0).status == "ok"


def test_208_says_what_happened_when_workers_were_started() -> None:
    facts = recorded.linux_new()
    died = Outcome(False, "RuntimeError", "DataLoader worker (pid 7) is killed by signal", 2.0)
    seen = with_workers(facts, starts=(WorkerStart("fork", 2, died),))
    found = finding(seen, "CPG208")
    assert found.severity is Severity.error
    assert found.evidence.error == f"RuntimeError: {died.error}"
    assert check(facts, "CPG208", start_method="forkserver").status == "skipped"
    assert check(facts, "CPG208").status == "ok"


def test_209_is_a_note_for_a_tokenizer_with_threads() -> None:
    facts = recorded.linux_new()
    collate = Collate(DNA_LLM, Outcome(True, None, None, 0.1), True, PicklingReport((), 100, True))
    seen = with_workers(facts, collate=collate)
    assert finding(seen, "CPG209").severity is Severity.note
    assert check(seen, "CPG209", start_method="spawn").status == "ok"


def test_207_and_209_from_saved_facts_do_not_answer_for_another_model() -> None:
    culprit = Culprit("collate_fn.keywords['tokenizer']", "T", "TypeError: no", "an object")
    works = Outcome(True, None, None, 0.1)
    collate = Collate(DNA_LLM, works, True, PicklingReport((culprit,), None, True))
    facts = with_workers(recorded.linux_new(), collate=collate)
    other = "hyenadna-large-1m-seqlen-hf"
    for code, method in (("CPG207", "forkserver"), ("CPG209", "fork")):
        assert check(facts, code, start_method=method).status == "finding"
        result = check(facts, code, start_method=method, dna_llm=other)
        assert result.status == "unknown"
        assert DNA_LLM in result.summary.en
        assert other in result.summary.en


def test_205_and_209_name_cpgpt_and_torch_where_these_are_what_is_missing() -> None:
    facts = recorded.linux_new()
    assert facts.packages
    assert facts.accelerator
    ended = ProbeFailure("workers", "exited", "status 1", "ModuleNotFoundError: cpgpt")
    no_workers = replace(facts, workers=None, failures=(ended,))
    no_cpgpt = replace(no_workers, packages=replace(facts.packages, cpgpt=None))
    no_torch = replace(no_workers, accelerator=replace(facts.accelerator, torch=None))
    for code in ("CPG202", "CPG205", "CPG207", "CPG208", "CPG209"):
        method = "forkserver" if code == "CPG207" else "fork"
        assert (
            "CpGPT is not installed (CPG402)"
            in check(no_cpgpt, code, start_method=method).summary.en
        )
        assert "(CPG401)" in check(no_torch, code, start_method=method).summary.en
        said = check(no_workers, code, start_method=method).summary.en
        assert "the workers probe ended: status 1" in said


def test_where_a_probe_failed_what_the_call_alone_decides_is_decided() -> None:
    facts = recorded.linux_new()
    ended = ProbeFailure("workers", "killed", "SIGKILL", "")
    no_workers = replace(facts, workers=None, failures=(ended,))
    for code in ("CPG202", "CPG207", "CPG208", "CPG209"):
        assert check(no_workers, code, num_workers=0).status == "ok"
    ended = ProbeFailure("embedder", "killed", "SIGKILL", "")
    no_embedder = replace(facts, embedder=None, failures=(ended,))
    assert check(no_embedder, "CPG201", num_workers=0).status == "ok"
    # What is only known of the release is no finding where the trial failed.
    for code in ("CPG201", "CPG206"):
        assert check(no_embedder, code, start_method="forkserver").status == "unknown"


def test_what_depends_on_the_start_method_is_unknown_where_python_did_not_answer() -> None:
    facts = recorded.linux_new()
    ended = ProbeFailure("python", "killed", "SIGKILL", "")
    silent = replace(facts, python=None, failures=(ended,))
    for code in ("CPG201", "CPG202", "CPG206", "CPG207", "CPG208", "CPG209"):
        assert check(silent, code).status == "unknown", code
    for code in ("CPG201", "CPG202", "CPG206", "CPG207", "CPG208", "CPG209"):
        assert check(silent, code, num_workers=0).status == "ok", code


def test_207_and_208_see_that_cpgpts_guard_falls_back() -> None:
    facts = recorded.linux_new()
    culprit = Culprit("collate_fn.keywords['tokenizer']", "T", "TypeError: no", "an object")
    works = Outcome(True, None, None, 0.1)
    died = WorkerStart("spawn", 2, replace(works, ok=False, error_type="RuntimeError", error="x"))
    stuck = Collate(DNA_LLM, works, False, PicklingReport((culprit,), None, True))
    for seen in (facts, with_workers(facts, collate=stuck, starts=(died,))):
        for code in ("CPG207", "CPG208"):
            assert check(seen, code, start_method="spawn").status == "ok"
    old = with_workers(recorded.linux_old(), collate=stuck)
    assert check(old, "CPG207", start_method="spawn").status == "finding"


def test_207_tells_what_keeps_the_tokenizer_from_loading() -> None:
    facts = recorded.linux_new()
    broken = Outcome(False, "JSONDecodeError", "Expecting value:\nline 1", 0.1)
    seen = with_workers(facts, collate=Collate(DNA_LLM, broken, None, None))
    for settings in ({"start_method": "forkserver"}, {"num_workers": 0}):
        result = check(seen, "CPG207", **settings)
        assert result.status == "unknown"
        assert "JSONDecodeError: Expecting value: line 1" in result.summary.en
        assert "not cached" not in result.summary.en
    code = Outcome(False, "ValueError", "X contains custom code which must be executed", 0.1)
    seen = with_workers(facts, collate=Collate(DNA_LLM, code, None, None))
    assert "not cached" in check(seen, "CPG207", start_method="forkserver").summary.en
    assert check(seen, "CPG207", num_workers=0).status == "ok"


def test_209_is_unknown_where_workers_are_forked_and_no_tokenizer_was_loaded() -> None:
    facts = recorded.linux_new()
    assert check(facts, "CPG209").status == "unknown"
    assert check(facts, "CPG209", start_method="spawn").status == "ok"
    assert check(facts, "CPG209", num_workers=0).status == "ok"


@pytest.mark.parametrize("workers", [0, 4])
def test_210_a_dataset_whose_items_raise_is_an_error_with_and_without_workers(workers: int) -> None:
    fails = Outcome(False, "IndexError", "list index", 0.1)
    starts = tuple(WorkerStart(each, 2, fails) for each in ("fork", "spawn", "forkserver"))
    own = own_dataset(forked=NOT_READ["raised"], starts=starts)
    facts = replace(recorded.linux_new(), own_dataset=own)
    for method in ("fork", "spawn"):
        found = finding(facts, "CPG210", num_workers=workers, start_method=method)
        assert found.severity is Severity.error
        assert found.evidence.error == "IndexError: list index"
        assert "items raises" in found.title.en


def test_210_without_fork_a_dataset_that_no_worker_could_read_is_unknown() -> None:
    fails = Outcome(False, "RuntimeError", "killed", 0.1)
    own = own_dataset(forked=None, starts=(WorkerStart("spawn", 2, fails),))
    facts = replace(recorded.windows(recorded.linux_new()), own_dataset=own)
    assert check(facts, "CPG210", num_workers=0).status == "unknown"


def test_210_without_workers_says_that_none_is_asked_for() -> None:
    facts = replace(recorded.linux_new(), own_dataset=own_dataset())
    said = check(facts, "CPG210", num_workers=0).summary.en
    assert "no worker is asked for" in said
    assert "safe" not in said


def with_trials(facts: Facts, **changes: object) -> Facts:
    assert facts.embedder
    assert facts.embedder.examined
    examined = facts.embedder.examined
    trials = tuple(replace(each, **changes) for each in examined.trials)  # type: ignore[arg-type]
    return replace(
        facts, embedder=replace(facts.embedder, examined=replace(examined, trials=trials))
    )


@pytest.mark.parametrize("base", [recorded.linux_new(), recorded.linux_old()])
@pytest.mark.parametrize("workers", [0, 4])
def test_203_a_call_that_raises_something_else_is_an_error_with_that_error(
    base: Facts, workers: int
) -> None:
    error = "TypeError: an unexpected keyword"
    facts = with_trials(base, error=error, workers=None, prefetch_factor=None, pin_memory=None)
    found = finding(facts, "CPG203", num_workers=workers)
    assert found.severity is Severity.error
    assert found.evidence.error == error
    assert all("prefetch_factor" not in str(each.commands) for each in remedies(found))
    assert finding(facts, "CPG203", num_workers=workers, via="run-embed").severity is Severity.error
    assert check(facts, "CPG204").status == "unknown"
    for each in check(facts, "CPG201", num_workers=4, start_method="forkserver").findings:
        assert all("prefetch_factor" not in remedy.title for remedy in remedies(each))


def test_203_a_loader_that_refuses_the_call_with_workers_is_an_error() -> None:
    facts = with_trials(recorded.linux_new(), error="ValueError: pin_memory_device")
    assert finding(facts, "CPG203", num_workers=4).severity is Severity.error
    assert finding(facts, "CPG203", num_workers=4, via="run-embed").treated


def test_403_after_an_import_that_failed_claims_nothing_of_what_was_loaded() -> None:
    facts = installed(recorded.linux_new(), lightning=None, seaborn=None, torch=None)
    assert facts.embedder
    assert facts.embedder.examined
    error = Outcome(False, "ModuleNotFoundError", "No module named 'lightning'", 0.1)
    failed = replace(facts, embedder=replace(facts.embedder, imported=error, examined=None))
    ended = ProbeFailure("embedder", "killed", "SIGKILL", "")
    killed = replace(facts, embedder=None, failures=(ended,))
    for seen in (failed, killed):
        found = finding(seen, "CPG403")
        assert found.severity is Severity.error
        sayings = consequences(found)
        unknown = {name for name, each in sayings.items() if "is not known" in each}
        assert sayings.keys() - unknown == {"lightning", "torch"}
        said = " ".join(cause.en for cause in found.causes)
        assert "did not load" not in said
        assert "--quick" not in said
    assert "--quick" in str(check(quick(facts), "CPG403").findings)


def test_210_judges_a_dataset_of_the_users() -> None:
    works = Outcome(True, None, None, 0.1)
    culprit = Culprit("dataset.file", "file", "TypeError: cannot pickle", "an open file")
    own = OwnDataset(
        "mine:make",
        works,
        PicklingReport((culprit,), None, True),
        (MovedOffset("data.bin", 0, 8192),),
        (WorkerStart("fork", 2, works), WorkerStart("spawn", 2, replace(works, ok=False))),
    )
    facts = replace(recorded.linux_new(), own_dataset=own)
    assert "share the position" in finding(facts, "CPG210").title.en
    assert "cannot be given" in finding(facts, "CPG210", start_method="spawn").title.en
    assert check(facts, "CPG210", num_workers=0).status == "ok"
    assert check(recorded.linux_new(), "CPG210").status == "skipped"


def test_210_does_not_hide_that_the_probe_died() -> None:
    died = ProbeFailure("own_dataset", "killed", "SIGSEGV", "")
    result = check(replace(recorded.linux_new(), failures=(died,)), "CPG210")
    assert result.status == "unknown"
    assert "SIGSEGV" in result.summary.en


# Batches (CPG514)

TOKENS = (
    WindowTokens("plain", 2000, 336),
    WindowTokens("short", 1000, 171),
    WindowTokens("N", 2000, 2001),
)
BATCH = BatchTrial(DNA_LLM, "EsmTokenizer", True, TOKENS, 2001, False, None)


def with_batch(batch: BatchTrial | None) -> Facts:
    facts = recorded.linux_old()
    assert facts.embedder
    assert facts.embedder.examined
    examined = replace(facts.embedder.examined, batch=batch)
    return replace(facts, embedder=replace(facts.embedder, examined=examined))


def test_514_is_an_error_for_batches_of_direct_calls() -> None:
    found = finding(with_batch(BATCH), "CPG514", batch_size=8)
    assert found.severity is Severity.error
    seen = {name.en: value.en for name, value in found.evidence.seen}
    assert seen["short window"] == "1000 bases, 171 tokens alone, 2001 together"
    assert finding(with_batch(BATCH), "CPG514", batch_size=8, via="run-embed").treated
    for batch_size in (None, 1):
        assert check(with_batch(BATCH), "CPG514", batch_size=batch_size).status == "ok"


def test_514_is_well_where_the_model_gets_a_mask_or_nothing_is_padded() -> None:
    same = tuple(replace(each, alone=2001) for each in TOKENS)
    for batch in (replace(BATCH, masked=True), replace(BATCH, windows=same)):
        assert check(with_batch(batch), "CPG514", batch_size=8).status == "ok"


def test_514_is_unknown_where_it_was_not_tried_failed_or_is_of_another_model() -> None:
    stopped = replace(BATCH, together=None, masked=None, error="OSError: no")
    other = replace(BATCH, dna_llm="hyenadna-large-1m-seqlen-hf")
    for batch in (None, stopped, other, replace(BATCH, windows=())):
        result = check(with_batch(batch), "CPG514", batch_size=8)
        assert result.status == "unknown", result.summary.en
