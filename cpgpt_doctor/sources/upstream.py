"""The names of CpGPT, and of what it is used with, that are looked for in sources.

Names are compared with the last part of what an import gives them, so that a class is known by
whatever module of CpGPT it is imported from.
"""

from __future__ import annotations

# Files that hold none of these hold nothing to look at. The embedding's names, in any case.
MARKERS = (b"cpgpt", b"dnallmembedder", b"parse_dna_embeddings", b"pyfaidx")

PACKAGE = "cpgpt"
EMBEDDER = "DNALLMEmbedder"
EMBED = "parse_dna_embeddings"
DATA_MODULE = "CpGPTDataModule"
INFERENCER = "CpGPTInferencer"
GENOME_DATASET = "GenomicSequenceDataset"
ROWS_DATASET = "CpGPTDataset"
EMBEDDER_MODULE = "dna_llm_embedder"
DOWNLOAD_METHOD = "download_dependencies"
DOWNLOAD = "download_cpgpt"
LOADER = "DataLoader"
LOADER_MODULES = ("torch", EMBEDDER_MODULE)
# Opening one of these gives a genome with one position in its file.
GENOMES = ("pyfaidx.Fasta", "pyfaidx.Faidx")

# Parameters in their order, as every release from 0.0.1 to 0.0.13 has them.
EMBED_PARAMETERS = (
    *("genomic_locations", "species", "dna_context_len", "dna_llm", "batch_size", "num_workers"),
    "genome_file",
)
EMBED_DEFAULTS = {"num_workers": 8, "batch_size": 1}
EMBEDDER_PARAMETERS = ("dependencies_dir",)
DATA_MODULE_PARAMETERS = (
    *("train_dir", "val_dir", "test_dir", "predict_dir", "dependencies_dir", "batch_size"),
    *("num_workers", "max_length", "dna_llm", "dna_context_len", "sorting_strategy", "pin_memory"),
)
DATA_MODULE_DEFAULTS = {"num_workers": 4, "pin_memory": False}
INFERENCER_PARAMETERS = ("dependencies_dir", "data_dir")
INFERENCER_DEFAULT_FOLDER = "dependencies"
DOWNLOAD_PARAMETERS = ("species", "overwrite", "dependencies_dir")
DOWNLOAD_SPECIES = "human"
# torch's, of which the first eight may be given by position.
LOADER_PARAMETERS = (
    *("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers", "collate_fn"),
    *("pin_memory", "drop_last", "timeout", "worker_init_fn", "multiprocessing_context"),
)
LOADER_DEFAULTS = {
    "num_workers": 0,
    "prefetch_factor": None,
    "persistent_workers": False,
    "pin_memory": False,
    "multiprocessing_context": None,
}
