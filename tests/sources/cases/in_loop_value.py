from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
for workers in (0, 4):
    embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=workers)  #> 601 610=warning@LWF
