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
    "6": Words("scripts, notebooks and configs", "脚本、笔记本与配置"),
    "7": Words("failures recognised in logs", "日志中识别的故障"),
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
    return pages.name(code)


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
