from cpgpt import download_cpgpt
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

found = download_cpgpt(species="human", local_dir="deps")
embedder = DNALLMEmbedder(found.dependencies_path)
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
