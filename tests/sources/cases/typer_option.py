import typer

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder


def main(workers: int = typer.Option(4, help="how many")):  #> 601
    DNALLMEmbedder("dependencies").parse_dna_embeddings(["1:100"], "homo_sapiens", num_workers=workers)
