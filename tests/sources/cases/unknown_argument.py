from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def embed(locations, workers):
    embedder = DNALLMEmbedder("dependencies")
    embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=workers)  #> 601=note@LMWF
