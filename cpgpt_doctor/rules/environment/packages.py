"""CPG4xx: torch, CpGPT and what CpGPT requires."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from cpgpt_doctor.findings import (
    Advice,
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    Values,
    found,
    ok,
    unknown,
)
from cpgpt_doctor.rules.environment.releases import IMPORTED, LAST
from cpgpt_doctor.rules.rule import Rule, ending, examined, read_version
from cpgpt_doctor.words import Words, listed, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import (
        Embedder,
        Facts,
        Packages,
        ProbeFailure,
        RemoteCode,
        UnreadableFile,
    )
    from cpgpt_doctor.intent import Call

# The remote code of the published Nucleotide Transformer v2 models imports this name; a plain
# `pip install CpGPT` brings a transformers without it.
# Source: https://github.com/instadeepai/nucleotide-transformer/issues/149
NEEDED_BY_NT_V2 = "transformers.pytorch_utils.find_pruneable_heads_and_indices"
NO_TORCH_NO_CPGPT = Words(
    "CpGPT cannot be imported without torch.",
    "没有 torch，CpGPT 无法导入。",
)
NOT_INSTALLED = Words("not among the installed packages", "不在已安装的包中")
REINSTALL_TORCH = Remedy("reinstall-torch")
OLD_TRANSFORMERS = Remedy("old-transformers")


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
        tuple(map(Remedy, (*(["name-environment"] if elsewhere else []), "install-torch"))),
        evidence,
    )


NOT_ON_THE_PATH = Evidence(seen=((same("torch"), NOT_INSTALLED),))


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
    )


def last_line(text: str) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else None


def torch_failed(facts: Facts) -> bool:
    return facts.failure("accelerator") is not None or (
        facts.accelerator is not None and facts.accelerator.torch is None
    )


def was_tried(facts: Facts) -> bool:
    """Whether CpGPT's embedder was imported and its call tried."""
    seen = facts.embedder.examined if facts.embedder else None
    return seen is not None and not seen.missing_seams


def why_cpgpt_cannot_be_tried(facts: Facts) -> Words | None:
    """The reason that CPG401 and CPG402 give, None where they know of none."""
    if facts.packages is not None and facts.packages.cpgpt is None:
        return Words("CpGPT is not installed (CPG402)", "未安装 CpGPT（CPG402）")
    if torch_failed(facts):
        return Words("torch cannot be imported (CPG401)", "无法导入 torch（CPG401）")
    if facts.embedder is not None and facts.embedder.examined is None:
        return Words("CpGPT cannot be imported (CPG402)", "无法导入 CpGPT（CPG402）")
    if facts.embedder is not None and not was_tried(facts):
        return Words(
            "this CpGPT lacks names by which it is tried (CPG407)",
            "这个 CpGPT 缺少试运行所需的名字（CPG407）",
        )
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
    (Remedy("name-environment"), Remedy("install-cpgpt")),
)


def import_fails(version: str, embedder: Embedder) -> Finding:
    """CpGPT's embedder was imported, and the import raised."""
    outcome, alone = embedder.imported, embedder.imported_alone
    missing = re.search(r"No module named '([^']+)'", outcome.error or "")
    if missing:
        package = missing.group(1).partition(".")[0]
        cause = Words(f"The package {package} is not installed.", f"未安装 {package} 包。")
        remedy = Remedy("install-missing", values=(("package", same(package)),))
    else:
        cause = Words(
            "Importing CpGPT's embedder raises.",
            "导入 CpGPT 的嵌入器时抛出异常。",
        )
        remedy = Remedy("reinstall-requirements")
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
    )


@dataclass(frozen=True)
class Unmet:
    """A requirement of CpGPT that is not met, or cannot be compared with what is installed.

    written: as CpGPT's author wrote it, without its marker. found: the version that is installed,
    or why it cannot be compared.
    """

    written: str
    name: str
    found: Words
    absent: bool = False
    comparable: bool = True


