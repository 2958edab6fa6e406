"""Which kind of rows a run adds: the one that the store holds, whatever release is installed.

CpGPT up to 0.0.7 does not pad a window that is alone; from 0.0.8 on it is padded to a multiple of
128 tokens, and its row is another one. A store holds one kind. In a new store it is the installed
release's, unless another one is asked for.
"""

from __future__ import annotations

from typing import Literal

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.store.binding import KINDS
from cpgpt_doctor.store.record import Setting

RowsAsked = Literal["unpadded", "padded", "release"]
LENGTH = 128  # tokens, to whose multiples CpGPT pads from 0.0.8 on
PUBLISHED = "the rows that CpGPT published in 2025 came from before 0.0.8, which does not pad"


def padding_asked(asked: RowsAsked | None, release: int | None) -> int | None:
    """The padding that was asked for by name; None where none was, or where it is not known yet."""
    return release if asked == "release" else KINDS[asked] if asked else None


def settled(stored: tuple[int, ...], asked: int | None, release: int) -> int:
    """The padding of new rows. stored: the kinds that the store holds: one at the most."""
    return stored[0] if stored else release if asked is None else asked


def words(padding: int) -> str:
    """What rows of this padding are called in a sentence of ours."""
    if padding == 1:
        return "not padded, as CpGPT up to 0.0.7 computes them"
    return f"padded to {padding} tokens" + (
        ", as CpGPT from 0.0.8 on computes them" if padding == LENGTH else ""
    )


def of_release(facts: Facts) -> int | None:
    """The padding of the installed release, as its own call was seen to pad; None if it was not."""
    trial = facts.embedder.examined.batch if facts.embedder and facts.embedder.examined else None
    if trial is None or trial.error is not None or not trial.windows:
        return None
    return LENGTH if all(each.alone % LENGTH == 0 for each in trial.windows) else 1


def setting(
    asked: RowsAsked | None,
    stored: tuple[int, ...] | None,
    padding: int | None,
    release: str,
) -> Setting:
    """The line of the plan. stored: the kinds that the store holds, None where they are not known
    before its rows have been looked at. padding: of new rows, None where that is not known yet."""
    if stored is None:
        why = "some stored rows are computed both ways, which tells their kind; no other is added"
    elif stored:
        why = (
            f"the store holds these, and no other kind is added, whatever CpGPT {release} computes"
        )
    elif asked in (None, "release"):
        why = f"as the installed CpGPT {release} computes them; {PUBLISHED} (--rows unpadded)"
    else:
        why = f"as asked for, whatever CpGPT {release} computes; {PUBLISHED}"
    if padding is None:
        applied = "as the release pads" if stored == () else "as stored"
    else:
        applied = words(padding).partition(",")[0]
    code = "" if stored == () and asked in (None, "release") else "CPG524"
    return Setting("rows", asked or "auto", applied, code, why)


def with_rows(plan: tuple[Setting, ...], line: Setting) -> tuple[Setting, ...]:
    """The plan, once the kind is settled."""
    return tuple(line if each.setting == line.setting else each for each in plan)
