from dataclasses import dataclass

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


@dataclass
class Settings:
    num_workers: int = 4


settings = Settings()
DNALLMEmbedder("dependencies").parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=settings.num_workers)  #> 601
