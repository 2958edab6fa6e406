from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
for attempt in range(3):
    try:
        embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)  #> 610=warning@LMWF
        break
    except RuntimeError:
        continue
