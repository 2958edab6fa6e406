import sys

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=4 if sys.platform.startswith("linux") else 0)  #> 608=error@LF 608=note@MW
