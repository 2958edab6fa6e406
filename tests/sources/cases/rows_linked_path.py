from pathlib import Path

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
Path("dependencies/dna_embeddings").symlink_to(Path("deps") / "human" / "dna_embeddings")  #> 609=error@LMWF
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
