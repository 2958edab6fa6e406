"""CPG104 to 106 and CPG305 to 307, on facts of machines."""

from __future__ import annotations

import pytest

from cpgpt_doctor.facts import Disk, Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.rules.environment.accelerators import runs
from cpgpt_doctor.rules.environment.resources import (
    model_memory_needed,
    open_files_needed,
    shared_memory_needed,
)
from tests.machines import recorded
from tests.machines.test_rules import check, finding, remedies

NEW = recorded.linux_new()


# Workers: shared memory and open files


def test_104_dockers_64_mib_are_enough_for_cpgpts_defaults_and_not_for_large_batches() -> None:
    facts = recorded.with_host(NEW, shared_memory=Disk("/dev/shm", 64 << 20, 64 << 20))
    assert check(facts, "CPG104").status == "ok"
    assert check(facts, "CPG104", batch_size=604).status == "ok"
    found = finding(facts, "CPG104", batch_size=606)
    assert found.severity is Severity.warning
    assert remedies(found)[0].advice == "recommended"
    assert "--shm-size" in remedies(found)[1].commands[0]


def test_104_tells_a_container_from_a_machine() -> None:
    inside, outside = recorded.small(NEW), recorded.small(NEW, container=None)
    assert len(finding(inside, "CPG104").remedies) == 2
    assert len(finding(outside, "CPG104").remedies) == 1
    assert "Docker" not in str(finding(outside, "CPG104").causes)


def test_104_and_105_are_of_workers_alone() -> None:
    facts = recorded.small(NEW)
    for code in ("CPG104", "CPG105"):
        assert check(facts, code, num_workers=0).status == "ok"
        assert finding(facts, code).severity is Severity.warning
        assert finding(facts, code, via="run-embed").severity is Severity.note
        # CpGPT's guard falls back to no workers.
        assert check(recorded.mac(facts), code, start_method="spawn").status == "ok"


def test_104_needs_a_dev_shm() -> None:
    assert check(recorded.with_host(NEW, shared_memory=None), "CPG104").status == "skipped"


def test_104_reckons_in_whole_pages() -> None:
    # A batch more than most trials measured: benchmarks/worker_resources.py
    assert shared_memory_needed(8, 1, 384) == 270_336 + 2 * 4096
    assert shared_memory_needed(8, 8, 384) == 966_656 + 2 * 24_576


def test_105_compares_the_soft_limit_and_says_whether_it_can_be_raised() -> None:
    needed = open_files_needed(8)
    assert check(recorded.with_host(NEW, open_files_soft=needed), "CPG105").status == "ok"
    assert check(recorded.with_host(NEW, open_files_soft=None), "CPG105").status == "ok"
    low = recorded.with_host(NEW, open_files_soft=needed - 1, open_files_hard=4096)
    assert remedies(finding(low, "CPG105"))[1].id == "CPG706.raise-limit"
    fixed = recorded.with_host(low, open_files_hard=needed - 1)
    assert remedies(finding(fixed, "CPG105"))[1].id == "CPG706.file-system-sharing"


# Model and batch


def test_106_reckons_with_the_model_in_the_cache_and_says_which_batch_may_fit() -> None:
    a_window = 384 * 30 * 1024 * 4
    assert model_memory_needed(1 << 30, 2, 384, 29, 1024) == (1 << 30) + 2 * a_window
    facts = recorded.with_host(
        recorded.with_model(NEW, 1 << 30), memory_available=(1 << 30) + 5 * a_window
    )
    assert check(facts, "CPG106", batch_size=5).status == "ok"
    found = finding(facts, "CPG106", batch_size=6)
    assert found.severity is Severity.warning
    assert "batch_size=5" in (remedies(found)[0].after or "")
    assert finding(facts, "CPG106", batch_size=6, via="run-embed").treated


def test_106_heeds_a_containers_limit_and_no_batch_helps_a_model_that_is_too_large() -> None:
    facts = recorded.with_host(recorded.with_model(NEW, 2 << 30), memory_limit=1 << 30)
    found = finding(facts, "CPG106", via="run-embed")
    assert (found.severity, found.treated) == (Severity.warning, False)
    assert "smaller-batch" not in str(found.remedies)


