import argparse

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

parser = argparse.ArgumentParser()
parser.add_argument("--num-workers", type=int, default=0)
args = parser.parse_args([])
DNALLMEmbedder("dependencies").parse_dna_embeddings(["1:100", "1:2000"], "homo_sapiens", num_workers=args.num_workers)
