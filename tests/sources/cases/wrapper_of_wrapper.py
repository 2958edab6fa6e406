from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")


def inner(locations, *, workers):
    embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=workers)


def outer(locations, n):
    inner(locations, workers=n)


outer(["1:100", "1:2000"], 2)  #> 601
