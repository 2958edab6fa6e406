"""Measure loading: CpGPT's own, with some worker settings, and the safe path of run-embed.

Windows are read by CpGPT's own dataset and collated by its own function with the real tokenizer.
Every window that a setting delivers is compared with CpGPT's own path in one process, where
nothing can disturb the file. The settings take turns in rounds, since machines drift.

Nothing is downloaded: tokenizer and model come from the local cache or not at all. If the cached
repository has code of its own, it runs, as it does in every run of CpGPT (`trust_remote_code`).
The model comes last: workers are forked from a process without it, so that none inherits CUDA.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TextIO

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.channel import attempt, send
from cpgpt_doctor.patient.compute import demo
from cpgpt_doctor.patient.compute.reader import shareable
from cpgpt_doctor.patient.compute.tokens import Table, Tokens, is_plain, make_table
from cpgpt_doctor.patient.compute.treatments import WORKER_SECONDS, Batching, Loader
from cpgpt_doctor.patient.observe.workers import CONTEXT, made_up_genome, some_locations

SAFE_TIMES = 8  # the safe path is timed on so many times the windows
# and about as long as CpGPT's own: a burst of a busy machine's CPU must not flatter it.
SAFE_SECONDS_A_WINDOW = 0.0015
FORWARD_SECONDS = 3.0
FORWARD_PASSES = (3, 30)  # at least, at most
WITHOUT_GUARD = (
    "this CpGPT itself ends with an error at num_workers=0 (CPG203); measured without"
    " prefetch_factor"
)

Batch = dict[str, Any]


class Refused(Exception):
    """The request cannot be measured; the text is one line for the user."""


@dataclass
class Setting:
    """What was measured of one setting.

    rates: windows a second, one a round. compared, wrong: windows, over all rounds. note: what
    else there is to say, such as why it has no rate.
    """

    path: str
    workers: int
    start_method: str | None
    rates: list[float] = field(default_factory=list)
    compared: int = 0
    wrong: int = 0
    note: str | None = None
    over: bool = False

    def as_data(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "workers": self.workers,
            "start_method": self.start_method,
            "rates": self.rates,
            "compared": self.compared,
            "wrong": self.wrong,
            "note": self.note,
        }


@dataclass(frozen=True)
class World:
    """What is loaded, and by what.

    locations: SAFE_TIMES times the windows, of which the slow settings load the first `windows`.
    """

    module: Any
    tokenizer: Any
    table: Table | None
    genome: Callable[[], Any]
    locations: list[str]
    windows: int
    batch_size: int

    @property
    def collate(self) -> Callable[[list[Any]], Batch]:
        return partial(self.module.collate_sequences, tokenizer=self.tokenizer)

    def dataset(self, locations: list[str], genome: Any) -> Any:
        return self.module.GenomicSequenceDataset(locations, genome, CONTEXT)

    def ids(self, row: Any) -> bytes:
        """A window's tokens without padding."""
        pad = getattr(self.tokenizer, "pad_token_id", None)
        kept = row if pad is None else row[row != pad]
        return bytes(kept.numpy().tobytes())


@dataclass(frozen=True)
class Reference:
    """CpGPT's own path in one process, each window alone.

    ids: tokens by location. plain: the share of windows of upper-case A, C, G and T only. length:
    the most common padded length in tokens.
    """

    ids: dict[str, bytes]
    plain: float
    length: int


def make_world(request: dict[str, Any]) -> World:
    module = upstream.import_alone()
    dna_llm = request["dna_llm"] or upstream.call_defaults(module)["dna_llm"]
    tokenizer = cached_tokenizer(dna_llm)
    path = request["genome"] or made_up_genome(request["scratch"])
    genome = partial(module.Fasta, path, indexname=index_of(path, request["scratch"]))
    size = request["batch_size"]
    opened, outcome = attempt(lambda: shareable(genome()))
    if opened is None:
        raise Refused(f"--genome {path}: cannot be read: {outcome['error']}")
    if not any(len(record) > CONTEXT for record in opened):  # type: ignore[attr-defined]
        raise Refused(f"--genome {path}: no sequence is longer than {CONTEXT} bases")
    drawn = some_locations(opened, request["windows"] * SAFE_TIMES)
    locations = list(dict.fromkeys(drawn))
    windows = min(request["windows"], len(locations))
    if windows < 2 * size:
        raise Refused(f"--genome {path}: {windows} positions are too few for batches of {size}")
    return World(module, tokenizer, make_table(tokenizer), genome, locations, windows, size)


