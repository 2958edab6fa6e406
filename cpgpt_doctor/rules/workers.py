"""CPG2xx: CpGPT's dataset, and the settings of the DataLoader that it makes."""

from __future__ import annotations

from dataclasses import replace

from cpgpt_doctor.facts import CallTrial, EmbedderExamined, Facts
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule, examined, severity

PICKLING = ("spawn", "forkserver")

# benchmarks/worker_settings.py and benchmarks/loading.md: CpGPT 0.0.13's own dataset and tokenizer,
# windows of 2,000 bases, Nucleotide Transformer v2 tokens, 2 CPU cores, Python 3.11.
COST = (
    "Measured on 2 CPU cores (benchmarks/worker_settings.py): CpGPT's own code prepared 616 windows"
    " a second without workers, and at batch_size=1, its default, 507 to 581 with 2 to 8: there,"
    " workers cost more than they gave. At batch_size=8 it was 667 without and 1,063 to 1,155 with."
    " cpgpt-doctor bench measures it on your machine."
)


def trial(facts: EmbedderExamined, method: str | None, workers: bool) -> CallTrial | None:
    """The recorded trial of CpGPT's call with this start method, with or without workers."""
    return next(
        (
            trial
            for trial in facts.trials
            if trial.start_method == method and bool(trial.asked_workers) == workers
        ),
        None,
    )


def place(facts: EmbedderExamined, setting: str, call: str) -> Location:
    line = facts.lines.get(setting, facts.lines.get("DataLoader"))
    return Location(facts.file, line, call=call)


def effective_trial(facts: EmbedderExamined, call: Call) -> CallTrial | None:
    """The trial in the circumstances of the call: a chosen start method is seen by the guard."""
    return trial(facts, call.start_method if call.chosen else None, bool(call.num_workers))


def no_workers_crashes(facts: EmbedderExamined) -> str | None:
    """The error that num_workers=0 meets in this release, None where it works."""
    without = trial(facts, None, workers=False)
    return without.error if without else None


NO_WORKERS = "embedder.parse_dna_embeddings(locations, species, num_workers=0)"
NO_WORKERS_WITHOUT_PREFETCH = f"""\
import cpgpt.data.components.dna_llm_embedder as module

loader = module.DataLoader
module.DataLoader = lambda *args, **settings: loader(
    *args, **{{**settings, "prefetch_factor": None}}
)
{NO_WORKERS}"""
RUN_EMBED = "cpgpt-doctor run-embed --dependencies-dir DIR --locations FILE"


def remedies(facts: EmbedderExamined, workers: int) -> tuple[Remedy, ...]:
    """The three remedies of the fix document, corrected by what was seen here."""
    crash = no_workers_crashes(facts)
    if crash is None:
        first = Remedy(
            "recommended",
            "Load in the main process: num_workers=0",
            "Nothing is sent to another process, so nothing has to be pickled.",
            before=f"embedder.parse_dna_embeddings(locations, species, num_workers={workers})",
            after=NO_WORKERS,
            commands=(RUN_EMBED,),
        )
    else:
        first = Remedy(
            "recommended",
            "Load in the main process: num_workers=0, and take prefetch_factor away",
            "num_workers=0 alone is not enough with this CpGPT: it then ends with"
            f" {crash} (CPG203). CpGPT 0.0.8 and later need only num_workers=0; run-embed does"
            " both for every release.",
            before=f"embedder.parse_dna_embeddings(locations, species, num_workers={workers})",
            after=NO_WORKERS_WITHOUT_PREFETCH,
            commands=(RUN_EMBED,),
        )
    return (
        first,
        Remedy(
            "not-recommended",
            "Start workers with fork",
            "Forked workers share one position in the genome file: with CpGPT's own dataset, 3 to"
            " 34 of 2,100 windows were read wrong with 2 to 8 workers, without an error"
            " (benchmarks/loading.md). On macOS, forking a process that has used system libraries"
            " can also crash it. Windows has no fork.",
            after='multiprocessing.set_start_method("fork", force=True)',
        ),
        Remedy(
            "possible",
            "Make the genome picklable",
            "Dropping the open file alone is not enough: every culprit has to go. A reducer that"
            " opens the genome again from its path replaces them all, and needs no change of"
            " CpGPT's source. From 0.0.8, CpGPT still falls back to no workers under spawn and"
            " on macOS.",
            before="def __getstate__(self):  # the lambdas and the lock stay\n"
            '    return {**self.__dict__, "file": None}',
            after="import copyreg\n\nimport pyfaidx\n\n"
            "copyreg.pickle(\n    pyfaidx.Fasta,\n"
            "    lambda genome: (pyfaidx.Fasta, (genome.filename,)),\n)",
        ),
    )


