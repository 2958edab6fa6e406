"""Which findings are the same one: between runs, machines, languages and edits of a file."""

from __future__ import annotations

import hashlib
import json
import re

from cpgpt_doctor.findings import Finding
from cpgpt_doctor.redact import redact
from cpgpt_doctor.reports.places import below

LENGTH = 32  # of the 64 hexadecimal digits


def fingerprint(finding: Finding) -> str:
    """What is wrong, how grave it is, where, and with what; no line numbers and no sentences."""
    where = finding.location
    parts = [
        finding.code,
        finding.severity.name,
        place(where.path) if where else None,
        # Reports that are shared hold no personal data, and have to match those that do.
        redact(where.call) if where and where.call else None,
        sorted(redact(culprit.path) for culprit in finding.evidence.culprits),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:LENGTH]


def place(path: str) -> str:
    """The path without what differs between machines."""
    _, packages, inside = path.rpartition("site-packages")
    if packages and re.match(r"[\\/]", inside):
        return redact(inside[1:].replace("\\", "/"))
    return redact(below(path) or path)
