"""Memory that a model takes: measured, and what rules CPG106 and CPG307 reckon with at the least.

    python benchmarks/model_memory.py [--sizes 50m,500m] [--batch-sizes 1,4]

A stand-in with random weights, in the sizes of the Nucleotide Transformer v2 (its own code cannot
be had offline), called as CpGPT calls its model, on a window of 384 tokens. Each in a process of
its own; measured is the rise of its resident memory at the highest (Linux). Prints Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cpgpt_doctor.rules.environment.resources import model_memory_needed

# Layers and width: Dalla-Torre and others, Nucleotide Transformer, Nature Methods 2025, v2 models.
SIZES = {"50m": (12, 512), "100m": (22, 512), "250m": (24, 768), "500m": (29, 1024)}
TOKENS = 384


def resident(which: str) -> int:
    """Bytes of this process's memory now (VmRSS) or at the highest (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) * 1024


def one(size: str, batch_size: int) -> None:
    import torch
    from transformers import EsmConfig, EsmForMaskedLM

    layers, width = SIZES[size]
    before = resident("VmRSS")
    config = EsmConfig(
        vocab_size=4107,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=16,
        intermediate_size=4 * width,
        pad_token_id=1,
        position_embedding_type="rotary",
    )
    model = EsmForMaskedLM(config).eval()
    weights = sum(each.numel() * each.element_size() for each in model.parameters())
    with torch.inference_mode():
        model(torch.full((batch_size, TOKENS), 5), output_hidden_states=True)
    taken = resident("VmHWM") - before
    least = model_memory_needed(weights, batch_size, TOKENS, layers, width)
    print(f"| {size} | {batch_size} | {weights:,} | {taken:,} | {least:,} | {taken / least:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="50m,500m")
    parser.add_argument("--batch-sizes", default="1,4")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one[0], int(arguments.one[1]))
        return
    print("| model | batch_size | weights | measured | at the least | ratio |")
    print("|---|---|---|---|---|---|", flush=True)
    for size in arguments.sizes.split(","):
        for batch_size in arguments.batch_sizes.split(","):
            subprocess.run([sys.executable, __file__, "--one", size, batch_size], check=True)


if __name__ == "__main__":
    main()