def unmet(packages: Packages) -> list[Unmet]:
    """CpGPT's requirements that the environment does not meet, its extras left out."""
    assert packages.cpgpt is not None
    each = (unmet_requirement(line, packages) for line in packages.cpgpt.requires)
    return [one for one in each if one is not None]


def unmet_requirement(line: str, packages: Packages) -> Unmet | None:
    """What is wrong with a requirement, None where it is met or not meant for this environment."""
    written = line.partition(";")[0].strip()
    try:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate(
            {**packages.markers, "extra": ""}
        ):
            return None
    except (InvalidRequirement, InvalidVersion, UndefinedEnvironmentName) as error:
        said = same(" ".join(str(error).split()))
        return Unmet(
            written, canonicalize_name(re.split(r"[^\w.-]", written)[0]), said, comparable=False
        )
    name = canonicalize_name(requirement.name)
    text = packages.installed.get(name)
    version = read_version(text)
    if text is None and name not in packages.without_metadata:
        return Unmet(written, name, Words("not installed", "未安装"), absent=True)
    if version is None:
        said = Words(
            f"its version {text or '?'!r} cannot be read",
            f"版本号 {text or '?'!r} 无法解析",
        )
        return Unmet(written, name, said, comparable=False)
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return Unmet(written, name, Words(f"{text} is installed", f"已安装的是 {text}"))


@dataclass(frozen=True)
class Consequence:
    """What an unmet requirement does here: `each` beside it, `title` and `cause` of the finding."""

    severity: Severity
    title: Words
    cause: Words
    each: Words


FAILS = Consequence(
    Severity.error,
    Words(
        "CpGPT's import fails for a requirement that is not met",
        "有一项依赖未满足，CpGPT 因此无法导入",
    ),
    Words(
        "The import was tried, and its error names the package.",
        "已尝试导入，报错信息里点名了这个包。",
    ),
    Words("the import fails for it", "导入因它而失败"),
)
IS_IMPORTED = Consequence(
    Severity.error,
    Words("requirements that CpGPT imports are not installed", "缺少 CpGPT 必须导入的依赖"),
    Words(
        "Every release of CpGPT up to 0.0.13 imports them before it can embed; the metadata do not"
        " name them.",
        "直到 0.0.13，每个 CpGPT 版本在嵌入之前都要导入它们，而元数据里没有它们。",
    ),
    Words("CpGPT imports it before it can embed", "CpGPT 在嵌入之前要导入它"),
)
WORKS = Consequence(
    Severity.warning,
    Words(
        "the embedder works with packages outside the range that CpGPT asks for",
        "有些包超出了 CpGPT 要求的范围，但嵌入器仍能工作",
    ),
    Words(
        "The embedder was imported and called with them here, and it worked.",
        "已在这里用这些包导入并调用嵌入器，能够工作。",
    ),
    Words("the embedder works with it", "嵌入器用它能够工作"),
)
NOT_USED = Consequence(
    Severity.note,
    Words(
        "requirements of other parts of CpGPT are not met; the embedder needs none",
        "CpGPT 其他部分的依赖未满足；嵌入器用不到它们",
    ),
    Words(
        "The embedder was imported, and did not load what only other parts of CpGPT need.",
        "已导入嵌入器，只有 CpGPT 其他部分才需要的包没有被加载。",
    ),
    Words("the embedder does not load it", "嵌入器没有加载它"),
)
NOT_TRIED = Consequence(
    Severity.note,
    Words(
        "further requirements of CpGPT are not met; whether the embedder needs them is not known",
        "CpGPT 还有别的依赖未满足；嵌入器是否用到它们尚不清楚",
    ),
    Words(
        "check without --quick imports the embedder, and says which it needs.",
        "不加 --quick 的 check 会导入嵌入器，并说明它需要哪些。",
    ),
    Words("whether the embedder needs it is not known", "嵌入器是否用到它尚不清楚"),
)
NOT_IMPORTED = replace(
    NOT_TRIED,
    cause=Words(
        "The embedder could not be imported here, so it was not seen which of the others it needs.",
        "嵌入器在这里无法导入，所以看不出它需要其中哪些。",
    ),
)
NOT_COMPARABLE = Consequence(
    Severity.note,
    Words(
        "requirements that cannot be compared with what is installed",
        "有些依赖无法与已安装的版本比较",
    ),
    Words(
        "A requirement or a version that is not written as pip reads it cannot be compared.",
        "依赖或版本号的写法不合 pip 的规则时，无法比较。",
    ),
    Words("whether it is met is not known", "是否满足尚不清楚"),
)


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
    concerned = unmet(facts.packages)
    total = len(facts.packages.cpgpt.requires)
    if not concerned:
        return ok(
            Words(
                f"CpGPT's {total} requirements are met",
                f"CpGPT 的 {total} 项依赖全部满足",
            )
        )
    judged = [(each, consequence(each, facts)) for each in concerned]
    if all(one in (NOT_TRIED, NOT_IMPORTED, NOT_COMPARABLE) for _, one in judged):
        what = listed([said_of(each) for each in concerned])
        return unknown(
            Words(
                f"of CpGPT's {total} requirements, {len(concerned)} are not met or cannot be"
                f" compared: {what.en}",
                f"CpGPT 的 {total} 项依赖中有 {len(concerned)} 项未满足或无法比较：{what.zh}",
            )
        )
    return found(requirement_finding(judged))


