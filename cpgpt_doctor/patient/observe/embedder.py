"""Observe CpGPT's embedder: import it, try its call, and pickle the dataset that it builds.

CpGPT's own `parse_dna_embeddings` runs, in a scratch folder, over the user's genome or a tiny one,
up to the moment at which it makes its DataLoader. There it is stopped: what it passed is the
evidence for what it would do with a given start method and number of workers, and the dataset and
collate function are the very objects that its workers would get.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import gc
import importlib
import json
import multiprocessing
import os
import random
import re
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.channel import attempt
from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable

SPECIES = "homo_sapiens"
WINDOW = 2000  # bases in a window of CpGPT's default context
WORKERS = 2  # any number above none behaves alike up to the point that is tried here
# What reading a JSON file or parsing Python raises where the file is cut off, empty or other bytes.
UNREADABLE = (OSError, ValueError, SyntaxError, RecursionError, MemoryError)
# Names that the remote code of published models imports from transformers.
REMOTE_NEEDS = ("transformers.pytorch_utils.find_pruneable_heads_and_indices",)


class Reached(BaseException):
    """CpGPT has come as far as it is tried. Not an Exception, so that CpGPT does not handle it."""


def tiny_genome(folder: str) -> str:
    """Write a FASTA of one random chromosome of 6,000 bases, and return its path."""
    rng = random.Random(0)
    path = os.path.join(folder, "genome.fa")
    with open(path, "w", encoding="ascii") as out:
        out.write(">1\n")
        for _ in range(100):
            out.write("".join(rng.choices("ACGT", k=60)) + "\n")
    return path


def load_a_model(folder: str) -> None:
    """Save and load a two-number model, because loading may fix the start method.

    transformers 5 does so while it reads weights; CpGPT tests the start method after that.
    """
    from transformers import AutoModel, EsmConfig, EsmModel

    if not os.path.isdir(folder):
        config = EsmConfig(
            vocab_size=8,
            hidden_size=2,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=2,
            pad_token_id=1,
            position_embedding_type="rotary",
        )
        EsmModel(config).save_pretrained(folder)
    AutoModel.from_pretrained(folder)


@contextlib.contextmanager
def start_method(method: str | None) -> Iterator[None]:
    """Set the start method (None: as if nothing had set it) and put the old one back."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(method, force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(before, force=True)


