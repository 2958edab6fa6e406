"""CPG2xx: CpGPT's dataset, and the settings of the DataLoader that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    Values,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.rules.environment.releases import GUARDED, PREFETCH_ERROR, known_release
from cpgpt_doctor.rules.rule import Rule, examined, severity
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import (
        BatchTrial,
        CallTrial,
        EmbedderExamined,
        Facts,
        ForkedRead,
        MovedOffset,
    )
    from cpgpt_doctor.intent import Call

PICKLING = ("spawn", "forkserver")
# The start method where the interpreter did not say its own (intent.resolve).
UNKNOWN = "unknown"


def trial(facts: EmbedderExamined, method: str | None, workers: bool) -> CallTrial | None:
    """The recorded trial of CpGPT's call with this start method, with or without workers."""
    return next(
        (
            trial
            for trial in facts.trials
            if trial.start_method == method and bool(trial.asked_workers) == workers
        ),
        None,
    )


def place(facts: EmbedderExamined, setting: str, call: str) -> Location:
    line = facts.lines.get(setting, facts.lines.get("DataLoader"))
    return Location(facts.file, line, call=call)


def workers_place(facts: EmbedderExamined, call: Call, setting: str = "num_workers") -> Location:
    return place(facts, setting, f"DataLoader(dataset, num_workers={call.num_workers})")


def effective_trial(facts: EmbedderExamined, call: Call) -> CallTrial | None:
    """The trial in the circumstances of the call: a chosen start method is seen by the guard."""
    return trial(facts, call.start_method if call.chosen else None, bool(call.num_workers))


def falls_back(facts: EmbedderExamined, call: Call) -> bool:
    """Whether CpGPT's own guard makes this call one without workers."""
    tried = effective_trial(facts, call)
    return tried is not None and tried.workers == 0


def prefetch_error(tried: CallTrial | None) -> str | None:
    """What a trial raised, where prefetch_factor is what torch refused; None otherwise."""
    refused = tried is not None and tried.workers == 0 and tried.prefetch_factor is not None
    return tried.error if tried is not None and refused else None


def no_workers_crashes(facts: EmbedderExamined) -> str | None:
    """What num_workers=0 raises for prefetch_factor in this release, None where it does not."""
    return prefetch_error(trial(facts, None, workers=False))


def workers_asked(call: Call) -> Values:
    return (("workers", same(str(call.num_workers))),)


def no_workers(call: Call, crash: str | None, own: str = "main-process") -> Remedy:
    """num_workers=0, with what this release needs beside it.

    crash: the error that num_workers=0 meets in this release, None where it works. own: the remedy
    of the finding's own page, where it works.
    """
    values = workers_asked(call)
    if crash is None:
        return Remedy(own, values=values)
    values = (*values, ("error", same(crash)))
    return Remedy("main-process-without-prefetch", "CPG201", values)


def remedies(call: Call, crash: str | None) -> tuple[Remedy, ...]:
    """Those of the fix document, as they are right here."""
    return (
        no_workers(call, crash),
        Remedy("start-with-fork", values=workers_asked(call)),
        Remedy("make-picklable"),
    )


NOT_PICKLED = Words(
    "no workers asked for: the dataset is not pickled",
    "未启用工作进程：不会 pickle 数据集",
)


def new_processes(call: Call) -> tuple[Words, Words]:
    """Why the start method needs the dataset pickled."""
    method = call.start_method
    default = Words("", " ") if call.chosen else Words(" (the default here)", "（这里的默认值）")
    return (
        Words(
            f"The start method {method} runs each worker in a process of its own{default.en}.",
            f"启动方式 {method}{default.zh}让每个工作进程运行在全新的进程里。",
        ),
        Words(
            "PyTorch's DataLoader pickles its dataset to send it to such a worker.",
            "PyTorch 的 DataLoader 要把数据集 pickle 后发送给这样的工作进程。",
        ),
    )


