from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
for species in ("homo_sapiens", "mus_musculus"):
    embedder.parse_dna_embeddings(["1:100"], species, num_workers=0)
