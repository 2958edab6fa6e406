"""CPG2xx: what workers are sent, and what happens when they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Location,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.rules.environment.workers import (
    PICKLING,
    UNKNOWN,
    falls_back,
    moved_positions,
    no_workers,
    no_workers_crashes,
    proves_nothing,
    workers_asked,
)
from cpgpt_doctor.rules.rule import Rule, ending, examined, severity
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts, OwnDataset, WorkerStart
    from cpgpt_doctor.intent import Call


def deep_objects(facts: Facts, call: Call) -> Check:
    """CPG205: CpGPT's embedder and its data module's dataset."""
    assert facts.workers is not None
    looks = facts.workers.deep
    if not looks:
        return skipped(
            Words(
                "CpGPT's data module: looked at with --deep",
                "CpGPT 的数据模块：加上 --deep 才检查",
            )
        )
    failed = [look for look in looks if look.anatomy is None]
    stuck = [look for look in looks if look.anatomy is not None and look.anatomy.culprits]
    if not stuck:
        if failed:
            return unknown(
                Words(
                    f"{failed[0].name} could not be made: {failed[0].outcome.error}",
                    f"无法创建 {failed[0].name}：{failed[0].outcome.error}",
                )
            )
        return ok(
            Words(
                "CpGPT's embedder and its data module's dataset pickle",
                "CpGPT 的嵌入器和数据模块的数据集都能 pickle",
            )
        )
    names = Words(
        " and ".join(look.name for look in stuck),
        " 和 ".join(look.name for look in stuck),
    )
    culprits = tuple(
        culprit for look in stuck for culprit in (look.anatomy.culprits if look.anatomy else ())
    )
    return found(
        Finding(
            "CPG205",
            Severity.warning,
            Words(
                f"{names.en} cannot be pickled",
                f"{names.zh} 无法被 pickle",
            ),
            (
                Words(
                    "CpGPT's data module uses 4 workers by default; where workers are new"
                    " processes (spawn, forkserver), its dataset is pickled for them.",
                    "CpGPT 的数据模块默认使用 4 个工作进程；凡是工作进程属于新进程的地方"
                    "（spawn、forkserver），都要为它们 pickle 数据集。",
                ),
                Words(
                    "The dataset holds an embedder, and both hold a logger that writes to an open"
                    " stream.",
                    "该数据集持有一个嵌入器，两者都持有一个向已打开的流写日志的 logger。",
                ),
            ),
            (Remedy("data-module"),),
            Evidence(error=culprits[0].error, culprits=culprits),
        )
    )


def another_model(subject: Words, seen: str, call: Call) -> Check:
    """Saved facts are about the model that was looked at then, which is not the one asked for."""
    return unknown(
        Words(
            f"{subject.en}: {seen} was looked at, not {call.dna_llm}",
            f"{subject.zh}：当时检查的是 {seen}，而不是 {call.dna_llm}",
        )
    )


def collate_not_needed(facts: Facts, call: Call) -> Check | None:
    """CPG207 from the call alone."""
    if call.num_workers and call.start_method != "fork":
        return None
    return COLLATE_STAYS


COLLATE_STAYS = ok(
    Words(
        "the collate function does not have to be pickled here",
        "这里不需要序列化（pickle）collate 函数",
    )
)


def no_fork(facts: Facts, call: Call) -> Check | None:
    """CPG209 from the call alone."""
    if call.num_workers and call.start_method in ("fork", UNKNOWN):
        return None
    return ok(
        Words(
            "no worker is forked: a tokenizer's threads do not matter",
            "没有用 fork 启动工作进程：分词器是否带线程无关紧要",
        )
    )


# What transformers says of a tokenizer that is not cached, or needs code from the hub; any other
# error is the tokenizer's own.
NOT_TO_BE_HAD = (
    "couldn't find them in the cached files",
    "does not appear to have a file named",
    "Can't load tokenizer for",
    "is not a valid model identifier",
    "outgoing traffic has been disabled",
    "cannot find the requested files",
    "custom code",
    "trust_remote_code",
)


def collate_pickles(facts: Facts, call: Call) -> Check:
    """CPG207: the collate function and its tokenizer."""
    assert facts.workers is not None
    collate = facts.workers.collate
    stays = COLLATE_STAYS if falls_back(examined(facts), call) else collate_not_needed(facts, call)
    if collate.dna_llm != call.dna_llm:
        return stays or another_model(
            Words("the collate function", "collate 函数"), collate.dna_llm, call
        )
    if collate.anatomy is None:
        outcome = collate.outcome
        if outcome.error and not any(each in outcome.error for each in NOT_TO_BE_HAD):
            error = " ".join(f"{outcome.error_type}: {outcome.error}".split())
            return unknown(
                Words(
                    f"the collate function: {collate.dna_llm}'s tokenizer does not load: {error}",
                    f"collate 函数：{collate.dna_llm} 的分词器无法加载：{error}",
                )
            )
        return stays or unknown(
            Words(
                f"the collate function: {collate.dna_llm}'s tokenizer is not cached, or needs code"
                " from the hub, which an examination does not run",
                f"collate 函数：{collate.dna_llm} 的分词器尚未缓存，或者需要来自 hub 的代码，"
                "而检查不会运行这种代码",
            )
        )
    if not collate.anatomy.culprits:
        size = collate.anatomy.size
        return ok(
            Words(
                f"the collate function and its tokenizer pickle ({size} bytes to each worker)",
                f"collate 函数及其分词器可以 pickle（发给每个工作进程 {size} 字节）",
            )
        )
    if stays:
        return ok(
            Words(
                "the collate function cannot be pickled, and does not have to be",
                "collate 函数无法被 pickle，但这里也不需要",
            )
        )
    return found(
        Finding(
            "CPG207",
            severity(call, Severity.error),
            Words(
                f"the collate function cannot be pickled, as {call.start_method} needs",
                f"collate 函数无法被 pickle，而 {call.start_method} 需要 pickle 它",
            ),
            (
                Words(
                    "DataLoader sends it to each worker together with the dataset.",
                    "DataLoader 会把它和数据集一起发送给每个工作进程。",
                ),
            ),
            (no_workers(call, no_workers_crashes(examined(facts))),),
            Evidence(error=collate.anatomy.culprits[0].error, culprits=collate.anatomy.culprits),
            treated=call.treated,
        )
    )


def start_problem(starts: tuple[WorkerStart, ...], method: str) -> WorkerStart | None:
    return next((s for s in starts if s.start_method == method and not s.outcome.ok), None)


def do_not_start(method: str) -> Words:
    return Words(
        f"workers do not start with {method}",
        f"用 {method} 无法启动工作进程",
    )


def starts_none(facts: Facts, call: Call) -> Check | None:
    """CPG208 from the call alone."""
    if call.num_workers == 0:
        return ok(
            Words(
                "no workers asked for: none has to start",
                "未启用工作进程：无需启动",
            )
        )
    return None


def workers_start(facts: Facts, call: Call) -> Check:
    """CPG208: workers were really started on CpGPT's dataset."""
    assert facts.workers is not None
    method = call.start_method
    nobody = starts_none(facts, call)
    if nobody is not None:
        return nobody
    if falls_back(examined(facts), call):
        return ok(
            Words(
                "CpGPT falls back to 0 workers here: none has to start",
                "CpGPT 在这里退回到 0 个工作进程：无需启动",
            )
        )
    starts = facts.workers.starts
    if method not in [each.start_method for each in starts]:
        return unknown(
            Words(
                f"workers were not started with {method}: not on this platform",
                f"没有试着用 {method} 启动工作进程：这个平台没有这种启动方式",
            )
        )
    failed = start_problem(starts, method)
    if failed is None:
        return ok(
            Words(
                f"workers start on CpGPT's dataset with {method}",
                f"用 {method} 可以在 CpGPT 的数据集上启动工作进程",
            )
        )
    seen = examined(facts)
    if seen.dataset and seen.dataset.culprits and method in PICKLING:
        return skipped(
            Words(
                "starting workers: it ends where the dataset is pickled (CPG201)",
                "启动工作进程：在 pickle 数据集时就中断了（CPG201）",
            )
        )
    return found(
        Finding(
            "CPG208",
            severity(call, Severity.error),
            do_not_start(method),
            (
                Words(
                    f"{failed.workers} workers were started on CpGPT's dataset, and this happened"
                    f" after {failed.outcome.seconds:.0f} s.",
                    f"在 CpGPT 的数据集上启动了 {failed.workers} 个工作进程，"
                    f"{failed.outcome.seconds:.0f} 秒后出现此错误。",
                ),
            ),
            (no_workers(call, no_workers_crashes(seen)),),
            Evidence(error=f"{failed.outcome.error_type}: {failed.outcome.error}"),
            treated=call.treated,
        )
    )


