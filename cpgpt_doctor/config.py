"""`[tool.cpgpt-doctor]` of pyproject.toml: the options of `check`, by the same names.

Every other command takes the interpreter from there.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from cpgpt_doctor.errors import InputError

# Options that belong to one call, not to a project.
ONE_CALL = (
    *("help", "debug", "facts", "save-facts", "output"),
    *("locations", "betas", "processed-dir", "positions", "fix-names"),
)


def settings(folder: Path, command: argparse.ArgumentParser) -> tuple[dict[str, Any], Path | None]:
    """What our table in the nearest pyproject.toml that has one says, from `folder` upwards, by the
    destination of the option; and that file. InputError names a key that is not one, and a value
    that its option does not take."""
    table, path = nearest(folder)
    return ({}, None) if path is None else (converted(table, path, command), path)


def interpreter(folder: Path) -> str | None:
    """The interpreter that the table names, None where it names none. Raises InputError."""
    table, path = nearest(folder)
    if path is None or "python" not in table:
        return None
    text = text_of(table["python"], f"{path}: tool.cpgpt-doctor.python")
    return interpreter_from(text, path)


def nearest(folder: Path) -> tuple[dict[str, Any], Path | None]:
    """Our table in the nearest pyproject.toml that has one, and that file."""
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        # Not Path.is_file(), which raises an error in a folder that may not be looked into.
        if os.path.isfile(path):  # noqa: PTH113
            tool = load(path).get("tool")
            if isinstance(tool, dict) and "cpgpt-doctor" in tool:
                table = tool["cpgpt-doctor"]
                if not isinstance(table, dict):
                    raise InputError(f"{path}: tool.cpgpt-doctor: a table is needed")
                return table, path
    return {}, None


def load(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, lists in lists
        raise InputError(f"{path}: not TOML: {error}") from error
    return table


def converted(
    table: dict[str, Any], path: Path, command: argparse.ArgumentParser
) -> dict[str, Any]:
    options = {
        option.removeprefix("--"): action
        for action in command._actions
        for option in action.option_strings
        if option.startswith("--") and option.removeprefix("--") not in ONE_CALL
    }
    return {
        options[key].dest: from_its_folder(
            options[key], convert(options[key], value, f"{path}: tool.cpgpt-doctor.{key}"), path
        )
        for key, value in table.items()
        if known(key, options, path)
    }


def from_its_folder(action: argparse.Action, value: Any, path: Path) -> Any:
    """A path in the file is meant from the file's folder, wherever check runs."""
    if isinstance(value, Path):
        return Path(in_folder(str(value), path))
    return interpreter_from(value, path) if action.dest == "python" else value


def in_folder(text: str, path: Path) -> str:
    """A path as it is meant in a file; `~` is the home folder."""
    # Not Path.expanduser(), which raises an error for a user who is none.
    return str(path.parent / os.path.expanduser(text))  # noqa: PTH111


def interpreter_from(text: str, path: Path) -> str:
    """A name without a folder is an environment beside the file, or looked up on the PATH, as a
    shell does."""
    absolute = in_folder(text, path)
    is_name = Path(text).name == text and not os.path.isdir(absolute)  # noqa: PTH112
    return text if is_name else absolute


def known(key: str, options: dict[str, argparse.Action], path: Path) -> bool:
    if key in options:
        return True
    import difflib

    near = difflib.get_close_matches(key, options, 1)
    meant = f"did you mean {near[0]!r}?" if near else f"keys are {', '.join(sorted(options))}"
    raise InputError(f"{path}: tool.cpgpt-doctor: unknown key {key!r}; {meant}")


def text_of(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: a text is needed, not {value!r}")
    if "\0" in value:
        raise InputError(f"{where}: holds a zero byte")
    return value


def convert(action: argparse.Action, value: Any, where: str) -> Any:
    """A TOML value as the option would have it, which has to be of the option's own type."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise InputError(f"{where}: true or false is needed, not {value!r}")
        return value
    if action.metavar == "N":
        if not isinstance(value, int) or isinstance(value, bool):
            raise InputError(f"{where}: a number is needed, not {value!r}")
        text = str(value)
    elif isinstance(value, list) and action.metavar == "CODES":
        text = ",".join(text_of(each, where) for each in value)
    else:
        text = text_of(value, where)
    if action.choices is not None and text not in action.choices:
        raise InputError(f"{where}: {text!r} is none of {', '.join(map(str, action.choices))}")
    if action.type is None:
        return text
    assert callable(action.type)
    try:
        return action.type(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{where}: {error}") from error
