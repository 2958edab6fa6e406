"""`run-embed`: observe what the user gave, judge it, and plan a job. Nothing is written here."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cpgpt_doctor import __version__
from cpgpt_doctor import facts as recorded_facts
from cpgpt_doctor.embed import examine, kinds, plan, takeover
from cpgpt_doctor.embed.pace import Deadline
from cpgpt_doctor.embed.run import EmbedJob, free_bytes, needed_bytes
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.facts.locations import Kind, LocationFacts
from cpgpt_doctor.facts.store import Room, StoreFacts
from cpgpt_doctor.findings import Check, Finding, Judged, Severity
from cpgpt_doctor.genome import held, locations
from cpgpt_doctor.genome.fasta import Genome
from cpgpt_doctor.genome.places import Ordered
from cpgpt_doctor.intent import Intent, resolve
from cpgpt_doctor.probes import dependencies
from cpgpt_doctor.probes.collect import HEAVY_PROBES, collect
from cpgpt_doctor.probes.given import Source, read, resolved
from cpgpt_doctor.redact import redacted
from cpgpt_doctor.report import Report, exit_code, patient
from cpgpt_doctor.rules.registry import is_of_data, judge
from cpgpt_doctor.store import metadata, observe, places
from cpgpt_doctor.store.coverage import covered
from cpgpt_doctor.store.layout import StorePaths

REFUSED = 2  # the exit code of a run that a finding does not let start
SMALLEST_CONTEXT = 100  # CpGPT refuses less


@dataclass(frozen=True)
class EmbedRequest:
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
    rows: kinds.RowsAsked | None = None
    into: Path | None = None
    fallback: bool = False
    kind: Kind = "locations"  # of what `locations` names
    fix_names: bool = False

    @property
    def source(self) -> Source:
        return Source(
            self.kind, self.locations, self.species, self.python, self.positions, self.fix_names
        )

    @property
    def intent(self) -> Intent:
        named = {
            "all-n": self.allow_all_n,
            "non-cpg": self.allow_non_cpg,
            "unnamed": self.set_aside_unnamed,
            "into": self.into is not None,
        }
        return Intent(
            "run-embed",
            self.num_workers,
            self.start_method,
            self.dna_llm,
            self.batch_size,
            tuple(name for name, allowed in named.items() if allowed),
        )


@dataclass(frozen=True)
class Preflight:
    """What was found, and the job that follows; None where an error does not let it start.

    told: what else the user is to know, a sentence each. taking: what is to be taken over first;
    `taken_over` then gives the job of the new folder.
    """

    report: Report
    job: EmbedJob | None
    told: tuple[str, ...] = ()
    taking: takeover.TakeOver | None = None
    locations: locations.Locations | None = None


@dataclass(frozen=True)
class Given:
    """What was seen of the user's own input, before the environment is examined.

    inputs: None where there is no genome to work on. told: as in `Preflight`.
    """

    locations: locations.Locations
    inputs: examine.Inputs | None
    genome: GenomeFacts | None
    seen: LocationFacts
    store: StoreFacts | None
    told: tuple[str, ...] = ()


def prepare(asked: EmbedRequest) -> Preflight:
    """Observe everything that the run needs, and judge it. Raises InputError; writes nothing.

    What takes a second is judged first: where that refuses the run, nothing else is looked at.
    """
    if asked.context_len < SMALLEST_CONTEXT:
        raise InputError(f"--context-len {asked.context_len}: CpGPT takes {SMALLEST_CONTEXT} up")
    if asked.into is None:
        return prepared(asked)
    asked = dataclasses.replace(asked, into=asked.into.absolute())
    assert asked.into is not None
    said = takeover.already(asked.into, asked.dependencies)
    if said is not None:
        found = prepared(dataclasses.replace(asked, dependencies=asked.into, into=None))
        return dataclasses.replace(found, told=(said, *found.told))
    dna_llm = resolve(asked.intent, Facts()).dna_llm
    taking = takeover.plan(
        asked.dependencies,
        asked.into,
        asked.species,
        dna_llm,
        asked.context_len,
        asked.genome is not None,
    )
    genome = asked.genome or taking.genome
    return prepared(
        dataclasses.replace(asked, dependencies=taking.source, genome=genome), taking=taking
    )


def taken_over(asked: EmbedRequest, before: Preflight) -> Preflight:
    """The run in the folder that has been taken over; what was examined is not examined again."""
    assert asked.into is not None
    assert before.job is not None
    found = prepared(dataclasses.replace(asked, dependencies=asked.into, into=None), before=before)
    if found.job is None:
        return found
    line = next(each for each in before.job.plan if each.setting == "into")
    return dataclasses.replace(
        found, job=dataclasses.replace(found.job, plan=(line, *found.job.plan))
    )


def prepared(
    asked: EmbedRequest,
    *,
    taking: takeover.TakeOver | None = None,
    before: Preflight | None = None,
) -> Preflight:
    """As `prepare`. before: what is known of the same run over the folder that was taken over."""
    given = look(
        asked,
        before.locations if before else None,
        taking.prober if taking else asked.dependencies,
    )
    facts = Facts(
        doctor_version=__version__, genome=given.genome, locations=given.seen, store=given.store
    )
    report = judged(facts, asked, of_data=True)
    if report.exit_code or given.inputs is None:
        return Preflight(report, None)
    environment = before.report.facts if before else examined(asked)
    facts = dataclasses.replace(environment, genome=given.genome, locations=given.seen, store=None)
    report = judged(facts, asked)
    dna_llm = report.call.dna_llm
    seen = facts.embedder.examined if facts.embedder else None
    if seen is not None and seen.models and dna_llm not in seen.models:
        known = ", ".join(sorted(seen.models))
        raise InputError(f"--dna-llm {dna_llm}: this CpGPT has {known}")
    paths = StorePaths(
        asked.dependencies,
        asked.species,
        dna_llm,
        asked.context_len,
        seen.models.get(dna_llm) if seen else None,
    )
    places.check_files(paths)
    if taking is None:
        places.check_writable(paths)
    with contextlib.closing(Genome(given.inputs.genome, given.inputs.sequences)) as genome:
        store = observe.look(paths, genome)
    missing = given.locations.places.without(store.rows)
    if paths.width is not None:
        store = with_room(store, paths, len(missing), taking)
    padding = kinds.padding_asked(asked.rows, kinds.of_release(facts))
    facts = dataclasses.replace(
        facts, store=dataclasses.replace(store.facts, asked_padding=padding)
    )
    if store.rows and facts.locations is not None:
        in_store = covered(given.locations.places, store.rows, paths)
        seen_of_them = dataclasses.replace(facts.locations, stores=(in_store,))
        facts = dataclasses.replace(facts, locations=seen_of_them)
    report = judged(facts, asked)
    if not report.exit_code and store.known.uncovered(len(store.rows)):
        report = with_indexes_near_by(report, paths)
    if report.exit_code:
        return Preflight(report, None)
    job = make_job(asked, report, given, paths, store, missing)
    if taking is not None:
        job = dataclasses.replace(job, plan=(plan.taking_over(taking), *job.plan))
    return Preflight(report, job, given.told, taking, given.locations)


def limited(found: Preflight, deadline: Deadline | None) -> Preflight:
    """The same, where the run has to end in time; the plan says when."""
    if found.job is None or deadline is None:
        return found
    lines = (*found.job.plan, plan.time_limit(deadline))
    return dataclasses.replace(
        found, job=dataclasses.replace(found.job, plan=lines, deadline=deadline)
    )


def with_indexes_near_by(report: Report, paths: StorePaths) -> Report:
    """The report, and whether another index near by fits rows that no record covers (CPG519)."""
    folder = dependencies.observe_species(paths.dependencies, paths.species)
    ours = tuple(each for each in folder.stores if each.store.rows == str(paths.rows))
    facts = Facts(dependencies=(dataclasses.replace(folder, stores=ours),))
    found = {
        each.code: each
        for each in judge(facts, report.intent)
        if each.code == "CPG519" and refused((each,))
    }
    results = tuple(found.get(each.code, each) for each in report.judged)
    return dataclasses.replace(report, judged=results, exit_code=refused(results))


def look(asked: EmbedRequest, known: locations.Locations | None, prober: Path) -> Given:
    """Look at the locations, if they are not known yet, and the genome. Raises InputError; writes
    nothing. prober: the folder with what CpGPT's prober keeps."""
    given = known or read(asked.source)
    if asked.into is None:
        examine.check_folder(asked.dependencies)
    try:
        assembly = examine.assembly(asked.dependencies, asked.species)
    except metadata.MetadataWrong as wrong:
        dna_llm = resolve(asked.intent, Facts()).dna_llm
        paths = StorePaths(asked.dependencies, asked.species, dna_llm, asked.context_len)
        seen = held.in_file(given)
        return Given(given, None, None, seen, observe.damaged(paths, wrong.damage))
    if known is None:
        given = resolved(given, asked.source, prober)
    seen = held.in_file(given)
    genome = examine.find_genome(asked.dependencies, asked.species, assembly, asked.genome)
    if genome.found != "plain":
        return Given(given, None, genome, seen, None)
    inputs = examine.inputs(asked.dependencies, Path(genome.path))
    if asked.fix_names:
        names = {each.name for each in inputs.sequences}
        given = held.rename(given, held.meant(given.places.names, names))
        seen = held.in_file(given)
    inputs, rebuilt = examine.prove_index(inputs, set(given.places.names))
    with contextlib.closing(Genome(inputs.genome, inputs.sequences)) as reader:
        in_genome = held.in_genome(given, reader, asked.context_len)
    genome = dataclasses.replace(genome, sequences=len(inputs.sequences), names=in_genome.names)
    told = tuple(filter(None, [rebuilt]))
    return Given(given, inputs, genome, dataclasses.replace(seen, in_genome=in_genome), None, told)


