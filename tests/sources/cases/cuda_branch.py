import torch

workers = 4 if torch.cuda.is_available() else 0
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=workers)  #> 601=error@LWF 608=note@M
