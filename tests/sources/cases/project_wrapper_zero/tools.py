from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def embed(locations, workers=8):
    DNALLMEmbedder("dependencies").parse_dna_embeddings(locations, "homo_sapiens", num_workers=workers)
