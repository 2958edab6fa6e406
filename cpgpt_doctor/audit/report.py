"""The report of `verify`: a store is audited, and what was seen of it judged."""

from __future__ import annotations

import dataclasses

from cpgpt_doctor import __version__
from cpgpt_doctor.audit import run
from cpgpt_doctor.audit.inspect import Progress
from cpgpt_doctor.audit.patient import rows_in
from cpgpt_doctor.audit.run import Asked
from cpgpt_doctor.facts import Facts, Python
from cpgpt_doctor.facts.embedder import Embedder, EmbedderExamined, RemoteCode
from cpgpt_doctor.findings import Severity
from cpgpt_doctor.intent import DNA_LLM, Intent, resolve
from cpgpt_doctor.report import Report, exit_code
from cpgpt_doctor.rules.registry import is_of_data, judge
from cpgpt_doctor.store import metadata, observe
from cpgpt_doctor.store.layout import StorePaths

CACHE = "CPG405"


def report(asked: Asked, progress: Progress) -> Report:
    """The report on a store; 1 is its exit code where there is an error.

    Raises InputError where nothing can be judged.
    """
    try:
        paths = run.find_store(asked.dependencies, asked.species, asked.dna_llm, asked.context_len)
        if not paths.rows.exists() or (paths.width is not None and not rows_in(paths)):
            # The rules say more than that no row can be judged.
            seen = observe.look(paths)
            told = judged(Facts(store=seen.facts))
            if told.exit_code:
                return told
        audited = run.audit(asked, paths, progress)
    except run.NotCached as missing:
        return not_cached(asked.python, missing.model)
    except metadata.MetadataWrong as wrong:
        length = asked.context_len or run.CONTEXT_LEN
        paths = StorePaths(asked.dependencies, asked.species, asked.dna_llm or DNA_LLM, length)
        return judged(Facts(store=observe.damaged(paths, wrong.damage)))
    store = observe.look(audited.paths).facts
    if audited.facts.judged and not audited.facts.wrong:
        # Links alone say that rows and index may be of two folders: these rows were computed.
        store = dataclasses.replace(store, apart=())
    return judged(Facts(genome=audited.genome, store=store, audit=audited.facts))


def not_cached(python: str, model: RemoteCode) -> Report:
    """What the rule of the cache says of a model that is not in it."""
    facts = Facts(
        doctor_version=__version__,
        python=Python(executable=python),
        embedder=Embedder(examined=EmbedderExamined(remote_code=(model,))),
    )
    intent = Intent("run-embed", dna_llm=model.dna_llm)
    results = tuple(each for each in judge(facts, intent) if each.code == CACHE)
    return Report(
        facts, intent, resolve(intent, facts), results, exit_code(results, Severity.error)
    )


def judged(facts: Facts) -> Report:
    """What the rules over stores and audits say; rules that nothing was seen for are left out."""
    facts = dataclasses.replace(facts, doctor_version=__version__)
    intent = Intent()
    results = tuple(
        each
        for each in judge(facts, intent)
        if is_of_data(each.code) and each.check.status != "skipped"
    )
    code = exit_code(results, Severity.error)
    return Report(facts, intent, resolve(intent, facts), results, code)
