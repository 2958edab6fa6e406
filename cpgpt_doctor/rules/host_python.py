"""CPG1xx: the host and its Python."""

from __future__ import annotations

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule

PLATFORMS = {"darwin": "macOS", "linux": "Linux", "win32": "Windows"}


def python_range(facts: Facts, call: Call) -> Check:
    """CPG101: Python against the installed CpGPT's own Requires-Python."""
    assert facts.packages is not None
    assert facts.python is not None
    cpgpt, version = facts.packages.cpgpt, facts.python.version
    if cpgpt is None:
        return unknown("Python's version: CpGPT is not installed, so its range is not known")
    if cpgpt.requires_python is None:
        return ok(f"Python {version}: CpGPT {cpgpt.version} names no range")
    try:
        admitted = SpecifierSet(cpgpt.requires_python).contains(Version(version), prereleases=True)
    except InvalidSpecifier:
        return unknown(f"CpGPT's Requires-Python cannot be read: {cpgpt.requires_python}")
    if admitted:
        return ok(f"Python {version} is in CpGPT {cpgpt.version}'s range {cpgpt.requires_python}")
    return found(
        Finding(
            "CPG101",
            Severity.error,
            f"Python {version} is outside the range of CpGPT {cpgpt.version}",
            (
                f"CpGPT {cpgpt.version} declares Requires-Python {cpgpt.requires_python}; pip"
                " refuses it, or chooses an older release, on any other Python.",
            ),
            (
                Remedy(
                    "recommended",
                    "Make an environment with Python 3.11 for CpGPT",
                    "Every CpGPT release up to 0.0.13 admits 3.11.",
                    commands=(
                        "python3.11 -m venv cpgpt-env",
                        "cpgpt-env/bin/pip install CpGPT cpgpt-doctor",
                    ),
                ),
            ),
            Evidence(seen=(("Python", version), ("Requires-Python", cpgpt.requires_python))),
            verify=("cpgpt-doctor check --python cpgpt-env/bin/python --quick",),
            expected="CPG101 is in the list of what is well.",
        )
    )


def default_since(facts: Facts) -> str:
    """Where the platform's default start method comes from, in words."""
    assert facts.python is not None
    platform = PLATFORMS.get(facts.python.platform, facts.python.platform)
    newer = Version(facts.python.version) >= Version("3.14")
    since = " since Python 3.14" if newer and platform == "Linux" else ""
    if platform == "macOS":
        since = " since Python 3.8"
    return f"{platform}'s default{since}"


MEANING = {
    "fork": "workers are copies of this process: nothing is pickled, open files are shared",
    "spawn": "workers are new interpreters: the dataset is pickled and sent to each",
    "forkserver": "workers come from a server process: the dataset is pickled and sent to each",
}


def start_method(facts: Facts, call: Call) -> Check:
    """CPG102: the effective start method, where it comes from and what it means."""
    assert facts.python is not None
    if call.start_method not in facts.python.start_methods:
        return found(
            Finding(
                "CPG102",
                Severity.error,
                f"this platform has no start method {call.start_method!r}",
                (f"It has: {', '.join(facts.python.start_methods)}.",),
                (
                    Remedy(
                        "recommended",
                        f"Use {facts.python.default_start_method!r}",
                        "set_start_method raises ValueError for a name that the platform lacks.",
                    ),
                ),
            )
        )
    origin = "set by your code" if call.chosen else default_since(facts)
    return ok(
        f"start method {call.start_method} ({origin}): {MEANING.get(call.start_method, 'unknown')}"
    )


def forkserver_default(facts: Facts, call: Call) -> Check:
    """CPG103: Python 3.14 on Linux starts workers through a fork server."""
    assert facts.python is not None
    python = facts.python
    if python.platform != "linux":
        return skipped("Linux's default start method: this is not Linux")
    if python.default_start_method != "forkserver":
        return ok(f"Linux's default start method here is {python.default_start_method}")
    return found(
        Finding(
            "CPG103",
            Severity.warning,
            f"Python {python.version} on Linux starts workers with forkserver",
            (
                "From Python 3.14, multiprocessing on Linux uses forkserver where nothing else is"
                " set; before, it was fork.",
                "A DataLoader with workers now pickles its dataset, which it did not do before.",
            ),
            (
                Remedy(
                    "recommended",
                    "Call CpGPT with num_workers=0",
                    "Nothing is pickled, and the result is the same on every platform.",
                    before="embedder.parse_dna_embeddings(locations, species)",
                    after="embedder.parse_dna_embeddings(locations, species, num_workers=0)",
                ),
                Remedy(
                    "not-recommended",
                    "Set the start method back to fork",
                    "PyTorch's own message suggests it, but forked workers share the genome's"
                    " file position, and CpGPT then stores rows of the wrong windows without an"
                    " error.",
                    after='multiprocessing.set_start_method("fork", force=True)',
                ),
            ),
        )
    )


RULES = (
    Rule("CPG101", "Python's version", python_range, ("python", "packages")),
    Rule("CPG102", "the start method", start_method, ("python",)),
    Rule("CPG103", "Linux's default start method", forkserver_default, ("python",)),
)
