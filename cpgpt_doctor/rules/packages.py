"""CPG4xx: torch, CpGPT and what CpGPT requires."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from cpgpt_doctor.facts import Embedder, Facts, Packages, ProbeFailure, RemoteCode, UnreadableFile
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Severity,
    found,
    ok,
    unknown,
)
from cpgpt_doctor.findings import (
    InlineRemedy as Remedy,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.releases import IMPORTED
from cpgpt_doctor.rules.rule import Rule, ending, examined, read_version, well
from cpgpt_doctor.words import Words, listed, same

# The remote code of the published Nucleotide Transformer v2 models imports this name; a plain
# `pip install CpGPT` brings a transformers without it.
# Source: https://github.com/instadeepai/nucleotide-transformer/issues/149
NEEDED_BY_NT_V2 = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
OTHER_ENVIRONMENT = Remedy(
    "recommended",
    Words(
        "Name the environment that runs CpGPT",
        "指明运行 CpGPT 的那个环境",
    ),
    Words(
        "The doctor need not be installed there.",
        "cpgpt-doctor 不必装在那个环境里。",
    ),
    commands=("cpgpt-doctor check --python /path/to/that/python",),
)
INSTALL_TORCH = Remedy(
    "recommended",
    Words("Install torch", "安装 torch"),
    Words("CpGPT requires it.", "CpGPT 依赖它。"),
    commands=("pip install torch",),
)
REINSTALL_TORCH = Remedy(
    "recommended",
    Words("Install torch again", "重新安装 torch"),
    Words(
        "Its files are missing, mixed from two versions, or not for this machine.",
        "它的文件有缺失、混有两个版本，或者不适用于这台机器。",
    ),
    commands=("pip install --force-reinstall torch",),
)
NO_TORCH_NO_CPGPT = Words(
    "CpGPT cannot be imported without torch.",
    "没有 torch，CpGPT 无法导入。",
)
NOT_INSTALLED = Words("not among the installed packages", "不在已安装的包中")
OLD_TRANSFORMERS = Remedy(
    "recommended",
    Words("Install a transformers before 5", "安装 5 以前的 transformers"),
    Words(
        "Giving the name back is not enough: a model of that age fails further on in"
        " transformers 5.",
        "只把这个名字补回去并不够：在 transformers 5 里，那个年代的模型随后还会在别处出错。",
    ),
    commands=("pip install 'transformers<5'",),
)


def torch_works(facts: Facts, call: Call) -> Check:
    """CPG401: torch imports and answers, in a process of its own."""
    installed = facts.packages.installed.get("torch") if facts.packages else None
    failure = facts.failure("accelerator")
    if failure is not None:
        return found(torch_did_not_survive(failure, installed))
    if facts.accelerator is None:
        return torch_untried(facts, installed)
    outcome = facts.accelerator.outcome
    if outcome.ok and facts.accelerator.torch is not None:
        version = facts.accelerator.torch.version
        return ok(
            Words(
                f"torch {version} imports ({outcome.seconds:.1f} s)",
                f"torch {version} 可以导入（{outcome.seconds:.1f} 秒）",
            )
        )
    error = f"{outcome.error_type}: {outcome.error}"
    if installed is None and outcome.error_type == "ModuleNotFoundError":
        elsewhere = facts.packages is not None and not facts.packages.cpgpt
        return found(no_torch(Evidence(error=error), elsewhere=elsewhere))
    return found(
        Finding(
            "CPG401",
            Severity.error,
            Words("torch is broken: it cannot be imported", "torch 已损坏：无法导入"),
            (Words("Importing torch raises.", "导入 torch 时抛出异常。"), NO_TORCH_NO_CPGPT),
            (REINSTALL_TORCH,),
            Evidence(error=error, seen=torch_seen(installed)),
            verify=(TORCH_VERSION,),
            expected=A_VERSION,
        )
    )


def torch_untried(facts: Facts, installed: str | None) -> Check:
    """CPG401 from the metadata alone."""
    packages = facts.packages
    if packages is not None and installed is None and "torch" not in packages.without_metadata:
        return found(no_torch(NOT_ON_THE_PATH, elsewhere=packages.cpgpt is None))
    if installed is None:
        return unknown(Words("torch: not imported (--quick)", "torch：未导入（--quick）"))
    return unknown(
        Words(
            f"torch {installed} is installed; not imported (--quick)",
            f"已安装 torch {installed}；未导入（--quick）",
        )
    )


def no_torch(evidence: Evidence, *, elsewhere: bool) -> Finding:
    """torch is not there; `elsewhere`: nor is CpGPT, so that another environment may be meant."""
    return Finding(
        "CPG401",
        Severity.error,
        Words("torch is not installed", "未安装 torch"),
        (NO_TORCH_NO_CPGPT,),
        (OTHER_ENVIRONMENT, INSTALL_TORCH) if elsewhere else (INSTALL_TORCH,),
        evidence,
    )


NOT_ON_THE_PATH = Evidence(seen=((same("torch"), NOT_INSTALLED),))
TORCH_VERSION = "python -c 'import torch; print(torch.__version__)'"
A_VERSION = Words("A version, and nothing else.", "只打印一个版本号。")


def torch_seen(installed: str | None) -> tuple[tuple[Words, Words], ...]:
    return ((same("torch"), same(installed) if installed else NOT_INSTALLED),)


def torch_did_not_survive(failure: ProbeFailure, installed: str | None) -> Finding:
    """The probe that imports torch ended without an answer."""
    how = ending(failure)
    title = {
        "killed": Words(
            f"importing torch kills the interpreter ({how.en})",
            f"导入 torch 会让解释器崩溃（{how.zh}）",
        ),
        "exited": Words(
            f"importing torch ends the interpreter ({how.en})",
            f"导入 torch 会让解释器退出（{how.zh}）",
        ),
        "timeout": Words(
            f"torch does not answer within {how.en}",
            f"torch 在 {how.zh} 内没有响应",
        ),
        "garbled": Words("torch's probe gave no answer", "torch 的探测程序没有给出结果"),
    }[failure.kind]
    stopped = Words(
        "Importing torch was tried in a process of its own, and stopped.",
        "已在单独的进程中尝试导入 torch，超时后被终止。",
    )
    died = Words(
        "Importing torch was tried in a process of its own, which did not survive it.",
        "已在单独的进程中尝试导入 torch，该进程没能撑过导入。",
    )
    return Finding(
        "CPG401",
        Severity.error,
        title,
        (stopped if failure.kind == "timeout" else died, NO_TORCH_NO_CPGPT),
        (REINSTALL_TORCH,),
        Evidence(error=last_line(failure.output), seen=torch_seen(installed)),
        verify=(TORCH_VERSION,),
        expected=A_VERSION,
    )


def last_line(text: str) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else None


def torch_failed(facts: Facts) -> bool:
    return facts.failure("accelerator") is not None or (
        facts.accelerator is not None and facts.accelerator.torch is None
    )


def why_cpgpt_cannot_be_tried(facts: Facts) -> Words | None:
    """The reason that CPG401 and CPG402 give, None where they know of none."""
    if facts.packages is not None and facts.packages.cpgpt is None:
        return Words("CpGPT is not installed (CPG402)", "未安装 CpGPT（CPG402）")
    if torch_failed(facts):
        return Words("torch cannot be imported (CPG401)", "无法导入 torch（CPG401）")
    if facts.embedder is not None and facts.embedder.examined is None:
        return Words("CpGPT cannot be imported (CPG402)", "无法导入 CpGPT（CPG402）")
    return None


def cpgpt_works(facts: Facts, call: Call) -> Check:
    """CPG402: CpGPT is installed and its embedder imports."""
    if facts.packages is not None and facts.packages.cpgpt is None:
        return found(NO_CPGPT)
    version = facts.packages.cpgpt.version if facts.packages and facts.packages.cpgpt else "?"
    if "embedder" in facts.skipped:
        return unknown(
            Words(
                f"CpGPT {version} is installed; not imported (--quick)",
                f"已安装 CpGPT {version}；未导入（--quick）",
            )
        )
    if torch_failed(facts):
        return unknown(
            Words(
                f"CpGPT {version} is installed; without torch it cannot be tried (CPG401)",
                f"已安装 CpGPT {version}；没有 torch，无法试运行（CPG401）",
            )
        )
    failure = facts.failure("embedder")
    if failure is not None:
        how = ending(failure)
        return found(
            Finding(
                "CPG402",
                Severity.error,
                Words(
                    f"CpGPT {version} cannot be tried: its process ended ({how.en})",
                    f"CpGPT {version} 无法试运行：它的进程异常结束（{how.zh}）",
                ),
                (
                    Words(
                        "CpGPT's embedder was imported and called in a process of its own.",
                        "已在单独的进程中导入并调用 CpGPT 的嵌入器。",
                    ),
                ),
                evidence=Evidence(error=last_line(failure.output)),
            )
        )
    if facts.embedder is None:
        return unknown(
            Words(
                f"CpGPT {version} is installed; it was not imported",
                f"已安装 CpGPT {version}；没有尝试导入",
            )
        )
    outcome = facts.embedder.imported
    lacks = facts.embedder.examined.missing_seams if facts.embedder.examined else ()
    if outcome.ok and lacks:
        return lacks_names(version, lacks, call)
    if outcome.ok:
        return ok(
            Words(
                f"CpGPT {version} imports ({outcome.seconds:.1f} s)",
                f"CpGPT {version} 可以导入（{outcome.seconds:.1f} 秒）",
            )
        )
    return found(import_fails(version, facts.embedder))


NO_CPGPT = Finding(
    "CPG402",
    Severity.error,
    Words("CpGPT is not installed in this environment", "这个环境里没有安装 CpGPT"),
    (
        Words(
            "No distribution of that name is on this interpreter's path.",
            "在这个解释器的搜索路径上没有这个名字的发行包。",
        ),
    ),
    (
        OTHER_ENVIRONMENT,
        Remedy(
            "possible",
            Words("Install CpGPT here", "在这里安装 CpGPT"),
            Words(
                "On Linux this brings a torch for CUDA, several GB.",
                "在 Linux 上会一并装上带 CUDA 的 torch，有好几 GB。",
            ),
            commands=("pip install CpGPT",),
        ),
    ),
)


def lacks_names(version: str, lacks: tuple[str, ...], call: Call) -> Check:
    """Names of CpGPT's embedder by which run-embed treats it, and an examination tries it."""
    names = listed([same(name) for name in lacks])
    if not call.treated:
        return unknown(
            Words(
                f"CpGPT {version} imports; its embedder lacks names by which it is tried:"
                f" {names.en}",
                f"CpGPT {version} 可以导入，但它的嵌入器缺少试运行所需的名字：{names.zh}",
            )
        )
    return found(
        Finding(
            "CPG402",
            Severity.error,
            Words(
                f"run-embed cannot run CpGPT {version}: its embedder lacks {names.en}",
                f"run-embed 无法运行 CpGPT {version}：它的嵌入器缺少 {names.zh}",
            ),
            (
                Words(
                    "run-embed replaces these names while it runs. CpGPT 0.0.1 to 0.0.13 have them"
                    " all.",
                    "run-embed 在运行期间要替换这些名字。CpGPT 0.0.1 到 0.0.13 都有这些名字。",
                ),
            ),
            (
                Remedy(
                    "recommended",
                    Words("Use a CpGPT up to 0.0.13", "使用 0.0.13 及以前的 CpGPT"),
                    Words("run-embed is tested with it.", "run-embed 已用它测试过。"),
                    commands=("pip install 'CpGPT<=0.0.13'",),
                ),
            ),
            verify=("cpgpt-doctor check --via run-embed",),
            expected=well("CPG402"),
        )
    )


