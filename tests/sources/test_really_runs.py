"""What fix made of the corpus runs with real, unmodified CpGPT, where it ended with an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor import fix
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.sources import notebooks
from tests.conftest import HERE, PATIENTS, World
from tests.environment import clean_environment
from tests.sources import corpus

# Those whose imports are not installed here, and those that cannot end well whatever fix does.
NEEDS = ("cpgpt_inferencer", "tenacity", "download_cpgpt", "typer")
NOT_RUN = {
    "argparse_required.py": "asks for an option whose value is not known",
    "config_get.py": "right as it is",
    "environment_unknown.py": "asks for a variable whose value is not known",
    "notebook_broken_cell.ipynb": "has a cell that is no Python",
    "notebook_magics.ipynb": "has lines that only IPython runs",
    "options_unknown.py": "reads a file that is not there",
    "platform_exit.py": "ends at once, on this platform",
    "rows_linked.py": "has to be mended by hand",
    "rows_linked_path.py": "has to be mended by hand",
    "data_module.py": "needs a processed data set",
    "loader_of_cpgpts.py": "its locations are only named",
}


def letter(case: Path) -> str:
    return "O" if case.parent.name == corpus.OLD else "L"


def wrong(case: Path) -> bool:
    """Whether fix has something to do, and what comes of it can be run here."""
    if case.suffix == ".yaml" or case.name in NOT_RUN:
        return False
    texts = [path.read_bytes() for path in corpus.files(case)]
    if any(name.encode() in text for name in NEEDS for text in texts):
        return False
    found = corpus.findings(letter(case), corpus.seen(case))
    return any(each.edits for each in corpus.wrong(found))


WRONG = [case for case in corpus.cases() if wrong(case)]
FEW = [case for case in WRONG if case.name in ("options.py", "project_wrapper", "four.py")]


def code_of(case: Path) -> tuple[str, Path]:
    """What runs of a case, and in which folder it is."""
    if case.is_dir():
        main = next(path for path in (case / "main.py", case / "run.py") if path.exists())
        return main.read_text(encoding="utf-8"), case
    if case.suffix == ".ipynb":
        return notebooks.read(str(case), case.read_bytes()).code, case.parent
    from cpgpt_doctor.sources.text import decode_python

    return decode_python(case.read_bytes())[0], case.parent


def ran(world: World, cases: list[tuple[Path, str]], release: str) -> list[tuple[str, str | None]]:
    """What each raised, by its name and start method."""
    folder = Path(tempfile.mkdtemp(dir=world.folder))
    request: dict[str, Any] = {"out": str(folder / "raised.json"), "cases": []}
    names = []
    for number, (case, method) in enumerate(cases):
        code, place = code_of(case)
        work = folder / str(number)
        shutil.copytree(place, work) if case.is_dir() else work.mkdir()
        shutil.copytree(
            world.dependencies(f"source-{number}"), work / "dependencies", symlinks=True
        )
        (work / "genome.fa").symlink_to(world.genome)
        about = {"name": case.name, "folder": str(work), "start_method": method}
        request["cases"].append({**about, "code": code})
        names.append(f"{case.name} under {method}")
    (folder / "request.json").write_text(json.dumps(request))
    ended = subprocess.run(
        [PATIENTS[release], HERE / "run_sources.py", folder / "request.json"],
        env=clean_environment(**world.variables),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return list(zip(names, json.loads((folder / "raised.json").read_text()), strict=True))


def mended(case: Path, folder: Path) -> Path:
    copy = folder / case.name
    shutil.copytree(case, copy) if case.is_dir() else shutil.copyfile(case, copy)
    made = fix.mend([copy], corpus.facts(letter(case)), Intent(), fix.Choice(unsafe=True))
    fix.write(made)
    assert made.changed
    return copy


def run_all(world: World, folder: Path, cases: list[Path]) -> None:
    """Each runs once it is mended. As they were, some are run, too, and end with an error."""
    for release, which in (("0.0.13", "L"), ("0.0.7", "O")):
        chosen = [mended(case, folder) for case in cases if letter(case) == which]
        methods = ("spawn", "forkserver") if which == "L" else ("spawn",)
        asked = [(case, method) for case in chosen for method in methods]
        asked += [(corpus.CASES / name, method) for name, method in UNMENDED[release]]
        results = ran(world, asked, release)
        raised = results[: -len(UNMENDED[release])]
        assert {name: each for name, each in raised if each is not None} == {}
        for name, each in results[-len(UNMENDED[release]) :]:
            assert each is not None, name
            assert "cannot pickle" in each or "prefetch_factor" in each, (name, each)


# CpGPT's guard since 0.0.8 sees spawn where it is set, and not forkserver.
UNMENDED = {
    "0.0.13": [("options.py", "forkserver")],
    "0.0.7": [("old/four.py", "spawn"), ("old/zero.py", "spawn")],
}


def test_fixed_scripts_run_under_spawn_with_real_cpgpt(world: World, tmp_path: Path) -> None:
    assert len(FEW) == 3
    run_all(world, tmp_path, FEW)


@pytest.mark.full
def test_every_fixed_script_runs_under_spawn_with_real_cpgpt(world: World, tmp_path: Path) -> None:
    assert len(WRONG) >= 60
    run_all(world, tmp_path, WRONG)


def test_what_is_not_run_is_in_the_corpus() -> None:
    assert set(NOT_RUN) <= {case.name for case in corpus.cases()}
