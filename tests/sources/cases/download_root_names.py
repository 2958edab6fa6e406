import os

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder
from cpgpt.infer.cpgpt_inferencer import CpGPTInferencer

ROOT = os.path.join("work", "deps")
inferencer = CpGPTInferencer()
inferencer.download_dependencies("human", False, ROOT)
embedder = DNALLMEmbedder(ROOT)  #> 609=error@LMWF
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