def dataset_untried(facts: Facts, call: Call) -> Check | None:
    """CPG201 from the release alone."""
    method = call.start_method
    if call.num_workers == 0:
        return ok(NOT_PICKLED)
    if method == UNKNOWN:
        return None
    if method not in PICKLING:
        return ok(
            Words(
                f"{method} does not pickle the dataset",
                f"{method} 不 pickle 数据集",
            )
        )
    version = known_release(facts)
    if version is None:
        return None
    guarded = version >= GUARDED
    on_mac = facts.python is not None and facts.python.platform == "darwin"
    falls_back = guarded and (on_mac or (method == "spawn" and call.chosen))
    if guarded and not falls_back and method == "spawn":
        return None  # whether the guard sees it depends on what was loaded before: to be tried
    if falls_back:
        outcome = Words(
            f"CpGPT's guard, known of this release, falls back to 0 workers with {method} here.",
            f"已知这个版本的 CpGPT 保护逻辑在这里遇到 {method} 时会退回到 0 个工作进程。",
        )
    elif guarded:
        outcome = Words(
            f"CpGPT's guard, known of this release, does not look for {method}: the call ends with"
            " “cannot pickle” when the first worker starts.",
            f"已知这个版本的 CpGPT 保护逻辑不检查 {method}：第一个工作进程启动时，调用会以"
            " “cannot pickle” 报错结束。",
        )
    else:
        outcome = Words(
            "This release has no guard: the call ends with “cannot pickle” when the first worker"
            " starts.",
            "这个版本没有保护逻辑：第一个工作进程启动时，调用会以 “cannot pickle” 报错结束。",
        )
    return found(
        Finding(
            "CPG201",
            severity(call, Severity.warning if falls_back else Severity.error),
            Words(
                f"the dataset of CpGPT {version} cannot be pickled, as {method} needs",
                f"CpGPT {version} 的数据集无法序列化（pickle），而 {method} 需要这样做",
            ),
            (
                *new_processes(call),
                Words(
                    f"CpGPT {version} is known to hold an open genome in its dataset, which cannot"
                    " be pickled. Nothing was tried here (--quick).",
                    f"已知 CpGPT {version} 的数据集里有一个打开的基因组文件，无法序列化。"
                    "这次没有实际试运行（--quick）。",
                ),
                outcome,
            ),
            remedies(call, None if guarded else PREFETCH_ERROR),
            treated=call.treated,
        )
    )


def dataset_pickles(facts: Facts, call: Call) -> Check:
    """CPG201: CpGPT's dataset against the pickler that DataLoader uses."""
    seen = examined(facts)
    anatomy = seen.dataset
    if anatomy is None:
        return unknown(
            Words(
                "CpGPT's dataset: its call did not get as far as making one",
                "CpGPT 的数据集：它的调用没有进行到创建数据集这一步",
            )
        )
    if not anatomy.culprits:
        if not anatomy.complete:
            return unknown(
                Words(
                    "CpGPT's dataset: the examination ended before it was complete",
                    "CpGPT 的数据集：检查还没做完就结束了",
                )
            )
        return ok(
            Words(
                f"CpGPT's dataset pickles ({anatomy.size} bytes to each worker)",
                f"CpGPT 的数据集可以 pickle（发给每个工作进程 {anatomy.size} 字节）",
            )
        )
    count, method = len(anatomy.culprits), call.start_method
    if call.num_workers == 0:
        return ok(NOT_PICKLED)
    if method not in PICKLING:
        return ok(
            Words(
                f"the dataset cannot be pickled ({count} culprits), and {method} does not pickle"
                " it; see --start-method spawn for what macOS and Windows meet",
                f"数据集无法被 pickle（{count} 个问题对象），但 {method} 不 pickle 它；macOS 和"
                " Windows 上的情形可用 --start-method spawn 查看",
            )
        )
    seen_trial = effective_trial(seen, call)
    falls_back = seen_trial is not None and seen_trial.workers == 0
    outcome = (
        Words(
            f"Here CpGPT's guard sees {method} and falls back to 0 workers, whatever was asked.",
            f"在这里，CpGPT 的防护检测到 {method}，无论要求多少个，都退回到 0 个工作进程。",
        )
        if falls_back
        else Words(
            "Here the call ends with this error when the first of"
            f" {call.num_workers} workers starts.",
            f"在这里，{call.num_workers} 个工作进程中的第一个一启动，调用就以这个错误结束。",
        )
    )
    made_up = Words("a tiny one, made for the examination", "为检查而临时制作的小基因组")
    out_of_time = (
        Words("complete", "是否查完"),
        Words("no: the time limit came", "否：到了时间上限"),
    )
    return found(
        Finding(
            "CPG201",
            severity(call, Severity.warning if falls_back else Severity.error),
            Words(
                f"CpGPT's dataset cannot be pickled, as {method} needs ({count} culprits)",
                f"CpGPT 的数据集无法被 pickle，而 {method} 需要 pickle 它（{count} 个问题对象）",
            ),
            (
                *new_processes(call),
                Words(
                    "CpGPT's GenomicSequenceDataset holds an open pyfaidx genome, and what is"
                    " listed as culprits in it cannot be pickled. Mending one uncovers the next.",
                    "CpGPT 的 GenomicSequenceDataset 持有一个已打开的 pyfaidx 基因组，其中列出的"
                    "问题对象都不能被 pickle。修好一个，就会露出下一个。",
                ),
                outcome,
            ),
            remedies(call, no_workers_crashes(seen)),
            Evidence(
                error=anatomy.culprits[0].error,
                culprits=anatomy.culprits,
                seen=(
                    (Words("start method", "启动方式"), same(method)),
                    (Words("genome", "基因组"), same(seen.genome) if seen.genome else made_up),
                    *(() if anatomy.complete else (out_of_time,)),
                ),
            ),
            workers_place(seen, call),
            treated=call.treated,
        )
    )


