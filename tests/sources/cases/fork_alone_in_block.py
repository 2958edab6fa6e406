import multiprocessing
import sys

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
if sys.platform == "darwin":
    multiprocessing.set_start_method("fork")  #> 605=note@M
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
