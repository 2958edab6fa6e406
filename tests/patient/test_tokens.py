"""Tokens by table are CpGPT's own tokens."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.compute.tokens import Tokens, is_plain, make_table
from cpgpt_doctor.patient.compute.worker import same_as_alone
from tests.conftest import DNA_LLM, LAMBDA, World

# The full figure is taken with CPGPT_DOCTOR_TEST_WINDOWS=100000.
WINDOWS = int(os.environ.get("CPGPT_DOCTOR_TEST_WINDOWS", "1000"))


@pytest.fixture(scope="module")
def collate() -> Any:
    return upstream.import_alone().collate_sequences


@pytest.fixture(scope="module")
def six_mers(world: World) -> Any:
    folder = next(Path(world.variables["HF_HOME"], "hub").glob(f"*{DNA_LLM}/snapshots/*"))
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def single_bases(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer whose tokens are single bases, as HyenaDNA's and NTv3's are."""
    from transformers import EsmTokenizer

    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(["<unk>", "<pad>", "<mask>", "<cls>", *"ATCGN"]))
    return EsmTokenizer(
        str(path), unk_token="<unk>", cls_token="<cls>", pad_token="<pad>", mask_token="<mask>",
        eos_token=None,
    )  # fmt: skip


def windows(count: int, seed: int) -> list[dict[str, str]]:
    """Windows as a real genome has them: mostly 2,000 plain bases, with N runs, lower case, other
    letters, and the short ones of chromosome ends.
    """
    rng = random.Random(seed)
    bases = "".join(LAMBDA.read_text().splitlines()[1:])
    made = []
    for at in range(count):
        start = rng.randrange(len(bases) - 2000)
        sequence = bases[start : start + 2000]
        kind = rng.random()
        if kind < 0.02:
            cut = rng.randrange(2000)
            sequence = sequence[:cut] + "N" * (2000 - cut)
        elif kind < 0.04:
            cut = rng.randrange(2000)
            sequence = sequence[:cut] + sequence[cut:].lower()
        elif kind < 0.05:
            sequence = sequence[:100] + rng.choice("RYKMSWBDHV") + sequence[101:]
        elif kind < 0.10:
            sequence = sequence[: rng.randrange(1000, 2000)]
        made.append({"location": str(at), "sequence": sequence})
    return made


def assert_equal(tokenizer: Any, collate: Any, items: list[dict[str, str]]) -> int:
    """Hold every window against CpGPT's own; returns how many came from the table."""
    alone = partial(collate, tokenizer=tokenizer)
    tokens = Tokens(alone, make_table(tokenizer))
    by_table = 0
    for start in range(0, len(items), 64):
        chunk = items[start : start + 64]
        blocks = tokens(chunk)
        by_table += sum(len(block["locations"]) for block in blocks if len(block["locations"]) > 1)
        assert sorted(x for block in blocks for x in block["locations"]) == sorted(
            item["location"] for item in chunk
        )
        assert all(same_as_alone(block, chunk, alone) for block in blocks)
    return by_table


def test_six_mer_tokens_are_cpgpts_own(six_mers: Any, collate: Any) -> None:
    items = windows(WINDOWS, 1)
    assert assert_equal(six_mers, collate, items) > 0.8 * WINDOWS


def test_single_base_tokens_are_cpgpts_own(single_bases: Any, collate: Any) -> None:
    table = make_table(single_bases)
    assert table is not None
    assert table.bases == 1
    assert assert_equal(single_bases, collate, windows(300, 2)) > 250


def test_every_length_keeps_its_padding(six_mers: Any, collate: Any) -> None:
    bases = "".join(LAMBDA.read_text().splitlines()[1:])
    items = [
        {"location": f"{length}.{copy}", "sequence": bases[copy : copy + length]}
        for length in range(1, 800, 7)
        for copy in (0, 1)
    ]
    assert assert_equal(six_mers, collate, items) == len(items)


def test_a_tokenizer_without_such_tokens_has_no_table(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["<unk>", "<pad>", "<mask>", "<cls>", "AC", "GT", "A", "C"]))
    from transformers import EsmTokenizer

    tokenizer = EsmTokenizer(str(path), pad_token="<pad>", eos_token=None)
    assert make_table(tokenizer) is None


def test_a_table_that_is_wrong_is_not_used(six_mers: Any, collate: Any) -> None:
    """A tokenizer that merges more than six bases: the frame's own check withdraws the table."""

    def other(items: list[dict[str, str]], tokenizer: Any) -> dict[str, Any]:
        batch = collate(items, tokenizer=tokenizer)
        batch["input_ids"][0, 5] = 7
        return batch  # type: ignore[no-any-return]

    tokens = Tokens(partial(other, tokenizer=six_mers), make_table(six_mers))
    (block,) = tokens([{"location": "a", "sequence": "ACGT" * 50}])
    assert int(block["input_ids"][0, 5]) == 7
    assert tokens.frames == {200: None}


@pytest.mark.parametrize("sequence", ["", "ACGN", "acgt", "ACG\u00c9", "AC GT", "ACGU"])
def test_only_upper_case_acgt_is_plain(sequence: str) -> None:
    assert not is_plain(sequence)
    assert is_plain("GATTACA")


def test_types_are_those_of_cpgpt(six_mers: Any, collate: Any) -> None:
    alone = partial(collate, tokenizer=six_mers)
    (block,) = Tokens(alone, make_table(six_mers))([{"location": "a", "sequence": "ACGT" * 99}])
    own = alone([{"location": "a", "sequence": "ACGT" * 99}])
    for key in ("input_ids", "attention_mask"):
        assert own[key].equal(block[key])
        assert own[key].dtype == block[key].dtype
