from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
for part in (["1:100"], ["1:2000"]):
    embedder.parse_dna_embeddings(part, "homo_sapiens", num_workers=0)
