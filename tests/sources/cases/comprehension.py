from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
done = [embedder.parse_dna_embeddings(["1:100", "1:2000"], name, num_workers=0) for name in ("homo_sapiens",)]
