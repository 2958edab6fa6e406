import torch.multiprocessing as mp

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
mp.set_start_method("fork")  #> 605=note@LMF 605=error@W
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
