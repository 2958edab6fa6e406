"""Observe a dataset of the user's: what stops its way to workers, and what forked ones do to it."""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import sys
from functools import partial
from typing import Any

from cpgpt_doctor.patient.channel import attempt
from cpgpt_doctor.patient.observe import workers
from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable


def look(request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The fields of `facts.OwnDataset`: of a user's `package.module:callable`."""
    module, _, name = request["dataset"].partition(":")
    sys.path.insert(0, request["dataset_folder"])
    dataset, outcome = attempt(lambda: getattr(importlib.import_module(module), name)())
    facts: dict[str, Any] = {
        "name": request["dataset"],
        "outcome": outcome,
        "anatomy": None,
        "moved": None,
        "forked": None,
        "starts": [],
    }
    if dataset is None:
        if outcome["ok"]:
            facts["outcome"] = {**outcome, "ok": False, "error": "it returned None"}
        return facts, True
    facts["anatomy"] = dataclasses.asdict(find_unpicklable(dataset, "dataset"))
    facts.update(workers.moved_by_a_child(partial(workers.read_ends, dataset)))
    facts["starts"] = [
        workers.start(dataset, method, list) for method in multiprocessing.get_all_start_methods()
    ]
    return facts, True
