from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(
    ["1:100", "1:2000"],
    "homo_sapiens",
    batch_size=8,  # a comment that stays
    num_workers=4,  #> 601
)
