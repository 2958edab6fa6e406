from cpgpt.data.components import dna_llm_embedder as module

made = module.DataLoader


def without_prefetch(*args, **settings):
    settings.pop("prefetch_factor", None)
    settings["persistent_workers"] = False
    return made(*args, **settings)


module.DataLoader = without_prefetch
embedder = module.DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
