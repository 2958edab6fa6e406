"""What the rows of a model depend on, so that a store is never filled from two models.

A model is known by its weights as they were loaded: transformers 5 loads a bf16 checkpoint as bf16
and transformers 4.57 as float32, so neither the file nor the revision tells which numbers compute.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

# Files of a snapshot that no row depends on, or whose content is in the weights as loaded.
LEFT_OUT = (".safetensors", ".bin", ".pt", ".ckpt", ".h5", ".msgpack", ".md", ".gitattributes")


def of_model(model: Any, repository: str | None) -> dict[str, Any]:
    """`{"weights", "precision", "revision", "files"}` of a loaded model.

    weights: SHA-256 over the parameters' names, types, shapes and bytes. precision: their types.
    revision: the commit of the model hub, None where it is not known. files: SHA-256 of the
    snapshot's configuration, code and tokenizer files, by name.
    """
    weights = hashlib.sha256()
    precisions = set()
    for name, parameter in sorted(model.named_parameters()):
        precision = str(parameter.dtype).removeprefix("torch.")
        precisions.add(precision)
        weights.update(f"{name} {precision} {tuple(parameter.shape)}\n".encode())
        weights.update(numbers(parameter))
    folder = snapshot(model, repository)
    return {
        "weights": weights.hexdigest(),
        "precision": " and ".join(sorted(precisions)),
        "revision": getattr(model.config, "_commit_hash", None),
        "files": small_files(folder) if folder else {},
    }


def padding(collate: Any) -> int:
    """To which multiple of tokens CpGPT's collate function pads a window that is alone.

    1 up to CpGPT 0.0.7, 128 from 0.0.8 on, measured on a window of 100 bases. The model attends to
    the padding, so rows of the one kind differ from those of the other.
    """
    alone = collate([{"location": "1:50", "sequence": "ACGTT" * 20}])
    padded = int(alone["input_ids"].shape[1])
    return 1 if padded == int(alone["attention_mask"].sum()) else padded


def numbers(parameter: Any) -> memoryview:
    """A parameter's bytes; NumPy has no bf16, so they are taken as bytes."""
    import torch

    flat = parameter.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())


def snapshot(model: Any, repository: str | None) -> str | None:
    """The folder of the Hugging Face cache that the model was loaded from."""
    from huggingface_hub import constants

    revision = getattr(model.config, "_commit_hash", None)
    if repository is None or revision is None:
        return None
    name = "models--" + repository.replace("/", "--")
    folder = os.path.join(constants.HF_HUB_CACHE, name, "snapshots", revision)
    return folder if os.path.isdir(folder) else None


def small_files(folder: str) -> dict[str, str]:
    """SHA-256 of the files of a snapshot that rows can depend on, by name."""
    digests = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not name.endswith(LEFT_OUT):
            with open(path, "rb") as stream:
                digests[name] = hashlib.sha256(stream.read()).hexdigest()
    return digests