PREFETCH_REMOVED = ok(
    Words(
        "prefetch_factor: your code takes it away before it reaches the DataLoader",
        "prefetch_factor：你的代码在它传到 DataLoader 之前就去掉了",
    )
)


def prefetch(facts: Facts, call: Call) -> Check:
    """CPG203: prefetch_factor is passed whatever the number of workers."""
    if call.prefetch_removed and not call.num_workers:
        return PREFETCH_REMOVED
    seen = examined(facts)
    without = trial(seen, None, workers=False)
    tried = effective_trial(seen, call)
    if tried is not None and tried.error is not None and not prefetch_error(tried):
        return found(call_raises(seen, call, tried))
    if without is None or (without.workers is None and without.error is None):
        return unknown(
            Words(
                "prefetch_factor: CpGPT's call did not get as far as its DataLoader",
                "prefetch_factor：CpGPT 的调用没有进行到 DataLoader 这一步",
            )
        )
    if without.error is None:
        return ok(
            Words(
                "num_workers=0 is accepted: CpGPT sets prefetch_factor only with workers",
                "可以设 num_workers=0：CpGPT 只在有工作进程时才设置 prefetch_factor",
            )
        )
    if without.prefetch_factor is None:
        return unknown(
            Words(
                f"num_workers=0 fails for another reason: {without.error}",
                f"num_workers=0 因别的原因失败：{without.error}",
            )
        )
    return found(
        always_prefetches(
            call,
            without.prefetch_factor,
            Evidence(error=without.error),
            place(
                seen,
                "prefetch_factor",
                f"DataLoader(dataset, num_workers=0, prefetch_factor={without.prefetch_factor})",
            ),
        )
    )


def call_raises(seen: EmbedderExamined, call: Call, tried: CallTrial) -> Finding:
    """The call was tried as it is asked for, and raised, not for prefetch_factor."""
    reached = tried.workers is not None
    return Finding(
        "CPG203",
        severity(call, Severity.error) if reached else Severity.error,
        Words(
            f"CpGPT's call with num_workers={call.num_workers} raises",
            f"CpGPT 的调用在 num_workers={call.num_workers} 时抛出异常",
        ),
        (
            Words(
                "DataLoader refused the settings that CpGPT passed to it.",
                "DataLoader 不接受 CpGPT 传给它的设置。",
            )
            if reached
            else Words(
                "It was tried here, and did not get as far as its DataLoader.",
                "在这里试过，它没有进行到 DataLoader 这一步。",
            ),
        ),
        (Remedy("another-error"),),
        Evidence(error=tried.error),
        workers_place(seen, call, "DataLoader"),
        treated=call.treated and reached,
        values=workers_asked(call),
    )


