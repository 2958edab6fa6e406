"""The one file that knows CpGPT's names.

Everything here was read off CpGPT 0.0.1 to 0.0.13 as published on PyPI. The names in `SEAMS` are in
all of them, so a setting can be changed for the length of a run without touching CpGPT's files. A
release without one of them can be neither tried nor run.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

MODULE = "cpgpt.data.components.dna_llm_embedder"
EMBEDDER = "DNALLMEmbedder"
CALL = "parse_dna_embeddings"
SEAMS = (
    *("DataLoader", "Fasta", "tqdm", "collate_sequences", "GenomicSequenceDataset"),
    *(EMBEDDER, f"{EMBEDDER}._load_dna_model", f"{EMBEDDER}.{CALL}"),
)
WIDTHS = f"{EMBEDDER}.llm_embedding_size_dict"  # which each embedder has
PARAMETERS = ("dna_context_len", "dna_llm", "batch_size", "num_workers", "genome_file")
# Packages above MODULE whose own import brings lightning and pandas, which the embedder never uses.
HEAVY_PARENTS = ("cpgpt.data", "cpgpt.data.components")
REPOSITORIES = {  # the organisation on the model hub, by the beginning of CpGPT's model name
    "nucleotide-transformer": "InstaDeepAI",
    "NTv3": "InstaDeepAI",
    "hyenadna": "LongSafari",
    "DNABERT-2": "zhihan1996",
}


def import_as_users_do() -> types.ModuleType:
    """Import the embedder's module with everything that CpGPT imports around it."""
    return importlib.import_module(MODULE)


def leave_out_heavy_parents() -> None:
    """Register the packages above the embedder's module as empty ones with their real folders."""
    top = importlib.import_module("cpgpt")
    folder = next(iter(top.__path__))
    for name in HEAVY_PARENTS:
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [os.path.join(folder, *name.split(".")[1:])]
            sys.modules[name] = package


def import_alone() -> types.ModuleType:
    """Import the embedder's module without the heavy packages above it.

    It needs neither lightning nor pandas, starts in about half the time, and works where one of
    them is broken.
    """
    leave_out_heavy_parents()
    return importlib.import_module(MODULE)


def repository(dna_llm: str) -> str | None:
    """The model hub's repository of a CpGPT model name, None for a name without one."""
    for beginning, organisation in REPOSITORIES.items():
        if dna_llm.startswith(beginning):
            return f"{organisation}/{dna_llm}"
    return None


def missing_seams(module: types.ModuleType) -> list[str]:
    """Names of `SEAMS`, and parameters of the call, that this release does not have."""
    missing = [name for name in SEAMS if not has(module, name)]
    if f"{EMBEDDER}.{CALL}" not in missing:
        known = inspect.signature(module.DNALLMEmbedder.parse_dna_embeddings).parameters
        missing += [f"{EMBEDDER}.{CALL}({name})" for name in PARAMETERS if name not in known]
    return missing


def has(owner: Any, name: str) -> bool:
    first, _, rest = name.partition(".")
    return hasattr(owner, first) and (not rest or has(getattr(owner, first), rest))


def call_defaults(module: types.ModuleType) -> dict[str, Any]:
    """The default arguments of `parse_dna_embeddings`, as far as they are facts."""
    parameters = inspect.signature(module.DNALLMEmbedder.parse_dna_embeddings).parameters
    return {
        name: parameters[name].default
        for name in ("dna_llm", "batch_size", "num_workers")
        if parameters[name].default is not inspect.Parameter.empty
    }


def loader_lines(module: types.ModuleType) -> dict[str, int]:
    """Lines of the embedder's DataLoader call and of the settings written around it.

    Keys: "DataLoader", "num_workers", "prefetch_factor", "pin_memory", "persistent_workers",
    "guard" (the test of the start method); a key is absent where the release has no such line.
    """
    tree = ast.parse(inspect.getsource(module))
    lines: dict[str, int] = {}
    settings = {"num_workers", "prefetch_factor", "pin_memory", "persistent_workers"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id == "DataLoader":
                lines["DataLoader"] = node.lineno
                for keyword in node.keywords:
                    if keyword.arg in settings:
                        lines[keyword.arg] = keyword.value.lineno
            elif isinstance(called, ast.Attribute) and called.attr == "get_start_method":
                lines["guard"] = node.lineno
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and key.value in settings:
                    lines.setdefault(str(key.value), key.lineno)
    return lines


def prepare_dependencies(folder: str, species: str, assembly: str) -> None:
    """Write the Ensembl metadata that lets CpGPT construct an embedder over `folder` offline."""
    genomes = os.path.join(folder, "genomes")
    os.makedirs(genomes, exist_ok=True)
    entry = {
        "organism": {"name": species, "scientific_name": species},
        "assembly": {"assembly_default": assembly, "sequences": []},
    }
    path = os.path.join(genomes, "species_metadata_EnsemblVertebrates.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump([entry], out)


@contextlib.contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[Any]:
    """Replace an attribute for the length of a block; yield what stood there."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield original
    finally:
        setattr(owner, name, original)
