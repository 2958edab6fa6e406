import cpgpt.data.components.dna_llm_embedder as module

loader = module.DataLoader
module.DataLoader = lambda *args, **settings: loader(
    *args,
    **{**settings, "prefetch_factor": None},
)
embedder = module.DNALLMEmbedder("dependencies")
for part in (["1:100"], ["1:2000"]):
    embedder.parse_dna_embeddings(part, "homo_sapiens", num_workers=0)  #> 610=warning@OS
