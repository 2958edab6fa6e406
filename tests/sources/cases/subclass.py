from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


class Mine(DNALLMEmbedder):
    pass


Mine("dependencies").parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens")  #> 601
