from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder
from cpgpt.infer.cpgpt_inferencer import CpGPTInferencer

CpGPTInferencer(dependencies_dir="deps").download_dependencies(species="human")
embedder = DNALLMEmbedder(dependencies_dir="deps")  #> 609=error@LMWF
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