def import_fails(version: str, embedder: Embedder) -> Finding:
    """CpGPT's embedder was imported, and the import raised."""
    outcome, alone = embedder.imported, embedder.imported_alone
    missing = re.search(r"No module named '([^']+)'", outcome.error or "")
    if missing:
        package = missing.group(1).partition(".")[0]
        cause = Words(f"The package {package} is not installed.", f"未安装 {package} 包。")
        remedy = Remedy(
            "recommended",
            Words(f"Install {package}", f"安装 {package}"),
            Words("CpGPT imports it.", "CpGPT 会导入它。"),
            commands=(f"pip install {package}",),
        )
    else:
        cause = Words(
            "Importing CpGPT's embedder raises.",
            "导入 CpGPT 的嵌入器时抛出异常。",
        )
        remedy = Remedy(
            "recommended",
            Words("Install CpGPT's requirements again", "重新安装 CpGPT 的依赖"),
            Words("One of them does not fit.", "其中有一个不匹配。"),
            commands=("pip install --force-reinstall CpGPT",),
        )
    works_alone = Words(
        "The embedder's own file imports without it, so run-embed still works.",
        "嵌入器自己的文件不需要它也能导入，所以 run-embed 仍可使用。",
    )
    fails_alone = Words(
        "The embedder's own file cannot be imported either.",
        "嵌入器自己的文件同样无法导入。",
    )
    return Finding(
        "CPG402",
        Severity.error,
        Words(f"CpGPT {version} cannot be imported", f"CpGPT {version} 无法导入"),
        (cause, works_alone if alone and alone.ok else fails_alone),
        (remedy,),
        Evidence(error=f"{outcome.error_type}: {outcome.error}"),
        verify=("cpgpt-doctor check",),
        expected=well("CPG402"),
    )


