from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100"], "homo_sapiens", genome_file=None if ")" else "(")  #> 601
