"""The proof that forked workers share a file's position: what its child did is a result, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cpgpt_doctor.facts import ForkedRead, build
from cpgpt_doctor.patient.observe import workers

SIZE = 1_000_000


class Items:
    """A dataset over a file that is open before the fork."""

    def __init__(self, path: Path, length: int = 100) -> None:
        self.stream = path.open("rb")
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, at: int) -> bytes:
        self.stream.seek(at * 10_000 % SIZE)
        return self.stream.read(100)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(b"x" * SIZE)
    return path


def watched(read: Callable[[], int]) -> tuple[list[dict[str, Any]], ForkedRead]:
    seen = workers.moved_by_a_child(read)
    return seen["moved"], build(seen["forked"], ForkedRead)


def test_a_read_that_moves_this_process_is_seen_with_what_was_read(data: Path) -> None:
    items = Items(data)
    moved, forked = watched(lambda: workers.read_ends(items))
    assert [each["path"] for each in moved] == [str(data)]
    assert (forked.ended, forked.items) == ("well", 3)
    assert forked.size is not None
    assert forked.size >= 3 * 100
    assert forked.open_files >= 1


def test_a_read_by_position_moves_nothing_and_is_counted(data: Path) -> None:
    descriptor = os.open(data, os.O_RDONLY)
    moved, forked = watched(lambda: len(os.pread(descriptor, 5000, 0)))
    os.close(descriptor)
    assert moved == []
    assert (forked.ended, forked.size) == ("well", 5000)


def test_what_was_in_the_buffer_before_the_fork_is_not_read_from_the_file(tmp_path: Path) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(b"x" * 100)
    with small.open("rb") as stream:
        stream.peek()
        moved, forked = watched(lambda: len(stream.read()))
    assert moved == []
    assert (forked.ended, forked.items, forked.size) == ("well", 100, 0)


def test_an_empty_dataset_gives_nothing_to_read(data: Path) -> None:
    moved, forked = watched(lambda: workers.read_ends(Items(data, 0)))
    assert moved == []
    assert (forked.ended, forked.items, forked.size) == ("well", 0, 0)


def test_a_dataset_of_one_item_is_read_once(data: Path) -> None:
    assert watched(lambda: workers.read_ends(Items(data, 1)))[1].items == 1


def dies_of(number: int) -> int:
    os.kill(os.getpid(), number)
    time.sleep(600)
    return 0


def leaves(status: int) -> int:
    os._exit(status)


def raises(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("read", "ended", "detail"),
    [
        (lambda: dies_of(signal.SIGKILL), "killed", "SIGKILL"),
        (lambda: dies_of(signal.SIGTERM), "killed", "SIGTERM"),
        (lambda: dies_of(signal.SIGRTMIN + 3), "killed", f"signal {signal.SIGRTMIN + 3}"),
        (lambda: leaves(3), "exited", "status 3"),
        (lambda: leaves(0), "exited", "status 0"),
        (lambda: raises(OSError("no\nsuch")), "raised", "OSError: no such"),
        (lambda: raises(SystemExit(0)), "raised", "SystemExit: 0"),
        (lambda: raises(ValueError("x" * 10**6)), "raised", None),
        (lambda: len(3), "raised", "TypeError: object of type 'int' has no len()"),  # type: ignore[arg-type]
    ],
)
def test_a_child_that_fails_is_said_to_have_failed(
    read: Callable[[], int], ended: str, detail: str | None
) -> None:
    moved, forked = watched(read)
    assert moved == []
    assert (forked.ended, forked.items, forked.size) == (ended, 0, None)
    assert forked.detail
    assert len(forked.detail) <= workers.LONGEST_ERROR
    if detail is not None:
        assert forked.detail == detail


@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_that_hangs_or_was_stopped_is_ended(
    stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "START_SECONDS", 0.5)

    def hangs() -> int:
        if stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)
        return 1

    before = psutil.Process().children()  # other tests may have left some, such as a fork server
    _, forked = watched(hangs)
    assert (forked.ended, forked.detail) == ("timeout", "0.5 s")
    assert set(psutil.Process().children()) <= set(before)  # it was ended and reaped


def test_a_position_that_moved_before_the_child_died_is_still_the_proof(data: Path) -> None:
    items = Items(data)

    def reads_and_dies() -> int:
        workers.read_ends(items)
        return dies_of(signal.SIGKILL)

    moved, forked = watched(reads_and_dies)
    assert [each["path"] for each in moved] == [str(data)]
    assert forked.ended == "killed"


def test_without_fork_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert workers.moved_by_a_child(lambda: 1) == {"moved": None, "forked": None}


def test_where_bytes_are_not_counted_the_size_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "bytes_read", lambda: None)
    _, forked = watched(lambda: 1)
    assert (forked.ended, forked.items, forked.size) == ("well", 1, None)
