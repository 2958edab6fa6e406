"""What patient-side modules say to the doctor: one JSON object a line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

ONE_AT_A_TIME = threading.Lock()


def send(channel: TextIO, message: dict[str, Any]) -> None:
    """Write one object as a line and flush it, so that a crash right after loses nothing.

    Any thread may call this: lines do not mix.
    """
    line = json.dumps(message) + "\n"
    with ONE_AT_A_TIME:
        channel.write(line)
        channel.flush()


def attempt(action: Callable[[], object]) -> tuple[object | None, dict[str, Any]]:
    """Run `action`; return its result and what happened.

    What happened is `{"ok", "error_type", "error", "seconds"}`: the error's own class name and
    text, None where it went well. SystemExit counts as a failure, since a package that calls
    `sys.exit` on import is broken for its user.
    """
    started = time.perf_counter()
    try:
        value = action()
    except (Exception, SystemExit) as error:
        failed = {
            "ok": False,
            "error_type": type(error).__name__,
            "error": str(error),
            "seconds": time.perf_counter() - started,
        }
        return None, failed
    return value, {
        "ok": True,
        "error_type": None,
        "error": None,
        "seconds": time.perf_counter() - started,
    }
