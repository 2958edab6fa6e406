"""CPG2xx: what workers are sent, and what happens when they start."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts, WorkerStart
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
from cpgpt_doctor.rules.workers import PICKLING, remedies


def deep_objects(facts: Facts, call: Call) -> Check:
    """CPG205: CpGPT's embedder and its data module's dataset."""
    assert facts.workers is not None
    looks = facts.workers.deep
    if not looks:
        return skipped("CpGPT's data module: looked at with --deep")
    failed = [look for look in looks if look.anatomy is None]
    stuck = [look for look in looks if look.anatomy is not None and look.anatomy.culprits]
    if not stuck:
        if failed:
            return unknown(f"{failed[0].name} could not be made: {failed[0].outcome.error}")
        return ok("CpGPT's embedder and its data module's dataset pickle")
    culprits = tuple(
        culprit for look in stuck for culprit in (look.anatomy.culprits if look.anatomy else ())
    )
    return found(
        Finding(
            "CPG205",
            Severity.warning,
            f"{' and '.join(look.name for look in stuck)} cannot be pickled",
            (
                "CpGPT's data module uses 4 workers by default; where workers are spawned, its"
                " dataset is pickled for them.",
                "The dataset holds an embedder, and both hold a logger that writes to an open"
                " stream.",
            ),
            (
                Remedy(
                    "recommended",
                    "Give the data module num_workers=0 where workers are spawned",
                    "That is macOS, Windows, and Python 3.14 on Linux.",
                    after="CpGPTDataModule(..., num_workers=0)",
                ),
            ),
            Evidence(error=culprits[0].error, culprits=culprits),
            verify=("cpgpt-doctor check --deep",),
        )
    )


def collate_pickles(facts: Facts, call: Call) -> Check:
    """CPG207: the collate function and its tokenizer."""
    assert facts.workers is not None
    collate = facts.workers.collate
    if collate.anatomy is None:
        return unknown(
            f"the collate function: {collate.dna_llm}'s tokenizer is not cached, or needs code"
            " from the hub, which an examination does not run"
        )
    if not collate.anatomy.culprits:
        return ok(
            f"the collate function and its tokenizer pickle ({collate.anatomy.size} bytes to each"
            " worker)"
        )
    if call.num_workers == 0 or call.start_method not in PICKLING:
        return ok("the collate function cannot be pickled, and does not have to be")
    return found(
        Finding(
            "CPG207",
            severity(call, Severity.error),
            f"the collate function cannot be pickled, as {call.start_method} needs",
            ("DataLoader sends it to each worker together with the dataset.",),
            remedies(examined(facts), call.num_workers)[:1],
            Evidence(error=collate.anatomy.culprits[0].error, culprits=collate.anatomy.culprits),
            verify=("cpgpt-doctor check --num-workers 0",),
            treated=call.treated,
        )
    )


def start_problem(starts: tuple[WorkerStart, ...], method: str) -> WorkerStart | None:
    return next((s for s in starts if s.start_method == method and not s.outcome.ok), None)


def workers_start(facts: Facts, call: Call) -> Check:
    """CPG208: workers were really started on CpGPT's dataset."""
    assert facts.workers is not None
    if call.num_workers == 0:
        return ok("no workers asked for: none has to start")
    starts = facts.workers.starts
    if call.start_method not in [each.start_method for each in starts]:
        return unknown(f"workers were not started with {call.start_method}: not on this platform")
    failed = start_problem(starts, call.start_method)
    if failed is None:
        return ok(f"workers start on CpGPT's dataset with {call.start_method}")
    seen = examined(facts)
    error = f"{failed.outcome.error_type}: {failed.outcome.error}"
    if seen.dataset and seen.dataset.culprits and call.start_method in PICKLING:
        return skipped("starting workers: it ends where the dataset is pickled (CPG201)")
    return found(
        Finding(
            "CPG208",
            severity(call, Severity.error),
            f"workers do not start with {call.start_method}",
            (
                f"{failed.workers} workers were started on CpGPT's dataset, and this happened after"
                f" {failed.outcome.seconds:.0f} s.",
            ),
            remedies(seen, call.num_workers)[:1],
            Evidence(error=error),
            verify=("cpgpt-doctor check --num-workers 0",),
            treated=call.treated,
        )
    )