def dataset_pickles(facts: Facts, call: Call) -> Check:
    """CPG201: CpGPT's dataset against the pickler that DataLoader uses."""
    seen = examined(facts)
    anatomy = seen.dataset
    if anatomy is None:
        return unknown("CpGPT's dataset: its call did not get as far as making one")
    if not anatomy.culprits:
        if not anatomy.complete:
            return unknown("CpGPT's dataset: the examination ended before it was complete")
        return ok(f"CpGPT's dataset pickles ({anatomy.size} bytes to each worker)")
    count = len(anatomy.culprits)
    if call.num_workers == 0:
        return ok("no workers asked for: the dataset is not pickled")
    if call.start_method not in PICKLING:
        return ok(
            f"the dataset cannot be pickled ({count} culprits), and {call.start_method} does not"
            " pickle it; see --start-method spawn for what macOS and Windows meet"
        )
    seen_trial = effective_trial(seen, call)
    falls_back = seen_trial is not None and seen_trial.workers == 0
    method = call.start_method
    outcome = (
        f"CpGPT's guard sees {method} and falls back to 0 workers, whatever was asked"
        if falls_back
        else f"the call ends with this error when the first of {call.num_workers} workers starts"
    )
    return found(
        Finding(
            "CPG201",
            severity(call, Severity.warning if falls_back else Severity.error),
            f"CpGPT's dataset cannot be pickled, as {method} needs ({count} culprits)",
            (
                f"The start method {method} runs each worker in a process of its own"
                + ("" if call.chosen else " (the default here)")
                + ".",
                "PyTorch's DataLoader pickles its dataset to send it to such a worker.",
                "CpGPT's GenomicSequenceDataset holds an open pyfaidx genome, and what is listed"
                " as culprits in it cannot be pickled. Mending one uncovers the next.",
                f"Here {outcome}.",
            ),
            remedies(seen, call.num_workers),
            Evidence(
                error=anatomy.culprits[0].error,
                culprits=anatomy.culprits,
                seen=(
                    ("start method", method),
                    ("genome", seen.genome or "a tiny one, made for the examination"),
                    *(() if anatomy.complete else (("complete", "no: the time limit came"),)),
                ),
            ),
            place(seen, "num_workers", f"DataLoader(dataset, num_workers={call.num_workers})"),
            verify=("cpgpt-doctor check --num-workers 0",),
            expected="CPG201 is in the list of what is well, and a run no longer prints"
            " “cannot pickle”.",
            cost=COST,
            treated=call.treated,
        )
    )


