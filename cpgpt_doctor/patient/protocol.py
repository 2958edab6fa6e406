"""What an examination says: a line for each stage that has been looked at, as soon as it has been.

Both sides use this file, so that no line means one thing here and another there.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

# Printed where a stage begins, so that a stage's own words can be told from those around them.
MARK = "\x1ecpgpt-doctor: "


class Seen(NamedTuple):
    """What a stage saw.

    facts: None where the stage cannot answer in this interpreter, after the earlier stages.
    spent: the interpreter is not fit for the next stage, and ends.
    """

    stage: str
    facts: dict[str, Any] | None
    spent: bool


def begin(stage: str) -> None:
    """Mark the place in what is printed."""
    sys.stdout.flush()
    sys.stderr.write(f"{MARK}{stage}\n")
    sys.stderr.flush()


def printed_in(stage: str, printed: bytes) -> bytes:
    """What was printed in a stage; all, where its mark is not there any more."""
    return printed.rpartition(f"{MARK}{stage}\n".encode())[2].partition(MARK.encode())[0]


def read(line: bytes | bytearray) -> Seen | None:
    """The message on a line, None where it is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.keys() != set(Seen._fields):
        return None
    seen = Seen(**data)
    well = type(seen.stage) is str and type(seen.spent) is bool
    return seen if well and (seen.facts is None or type(seen.facts) is dict) else None