@dataclass(frozen=True)
class Unmet:
    """A requirement of CpGPT that is not met: `version` is None where it is not installed."""

    requirement: Requirement
    version: str | None

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def text(self) -> Words:
        wanted = f"{self.requirement.name}{self.requirement.specifier}"
        if self.version is None:
            return Words(f"{wanted}: not installed", f"{wanted}：未安装")
        return Words(
            f"{wanted}: {self.version} is installed",
            f"{wanted}：已安装的是 {self.version}",
        )


def unmet(packages: Packages) -> tuple[list[Unmet], list[Words]]:
    """CpGPT's requirements that the environment does not meet, its extras left out.

    And those that cannot be compared: lines, markers or versions that `packaging` cannot read.
    """
    assert packages.cpgpt is not None
    result: list[Unmet] = []
    unreadable: list[Words] = []
    for line in packages.cpgpt.requires:
        try:
            requirement = Requirement(line)
            environment = {**packages.markers, "extra": ""}
            if requirement.marker and not requirement.marker.evaluate(environment):
                continue
        except (InvalidRequirement, InvalidVersion, UndefinedEnvironmentName) as error:
            said = " ".join(str(error).split())
            unreadable.append(Words(f"{line!r}: {said}", f"{line!r}：{said}"))
            continue
        name = canonicalize_name(requirement.name)
        text = packages.installed.get(name)
        version = read_version(text)
        if version is None and (text is not None or name in packages.without_metadata):
            shown = "?" if text is None else text
            unreadable.append(
                Words(
                    f"{name}: its version {shown!r} cannot be read",
                    f"{name}：版本号 {shown!r} 无法解析",
                )
            )
        elif version is None or not requirement.specifier.contains(version, prereleases=True):
            result.append(Unmet(requirement, text))
    return result, unreadable


