from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")


def embed(locations, workers=8):
    embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=workers)


embed(["1:100", "1:2000"], 0)
