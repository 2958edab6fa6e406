"""Every code with its name and its family.

A name says what is wrong, in the words of the field. It stands on the rule's page, below the title.
Titles may change; codes and names do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cpgpt_doctor import pages
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
# Until their pages have them.
NAMES = {
    "CPG101": "unsupported-python",
    "CPG102": "start-method",
    "CPG103": "python-314-forkserver",
    "CPG107": "disk-too-small",
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
}


@dataclass(frozen=True)
class Entry:
    """A code, its name and its family."""

    code: str
    name: str

    @property
    def family(self) -> Words:
        return FAMILIES[self.code[3]]


@cache
def entries() -> dict[str, Entry]:
    """Every code, in order, with its entry."""
    return {code: Entry(code, name(code)) for code in pages.codes()}


def name(code: str) -> str:
    return pages.name(code) or NAMES[code]


def code_of(text: str) -> str | None:
    """The code that a user wrote, in any case, or whose name it is; None where there is none."""
    if text.upper() in entries():
        return text.upper()
    return next((each.code for each in entries().values() if each.name == text.lower()), None)


def families() -> list[tuple[Words, list[Entry]]]:
    """The families in the order of their codes, each with its entries."""
    return [
        (family, [each for each in entries().values() if each.code[3] == digit])
        for digit, family in FAMILIES.items()
    ]