def requirements(facts: Facts, call: Call) -> Check:
    """CPG403: CpGPT's requirements: out of range, or needed only by other parts of CpGPT."""
    assert facts.packages is not None
    if facts.packages.cpgpt is None:
        return unknown(
            Words(
                "CpGPT's requirements: CpGPT is not installed (CPG402)",
                "CpGPT 的依赖：未安装 CpGPT（CPG402）",
            )
        )
    missing, unreadable = unmet(facts.packages)
    total = len(facts.packages.cpgpt.requires)
    groups = by_severity(facts, missing)
    if groups is not None:
        found_here = [requirement_finding(*each) for each in groups]
        if unreadable and found_here:
            found_here.append(not_comparable(unreadable))
        if found_here:
            return found(*found_here)
    if unreadable:
        what = listed(unreadable)
        return unknown(
            Words(
                f"CpGPT's requirements cannot all be compared: {what.en}",
                f"CpGPT 的依赖无法全部比较：{what.zh}",
            )
        )
    if groups is None:
        what = listed([each.text for each in missing])
        return unknown(
            Words(
                f"{len(missing)} of CpGPT's {total} requirements are not met: {what.en}",
                f"CpGPT 的 {total} 项依赖中有 {len(missing)} 项未满足：{what.zh}",
            )
        )
    return ok(
        Words(
            f"CpGPT's {total} requirements are met",
            f"CpGPT 的 {total} 项依赖全部满足",
        )
    )


