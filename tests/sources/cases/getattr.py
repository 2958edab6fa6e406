from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embed = getattr(embedder, "parse_dna_embeddings")
embed(["1:100", "1:2000"], "homo_sapiens", num_workers=3)  #> 601