def prefetch(facts: Facts, call: Call) -> Check:
    """CPG203: prefetch_factor is passed whatever the number of workers."""
    seen = examined(facts)
    without = trial(seen, None, workers=False)
    if without is None or (without.workers is None and without.error is None):
        return unknown("prefetch_factor: CpGPT's call did not get as far as its DataLoader")
    if without.error is None:
        return ok("num_workers=0 is accepted: CpGPT sets prefetch_factor only with workers")
    if without.prefetch_factor is None:
        return unknown(f"num_workers=0 fails for another reason: {without.error}")
    meets = call.num_workers == 0
    direct = Severity.error if meets else Severity.warning
    return found(
        Finding(
            "CPG203",
            severity(call, direct),
            "num_workers=0 raises in this CpGPT: prefetch_factor is always set",
            (
                f"This release passes prefetch_factor={without.prefetch_factor} to DataLoader"
                " whatever the number of workers.",
                "PyTorch refuses prefetch_factor without workers.",
                "Your call meets this."
                if meets
                else "Your call does not meet this yet; num_workers=0, the remedy of CPG201,"
                " uncovers it.",
            ),
            (
                Remedy(
                    "recommended",
                    "Take a CpGPT that sets it only with workers, 0.0.8 or later",
                    "Tried on 0.0.8 and 0.0.13: num_workers=0 is accepted.",
                    commands=("pip install --upgrade 'CpGPT>=0.0.8'",),
                ),
                Remedy(
                    "recommended",
                    "Let run-embed do it",
                    "It sets workers, prefetch_factor and persistent_workers together, with any"
                    " release.",
                    commands=(RUN_EMBED,),
                ),
                Remedy(
                    "possible",
                    "Take prefetch_factor away before the call",
                    "DataLoader is a module-level name in every release, so it can be wrapped"
                    " without changing CpGPT's files.",
                    before=NO_WORKERS,
                    after=NO_WORKERS_WITHOUT_PREFETCH,
                ),
            ),
            Evidence(error=without.error),
            place(
                seen,
                "prefetch_factor",
                f"DataLoader(dataset, num_workers=0, prefetch_factor={without.prefetch_factor})",
            ),
            verify=("cpgpt-doctor check --num-workers 0",),
            expected="CPG203 is in the list of what is well.",
            treated=call.treated,
        )
    )


def pin_memory(facts: Facts, call: Call) -> Check:
    """CPG204: pinned memory is for copies to CUDA."""
    seen = examined(facts)
    assert facts.accelerator is not None
    assert facts.accelerator.torch is not None
    if facts.accelerator.torch.cuda_available:
        return ok("pin_memory: CUDA is available, so it is of use")
    if not any(tried.pin_memory for tried in seen.trials):
        return ok("pin_memory is not set without CUDA")
    return found(
        Finding(
            "CPG204",
            Severity.note,
            "pin_memory=True without CUDA does nothing but warn",
            (
                "CpGPT passes pin_memory=True to DataLoader always.",
                "Pinned memory speeds up copies to a CUDA device; there is none here, and PyTorch"
                " ignores the setting, with a warning in some releases.",
            ),
            (
                Remedy(
                    "possible",
                    "Nothing needs to be done",
                    "The rows are the same with and without. run-embed sets it for CUDA only.",
                ),
            ),
            location=place(seen, "pin_memory", "DataLoader(dataset, pin_memory=True)"),
            treated=call.treated,
        )
    )


def guard(facts: Facts, call: Call) -> Check:
    """CPG206: CpGPT's own guard, tried with the effective start method."""
    seen = examined(facts)
    if "guard" not in seen.lines:
        return skipped("CpGPT's worker guard: this release has none (it came with 0.0.8)")
    if call.num_workers == 0:
        return ok("CpGPT's worker guard: no workers asked for")
    if call.start_method not in PICKLING:
        return ok(f"CpGPT's worker guard: not concerned, {call.start_method} does not pickle")
    tried = effective_trial(seen, call)
    if tried is None or tried.workers is None:
        return unknown("CpGPT's worker guard: its call did not get as far")
    if tried.workers == 0:
        return ok(f"CpGPT's worker guard sees {call.start_method} and uses 0 workers")
    sees = "no start method" if tried.start_method_seen is None else repr(tried.start_method_seen)
    return found(
        Finding(
            "CPG206",
            severity(call, Severity.error),
            f"CpGPT's guard lets {call.start_method} through",
            (
                "From 0.0.8, CpGPT falls back to 0 workers on macOS and where it sees the start"
                " method 'spawn'.",
                f"Here it saw {sees} after a model had been loaded, and asked for"
                f" {tried.workers} workers when {tried.asked_workers} were passed.",
                f"Under {call.start_method} they need the dataset pickled, which fails (CPG201).",
            ),
            (
                Remedy(
                    "recommended",
                    "Say num_workers=0 yourself",
                    "Then nothing depends on the guard.",
                    before="embedder.parse_dna_embeddings(locations, species,"
                    f" num_workers={call.num_workers})",
                    after=NO_WORKERS,
                    commands=(RUN_EMBED,),
                ),
            ),
            Evidence(
                error=seen.dataset.culprits[0].error
                if seen.dataset and seen.dataset.culprits
                else None
            ),
            place(seen, "guard", "mp.get_start_method(allow_none=True)"),
            verify=("cpgpt-doctor check --num-workers 0",),
            expected="CPG206 is in the list of what is well.",
            treated=call.treated,
        )
    )