def prefetch_untried(facts: Facts, call: Call) -> Check | None:
    """CPG203 from the release alone."""
    if call.prefetch_removed and not call.num_workers:
        return PREFETCH_REMOVED
    version = known_release(facts)
    if version is None:
        return None
    if version >= GUARDED:
        return ok(
            Words(
                f"num_workers=0 is accepted by CpGPT {version} (known of this release, not tried)",
                f"CpGPT {version} 可以设 num_workers=0（已知该版本如此，未实际试运行）",
            )
        )
    known = Words(
        f"known of CpGPT {version}; not tried (--quick)",
        f"已知 CpGPT {version} 如此，未实际试运行（--quick）",
    )
    evidence = Evidence(seen=((Words("how it is known", "依据"), known),))
    return found(always_prefetches(call, 2, evidence))


def always_prefetches(
    call: Call, factor: int, evidence: Evidence, location: Location | None = None
) -> Finding:
    meets = call.num_workers == 0
    return Finding(
        "CPG203",
        severity(call, Severity.error if meets else Severity.warning),
        Words(
            "num_workers=0 raises in this CpGPT: prefetch_factor is always set",
            "在这个版本的 CpGPT 中 num_workers=0 会报错：它总是设置 prefetch_factor",
        ),
        (
            Words(
                f"This release passes prefetch_factor={factor} to DataLoader"
                " whatever the number of workers.",
                f"无论工作进程有多少，这个版本都向 DataLoader 传入 prefetch_factor={factor}。",
            ),
            Words(
                "PyTorch refuses prefetch_factor without workers.",
                "没有工作进程时，PyTorch 不接受 prefetch_factor。",
            ),
            Words("Your call meets this.", "你的调用会遇到这个错误。")
            if meets
            else Words(
                "Your call does not meet this yet; num_workers=0, the remedy of CPG201,"
                " uncovers it.",
                "你的调用暂时不会遇到；改用 num_workers=0（CPG201 的解决方案）后就会出现。",
            ),
        ),
        (Remedy("run-embed"), Remedy("without-prefetch"), Remedy("newer-cpgpt")),
        evidence,
        location,
        treated=call.treated,
    )


def pin_memory(facts: Facts, call: Call) -> Check:
    """CPG204: pinned memory is for copies to CUDA."""
    seen = examined(facts)
    assert facts.accelerator is not None
    assert facts.accelerator.torch is not None
    if facts.accelerator.torch.cuda_available:
        return ok(
            Words(
                "pin_memory: CUDA is available, so it is of use",
                "pin_memory：CUDA 可用，所以它有用",
            )
        )
    if all(tried.workers is None for tried in seen.trials):
        return unknown(
            Words(
                "pin_memory: CpGPT's call did not get as far as its DataLoader",
                "pin_memory：CpGPT 的调用没有进行到 DataLoader 这一步",
            )
        )
    if not any(tried.pin_memory for tried in seen.trials):
        return ok(
            Words(
                "pin_memory is not set without CUDA",
                "没有 CUDA 时没有设置 pin_memory",
            )
        )
    return found(
        Finding(
            "CPG204",
            Severity.note,
            Words(
                "pin_memory=True without CUDA does nothing but warn",
                "没有 CUDA 时，pin_memory=True 除了发出警告没有任何作用",
            ),
            (
                Words(
                    "CpGPT passes pin_memory=True to DataLoader always.",
                    "CpGPT 总是向 DataLoader 传入 pin_memory=True。",
                ),
                Words(
                    "Pinned memory speeds up copies to a CUDA device; there is none here, and"
                    " PyTorch ignores the setting, with a warning in some releases.",
                    "锁页内存能加快向 CUDA 设备的拷贝；这里没有 CUDA 设备，PyTorch 会忽略这个"
                    "设置，有些版本还会发出警告。",
                ),
            ),
            (Remedy("nothing"),),
            location=place(seen, "pin_memory", "DataLoader(dataset, pin_memory=True)"),
            treated=call.treated,
        )
    )


