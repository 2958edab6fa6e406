"""Tokens of plain windows by looking them up, instead of by searching for them.

A tokenizer whose tokens are fixed runs of k bases (6 for the Nucleotide Transformer v2, 1 for
single-base models) gives a window of upper-case A, C, G and T the tokens of its consecutive runs,
and of the single bases that are left over. That is a table. All that is not such a window goes
through CpGPT's own collate function, and so does the first window of each length: what surrounds
the tokens (start and end tokens, padding, attention mask) is taken from there and never guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Batch = dict[str, Any]
BASES = b"ACGT"
NOT_A_BASE = 255
RUNS = (6, 1)  # the longest first, as a tokenizer matches

CODES: Any = np.full(256, NOT_A_BASE, dtype=np.uint8)
CODES[list(BASES)] = range(4)


@dataclass(frozen=True)
class Table:
    """Token ids of every run of `bases` bases (4 ** bases, int64), and of the single bases (4)."""

    bases: int
    runs: Any
    singles: Any

    def ids(self, codes: Any) -> Any:
        """Ids of (windows, length) codes 0 to 3: an int64 array of (windows, tokens)."""
        windows, length = codes.shape
        whole = length - length % self.bases
        parts = codes[:, :whole].reshape(windows, -1, self.bases)
        number = parts[:, :, 0].astype(np.int16)
        for at in range(1, self.bases):
            number = number * 4 + parts[:, :, at]
        return np.concatenate([self.runs[number], self.singles[codes[:, whole:]]], axis=1)


def make_table(tokenizer: Any) -> Table | None:
    """The table of a tokenizer that has every run of 6 bases, or every single base; else None."""
    vocabulary = tokenizer.get_vocab()
    singles = [vocabulary.get(base) for base in BASES.decode()]
    if None in singles:
        return None
    for bases in RUNS:
        words = ("".join(letters) for letters in itertools.product("ACGT", repeat=bases))
        ids = [vocabulary.get(word) for word in words]
        if None not in ids:
            return Table(bases, np.array(ids, np.int64), np.array(singles, np.int64))
    return None


@dataclass(frozen=True)
class Frame:
    """What CpGPT's collate function puts around the tokens of a window of one length.

    input_ids and attention_mask: of one window, (1, padded length). start: of its tokens.
    """

    input_ids: Any
    attention_mask: Any
    start: int


@dataclass
class Tokens:
    """Collate windows alone, by table where that is possible.

    collate: CpGPT's own, with its tokenizer. table: None sends every window through `collate`.
    """

    collate: Callable[[list[Any]], Batch]
    table: Table | None
    frames: dict[int, Frame | None] = field(default_factory=dict)

    def __call__(self, items: Sequence[dict[str, str]]) -> list[Batch]:
        """Blocks of windows, each block of one padded length; a window's tokens are those of the
        window collated alone.
        """
        if self.table is None:
            return [self.collate([item]) for item in items]
        blocks = []
        plain: dict[int, list[dict[str, str]]] = {}
        for item in items:
            frame = self.frame(item) if is_plain(item["sequence"]) else None
            if frame is None:
                blocks.append(self.collate([item]))
            else:
                plain.setdefault(len(item["sequence"]), []).append(item)
        blocks += [self.block(length, same) for length, same in plain.items()]
        return blocks

    def frame(self, item: dict[str, str]) -> Frame | None:
        """The frame of windows as long as this one; None where the table does not hold."""
        length = len(item["sequence"])
        if length not in self.frames:
            self.frames[length] = self.make_frame(item)
        return self.frames[length]

    def make_frame(self, item: dict[str, str]) -> Frame | None:
        assert self.table is not None
        single = self.collate([item])
        if set(single) != {"locations", "input_ids", "attention_mask"}:
            return None
        ids = self.table.ids(codes([item["sequence"]]))[0]
        found = single["input_ids"][0].numpy()
        for start in range(len(found) - len(ids) + 1):
            if np.array_equal(found[start : start + len(ids)], ids):
                return Frame(single["input_ids"], single["attention_mask"], start)
        return None

    def block(self, length: int, items: Sequence[dict[str, str]]) -> Batch:
        frame = self.frames[length]
        assert frame is not None
        assert self.table is not None
        import torch

        ids = self.table.ids(codes([item["sequence"] for item in items]))
        input_ids = frame.input_ids.repeat(len(items), 1)
        input_ids[:, frame.start : frame.start + ids.shape[1]] = torch.from_numpy(ids)
        return {
            "locations": [item["location"] for item in items],
            "input_ids": input_ids,
            "attention_mask": frame.attention_mask.repeat(len(items), 1),
        }


def is_plain(sequence: str) -> bool:
    """Whether a window is upper-case A, C, G and T only, and there is something of it."""
    return bool(sequence) and not sequence.encode("ascii", "replace").translate(None, BASES)


def codes(sequences: Sequence[str]) -> Any:
    """Codes 0 to 3 of equally long windows of A, C, G and T: (windows, length) uint8."""
    letters = np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8)
    return CODES[letters].reshape(len(sequences), -1)