def tokenizer_threads(facts: Facts, call: Call) -> Check:
    """CPG209: a tokenizer with threads of its own, and fork."""
    assert facts.workers is not None
    assert facts.accelerator is not None
    fast, looked_at = facts.workers.collate.fast, facts.workers.collate.dna_llm
    if looked_at != call.dna_llm:
        return no_fork(facts, call) or another_model(
            Words("tokenizer threads", "分词器的线程"), looked_at, call
        )
    if fast is None:
        return no_fork(facts, call) or unknown(
            Words(
                "tokenizer threads: the tokenizer is not loaded (CPG207)",
                "分词器的线程：分词器没有加载（CPG207）",
            )
        )
    if not fast:
        return ok(
            Words(
                "the tokenizer is plain Python: it starts no threads",
                "分词器是纯 Python 的：不会启动线程",
            )
        )
    if no_fork(facts, call):
        return ok(
            Words(
                "the tokenizer has threads; no worker is forked",
                "分词器带有线程；没有用 fork 启动工作进程",
            )
        )
    value = facts.accelerator.variables.get("TOKENIZERS_PARALLELISM")
    if value is not None:
        return ok(
            Words(
                f"TOKENIZERS_PARALLELISM is {value}: the tokenizer does not warn after a fork",
                f"TOKENIZERS_PARALLELISM 为 {value}：分词器在 fork 之后不会发出警告",
            )
        )
    return found(
        Finding(
            "CPG209",
            Severity.note,
            Words(
                "the tokenizer switches its threads off when workers are forked, and warns",
                "用 fork 启动工作进程时，分词器会关闭自己的线程并发出警告",
            ),
            (
                Words(
                    "The tokenizers library cannot use its threads in a process after a fork.",
                    "tokenizers 库的线程在 fork 之后的进程里无法使用。",
                ),
            ),
            (Remedy("say-it"),),
            treated=call.treated,
        )
    )


