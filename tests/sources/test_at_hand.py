"""A log that names the user's line, and the file at hand: the line, its remedy and the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpgpt_doctor import cli

SCRIPT = """\
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(
    ["1:100"],
    "homo_sapiens",
    num_workers={workers},
)
"""
PICKLING = """\
Traceback (most recent call last):
  File "/home/me/project/embed.py", line 4, in <module>
    embedder.parse_dna_embeddings(
  File "/opt/lib/python3.12/site-packages/cpgpt/data/components/dna_llm_embedder.py", line 390, in f
    for i, batch in enumerate(dataloader):
  File "/opt/lib/python3.12/site-packages/torch/utils/data/dataloader.py", line 1170, in __init__
    w.start()
  File "/opt/lib/python3.12/multiprocessing/process.py", line 121, in start
    self._popen = self._Popen(self)
  File "/opt/lib/python3.12/multiprocessing/popen_spawn_posix.py", line 47, in _launch
    reduction.dump(process_obj, fp)
  File "/opt/lib/python3.12/multiprocessing/reduction.py", line 60, in dump
    ForkingPickler(file, protocol).dump(obj)
TypeError: cannot pickle 'BufferedReader' instances
"""
PREFETCH = """\
Traceback (most recent call last):
  File "/home/me/project/embed.py", line 4, in <module>
    embedder.parse_dna_embeddings(
  File "/opt/lib/python3.12/site-packages/cpgpt/data/components/dna_llm_embedder.py", line 390, in f
    dataloader = DataLoader(
ValueError: prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 \
to enable multiprocessing, otherwise set prefetch_factor to None.
"""


def explained(
    log: str, workers: int, folder: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> str:
    (folder / "embed.py").write_text(SCRIPT.format(workers=workers))
    (folder / "log.txt").write_text(log)
    assert cli.main(["explain", "--log", "log.txt", "--lang", "en", *more]) == 1
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("log", "workers", "code"), [(PICKLING, 4, "CPG601"), (PREFETCH, 0, "CPG603")]
)
def test_the_users_line_is_shown_with_the_command_that_mends_it(
    log: str,
    workers: int,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for form in ((), ("--format", "markdown")):
        text = explained(log, workers, tmp_path, capsys, *form)
        assert code in text
        assert "embed.py:" in text
    assert "cpgpt-doctor fix embed.py --write" in text or code == "CPG603"


def test_a_mended_file_and_one_that_is_not_at_hand_add_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "CPG601" not in explained(PICKLING, 0, tmp_path, capsys)
    (tmp_path / "embed.py").unlink()
    assert cli.main(["explain", "--log", "log.txt", "--lang", "en"]) == 1
    assert "CPG601" not in capsys.readouterr().out
