"""A store as unmodified CpGPT makes it: PATIENT_PYTHON reproduce_store.py REQUEST.json.

REQUEST is that of reference.py, with the batch size. Nothing is read back: CpGPT cannot read every
store that it makes.
"""

import json
import os
import sys

import numpy as np

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