def by_severity(
    facts: Facts, missing: list[Unmet]
) -> list[tuple[Severity, list[Unmet], Words, Words]] | None:
    """Unmet requirements by their consequence, with title and cause; None: it is not known.

    Where nothing was imported, or the import failed, those are known to stop CpGPT that the error
    names, or that it imports in every release; of the others nothing is known.
    """
    embedder = facts.embedder
    groups: dict[Severity, list[Unmet]] = {}
    if embedder is not None and embedder.imported.ok:
        for each in missing:
            used = each.version is not None and each.name in embedder.in_use
            groups.setdefault(Severity.warning if used else Severity.note, []).append(each)
        return [
            (level, groups[level], REQUIREMENT_TITLES[level], REQUIREMENT_CAUSES[level])
            for level in sorted(groups)[::-1]
        ]
    named = re.findall(r"[A-Za-z0-9_.-]+", (embedder and embedder.imported.error) or "")
    words = {canonicalize_name(word.partition(".")[0]) for word in named}
    broken = [each for each in missing if each.name in words]
    absent = [
        each
        for each in missing
        if each not in broken and each.version is None and each.name in IMPORTED
    ]
    others = [each for each in missing if each not in broken and each not in absent]
    if missing and not broken and not absent:
        return None
    title, error = UNTRIED_TITLES, Severity.error
    open_cause = LEFT_OUT if "embedder" in facts.skipped else NO_IMPORT
    every = (
        (error, broken, REQUIREMENT_TITLES[error], REQUIREMENT_CAUSES[error]),
        (error, absent, title[error], IMPORTED_CAUSE),
        (Severity.note, others, title[Severity.note], open_cause),
    )
    return [each for each in every if each[1]]


def not_comparable(unreadable: list[Words]) -> Finding:
    """Requirements of which it is not known whether they are met."""
    return Finding(
        "CPG403",
        Severity.note,
        Words(
            "requirements that cannot be compared with what is installed",
            "有些依赖无法与已安装的版本比较",
        ),
        tuple(unreadable),
    )


REQUIREMENT_TITLES = {
    Severity.error: Words(
        "CpGPT's import fails for a requirement that is not met",
        "有一项依赖未满足，CpGPT 因此无法导入",
    ),
    Severity.warning: Words(
        "the embedder works with packages outside the range that CpGPT asks for",
        "有些包超出了 CpGPT 要求的范围，但嵌入器仍能工作",
    ),
    Severity.note: Words(
        "requirements of other parts of CpGPT are not met; the embedder needs none",
        "CpGPT 其他部分的依赖未满足；嵌入器用不到它们",
    ),
}
REQUIREMENT_CAUSES = {
    Severity.error: Words(
        "The import was tried, and its error names the package.",
        "已尝试导入，报错信息里点名了这个包。",
    ),
    Severity.warning: Words(
        "The embedder was imported and called with them here, and it worked.",
        "已在这里用这些包导入并调用嵌入器，能够工作。",
    ),
    Severity.note: Words(
        "The embedder was imported, and none of these was loaded.",
        "已导入嵌入器，这些包一个也没有被加载。",
    ),
}


