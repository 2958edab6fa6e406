"""Observe what workers do with a dataset: start them, and see whether forked ones disturb it.

The dataset is CpGPT's own, over the user's genome or a made-up one; `own_dataset.py` looks at a
user's with the same functions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import random
import re
import signal
import sqlite3
import stat
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.channel import attempt
from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable

CONTEXT = 2001
WINDOWS = 4000
TRIAL_WORKERS = 8
TRIAL_ROUNDS = 5
START_WORKERS = 2
START_SECONDS = 60
LONGEST_ERROR = 1000  # characters, well below what a pipe takes without a reader
# Larger than the buffer of an open file, so that windows at its ends have to be read from disk.
MADE_UP_BASES = 1_000_000


def made_up_genome(folder: str) -> str:
    """Write a FASTA of one random chromosome and return its path."""
    rng = random.Random(0)
    path = os.path.join(folder, "made-up.fa")
    bases = rng.randbytes(MADE_UP_BASES).translate(b"ACGT" * 64)
    with open(path, "wb") as out:
        out.write(b">1\n")
        out.writelines(bases[at : at + 60] + b"\n" for at in range(0, MADE_UP_BASES, 60))
    return path


def some_locations(fasta: Any, count: int) -> list[str]:
    """Random locations of a genome, in proportion to the lengths of its sequences."""
    rng = random.Random(0)
    lengths = {record.name: len(record) for record in fasta if len(record) > CONTEXT}
    names = rng.choices(list(lengths), weights=list(lengths.values()), k=count)
    return [f"{name}:{rng.randrange(lengths[name])}" for name in names]


def file_offsets() -> dict[int, tuple[str, int]]:
    """Path and position of each open regular file that can be read, by descriptor."""
    import fcntl

    offsets = {}
    for name in os.listdir("/dev/fd"):
        descriptor = int(name)
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        except OSError:
            continue  # the descriptor that listed the folder
        if regular and access != os.O_WRONLY:
            offsets[descriptor] = (
                descriptor_path(descriptor),
                os.lseek(descriptor, 0, os.SEEK_CUR),
            )
    return offsets


def descriptor_path(descriptor: int) -> str:
    if os.path.isdir("/proc/self/fd"):
        return os.readlink(f"/proc/self/fd/{descriptor}")
    import fcntl

    found = fcntl.fcntl(descriptor, getattr(fcntl, "F_GETPATH", 50), b"\0" * 1024)
    return bytes(found).rstrip(b"\0").decode()


def moved_by_a_child(read: Callable[[], int]) -> dict[str, Any]:
    """Files of this process whose position moves when a forked child runs `read`.

    That is the proof that forked workers share it, and needs no luck. Where nothing moved, it
    proves the opposite only if the child did read: so it is also said how the child ended.

    Returns `moved` and `forked` of `facts.Workers`, both None without fork.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        return {"moved": None, "forked": None}
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    before = file_offsets()
    child = context.Process(target=read_and_tell, args=(read, sender))
    child.start()
    sender.close()
    child.join(START_SECONDS)
    late = child.is_alive()
    if late:
        child.kill()
        child.join()
    after = file_offsets()
    told = None
    with contextlib.suppress(EOFError, OSError):
        told = receiver.recv() if receiver.poll() else None
    receiver.close()
    moved = [
        {"path": path, "before": offset, "after": after[descriptor][1]}
        for descriptor, (path, offset) in before.items()
        if descriptor in after and after[descriptor][1] != offset
    ]
    ended = how_it_ended(late, child.exitcode, told)
    return {"moved": moved, "forked": {**ended, "open_files": len(before)}}


def read_and_tell(read: Callable[[], int], sender: Any) -> None:
    """In the child: read, and send what was read, or what `read` raised."""
    first = bytes_read()
    items, error = 0, None
    try:
        items = read()
    except BaseException as caught:
        error = " ".join(f"{type(caught).__name__}: {caught}".split())[:LONGEST_ERROR]
    last = bytes_read()
    size = None if first is None or last is None else last[0] - first[0] - first[1]
    sender.send({"items": items, "size": size, "error": error})


def how_it_ended(late: bool, exit_code: int | None, told: dict[str, Any] | None) -> dict[str, Any]:
    """The fields of `facts.ForkedRead` but `open_files`."""
    if late:
        ended, detail = "timeout", f"{START_SECONDS} s"
    elif told is not None and told["error"] is not None:
        ended, detail = "raised", told["error"]
    elif exit_code is not None and exit_code < 0:
        ended, detail = "killed", signal_name(-exit_code)
    elif exit_code != 0 or told is None:
        ended, detail = "exited", f"status {exit_code}"
    else:
        return {"ended": "well", "detail": None, "items": told["items"], "size": told["size"]}
    return {"ended": ended, "detail": detail, "items": 0, "size": None}