def consequence(each: Unmet, facts: Facts) -> Consequence:
    """What an unmet requirement does.

    Where nothing was imported, or the import failed, those are known to stop CpGPT that the error
    names, or that it imports in every release; of the others nothing is known.
    """
    embedder = facts.embedder
    if not each.comparable:
        return NOT_COMPARABLE
    if embedder is not None and embedder.imported.ok:
        return WORKS if not each.absent and each.name in embedder.in_use else NOT_USED
    said = re.findall(r"[A-Za-z0-9_.-]+", (embedder and embedder.imported.error) or "")
    if each.name in {canonicalize_name(word.partition(".")[0]) for word in said}:
        return FAILS
    if each.absent and each.name in IMPORTED:
        return IS_IMPORTED
    return NOT_TRIED if "embedder" in facts.skipped else NOT_IMPORTED


def said_of(each: Unmet) -> Words:
    return Words(f"{each.written}: {each.found.en}", f"{each.written}：{each.found.zh}")


def requirement_finding(judged: list[tuple[Unmet, Consequence]]) -> Finding:
    """One finding for all of them, as grave as the gravest, which come first."""
    judged = sorted(judged, key=lambda pair: -pair[1].severity)
    gravest = judged[0][1]
    first = [each for each, one in judged if one.severity is gravest.severity]
    wanted = " ".join(shlex.quote(each.written) for each in first)
    advice: Advice | None = None if gravest.severity is Severity.error else "possible"
    return Finding(
        "CPG403",
        gravest.severity,
        gravest.title,
        tuple(dict.fromkeys(one.cause for _, one in judged)),
        (
            Remedy("install-required", values=(("requirements", same(wanted)),), advice=advice),
            Remedy("own-environment"),
        ),
        Evidence(
            seen=tuple(
                (
                    same(each.name),
                    Words(
                        f"{said_of(each).en}; {one.each.en}",
                        f"{said_of(each).zh}；{one.each.zh}",
                    ),
                )
                for each, one in judged
            )
        ),
    )


def remote_code_names(facts: Facts, call: Call) -> Check:
    """CPG404: names that the chosen model's code needs from transformers."""
    seen = examined(facts)
    model = call.dna_llm
    installed = facts.packages.installed.get("transformers", "?") if facts.packages else "?"
    code = next((each for each in seen.remote_code if each.dna_llm == model), None)
    if code is None:
        return found(no_such_model(model, sorted(seen.models), seen.defaults.dna_llm))
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


