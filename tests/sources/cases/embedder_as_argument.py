from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def embed(model, locations):
    model.parse_dna_embeddings(locations, "homo_sapiens")  #> 601


embed(DNALLMEmbedder("dependencies"), ["1:100", "1:2000"])