# The same where nothing was imported (`check --quick`), or the import failed.
UNTRIED_TITLES = {
    Severity.error: Words(
        "requirements that CpGPT imports are not installed",
        "缺少 CpGPT 必须导入的依赖",
    ),
    Severity.note: Words(
        "further requirements of CpGPT are not met; whether the embedder needs them is not known",
        "CpGPT 还有别的依赖未满足；嵌入器是否用到它们尚不清楚",
    ),
}
IMPORTED_CAUSE = Words(
    "Every release of CpGPT up to 0.0.13 imports them before it can embed. Seen in the metadata.",
    "直到 0.0.13，每个 CpGPT 版本在嵌入之前都要导入它们。这是从元数据看出的。",
)
LEFT_OUT = Words(
    "check without --quick imports the embedder, and says which it needs.",
    "不加 --quick 的 check 会导入嵌入器，并说明它需要哪些。",
)
NO_IMPORT = Words(
    "The embedder could not be imported here, so it was not seen which it needs.",
    "嵌入器在这里无法导入，所以看不出它需要哪些。",
)


def requirement_finding(level: Severity, group: list[Unmet], title: Words, cause: Words) -> Finding:
    wanted = " ".join(f"'{each.requirement.name}{each.requirement.specifier}'" for each in group)
    return Finding(
        "CPG403",
        level,
        title,
        (cause,),
        (
            Remedy(
                "recommended" if level is Severity.error else "possible",
                Words("Install what CpGPT asks for", "按 CpGPT 的要求安装"),
                Words(
                    "pip checks that the ranges agree with each other.",
                    "pip 会检查这些版本范围彼此是否相容。",
                ),
                commands=(f"pip install {wanted}",),
            ),
        ),
        Evidence(seen=tuple((same(each.requirement.name), each.text) for each in group)),
    )


def remote_code_names(facts: Facts, call: Call) -> Check:
    """CPG404: names that the chosen model's code needs from transformers."""
    seen = examined(facts)
    model = call.dna_llm
    installed = facts.packages.installed.get("transformers", "?") if facts.packages else "?"
    code = next((each for each in seen.remote_code if each.dna_llm == model), None)
    if code is None:
        return found(no_such_model(model, sorted(seen.models)))
    problems = [code_cannot_be_read(code, code.unreadable)] if code.unreadable else []
    if code.missing:
        problems.append(code_lacks_names(code, installed))
    if problems:
        return found(*problems)
    if code.cached:
        count = len(code.files)
        read = (
            Words(f"{count} files of its own code were read", f"已读过它自带的 {count} 个代码文件")
            if count
            else Words("it has no code of its own", "它没有自带代码")
        )
        return ok(
            Words(
                f"{model} is cached and fits transformers {installed} ({read.en})",
                f"{model} 已缓存，与 transformers {installed} 匹配（{read.zh}）",
            )
        )
    needs_name = model.startswith("nucleotide-transformer-v2")
    if needs_name and not seen.remote_needs.get(NEEDED_BY_NT_V2, True):
        return found(known_not_to_load(model, installed))
    return ok(
        Words(
            f"{model} is not cached; nothing is known against it with transformers {installed}",
            f"{model} 尚未缓存；没有已知问题表明它与 transformers {installed} 不合",
        )
    )


def no_such_model(model: str, models: list[str]) -> Finding:
    return Finding(
        "CPG404",
        Severity.error,
        Words(f"this CpGPT has no model {model!r}", f"这个版本的 CpGPT 没有模型 {model!r}"),
        (Words(f"It has: {', '.join(models)}.", f"可用的有：{'、'.join(models)}。"),),
        (
            Remedy(
                "recommended",
                Words(
                    "Choose one of these, or a CpGPT that has it",
                    "从中选一个，或换用带有该模型的 CpGPT 版本",
                ),
                Words(
                    "CpGPT raises ValueError for another name.",
                    "用别的名字，CpGPT 会抛出 ValueError。",
                ),
            ),
        ),
    )


