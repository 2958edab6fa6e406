"""Files of JSON that name their schema: facts and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cpgpt_doctor.errors import InputError


def read(path: Path, schema: str, *, named: str, what: str, write: str) -> dict[str, Any]:
    """The file's object, whose key "schema" is `schema`.

    Raises InputError, in one line that begins with `named`, says that the file is not `what`, and
    ends with how to write one.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{named}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{named}:{error.lineno}: not JSON: {error.msg}; {write}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{named}: not a text file; {write}") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, lists in lists
        raise InputError(f"{named}: not {what}: {error}; {write}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        raise InputError(
            f"{named}: not {what} of this version ({schema!r} expected, {found!r} found); {write}"
        )
    value: dict[str, Any] = data
    return value
