"""CPG4xx: torch, CpGPT and what CpGPT requires."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cpgpt_doctor.facts import Facts, Packages
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule, examined

# The remote code of the published Nucleotide Transformer v2 models imports this name; a plain
# `pip install CpGPT` brings a transformers without it.
# Source: https://github.com/instadeepai/nucleotide-transformer/issues/149
NEEDED_BY_NT_V2 = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
OTHER_ENVIRONMENT = Remedy(
    "recommended",
    "Name the environment that runs CpGPT",
    "The doctor need not be installed there.",
    commands=("cpgpt-doctor check --python /path/to/that/python",),
)
OLD_TRANSFORMERS = "pip install 'transformers<5'"


def torch_works(facts: Facts, call: Call) -> Check:
    """CPG401: torch imports and answers, in a process of its own."""
    installed = facts.packages.installed.get("torch") if facts.packages else None
    failure = facts.failure("accelerator")
    reinstall = Remedy(
        "recommended",
        "Install torch again",
        "Its files are missing, mixed from two versions, or not for this machine.",
        commands=("pip install --force-reinstall torch",),
    )
    if failure is not None:
        how = {
            "killed": f"importing torch kills the interpreter ({failure.detail})",
            "exited": f"importing torch ends the interpreter ({failure.detail})",
            "timeout": f"torch does not answer within {failure.detail}",
            "garbled": "torch's probe gave no answer",
        }[failure.kind]
        return found(
            Finding(
                "CPG401",
                Severity.error,
                how,
                (
                    "Importing torch was tried in a process of its own, which did not survive it."
                    if failure.kind != "timeout"
                    else "Importing torch was tried in a process of its own, and stopped.",
                    "CpGPT cannot be imported without torch.",
                ),
                (reinstall,),
                Evidence(
                    error=last_line(failure.output),
                    seen=(("torch", installed or "not among the installed packages"),),
                ),
                verify=("python -c 'import torch; print(torch.__version__)'",),
                expected="A version, and nothing else.",
            )
        )
    if facts.accelerator is None:
        return skipped(f"torch {installed or 'is not installed'}; not imported (--quick)")
    outcome = facts.accelerator.outcome
    if outcome.ok and facts.accelerator.torch is not None:
        return ok(f"torch {facts.accelerator.torch.version} imports ({outcome.seconds:.1f} s)")
    if installed is None and outcome.error_type == "ModuleNotFoundError":
        return found(
            Finding(
                "CPG401",
                Severity.error,
                "torch is not installed",
                ("CpGPT cannot be imported without torch.",),
                (
                    *((OTHER_ENVIRONMENT,) if facts.packages and not facts.packages.cpgpt else ()),
                    Remedy(
                        "recommended",
                        "Install torch",
                        "CpGPT requires it.",
                        commands=("pip install torch",),
                    ),
                ),
                Evidence(error=f"{outcome.error_type}: {outcome.error}"),
            )
        )
    return found(
        Finding(
            "CPG401",
            Severity.error,
            "torch is broken: it cannot be imported",
            ("Importing torch raises.", "CpGPT cannot be imported without torch."),
            (reinstall,),
            Evidence(
                error=f"{outcome.error_type}: {outcome.error}",
                seen=(("torch", installed or "not among the installed packages"),),
            ),
            verify=("python -c 'import torch; print(torch.__version__)'",),
            expected="A version, and nothing else.",
        )
    )


def last_line(text: str) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else None


def torch_failed(facts: Facts) -> bool:
    return facts.failure("accelerator") is not None or (
        facts.accelerator is not None and facts.accelerator.torch is None
    )


def cpgpt_works(facts: Facts, call: Call) -> Check:
    """CPG402: CpGPT is installed and its embedder imports."""
    if facts.packages is not None and facts.packages.cpgpt is None:
        return found(
            Finding(
                "CPG402",
                Severity.error,
                "CpGPT is not installed in this environment",
                ("No distribution of that name is on this interpreter's path.",),
                (
                    OTHER_ENVIRONMENT,
                    Remedy(
                        "possible",
                        "Install CpGPT here",
                        "On Linux this brings a torch for CUDA, several gigabytes.",
                        commands=("pip install CpGPT",),
                    ),
                ),
            )
        )
    version = facts.packages.cpgpt.version if facts.packages and facts.packages.cpgpt else "?"
    if "embedder" in facts.skipped:
        return skipped(f"CpGPT {version} is installed; not imported (--quick)")
    if torch_failed(facts):
        return unknown(f"CpGPT {version} is installed; without torch it cannot be tried (CPG401)")
    failure = facts.failure("embedder")
    if failure is not None:
        return found(
            Finding(
                "CPG402",
                Severity.error,
                f"CpGPT {version} cannot be tried: its process ended ({failure.detail})",
                ("CpGPT's embedder was imported and called in a process of its own.",),
                evidence=Evidence(error=last_line(failure.output)),
            )
        )
    assert facts.embedder is not None
    outcome = facts.embedder.imported
    if outcome.ok:
        return ok(f"CpGPT {version} imports ({outcome.seconds:.1f} s)")
    alone = facts.embedder.imported_alone
    missing = re.search(r"No module named '([^']+)'", outcome.error or "")
    package = missing.group(1).partition(".")[0] if missing else None
    return found(
        Finding(
            "CPG402",
            Severity.error,
            f"CpGPT {version} cannot be imported",
            (
                f"The package {package} is not installed."
                if package
                else "Importing CpGPT's embedder raises.",
                "The embedder's own file imports without it, so run-embed still works."
                if alone and alone.ok
                else "The embedder's own file cannot be imported either.",
            ),
            (
                Remedy(
                    "recommended",
                    f"Install {package}" if package else "Install CpGPT's requirements again",
                    "CpGPT imports it." if package else "One of them does not fit.",
                    commands=(f"pip install {package}",)
                    if package
                    else ("pip install --force-reinstall CpGPT",),
                ),
            ),
            Evidence(error=f"{outcome.error_type}: {outcome.error}"),
            verify=("cpgpt-doctor check",),
            expected="CPG402 is in the list of what is well.",
        )
    )


@dataclass(frozen=True)
class Unmet:
    """A requirement of CpGPT that is not met: `version` is None where it is not installed."""

    requirement: Requirement
    version: str | None

    @property
    def text(self) -> str:
        have = "not installed" if self.version is None else f"{self.version} is installed"
        return f"{self.requirement.name}{self.requirement.specifier}: {have}"


def unmet(packages: Packages) -> list[Unmet]:
    """CpGPT's requirements that the environment does not meet, its extras left out."""
    assert packages.cpgpt is not None
    result = []
    for line in packages.cpgpt.requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # pip cannot judge it either
        environment = {**packages.markers, "extra": ""}
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        version = packages.installed.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(
            Version(version), prereleases=True
        ):
            result.append(Unmet(requirement, version))
    return result


