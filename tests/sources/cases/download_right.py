from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder
from cpgpt.infer.cpgpt_inferencer import CpGPTInferencer

inferencer = CpGPTInferencer(dependencies_dir="deps")
inferencer.download_dependencies(species="human", overwrite=False)
embedder = DNALLMEmbedder(dependencies_dir="deps/human")
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