def guard_unconcerned(facts: Facts, call: Call) -> Check | None:
    """CPG206 from the call alone."""
    method = call.start_method
    if call.num_workers == 0:
        return ok(
            Words(
                "CpGPT's worker guard: no workers asked for",
                "CpGPT 的工作进程防护：未启用工作进程",
            )
        )
    if method == UNKNOWN:
        return None
    if method not in PICKLING:
        return ok(
            Words(
                f"CpGPT's worker guard: not concerned, {method} does not pickle",
                f"CpGPT 的工作进程防护：不涉及，{method} 不需要 pickle",
            )
        )
    return None


def guard(facts: Facts, call: Call) -> Check:
    """CPG206: CpGPT's own guard, tried with the effective start method."""
    seen = examined(facts)
    method = call.start_method
    if "guard" not in seen.lines:
        return skipped(
            Words(
                "CpGPT's worker guard: this release has none (it came with 0.0.8)",
                "CpGPT 的工作进程防护：这个版本没有（0.0.8 才加入）",
            )
        )
    unconcerned = guard_unconcerned(facts, call)
    if unconcerned is not None:
        return unconcerned
    tried = effective_trial(seen, call)
    if tried is None or tried.workers is None:
        return unknown(
            Words(
                "CpGPT's worker guard: its call did not get as far",
                "CpGPT 的工作进程防护：它的调用没有进行到这一步",
            )
        )
    if tried.workers == 0:
        return ok(
            Words(
                f"CpGPT's worker guard sees {method} and uses 0 workers",
                f"CpGPT 的工作进程防护检测到 {method}，使用 0 个工作进程",
            )
        )
    sees = (
        Words("no start method", "没有看到启动方式")
        if tried.start_method_seen is None
        else Words(f"{tried.start_method_seen!r}", f"看到的是 {tried.start_method_seen!r}")
    )
    return found(
        Finding(
            "CPG206",
            severity(call, Severity.error),
            Words(
                f"CpGPT's guard lets {method} through",
                f"CpGPT 的防护放过了 {method}",
            ),
            (
                Words(
                    "From 0.0.8, CpGPT falls back to 0 workers on macOS and where it sees the start"
                    " method 'spawn'.",
                    "从 0.0.8 起，CpGPT 在 macOS 上，或检测到启动方式为 'spawn' 时，会退回到 0 个"
                    "工作进程。",
                ),
                Words(
                    f"Here it saw {sees.en} after a model had been loaded, and asked for"
                    f" {tried.workers} workers when {tried.asked_workers} were passed.",
                    f"在这里，加载模型之后它{sees.zh}；传入 {tried.asked_workers} 时，"
                    f"它要求了 {tried.workers} 个工作进程。",
                ),
                Words(
                    f"Under {method} they need the dataset pickled, which fails (CPG201).",
                    f"在 {method} 下，工作进程需要 pickle 过的数据集，而这会失败（CPG201）。",
                ),
            ),
            (Remedy("say-it", values=workers_asked(call)),),
            Evidence(
                error=seen.dataset.culprits[0].error
                if seen.dataset and seen.dataset.culprits
                else None
            ),
            place(seen, "guard", "mp.get_start_method(allow_none=True)"),
            treated=call.treated,
            values=(("method", same(method)),),
        )
    )


def moved_positions(moved: tuple[MovedOffset, ...]) -> tuple[tuple[Words, Words], ...]:
    """Files, and how far a child's read moved this process's position in each."""
    return tuple(
        (
            same(each.path),
            Words(
                f"position {each.before} to {each.after}",
                f"位置从 {each.before} 变为 {each.after}",
            ),
        )
        for each in moved
    )


