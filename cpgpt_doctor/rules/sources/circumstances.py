"""In which circumstances sources run, and what a number of workers comes to there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from packaging.version import Version

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import (
    PLATFORMS,
    Outcome,
    Setting,
    SourceCall,
    SourceFile,
    SourcesFacts,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.environment.releases import GUARDED
from cpgpt_doctor.rules.rule import read_version
from cpgpt_doctor.words import same

NAMES = {"linux": same("Linux"), "darwin": same("macOS"), "win32": same("Windows")}
FORKSERVER = Version("3.14")  # from this Python on, the default on Linux

Consequence: TypeAlias = Literal["wrong rows", "crash", "no workers", "prefetch", "fine"]


@dataclass(frozen=True)
class Circumstances:
    """platform: one of PLATFORMS. method: the start method where no file sets one; chosen: the user
    says that it is set by a call. release: of CpGPT, None where it is not known (then judged as the
    newest). cuda: None where it was not looked at."""

    platform: str
    method: str
    chosen: bool
    release: Version | None
    cuda: bool | None

    @property
    def guarded(self) -> bool:
        """Whether CpGPT has a guard for its workers, and leaves prefetch_factor out without any."""
        return self.release is None or self.release >= GUARDED

    @property
    def cpgpt(self) -> str:
        return f"CpGPT {self.release}" if self.release else "CpGPT"


def circumstances(facts: Facts, call: Call, platform: str | None = None) -> Circumstances:
    """Those of this judgement; platform: another one, with its own start method."""
    python = facts.python
    examined = python.platform if python else "linux"
    asked = platform or call.platform
    name = asked or examined
    name = name if name in PLATFORMS else "linux"
    cpgpt = facts.packages.cpgpt if facts.packages else None
    release = read_version(call.cpgpt or (cpgpt.version if cpgpt else None))
    version = read_version(call.python or (python.version if python else None))
    if call.chosen and platform is None:
        method = call.start_method
    elif asked is None and call.python is None and python is not None:
        method = python.default_start_method
    else:
        method = default_method(name, version)
    torch = facts.accelerator.torch if facts.accelerator else None
    elsewhere = asked is not None and asked != examined
    cuda = None if torch is None or elsewhere else torch.cuda_available
    return Circumstances(name, method, call.chosen and platform is None, release, cuda)


def default_method(platform: str, version: Version | None) -> str:
    if platform != "linux":
        return "spawn"
    return "forkserver" if version is not None and version >= FORKSERVER else "fork"


def sources(facts: Facts) -> SourcesFacts:
    assert facts.sources is not None
    return facts.sources


def calls(
    facts: Facts, around: Circumstances, *kinds: str
) -> Iterator[tuple[SourceFile, SourceCall]]:
    """The calls of these kinds that are reached on the platform."""
    for file in sources(facts).files:
        for each in file.calls:
            if each.kind in kinds and on(each.platforms, around.platform):
                yield file, each


def on(platforms: tuple[str, ...], platform: str) -> bool:
    return not platforms or platform in platforms


def outcomes(setting: Setting | None, platform: str) -> tuple[Outcome, ...]:
    """What a setting can be on the platform."""
    if setting is None:
        return ()
    return tuple(each for each in setting.outcomes if on(each.platforms, platform))


def start_method(facts: Facts, file: SourceFile, around: Circumstances) -> tuple[str, bool]:
    """The start method in effect for a file, and whether a call sets it."""
    for other in sources(facts).files:
        if other.path not in file.related:
            continue
        for each in other.calls:
            if each.kind == "start-method" and on(each.platforms, around.platform):
                for outcome in outcomes(each.setting("method"), around.platform):
                    if outcome.kind == "value" and isinstance(outcome.value, str):
                        return outcome.value, True
    return around.method, around.chosen


def count(outcome: Outcome) -> int | None:
    """A number of workers; of a number of cores, the least. None where it is none."""
    if outcome.kind == "unknown" or isinstance(outcome.value, (str, float)):
        return None
    return int(outcome.value) if outcome.value is not None else None


def of_embedding(
    workers: int, method: str, set_by_call: bool, around: Circumstances, replaced: bool
) -> Consequence:
    """What CpGPT's embedding does with a number of workers.

    replaced: the file puts a DataLoader into CpGPT's module that takes prefetch_factor away.
    """
    if workers <= 0:
        return "fine" if around.guarded or replaced else "prefetch"
    if around.guarded and (around.platform == "darwin" or (method == "spawn" and set_by_call)):
        return "no workers"
    return "wrong rows" if method == "fork" else "crash"


def replaces_loader(facts: Facts, file: SourceFile) -> bool:
    return any(each.loader_replaced for each in sources(facts).files if each.path in file.related)
