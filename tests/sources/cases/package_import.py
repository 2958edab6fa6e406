import cpgpt.data.components.dna_llm_embedder

e = cpgpt.data.components.dna_llm_embedder.DNALLMEmbedder("dependencies")
e.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens")  #> 601