def shares_nothing(facts: Facts, call: Call) -> Check | None:
    """CPG202 from the call alone."""
    if call.num_workers == 0:
        return ok(
            Words(
                "no workers asked for: nobody shares the genome's file",
                "未启用工作进程：没有谁共用基因组文件",
            )
        )
    if call.start_method not in ("fork", UNKNOWN):
        return ok(
            Words(
                f"{call.start_method} shares no open file with its workers",
                f"{call.start_method} 不与工作进程共用已打开的文件",
            )
        )
    return None


def proves_nothing(forked: ForkedRead | None) -> Words | None:
    """Why a position that stayed proves nothing; None where the child did read."""
    if forked is None:
        return Words(
            "these facts do not say whether the child that should read did",
            "这份记录没有说明负责读取的子进程是否读取成功",
        )
    detail = forked.detail
    if forked.ended != "well":
        return {
            "raised": Words(
                f"the child that should read raised {detail}",
                f"负责读取的子进程抛出了异常：{detail}",
            ),
            "killed": Words(
                f"the child that should read was killed ({detail})",
                f"负责读取的子进程被信号终止（{detail}）",
            ),
            "exited": Words(
                f"the child that should read ended without a word ({detail})",
                f"负责读取的子进程没有给出结果就退出了（{detail}）",
            ),
            "timeout": Words(
                f"the child that should read was stopped after {detail}",
                f"负责读取的子进程超时，在 {detail} 后被停止",
            ),
        }[forked.ended]
    if not forked.items:
        return Words("there was nothing to read", "没有可以读取的内容")
    if forked.open_files and not forked.size:
        return Words(
            "the child read, but not seen to do so from a file",
            "子进程完成了读取，但没有观察到它从文件中读取",
        )
    return None


def shared_offset(facts: Facts, call: Call) -> Check:
    """CPG202: forked workers share the genome's file position."""
    assert facts.workers is not None
    seen = examined(facts)
    alone = shares_nothing(facts, call)
    if alone is not None:
        return alone
    if falls_back(seen, call):
        return ok(
            Words(
                "CpGPT falls back to 0 workers here: nobody shares the genome's file",
                "CpGPT 在这里退回到 0 个工作进程：没有谁共用基因组文件",
            )
        )
    moved, trial_seen = facts.workers.moved, facts.workers.trial
    if moved is None:
        return unknown(
            Words(
                "the genome's file position: this platform has no fork to try",
                "基因组文件的读取位置：这个平台没有 fork，无从尝试",
            )
        )
    if not moved:
        reason = proves_nothing(facts.workers.forked)
        if reason is not None:
            return unknown(
                Words(
                    f"the genome's file position: {reason.en}",
                    f"基因组文件的读取位置：{reason.zh}",
                )
            )
        return ok(
            Words(
                "a forked worker's read leaves the genome's file position where it was",
                "fork 出的工作进程读取之后，基因组文件的读取位置没有变化",
            )
        )
    wrong = (
        Words(
            f"{trial_seen.wrong} of {trial_seen.windows} windows were wrong"
            f" with {trial_seen.workers} workers",
            f"{trial_seen.workers} 个工作进程时，{trial_seen.windows} 个窗口中有"
            f" {trial_seen.wrong} 个读错",
        )
        if trial_seen
        else Words("no trial was made", "没有做试验")
    )
    if call.num_workers == 1:
        return found(one_worker(seen, call, moved))
    return found(
        Finding(
            "CPG202",
            severity(call, Severity.error),
            Words(
                "forked workers share the genome's file position: wrong sequences, without an"
                " error",
                "fork 出的工作进程共用基因组文件的读取位置：序列会读错，而且没有任何报错",
            ),
            (
                Words(
                    "With the start method fork, workers inherit the open genome file, and with it"
                    " one position for all of them.",
                    "启动方式为 fork 时，工作进程继承已打开的基因组文件，连同同一个读取位置，"
                    "由所有工作进程共用。",
                ),
                Words(
                    "One worker's seek moves another's read: it gets bases from elsewhere, and"
                    " CpGPT stores their embedding under the wrong location.",
                    "一个工作进程的 seek 会移动另一个的读取位置：后者读到别处的碱基，CpGPT 便把"
                    "它们的嵌入存到错误的位点名下。",
                ),
                Words(
                    "Proved: after a child's read, this process's own position in the file had"
                    f" moved ({moved[0].before} to {moved[0].after}).",
                    "已证实：子进程读取之后，本进程自己在该文件中的位置也移动了"
                    f"（从 {moved[0].before} 到 {moved[0].after}）。",
                ),
                Words(
                    f"In a trial with CpGPT's own dataset, {wrong.en}. How many depends on how"
                    " often workers read at once: a slow model or a busy machine hides it, a fast"
                    " GPU shows it.",
                    f"用 CpGPT 自己的数据集做过试验：{wrong.zh}。读错多少取决于工作进程同时读取的"
                    "频率：模型慢或机器忙时不易显现，GPU 快时就会显现。",
                )
                if trial_seen
                else Words("No trial was made.", "没有做试验。"),
            ),
            (
                one_reader(seen, call),
                Remedy("by-position", values=workers_asked(call)),
                Remedy("four-on-linux"),
            ),
            Evidence(seen=(*moved_positions(moved), (Words("trial", "试验"), wrong))),
            workers_place(seen, call),
            treated=call.treated,
        )
    )


