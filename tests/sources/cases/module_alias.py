import cpgpt.data.components.dna_llm_embedder as d

e = d.DNALLMEmbedder("dependencies")
e.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=2)  #> 601
