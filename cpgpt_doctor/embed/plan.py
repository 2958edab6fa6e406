"""The plan of a run: each setting as asked, as applied, and why."""

from __future__ import annotations

import time

from cpgpt_doctor.embed.pace import Deadline
from cpgpt_doctor.embed.takeover import TakeOver
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.locations import InGenome
from cpgpt_doctor.facts.store import Link
from cpgpt_doctor.genome.locations import Locations
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.store.record import Setting

CONVERTED = {"asked": "--positions 1-based", "vcf": "a VCF counts from 1"}


def choose_device(facts: Facts, asked: str) -> str:
    """The device for "auto"; any other is taken, if torch has it. Raises InputError."""
    torch = facts.accelerator.torch if facts.accelerator else None
    cuda = torch is not None and torch.cuda_available
    mps = torch is not None and torch.mps_available
    if asked == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if (asked == "cuda" and not cuda) or (asked == "mps" and not mps):
        raise InputError(
            f"--device {asked}: torch has no such device here; see: cpgpt-doctor check --verbose"
        )
    return asked


def settings(
    facts: Facts,
    locations: Locations,
    paths: StorePaths,
    *,
    positions: Setting,
    rows: Setting,
    stored: int,
    batch_size: int,
    num_workers: int,
    device_asked: str,
    device: str,
) -> tuple[Setting, ...]:
    """The plan, a line for each setting that differs from CpGPT's own way, and the main ones."""
    given = len(locations.places) + locations.duplicates
    lines = [
        Setting(
            "locations",
            str(given),
            str(len(locations.places) - stored),
            "CPG503" if locations.duplicates else "",
            f"{stored} are in the store already"
            + (f", {locations.duplicates} were given twice" if locations.duplicates else ""),
        ),
        positions,
        rows,
        Setting(
            "num_workers",
            str(num_workers),
            str(num_workers),
            "CPG202" if num_workers else "CPG201",
            "the genome is read by position and travels as its path: safe to fork and to pickle"
            if num_workers
            else "windows are read in the main process: nothing is pickled or shared",
        ),
        Setting(
            "prefetch_factor",
            "2 (CpGPT)",
            "2" if num_workers else "none",
            "" if num_workers else "CPG203",
            "it belongs to workers, as persistent_workers does",
        ),
        Setting(
            "tokens",
            "searched (CpGPT)",
            "looked up",
            "",
            "windows of A, C, G and T only, once a sample has been found equal both ways",
        ),
        Setting(
            "pin_memory",
            "True (CpGPT)",
            str(device == "cuda"),
            "CPG204" if device != "cuda" else "",
            "it is of use for CUDA only",
        ),
        Setting(
            "batch_size",
            str(batch_size),
            str(batch_size),
            "CPG514" if batch_size > 1 else "",
            "only windows of equal padded length together, once a batch has been measured to"
            " give the rows of its windows alone"
            if batch_size > 1
            else "each window is computed alone",
        ),
        Setting("device", device_asked, device, *device_reason(facts, device_asked, device)),
        Setting(
            "writing",
            "by CpGPT",
            "by cpgpt-doctor",
            "CPG515",
            "CpGPT computes in a folder of its own; finished parts are added to the store whole",
        ),
    ]
    if paths.checkpoint.exists():
        lines.append(
            Setting(
                "checkpoint",
                "kept (CpGPT)",
                "set aside",
                "CPG510",
                "with it, CpGPT's next run would drop finished rows",
            )
        )
    return tuple(lines)


def fallback(allowed: bool, device: str) -> tuple[Setting, ...]:
    """What becomes of a GPU whose memory does not hold one window."""
    if not allowed or device == "cpu":
        return ()
    why = (
        "where even one window does not fit into its memory, the rest is computed on the CPU; rows"
        " can differ from the GPU's in their last bits"
    )
    return (Setting("fallback", "cpu", "if needed", "", why),)


