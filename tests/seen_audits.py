"""What the rules over an audit are tried with: each finding of theirs, and what is well."""

from __future__ import annotations

from typing import Any

from cpgpt_doctor.facts.audit import (
    AuditedRow,
    AuditFacts,
    BoundsFacts,
    Comparison,
    LawFacts,
    Verdict,
)

HUMAN = "/data/human/ensembl_metadata.db"
NAMED = 929_770
LAWS = (
    LawFacts("index", HUMAN, read_off=300, foretold=32, came_true=32, moved=929_760),
    LawFacts("index", "/data/ensembl_metadata.db.old", read_off=9, foretold=32, came_true=30),
    LawFacts("shift", first=123, after=122, by=1, foretold=32, came_true=32, moved=50),
    LawFacts("shift", first=123, after=100, by=-2, foretold=32, came_true=32, moved=50),
    LawFacts("reversed", foretold=32, came_true=32, moved=300),
    LawFacts("sorted", foretold=32, came_true=32, moved=300),
    LawFacts("by-position", foretold=32, came_true=32, moved=300),
    LawFacts("shared", read_off=2, moved=2),
)


def audit(counts: dict[str, int], low: int = 0, high: int = 0, **changes: Any) -> AuditFacts:
    """An audit that found these verdicts, of a sample unless it says so."""
    judged = sum(counts.values())
    wrong = judged - counts.get("own", 0) - counts.get("near", 0)
    values: dict[str, Any] = {
        "rows_file": "/data/x.mmap",
        "seed": 7,
        "named": NAMED,
        "in_file": NAMED,
        "judgeable": NAMED,
        "judged": judged,
        "wrong": wrong,
        "counts": counts,
        "bounds": BoundsFacts(NAMED, low, high),
        "padding": 128,
        "installed_padding": 128,
        "release": "0.0.13",
        "device": "cpu",
        "rounding": 1e-5,
        "rows": tuple(
            AuditedRow(f"1:{at}", at, name, 0.3)  # type: ignore[arg-type]
            for at, name in enumerate(counts)
        ),
        **changes,
    }
    return AuditFacts(**values)


def one(verdict: Verdict, **changes: Any) -> AuditFacts:
    row = AuditedRow("1:5", 3, verdict, None, 0.2, "1:9", "1:9", 17, 201, 128)
    return audit({"own": 299, verdict: 1}, 24, 17_128, rows=(row,), **changes)


HELD = Comparison("/backup", 36, 36, 36, 25, 1, 1, 0, 9, 9)
NONE = audit({"own": 300}, 0, 9236)
EVERY_ROW = audit({"foreign": 300}, 920_534, NAMED, laws=LAWS[:1])
WELL = (
    NONE,
    audit({"own": 300}, padding=1),
    audit({"own": 300}, padding=1, installed_padding=1),
    audit({"own": 300}, drawn="all"),
    audit({"own": 12}, drawn="locations", bounds=None),
    audit({"own": 30}, outside=5, nowhere_read=5),
    audit({"own": 36}, drawn="comparison", padding=None, comparison=HELD),
)
WRONG = (
    # As the pages have them.
    ("CPG507", audit({"own": 35, "zero": 1}, 1, 40_000)),
    ("CPG513", audit({"own": 30, "padded": 7}, 7, 300_000)),
    ("CPG519", audit({"foreign": 24}, 800_000, NAMED)),
    ("CPG524", audit({"own": 24, "other-kind": 12}, 9, 500_000)),
    ("CPG507", one("zero")),
    ("CPG507", one("not-finite")),
    *(
        ("CPG513", one(verdict))
        for verdict in (
            *("padded", "one-left", "one-right", "upper-case", "lower-case", "all-n"),
            *("unknown", "untried"),
        )
    ),
    ("CPG513", audit({"near": 300}, tolerance=0.016)),
    ("CPG513", audit({"own": 11, "unknown": 1}, drawn="locations", bounds=None)),
    ("CPG513", audit({"own": 30, "unknown": 6}, drawn="comparison", comparison=HELD, padding=None)),
    ("CPG513", audit({"unknown": 30}, drawn="all")),
    ("CPG513", audit({"own": 30}, outside=5, nowhere=3, nowhere_read=5)),
    *(("CPG519", audit({"own": 290, "foreign": 10}, 3, 90, laws=(law,))) for law in LAWS),
    ("CPG519", EVERY_ROW),
    ("CPG519", audit({"foreign": 300}, 800_000, NAMED, laws=LAWS[:1], tolerance=0.016)),
    ("CPG519", one("foreign", laws=LAWS[:1], comparison=HELD)),
    ("CPG524", one("other-kind")),
    ("CPG524", one("other-kind", padding=1)),
)
EVERY = (*WELL, *(facts for _, facts in WRONG))