def one_worker(seen: EmbedderExamined, call: Call, moved: tuple[MovedOffset, ...]) -> Finding:
    """CPG202 with one worker: the position is shared, and nobody else reads."""
    return Finding(
        "CPG202",
        Severity.note,
        Words(
            "the one forked worker shares the genome's file position; nobody else reads meanwhile",
            "唯一的工作进程共享基因组文件的读取位置，但在此期间没有别的进程读取",
        ),
        (
            Words(
                "A forked worker inherits the open genome file and its position. CpGPT's main"
                " process does not read while the worker does, so one worker reads right.",
                "fork 出的工作进程继承已打开的基因组文件及其读取位置。它读取时，CpGPT 的主进程"
                "不会读取，所以只有一个工作进程时不会读错。",
            ),
            Words(
                "From num_workers=2 on, workers move each other's position, and windows are read"
                " wrong without an error.",
                "从 num_workers=2 起，工作进程会互相移动读取位置，窗口会读错，而且没有任何报错。",
            ),
        ),
        (one_reader(seen, call),),
        Evidence(seen=moved_positions(moved)),
        workers_place(seen, call),
        treated=call.treated,
    )


def one_reader(seen: EmbedderExamined, call: Call) -> Remedy:
    return no_workers(call, no_workers_crashes(seen), "one-reader")


def alone_in_its_batch(facts: Facts, call: Call) -> Check | None:
    """CPG514 from the call alone."""
    if call.batch_size == 1:
        return ok(
            Words(
                "batch_size=1: no window is padded to another",
                "batch_size=1：没有窗口会被填充到别的窗口的长度",
            )
        )
    return None


def padded_together(facts: Facts, call: Call) -> Check:
    """CPG514: windows of unlike token counts in one batch, and no mask for the model."""
    alone = alone_in_its_batch(facts, call)
    if alone is not None:
        return alone
    seen = examined(facts)
    batch = seen.batch
    if batch is None:
        return unknown(
            Words(
                "windows in one batch: these facts were saved before this was looked at",
                "同一批次的窗口：保存这份记录时还没有这项检查",
            )
        )
    if batch.dna_llm != call.dna_llm:
        return unknown(
            Words(
                f"windows in one batch: {batch.dna_llm} was looked at, not {call.dna_llm}",
                f"同一批次的窗口：当时检查的是 {batch.dna_llm}，而不是 {call.dna_llm}",
            )
        )
    if batch.together is None:
        return unknown(
            Words(
                f"windows in one batch: CpGPT's call did not get as far as its model:"
                f" {batch.error}",
                f"同一批次的窗口：CpGPT 的调用没有进行到模型这一步：{batch.error}",
            )
        )
    if batch.masked:
        return ok(
            Words(
                "windows in one batch: the model is given an attention mask",
                "同一批次的窗口：模型会得到 attention mask",
            )
        )
    if not batch.windows:
        return unknown(
            Words(
                "windows in one batch: none is recorded",
                "同一批次的窗口：没有记录到任何窗口",
            )
        )
    if all(window.alone == batch.together for window in batch.windows):
        return ok(
            Words(
                f"windows in one batch: each has {batch.together} tokens alone and together",
                f"同一批次的窗口：单独和放在一起时都是 {batch.together} 个 token",
            )
        )
    return found(changed_by_neighbours(call, seen, batch))