def tokenizer_threads(facts: Facts, call: Call) -> Check:
    """CPG209: a tokenizer with threads of its own, and fork."""
    assert facts.workers is not None
    assert facts.accelerator is not None
    fast = facts.workers.collate.fast
    if fast is None:
        return skipped("tokenizer threads: the tokenizer is not loaded (CPG207)")
    if not fast:
        return ok("the tokenizer is plain Python: it starts no threads")
    if call.num_workers == 0 or call.start_method != "fork":
        return ok("the tokenizer has threads; no worker is forked")
    value = facts.accelerator.variables.get("TOKENIZERS_PARALLELISM")
    if value is not None:
        return ok(f"TOKENIZERS_PARALLELISM is {value}: the tokenizer does not warn after a fork")
    return found(
        Finding(
            "CPG209",
            Severity.note,
            "the tokenizer switches its threads off when workers are forked, and warns",
            ("The tokenizers library cannot use its threads in a process after a fork.",),
            (
                Remedy(
                    "possible",
                    "Say it yourself",
                    "The warning goes; the tokens are the same.",
                    commands=("export TOKENIZERS_PARALLELISM=false",),
                ),
            ),
            treated=call.treated,
        )
    )


def own_dataset(facts: Facts, call: Call) -> Check:
    """CPG210: a dataset of the user's, with --dataset."""
    own = facts.own_dataset
    if own is None:
        return skipped("your own dataset: named with --dataset")
    where = Location(own.name)
    if not own.outcome.ok or own.anatomy is None:
        return found(
            Finding(
                "CPG210",
                Severity.error,
                f"{own.name} gives no dataset",
                ("It was imported and called without arguments.",),
                (
                    Remedy(
                        "recommended",
                        "Name a callable that returns the dataset",
                        "It is imported from the current folder or the environment.",
                        commands=("cpgpt-doctor check --dataset package.module:callable",),
                    ),
                ),
                Evidence(error=f"{own.outcome.error_type}: {own.outcome.error}"),
                where,
            )
        )
    findings = []
    culprits = own.anatomy.culprits
    failed = start_problem(own.starts, call.start_method)
    error = f"{failed.outcome.error_type}: {failed.outcome.error}" if failed else None
    if call.num_workers and call.start_method in PICKLING and (culprits or failed):
        findings.append(
            Finding(
                "CPG210",
                Severity.error,
                f"{own.name}: workers cannot be given this dataset with {call.start_method}",
                ("DataLoader pickles it for each worker, and each worker loads it again.",),
                (
                    Remedy(
                        "recommended",
                        "num_workers=0, or open in each worker what cannot travel",
                        "Keep paths in the dataset, and open files on first use.",
                    ),
                ),
                Evidence(error=error or culprits[0].error, culprits=culprits),
                where,
            )
        )
    elif call.num_workers and failed:
        findings.append(
            Finding(
                "CPG210",
                Severity.error,
                f"{own.name}: workers do not start with {call.start_method}",
                ("They were started, and this happened.",),
                evidence=Evidence(error=error),
                location=where,
            )
        )
    if call.num_workers and call.start_method == "fork" and own.moved:
        findings.append(
            Finding(
                "CPG210",
                Severity.error,
                f"{own.name}: forked workers share the position of an open file",
                (
                    "After a child's read, this process's own position in the file had moved, so"
                    " workers that read at once get each other's bytes.",
                ),
                (
                    Remedy(
                        "recommended",
                        "num_workers=0, or open the file in each worker",
                        "os.pread, which takes the position from the caller, is safe too.",
                    ),
                ),
                Evidence(
                    seen=tuple((m.path, f"position {m.before} to {m.after}") for m in own.moved)
                ),
                where,
            )
        )
    if findings:
        return found(*findings)
    size = f", {own.anatomy.size} bytes to each worker" if own.anatomy.size is not None else ""
    return ok(f"{own.name} is safe with {call.start_method}{size}")


RULES = (
    Rule("CPG205", "CpGPT's data module", deep_objects, ("workers",)),
    Rule("CPG207", "the collate function", collate_pickles, ("examined", "workers")),
    Rule("CPG208", "starting workers", workers_start, ("examined", "workers")),
    Rule("CPG209", "tokenizer threads", tokenizer_threads, ("accelerator", "workers")),
    Rule("CPG210", "your own dataset", own_dataset, ()),
)
