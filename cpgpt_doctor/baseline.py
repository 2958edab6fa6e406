"""A baseline: an earlier JSON report, whose findings are accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from cpgpt_doctor import json_file
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.findings import Check, Finding, Judged, found, skipped
from cpgpt_doctor.reports.fingerprint import fingerprint
from cpgpt_doctor.reports.json_report import SCHEMA
from cpgpt_doctor.words import Words

WRITE = "write one with: cpgpt-doctor check --format json --output FILE"


def read(path: Path) -> Counter[str]:
    """The fingerprints of a report's findings, each as often as it is there."""
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
    return marks


def without(judged: tuple[Judged, ...], accepted: Counter[str]) -> tuple[tuple[Judged, ...], int]:
    """What was judged without the accepted findings, and how many these were.

    A fingerprint is accepted as often as the baseline has it. Severity is part of it: a finding
    that got graver is a new one.
    """
    left = accepted.copy()
    count = 0
    kept = []
    for each in judged:
        new: list[Finding] = []
        for finding in each.check.findings:
            mark = fingerprint(finding)
            if left[mark]:
                left[mark] -= 1
                count += 1
            else:
                new.append(finding)
        kept.append(replace(each, check=remaining(each.check, tuple(new))))
    return tuple(kept), count


def remaining(check: Check, new: tuple[Finding, ...]) -> Check:
    if new == check.findings:
        return check
    if new:
        return found(*new)
    title = check.summary
    return skipped(Words(f"accepted by the baseline: {title.en}", f"基线已接受：{title.zh}"))
