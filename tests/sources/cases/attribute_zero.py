from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


class Pipeline:
    workers = 0

    def run(self, locations):
        embedder = DNALLMEmbedder("dependencies")
        embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=self.workers)


Pipeline().run(["1:100", "1:2000"])