def own_dataset(facts: Facts, call: Call) -> Check:
    """CPG210: a dataset of the user's, with --dataset."""
    own, failure = facts.own_dataset, facts.failure("own_dataset")
    if failure is not None:
        how = ending(failure)
        return unknown(
            Words(
                f"your own dataset: its probe ended: {how.en}",
                f"你自己的数据集：它的探测程序异常结束（{how.zh}）",
            )
        )
    if own is None:
        return skipped(
            Words(
                "your own dataset: named with --dataset",
                "你自己的数据集：用 --dataset 指定",
            )
        )
    if not own.outcome.ok or own.anatomy is None:
        return found(gives_no_dataset(own, call))
    if items_raise(own):
        return found(has_no_items(own, call))
    findings = []
    culprits = own.anatomy.culprits
    failed = start_problem(own.starts, call.start_method)
    error = f"{failed.outcome.error_type}: {failed.outcome.error}" if failed else None
    if call.num_workers and call.start_method in PICKLING and (culprits or failed):
        findings.append(
            fault(
                own,
                call,
                Words(
                    f"workers cannot be given this dataset with {call.start_method}",
                    f"用 {call.start_method} 无法把这个数据集交给工作进程",
                ),
                Words(
                    "DataLoader pickles it for each worker, and each worker loads it again.",
                    "DataLoader 为每个工作进程 pickle 它，每个工作进程再把它加载出来。",
                ),
                Evidence(error=error or culprits[0].error, culprits=culprits),
                "open-in-each-worker",
            )
        )
    elif call.num_workers and failed:
        findings.append(
            fault(
                own,
                call,
                do_not_start(call.start_method),
                Words("They were started, and this happened.", "试着启动工作进程时出现此错误。"),
                Evidence(error=error),
                "without-workers",
            )
        )
    if call.num_workers and call.start_method == "fork" and own.moved:
        findings.append(shares_positions(own, call))
    if findings:
        return found(*findings)
    reason = not_shown_safe(own, call)
    if reason is not None:
        return unknown(Words(f"{own.name}: {reason.en}", f"{own.name}：{reason.zh}"))
    if not call.num_workers:
        return ok(
            Words(
                f"{own.name}: no worker is asked for, so nothing is sent or shared",
                f"{own.name}：没有要求工作进程，所以不发送也不共用任何东西",
            )
        )
    size = own.anatomy.size
    more = Words("", "")
    if size is not None:
        more = Words(f", {size} bytes to each worker", f"，发给每个工作进程 {size} 字节")
    return ok(
        Words(
            f"{own.name} is safe with {call.start_method}{more.en}",
            f"{own.name} 用 {call.start_method} 是安全的{more.zh}",
        )
    )


