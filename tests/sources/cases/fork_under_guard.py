import multiprocessing

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  #> 605=note@LMF 605=error@W
    embedder = DNALLMEmbedder("dependencies")
    embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
