"""Records of structured logs: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

# Under such keys programs, loggers, Docker and Kubernetes put what was said, and what failed.
KEYS = (
    *("log", "message", "msg", "event", "text", "exception", "exc_info", "exc_text", "traceback"),
    *("stack", "stack_trace", "stacktrace", "stack_info", "error", "err", "detail", "details"),
    *("exception_message", "exception_type", "error_message", "record", "fields", "data"),
)
DEEPEST = 4
LONGEST = 1 << 22


def texts(line: str) -> tuple[str, ...] | None:
    """What a record says, field by field; None for a line that is no record."""
    begin = line.find("{")
    if begin < 0 or begin > 200 or not line.endswith("}") or '":' not in line:
        return None
    if len(line) > LONGEST or line[:begin].strip(" \t|:0123456789TZ.-[]") not in ("", "stderr F"):
        return None
    try:
        record = json.loads(line[begin:])
    except (ValueError, RecursionError):
        return None
    found = tuple(said(record, DEEPEST)) if isinstance(record, dict) else ()
    return found or None


def said(value: object, deep: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value.rstrip("\n")
    elif isinstance(value, list) and deep:
        for each in value:
            yield from said(each, deep - 1)
    elif isinstance(value, dict) and deep:
        for key, each in value.items():
            if isinstance(key, str) and key.lower() in KEYS:
                yield from said(each, deep - 1)
