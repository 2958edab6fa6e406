"""Read a store with unmodified CpGPT: PATIENT_PYTHON read_back.py REQUEST.json.

The request is that of reference.py.
"""

import json
import os
import sys

import numpy as np

if __name__ == "__main__":
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    os.chdir(os.path.dirname(request["out"]))
    from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

    embedder = DNALLMEmbedder(request["dependencies"])
    settings = "homo_sapiens", request["dna_llm"], request["context_len"]
    rows = [embedder.get_embedding(location, *settings) for location in request["locations"]]
    np.save(request["out"], np.stack([np.array(row) for row in rows]))
