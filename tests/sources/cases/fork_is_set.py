import multiprocessing

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
multiprocessing.set_start_method("fork", force=True)  #> 605=warning@LMF 605=error@W
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=4)  #> 601=error@LFW 601=warning@M