def time_limit(deadline: Deadline) -> Setting:
    """When the run ends at the latest, and how. The hour is this machine's, as its clock has it."""
    ends = time.localtime(time.time() + deadline.left())
    return Setting(
        "time_limit",
        deadline.asked,
        time.strftime("%Y-%m-%d %H:%M:%S", ends),
        "",
        "ends at a part's border before, with exit code 75 unless it is finished; no part is begun"
        " that would take longer",
    )


def taking_over(taking: TakeOver) -> Setting:
    """Which folder is made, and of what (CPG521)."""
    how = (
        "its blocks are shared with them until one changes"
        if taking.shared
        else f"{taking.bytes / 1e6:,.0f} MB are copied"
    )
    stores = ", ".join(f"{model} {length}" for model, length in taking.kept)
    return Setting(
        "into",
        str(taking.source),
        str(taking.into),
        "CPG521",
        f"takes over the rows of {taking.species} ({stores}), their index and what CpGPT keeps"
        f" beside them; {how}; the folder has its name once all is there, and the source stays as"
        " it is",
    )


def positions(given: Locations, seen: InGenome, said: str) -> Setting:
    """Where the positions count from, and what tells that they are those of CpGs.

    said: why they do not stop the run where they are not, empty where they are.
    """
    why = [CONVERTED[given.converted]] if given.converted else []
    return Setting(
        "positions",
        "1-based" if given.converted else "0-based",
        "0-based",
        "CPG517" if given.converted or said else "",
        "; ".join([*why, share_of_cg(seen), *([said] if said else [])]),
    )


def share_of_cg(seen: InGenome) -> str:
    cg, left, right = (f"{each / seen.total:.1%}" for each in (seen.cg, seen.left, seen.right))
    return (
        f"the genome says CG at {cg} of the locations, one base to the left at {left}, to the"
        f" right at {right}"
    )


def given_lines(given: Locations) -> tuple[Setting, ...]:
    """What became of names that were given: probes, and sequences."""
    lines = []
    probes = given.probes
    if probes is not None:
        why = [f"looked up in {', '.join(probes.sources)}"]
        if probes.same:
            why.append(f"{probes.same} have the location of another one")
        if probes.cut:
            why.append(f"{probes.cut} without their suffix (--fix-names)")
        if probes.snps:
            why.append(f"{probes.snps} measure SNPs, which CpGPT leaves out")
        code = "CPG525" if probes.lost.count or probes.cut or probes.snps else ""
        located = str(probes.found - probes.same)
        lines.append(Setting("probes", str(probes.total), located, code, "; ".join(why)))
    if given.renamed:
        theirs, its = (", ".join(each) for each in zip(*given.renamed, strict=True))
        lines.append(Setting("names", theirs, its, "CPG502", "--fix-names; the genome's are used"))
    return tuple(lines)


def lost_words(lost: int) -> str:
    return (
        f"{lost} rows that were recorded are no longer named: the index was saved over, replaced or"
        " removed by something else"
    )


def store_lines(links: tuple[Link, ...], lost: int, unnamed: bool) -> tuple[Setting, ...]:
    """What is to be known of the store itself; mostly nothing."""
    lines = [
        Setting("link", link.path, link.leads_to, "", "what it leads to is written")
        for link in links
    ]
    if lost:
        lines.append(Setting("recorded rows", "named", "not named", "CPG523", lost_words(lost)))
    if unnamed:
        lines.append(
            Setting(
                "unnamed rows",
                "replaced (CpGPT)",
                "set aside",
                "CPG520",
                "what the index does not name goes into a file of its own; nothing is overwritten",
            )
        )
    return tuple(lines)


def device_reason(facts: Facts, asked: str, device: str) -> tuple[str, str]:
    """The rule and the words for the device."""
    if device == "mps":
        return "CPG303", "CpGPT alone would use the CPU; rows can differ from it in their last bits"
    if device == "cuda":
        return "", "as CpGPT does; rows can differ from the CPU's in their last bits"
    torch = facts.accelerator.torch if facts.accelerator else None
    if torch is not None and torch.cuda_available:
        return "", "asked for; CpGPT alone would use CUDA"
    return "", "as CpGPT does" + ("" if asked == "cpu" else ": no other device is available")