def cached_tokenizer(dna_llm: str) -> Any:
    from transformers import AutoTokenizer

    repository = upstream.repository(dna_llm)
    if repository is None:
        raise Refused(f"--dna-llm {dna_llm}: CpGPT knows no such model")
    tokenizer, tried = attempt(
        lambda: AutoTokenizer.from_pretrained(
            repository, local_files_only=True, trust_remote_code=True
        )
    )
    if tokenizer is None:
        absent = tried["error_type"] == "OSError"
        why = "" if absent else f" ({tried['error_type']}: {tried['error']})"
        raise Refused(
            f"the tokenizer of {repository} is not in the local cache, or does not load{why}:"
            " set HF_HOME to the cache of your CpGPT, or make one with `cpgpt-doctor run-embed"
            " --demo` and set HF_HOME to its folder cpgpt-doctor-demo/huggingface"
        )
    return tokenizer


def index_of(path: str, scratch: str) -> str:
    """The index beside a genome where it is fresh, else one of our own: none is written there."""
    beside = path + ".fai"
    if os.path.exists(beside) and os.path.getmtime(beside) >= os.path.getmtime(path):
        return beside
    return os.path.join(scratch, "bench.fai")


def reference(world: World) -> Reference:
    locations = world.locations[: world.windows]
    dataset = world.dataset(locations, world.genome())
    ids, lengths, plain = {}, Counter[int](), 0
    for at, location in enumerate(locations):
        item = dataset[at]
        row = world.collate([item])["input_ids"][0]
        ids[location] = world.ids(row)
        lengths[len(row)] += 1
        plain += is_plain(item["sequence"])
    return Reference(ids, plain / len(locations), lengths.most_common(1)[0][0])


def own_loader(world: World, setting: Setting) -> Iterable[Batch]:
    """torch's DataLoader with CpGPT's settings.

    `pin_memory` is True in CpGPT, and does nothing without CUDA but warn.
    """
    import torch
    from torch.utils.data import DataLoader

    with_workers = {
        "num_workers": setting.workers,
        "prefetch_factor": 2,
        "persistent_workers": True,
        "multiprocessing_context": setting.start_method,
        "timeout": WORKER_SECONDS,
    }
    loader: Iterable[Batch] = DataLoader(
        world.dataset(world.locations[: world.windows], world.genome()),
        batch_size=world.batch_size,
        shuffle=False,
        collate_fn=world.collate,
        pin_memory=torch.cuda.is_available(),
        **(with_workers if setting.workers else {"num_workers": 0}),
    )
    return loader


def safe_loader(world: World, known: Reference, locations: list[str]) -> Iterable[Batch]:
    """The loading of run-embed in one process."""
    import torch
    from torch.utils.data import DataLoader

    return Loader(
        dataset=world.dataset(locations, shareable(world.genome())),
        tokens=Tokens(world.collate, world.table),
        make=DataLoader,
        batching=Batching(world.batch_size, frozenset({known.length})),
        workers=0,
        start_method=None,
        pin_memory=torch.cuda.is_available(),
        progress=lambda done: None,
    )


def timed(loader: Iterable[Batch], see: Callable[[Batch], object]) -> tuple[int, float]:
    """Windows and seconds, from the first batch on: starting workers is not counted."""
    batches = iter(loader)
    see(next(batches))
    windows = 0
    started = time.perf_counter()
    for batch in batches:
        see(batch)
        windows += len(batch["locations"])
    return windows, time.perf_counter() - started


def count_wrong(world: World, known: Reference, setting: Setting, batch: Batch) -> None:
    for location, row in zip(batch["locations"], batch["input_ids"], strict=True):
        setting.compared += 1
        setting.wrong += world.ids(row) != known.ids[location]


def measure_own(world: World, known: Reference, setting: Setting) -> None:
    """Time a pass of CpGPT's loading; comparing costs a few µs of some hundreds a window."""
    seen, outcome = attempt(
        lambda: timed(own_loader(world, setting), partial(count_wrong, world, known, setting))
    )
    if isinstance(seen, tuple):
        windows, seconds = seen
        setting.rates.append(windows / seconds)
    else:
        setting.over = True
        setting.note = f"{setting.start_method}: {outcome['error_type']}: {outcome['error']}"


