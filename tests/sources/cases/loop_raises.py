from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")
for part in (["1:100"], ["1:2000"]):
    try:
        embedder.parse_dna_embeddings(part, "homo_sapiens", num_workers=0)
    except RuntimeError as error:
        raise SystemExit(1) from error
