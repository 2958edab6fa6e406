"""What the rules over a genome, locations and a store are tried with: each finding of theirs once.

The figures are those of the pages, whose errors are the titles of these findings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.facts.locations import (
    BadLine,
    InGenome,
    InStore,
    LocationFacts,
    NotRead,
    Place,
    ProbesSeen,
    Problem,
    Some,
)
from cpgpt_doctor.facts.store import (
    Apart,
    Audit,
    Change,
    ChangedRows,
    Damage,
    DamageKind,
    GenomeDifference,
    HardLinked,
    InCache,
    IndexSeen,
    ModelDifference,
    Room,
    Sampled,
    Scanned,
    StoreFacts,
    Unfinished,
    Unnamed,
)
from cpgpt_doctor.intent import DNA_LLM
from tests import seen_audits

GENOME = GenomeFacts("deps/genomes/human.fa", "deps", sequences=25, names=("1", "2", "3"))
CPG = InGenome("human.fa", ("1", "2", "3"), total=300, cg=300)
LOCATIONS = LocationFacts("probes.txt", total=300, in_genome=CPG)
# Probes of which each has a location; MATRIX: of a matrix, of which some have none.
PROBES = ProbesSeen(total=300, sources=("deps/illumina_metadata.db",), found=300, same=4)
SUFFIXED = replace(
    PROBES,
    found=288,
    lost=Some(12, (Place("cg1_TC11", 5), Place("cg2", 6))),
    suffixed=5,
    snps=2,
    meant=(("cg1_TC11", "cg1"),),
    others=Some(2, (Place("age", 1),)),
)
NOT_READ = (NotRead("deps/manifests/x.tsv.gz", "EOFError: it is cut short"),)
IN_STORE = InStore("deps", "homo_sapiens", DNA_LLM, 2001, named=5000, here=300, left=3, right=1)
FOLDER = f"deps/dna_embeddings/homo_sapiens/{DNA_LLM}"
STORE = StoreFacts(
    dependencies="deps",
    species="homo_sapiens",
    dna_llm=DNA_LLM,
    context_len=2001,
    rows=f"{FOLDER}/2001bp_dna_embeddings.mmap",
    database="deps/ensembl_metadata.db",
    width=1024,
    index=IndexSeen(300),
    size=300 * 4096,
)
AUDIT = Audit("0.0.13", 128, 128)
ONE = (Place("1:5", 2),)
OTHER_WEIGHTS = (ModelDifference("weights", "a", "b"),)
RIGHT = Sampled(32, 0, None, 1e-7, 1e-5, padding=128)
WRONG = Sampled(32, 32, "1:220", 0.3, 1e-5, 1, 128)
OF_BOTH_KINDS = Sampled(
    32, 12, None, 0.0, 1e-5, 128, 1, 12, first_row=0, rows=60, change=Change(47, 48, 1, 128)
)
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
DAMAGES: tuple[DamageKind, ...] = get_args(DamageKind)


def located(**changes: Any) -> Facts:
    """Facts of locations that are otherwise in order; a change is of the file or in the genome."""
    held = {name: changes.pop(name) for name in list(changes) if hasattr(CPG, name)}
    total = held.get("total", LOCATIONS.total)
    given = replace(LOCATIONS, in_genome=replace(CPG, **held), **{"total": total, **changes})
    return Facts(genome=GENOME, locations=given)


def stored(**changes: Any) -> Facts:
    return Facts(genome=GENOME, locations=LOCATIONS, store=replace(STORE, **changes))


def audited(**changes: Any) -> Facts:
    return stored(audit=replace(AUDIT, **changes))


# Where nothing is wrong.
WELL = (
    Facts(genome=GENOME, locations=LOCATIONS, store=STORE),
    stored(index=None, size=None),
    stored(width=None, room=Room("deps", 5, 4)),
    audited(),
    audited(
        scanned=Scanned(300),
        samples=(RIGHT,),
        model=OTHER_WEIGHTS,
        model_sample=replace(RIGHT, largest=0.0),
    ),
    Facts(locations=replace(LOCATIONS, in_genome=None)),
    located(probes=PROBES, renamed=(("chr1", "1"), ("chrM", "MT"))),
    located(probes=replace(PROBES, same=0), stores=(IN_STORE,)),
    located(
        total=1000,
        cg=1000,
        stores=(replace(IN_STORE, here=912), replace(IN_STORE, context_len=401)),
    ),
    Facts(locations=replace(LOCATIONS, in_genome=None, stores=(IN_STORE,))),
)
# Where something is, by code.
WRONG_ONES: tuple[tuple[str, Facts], ...] = (
    ("CPG107", stored(room=Room("deps", 512_000_000, 4_096_000_000))),
    ("CPG501", Facts(genome=replace(GENOME, found="missing"))),
    ("CPG501", Facts(genome=replace(GENOME, found="missing", packed="deps/genomes/human.fa.gz"))),
    (
        "CPG502",
        located(total=6, cg=6, unknown=Some(4, (Place("chr1:7", 2),)), meant=(("chr1", "1"),)),
    ),
    ("CPG502", located(unknown=Some(1, (Place("1:7", 2),)), meant=(("1", "chr1"),))),
    ("CPG502", located(unknown=Some(1, (Place("x:7", 2),)))),
    ("CPG503", located(malformed=3, bad_lines=tuple(BadLine(4, each, "x") for each in PROBLEMS))),
    ("CPG503", located(malformed=1, bad_lines=(BadLine(4),), source="standard input")),
    ("CPG503", located(outside=Some(1, ONE))),
    ("CPG503", located(duplicates=5)),
    ("CPG505", stored(unfinished=Unfinished("x.mmap.tmp", 9), size=None, index=IndexSeen())),
    ("CPG505", stored(unfinished=Unfinished("x.mmap.tmp", 9, beside=True), size=8)),
    ("CPG506", stored(size=24 * 4096 + 7)),
    ("CPG506", stored(index=IndexSeen(300, 2, 1))),
    ("CPG507", located(all_n=Some(2, ONE))),
    ("CPG507", located(all_n=Some(2, ONE), source="standard input")),
    ("CPG507", audited(scanned=Scanned(60, 50, "1:2000"))),
    ("CPG507", audited(scanned=Scanned(60, 0, None, 1, "1:5", 1, ("chr7:1", "chr2:9000")))),
    *(("CPG509", stored(damage=Damage(each, "x"), index=None)) for each in DAMAGES),
    ("CPG510", stored(checkpoint="x.mmap.checkpoint.json")),
    ("CPG513", audited(samples=(WRONG,))),
    ("CPG513", stored(changed=(ChangedRows("file", 0, 64),))),
    ("CPG515", stored(unfinished=Unfinished("x.mmap.tmp", 9, beside=True))),
    ("CPG517", located(total=40, cg=0, left=40, right=2)),
    ("CPG517", located(total=40, cg=0, left=40, column="pos")),
    ("CPG517", located(total=40, cg=0, right=40)),
    ("CPG517", located(total=40, cg=0, right=40, converted="asked")),
    ("CPG517", located(total=150, cg=10, left=11, right=10)),
    ("CPG517", located(total=5, cg=0)),
    *(
        (
            "CPG517",
            Facts(
                locations=replace(
                    LOCATIONS, total=1000, in_genome=None, stores=(replace(IN_STORE, **beside),)
                )
            ),
        )
        for beside in ({"here": 2, "left": 990}, {"here": 2, "right": 990})
    ),
    (
        "CPG517",
        located(total=150, cg=10, stores=(replace(IN_STORE, here=1, left=149),)),
    ),
    ("CPG518", Facts(genome=replace(GENOME, path="human.fa.gz", found="compressed"))),
    ("CPG518", located(foreign=Some(4, ONE), letter="*")),
    ("CPG519", stored(apart=(Apart("rows", "a", "b", "c", "deps/human"),))),
    ("CPG519", stored(apart=(Apart("index", "a", "b", "c", "deps/human"),))),
    ("CPG519", stored(changed=(ChangedRows("index", 0, 64),))),
    ("CPG520", stored(unnamed=Unnamed(300, 0, 0), index=None)),
    ("CPG520", stored(unnamed=Unnamed(5, 7, 9, "deps/human"), lost=5)),
    ("CPG520", stored(unnamed=Unnamed(0, 7, 9))),
    ("CPG521", stored(in_cache=(InCache("a", "hub/blobs", "hub/snapshots/x"),))),
    ("CPG521", stored(hard_linked=(HardLinked("deps/ensembl_metadata.db", 2),))),
    (
        "CPG522",
        stored(
            other_genome=(
                GenomeDifference("no-sequence", "1"),
                GenomeDifference("length", "2", 5, 6),
                GenomeDifference("bases", "3"),
            )
        ),
    ),
    ("CPG522", stored(other_genome=(GenomeDifference("windows", "", 64, 3),))),
    ("CPG522", audited(samples=(Sampled(),))),
    ("CPG522", audited(model=(ModelDifference("precision", "float32", "bfloat16"),))),
    ("CPG522", audited(model=OTHER_WEIGHTS, model_sample=replace(RIGHT, largest=1e-7))),
    ("CPG522", audited(model=OTHER_WEIGHTS, model_sample=Sampled())),
    (
        "CPG522",
        audited(model=(ModelDifference("files", "", "config.json"),), model_sample=WRONG),
    ),
    ("CPG523", stored(lost=5)),
    ("CPG524", audited(recorded_padding=64)),
    ("CPG527", stored(repairing="deps/.cpgpt-doctor/backup-20250101T000000Z")),
    ("CPG524", audited(recorded_padding=None, samples=(OF_BOTH_KINDS,))),
    ("CPG524", audited(recorded_padding=1, samples=(RIGHT,))),
    ("CPG524", stored(recorded_padding=128, asked_padding=1)),
    ("CPG525", located(probes=SUFFIXED, kind="betas")),
    ("CPG525", located(probes=replace(SUFFIXED, found=3, by="manifests"))),
    ("CPG525", located(probes=replace(SUFFIXED, lost=Some(), suffixed=0, meant=()))),
    ("CPG525", located(probes=replace(PROBES, not_read=NOT_READ))),
    ("CPG503", located(duplicates=5, kind="betas")),
    ("CPG503", located(malformed=1, bad_lines=(BadLine(4),), kind="processed")),
)
ALLOWED = (("all-n", "non-cpg", "unnamed"), ())
AUDITS = tuple(Facts(store=STORE, audit=each) for each in seen_audits.EVERY)
EVERY = (*WELL, *(facts for _, facts in WRONG_ONES), *AUDITS)
