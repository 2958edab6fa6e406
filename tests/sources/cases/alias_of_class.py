from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder as Embedder

Embedder("dependencies").parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=2)  #> 601
