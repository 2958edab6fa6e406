"""The words of the reports themselves, in one table for all forms.

Where a form begins a line without a capital, it writes the label in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

from cpgpt_doctor import pages
from cpgpt_doctor.pages import PageRemedy
from cpgpt_doctor.words import Language, Words, same

TABLE: dict[str, Words] = {
    **pages.PARTS,
    **dict(pages.ADVICE.items()),
    # Severities
    "error severity": Words("error", "错误"),
    "warning severity": Words("warning", "警告"),
    "note severity": Words("note", "提示"),
    # The head of a report
    "title": Words("CpGPT environment", "CpGPT 环境检查"),
    "store title": Words("CpGPT store", "CpGPT 嵌入文件检查"),
    "nothing found": Words("nothing found", "没有发现问题"),
    "date": Words("Date", "日期"),
    "patient": Words("Environment", "环境"),
    "python": Words("Interpreter", "解释器"),
    "judged": Words("Judged call", "检查的调用"),
    "judged rows": Words("Judged rows", "检查的行"),
    "result": Words("Result", "结论"),
    "doctor": same("cpgpt-doctor"),
    "contents": Words("Contents", "目录"),
    # A finding
    "culprits": Words("Culprits", "问题对象"),
    "culprit": Words("Culprit", "问题对象"),
    "seen": Words("Seen", "检测结果"),
    "where": Words("Where", "位置"),
    "what": Words("What it is", "是什么"),
    "treated": Words("treated by run-embed", "run-embed 会自动处理"),
    "remedy": Words("Remedy", "方案"),
    "before": pages.BEFORE,
    "after": pages.AFTER,
    "run": pages.RUN,
    "expected": Words("Expected", "预期"),
    "as remedy": Words("As remedy {number} of {code}", "同 {code} 的方案 {number}"),
    "as for": Words("As for {code}", "同 {code}"),
    "more": Words("More", "详情"),
    # The checklist and the summary
    "not checked": Words("could not be checked", "未能检查"),
    "verified": Words("verified with {command}", "用 {command} 验证"),
    "problem": Words("Problem", "问题"),
    "effect": Words("Effect", "影响"),
    "status": Words("Status", "状态"),
    "error effect": Words(
        "the call would crash or store wrong rows", "调用会崩溃，或者写入错误的行"
    ),
    "warning effect": Words(
        "it works, and not as asked or not within what CpGPT asks for",
        "可以运行，但与要求不符，或超出 CpGPT 声明的范围",
    ),
    "note effect": Words("none on this call", "不影响这次调用"),
    "to do": Words("to do", "待处理"),
    "your choice": Words("your choice", "由你决定"),
    "for information": Words("nothing to do", "无需处理"),
    # The summary of a step of GitHub's
    "severity": Words("Severity", "级别"),
    "code": Words("Code", "编号"),
    "finding": Words("Finding", "问题"),
    "first remedy": Words("First remedy", "首选方案"),
    "more on each": Words("More on each", "逐项了解"),
    # SARIF's bases of paths
    "SRCROOT": Words("The folder in which the check ran.", "运行检查时所在的文件夹。"),
    "HOME": Words("The user's home folder, left out.", "用户的主目录，路径已隐去。"),
    # HTML's buttons
    "copy": Words("Copy", "复制"),
    "copied": Words("Copied", "已复制"),
    "selected": Words("Selected", "已选中"),
    # Punctuation
    "colon": Words(": ", "："),
    "stop": Words(".", "。"),
    "comma": Words(", ", "、"),
    "bracketed": Words(" ({text})", "（{text}）"),
}


@dataclass(frozen=True)
class Labels:
    """The table in one language."""

    language: Language

    def __getitem__(self, name: str) -> str:
        return TABLE[name].say(self.language)

    def fill(self, name: str, **values: object) -> str:
        return self[name].format(**values)

    def bracketed(self, text: str) -> str:
        """The text in brackets, as they follow another."""
        return self.fill("bracketed", text=text)

    def begin(self, name: str) -> str:
        """The label and a colon."""
        return self[name] + self["colon"]

    def advised(self, remedy: PageRemedy) -> str:
        """A remedy's title with its advice."""
        return remedy.title + self.bracketed(self[remedy.advice])
