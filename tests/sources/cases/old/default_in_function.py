from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def main():
    embedder = DNALLMEmbedder("dependencies")
    embedder.parse_dna_embeddings(["1:100"], "homo_sapiens")  #> 601=error@OS


if __name__ == "__main__":
    main()
