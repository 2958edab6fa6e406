"""How a process ended, in words, from the exit code that `subprocess` gives."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import Literal

# From here on Windows uses exit codes for what ended the process (ntstatus.h): a crash has no
# signal there. subprocess gives them without a sign.
FIRST_NTSTATUS = 0xC0000000
NTSTATUS = {
    0xC0000005: "STATUS_ACCESS_VIOLATION",
    0xC0000006: "STATUS_IN_PAGE_ERROR",
    0xC0000017: "STATUS_NO_MEMORY",
    0xC000001D: "STATUS_ILLEGAL_INSTRUCTION",
    0xC0000094: "STATUS_INTEGER_DIVIDE_BY_ZERO",
    0xC00000FD: "STATUS_STACK_OVERFLOW",
    0xC000012D: "STATUS_COMMITMENT_LIMIT",
    0xC0000135: "STATUS_DLL_NOT_FOUND",
    0xC0000139: "STATUS_ENTRYPOINT_NOT_FOUND",
    0xC000013A: "STATUS_CONTROL_C_EXIT",
    0xC0000142: "STATUS_DLL_INIT_FAILED",
    0xC0000374: "STATUS_HEAP_CORRUPTION",
    0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
}


@dataclass(frozen=True)
class Ending:
    """kind: "killed" by a signal or a crash, or "exited" with a status of its own.

    detail: "SIGKILL", "STATUS_ACCESS_VIOLATION (0xC0000005)", "status 3".
    """

    kind: Literal["killed", "exited"]
    detail: str

    @property
    def words(self) -> str:
        """Such as "killed by SIGKILL" and "ended with status 3"."""
        return f"{'killed by' if self.kind == 'killed' else 'ended with'} {self.detail}"


def ending(code: int, platform: str = sys.platform) -> Ending:
    """What an exit code of `subprocess` says."""
    if platform == "win32":
        unsigned = code & 0xFFFFFFFF
        if unsigned < FIRST_NTSTATUS:
            return Ending("exited", f"status {code}")
        name, number = NTSTATUS.get(unsigned), f"0x{unsigned:08X}"
        return Ending("killed", f"{name} ({number})" if name else number)
    if code < 0:
        return Ending("killed", signal_name(-code))
    return Ending("exited", f"status {code}")


def signal_name(number: int) -> str:
    """Such as "SIGKILL"; real-time signals count from the first one, and a few have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        first, last = (getattr(signal, name, 0) for name in ("SIGRTMIN", "SIGRTMAX"))
        if first and first < number < last:
            return f"SIGRTMIN+{number - first}"
        return f"signal {number}"
