"""The backups of repairs in a dependencies folder, as far as others have to know of them.

A repair that was killed stands half done: its manifest says so until it is finished or undone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from cpgpt_doctor.disk import open_regular
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.store.layout import WORK, StorePaths

SCHEMA = "cpgpt-doctor/repair/v1"
MANIFEST = "manifest.json"
NAME = re.compile(r"backup-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?")
LARGEST = 1 << 30  # bytes of a manifest: it lists the places of rows
UNFINISHED = ("applying", "undoing")


def folders(dependencies: Path) -> list[Path]:
    """The backups, in the order in which they were made."""
    work = dependencies / WORK
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(work) as entries:
        found += [
            Path(each.path)
            for each in entries
            if NAME.fullmatch(each.name) and each.is_dir(follow_symlinks=False)
        ]
    return sorted(found, key=order)


def order(folder: Path) -> tuple[str, int]:
    _, time, *number = folder.name.split("-")
    return time, int(number[0]) if number else 1


def read(folder: Path) -> dict[str, Any]:
    """A backup's manifest. Raises InputError where it is none."""
    path = folder / MANIFEST
    try:
        with open_regular(path, follow=False) as stream:
            data = json.loads(stream.read(LARGEST))
        if data["schema"] != SCHEMA or not isinstance(data["state"], str):
            raise ValueError("it has another schema")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no manifest of a repair ({str(error)[:80]}); put it back, or move"
            f" {folder} away, then start again"
        ) from None
    found: dict[str, Any] = data
    return found


def unfinished_of(paths: StorePaths) -> str | None:
    """The backup of a repair of this store that stands half done, or that cannot be read."""
    mine = paths.species, paths.dna_llm, paths.context_len
    for folder in folders(paths.dependencies):
        try:
            data = read(folder)
            stores = [(x["species"], x["dna_llm"], x["context_len"]) for x in data["stores"]]
        except (InputError, KeyError, TypeError):
            return str(folder)
        if data["state"] in UNFINISHED and (mine in stores or not stores):
            return str(folder)
    return None