def measure_safe(world: World, known: Reference, setting: Setting) -> None:
    """Time passes, then compare in another: comparing would cost as much as loading does here."""
    windows, seconds = 0, 0.0
    while seconds < SAFE_SECONDS_A_WINDOW * world.windows:
        loader = safe_loader(world, known, world.locations)
        loaded, took = timed(loader, lambda batch: None)
        windows, seconds = windows + loaded, seconds + took
    setting.rates.append(windows / seconds)
    for batch in safe_loader(world, known, world.locations[: world.windows]):
        count_wrong(world, known, setting, batch)


def own_settings(module: Any, request: dict[str, Any]) -> list[Setting]:
    """CpGPT's settings, with what its guard makes of them (from 0.0.8)."""
    import multiprocessing

    method = request["start_method"] or multiprocessing.get_start_method()
    guard = "guard" in upstream.loader_lines(module)
    settings = []
    for workers in request["workers"]:
        setting = Setting("cpgpt", workers, method if workers else None)
        if workers and guard and (sys.platform == "darwin" or method == "spawn"):
            setting.over = True
            setting.note = "CpGPT falls back to 0 workers here"
        elif not workers and not guard:
            setting.note = WITHOUT_GUARD
        settings.append(setting)
    return settings


def forward(world: World, dna_llm: str, scratch: str) -> dict[str, Any]:
    """Time the model on a batch as CpGPT does, from the batch to its rows.

    Returns the fields of `bench.Forward`; `seconds` is the median of a pass over one batch.
    """
    dependencies = os.path.join(scratch, "dependencies")
    upstream.prepare_dependencies(dependencies, "homo_sapiens", "bench")
    model, _ = world.module.DNALLMEmbedder(dependencies)._load_dna_model(dna_llm)
    dataset = world.dataset(world.locations, world.genome())
    batch = world.collate([dataset[at] for at in range(world.batch_size)])
    one_pass(model, batch, dna_llm)  # the first pass warms up
    seconds: list[float] = []
    least, most = FORWARD_PASSES
    while len(seconds) < least or (len(seconds) < most and sum(seconds) < FORWARD_SECONDS):
        started = time.perf_counter()
        one_pass(model, batch, dna_llm)
        seconds.append(time.perf_counter() - started)
    return {
        "device": device_name(model.device),
        "seconds": statistics.median(seconds),
        "passes": len(seconds),
        "batch": world.batch_size,
        "tokens": int(batch["input_ids"].shape[1]),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "demo": getattr(model.config, "_commit_hash", None) == demo.REVISION,
    }


def one_pass(model: Any, batch: Batch, dna_llm: str) -> None:
    """What CpGPT does with a batch; the rows that arrive on the CPU end the device's work."""
    import torch

    input_ids = batch["input_ids"].to(model.device)
    mask = batch["attention_mask"].float().to(model.device).unsqueeze(-1)
    with torch.inference_mode():
        if dna_llm == "DNABERT-2-117M":
            hidden = model(input_ids)[0]
        else:
            hidden = model(input_ids, output_hidden_states=True).hidden_states[-1]
        ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).cpu().numpy()


def device_name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def versions() -> dict[str, str]:
    from importlib import metadata

    names = ("CpGPT", "torch", "transformers", "pyfaidx", "numpy")
    return {name: metadata.version(name) for name in names}


def cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `bench.Measured`."""
    os.chdir(request["scratch"])  # CpGPT's logger makes a folder where it is
    world = make_world(request)
    dna_llm = request["dna_llm"] or upstream.call_defaults(world.module)["dna_llm"]
    known = reference(world)
    own = own_settings(world.module, request)
    safe = Setting("safe", 0, None)
    for _ in range(request["rounds"]):
        for setting in own:
            if not setting.over:
                measure_own(world, known, setting)
        measure_safe(world, known, safe)
    forwarded, outcome = attempt(lambda: forward(world, dna_llm, request["scratch"]))
    problem = f"{outcome['error_type']}: {outcome['error']}".splitlines()[0]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": cpus(),
        "versions": versions(),
        "genome": request["genome"],
        "dna_llm": dna_llm,
        "batch_size": world.batch_size,
        "windows": world.windows,
        "safe_windows": len(world.locations),
        "plain": known.plain,
        "table": world.table is not None,
        "settings": [setting.as_data() for setting in (*own, safe)],
        "forward": forwarded,
        "forward_problem": None if forwarded else problem,
    }


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    """Answer `{"refused", "measured"}`, of which one is None."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    answer: dict[str, Any] = {"refused": None, "measured": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer["measured"] = measure(request)
        except Refused as refused:
            answer["refused"] = str(refused)
    send(channel, answer)
