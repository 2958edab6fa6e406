"""A store as unmodified CpGPT makes it: PATIENT_PYTHON reproduce_store.py REQUEST.json.

REQUEST is that of reference.py, with the batch size, and the share of reads that are torn. Nothing
is read back: CpGPT cannot read every store that it makes.
"""

import json
import os
import random
import sys

import numpy as np


class Torn:
    """A genome's file as forked workers share it: now and then another moves it before a read."""

    def __init__(self, file, share):
        self.file, self.share, self.chance = file, share, random.Random(5)

    def read(self, size):
        if self.chance.random() < self.share:
            self.file.seek(self.chance.randrange(40_000))
        return self.file.read(size)

    def __getattr__(self, name):
        return getattr(self.file, name)


def torn(fasta, share):
    def opened(*arguments, **settings):
        genome = fasta(*arguments, **settings)
        genome.faidx.file = Torn(genome.faidx.file, share)
        return genome

    return opened


if __name__ == "__main__":
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    os.chdir(request["dependencies"])
    from cpgpt.data.components import dna_llm_embedder as module

    if not hasattr(module, "mp"):  # up to 0.0.7
        loader = module.DataLoader
        module.DataLoader = lambda *args, **settings: loader(
            *args, **{**settings, "prefetch_factor": None}
        )
    if request.get("torn"):
        module.Fasta = torn(module.Fasta, request["torn"])
    module.DNALLMEmbedder(request["dependencies"]).parse_dna_embeddings(
        request["locations"],
        "homo_sapiens",
        dna_context_len=request["context_len"],
        dna_llm=request["dna_llm"],
        batch_size=request["batch_size"],
        num_workers=0,
        genome_file=request["genome"],
    )
    np.save(request["out"], np.zeros(0))