def shared_offset(facts: Facts, call: Call) -> Check:
    """CPG202: forked workers share the genome's file position."""
    assert facts.workers is not None
    seen = examined(facts)
    if call.num_workers == 0:
        return ok("no workers asked for: nobody shares the genome's file")
    if call.start_method != "fork":
        return ok(f"{call.start_method} shares no open file with its workers")
    tried = effective_trial(seen, call)
    if tried is not None and tried.workers == 0:
        return ok("CpGPT falls back to 0 workers here: nobody shares the genome's file")
    moved, trial_seen = facts.workers.moved, facts.workers.trial
    if moved is None:
        return unknown("the genome's file position: this platform has no fork to try")
    if not moved:
        return ok("a forked worker's read leaves the genome's file position where it was")
    wrong = (
        f"{trial_seen.wrong} of {trial_seen.windows} windows were wrong"
        f" with {trial_seen.workers} workers"
        if trial_seen
        else "no trial was made"
    )
    return found(
        Finding(
            "CPG202",
            severity(call, Severity.error),
            "forked workers share the genome's file position: wrong sequences, without an error",
            (
                "With the start method fork, workers inherit the open genome file, and with it one"
                " position for all of them.",
                "One worker's seek moves another's read: it gets bases from elsewhere, and CpGPT"
                " stores their embedding under the wrong location.",
                "Proved: after a child's read, this process's own position in the file had moved"
                f" ({moved[0].before} to {moved[0].after}).",
                f"In a trial with CpGPT's own dataset, {wrong}. How many depends on how often"
                " workers read at once: a slow model or a busy machine hides it, a fast GPU shows"
                " it.",
            ),
            (
                one_reader(seen, call.num_workers),
                Remedy(
                    "recommended",
                    "Keep the workers, and let run-embed read the genome by position",
                    "Its reader has no shared position: in its test, 100,000 windows with 8"
                    " forked workers were all right.",
                    commands=(f"{RUN_EMBED} --num-workers {call.num_workers}",),
                ),
                Remedy(
                    "not-recommended",
                    "Four workers on Linux, as is often advised",
                    "The advice is right for datasets that open their file in each worker.",
                    before="num_workers = 0 if platform.system() == 'Darwin' else 4",
                    after="num_workers = 0  # on every platform, for this dataset",
                ),
            ),
            Evidence(
                seen=(
                    *((each.path, f"position {each.before} to {each.after}") for each in moved),
                    ("trial", wrong),
                )
            ),
            place(seen, "num_workers", f"DataLoader(dataset, num_workers={call.num_workers})"),
            verify=("cpgpt-doctor check --num-workers 0",),
            expected="CPG202 is in the list of what is well.",
            cost=COST,
            treated=call.treated,
        )
    )


def one_reader(facts: EmbedderExamined, workers: int) -> Remedy:
    """num_workers=0 as the remedy of a shared position."""
    first = remedies(facts, workers)[0]
    why = "One process reads the genome, so nobody moves its position."
    return replace(first, why=why if no_workers_crashes(facts) is None else f"{why} {first.why}")


RULES = (
    Rule("CPG201", "CpGPT's dataset and the pickler", dataset_pickles, ("python", "examined")),
    Rule("CPG202", "the genome's file position", shared_offset, ("examined", "workers")),
    Rule("CPG203", "prefetch_factor", prefetch, ("examined",)),
    Rule("CPG204", "pin_memory", pin_memory, ("examined", "torch")),
    Rule("CPG206", "CpGPT's worker guard", guard, ("python", "examined")),
)
