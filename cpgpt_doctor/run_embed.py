"""`run-embed`: from what the user gave to a job that can be run; nothing is written here."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from cpgpt_doctor import facts as recorded_facts
from cpgpt_doctor.embed import admission, examine, locations, places, plan, record, store
from cpgpt_doctor.embed.examine import Seen
from cpgpt_doctor.embed.genome import Genome
from cpgpt_doctor.embed.run import Job, free_bytes, needed_bytes
from cpgpt_doctor.embed.store import Address
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import EmbedderExamined, Facts
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.probes.collect import HEAVY_PROBES, collect
from cpgpt_doctor.reports.json_report import patient
from cpgpt_doctor.reports.report import Report, exit_code
from cpgpt_doctor.rules.registry import judge

SMALLEST_CONTEXT = 100  # CpGPT refuses less


@dataclass(frozen=True)
class Asked:
    """What the user asked for. None: the default of CpGPT or of the platform."""

    dependencies: Path
    locations: str
    species: str
    dna_llm: str | None
    context_len: int
    batch_size: int
    num_workers: int
    start_method: str | None
    genome: Path | None
    device: str
    python: str
    allow_all_n: bool
    allow_non_cpg: bool
    positions: str | None
    set_aside_unnamed: bool
    facts: Path | None


@dataclass(frozen=True)
class Prepared:
    """A job with the report on its environment, and what was seen in the locations.

    told: what else the user is to know, a sentence each.
    """

    report: Report
    job: Job | None
    seen: Seen
    told: tuple[str, ...]


def prepare(asked: Asked) -> Prepared:
    """Examine everything that the run needs. Raises InputError; writes nothing.

    The job is None where the environment has an error that no treatment removes.
    """
    if asked.context_len < SMALLEST_CONTEXT:
        raise InputError(f"--context-len {asked.context_len}: CpGPT takes {SMALLEST_CONTEXT} up")
    given = locations.read(asked.locations, asked.positions)
    inputs = examine.inputs(asked.dependencies, asked.species, asked.genome)
    names = {location.partition(":")[0] for location in given.places}
    inputs, rebuilt = examine.prove_index(inputs, names)
    genome = Genome(inputs.genome, inputs.sequences)
    try:
        seen = examine.check_locations(given, genome, asked.context_len)
    finally:
        genome.close()
    if seen.all_n and not asked.allow_all_n:
        raise InputError(
            f"{given.source}: the windows of {len(seen.all_n)} locations are nothing but N, such as"
            f" {seen.all_n[0]} (line {given.places[seen.all_n[0]]}): their embedding means nothing;"
            " leave them out, or allow them by name with --allow-all-n"
        )
    decided = examine.check_cpgs(given, seen, asked.allow_non_cpg)
    told = tuple(filter(None, [rebuilt]))
    facts = examined(asked)
    report = judged(facts, asked)
    if report.exit_code:
        return Prepared(report, None, seen, told)
    positions = plan.positions(given, seen, decided)
    job = make_job(asked, facts, report, given, inputs, positions)
    return Prepared(report, job, seen, told)


def examined(asked: Asked) -> Facts:
    """Facts of the environment: what --facts holds of torch and CpGPT, or a new examination.

    Raises InputError where the saved examination is not of this interpreter, with these packages
    and GPUs: what does not import torch is looked at each time.
    """
    if asked.facts is None:
        # What workers would do to CpGPT's own dataset is of no matter: they get another (CPG202).
        return collect(asked.python, folder=str(asked.dependencies), leave_out=("workers",))
    saved = recorded_facts.read(asked.facts)
    now = collect(asked.python, folder=str(asked.dependencies), leave_out=HEAVY_PROBES)
    again = (
        f"examine it again: cpgpt-doctor check --python {asked.python} --via run-embed --no-redact"
        f" --save-facts {asked.facts}"
    )
    if saved.accelerator is None or saved.embedder is None:
        raise InputError(f"--facts {asked.facts}: torch and CpGPT were not looked at; {again}")
    for what, before, here in (
        ("the interpreter", saved.python, now.python),
        ("the packages", saved.packages, now.packages),
        ("the GPUs", saved.host and saved.host.gpus, now.host and now.host.gpus),
        ("the driver", saved.host and saved.host.driver, now.host and now.host.driver),
    ):
        if before != here:
            raise InputError(
                f"--facts {asked.facts}: {what} changed since, or are of another machine"
                f" ({first_difference(before, here)}); {again}"
            )
    return dataclasses.replace(
        now, accelerator=saved.accelerator, embedder=saved.embedder, skipped=("workers",)
    )


def first_difference(before: object, now: object) -> str:
    """The first part of two facts of one kind that differs, in a few words."""
    if dataclasses.is_dataclass(before) and dataclasses.is_dataclass(now):
        before, now = vars(before), vars(now)
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                return f"{name}: {first_difference(before.get(name), now.get(name))}"
    return f"{str(before)[:60]} then, {str(now)[:60]} now"


def judged(facts: Facts, asked: Asked) -> Report:
    """The check's report on this run; an unknown or uncached model is refused in a line."""
    intent = Intent(
        "run-embed", asked.num_workers, asked.start_method, asked.dna_llm, asked.batch_size
    )
    call = resolve(intent, facts)
    examined = facts.embedder.examined if facts.embedder else None
    if examined is not None and examined.models and call.dna_llm not in examined.models:
        known = ", ".join(sorted(examined.models))
        raise InputError(f"--dna-llm {call.dna_llm}: this CpGPT has {known}")
    if examined is not None:
        require_cached(examined, call.dna_llm, asked)
    results = judge(facts, intent)
    return Report(facts, intent, call, results, exit_code(results, Severity.error))


