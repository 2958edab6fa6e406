"""CPG602: workers for CpGPT's data module, and for a DataLoader over an open genome."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Check, Edit, Finding, Remedy, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.sources import places
from cpgpt_doctor.rules.sources.circumstances import Circumstances, circumstances, count, outcomes
from cpgpt_doctor.rules.sources.workers import Asked, amount, asked
from cpgpt_doctor.words import Words, same


def data_modules(facts: Facts, call: Call) -> Check:
    """CPG602: workers for CpGPT's data module, or for a DataLoader over an open genome."""
    around = circumstances(facts, call)
    findings: list[Finding] = []
    total = 0
    for each in asked(facts, around, "data-module", "loader"):
        holds = "cpgpt" if each.call.kind == "data-module" else each.call.dataset
        if holds not in ("cpgpt", "genome"):
            continue
        total += 1
        if (count(each.worst) or 0) > 0:
            method = loader_method(each, around) or each.method
            if holds == "genome" or method != "fork":
                findings.append(of_loader(facts, call, around, each, holds, method))
    if findings:
        return found(*findings)
    if not total:
        return skipped(
            Words(
                "no data module, and no DataLoader over a genome",
                "没有数据模块，也没有读取基因组的 DataLoader",
            )
        )
    return ok(
        Words(
            f"data modules and DataLoader over a genome are safe here ({total})",
            f"数据模块以及读取基因组的 DataLoader 在这里是安全的（{total}）",
        )
    )


def loader_method(each: Asked, around: Circumstances) -> str | None:
    """The start method that a DataLoader is given for itself."""
    for outcome in outcomes(each.call.setting("multiprocessing_context"), around.platform):
        if outcome.kind == "value" and isinstance(outcome.value, str):
            return outcome.value
    return None


def of_loader(
    facts: Facts, call: Call, around: Circumstances, each: Asked, holds: str, method: str
) -> Finding:
    number = amount(each.worst)
    wrong = method == "fork"
    what = {
        "cpgpt": Words("CpGPT's data module", "CpGPT 的数据模块"),
        "genome": Words("a dataset with an open genome", "持有打开的基因组文件的数据集"),
    }[holds]
    title = (
        Words(
            f"{number.en} for {what.en}: some sequences are read wrong, without an error",
            f"{what.zh}使用 {number.zh}：部分序列会读错，而且不报错",
        )
        if wrong
        else Words(
            f"{number.en} for {what.en}: it cannot be pickled, as {method} needs",
            f"{what.zh}使用 {number.zh}：它无法序列化（pickle），而 {method} 需要这样做",
        )
    )
    causes = {
        "cpgpt": Words(
            "CpGPT's dataset holds an embedder, whose logger writes to an open stream. Neither can"
            " be sent to a new process (CPG205).",
            "CpGPT 的数据集持有嵌入器，其日志对象写入一个打开的流，两者都无法发送给全新的进程"
            "（CPG205）。",
        ),
        "genome": Words(
            "The dataset opens the genome when it is made. Forked workers share its position in"
            " the file, and new processes cannot be given it.",
            "数据集在创建时就打开了基因组文件：fork 出的工作进程会共享它的读取位置，全新的进程则"
            "无法得到它。",
        ),
    }
    default = each.worst.value
    left_out = (
        Words(f"num_workers is left out, which means {default}.",
              f"没有写 num_workers，默认值是 {default}。"),
    )  # fmt: skip
    yaml = places.is_yaml(each.file)
    after = places.mended(each.call, each.site, "num_workers", "0")
    shown = not yaml and after != each.call.text
    values = (("before", same(each.call.text)), ("after", same(after))) if shown else ()
    own = (Remedy("open-in-worker"),) if holds == "genome" else ()
    return Finding(
        "CPG602",
        Severity.error,
        title,
        (*(() if each.setting.text else left_out), causes[holds]),
        (Remedy("no-workers", values=(*values, ("path", places.quoted(each.file.path)))), *own),
        location=places.at(each.site, each.call),
        values=(("path", places.quoted(each.file.path)),),
        edits=(
            *places.written(each.site, "num_workers", "0", yaml=yaml),
            *without_context(each, around),
        ),
    )


def without_context(each: Asked, around: Circumstances) -> tuple[Edit, ...]:
    """A DataLoader takes no start method where it has no workers."""
    for outcome in outcomes(each.call.setting("multiprocessing_context"), around.platform):
        if outcome.kind == "value" and outcome.value is not None and outcome.site is not None:
            return places.written(outcome.site, "multiprocessing_context", "None")
    return ()
