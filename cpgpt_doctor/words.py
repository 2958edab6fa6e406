"""Texts in the two languages of the reports, English and Chinese, side by side."""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Words:
    """A text as it reads in English and in Chinese; neither is a translation with less in it."""

    en: str
    zh: str

    def say(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def same(text: str) -> Words:
    """What reads alike in both: names, figures, code, and the texts of errors."""
    return Words(text, text)


def listed(items: tuple[Words, ...] | list[Words]) -> Words:
    """An enumeration: "a, b" and "a、b"."""
    return Words(", ".join(item.en for item in items), "、".join(item.zh for item in items))


def from_locale() -> Language:
    """The language of the messages that the user's environment asks for, as POSIX has it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    spoken = locale.getlocale()[0] or ""
    return "zh" if spoken.lower().startswith(("zh", "chinese")) else "en"