def requirements(facts: Facts, call: Call) -> Check:
    """CPG403: CpGPT's requirements: out of range, or needed only by other parts of CpGPT."""
    assert facts.packages is not None
    if facts.packages.cpgpt is None:
        return skipped("CpGPT's requirements: CpGPT is not installed (CPG402)")
    missing = unmet(facts.packages)
    total = len(facts.packages.cpgpt.requires)
    if not missing:
        return ok(f"CpGPT's {total} requirements are met")
    embedder = facts.embedder
    if embedder is None:
        listed = "; ".join(each.text for each in missing)
        return unknown(f"{len(missing)} of CpGPT's {total} requirements are not met: {listed}")
    broken: set[str] = set()
    if not embedder.imported.ok:
        named = re.findall(r"[A-Za-z0-9_.-]+", embedder.imported.error or "")
        words = {canonicalize_name(word.partition(".")[0]) for word in named}
        broken = {
            each.requirement.name
            for each in missing
            if canonicalize_name(each.requirement.name) in words
        }
    used = set(embedder.in_use)
    groups: dict[Severity, list[Unmet]] = {}
    for each in missing:
        if each.requirement.name in broken:
            level = Severity.error
        elif each.version is not None and canonicalize_name(each.requirement.name) in used:
            level = Severity.warning
        else:
            level = Severity.note
        groups.setdefault(level, []).append(each)
    return found(*(requirement_finding(level, groups[level]) for level in sorted(groups)[::-1]))


