"""Treatments: what run-embed changes in CpGPT while it computes, each named after its rule.

Each replaces one of CpGPT's module-level names for the length of a part; CpGPT's files stay as
they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Batch = dict[str, Any]
PROGRESS_SECONDS = 0.2


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

    Each window is read and collated alone, by CpGPT's own dataset and collate function, so its
    tokens are those of the reference row: nothing is padded to a neighbour (CPG514). Batches are
    then windows of the same padded length, joined.

    workers, prefetch_factor and persistence go together (CPG201, CPG203), and memory is pinned for
    CUDA only (CPG204).
    """

    dataset: Any
    collate: Callable[[list[Any]], Batch]
    make: Callable[..., Any]
    batching: Batching
    workers: int
    pin_memory: bool
    progress: Callable[[int], None]
    _told: float = field(default=0.0)

    def __iter__(self) -> Iterator[Batch]:
        singles = self.make(
            self.dataset,
            batch_size=1,
            shuffle=False,
            collate_fn=self.collate,
            num_workers=self.workers,
            prefetch_factor=2 if self.workers else None,
            persistent_workers=False,
            pin_memory=self.pin_memory,
        )
        done = 0
        for batch in equal_lengths(singles, self.batching):
            yield batch
            done += len(batch["locations"])
            self.tell(done)

    def tell(self, done: int) -> None:
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self.progress(done)


def equal_lengths(singles: Any, batching: Batching) -> Iterator[Batch]:
    """Join windows of equal padded length into full batches; the rest goes on alone.

    A batch that is not full has a shape that was not measured, so its windows go alone too.
    """
    waiting: dict[int, list[Batch]] = {}
    for single in singles:
        length = int(single["input_ids"].shape[1])
        if batching.size == 1 or length not in batching.proven:
            yield single
            continue
        group = waiting.setdefault(length, [])
        group.append(single)
        if len(group) == batching.size:
            yield joined(group)
            group.clear()
    for group in waiting.values():
        yield from group


def joined(group: list[Batch]) -> Batch:
    import torch

    return {
        "locations": [location for single in group for location in single["locations"]],
        "input_ids": torch.cat([single["input_ids"] for single in group]),
        "attention_mask": torch.cat([single["attention_mask"] for single in group]),
    }
