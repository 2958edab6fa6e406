"""Every code with its name and its family.

A name says what is wrong, in the words of the field. Titles may change; codes and names do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from cpgpt_doctor.words import Words

# By the first digit of the code.
FAMILIES = {
    "1": Words("host and Python", "主机与 Python"),
    "2": Words("workers and the dataset", "工作进程与数据集"),
    "3": Words("accelerators", "加速设备"),
    "4": Words("packages", "软件包"),
    "5": Words("genome, locations and the store", "基因组、位点与嵌入文件"),
    "7": Words("failures recognised in logs", "日志中识别的故障"),
}
NAMES = {
    "CPG101": "unsupported-python",
    "CPG102": "start-method",
    "CPG103": "python-314-forkserver",
    "CPG107": "disk-too-small",
    #
    "CPG201": "unpicklable-dataset",
    "CPG202": "shared-file-position",
    "CPG203": "prefetch-factor-always-set",
    "CPG204": "pin-memory-without-cuda",
    "CPG205": "unpicklable-data-module",
    "CPG206": "worker-guard-gap",
    "CPG207": "unpicklable-collate",
    "CPG208": "workers-do-not-start",
    "CPG209": "tokenizer-threads-and-fork",
    "CPG210": "own-dataset-unsafe",
    #
    "CPG301": "torch-without-cuda",
    "CPG302": "no-usable-driver",
    "CPG303": "mps-not-used",
    "CPG304": "mps-not-available",
    #
    "CPG401": "torch-broken",
    "CPG402": "cpgpt-not-importable",
    "CPG403": "unmet-requirements",
    "CPG404": "transformers-misfit",
    "CPG405": "model-not-cached",
    #
    "CPG501": "genome-missing",
    "CPG502": "sequence-names-misfit",
    "CPG503": "wrong-locations",
    "CPG505": "unfinished-rows",
    "CPG506": "index-misfit",
    "CPG507": "impossible-rows",
    "CPG509": "unreadable-metadata",
    "CPG510": "stale-checkpoint",
    "CPG513": "wrong-rows",
    "CPG514": "padded-batch",
    "CPG515": "half-made-copy",
    "CPG517": "positions-not-cpg",
    "CPG518": "genome-unreadable",
    "CPG519": "foreign-index",
    "CPG520": "unnamed-rows",
    "CPG521": "store-in-shared-cache",
    "CPG522": "store-provenance-misfit",
    "CPG523": "recorded-rows-unnamed",
    "CPG524": "other-kind-of-rows",
    #
    "CPG701": "pickling-error",
    "CPG702": "prefetch-factor-error",
    "CPG703": "persistent-workers-error",
    "CPG704": "worker-killed",
    "CPG705": "shared-memory-exhausted",
    "CPG706": "too-many-open-files",
    "CPG707": "cpu-out-of-memory",
    "CPG708": "mps-out-of-memory",
    "CPG709": "cuda-out-of-memory",
    "CPG710": "cuda-after-fork",
    "CPG711": "no-main-guard",
    "CPG712": "model-not-fetched",
    "CPG713": "store-missing-after-run",
    "CPG714": "unknown-species-or-model",
    "CPG715": "removed-transformers-name",
    "CPG716": "no-kernel-for-gpu",
    "CPG717": "unknown-sequence-names",
}


@dataclass(frozen=True)
class Entry:
    """A code, its name and its family."""

    code: str
    name: str

    @property
    def family(self) -> Words:
        return FAMILIES[self.code[3]]


CATALOGUE = {code: Entry(code, name) for code, name in NAMES.items()}
CODES = {name: code for code, name in NAMES.items()}


def name(code: str) -> str:
    return CATALOGUE[code].name


def code_of(text: str) -> str | None:
    """The code that a user wrote, in any case, or whose name it is; None where there is none."""
    if text.upper() in CATALOGUE:
        return text.upper()
    return CODES.get(text.lower())


def families() -> list[tuple[Words, list[Entry]]]:
    """The families in the order of their codes, each with its entries."""
    return [
        (family, [each for each in CATALOGUE.values() if each.code[3] == digit])
        for digit, family in FAMILIES.items()
    ]