def require_cached(examined: EmbedderExamined, dna_llm: str, asked: Asked) -> None:
    """Refuse a model that would have to be downloaded (CPG405): nothing is, unasked."""
    since = f" (it was not there when {asked.facts} was saved)" if asked.facts else ""
    for code in examined.remote_code:
        if code.dna_llm == dna_llm and not code.cached and code.repository:
            raise InputError(
                f"--dna-llm {dna_llm}: is not in the Hugging Face cache (HF_HOME){since}; fetch it"
                f' with: {asked.python} -c "from huggingface_hub import snapshot_download as get;'
                f" get('{code.repository}')\""
            )


def make_job(
    asked: Asked,
    facts: Facts,
    report: Report,
    given: locations.Locations,
    inputs: examine.Inputs,
    positions: plan.Setting,
) -> Job:
    assert facts.embedder is not None
    assert facts.embedder.examined is not None
    dna_llm = report.call.dna_llm
    address = Address(
        asked.dependencies,
        asked.species,
        dna_llm,
        asked.context_len,
        facts.embedder.examined.models[dna_llm],
    )
    links = places.check_places(address)
    rows = store.named_rows(address)
    store.check_health(address, rows)
    known = record.read(record.record_path(address))
    lost = record.lost_rows(known.parts, len(rows))
    unnamed = store.unnamed_rows(address, len(rows))
    if unnamed and not asked.set_aside_unnamed:
        raise InputError(unnamed if not lost else f"{unnamed} ({plan.lost_words(lost)})")
    with contextlib.closing(Genome(inputs.genome, inputs.sequences)) as genome:
        admission.check_genome(known.bound, genome, address)
    missing = tuple(each for each in given.places if each not in rows)
    examine.check_disk(
        free_bytes(asked.dependencies), needed_bytes(address, len(missing)), asked.dependencies
    )
    device = plan.choose_device(facts, asked.device)
    return Job(
        python=asked.python,
        inputs=inputs,
        address=address,
        locations=missing,
        all_locations=tuple(given.places),
        batch_size=asked.batch_size,
        num_workers=asked.num_workers,
        start_method=asked.start_method,
        device=device,
        plan=plan.settings(
            facts,
            given,
            address,
            positions=positions,
            stored=len(given.places) - len(missing),
            batch_size=asked.batch_size,
            num_workers=asked.num_workers,
            device_asked=asked.device,
            device=device,
        )
        + plan.store_lines(links, lost, bool(unnamed)),
        patient=patient(report),
        intent=dataclasses.asdict(report.call),
        set_aside_unnamed=asked.set_aside_unnamed,
    )
