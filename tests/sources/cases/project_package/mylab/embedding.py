from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


class Embedding:
    def __init__(self, workers=4):
        self.embedder = DNALLMEmbedder("dependencies")
        self.workers = workers

    def run(self, locations):
        self.embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=self.workers)  #> 601
