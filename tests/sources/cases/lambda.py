from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embed = lambda where: embedder.parse_dna_embeddings(where, "homo_sapiens", num_workers=4)  #> 601
embed(["1:100", "1:2000"])
