import platform

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
if platform.system() == "Darwin":
    embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
else:
    embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=4)  #> 601=error@LWF