def not_shown_safe(own: OwnDataset, call: Call) -> Words | None:
    """What is open about a dataset in which no fault was seen."""
    if not call.num_workers:
        return no_item_was_read(own)
    if call.start_method not in [each.start_method for each in own.starts]:
        return Words(
            f"workers were not started with {call.start_method}",
            f"没有用 {call.start_method} 启动过工作进程",
        )
    return proves_nothing(own.forked) if call.start_method == "fork" else None


def no_item_was_read(own: OwnDataset) -> Words | None:
    """Why nobody saw an item of it; None where somebody did."""
    forked = own.forked
    if forked is not None and (forked.ended != "well" or not forked.items):
        return proves_nothing(forked)
    if forked is None and own.starts and not any(each.outcome.ok for each in own.starts):
        outcome = own.starts[0].outcome
        return Words(
            f"no item of it was read: every start of workers failed ({outcome.error_type})",
            f"没有读到它的任何一项：每次启动工作进程都失败了（{outcome.error_type}）",
        )
    return None


def items_raise(own: OwnDataset) -> bool:
    """Whether reading items raises by itself: in every process, and with nothing unpicklable."""
    return (
        own.forked is not None
        and own.forked.ended == "raised"
        and own.anatomy is not None
        and not own.anatomy.culprits
        and not any(each.outcome.ok for each in own.starts)
    )


def fault(
    own: OwnDataset,
    call: Call,
    title: Words,
    cause: Words,
    evidence: Evidence,
    remedy: str,
    level: Severity = Severity.error,
) -> Finding:
    """CPG210: what is wrong with the user's dataset."""
    workers = workers_asked(call) if call.num_workers else ()
    return Finding(
        "CPG210",
        level,
        Words(f"{own.name}: {title.en}", f"{own.name}：{title.zh}"),
        (cause,),
        (Remedy(remedy),),
        evidence,
        Location(own.name),
        values=(("dataset", same(own.name)), *workers),
    )


def has_no_items(own: OwnDataset, call: Call) -> Finding:
    return fault(
        own,
        call,
        Words("reading its items raises", "读取其中的项时抛出异常"),
        Words(
            "Its first, middle and last item were asked for, and workers were started on it;"
            " each time it raised.",
            "试着读取它的首项、中间项和末项，并在它上面启动工作进程，每次都抛出异常。",
        ),
        Evidence(error=own.forked.detail if own.forked else None),
        "mend-items",
    )


def gives_no_dataset(own: OwnDataset, call: Call) -> Finding:
    return fault(
        own,
        call,
        Words("it gives no dataset", "没有给出数据集"),
        Words("It was imported and called without arguments.", "已导入它，并不带参数地调用。"),
        Evidence(error=f"{own.outcome.error_type}: {own.outcome.error}"),
        "callable",
    )


def shares_positions(own: OwnDataset, call: Call) -> Finding:
    """Forked workers move each other's positions in this dataset's files; one alone does not."""
    return fault(
        own,
        call,
        Words(
            "forked workers share the position of an open file",
            "fork 出的工作进程共用一个已打开文件的读取位置",
        ),
        Words(
            "After a child's read, this process's own position in the file had moved, so"
            " workers that read at once get each other's bytes.",
            "子进程读取之后，本进程在该文件中的位置也移动了；因此同时读取的工作进程会拿到"
            "彼此的字节。",
        ),
        Evidence(seen=moved_positions(own.moved or ())),
        "open-in-each-worker",
        Severity.note if call.num_workers == 1 else Severity.error,
    )


RULES = (
    Rule(
        "CPG205",
        Words("CpGPT's data module", "CpGPT 的数据模块"),
        deep_objects,
        ("workers",),
        asked_by="--deep",
    ),
    Rule(
        "CPG207",
        Words("the collate function", "collate 函数"),
        collate_pickles,
        ("python", "examined", "workers"),
        untried=collate_not_needed,
    ),
    Rule(
        "CPG208",
        Words("starting workers", "启动工作进程"),
        workers_start,
        ("python", "examined", "workers"),
        untried=starts_none,
    ),
    Rule(
        "CPG209",
        Words("tokenizer threads", "分词器的线程"),
        tokenizer_threads,
        ("python", "accelerator", "workers"),
        untried=no_fork,
    ),
    Rule(
        "CPG210", Words("your own dataset", "你自己的数据集"), own_dataset, (), asked_by="--dataset"
    ),
)
