"""What `repair` shows on a terminal: its actions, and what it leaves."""

from __future__ import annotations

import shlex

from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.repair.plan import Action
from cpgpt_doctor.repair.run import Looked, cost
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.words import Language, Words

NOTHING = Words("nothing to repair", "没有需要修复的")
ACTIONS = Words("repair would, in this order:", "repair 会依次执行：")
COST = Words("cost:", "代价：")
KEPT = Words("kept:", "保留：")
LEFT = Words("left:", "仍然存在：")
DO = Words("nothing was changed; to do it:", "没有做任何改动；要执行，请运行：")
AGAIN = Words("to go on:", "要继续，请运行：")
UNDO = Words("to put everything back:", "要全部还原，请运行：")
WHY = Words("not mended:", "无法修复：")
EXPLAIN = Words("what it means and what to do:", "含义和处理方法：")


def render(looked: Looked, folder: str, language: Language, *, applied: bool) -> str:
    """The text, a line each; what is wide is left to the terminal."""
    lines: list[str] = []
    actions = looked.plan.actions
    if actions:
        lines.append(ACTIONS.say(language))
        for number, action in enumerate(actions, 1):
            lines += shown(number, action, language)
    left = [each for each in looked.report.findings if is_left(each, looked)]
    if left:
        lines += [""] * bool(lines) + [LEFT.say(language)]
        for finding in left:
            lines += of_finding(finding, looked, language)
    if not lines:
        lines.append(NOTHING.say(language))
    command = f"  cpgpt-doctor repair --dependencies-dir {shlex.quote(folder)}"
    if actions:
        lines += ["", (AGAIN if applied else DO).say(language), f"{command} --apply"]
    if applied:
        lines += ["", UNDO.say(language), f"{command} --undo"]
    return "".join(f"{visible(line)}\n" for line in lines)


def shown(number: int, action: Action, language: Language) -> list[str]:
    return [
        f"  {number}. {action.code}  {action.what.say(language)}",
        f"     {action.path}",
        f"     {COST.say(language)} {cost(action).say(language)}",
        f"     {KEPT.say(language)} {action.keeps.say(language)}",
    ]


def is_left(finding: Finding, looked: Looked) -> bool:
    """Whether a finding is one that repair does nothing about, and more than a note."""
    path = finding.location.path if finding.location else ""
    mended = any(each.mends(finding.code, path) for each in looked.plan.actions)
    return finding.severity > Severity.note and not mended


def of_finding(finding: Finding, looked: Looked, language: Language) -> list[str]:
    path = finding.location.path if finding.location else ""
    why = [
        each.why.say(language)
        for each in looked.plan.left
        if (each.code, each.path) == (finding.code, path)
    ]
    return [
        f"  - {finding.code}  {finding.title.say(language)}",
        *([f"    {path}"] if path else []),
        *(f"    {WHY.say(language)} {each}" for each in why),
        f"    {EXPLAIN.say(language)} cpgpt-doctor explain {finding.code}",
    ]
