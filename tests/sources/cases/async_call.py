import asyncio

from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder

embedder = DNALLMEmbedder("dependencies")


async def main():
    await asyncio.to_thread(embedder.parse_dna_embeddings, ["1:100"], "homo_sapiens", num_workers=0)


asyncio.run(main())
