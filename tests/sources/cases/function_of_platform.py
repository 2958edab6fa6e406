import os


def workers():
    if os.name == "nt":
        return 0
    return 2


from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=workers())  #> 608=error@LF 608=warning@M 608=note@W
