"""`explain`: the page of a rule, or what failed in a log."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from cpgpt_doctor import at_hand, catalogue, logs, pages
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.redact import redact
from cpgpt_doctor.reports import markdown, terminal, view
from cpgpt_doctor.reports.labels import Labels
from cpgpt_doctor.rules import failures
from cpgpt_doctor.rules.failures import Explained, Unknown
from cpgpt_doctor.words import Language, Words

ATTACH = "cpgpt-doctor check --save-facts facts.json"


@dataclass(frozen=True)
class LogRead:
    """What was read from `source`, and what it showed. left_out: more than was kept."""

    source: str
    lines: int
    explained: Explained
    left_out: int

    @property
    def failed(self) -> bool:
        return bool(self.explained.findings or self.explained.unknown)


def page(rule: str, language: Language) -> str:
    """The Markdown of a rule's page, by code or name; InputError for what is neither."""
    code = catalogue.code_of(rule)
    if code is None:
        known = [*catalogue.entries(), *(each.name for each in catalogue.entries().values())]
        written = rule.upper() if rule[:3].upper() == "CPG" else rule.lower()
        near = difflib.get_close_matches(written, known, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"explain {rule}: no such rule; {meant}all of them: cpgpt-doctor explain")
    return pages.read(code, language).text


def every_rule(language: Language) -> str:
    """A Markdown list of all pages, family by family."""
    blocks = [Words("# The rules of cpgpt-doctor", "# cpgpt-doctor 的规则").say(language)]
    for family, entries in catalogue.families():
        title = family.say(language)
        blocks.append(f"## {title[0].upper()}{title[1:]}")
        blocks.append(
            "\n".join(
                f"- `{each.code}` {pages.read(each.code, language).title} · `{each.name}`"
                for each in entries
            )
        )
    more = Words(
        "A rule's page: `cpgpt-doctor explain CODE`, or its name",
        "查看某条规则：`cpgpt-doctor explain CODE`，也可以用它的名称",
    )
    return "\n\n".join([*blocks, more.say(language)]) + "\n"


def show(text: str, console: Console) -> None:
    """Markdown on the terminal."""
    console.print(Markdown(text, code_theme="ansi_dark"))


def read_log(name: str) -> LogRead:
    """Read a log, `-` for standard input, as a stream of bounded memory; InputError if it fails."""
    try:
        if name == "-" and sys.stdin is None:
            raise InputError("--log -: standard input is closed")
        if name == "-":
            log = logs.read(sys.stdin.buffer, failures.WATCH)
        else:
            with Path(name).open("rb") as stream:
                log = logs.read(stream, failures.WATCH)
    except OSError as error:
        raise InputError(f"--log {name}: cannot be read: {error.strerror}") from error
    except logs.NoText as error:
        raise InputError(f"--log {name}: {error}") from error
    source = "stdin" if name == "-" else name
    return LogRead(source, log.lines, failures.judge(log), log.left_out)


def log_markdown(read: LogRead, language: Language, *, keep: bool = False) -> str:
    """The answer as a document; personal data is replaced in it unless `keep`."""
    labels = Labels(language)
    shown: dict[object, str] = {}
    blocks = [f"# {markdown.text(headline(read, language))}"]
    for found in (*findings(read, language), *of_your_files(read, language)):
        blocks += [f"## {markdown.heading(found)}", markdown.body(found, labels, shown)]
    if read.explained.unknown:
        blocks.append("## " + Words("Not known", "未能识别").say(language))
        items = [
            f"- {markdown.code(each.error)}{labels['colon']}{markdown.text(where(each, language))}"
            for each in read.explained.unknown
        ]
        blocks += ["\n".join(items), attach(language), f"```bash\n{ATTACH}\n```"]
    text = "\n\n".join(blocks) + "\n"
    return text if keep else redact(text)


def show_log(read: LogRead, console: Console, language: Language) -> None:
    """The answer on a terminal; the last line says what to do next."""
    console.print(Text(headline(read, language), "bold"))
    own = of_your_files(read, language)
    terminal.show_findings([*findings(read, language), *own], console, Labels(language))
    for each in read.explained.unknown:
        console.print()
        mark = Words("not known: ", "未能识别：").say(language)
        console.print(Text.assemble((mark, "bold yellow"), each.error))
        console.print(Text(f"  {where(each, language)}", "dim"))
    if read.explained.unknown:
        console.print()
        console.print(attach(language))
        console.print(Text(f"  $ {ATTACH}", "cyan"))
    if read.explained.findings:
        first = read.explained.findings[0]
        console.print()
        said = Words(
            f"Begin with {first.code}. More: cpgpt-doctor explain {first.code}",
            f"请先处理 {first.code}。详情：cpgpt-doctor explain {first.code}",
        )
        console.print(Text(said.say(language), "bold"))


def findings(read: LogRead, language: Language) -> list[view.Finding]:
    return [view.finding(each, language) for each in read.explained.findings]


def of_your_files(read: LogRead, language: Language) -> list[view.Finding]:
    """What is wrong at the lines that the log names, where their files are at hand."""
    return [view.finding(each, language) for each in at_hand.findings(read.explained.findings)]


def headline(read: LogRead, language: Language) -> str:
    known, unknown = len(read.explained.findings), len(read.explained.unknown)
    more = Words(
        f"; {read.left_out} further ones were not kept" if read.left_out else "",
        f"；另有 {read.left_out} 个未保留" if read.left_out else "",
    )
    return Words(
        f"{read.source}: {read.lines} lines, {known} known and {unknown} unknown failures{more.en}",
        f"{read.source}：{read.lines} 行，已知故障 {known} 个，未能识别 {unknown} 个{more.zh}",
    ).say(language)


def where(each: Unknown, language: Language) -> str:
    said = [Words(f"line {each.at_line} of the log", f"日志第 {each.at_line} 行")]
    if each.times > 1:
        said.append(Words(f", {each.times} times", f"，共 {each.times} 次"))
    if each.location:
        place = each.location.where
        said.append(Words(f"; from {place}", f"；来自 {place}"))
    return "".join(words.say(language) for words in said)


def attach(language: Language) -> str:
    return Words(
        "No rule knows these. For an issue, attach the log and the facts of your environment:",
        "没有规则认识这些错误。提交 issue 时，请附上日志以及环境信息：",
    ).say(language)
