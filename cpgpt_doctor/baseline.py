"""A baseline: an earlier JSON report, whose findings are accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from cpgpt_doctor import json_file
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.findings import Check, Finding, Judged, found, skipped
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.reports.json_report import SCHEMA
from cpgpt_doctor.words import Words

WRITE = "write one with: cpgpt-doctor check --format json --output FILE"


@dataclass(frozen=True)
class Baseline:
    """What a report accepts: fingerprints, each as often as it is there.

    release: of CpGPT, which was examined; None where that is not known.
    """

    path: Path
    release: str | None = None
    marks: Counter[str] = field(default_factory=Counter)


def read(path: Path) -> Baseline:
    """What a report's findings accept."""
    data = json_file.read(path, SCHEMA, named=f"--baseline {path}", what="a report", write=WRITE)
    findings = data.get("findings")
    if not isinstance(findings, list):
        raise InputError(f"--baseline {path}: it has no list of findings; {WRITE}")
    marks: Counter[str] = Counter()
    for each in findings:
        mark = each.get("fingerprint") if isinstance(each, dict) else None
        if not isinstance(mark, str):
            raise InputError(f"--baseline {path}: a finding has no fingerprint; {WRITE}")
        marks[mark] += 1
    patient = data.get("patient")
    release = patient.get("cpgpt") if isinstance(patient, dict) else None
    return Baseline(path, release if isinstance(release, str) else None, marks)


def without(
    judged: tuple[Judged, ...], baseline: Baseline, release: str | None
) -> tuple[tuple[Judged, ...], tuple[Finding, ...]]:
    """What was judged without the accepted findings, and these.

    A fingerprint is accepted as often as the baseline has it. Severity is part of it: a finding
    that got graver is a new one. release: of CpGPT, which is examined; InputError where the
    baseline is of another one, whose faults are others, too.
    """
    if None not in (release, baseline.release) and release != baseline.release:
        raise InputError(
            f"--baseline {baseline.path}: is of CpGPT {baseline.release}, not {release}; {WRITE}"
        )
    left = baseline.marks.copy()
    accepted = []
    kept = []
    for each in judged:
        new: list[Finding] = []
        for finding in each.check.findings:
            mark = fingerprint(finding)
            if left[mark]:
                left[mark] -= 1
                accepted.append(finding)
            else:
                new.append(finding)
        kept.append(replace(each, check=remaining(each.check, tuple(new))))
    return tuple(kept), tuple(accepted)


def remaining(check: Check, new: tuple[Finding, ...]) -> Check:
    if new == check.findings:
        return check
    if new:
        return found(*new)
    title = check.summary
    return skipped(Words(f"accepted by the baseline: {title.en}", f"基线已接受：{title.zh}"))
