"""What is done about a failure follows from the failure, and the hunt for a location ends."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cpgpt_doctor.embed import treatments
from cpgpt_doctor.embed.treatments import Failure, Hunt, InForce, choose

CUDA = (
    "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity"
    " of 23.69 GiB of which 1.20 GiB is free."
)
MPS = (
    "RuntimeError: MPS backend out of memory (MPS allocated: 17.00 GB, other allocations: 1.00 GB,"
    " max allowed: 18.13 GB). Tried to allocate 512.00 MB on private pool."
)
CPU = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't"
    " allocate memory: you tried to allocate 8589934592 bytes."
    " Error code 12 (Cannot allocate memory)"
)
EIGHT = InForce(batch=8, workers=0, device="cuda")


def failed(text: str, code: str | None = None, **more: object) -> Failure:
    return dataclasses.replace(Failure(text, code, False, "part", 64), **more)  # type: ignore[arg-type]


def lost(**more: object) -> Failure:
    return failed("killed by SIGKILL", lost=True, **more)


@pytest.mark.parametrize(("text", "code"), [(CPU, "CPG707"), (MPS, "CPG708"), (CUDA, "CPG709")])
def test_out_of_memory_halves_the_batch_then_takes_the_cpu_where_it_may(
    text: str, code: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("")
    failure = failed(text, treatments.known(text, log, 0).code)
    assert failure.code == code
    assert choose(failure, EIGHT) == "batch"
    one = dataclasses.replace(EIGHT, batch=1)
    assert choose(failure, one) is None
    assert choose(failure, dataclasses.replace(one, fallback=True)) == "cpu"
    assert choose(failure, dataclasses.replace(one, fallback=True, device="cpu")) is None


def test_no_batch_helps_where_the_model_itself_does_not_fit() -> None:
    loading = failed(CUDA, "CPG709", stage="loading")
    assert choose(loading, EIGHT) is None
    assert choose(loading, dataclasses.replace(EIGHT, fallback=True)) == "cpu"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.", "CPG704"),
        ("RuntimeError: DataLoader timed out after 300 seconds", None),
        ("MemoryError: Caught MemoryError in DataLoader worker process 0.", "CPG707"),
        ("OSError: [Errno 24] Too many open files", "CPG706"),
    ],
)
def test_loading_workers_that_fail_are_done_without(text: str, code: str | None) -> None:
    failure = failed(text, code)
    assert choose(failure, dataclasses.replace(EIGHT, workers=2)) == "no loading workers"
    if code != "CPG707":
        assert choose(failure, EIGHT) is None


def test_a_lost_worker_starts_again_and_then_with_smaller_parts_down_to_one_location() -> None:
    assert choose(lost(), EIGHT) == "again"
    assert choose(lost(times=2), EIGHT) == "smaller part"
    assert choose(lost(hunted=True), EIGHT) == "smaller part"
    assert choose(lost(size=1), EIGHT) == "again"
    assert choose(lost(size=1, times=3), EIGHT) == "set aside"


def test_a_worker_lost_where_no_part_is_at_work_starts_again_twice() -> None:
    for stage in ("loading", "examining", "measuring"):
        one = dataclasses.replace(EIGHT, batch=1)
        assert choose(lost(stage=stage), one) == "again"
        assert choose(lost(stage=stage, times=2), one) == "again"
        assert choose(lost(stage=stage, times=3), one) is None
    assert choose(lost(stage="measuring", times=2), EIGHT) == "alone"


def test_an_error_that_no_rule_knows_is_not_treated() -> None:
    assert choose(failed("ValueError: 3 rows are not finite or all zero"), EIGHT) is None


@pytest.mark.parametrize("kills", [{0}, {63}, {17}, {5, 40}, {10, 11, 12}, set(range(64))])
def test_the_hunt_ends_and_leaves_out_exactly_what_kills(kills: set[int]) -> None:
    hunt, at, aside, starts = Hunt(), 0, set(), 0
    while at < 64:
        size = hunt.size(64 - at)
        if kills.isdisjoint(range(at, at + size)):
            hunt.done(size)
            at += size
            continue
        starts += 1
        hunt.died()
        what = choose(lost(size=size, times=hunt.deaths, hunted=hunt.suspects > 0), EIGHT)
        if what == "smaller part":
            hunt.halve(size)
        elif what == "set aside":
            aside.add(at)
            at += 1
            hunt.over()
    assert aside == kills
    assert starts <= 12 * len(kills)


def test_a_failure_in_the_log_is_found_with_its_place_in_the_whole_log(tmp_path: Path) -> None:
    log = tmp_path / "run-embed.log"
    old = "an earlier run\n" * 1000 + "MemoryError: std::bad_alloc\n"
    log.write_text(old)
    start = log.stat().st_size
    with log.open("a") as out:
        out.write("loading\nterminate called after throwing an instance of 'std::bad_alloc'\n")
    found = treatments.known("killed by SIGABRT", log, start)
    assert found.code == "CPG707"
    (finding,) = found.findings
    assert f"{log}:1003" in [text.en for _, text in finding.evidence.seen]
    log.write_text(old)
    assert treatments.known("killed by SIGABRT", log, start).code is None


def test_at_most_20_locations_or_one_in_a_thousand_are_set_aside() -> None:
    assert treatments.most_set_aside(1) == 20
    assert treatments.most_set_aside(935_000) == 935