def test_a_model_that_is_not_in_the_cache_has_no_known_size() -> None:
    for facts, code in ((NEW, "CPG106"), (recorded.with_cuda(NEW, "9.0", "sm_90"), "CPG307")):
        assert check(facts, code).status == "skipped"
        assert "size is not known" in check(facts, code).summary.en


def test_307_is_of_the_first_device_where_there_is_one_and_106_of_the_cpu() -> None:
    facts = recorded.with_model(NEW, 1 << 30)
    assert check(facts, "CPG307").status == "skipped"
    gpu = recorded.with_cuda(facts, "9.0", "sm_90", memory=1 << 30)
    assert check(gpu, "CPG106").status == "skipped"
    assert finding(gpu, "CPG307").severity is Severity.warning
    assert check(recorded.with_cuda(facts, "9.0", "sm_90"), "CPG307").status == "ok"


# The GPU's architecture


@pytest.mark.parametrize(
    ("capability", "built", "works"),
    [
        ((8, 6), "sm_80", True),  # within a major version, upwards
        ((8, 0), "sm_86", False),
        ((9, 0), "sm_86", False),
        ((9, 0), "compute_80", True),  # PTX, from its version on
        ((12, 0), "compute_90", True),
        ((8, 0), "compute_90", False),
        ((12, 0), "compute_90a", False),
        ((9, 0), "sm_90a", True),
        ((10, 3), "sm_100f", True),
        ((12, 0), "sm_100f", False),
        ((8, 7), "sm_80", False),  # on a chip
        ((8, 9), "sm_87", False),
        ((8, 7), "sm_87", True),
        ((11, 0), "sm_101", True),  # renamed
        ((12, 1), "sm_120", True),
        ((7, 0), "gfx90a", True),  # not understood: nothing is claimed
    ],
)
def test_what_code_runs_on_a_gpu(capability: tuple[int, int], built: str, works: bool) -> None:
    assert runs(built, capability) is works


def test_306_is_an_error_where_no_code_runs_on_the_gpu() -> None:
    found = finding(recorded.with_cuda(NEW, "12.0", "sm_80", "sm_90"), "CPG306")
    assert found.severity is Severity.error
    assert "sm_120" in found.title.en
    assert remedies(found)[0].id == "CPG716.fitting-build"
    assert check(recorded.with_cuda(NEW, "12.0", "sm_80", "compute_90"), "CPG306").status == "ok"
    assert check(recorded.with_cuda(NEW, "?", "sm_80"), "CPG306").status == "unknown"
    for facts in (NEW, recorded.with_cuda(NEW, "9.0"), recorded.mac(NEW)):
        assert check(facts, "CPG306").status == "skipped"


# MPS's variables


@pytest.mark.parametrize(
    ("variables", "severity"),
    [
        ({"PYTORCH_MPS_HIGH_WATERMARK_RATIO": "0.0"}, Severity.warning),
        ({"PYTORCH_MPS_HIGH_WATERMARK_RATIO": "0"}, Severity.warning),
        ({"PYTORCH_MPS_HIGH_WATERMARK_RATIO": "1.2"}, Severity.note),
        ({"PYTORCH_MPS_HIGH_WATERMARK_RATIO": "much"}, Severity.note),
        ({"PYTORCH_ENABLE_MPS_FALLBACK": "1"}, Severity.warning),
        ({"PYTORCH_ENABLE_MPS_FALLBACK": "0"}, Severity.note),
    ],
)
def test_305_warns_of_no_limit_and_of_a_fallback(
    variables: dict[str, str], severity: Severity
) -> None:
    found = finding(recorded.with_variables(recorded.mac(NEW), **variables), "CPG305")
    assert found.severity is severity
    assert remedies(found)[0].commands == (f"unset {' '.join(variables)}",)


def test_305_is_of_a_torch_with_mps() -> None:
    assert check(recorded.mac(NEW), "CPG305").status == "ok"
    facts: Facts = recorded.with_variables(NEW, PYTORCH_ENABLE_MPS_FALLBACK="1")
    assert check(facts, "CPG305").status == "skipped"
