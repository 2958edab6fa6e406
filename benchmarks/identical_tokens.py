"""Compare the safe path's tokens with those of CpGPT's own collate function, window by window.

    python benchmarks/identical_tokens.py --windows 100000

Windows are drawn from a genome with N runs, lower case and many chromosome ends. Compared are
input_ids and attention_mask, with their padding and types, of each window collated alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from functools import partial

from common import place

from cpgpt_doctor.intent import DNA_LLM
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.compute import bench
from cpgpt_doctor.patient.compute.reader import shareable
from cpgpt_doctor.patient.compute.tokens import Tokens, is_plain, make_table
from cpgpt_doctor.patient.compute.treatments import CHUNK
from cpgpt_doctor.patient.compute.worker import same_as_alone
from cpgpt_doctor.patient.observe.workers import CONTEXT, some_locations

USUAL = CONTEXT - 1  # bases of a window that is not at an end


def kind(sequence: str) -> str:
    """What a window is counted as; the first that fits."""
    if len(sequence) != USUAL:
        return "at a chromosome's end"
    if is_plain(sequence):
        return "upper-case ACGT"
    if "N" in sequence:
        return "with N"
    return "with lower case"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    windows = parser.parse_args().windows
    with place() as genomes, tempfile.TemporaryDirectory() as scratch:
        module = upstream.import_alone()
        index = bench.index_of(str(genomes.mixed), scratch)
        genome = shareable(module.Fasta(str(genomes.mixed), indexname=index))
        dataset = module.GenomicSequenceDataset(some_locations(genome, windows), genome, CONTEXT)
        tokenizer = bench.cached_tokenizer(DNA_LLM)
        collate = partial(module.collate_sequences, tokenizer=tokenizer)
        tokens = Tokens(collate, make_table(tokenizer))
        kinds: Counter[str] = Counter()
        differ = 0
        for start in range(0, windows, CHUNK):
            items = [dataset[at] for at in range(start, min(start + CHUNK, windows))]
            kinds.update(kind(item["sequence"]) for item in items)
            differ += sum(not same_as_alone(block, items, collate) for block in tokens(items))
    print(f"{windows:,} windows:", ", ".join(f"{n:,} {name}" for name, n in kinds.most_common()))
    print(f"blocks with a difference: {differ}")
    raise SystemExit(bool(differ))


if __name__ == "__main__":
    main()
