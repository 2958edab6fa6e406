"""Any bytes, and any text inside a file, are read, judged and mended; hypothesis makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.test_fuzz import RAW, SEEDS, judged

pytest.importorskip("hypothesis", reason="an older environment; make test installs it")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=some.binary(max_size=400), kind=some.sampled_from((".py", ".ipynb", ".yaml")))
def test_any_bytes_are_read(
    raw: bytes, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    judged(tmp_path_factory.getbasetemp() / f"any{kind}", raw)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=some.text(max_size=200), around=some.sampled_from(SEEDS))
def test_any_text_in_a_file_is_read(
    text: str, around: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = RAW[around]
    half = len(raw) // 2
    changed = raw[:half] + text.encode("utf-8", "surrogatepass") + raw[half:]
    judged(tmp_path_factory.getbasetemp() / f"text{around.suffix}", changed)
