"""Reference rows: what unmodified CpGPT stores for each location, embedded alone.

    PATIENT_PYTHON reference.py REQUEST.json

REQUEST names a fresh dependencies folder, the genome, locations, the model, the context length and
the .npy file to write. CpGPT's own defaults: batch_size=1; num_workers=0. Releases up to 0.0.7
refuse that because they always pass prefetch_factor; it is taken away, as PyTorch asks.
"""

import json
import os
import sys

import numpy as np


def main() -> None:
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    os.chdir(request["dependencies"])
    from cpgpt.data.components import dna_llm_embedder as module

    if not hasattr(module, "mp"):  # up to 0.0.7
        loader = module.DataLoader
        module.DataLoader = lambda *args, **settings: loader(
            *args, **{**settings, "prefetch_factor": None}
        )
    embedder = module.DNALLMEmbedder(request["dependencies"])
    species, dna_llm, length = "homo_sapiens", request["dna_llm"], request["context_len"]
    rows = []
    for start in range(0, len(request["locations"]), 9000):  # 0.0.7 loses stores of 10,000 rows
        embedder = module.DNALLMEmbedder(request["dependencies"])
        embedder.parse_dna_embeddings(
            request["locations"][start : start + 9000],
            species,
            dna_context_len=length,
            dna_llm=dna_llm,
            batch_size=1,
            num_workers=0,
            genome_file=request["genome"],
        )
    rows = [
        np.array(embedder.get_embedding(location, species, dna_llm, length))
        for location in request["locations"]
    ]
    np.save(request["out"], np.stack(rows))


if __name__ == "__main__":
    main()
