"""Make a tiny world for `run-embed --demo`: a random genome and a random-weight model.

The model has the interface and the name of the Nucleotide Transformer that CpGPT embeds with by
default (6-mer tokens, 1,024 numbers a row), one layer and random weights: unmodified CpGPT loads
it from a local Hugging Face cache, and its rows mean nothing.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
from typing import Any, TextIO

from cpgpt_doctor.patient.channel import send
from cpgpt_doctor.patient.observe.needed import first_missing

SPECIES = "homo_sapiens"
ASSEMBLY = "DemoRandom1"
CHROMOSOMES = ("1", "2", "X")
BASES = 120_000
LOCATIONS = 300
REVISION = "0" * 40


def genome(rng: random.Random) -> dict[str, str]:
    return {name: "".join(rng.choices("ACGT", k=BASES)) for name in CHROMOSOMES}


def write_genome(path: str, sequences: dict[str, str]) -> None:
    with open(path, "w", encoding="ascii") as out:
        for name, sequence in sequences.items():
            out.write(f">{name} random demo sequence\n")
            out.writelines(sequence[at : at + 60] + "\n" for at in range(0, BASES, 60))


def cpg_locations(rng: random.Random, sequences: dict[str, str]) -> list[str]:
    """Positions of CpGs, as CpGPT counts them: the 0-based start of `CG`."""
    found = [
        f"{name}:{at}"
        for name, sequence in sequences.items()
        for at in range(1, BASES - 1)
        if sequence[at : at + 2] == "CG"
    ]
    return sorted(rng.sample(found, LOCATIONS), key=lambda each: (each[0], int(each[2:])))


def write_model(cache: str, repository: str) -> None:
    """Put a model and its tokenizer where the Hugging Face libraries look for a cached one."""
    import torch
    from transformers import EsmConfig, EsmForMaskedLM, EsmTokenizer

    folder = os.path.join(cache, "hub", "models--" + repository.replace("/", "--"))
    snapshot = os.path.join(folder, "snapshots", REVISION)
    os.makedirs(snapshot, exist_ok=True)
    os.makedirs(os.path.join(folder, "refs"), exist_ok=True)
    with open(os.path.join(folder, "refs", "main"), "w", encoding="ascii") as out:
        out.write(REVISION)
    kmers = ["".join(letters) for letters in itertools.product("ATCG", repeat=6)]
    tokens = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>", *kmers, *"ATCGN"]
    vocabulary = os.path.join(snapshot, "vocab.txt")
    with open(vocabulary, "w", encoding="ascii") as out:
        out.write("\n".join(tokens))
    tokenizer = EsmTokenizer(
        vocabulary,
        unk_token="<unk>",
        cls_token="<cls>",
        pad_token="<pad>",
        mask_token="<mask>",
        eos_token=None,
        model_max_length=4096,
    )
    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=len(tokens),
        hidden_size=1024,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=4098,
        position_embedding_type="rotary",
        pad_token_id=1,
        mask_token_id=2,
        token_dropout=False,
    )
    EsmForMaskedLM(config).save_pretrained(snapshot)
    tokenizer.save_pretrained(snapshot)


def end_with_the_doctor(commands: TextIO) -> None:
    """Nothing is written any more where who asked for it has been killed."""
    # Not commands.read(): it would hold a lock that the interpreter needs when it ends.
    while os.read(commands.fileno(), 2**10):
        pass  # until the other side of the pipe is closed
    os._exit(1)


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    from cpgpt_doctor.patient import upstream

    threading.Thread(target=end_with_the_doctor, args=(commands,), daemon=True).start()
    missing = first_missing(("torch", "transformers"))
    if missing is not None:
        send(channel, missing)
        return
    folder = request["folder"]
    rng = random.Random(0)
    sequences = genome(rng)
    upstream.prepare_dependencies(folder, SPECIES, ASSEMBLY)
    write_genome(
        os.path.join(folder, "genomes", f"{SPECIES}.{ASSEMBLY}.dna.toplevel.fa"), sequences
    )
    with open(os.path.join(folder, "locations.txt"), "w", encoding="ascii") as out:
        out.writelines(each + "\n" for each in cpg_locations(rng, sequences))
    repository = upstream.repository(request["dna_llm"])
    if repository is None:
        raise ValueError(f"no repository is known for {request['dna_llm']}")
    write_model(os.path.join(folder, "huggingface"), repository)
    send(channel, {"made": folder})