def with_room(
    store: observe.Store,
    paths: StorePaths,
    missing: int,
    taking: takeover.TakeOver | None = None,
) -> observe.Store:
    """With the disk of the folder that is written to, and what is to come there."""
    folder = taking.into.absolute().parent if taking else paths.dependencies
    copied = taking.bytes if taking else 0
    needed = needed_bytes(paths, missing) + copied
    room = Room(str(folder), free_bytes(folder), needed, copied)
    return dataclasses.replace(store, facts=dataclasses.replace(store.facts, room=room))


def examined(asked: EmbedRequest) -> Facts:
    """Facts of the environment: what --facts holds of torch and CpGPT, or a new examination.

    Raises InputError where the saved examination is not of this interpreter, with these packages
    and GPUs: what does not import torch is looked at each time.
    """
    if asked.facts is None:
        # What workers would do to CpGPT's own dataset is of no matter: they get another (CPG202).
        return collect(asked.python, leave_out=("workers",))
    saved = recorded_facts.read(asked.facts)
    now = collect(asked.python, leave_out=HEAVY_PROBES)
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


def judged(facts: Facts, asked: EmbedRequest, *, of_data: bool = False) -> Report:
    """The report on this run; an error refuses it.

    of_data: on the user's own input alone, where the environment was not looked at.
    """
    intent = asked.intent
    results = judge(facts, intent)
    if of_data:
        results = tuple(each for each in results if is_of_data(each.code))
    return Report(facts, intent, resolve(intent, facts), results, refused(results))


