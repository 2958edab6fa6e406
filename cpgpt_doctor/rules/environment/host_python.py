"""CPG1xx: the host and its Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

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
from cpgpt_doctor.rules.rule import Rule, read_version
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts
    from cpgpt_doctor.intent import Call

PLATFORMS = {"darwin": "macOS", "linux": "Linux", "win32": "Windows"}


def python_range(facts: Facts, call: Call) -> Check:
    """CPG101: Python against the installed CpGPT's own Requires-Python."""
    assert facts.packages is not None
    assert facts.python is not None
    cpgpt, version = facts.packages.cpgpt, facts.python.version
    if cpgpt is None:
        return unknown(
            Words(
                "Python's version: CpGPT is not installed, so its range is not known",
                "Python 版本：未安装 CpGPT，无从得知它要求的范围",
            )
        )
    if cpgpt.requires_python is None:
        return ok(
            Words(
                f"Python {version}: CpGPT {cpgpt.version} names no range",
                f"Python {version}：CpGPT {cpgpt.version} 没有声明版本范围",
            )
        )
    read = read_version(version)
    if read is None:
        return unknown(
            Words(
                f"Python's version {version!r} cannot be read, to be held against CpGPT"
                f" {cpgpt.version}'s range {cpgpt.requires_python}",
                f"Python 的版本号 {version!r} 无法解析，不能与 CpGPT {cpgpt.version} 要求的范围"
                f" {cpgpt.requires_python} 比较",
            )
        )
    try:
        admitted = SpecifierSet(cpgpt.requires_python).contains(read, prereleases=True)
    except InvalidSpecifier:
        return unknown(
            Words(
                f"CpGPT's Requires-Python cannot be read: {cpgpt.requires_python}",
                f"无法解析 CpGPT 的 Requires-Python：{cpgpt.requires_python}",
            )
        )
    if admitted:
        return ok(
            Words(
                f"Python {version} is in CpGPT {cpgpt.version}'s range {cpgpt.requires_python}",
                f"Python {version} 在 CpGPT {cpgpt.version} 要求的范围 {cpgpt.requires_python} 内",
            )
        )
    return found(
        Finding(
            "CPG101",
            Severity.error,
            Words(
                f"Python {version} is outside the range of CpGPT {cpgpt.version}",
                f"Python {version} 不在 CpGPT {cpgpt.version} 支持的范围内",
            ),
            (
                Words(
                    f"CpGPT {cpgpt.version} declares Requires-Python {cpgpt.requires_python}; pip"
                    " refuses it, or chooses an older release, on any other Python.",
                    f"CpGPT {cpgpt.version} 声明了 Requires-Python {cpgpt.requires_python}；在其他"
                    "版本的 Python 上，pip 会拒绝安装，或者改选更旧的版本。",
                ),
            ),
            tuple(map(Remedy, ("python-311", "conda", "ignore-range"))),
            Evidence(
                seen=(
                    (same("Python"), same(version)),
                    (same("Requires-Python"), same(cpgpt.requires_python)),
                )
            ),
        )
    )


def default_since(facts: Facts) -> Words:
    """Where the platform's default start method comes from, in words."""
    assert facts.python is not None
    platform = PLATFORMS.get(facts.python.platform, facts.python.platform)
    if platform == "macOS":
        return Words("macOS's default since Python 3.8", "macOS 自 Python 3.8 起的默认值")
    read = read_version(facts.python.version)
    # 3.14's own pre-releases already have it.
    if platform == "Linux" and read is not None and read.release >= (3, 14):
        return Words("Linux's default since Python 3.14", "Linux 自 Python 3.14 起的默认值")
    return Words(f"{platform}'s default", f"{platform} 的默认值")


MEANING = {
    "fork": Words(
        "workers are copies of this process: nothing is pickled, open files are shared",
        "工作进程是本进程的副本：不需要 pickle，但共享已打开的文件",
    ),
    "spawn": Words(
        "workers are new interpreters: the dataset is pickled and sent to each",
        "工作进程是全新的解释器：数据集要 pickle 后发送给每个工作进程",
    ),
    "forkserver": Words(
        "workers come from a server process: the dataset is pickled and sent to each",
        "工作进程由服务进程派生：数据集要 pickle 后发送给每个工作进程",
    ),
}


def start_method(facts: Facts, call: Call) -> Check:
    """CPG102: the effective start method, where it comes from and what it means."""
    assert facts.python is not None
    if call.start_method not in facts.python.start_methods:
        methods, default = facts.python.start_methods, facts.python.default_start_method
        return found(
            Finding(
                "CPG102",
                Severity.error,
                Words(
                    f"this platform has no start method {call.start_method!r}",
                    f"这个平台没有启动方式 {call.start_method!r}",
                ),
                (
                    Words(
                        f"It has: {', '.join(methods)}.",
                        f"可用的有：{'、'.join(methods)}。",
                    ),
                ),
                (
                    Remedy("no-workers"),
                    Remedy("other-method", values=(("method", same(default)),)),
                ),
            )
        )
    origin = Words("set by your code", "由你的代码设置") if call.chosen else default_since(facts)
    meaning = MEANING.get(call.start_method, Words("unknown", "未知"))
    return ok(
        Words(
            f"start method {call.start_method} ({origin.en}): {meaning.en}",
            f"启动方式 {call.start_method}（{origin.zh}）：{meaning.zh}",
        )
    )


def forkserver_default(facts: Facts, call: Call) -> Check:
    """CPG103: Python 3.14 on Linux starts workers through a fork server."""
    assert facts.python is not None
    python = facts.python
    if python.platform != "linux":
        return skipped(
            Words(
                "Linux's default start method: this is not Linux",
                "Linux 的默认启动方式：这里不是 Linux",
            )
        )
    if python.default_start_method != "forkserver":
        return ok(
            Words(
                f"Linux's default start method here is {python.default_start_method}",
                f"这里 Linux 的默认启动方式是 {python.default_start_method}",
            )
        )
    return found(
        Finding(
            "CPG103",
            Severity.warning,
            Words(
                f"Python {python.version} on Linux starts workers with forkserver",
                f"Linux 上的 Python {python.version} 用 forkserver 启动工作进程",
            ),
            (
                Words(
                    "From Python 3.14, multiprocessing on Linux uses forkserver where nothing"
                    " else is set; before, it was fork.",
                    "从 Python 3.14 起，Linux 上的 multiprocessing 在没有另行设置时使用"
                    " forkserver；此前是 fork。",
                ),
                Words(
                    "A DataLoader with workers now pickles its dataset, which it did not do"
                    " before.",
                    "于是带工作进程的 DataLoader 现在要 pickle 数据集，而以前不需要。",
                ),
            ),
            (Remedy("no-workers"), Remedy("start-with-fork")),
        )
    )


RULES = (
    Rule(
        "CPG101",
        Words("Python's version", "Python 版本"),
        python_range,
        ("python", "packages"),
    ),
    Rule(
        "CPG102",
        Words("the start method", "启动方式"),
        start_method,
        ("python",),
    ),
    Rule(
        "CPG103",
        Words("Linux's default start method", "Linux 的默认启动方式"),
        forkserver_default,
        ("python",),
    ),
)
