import os

options = {}
if os.environ.get("FAST"):
    options["num_workers"] = 4
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", **options)  #> 601