def signal_name(number: int) -> str:
    """The name of a signal; real-time signals have none in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def bytes_read() -> tuple[int, int] | None:
    """Bytes that this process has read by system calls so far, and those that this call reads.

    None where the platform does not count them; Linux does.
    """
    try:
        with open("/proc/self/io", "rb", buffering=0) as stream:
            text = stream.read(4096)
    except OSError:
        return None
    counted = re.search(rb"^rchar: (\d+)$", text, re.MULTILINE)
    return (int(counted[1]), len(text)) if counted else None


def read_ends(dataset: Any) -> int:
    """Read items far from each other; returns how many."""
    last = len(dataset) - 1
    chosen = sorted({0, last // 2, last}) if last >= 0 else []
    for at in chosen:
        dataset[at]
    return len(chosen)


def start(dataset: Any, method: str, collate: Any) -> dict[str, Any]:
    """Really start workers on a dataset and take a few batches."""
    from torch.utils.data import DataLoader

    def take() -> None:
        loader = DataLoader(
            dataset,
            batch_size=2,
            num_workers=START_WORKERS,
            multiprocessing_context=method,
            collate_fn=collate,
            timeout=START_SECONDS,
        )
        for taken, _ in enumerate(loader):
            if taken == START_WORKERS:
                break

    _, outcome = attempt(take)
    return {"start_method": method, "workers": START_WORKERS, "outcome": outcome}


def forked_trial(dataset: Any, fresh: Any, rounds: int = 1) -> dict[str, Any] | None:
    """Read windows with forked workers, and count those that differ from one process's.

    fresh: the same dataset over a file of its own, which no worker touches. rounds: how often at
    the most, until some are wrong; a busy machine can hide what the proof shows.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        return None
    windows = wrong = 0
    for _ in range(rounds):
        read = read_forked(dataset)
        windows += len(read)
        wrong += sum(item["sequence"] != fresh[at]["sequence"] for at, item in enumerate(read))
        if wrong:
            break
    return {"workers": TRIAL_WORKERS, "windows": windows, "wrong": wrong}


def read_forked(dataset: Any) -> list[dict[str, str]]:
    """All items of a dataset in their order, read by forked workers."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        dataset,
        batch_size=8,
        num_workers=TRIAL_WORKERS,
        multiprocessing_context="fork",
        collate_fn=list,
        timeout=START_SECONDS,
    )
    return [item for batch in loader for item in batch]


def look_at_collate(module: Any, dna_llm: str) -> dict[str, Any]:
    """CpGPT's collate function with the model's tokenizer, if that can be loaded from the cache.

    A tokenizer that needs code from the hub is not loaded: an examination runs no such code.
    """
    from transformers import AutoTokenizer

    repository = upstream.repository(dna_llm)
    tokenizer, outcome = attempt(
        lambda: AutoTokenizer.from_pretrained(repository, local_files_only=True)
    )
    seen: dict[str, Any] = {"dna_llm": dna_llm, "outcome": outcome, "fast": None, "anatomy": None}
    if tokenizer is not None:
        collate = partial(module.collate_sequences, tokenizer=tokenizer)
        seen["fast"] = bool(getattr(tokenizer, "is_fast", False))
        seen["anatomy"] = dataclasses.asdict(find_unpicklable(collate, "collate_fn"))
    return seen


def deep(scratch: str) -> list[dict[str, Any]]:
    """Pickle an embedder, and the dataset that CpGPT's own data module makes."""
    dependencies = os.path.join(scratch, "deep")
    upstream.prepare_dependencies(dependencies, "homo_sapiens", "examined")
    processed = os.path.join(scratch, "processed")
    os.makedirs(processed, exist_ok=True)
    with sqlite3.connect(os.path.join(processed, "dataset_metrics.db")) as metrics:
        metrics.execute("CREATE TABLE IF NOT EXISTS unnamed (key TEXT PRIMARY KEY, value BLOB)")

    def embedder() -> Any:
        return upstream.import_as_users_do().DNALLMEmbedder(dependencies)

    def module_dataset() -> Any:
        data = importlib.import_module("cpgpt.data.cpgpt_datamodule")
        module = data.CpGPTDataModule(predict_dir=processed, dependencies_dir=dependencies)
        module.setup("predict")
        return module.data_predict

    looked = []
    for name, make in (("embedder", embedder), ("datamodule.data_predict", module_dataset)):
        obj, outcome = attempt(make)
        anatomy = dataclasses.asdict(find_unpicklable(obj, name)) if obj is not None else None
        looked.append({"name": name, "outcome": outcome, "anatomy": anatomy})
    return looked


def look(request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The fields of `facts.Workers`."""
    scratch = request["scratch"]
    os.chdir(scratch)
    looked = deep(scratch) if request["deep"] else []
    module = upstream.import_as_users_do() if request["deep"] else upstream.import_alone()
    defaults = upstream.call_defaults(module)
    path = request["genome"] or made_up_genome(scratch)
    index = request["index"] if request["genome"] else path + ".fai"
    fasta = partial(module.Fasta, path, indexname=index)
    locations = some_locations(fasta(), WINDOWS)
    dataset = module.GenomicSequenceDataset(locations, fasta(), CONTEXT)
    fresh = module.GenomicSequenceDataset(locations, fasta(), CONTEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts = {
            **moved_by_a_child(partial(read_ends, dataset)),
            "trial": forked_trial(dataset, fresh, TRIAL_ROUNDS),
            "starts": [
                start(dataset, method, list) for method in multiprocessing.get_all_start_methods()
            ],
            "collate": look_at_collate(module, request["dna_llm"] or defaults["dna_llm"]),
            "deep": looked,
        }
    return facts, False
