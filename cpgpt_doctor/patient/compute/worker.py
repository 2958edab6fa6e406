"""The embedding worker: CpGPT's own code computes parts into private staging folders.

Commands come as JSON lines, and so do the answers, with signs of life and of progress in between.
Everything that CpGPT prints goes to the log. When the supervisor is gone its pipe closes, and the
worker ends itself.

    {"op": "database", "folder", "metadata"}      CpGPT builds its metadata database there
    {"op": "model", "dna_llm"}                    is the model cached? see `embedder.remote_code`
    {"op": "load", ...}                           load the model; see `Session`
    {"op": "tokens", "locations"}                 may tokens be looked up?
    {"op": "measure", "folder", "locations"}      is a batch equal to its windows alone?
    {"op": "embed", "folder", "locations", "alone", "padding", "letters"}   compute a part into a
                    store in that folder; padding: as another release pads, None as this one does;
                    letters: see `treatments.with_letters`, None as they are
    {"op": "pad", "padding"}   from here on, compute rows of windows padded to this many tokens
    {"op": "lengths", "locations"}                tokens of each window alone, without padding
    {"op": "scan", "path", "row_bytes", "ranges"}  look at stored rows; see `scan.rows`
    {"op": "find" | "closest" | "nearest" | "compare", ...}   see `audit`
    {"op": "reference", ...}   unmodified CpGPT, in a worker of its own; see `reference.embed`
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.channel import send
from cpgpt_doctor.patient.compute import audit, identity, reference, scan
from cpgpt_doctor.patient.compute.reader import shareable
from cpgpt_doctor.patient.compute.rounding import ROUNDING, relative_difference
from cpgpt_doctor.patient.compute.tokens import Frame, Table, Tokens, make_table
from cpgpt_doctor.patient.compute.treatments import Batching, Loader, PaddedTo, with_letters
from cpgpt_doctor.patient.observe import embedder

ALIVE_SECONDS = 5.0
Collate = Callable[[list[Any]], dict[str, Any]]


class Session:
    """One model, loaded once, and the settings of a run.

    request: species, dna_llm, context_len, batch_size, num_workers, start_method (None: the
    platform's), device ("cpu", "cuda", "mps", or "auto": the best that torch has), genome and index
    (paths).
    """

    def __init__(self, request: dict[str, Any], channel: TextIO) -> None:
        self.request = request
        self.channel = channel
        self.module = upstream.import_alone()
        self.batching = Batching(request["batch_size"])
        self.model: Any = None
        self.tokenizer: Any = None
        self.table: Table | None = None
        self.frames: dict[int, Frame | None] = {}
        self.release_padding = self.padding = 1  # known once the model is loaded
        self.other_frames: dict[int, dict[int, Frame | None]] = {}  # by another padding

    def embedder(self, folder: str) -> Any:
        """A CpGPT embedder over an empty folder of its own."""
        shutil.rmtree(folder, ignore_errors=True)
        upstream.prepare_dependencies(folder, self.request["species"], "staged")
        return self.module.DNALLMEmbedder(folder)

    def load(self, folder: str) -> dict[str, Any]:
        """Load the model as CpGPT does, and move it to the asked device (CPG303)."""
        started = time.perf_counter()
        embedder = self.embedder(folder)
        dna_llm = self.request["dna_llm"]
        self.model, self.tokenizer = embedder._load_dna_model(dna_llm)
        collate = partial(self.module.collate_sequences, tokenizer=self.tokenizer)
        self.release_padding = self.padding = identity.padding(collate)
        model = {
            **identity.of_model(self.model, upstream.repository(dna_llm)),
            "padding": self.padding,
        }
        device = self.request["device"]
        self.model = self.model.to(best_device() if device == "auto" else device)
        return {
            "event": "loaded",
            "seconds": time.perf_counter() - started,
            "width": embedder.llm_embedding_size_dict[dna_llm],
            "device": str(self.model.device),
            "model": model,
            "versions": versions(),
        }

    def pad(self, padding: int) -> dict[str, Any]:
        """Compute rows of this kind from here on; nothing is known of its tokens and batches."""
        self.padding = padding
        self.table, self.frames = None, {}
        self.batching = Batching(self.request["batch_size"])
        return {"event": "padded"}

    def collate(self) -> Collate:
        """CpGPT's collate function, for windows of the kind of rows that is computed."""
        own = partial(self.module.collate_sequences, tokenizer=self.tokenizer)
        return self.padded(self.padding, own)

    def padded(self, padding: int, collate: Collate) -> Collate:
        """The same with another padding, where this release has another one."""
        if padding == self.release_padding:
            return collate
        return PaddedTo(padding, collate, self.tokenizer)

    def embed(
        self,
        folder: str,
        locations: list[str],
        batching: Batching,
        workers: int = 0,
        padding: int | None = None,
        letters: str | None = None,
    ) -> None:
        """Let CpGPT embed `locations` into a store in `folder`.

        padding: pad each window to this multiple of tokens, to tell which kind of rows a store
        holds; None pads as `pad` said, and as this release does where it said nothing. letters:
        what to make of each window's letters first; None leaves them.
        """
        embedder = self.embedder(folder)
        request = self.request

        def loaded(embedder: object, dna_llm: str = "") -> tuple[Any, Any]:
            return self.model, self.tokenizer

        def make_loader(dataset: Any, *, collate_fn: Any, **settings: Any) -> Loader:
            tokens: Callable[[list[Any]], list[dict[str, Any]]]
            if padding in (None, self.padding):
                frames = self.frames
                collate = self.padded(self.padding, collate_fn)
            else:
                frames = self.other_frames.setdefault(padding, {})
                collate = self.padded(padding, collate_fn)
            tokens = Tokens(collate, self.table, frames)
            if letters is not None:
                tokens = with_letters(letters, request["context_len"], tokens)
            return Loader(
                dataset=dataset,
                tokens=tokens,
                make=original,
                batching=batching,
                workers=workers,
                start_method=request["start_method"],
                pin_memory=self.model.device.type == "cuda",
                progress=lambda done: send(self.channel, {"event": "progress", "done": done}),
            )

        with (
            upstream.replaced(self.module.DNALLMEmbedder, "_load_dna_model", loaded),
            upstream.replaced(self.module, "DataLoader", make_loader) as original,
            upstream.replaced(self.module, "Fasta", lambda path: self.genome()),
        ):
            embedder.parse_dna_embeddings(
                locations,
                request["species"],
                dna_context_len=request["context_len"],
                dna_llm=request["dna_llm"],
                batch_size=batching.size,
                num_workers=workers,
                genome_file=request["genome"],
            )
        self.check_finite(embedder, locations)

    def genome(self) -> Any:
        """The genome as CpGPT opens it, made safe for workers (CPG201, CPG202)."""
        from pyfaidx import Fasta

        return shareable(Fasta(self.request["genome"], indexname=self.request["index"]))

    def dataset(self, locations: list[str]) -> Any:
        length = self.request["context_len"]
        return self.module.GenomicSequenceDataset(locations, self.genome(), length)

    def check_tokens(self, locations: list[str]) -> dict[str, Any]:
        """Collate a sample both ways; from then on tokens are looked up where all were equal."""
        collate = self.collate()
        self.table = make_table(self.tokenizer)
        dataset = self.dataset(locations)
        items = [dataset[at] for at in range(len(locations))]
        blocks = Tokens(collate, self.table, self.frames)(items)
        equal = all(same_as_alone(block, items, collate) for block in blocks)
        if not equal:
            self.table, self.frames = None, {}
        bases = self.table.bases if self.table else None
        return {"event": "checked", "windows": len(items), "equal": equal, "bases": bases}

    def lengths(self, locations: list[str]) -> dict[str, Any]:
        """How many tokens each window has alone, without padding."""
        dataset = self.dataset(locations)
        lengths = []
        for at in range(len(locations)):
            batch = self.module.collate_sequences([dataset[at]], tokenizer=self.tokenizer)
            lengths.append(int(batch["attention_mask"].sum()))
        return {"event": "counted", "lengths": lengths}

    def rows(self, embedder: Any, locations: list[str]) -> Any:
        """The stored rows of `locations`, an array of (locations, width) float32."""
        import numpy

        request = self.request
        settings = request["species"], request["dna_llm"], request["context_len"]
        return numpy.stack([embedder.get_embedding(each, *settings) for each in locations])

    def check_finite(self, embedder: Any, locations: list[str]) -> None:
        import numpy

        rows = self.rows(embedder, locations)
        bad = ~numpy.isfinite(rows).all(axis=1) | ~rows.any(axis=1)
        if bad.any():
            first = locations[int(bad.argmax())]
            raise ValueError(f"{int(bad.sum())} rows are not finite or all zero, first {first}")

    def measure(self, folder: str, locations: list[str]) -> dict[str, Any]:
        """Compare a full batch with the same windows alone, at their most common padded length.

        Sets the lengths at which batches may be used. Returns the largest difference relative to a
        row's norm (0: every bit was equal; None: too few windows to tell), and whether batches are
        used: on a CPU where every bit was equal, elsewhere where only rounding differed.
        """
        size = self.batching.size
        length, chosen = self.most_common_length(locations)
        answer: dict[str, Any] = {"event": "measured", "tokens": length, "windows": len(chosen)}
        if len(chosen) < size:
            return {**answer, "difference": None, "used": False}
        chosen = chosen[:size]
        self.embed(folder, chosen, Batching(1))
        alone = self.rows(self.reopened(folder), chosen)
        self.embed(folder, chosen, Batching(size, frozenset({length})))
        together = self.rows(self.reopened(folder), chosen)
        difference = max(
            relative_difference(row.tobytes(), reference.tobytes())
            for row, reference in zip(together, alone, strict=True)
        )
        used = difference <= (0.0 if self.model.device.type == "cpu" else ROUNDING)
        if used:
            self.batching = Batching(size, frozenset({length}))
        return {**answer, "difference": difference, "used": used}

    def reopened(self, folder: str) -> Any:
        return self.module.DNALLMEmbedder(folder)

    def most_common_length(self, locations: list[str]) -> tuple[int, list[str]]:
        dataset, collate = self.dataset(locations), self.collate()
        by_length: dict[int, list[str]] = {}
        for at, location in enumerate(locations):
            tokens = collate([dataset[at]])["input_ids"].shape[1]
            by_length.setdefault(int(tokens), []).append(location)
        return max(by_length.items(), key=lambda item: len(item[1]))


def same_as_alone(block: dict[str, Any], items: list[Any], collate: Any) -> bool:
    """Whether each window of a block has the tokens that CpGPT's collate function gives it."""
    by_location = {item["location"]: item for item in items}
    for at, location in enumerate(block["locations"]):
        alone = collate([by_location[location]])
        for key in ("input_ids", "attention_mask"):
            one, other = alone[key][0], block[key][at]
            if one.dtype != other.dtype or one.tolist() != other.tolist():
                return False
    return True


def best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def versions() -> dict[str, str]:
    """Versions of what computes the rows."""
    import platform
    from importlib import metadata

    names = ("CpGPT", "torch", "transformers", "tokenizers", "pyfaidx", "numpy")
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def build_database(folder: str, metadata: str) -> None:
    """Let CpGPT make `ensembl_metadata.db` of the user's Ensembl metadata, in `folder`."""
    genomes = os.path.join(folder, "genomes")
    os.makedirs(genomes, exist_ok=True)
    shutil.copy(metadata, os.path.join(genomes, os.path.basename(metadata)))
    upstream.import_alone().DNALLMEmbedder(folder)


def read_commands(commands: TextIO, waiting: queue.Queue[dict[str, Any]]) -> None:
    import json

    for line in commands:
        waiting.put(json.loads(line))
    os._exit(1)  # the supervisor is gone; what is not committed is not lost, only computed again


def beat(channel: TextIO) -> None:
    """Say again and again that this process runs, and how much it has computed.

    A thread of its own does: one that hangs beside it shows in the processor seconds.
    """
    with contextlib.suppress(OSError):  # the supervisor is gone; then our commands end, too
        while True:
            send(channel, {"event": "alive", "cpu": time.process_time()})
            time.sleep(ALIVE_SECONDS)


def looking(
    look: Callable[..., dict[str, Any]],
) -> Callable[[dict[str, Any], TextIO], dict[str, Any]]:
    """What looks through a file, telling how many rows it has looked at."""

    def run(arguments: dict[str, Any], channel: TextIO) -> dict[str, Any]:
        def progress(done: int) -> None:
            send(channel, {"event": "progress", "done": done})

        return look(**arguments, progress=progress)

    return run


AUDIT = {
    "find": looking(audit.find),
    "closest": looking(audit.closest),
    "compare": looking(audit.compare),
    "nearest": looking(audit.nearest),
}


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    os.chdir(request["folder"])  # CpGPT's logger makes a folder where it is
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read_commands, args=(commands, waiting), daemon=True).start()
    threading.Thread(target=beat, args=(channel,), daemon=True).start()
    session: Session | None = None
    try:
        while True:
            command = waiting.get()
            if command["op"] == "database":
                build_database(command["folder"], command["metadata"])
                send(channel, {"event": "built"})
            elif command["op"] == "model":
                send(
                    channel, {"event": "looked", "model": embedder.remote_code(command["dna_llm"])}
                )
            elif command["op"] == "load":
                session = Session(command, channel)
                send(channel, session.load(command["folder"]))
            elif command["op"] == "reference":
                send(channel, reference.embed(command))
            elif command["op"] == "scan":
                send(channel, scan.rows(command["path"], command["row_bytes"], command["ranges"]))
            elif command["op"] in AUDIT:
                send(channel, AUDIT[command.pop("op")](command, channel))
            elif session is None:
                raise RuntimeError(f"{command['op']} before load")
            elif command["op"] == "pad":
                send(channel, session.pad(command["padding"]))
            elif command["op"] == "tokens":
                send(channel, session.check_tokens(command["locations"]))
            elif command["op"] == "lengths":
                send(channel, session.lengths(command["locations"]))
            elif command["op"] == "measure":
                send(channel, session.measure(command["folder"], command["locations"]))
            else:
                folder, locations = command["folder"], command["locations"]
                if command["alone"]:
                    padding, letters = command["padding"], command.get("letters")
                    session.embed(folder, locations, Batching(1), padding=padding, letters=letters)
                else:
                    workers = session.request["num_workers"]
                    session.embed(folder, locations, session.batching, workers)
                send(channel, {"event": "embedded"})
    except Exception as error:
        with contextlib.suppress(OSError):  # the disk of the log is full: say at least the error
            traceback.print_exc()
        send(
            channel,
            {"event": "error", "type": type(error).__name__, "message": str(error)},
        )
        sys.exit(1)
