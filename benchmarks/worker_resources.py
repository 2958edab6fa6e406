"""What CpGPT's DataLoader takes of shared memory and of the open-file limit, by its workers.

    python benchmarks/worker_resources.py

CpGPT's own dataset, collate function and settings, forked workers, windows of 2,000 upper-case
bases. The consumer is slower than the workers, as a model is, so that all batches that may wait do.
Counted on Linux: descriptors of this process, and pages of shared memory that it or its workers
hold, each at its highest; beside them, what rules CPG104 and CPG105 reckon with. Prints Markdown.
"""

from __future__ import annotations

import gc
import platform
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from common import place

from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.observe.workers import CONTEXT, some_locations
from cpgpt_doctor.rules.environment.resources import PAGE, open_files_needed, shared_memory_needed

SETTINGS = [(workers, size) for workers in (1, 2, 4, 8) for size in (1, 8, 64)]
BATCHES = 6  # that a worker makes
PAUSE = 0.02  # seconds for a batch, and
PAUSE_A_WINDOW = 0.006  # for each of its windows: more than a worker needs


def descriptors(process: str) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def shared(processes: list[str]) -> dict[int, int]:
    """Bytes of the shared memory that processes hold, by inode."""
    held = {}
    for process in processes:
        for entry in Path(f"/proc/{process}/fd").iterdir():
            try:
                if str(entry.readlink()).startswith("/dev/shm/torch"):
                    state = entry.stat()
                    held[state.st_ino] = state.st_blocks * 512
            except OSError:
                continue  # closed meanwhile
    return held


def semaphores() -> int:
    """Semaphores that this process has mapped, each a page of shared memory."""
    return sum("/dev/shm/sem" in line for line in Path("/proc/self/maps").open())


def measured(dataset: Any, collate: Any, workers: int, size: int) -> tuple[int, int]:
    """The most descriptors that came with the loader, and the most bytes of shared memory."""
    from torch.utils.data import DataLoader, Subset

    before, semaphores_before = descriptors("self"), semaphores()
    loader = DataLoader(
        Subset(dataset, range(workers * size * BATCHES)),
        batch_size=size,
        num_workers=workers,
        prefetch_factor=2,
        persistent_workers=True,
        collate_fn=collate,
        multiprocessing_context="fork",
        timeout=600,
    )
    most, largest = 0, 0
    iterator = iter(loader)
    children = [str(worker.pid) for worker in iterator._workers]  # type: ignore[attr-defined]
    time.sleep(workers * 2 * size * PAUSE_A_WINDOW)
    for _ in iterator:
        time.sleep(PAUSE + size * PAUSE_A_WINDOW)
        most = max(most, descriptors("self") - before)
        tensors = sum(shared(["self", *children]).values())
        largest = max(largest, tensors + (semaphores() - semaphores_before) * PAGE)
    iterator._shutdown_workers()  # type: ignore[attr-defined]
    del iterator, loader
    gc.collect()  # the semaphores go
    return most, largest


def main() -> None:
    with place() as genomes:
        from transformers import AutoTokenizer

        module = upstream.import_alone()
        tokenizer = AutoTokenizer.from_pretrained(upstream.repository(DNA_LLM))
        collate = partial(module.collate_sequences, tokenizer=tokenizer)
        genome = module.Fasta(str(genomes.plain))
        most = max(workers * size for workers, size in SETTINGS) * BATCHES
        dataset = module.GenomicSequenceDataset(some_locations(genome, most), genome, CONTEXT)
        print("| workers | batch_size | open files | reckoned | shared memory | reckoned |")
        print("|---|---|---|---|---|---|")
        tokens = int(collate([dataset[0]])["input_ids"].shape[1])
        already = descriptors("self")
        for workers, size in SETTINGS:
            files, memory = measured(dataset, collate, workers, size)
            print(
                f"| {workers} | {size} | {already + files} | {open_files_needed(workers)} |"
                f" {memory:,} | {shared_memory_needed(workers, size, tokens):,} |",
                flush=True,
            )
        import torch

        print(f"\n{already} files were open before; windows of {tokens} tokens.")
        print(f"Python {platform.python_version()}, torch {torch.__version__}, {sys.platform}.")


if __name__ == "__main__":
    main()
