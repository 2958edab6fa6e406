"""Treatments: what run-embed changes in CpGPT while it computes, each named after its rule.

Each replaces one of CpGPT's module-level names for the length of a part; CpGPT's files stay as
they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Batch = dict[str, Any]
PROGRESS_SECONDS = 0.2
CHUNK = 64  # windows that are read and collated at a time, at the most
WORKER_SECONDS = 300  # a loading worker that is silent for so long hangs (CPG208)


@dataclass
class Batching:
    """How windows are put together.

    size: windows in a batch. proven: padded lengths, in tokens, at which a batch of this size was
    measured to give the rows of its windows alone; other lengths are computed alone.
    """

    size: int
    proven: frozenset[int] = frozenset()


@dataclass
class Loader:
    """Stands where CpGPT makes its DataLoader, and iterates as it expects.

    Each window's tokens are those of the window collated alone, as for the reference row: nothing
    is padded to a neighbour (CPG514). Batches are then windows of the same padded length, joined.

    make: torch's own DataLoader. workers, prefetch_factor and the start method go together
    (CPG201, CPG203); memory is pinned for CUDA only (CPG204). Workers may be used because the
    dataset's genome is read by position and travels as its path (CPG202).
    """

    dataset: Any
    tokens: Callable[[list[Any]], list[Batch]]
    make: Callable[..., Any]
    batching: Batching
    workers: int
    start_method: str | None
    pin_memory: bool
    progress: Callable[[int], None]
    _told: float = field(default=0.0)

    def __iter__(self) -> Iterator[Batch]:
        with_workers = {
            "num_workers": self.workers,
            "prefetch_factor": 2,
            "timeout": WORKER_SECONDS,
            "multiprocessing_context": self.start_method,
        }
        chunks = self.make(
            self.dataset,
            batch_size=max(1, min(CHUNK, len(self.dataset) // max(1, self.workers))),
            shuffle=False,
            collate_fn=self.tokens,
            pin_memory=self.pin_memory,
            **(with_workers if self.workers else {"num_workers": 0}),
        )
        done = 0
        for batch in equal_lengths((block for chunk in chunks for block in chunk), self.batching):
            yield batch
            done += len(batch["locations"])
            self.tell(done)

    def tell(self, done: int) -> None:
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self.progress(done)


def equal_lengths(blocks: Iterable[Batch], batching: Batching) -> Iterator[Batch]:
    """Make full batches of windows of equal padded length; the rest goes on alone.

    A batch that is not full has a shape that was not measured, so its windows go alone too.
    """
    waiting: dict[int, Batch] = {}
    for block in blocks:
        length = int(block["input_ids"].shape[1])
        if batching.size == 1 or length not in batching.proven:
            yield from cut(block, 1)
            continue
        whole = joined(waiting.pop(length), block) if length in waiting else block
        full = len(whole["locations"]) // batching.size * batching.size
        yield from cut(rows(whole, 0, full), batching.size)
        if full < len(whole["locations"]):
            waiting[length] = rows(whole, full, len(whole["locations"]))
    for whole in waiting.values():
        yield from cut(whole, 1)


def cut(block: Batch, size: int) -> Iterator[Batch]:
    """Pieces of `size` windows; the block is a multiple of it."""
    for start in range(0, len(block["locations"]), size):
        yield rows(block, start, start + size)


def rows(block: Batch, start: int, end: int) -> Batch:
    return {key: value[start:end] for key, value in block.items()}


def joined(one: Batch, other: Batch) -> Batch:
    import torch

    return {
        "locations": [*one["locations"], *other["locations"]],
        "input_ids": torch.cat([one["input_ids"], other["input_ids"]]),
        "attention_mask": torch.cat([one["attention_mask"], other["attention_mask"]]),
    }


@dataclass(frozen=True)
class PaddedTo:
    """CpGPT's collate function for one window, padded as another family of releases pads it.

    So a store gets rows of the kind that it holds, whatever release is installed (CPG524). It
    pickles where `collate` and `tokenizer` do: loading workers get it.
    """

    multiple: int
    collate: Callable[[list[Any]], Batch]
    tokenizer: Any

    def __call__(self, items: list[Any]) -> Batch:
        import torch

        batch = self.collate(items)
        kept = batch["attention_mask"][0].bool()
        ids, mask = batch["input_ids"][:, kept], batch["attention_mask"][:, kept]
        missing = -ids.shape[1] % self.multiple
        side = (missing, 0) if self.tokenizer.padding_side == "left" else (0, missing)
        pad = torch.nn.functional.pad
        return {
            "locations": batch["locations"],
            # A tokenizer without a padding token pads nothing, whatever the release.
            "input_ids": pad(ids, side, value=self.tokenizer.pad_token_id or 0),
            "attention_mask": pad(mask, side),
        }


def with_letters(
    letters: str, context_len: int, tokens: Callable[[list[Any]], list[Batch]]
) -> Callable[[list[Any]], list[Batch]]:
    """Tokens of windows with other letters: "upper" or "lower" case, or "n": nothing but N.

    No treatment: it tells what a row was computed from that is not its window's. CpGPT embeds as
    many N as the context is long where it does not know a sequence.
    """

    def other(window: str) -> str:
        return {"upper": window.upper(), "lower": window.lower(), "n": "N" * context_len}[letters]

    def changed(items: list[Any]) -> list[Batch]:
        return tokens([{**item, "sequence": other(item["sequence"])} for item in items])

    return changed
