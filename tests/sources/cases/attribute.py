from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


class Pipeline:
    def __init__(self, workers):
        self.embedder = DNALLMEmbedder("dependencies")
        self.workers = workers

    def run(self, locations):
        self.embedder.parse_dna_embeddings(
            locations,
            "homo_sapiens",
            num_workers=self.workers,  #> 601
        )


Pipeline(4).run(["1:100", "1:2000"])