def no_such_model(model: str, models: list[str], default: str) -> Finding:
    """The default model is shown as an example of those that this CpGPT has."""
    known = default if default in models else (models or [default])[0]
    return Finding(
        "CPG404",
        Severity.error,
        Words(f"this CpGPT has no model {model!r}", f"这个版本的 CpGPT 没有模型 {model!r}"),
        (Words(f"It has: {', '.join(models)}.", f"可用的有：{'、'.join(models)}。"),),
        (Remedy("known-model", values=(("unknown", same(model)), ("known", same(known)))),),
        values=(("model", same(known)),),
    )


def judged_model(model: str) -> Values:
    """What verifies a finding about this model."""
    return (("model", same(model)),)


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
        (OLD_TRANSFORMERS, Remedy("give-name-back")),
        Evidence(
            seen=tuple((same(each.name), Words("not there", "不存在")) for each in code.missing)
        ),
        Location(code.missing[0].path, code.missing[0].line),
        values=judged_model(code.dna_llm),
    )


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
        (Remedy("fetch-again", values=(("repository", same(code.repository or code.dna_llm)),)),),
        Evidence(error=file.error),
        Location(file.path),
        values=judged_model(code.dna_llm),
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
        (OLD_TRANSFORMERS, Remedy("give-name-back")),
        values=judged_model(model),
    )


def names_are_there(facts: Facts, call: Call) -> Check:
    """CPG407: names of CpGPT's embedder by which run-embed runs it, and an examination tries it.

    Whether the user's own call fails for it is not known.
    """
    assert facts.embedder is not None
    version = facts.packages.cpgpt.version if facts.packages and facts.packages.cpgpt else "?"
    seen = facts.embedder.examined
    if seen is None:
        return unknown(
            Words(
                "the names of CpGPT's embedder: it cannot be imported (CPG402)",
                "CpGPT 嵌入器中的名字：无法导入（CPG402）",
            )
        )
    if not seen.missing_seams:
        return ok(
            Words(
                f"CpGPT {version} has the names by which it is tried and run",
                f"CpGPT {version} 具有试运行和运行所需的全部名字",
            )
        )
    names = listed([same(name) for name in seen.missing_seams])
    not_tried = Words(
        "Nothing of this CpGPT was tried: whether a call of your own is safe is not known.",
        "因此没有试运行这个 CpGPT：你自己的调用是否安全，尚不清楚。",
    )
    refuses = Words(
        "run-embed replaces these names while it runs, so it refuses this release.",
        "run-embed 在运行期间要替换这些名字，所以拒绝这个版本。",
    )
    return found(
        Finding(
            "CPG407",
            Severity.error if call.treated else Severity.note,
            Words(
                f"CpGPT {version} lacks names that cpgpt-doctor relies on: {names.en}",
                f"CpGPT {version} 缺少 cpgpt-doctor 所依赖的名字：{names.zh}",
            ),
            (
                Words(
                    f"CpGPT {LAST} and every release before it have them. This one is newer, or"
                    " was changed.",
                    f"CpGPT {LAST} 及以前的每个版本都有这些名字。这个版本更新，或者被改动过。",
                ),
                refuses if call.treated else not_tried,
            ),
            (
                Remedy("known-release", values=(("version", same(str(LAST))),)),
                Remedy("newer-doctor"),
            ),
            Evidence(
                seen=tuple(
                    (same(name), Words("not there", "不存在")) for name in seen.missing_seams
                )
            ),
            Location(seen.file),
        )
    )


RULES = (
    Rule("CPG401", same("torch"), torch_works, ()),
    Rule("CPG402", same("CpGPT"), cpgpt_works, ("packages",)),
    Rule("CPG403", Words("CpGPT's requirements", "CpGPT 的依赖"), requirements, ("packages",)),
    Rule("CPG404", Words("the model's code", "模型自带的代码"), remote_code_names, ("examined",)),
    Rule(
        "CPG407",
        Words("the names of CpGPT's embedder", "CpGPT 嵌入器中的名字"),
        names_are_there,
        ("embedder",),
    ),
)