REQUIREMENT_TITLES = {
    Severity.error: "CpGPT's import fails for a requirement that is not met",
    Severity.warning: "the embedder works with packages outside the range that CpGPT asks for",
    Severity.note: "requirements of other parts of CpGPT are not met; the embedder needs none",
}
REQUIREMENT_CAUSES = {
    Severity.error: "The import was tried, and its error names the package.",
    Severity.warning: "The embedder was imported and called with them here, and it worked.",
    Severity.note: "The embedder was imported, and none of these was loaded.",
}


def requirement_finding(level: Severity, group: list[Unmet]) -> Finding:
    wanted = " ".join(f"'{each.requirement.name}{each.requirement.specifier}'" for each in group)
    return Finding(
        "CPG403",
        level,
        REQUIREMENT_TITLES[level],
        (REQUIREMENT_CAUSES[level],),
        (
            Remedy(
                "recommended" if level is Severity.error else "possible",
                "Install what CpGPT asks for",
                "pip checks that the ranges agree with each other.",
                commands=(f"pip install {wanted}",),
            ),
        ),
        Evidence(seen=tuple((each.requirement.name, each.text) for each in group)),
    )


def remote_code_names(facts: Facts, call: Call) -> Check:
    """CPG404: names that the chosen model's code needs from transformers."""
    seen = examined(facts)
    installed = facts.packages.installed.get("transformers", "?") if facts.packages else "?"
    code = next((each for each in seen.remote_code if each.dna_llm == call.dna_llm), None)
    if code is None:
        return found(
            Finding(
                "CPG404",
                Severity.error,
                f"this CpGPT has no model {call.dna_llm!r}",
                (f"It has: {', '.join(sorted(seen.models))}.",),
                (
                    Remedy(
                        "recommended",
                        "Choose one of these, or a CpGPT that has it",
                        "CpGPT raises ValueError for another name.",
                    ),
                ),
            )
        )
    old = Remedy(
        "recommended",
        "Install a transformers before 5",
        "Giving the name back is not enough: a model of that age fails further on in"
        " transformers 5.",
        commands=(OLD_TRANSFORMERS,),
    )
    if code.missing:
        return found(
            Finding(
                "CPG404",
                Severity.error,
                f"{call.dna_llm} cannot be loaded with transformers {installed}",
                (
                    "Its own code, which CpGPT lets transformers run, imports "
                    + ", ".join(sorted({each.name for each in code.missing}))
                    + ".",
                    f"transformers {installed} has no such name.",
                ),
                (old,),
                Evidence(seen=tuple((each.name, "not there") for each in code.missing)),
                Location(code.missing[0].path, code.missing[0].line),
                verify=(f"cpgpt-doctor check --dna-llm {call.dna_llm}",),
                expected="CPG404 is in the list of what is well.",
            )
        )
    if code.cached:
        count = len(code.files)
        read = f"{count} files of its own code were read" if count else "it has no code of its own"
        return ok(f"{call.dna_llm} is cached and fits transformers {installed} ({read})")
    if call.dna_llm.startswith("nucleotide-transformer-v2") and not seen.remote_needs.get(
        NEEDED_BY_NT_V2, True
    ):
        return found(
            Finding(
                "CPG404",
                Severity.warning,
                f"{call.dna_llm} is known not to load with transformers {installed}",
                (
                    f"The model is not cached here. Its published code imports {NEEDED_BY_NT_V2}"
                    " (instadeepai/nucleotide-transformer#149).",
                    f"transformers {installed} has no such name.",
                ),
                (old,),
                verify=(f"cpgpt-doctor check --dna-llm {call.dna_llm}",),
                expected="CPG404 is in the list of what is well.",
            )
        )
    return ok(
        f"{call.dna_llm} is not cached; nothing is known against it with transformers {installed}"
    )


RULES = (
    Rule("CPG401", "torch", torch_works, ()),
    Rule("CPG402", "CpGPT", cpgpt_works, ("packages",)),
    Rule("CPG403", "CpGPT's requirements", requirements, ("packages",)),
    Rule("CPG404", "the model's code", remote_code_names, ("examined",)),
)
