"""A model's cached code is read as huggingface_hub would find it, and its faults are its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor.facts import RemoteCode, build
from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.patient.observe import embedder

CONFIG = json.dumps({"auto_map": {"AutoModel": "modeling.Model"}})
GONE = "from transformers.pytorch_utils import no_such_name\n"
FINE = "from transformers.pytorch_utils import Conv1D\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    # Which names transformers has is looked up elsewhere; importing it here would take seconds.
    monkeypatch.setattr(embedder, "exists", lambda full: not full.endswith("no_such_name"))
    return tmp_path / f"models--InstaDeepAI--{DNA_LLM}"


def snapshot(cache: Path, name: str, **files: str | bytes) -> Path:
    folder = cache / "snapshots" / name
    folder.mkdir(parents=True)
    for stem, content in files.items():
        path = folder / (f"{stem}.json" if stem == "config" else f"{stem}.py")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def refer(cache: Path, content: str | bytes) -> None:
    (cache / "refs").mkdir(parents=True, exist_ok=True)
    path = cache / "refs" / "main"
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def seen() -> RemoteCode:
    answer: dict[str, Any] = embedder.remote_code(DNA_LLM)
    return build(answer, RemoteCode)  # type: ignore[no-any-return]


def test_only_the_snapshot_that_refs_main_names_is_looked_at(cache: Path) -> None:
    snapshot(cache, "old", config=CONFIG, modeling=GONE)
    new = snapshot(cache, "new", config=CONFIG, modeling=FINE)
    refer(cache, "new")
    code = seen()
    assert code.cached
    assert code.files == (str(new / "modeling.py"),)
    assert code.missing == ()
    refer(cache, "old")
    assert [each.name for each in seen().missing] == ["transformers.pytorch_utils.no_such_name"]


def test_without_refs_main_nothing_is_cached_for_huggingface_hub_and_for_us(cache: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    snapshot(cache, "old", config=CONFIG, modeling=GONE)
    snapshot(cache, "new", config=CONFIG, modeling=FINE)
    found = try_to_load_from_cache(f"InstaDeepAI/{DNA_LLM}", "config.json", cache_dir=cache.parent)
    assert found is None
    assert (seen().cached, seen().files, seen().missing) == (False, (), ())


@pytest.mark.parametrize("config", [CONFIG, "{}"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", '{"tokenizer_class": "Esm'),
        ("special_tokens_map.json", ""),
        ("tokenizer.json", b"\xff\xfe"),
    ],
)
def test_every_cached_json_is_read_as_the_tokenizer_reads_it(
    cache: Path, config: str, name: str, content: str | bytes
) -> None:
    folder = snapshot(cache, "new", config=config)
    refer(cache, "new")
    path = folder / name
    path.write_text("{}")
    assert seen().unreadable is None
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    code = seen()
    assert code.cached
    assert code.unreadable is not None
    assert code.unreadable.path == str(path)
    path.unlink()
    path.symlink_to(cache / "blobs" / "gone")
    assert seen().unreadable is None


@pytest.mark.parametrize(
    ("caught", "missing"),
    [
        ("ImportError", 0),
        ("(AttributeError, ImportError)", 0),
        ("Exception", 0),
        ("", 0),
        ("ValueError", 1),
        ("ModuleNotFoundError", 1),
    ],
)
def test_a_name_for_whose_absence_the_code_is_prepared_is_not_missing(
    cache: Path, caught: str, missing: int
) -> None:
    code = f"try:\n    {GONE}except {caught}:\n    no_such_name = None\n"
    snapshot(cache, "new", config=CONFIG, modeling=code)
    refer(cache, "new")
    assert len(seen().missing) == missing
    (cache / "snapshots" / "new" / "modeling.py").write_text(f"{code}\n{GONE}")
    assert len(seen().missing) == missing + 1


@pytest.mark.parametrize("named", ["gone", "old\n", "", "../snapshots/old", "/"])
def test_a_snapshot_that_refs_main_does_not_name_to_the_letter_is_not_cached(
    cache: Path, named: str
) -> None:
    """huggingface_hub compares the content with the names of the folders as it is."""
    from huggingface_hub import try_to_load_from_cache

    snapshot(cache, "old", config=CONFIG, modeling=GONE)
    refer(cache, named)
    found = try_to_load_from_cache(f"InstaDeepAI/{DNA_LLM}", "config.json", cache_dir=cache.parent)
    assert found is None
    code = seen()
    assert (code.cached, code.unreadable) == (False, None)


@pytest.mark.parametrize(
    ("stem", "content", "error"),
    [
        ("config", '{"auto_map": {"Auto', "JSONDecodeError"),
        ("config", "", "JSONDecodeError"),
        ("config", "[]", "ValueError: it holds no JSON object"),
        ("config", b"\xff\xfe{", "UnicodeDecodeError"),
        ("config", "[" * 100_000, "RecursionError"),
        ("modeling", "def forward(self, x:\n    return (", "SyntaxError"),
        ("modeling", b"x = 1\0\n", "null bytes"),
        ("modeling", b"\xe9\n", "SyntaxError"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named_with_its_error(
    cache: Path, stem: str, content: str | bytes, error: str
) -> None:
    folder = snapshot(cache, "new", **{"config": CONFIG, "modeling": FINE, stem: content})
    refer(cache, "new")
    code = seen()
    assert code.cached
    assert code.unreadable is not None
    name = "config.json" if stem == "config" else "modeling.py"
    assert code.unreadable.path == str(folder / name)
    assert error in code.unreadable.error
    assert "\n" not in code.unreadable.error


def test_what_is_no_file_is_not_cached_and_is_not_waited_for(cache: Path) -> None:
    folder = snapshot(cache, "new")
    refer(cache, "new")
    os.mkfifo(folder / "config.json")
    assert not seen().cached
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(cache / "blobs" / "gone")
    assert not seen().cached
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(CONFIG)
    os.mkfifo(folder / "modeling.py")
    code = seen()
    assert (code.cached, code.files, code.unreadable) == (True, (), None)


def test_a_cache_that_may_not_be_read_is_named(cache: Path) -> None:
    refer(cache, b"\xff")
    snapshot(cache, "new", config=CONFIG)
    code = seen()
    assert code.unreadable is not None
    assert "UnicodeDecodeError" in code.unreadable.error


def test_a_model_that_was_never_fetched_is_not_cached(cache: Path) -> None:
    assert not seen().cached
    cache.mkdir()
    assert not seen().cached
    (cache / "snapshots").write_text("no folder")
    assert not seen().cached