def try_call(
    module: types.ModuleType,
    embedder: Any,
    genome: str,
    dna_llm: str,
    scratch: str,
    method: str | None,
    workers: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call `parse_dna_embeddings` up to its DataLoader.

    Returns what happened (the fields of `facts.CallTrial`) and the loader's arguments.
    """
    passed: dict[str, Any] = {}
    trial: dict[str, Any] = {
        "start_method": method,
        "asked_workers": workers,
        "start_method_seen": None,
        "workers": None,
        "prefetch_factor": None,
        "pin_memory": None,
        "error": None,
    }

    def load(self: object, dna_llm: str = "") -> tuple[None, None]:
        if method is None:
            load_a_model(os.path.join(scratch, "model"))
        trial["start_method_seen"] = multiprocessing.get_start_method(allow_none=True)
        return None, None

    def make_loader(*args: Any, **settings: Any) -> None:
        passed.update(settings)
        if args:
            passed["dataset"] = args[0]
        trial["workers"] = settings.get("num_workers", 0)
        for name in ("prefetch_factor", "pin_memory"):
            trial[name] = settings.get(name)
        try:
            original(*args, **settings)
        except Exception as error:
            trial["error"] = f"{type(error).__name__}: {error}"
        raise Reached

    with (
        start_method(method),
        upstream.replaced(module.DNALLMEmbedder, "_load_dna_model", load),
        upstream.replaced(module, "DataLoader", make_loader) as original,
    ):
        try:
            embedder.parse_dna_embeddings(
                ["1:3000"], SPECIES, dna_llm=dna_llm, num_workers=workers, genome_file=genome
            )
        except Reached:
            pass
        except Exception as error:
            trial["error"] = f"{type(error).__name__}: {error}"
    return trial, passed


def try_batch(module: types.ModuleType, embedder: Any, genome: str, dna_llm: str) -> dict[str, Any]:
    """Call `parse_dna_embeddings` up to its model, with a batch of windows of unlike token counts.

    The windows are a plain one, a shorter one, as at a contig's start, and one of N. Tokens are
    made by CpGPT's own collate function, with the model's tokenizer where it is cached.
    Returns the fields of `facts.BatchTrial`.
    """
    tokenizer, cached = cached_tokenizer(dna_llm)
    trial: dict[str, Any] = {
        "dna_llm": dna_llm,
        "tokenizer": type(tokenizer).__name__,
        "cached": cached,
        "windows": [],
        "together": None,
        "masked": None,
        "error": None,
    }
    bases = "".join(random.Random(0).choices("ACGT", k=WINDOW))
    windows = {"plain": bases, "short": bases[: WINDOW // 2], "N": "N" * WINDOW}

    class Model:
        device = "cpu"

        def __call__(self, input_ids: Any, *more: Any, **settings: Any) -> None:
            trial["together"] = int(input_ids.shape[1])
            trial["masked"] = bool(more) or settings.get("attention_mask") is not None
            raise Reached

    def make_loader(*_: Any, **settings: Any) -> list[Any]:
        collate = settings["collate_fn"]
        items = [{"location": name, "sequence": each} for name, each in windows.items()]
        for item in items:
            alone = int(collate([item])["input_ids"].shape[1])
            length = len(item["sequence"])
            trial["windows"].append({"kind": item["location"], "bases": length, "alone": alone})
        return [collate(items)]

    with (
        upstream.replaced(
            module.DNALLMEmbedder, "_load_dna_model", lambda *_, **__: (Model(), tokenizer)
        ),
        upstream.replaced(module, "DataLoader", make_loader),
        no_monitor(module),
    ):
        try:
            embedder.parse_dna_embeddings(
                ["1:3000"],
                SPECIES,
                dna_llm=dna_llm,
                batch_size=len(windows),
                num_workers=0,
                genome_file=genome,
            )
        except Reached:
            pass
        except Exception as error:
            trial["error"] = f"{type(error).__name__}: {error}"
    return trial


def no_monitor(module: types.ModuleType) -> AbstractContextManager[Any]:
    """Keep tqdm from starting the thread that watches its bars, which would run on."""
    bar = getattr(module, "tqdm", None)
    if not hasattr(bar, "monitor_interval"):
        return contextlib.nullcontext()
    return upstream.replaced(bar, "monitor_interval", 0)


def cached_tokenizer(dna_llm: str) -> tuple[Any, bool]:
    """The model's tokenizer from the cache, and True; a stand-in and False where that fails.

    A tokenizer that needs code from the hub is not loaded: an examination runs no such code.
    """
    from transformers import AutoTokenizer

    repository = upstream.repository(dna_llm)
    tokenizer, outcome = attempt(
        lambda: AutoTokenizer.from_pretrained(repository, local_files_only=True)
    )
    return (tokenizer, True) if outcome["ok"] else (SixMers(), False)


class SixMers:
    """A tokenizer as the default model's: a token for six bases, or for a letter that is none."""

    pad_token_id = 1

    def __call__(
        self, sequences: list[str], *_: Any, pad_to_multiple_of: int | None = None, **__: Any
    ) -> dict[str, Any]:
        import torch

        counts = [1 + len(re.findall("[ACGT]{6}|.", sequence, re.DOTALL)) for sequence in sequences]
        multiple = pad_to_multiple_of or 1
        length = -(-max(counts) // multiple) * multiple
        mask = torch.zeros((len(counts), length), dtype=torch.long)
        for at, count in enumerate(counts):
            mask[at, :count] = 1
        return {"input_ids": torch.where(mask == 1, 5, self.pad_token_id), "attention_mask": mask}


def remote_code(dna_llm: str) -> dict[str, Any]:
    """Read the cached code of a model: which names of transformers it needs that are missing.

    The code is parsed and never imported; the names are looked up in the installed transformers.
    The first file that is not what its name says is named with its error, and ends the look.
    """
    from huggingface_hub import constants

    name = upstream.repository(dna_llm)
    found: dict[str, Any] = {
        "dna_llm": dna_llm,
        "repository": name,
        "cached": False,
        "files": [],
        "missing": [],
        "unreadable": None,
        "weights": None,
        "layers": None,
        "width": None,
    }
    if name is None:
        return found
    folder = os.path.join(constants.HF_HUB_CACHE, "models--" + name.replace("/", "--"))
    at = folder
    try:
        for snapshot in snapshots(folder):
            at = os.path.join(snapshot, "config.json")
            if not os.path.isfile(at):
                continue
            found["cached"] = True
            own_code = has_own_code(at)
            files = sorted(os.listdir(snapshot))
            found["weights"] = weights(snapshot, files)
            config = read_json(at)
            for field, key in (("layers", "num_hidden_layers"), ("width", "hidden_size")):
                found[field] = config.get(key) if type(config.get(key)) is int else None
            for file in files:  # of the tokenizer, too: transformers reads them as they are
                at = os.path.join(snapshot, file)
                if file.endswith(".json") and os.path.isfile(at):
                    read_json(at)
            if not own_code:
                continue  # transformers' own classes are used
            for file in files:
                at = os.path.join(snapshot, file)
                if file.endswith(".py") and os.path.isfile(at):
                    found["files"].append(at)
                    with open(at, "rb") as stream:
                        found["missing"] += missing_names(stream.read(), at)
    except UNREADABLE as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        found["cached"] = True
        found["unreadable"] = {"path": at, "error": text}
    return found


def weights(snapshot: str, files: list[str]) -> int | None:
    """Bytes of the weights that transformers loads: safetensors go before torch's own format."""
    for ending in (".safetensors", ".bin"):
        sizes = [
            os.path.getsize(os.path.join(snapshot, file))
            for file in files
            if file.endswith(ending) and not file.startswith("training_args")
        ]
        if sizes:
            return sum(sizes)
    return None


def snapshots(folder: str) -> list[str]:
    """The snapshot of a cached model that huggingface_hub takes: the one that refs/main names.

    None where that one is not there, which is so where there is no refs/main.
    """
    inside = os.path.join(folder, "snapshots")
    if not os.path.isdir(inside):
        return []
    names = sorted(os.listdir(inside))
    reference, revision = os.path.join(folder, "refs", "main"), "main"
    if os.path.isfile(reference):
        with open(reference, encoding="utf-8") as stream:
            revision = stream.read()
    return [os.path.join(inside, name) for name in names if name == revision]


def has_own_code(config: str) -> bool:
    """Whether a model's config.json names classes of its own; ValueError where it is no object."""
    data = read_json(config)
    if not isinstance(data, dict):
        raise ValueError("it holds no JSON object")
    return bool(data.get("auto_map"))


def read_json(path: str) -> Any:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def missing_names(source: bytes, path: str) -> list[dict[str, Any]]:
    """Names that `source` imports from transformers and that are not there.

    Those for whose absence it is prepared, in a `try` that catches ImportError, do not count.
    """
    missing = []
    tree = ast.parse(source)
    prepared = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try) and any(map(catches_import_error, block.handlers))
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in prepared:
            continue
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            if node.module.split(".")[0] != "transformers":
                continue
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if not exists(full):
                    missing.append({"name": full, "path": path, "line": node.lineno})
    return missing


def catches_import_error(handler: ast.ExceptHandler) -> bool:
    """Whether it catches what is raised where a name is not in its module."""
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {each.id for each in caught if isinstance(each, ast.Name)}
    return bool(names & {"ImportError", "Exception", "BaseException"})


def exists(full: str) -> bool:
    module, _, name = full.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except Exception:  # the model's own import of it would fail as well
        return False


def distributions_in_use() -> list[str]:
    """Normalized names of the distributions of which a module is loaded now."""
    from importlib import metadata

    from cpgpt_doctor.patient.observe.packages import normalized

    loaded = {name.partition(".")[0] for name in sys.modules}
    return sorted(
        {
            normalized(distribution)
            for module, distributions in metadata.packages_distributions().items()
            if module in loaded
            for distribution in distributions
        }
    )


def look(request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The fields of `facts.Embedder`; works in `request["scratch"]` only.

    The interpreter is spent where CpGPT cannot be imported, and where what was tried has started
    threads or CUDA: forked workers would inherit what a user's do not. So it is where another
    embedder is to be pickled, since CpGPT's loggers are numbered and a culprit's path names one.
    """
    scratch = request["scratch"]
    os.chdir(scratch)  # CpGPT's logger makes a folder where it is
    module, imported = attempt(upstream.import_as_users_do)
    before = threads()
    in_use = distributions_in_use()
    alone = None
    if module is None:
        module, alone = attempt(upstream.import_alone)
    facts: dict[str, Any] = {"imported": imported, "imported_alone": alone, "in_use": in_use}
    facts["examined"] = examine(module, request) if isinstance(module, types.ModuleType) else None
    gc.collect()  # closes the files of what was tried
    spent = alone is not None or request["deep"] or threads() > before or cuda_is_ours()
    return facts, spent


def threads() -> int:
    """Threads of this process: the libraries', too, where the system counts them, as Linux does."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def cuda_is_ours() -> bool:
    """Whether this process has initialised CUDA, which a process that it forks cannot use then."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def examine(module: types.ModuleType, request: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `facts.EmbedderExamined`."""
    scratch = request["scratch"]
    dependencies = os.path.join(scratch, "dependencies")
    upstream.prepare_dependencies(dependencies, SPECIES, "examined")
    missing = upstream.missing_seams(module)
    embedder = None if upstream.EMBEDDER in missing else module.DNALLMEmbedder(dependencies)
    if embedder is not None and not hasattr(embedder, upstream.WIDTHS.rpartition(".")[2]):
        missing.append(upstream.WIDTHS)
    if embedder is None or missing:
        return {"file": str(module.__file__), "missing_seams": missing}
    models = dict(embedder.llm_embedding_size_dict)
    defaults = upstream.call_defaults(module)
    dna_llm = defaults["dna_llm"]

    if request["genome"] is None:
        genome, opened = tiny_genome(scratch), {}
    else:
        genome, opened = request["genome"], {"indexname": request["index"]}
    fasta = module.Fasta

    def open_genome(path: str, **options: Any) -> Any:
        return fasta(path, **{**opened, **options})

    trials = []
    passed: dict[str, Any] = {}
    with upstream.replaced(module, "Fasta", open_genome), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in (None, *multiprocessing.get_all_start_methods()):
            for workers in (0, WORKERS):
                trial, arguments = try_call(
                    module, embedder, genome, dna_llm, scratch, method, workers
                )
                trials.append(trial)
                passed = passed or arguments
        asked = request["dna_llm"] if request["dna_llm"] in models else dna_llm
        batch = try_batch(module, embedder, genome, asked)
    dataset = find_unpicklable(passed["dataset"], "dataset") if "dataset" in passed else None
    return {
        "file": str(module.__file__),
        "missing_seams": [],
        "models": models,
        "defaults": {key: value for key, value in defaults.items() if value is not None},
        "lines": upstream.loader_lines(module),
        "genome": request["genome"],
        "dataset": dataclasses.asdict(dataset) if dataset else None,
        "trials": trials,
        "remote_code": [remote_code(name) for name in models],
        "remote_needs": {name: exists(name) for name in REMOTE_NEEDS},
        "batch": batch,
    }