WINDOW_KINDS = {
    "plain": Words("window of plain bases", "普通碱基的窗口"),
    "short": Words("short window", "较短的窗口"),
    "N": Words("window of N", "全 N 窗口"),
}


def changed_by_neighbours(call: Call, seen: EmbedderExamined, batch: BatchTrial) -> Finding:
    batch_size = (("batch_size", same(str(call.batch_size))),)
    of_the_model = Words(f"{batch.tokenizer}, from the cache", f"{batch.tokenizer}，来自缓存")
    stand_in = Words(
        f"a stand-in ({batch.tokenizer}): the model's own is not cached",
        f"替代品（{batch.tokenizer}）：模型自己的分词器尚未缓存",
    )
    return Finding(
        "CPG514",
        severity(call, Severity.error),
        Words(
            f"with batch_size={call.batch_size}, a row depends on the other windows in its batch",
            f"batch_size={call.batch_size} 时，一个位点的嵌入会受同一批次其他窗口的影响",
        ),
        (
            Words(
                "CpGPT pads every window of a batch to the longest one. A window near a contig's"
                " end has fewer tokens than others, one with N has more.",
                "CpGPT 把同一批次的窗口都填充到最长的那个。靠近序列末端的窗口 token 较少，"
                "含 N 的窗口 token 较多。",
            ),
            Words(
                "It passes no attention mask to the model, which reads the padding as if it were"
                " sequence. Tried here with CpGPT's own call, up to its model.",
                "它没有把 attention mask 传给模型，模型会把填充当作序列来读。这里实际调用 CpGPT"
                " 试过，直到模型这一步。",
            ),
            Words(
                "The row is stored without an error, and is not the one of the window alone.",
                "这样的嵌入照常写入，没有任何报错，却与该窗口单独计算的结果不同。",
            ),
        ),
        (Remedy("one-at-a-time", values=batch_size), Remedy("run-embed", values=batch_size)),
        Evidence(
            seen=(
                *(
                    (
                        WINDOW_KINDS[window.kind],
                        Words(
                            f"{window.bases} bases, {window.alone} tokens alone,"
                            f" {batch.together} together",
                            f"{window.bases} 个碱基，单独时 {window.alone} 个 token，"
                            f"放在一起时 {batch.together} 个",
                        ),
                    )
                    for window in batch.windows
                ),
                (
                    Words("tokenizer", "分词器"),
                    of_the_model if batch.cached else stand_in,
                ),
            )
        ),
        place(seen, "DataLoader", f"DataLoader(dataset, batch_size={call.batch_size})"),
        treated=call.treated,
    )


RULES = (
    Rule(
        "CPG201",
        Words("CpGPT's dataset and the pickler", "CpGPT 的数据集与 pickler"),
        dataset_pickles,
        ("python", "examined"),
        untried=dataset_untried,
    ),
    Rule(
        "CPG202",
        Words("the genome's file position", "基因组文件的读取位置"),
        shared_offset,
        ("python", "examined", "workers"),
        untried=shares_nothing,
    ),
    Rule("CPG203", same("prefetch_factor"), prefetch, ("examined",), untried=prefetch_untried),
    Rule("CPG204", same("pin_memory"), pin_memory, ("examined", "torch")),
    Rule(
        "CPG206",
        Words("CpGPT's worker guard", "CpGPT 的工作进程防护"),
        guard,
        ("python", "examined"),
        untried=guard_unconcerned,
    ),
    Rule(
        "CPG514",
        Words("windows in one batch", "同一批次的窗口"),
        padded_together,
        ("examined",),
        untried=alone_in_its_batch,
    ),
)
