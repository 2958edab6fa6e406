"""What is read of a project: what git sees, no virtual environments, and nothing that hangs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nbformat
import pytest

from cpgpt_doctor import fix
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.intent import Intent
from cpgpt_doctor.sources.read import read
from cpgpt_doctor.sources.walk import files
from tests.environment import clean_environment
from tests.sources import corpus

CODE = "import cpgpt\n"


def put(folder: Path, *names: str, text: str = CODE) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def seen(folder: Path) -> set[str]:
    return {Path(each.path).relative_to(folder).as_posix() for each in files([folder])}


def test_what_git_ignores_is_left_out_in_every_folder(tmp_path: Path) -> None:
    names = ("a.py", "b.py", "sub/a.py", "sub/c.py", "out/d.py", "sub/deep/e.py", "kept/a.py")
    put(tmp_path, *names)
    put(tmp_path, ".gitignore", text="# mine\n/a.py\nout/\nsub/**/e.py\n")
    put(tmp_path, "sub/.gitignore", text="c.py\n")
    put(tmp_path, "kept/.gitignore", text="!a.py\n")
    subprocess.run(["git", "init", "-q", tmp_path], env=clean_environment(), check=True)
    said = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard", "*.py"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen(tmp_path) == set(said.stdout.split())
    assert {Path(each.path).name for each in files([tmp_path / "sub"])} == {"a.py"}


def test_environments_and_folders_of_tools_are_skipped(tmp_path: Path) -> None:
    put(tmp_path, "mine.py", "lib/site-packages/x.py", "__pycache__/x.py", ".git/x.py")
    put(tmp_path, "env/pyvenv.cfg", "env/x.py", "conda/conda-meta/h.txt", "conda/x.py")
    put(tmp_path, "notes.txt", "cpgpt.egg-info/x.py", ".ipynb_checkpoints/x.ipynb")
    assert seen(tmp_path) == {"mine.py"}


def test_links_pipes_and_denied_folders_are_no_trap(tmp_path: Path) -> None:
    put(tmp_path, "mine.py", "closed/x.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "closed").chmod(0)
    try:
        assert seen(tmp_path) <= {"mine.py", "closed/x.py"}
        assert read([tmp_path]).looked_at in (1, 2)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert read([tmp_path / "pipe.py"]).files[0].problem == "it is no regular file"


def test_a_script_that_is_named_needs_no_suffix(tmp_path: Path) -> None:
    put(tmp_path, "embed", text="#!/usr/bin/env python3\nimport cpgpt\n")
    put(tmp_path, "notes", text="cpgpt\n")
    (found,) = files([tmp_path / "embed"])
    assert (found.kind, found.named) == ("python", True)
    with pytest.raises(InputError, match="is no Python script"):
        files([tmp_path / "notes"])


def test_files_without_cpgpt_are_counted_and_not_parsed(tmp_path: Path) -> None:
    put(tmp_path, "broken.py", text="def (:\n")
    put(tmp_path, "mine.py")
    facts = read([tmp_path])
    assert facts.looked_at == 2
    assert [Path(each.path).name for each in facts.files] == ["mine.py"]


@pytest.mark.parametrize("name", ["notebook.ipynb", "notebook_default.ipynb"])
def test_a_mended_notebook_is_valid_and_keeps_all_but_the_argument(
    name: str, tmp_path: Path
) -> None:
    before = nbformat.reads((corpus.CASES / name).read_text(encoding="utf-8"), as_version=4)
    copy = tmp_path / name
    copy.write_bytes((corpus.CASES / name).read_bytes())
    fix.write(fix.mend([copy], corpus.facts("L"), Intent(), fix.Choice()))
    after = nbformat.reads(copy.read_text(encoding="utf-8"), as_version=4)
    nbformat.validate(after)
    assert after.metadata == before.metadata
    assert len(after.cells) == len(before.cells)
    differ = [one for one, two in zip(before.cells, after.cells, strict=True) if one != two]
    assert len(differ) == 1
