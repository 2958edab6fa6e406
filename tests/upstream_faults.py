"""Folders as unmodified CpGPT leaves them when it loses rows.

    PATIENT_PYTHON upstream_faults.py REQUEST.json

REQUEST has a fresh dependencies folder for each fault by its name; each is caused in its own. Up to
0.0.7, `prefetch_factor` is taken away, since these releases refuse `num_workers=0` else.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import sqlitedict

SPECIES, DNA_LLM, LENGTH = "homo_sapiens", "nucleotide-transformer-v2-500m-multi-species", 101
WIDTH = 1024
LOCI = [f"1:{2000 + at * 4}" for at in range(10_500)]


def embed(folder, loci, batch=64):
    embedder = module.DNALLMEmbedder(folder)
    embedder.parse_dna_embeddings(
        loci, SPECIES, dna_context_len=LENGTH, dna_llm=DNA_LLM, batch_size=batch, num_workers=0
    )
    return embedder


def added(folder):
    """0.0.1 to 0.0.3: ten locations added to fifty."""
    embed(folder, LOCI[:50])
    embed(folder, LOCI[:60])


def past_ten_thousand(folder):
    """Up to 0.0.7: 11 locations added to 9,990."""
    embed(folder, LOCI[:9990])
    embed(folder, LOCI[:10_001])


def unknown_names(folder):
    embed(folder, [*LOCI[:20], "chr1:9000", "chr2:9000", "7:1"])


def duplicates(folder):
    embed(folder, [LOCI[0], LOCI[0], *LOCI[1:6]], batch=3)


def stale_checkpoint(folder):
    """From 0.0.8: a run that was stopped, then finished."""
    calls, collate = [0], module.collate_sequences

    def interrupted(batch, tokenizer):
        calls[0] += 1
        if calls[0] == 12:
            raise KeyboardInterrupt
        return collate(batch, tokenizer=tokenizer)

    module.collate_sequences = interrupted
    with contextlib.suppress(KeyboardInterrupt):
        embed(folder, LOCI[:900])
    module.collate_sequences = collate
    embed(folder, LOCI[:900])


def half_copied(folder):
    """From 0.0.8: stopped while the rows are copied to .mmap.tmp."""
    memmap = np.memmap

    class Interrupted(np.memmap):
        def __setitem__(self, key, value):
            raise KeyboardInterrupt

    def opened(path, *args, **options):
        rows = memmap(path, *args, **options)
        writes = str(path).endswith(".tmp") and options.get("mode") == "w+"
        return rows.view(Interrupted) if writes else rows

    embed(folder, LOCI[:60])
    np.memmap = opened
    try:
        with contextlib.suppress(KeyboardInterrupt):
            embed(folder, LOCI[:70])
    finally:
        np.memmap = memmap


def half_copied_and_finished(folder):
    half_copied(folder)
    embed(folder, LOCI[:70])


def published(folder, count):
    """Published rows in folder/human, and a link to them where CpGPT looks."""
    loci = random.Random(3).sample(LOCI, len(LOCI))[:count]
    with sqlitedict.SqliteDict(Path(folder, "ensembl_metadata.db")) as table:
        entry = dict(table[SPECIES])
    rows = Path(folder, "human", "dna_embeddings", SPECIES, DNA_LLM)
    rows.mkdir(parents=True)
    stored = np.random.default_rng(1).standard_normal((count, WIDTH), "f4")
    stored.tofile(rows / f"{LENGTH}bp_dna_embeddings.mmap")
    human = Path(folder, "human", "ensembl_metadata.db")
    with sqlitedict.SqliteDict(human, autocommit=True) as table:
        table[SPECIES] = {
            **entry,
            DNA_LLM: {LENGTH: {each: np.int64(at) for at, each in enumerate(loci)}},
        }
    Path(folder, "dna_embeddings").mkdir(exist_ok=True)
    Path(folder, "dna_embeddings", SPECIES).symlink_to(rows.parent)


def linked(folder):
    """A user's run over published rows that he linked: as many as they, in another order."""
    module.DNALLMEmbedder(folder)
    published(folder, 10_400)
    embed(folder, LOCI[:10_050])


def linked_few(folder):
    module.DNALLMEmbedder(folder)
    published(folder, 400)
    embed(folder, LOCI[:200])


def healthy(folder):
    embed(folder, LOCI[:300])
    if not old:  # 0.0.3 zeroes them
        embed(folder, LOCI[:320])


if __name__ == "__main__":
    request = json.loads(Path(sys.argv[1]).read_text())
    os.chdir(Path(sys.argv[1]).parent)
    from cpgpt.data.components import dna_llm_embedder as module

    old = not hasattr(module, "mp")  # up to 0.0.7
    if old:
        loader = module.DataLoader
        module.DataLoader = lambda *args, **settings: loader(
            *args, **{**settings, "prefetch_factor": None}
        )
    for name, folder in request["folders"].items():
        globals()[name](folder)
