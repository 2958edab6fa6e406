"""How a process ended is said in words, whatever ended it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from cpgpt_doctor.probes.ending import ending
from tests.environment import clean_environment

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def ended_by(number: int) -> int:
    """The exit code of a process that really was sent the signal."""
    script = f"import os; os.kill(os.getpid(), {number})"
    return subprocess.run([sys.executable, "-c", script], env=clean_environment()).returncode


@posix
def test_a_signal_is_named() -> None:
    assert ending(ended_by(signal.SIGKILL)).words == "killed by SIGKILL"
    assert ending(ended_by(signal.SIGTERM)).words == "killed by SIGTERM"


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no real-time signals here")
def test_a_real_time_signal_that_python_has_no_name_for_is_named_as_kill_names_it() -> None:
    number = signal.SIGRTMIN + 1
    with pytest.raises(ValueError, match=str(number)):
        signal.Signals(number)
    assert ending(ended_by(number)).words == "killed by SIGRTMIN+1"
    assert ending(ended_by(signal.SIGRTMAX)).words == "killed by SIGRTMAX"
    # glibc keeps the two below for itself
    assert ending(1 - signal.SIGRTMIN).words == f"killed by signal {signal.SIGRTMIN - 1}"


def test_a_status_is_a_status() -> None:
    assert ending(3, "linux").words == "ended with status 3"
    assert ending(0, "win32").words == "ended with status 0"
    assert ending(1, "win32").words == "ended with status 1"


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (0xC0000005, "STATUS_ACCESS_VIOLATION (0xC0000005)"),
        (0xC0000005 - 2**32, "STATUS_ACCESS_VIOLATION (0xC0000005)"),  # as signed tools give it
        (0xC00000FD, "STATUS_STACK_OVERFLOW (0xC00000FD)"),
        (0xC0000420, "0xC0000420"),
    ],
)
def test_a_crash_on_windows_is_named_by_its_code(code: int, detail: str) -> None:
    said = ending(code, "win32")
    assert (said.kind, said.detail) == ("killed", detail)


def test_the_same_number_is_a_plain_status_elsewhere() -> None:
    assert ending(5, "darwin").words == "ended with status 5"
