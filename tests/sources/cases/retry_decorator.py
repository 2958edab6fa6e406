from tenacity import retry

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")


@retry
def embed(locations):
    embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=0)  #> 610=warning@LMWF


embed(["1:100", "1:2000"])
