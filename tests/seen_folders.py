"""What the rules over dependencies folders are tried with: each finding of theirs once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cpgpt_doctor.facts import CpGPT, Facts, Packages
from cpgpt_doctor.facts.dependencies import (
    DependenciesFacts,
    Elsewhere,
    Entry,
    GenomeSeen,
    Named,
    OtherIndex,
    RowsSeen,
    StoreSeen,
    Unread,
)
from cpgpt_doctor.facts.store import Apart, Damage, IndexSeen, Unfinished, Unnamed
from tests.seen import STORE

GENOME = GenomeSeen("deps/genomes/human.dna.toplevel.fa", STORE.species, sequences=25, letters=9000)
GENOME = replace(GENOME, names=("1", "2"), index="right", size=10**9)
ROWS = RowsSeen(300, 300)
WELL = StoreSeen(STORE, 300, ROWS)
SOME = Named(3, ("1:5", "1:7"))
HUMAN = OtherIndex(
    path="deps/human/ensembl_metadata.db",
    folder="deps/human",
    rows="deps/human/rows.mmap",
    shares="file",
    home=True,
    named=500,
    whole=True,
    moved=290,
)
COPY = replace(HUMAN, path="deps/ensembl_metadata.db.bak", folder="", rows=None, shares=None)
COPY = replace(COPY, home=False)


def folder(store: StoreSeen | None = WELL, **changes: Any) -> DependenciesFacts:
    return DependenciesFacts(
        folder="deps",
        database=STORE.database,
        has_database=True,
        **{
            "stores": (store,) if store else (),
            "genomes": (GENOME,),
            "entries": (Entry(STORE.species, 9000),),
            **changes,
        },
    )


def stored(version: str = "0.0.13", **changes: Any) -> Facts:
    packages = Packages({}, CpGPT(version, "/x", None, ()), {}, ())
    return Facts(packages=packages, dependencies=(folder(replace(WELL, **changes)),))


def genome(**changes: Any) -> Facts:
    return Facts(dependencies=(folder(genomes=(replace(GENOME, **changes),)),))


def here(**changes: Any) -> Facts:
    return Facts(dependencies=(folder(**changes),))


WELL_ONES = (
    stored(),
    stored(rows=replace(ROWS, named=1_000_000, read=8192)),
    here(genomes=(), stores=()),
    genome(index="none"),
    genome(packed="deps/genomes/human.dna.toplevel.fa.gz", packed_is="unknown"),
    stored(filled=500, store=replace(STORE, size=500 * 4096), others=(replace(HUMAN, moved=0),)),
)
CUT = {"packed": "deps/genomes/human.dna.toplevel.fa.gz", "packed_is": "cut"}
WRONG_ONES = (
    ("CPG502", stored(elsewhere=SOME)),
    ("CPG502", stored(elsewhere=SOME, rows=ROWS)),
    *(
        ("CPG504", genome(index=index, problem="1: its header is not there", writable=writable))
        for index in ("older", "wrong")
        for writable in (True, False)
    ),
    ("CPG505", stored(store=replace(STORE, size=None, unfinished=Unfinished("x.mmap.tmp", 9)))),
    ("CPG506", stored(store=replace(STORE, size=24 * 4096))),
    ("CPG506", stored(store=replace(STORE, size=None))),
    *(
        ("CPG506", here(unread=(Unread(STORE.rows, why, "x"),)))  # type: ignore[arg-type]
        for why in ("loop", "gone", "no-file", "denied", "no-record")
    ),
    ("CPG507", stored(rows=replace(ROWS, zero=SOME, not_finite=SOME), outside=SOME)),
    ("CPG507", stored(rows=replace(ROWS, all_n=SOME, windows=True))),
    ("CPG507", stored(rows=replace(ROWS, equal=Named(2, ("1:5",)), equal_to="1:9"))),
    ("CPG507", stored(rows=replace(ROWS, named=9000, in_holes=44, windows=True))),
    (
        "CPG507",
        stored(rows=RowsSeen(10_000, 10_000, equal=Named(2, ("1:5",)), equal_to="1:9")),
    ),
    ("CPG508", here(elsewhere=(Elsewhere("deps/human", "homo_sapiens", "m", 2001, 500),))),
    ("CPG508", here(elsewhere=(Elsewhere("deps/human", "homo_sapiens", "m", 2001, 500, 3),))),
    ("CPG509", here(store=None, damage=Damage("unreadable", "file is not a database"))),
    ("CPG509", here(store=None, entries=(Entry("homo_sapiens", 9, Damage("cut", "x")),))),
    ("CPG509", here(store=None, unread=(Unread(STORE.database, "gone", "/x"),))),
    ("CPG510", stored(store=replace(STORE, checkpoint="x.checkpoint.json"))),
    ("CPG511", genome(lower=3000)),
    ("CPG512", here(entries=(Entry("homo_sapiens", 700_000_000),))),
    ("CPG515", stored(store=replace(STORE, unfinished=Unfinished("x.mmap.tmp", 9, beside=True)))),
    ("CPG516", stored("0.0.3")),
    ("CPG518", genome(found="compressed")),
    ("CPG518", genome(found="no-fasta")),
    ("CPG518", genome(short=True, index="wrong")),
    ("CPG518", genome(line_end=False, known=25, missing_names=Named(3, ("7", "8")))),
    ("CPG518", genome(**CUT)),
    ("CPG518", genome(found="missing", **CUT)),
    ("CPG518", here(unread=(Unread(GENOME.path, "denied", "Input/output error"),), genomes=())),
    ("CPG519", stored(filled=500, others=(HUMAN,))),
    ("CPG519", stored(filled=400, others=(HUMAN,))),
    ("CPG519", stored(filled=500, others=(COPY,))),
    ("CPG519", stored(others=(HUMAN,))),
    ("CPG519", stored(filled=500, others=(replace(HUMAN, home=False),))),
    ("CPG519", stored(others=(replace(HUMAN, home=False, shares="equal", named=300),))),
    ("CPG519", stored(parts=2, others=(replace(HUMAN, recorded=2),))),
    ("CPG519", stored(store=replace(STORE, apart=(Apart("rows", "a", "b", "c", "deps/human"),)))),
    (
        "CPG520",
        stored(
            filled=500,
            store=replace(STORE, size=500 * 4096, unnamed=Unnamed(200, 0, 9)),
            others=(replace(HUMAN, moved=0, same=300),),
        ),
    ),
    (
        "CPG520",
        stored(
            filled=500,
            store=replace(STORE, size=500 * 4096, index=IndexSeen(), unnamed=Unnamed(500, 0, 9)),
            others=(replace(COPY, moved=0),),
        ),
    ),
    ("CPG523", stored(store=replace(STORE, lost=5))),
    ("CPG527", stored(store=replace(STORE, repairing="deps/.cpgpt-doctor/backup-1"))),
)
UNKNOWN = (
    ("CPG507", here(unread=(Unread(STORE.rows, "shrank", "row 9"),))),
    ("CPG507", stored(rows=None, store=replace(STORE, width=None))),
    ("CPG509", here(store=None, unread=(Unread(STORE.database, "locked"),))),
    ("CPG519", here(unread=(Unread("deps/x.db", "skipped"),))),
)
EVERY = (*WELL_ONES, *(facts for _, facts in (*WRONG_ONES, *UNKNOWN)))
