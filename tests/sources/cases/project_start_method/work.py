from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def run():
    DNALLMEmbedder("dependencies").parse_dna_embeddings(["1:100"], "homo_sapiens", num_workers=2)  #> 601=error@LFW 601=warning@M
