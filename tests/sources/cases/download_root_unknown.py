from pathlib import Path

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder
from cpgpt.infer.cpgpt_inferencer import CpGPTInferencer

ROOT = Path(__file__).parent / "deps"
CpGPTInferencer(dependencies_dir=str(ROOT)).download_dependencies()
embedder = DNALLMEmbedder(ROOT)  #> 609=error@LMWF
embedder.parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=0)