def has_no_such_name(installed: str) -> Words:
    return Words(
        f"transformers {installed} has no such name.",
        f"transformers {installed} 里没有这个名字。",
    )


def code_lacks_names(code: RemoteCode, installed: str) -> Finding:
    """Read off the model's cached code."""
    names = listed([same(name) for name in sorted({each.name for each in code.missing})])
    return Finding(
        "CPG404",
        Severity.error,
        Words(
            f"{code.dna_llm} cannot be loaded with transformers {installed}",
            f"{code.dna_llm} 无法用 transformers {installed} 加载",
        ),
        (
            Words(
                f"Its own code, which CpGPT lets transformers run, imports {names.en}.",
                f"模型自带的代码（CpGPT 允许 transformers 运行它）要导入 {names.zh}。",
            ),
            has_no_such_name(installed),
        ),
        (OLD_TRANSFORMERS,),
        Evidence(
            seen=tuple((same(each.name), Words("not there", "不存在")) for each in code.missing)
        ),
        Location(code.missing[0].path, code.missing[0].line),
        verify=(f"cpgpt-doctor check --dna-llm {code.dna_llm}",),
        expected=well("CPG404"),
    )


def fetch(what: str) -> str:
    """The command that downloads a model, with these arguments."""
    return f'python -c "from huggingface_hub import snapshot_download as get; get({what})"'


def code_cannot_be_read(code: RemoteCode, file: UnreadableFile) -> Finding:
    """A file in the cache is cut off or not what its name says."""
    return Finding(
        "CPG404",
        Severity.error,
        Words(
            f"{code.dna_llm} cannot be loaded: a file of it in the cache cannot be read",
            f"{code.dna_llm} 无法加载：缓存中它的一个文件无法读取",
        ),
        (
            Words(
                "A download that was cut off, a full disk or an edit leaves such a file.",
                "下载中断、磁盘已满或手工修改都会留下这样的文件。",
            ),
            Words(
                "huggingface_hub takes what is in the cache as it is, so every load fails.",
                "huggingface_hub 会直接使用缓存里的文件，所以每次加载都会失败。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Fetch the model again", "重新下载这个模型"),
                Words(
                    "It replaces every file of the snapshot. Run it with the Python that runs"
                    " CpGPT, where HF_HOME is as it is there.",
                    "快照中的每个文件都会被替换。请用运行 CpGPT 的那个 Python 执行，HF_HOME 也要"
                    "相同。",
                ),
                commands=(fetch(f"'{code.repository}', force_download=True"),),
            ),
        ),
        Evidence(error=file.error),
        Location(file.path),
        verify=(f"cpgpt-doctor check --dna-llm {code.dna_llm}",),
        expected=well("CPG404"),
    )


def known_not_to_load(model: str, installed: str) -> Finding:
    """The model is not here to be read, and its published code is known."""
    return Finding(
        "CPG404",
        Severity.warning,
        Words(
            f"{model} is known not to load with transformers {installed}",
            f"已知 {model} 无法用 transformers {installed} 加载",
        ),
        (
            Words(
                f"The model is not cached here. Its published code imports {NEEDED_BY_NT_V2}"
                " (instadeepai/nucleotide-transformer#149).",
                f"这里没有缓存该模型。它公开发布的代码要导入 {NEEDED_BY_NT_V2}"
                "（instadeepai/nucleotide-transformer#149）。",
            ),
            has_no_such_name(installed),
        ),
        (OLD_TRANSFORMERS,),
        verify=(f"cpgpt-doctor check --dna-llm {model}",),
        expected=well("CPG404"),
    )


RULES = (
    Rule("CPG401", same("torch"), torch_works, ()),
    Rule("CPG402", same("CpGPT"), cpgpt_works, ("packages",)),
    Rule("CPG403", Words("CpGPT's requirements", "CpGPT 的依赖"), requirements, ("packages",)),
    Rule("CPG404", Words("the model's code", "模型自带的代码"), remote_code_names, ("examined",)),
)
