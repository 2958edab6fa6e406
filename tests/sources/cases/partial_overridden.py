from functools import partial

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embed = partial(embedder.parse_dna_embeddings, num_workers=6)
embed(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
