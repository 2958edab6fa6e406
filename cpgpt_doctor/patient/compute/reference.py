"""Reference rows from unmodified CpGPT, in a process that does nothing else.

Nothing of ours takes part: CpGPT is imported as its users import it and called with its own default
of one window at a time, without workers. Releases up to 0.0.7 refuse num_workers=0 (CPG203); there,
and only there, the one setting that they refuse is taken away. Rows of the kind that another family
of releases computes (CPG524) come from the same call, with the padding of a window changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from typing import Any

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.compute.treatments import PaddedTo


def embed(request: dict[str, Any]) -> dict[str, Any]:
    """Embed `locations` into a store in `folder`; returns `{"event", "without_prefetch"}`.

    padding: None leaves CpGPT as it is; a number changes to which multiple of tokens a window is
    padded, and nothing else. The genome is linked, and its index copied beside the link, where
    pyfaidx looks for it: nothing appears beside the user's file, and hours of indexing are saved.
    """
    folder = request["folder"]
    shutil.rmtree(folder, ignore_errors=True)
    upstream.prepare_dependencies(folder, request["species"], "staged")
    genome = os.path.join(folder, "genome.fa")
    link(request["genome"], genome)
    shutil.copyfile(request["index"], genome + ".fai")
    module = upstream.import_as_users_do()

    def call() -> None:
        module.DNALLMEmbedder(folder).parse_dna_embeddings(
            request["locations"],
            request["species"],
            dna_context_len=request["context_len"],
            dna_llm=request["dna_llm"],
            batch_size=1,
            num_workers=0,
            genome_file=genome,
        )

    with contextlib.ExitStack() as changes:
        if request["padding"] is not None:
            collate = with_padding(request["padding"], module.collate_sequences)
            changes.enter_context(upstream.replaced(module, "collate_sequences", collate))
        try:
            call()
        except ValueError as error:
            if "prefetch_factor" not in str(error):
                raise
            loader = without_prefetch(module.DataLoader)
            changes.enter_context(upstream.replaced(module, "DataLoader", loader))
            call()
            return {"event": "embedded", "without_prefetch": True}
    return {"event": "embedded", "without_prefetch": False}


def with_padding(padding: int, collate: Any) -> Any:
    """CpGPT's collate function, for one window, padded to another multiple of tokens."""

    def padded(batch: list[Any], tokenizer: Any) -> dict[str, Any]:
        return PaddedTo(padding, partial(collate, tokenizer=tokenizer), tokenizer)(batch)

    return padded


def link(target: str, path: str) -> None:
    """A link to a file; a hard link where Windows allows no other."""
    try:
        os.symlink(target, path)
    except OSError:
        os.link(target, path)


def without_prefetch(loader: Any) -> Any:
    """DataLoader without prefetch_factor, which belongs to workers (CPG203)."""
    return lambda *args, **settings: loader(*args, **{**settings, "prefetch_factor": None})
