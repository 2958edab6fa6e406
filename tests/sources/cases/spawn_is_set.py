from multiprocessing import set_start_method

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
set_start_method("spawn")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=4)  #> 601=warning@LMWF