def refused(results: tuple[Judged, ...]) -> int:
    return REFUSED if exit_code(results, Severity.error) else 0


def judged_again(report: Report, facts: Facts) -> Report:
    """The same rules over other facts."""
    codes = {each.code for each in report.judged}
    results = tuple(each for each in judge(facts, report.intent) if each.code in codes)
    return dataclasses.replace(report, facts=facts, judged=results, exit_code=refused(results))


def with_store(report: Report, store: StoreFacts) -> Report:
    """The report once more has been seen of the store."""
    return judged_again(report, dataclasses.replace(report.facts, store=store))


def with_failure(report: Report, findings: tuple[Finding, ...]) -> Report:
    """The report with what the rules of failures say of the one that ended the run."""
    told = tuple(Judged(each.code, Check("finding", each.title, (each,))) for each in findings)
    return dataclasses.replace(report, judged=(*report.judged, *told))


def public(report: Report) -> Report:
    """The report without personal data; its exit code stays."""
    clean = judged_again(report, redacted(report.facts))
    return dataclasses.replace(clean, exit_code=report.exit_code)


def make_job(
    asked: EmbedRequest,
    report: Report,
    given: Given,
    paths: StorePaths,
    store: observe.Store,
    missing: Sequence[str],
) -> EmbedJob:
    """The job of a run that nothing stands against."""
    facts = report.facts
    assert given.inputs is not None
    assert given.seen.in_genome is not None
    not_cpgs = (each.causes[0].en for each in report.findings if each.code == "CPG517")
    device = plan.choose_device(facts, asked.device)
    seen = store.facts
    recorded = seen.recorded_padding
    stored = (recorded,) if recorded else None if store.rows else ()
    release = kinds.of_release(facts)
    asked_for = kinds.padding_asked(asked.rows, release)
    known = recorded or (asked_for or release if stored == () else None)
    version = facts.packages.cpgpt.version if facts.packages and facts.packages.cpgpt else ""
    return EmbedJob(
        python=asked.python,
        inputs=given.inputs,
        paths=paths,
        seen=seen,
        locations=missing,
        all_locations=Ordered(given.locations.places),
        batch_size=asked.batch_size,
        num_workers=asked.num_workers,
        start_method=asked.start_method,
        device=device,
        plan=plan.settings(
            facts,
            given.locations,
            paths,
            positions=plan.positions(given.locations, given.seen.in_genome, next(not_cpgs, "")),
            rows=kinds.setting(asked.rows, stored, known, version),
            stored=len(given.locations.places) - len(missing),
            batch_size=asked.batch_size,
            num_workers=asked.num_workers,
            device_asked=asked.device,
            device=device,
        )
        + plan.given_lines(given.locations)
        + plan.fallback(asked.fallback, device)
        + plan.store_lines(seen.links, seen.lost, seen.unnamed is not None),
        patient=patient(report),
        intent=dataclasses.asdict(report.call),
        set_aside_unnamed=asked.set_aside_unnamed,
        rows_asked=asked.rows,
        fallback=asked.fallback,
    )
