"""An example of cpgpt:

    embedder.parse_dna_embeddings(locations, species, num_workers=8)
"""

# embedder.parse_dna_embeddings(locations, species)
TEXT = "parse_dna_embeddings(num_workers=8)"
