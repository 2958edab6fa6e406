"""Faults of a model, caused in the patient's own interpreter.

`install(folder)` writes a sitecustomize.py: with `folder` on PYTHONPATH and CPGPT_DOCTOR_FAULT set,
the model that CpGPT loads gives other hidden states wherever the fault's condition holds. CpGPT and
run-embed are as they are.

    batched    more than one window at a time
    ours       wherever CpGPT was not imported as its users import it: in run-embed's worker alone
    first      until the store has its first rows, once the run has begun

Two do more: they end the process, and they ask the CPU for more memory than there is.

    poisoned   a window of nothing but N
    large      more than two windows at a time
"""

from __future__ import annotations

from pathlib import Path

SITECUSTOMIZE = """
import importlib.abc
import importlib.util
import os
import pathlib
import sys

NAME = "cpgpt.data.components.dna_llm_embedder"
FAULT = os.environ.get("CPGPT_DOCTOR_FAULT")
STORE = os.environ.get("CPGPT_DOCTOR_FAULT_STORE", ".")


def begun_and_empty():
    store = pathlib.Path(STORE, "dna_embeddings")
    return any(store.rglob("*.run.json")) and not any(store.rglob("*.mmap"))


def poisoned(ids):
    if any(len(set(row)) < 6 for row in ids.tolist()):
        os.abort()


def large(ids):
    if ids.shape[0] > 2:
        import torch

        torch.empty(1 << 50)


HOLDS = {
    "poisoned": poisoned,
    "large": large,
    "batched": lambda ids: ids.shape[0] > 1,
    "ours": lambda ids: "lightning" not in sys.modules,
    "first": lambda ids: begun_and_empty(),
}


def spoil(model):
    forward = model.forward

    def faulty(input_ids, *arguments, **settings):
        outputs = forward(input_ids, *arguments, **settings)
        if HOLDS[FAULT](input_ids):
            outputs.hidden_states = (*outputs.hidden_states[:-1], outputs.hidden_states[-1] * 1.01)
        return outputs

    model.forward = faulty
    return model


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            real = module.AutoModelForMaskedLM

            class Loaded:
                @staticmethod
                def from_pretrained(*arguments, **settings):
                    return spoil(real.from_pretrained(*arguments, **settings))

            module.AutoModelForMaskedLM = Loaded

        spec.loader.exec_module = exec_module
        return spec


if FAULT:
    sys.meta_path.insert(0, Finder())
"""


def install(folder: Path) -> dict[str, str]:
    """Variables that put the faults into every interpreter that is started with them."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return {"PYTHONPATH": str(folder)}
