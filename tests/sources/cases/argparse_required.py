import argparse

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

parser = argparse.ArgumentParser()
parser.add_argument("--workers", type=int)
args = parser.parse_args(["--workers", "0"])
DNALLMEmbedder("dependencies").parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=args.workers)  #> 601=note@LMWF
