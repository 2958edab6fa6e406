"""Folders that unmodified CpGPT of each family has spoiled, each made once."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

from tests.conftest import HERE, PATIENTS, World, once
from tests.environment import clean_environment

EVERY = ("healthy", "unknown_names", "duplicates", "linked_few")
FAULTS = {
    "0.0.13": (*EVERY, "stale_checkpoint", "half_copied", "half_copied_and_finished"),
    "0.0.7": (*EVERY, "past_ten_thousand", "linked"),
    "0.0.3": (*EVERY, "added"),
}
# Those that CpGPT causes within seconds; `make test-full` takes all.
SAMPLE = {
    "0.0.13": ("unknown_names", "duplicates", "half_copied"),
    "0.0.7": EVERY,
    "0.0.3": (),
}


def spoiled(world: World, release: str, fault: str) -> Path:
    """The folder of a fault, caused once by a release of CpGPT: all of the sample, or the rest."""
    rest = tuple(each for each in FAULTS[release] if each not in SAMPLE[release])
    faults = SAMPLE[release] if fault in SAMPLE[release] else rest

    def make(place: Path) -> None:
        place.mkdir(exist_ok=True)
        here = replace(world, folder=place)
        named = {name: str(here.dependencies(f"{name}/dependencies")) for name in faults}
        request = place / "request.json"
        request.write_text(json.dumps({"folders": named}))
        ran = subprocess.run(
            [PATIENTS[release], HERE / "upstream_faults.py", request],
            env=clean_environment(**world.variables),
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]

    group = "sample" if faults is not rest else "rest"
    return once(world.shared / f"spoiled-{release}-{group}", make) / fault / "dependencies"
