import cpgpt.data.components.dna_llm_embedder as module

loader = module.DataLoader
module.DataLoader = lambda *args, **settings: loader(
    *args,
    **{**settings, "prefetch_factor": None},
)
embedder = module.DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
