"""CPG104 to 106 and CPG307: what workers, model and batch take of this machine.

Nothing here is guessed: what is reckoned is the least that is needed, from the files of the model
and from the settings of CpGPT's DataLoader, and benchmarks/worker_resources.py and
benchmarks/model_memory.py hold it against what is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from cpgpt_doctor.rules.environment.workers import falls_back
from cpgpt_doctor.rules.rule import Rule, examined, severity
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts, RemoteCode
    from cpgpt_doctor.intent import Call

PAGE = 4096  # bytes; shared memory is given out in pages
TENSORS = 2  # that a batch of CpGPT has: input_ids and attention_mask
INTEGER = 8  # bytes of an element of them
# Those of the queues of a DataLoader, measured; each takes a page.
SEMAPHORES, SEMAPHORES_A_WORKER = 8, 3
FLOAT = 4  # bytes of an element of the model's hidden states
PREFETCHED = 2  # batches that each worker may have waiting: CpGPT's prefetch_factor
# Tokens of a window of 2,000 bases with CpGPT's default model, padded as from 0.0.8.
USUAL_TOKENS = 384
# Descriptors of the main process, measured: those that were open before there was a loader, and for
# each worker its pipes and the tensors that wait.
OPEN_BEFORE = 40
A_WORKER = 7


def open_files_needed(workers: int) -> int:
    """Files that the main process may have open at a time."""
    return OPEN_BEFORE + A_WORKER * workers


def shared_memory_needed(workers: int, batch_size: int, tokens: int) -> int:
    """Bytes of shared memory in use where all batches that may wait do.

    Two more are alive at a time: the one that is handed over, and the one that the loop still
    holds. Without the latter it was seldom too little, and once it was.
    """
    a_tensor = -(-batch_size * tokens * INTEGER // PAGE) * PAGE
    semaphores = (SEMAPHORES + SEMAPHORES_A_WORKER * workers) * PAGE
    return (workers * PREFETCHED + 2) * TENSORS * a_tensor + semaphores


def model_memory_needed(weights: int, batch_size: int, tokens: int, layers: int, width: int) -> int:
    """The least bytes for a batch: the weights, and the hidden states of all layers, kept at once.

    CpGPT asks its model for all hidden states (output_hidden_states=True).
    """
    return weights + batch_size * tokens * (layers + 1) * width * FLOAT


def size(count: int) -> Words:
    """Bytes in a unit that shows them with two or three figures."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 10 << power or power == 10:
            return same(f"{count / (1 << power):,.0f} {unit}")
        if count >= 1 << power:
            return same(f"{count / (1 << power):.1f} {unit}")
    raise AssertionError("KiB is the last")


def workers_of(facts: Facts, call: Call) -> int:
    """Workers that the call really starts, as far as its trial tells."""
    seen = facts.embedder.examined if facts.embedder else None
    fallen = seen is not None and not seen.missing_seams and falls_back(seen, call)
    return 0 if fallen else call.num_workers


def window_tokens(facts: Facts) -> int:
    """Tokens of a plain window, as CpGPT's collate function made them here, or the usual ones."""
    seen = facts.embedder.examined if facts.embedder else None
    windows = seen.batch.windows if seen and seen.batch else ()
    return next((each.alone for each in windows if each.kind == "plain"), USUAL_TOKENS)


NO_WORKERS = Words("no workers are started", "不启动工作进程")


def shared_memory(facts: Facts, call: Call) -> Check:
    """CPG104: batches go from workers to the main process through /dev/shm, on Linux."""
    assert facts.host is not None
    place, workers = facts.host.shared_memory, workers_of(facts, call)
    if not workers:
        return ok(Words(f"/dev/shm: {NO_WORKERS.en}", f"/dev/shm：{NO_WORKERS.zh}"))
    if place is None:
        return skipped(Words("/dev/shm: there is none here", "/dev/shm：这里没有"))
    tokens = window_tokens(facts)
    needed = shared_memory_needed(workers, call.batch_size, tokens)
    if needed <= place.free:
        return ok(
            Words(
                f"/dev/shm has {size(place.free).en} free; {workers} workers need"
                f" {size(needed).en}",
                f"/dev/shm 剩余 {size(place.free).zh}；{workers} 个工作进程需要 {size(needed).zh}",
            )
        )
    return found(
        Finding(
            "CPG104",
            severity(call, Severity.warning),
            Words(
                f"/dev/shm is too small for {workers} workers: {size(place.free).en} free,"
                f" {size(needed).en} needed",
                f"/dev/shm 太小，不够 {workers} 个工作进程用：剩余 {size(place.free).zh}，"
                f"需要 {size(needed).zh}",
            ),
            (
                Words(
                    "Workers hand their batches over in shared memory: on Linux, files in"
                    " /dev/shm.",
                    "工作进程通过共享内存交付批次；在 Linux 上就是 /dev/shm 里的文件。",
                ),
                Words(
                    f"Each may have {PREFETCHED} batches of {call.batch_size} windows waiting, with"
                    f" {TENSORS * INTEGER} bytes for each of {tokens} tokens.",
                    f"每个工作进程最多有 {PREFETCHED} 个批次在等待，每批 {call.batch_size} 个窗口，"
                    f"每个窗口 {tokens} 个 token，每个 token 占 {TENSORS * INTEGER} 字节。",
                ),
                *(
                    (
                        Words(
                            "This is a container: Docker gives one 64 MiB unless told otherwise.",
                            "这是一个容器：不另行指定时，Docker 只给 64 MiB。",
                        ),
                    )
                    if facts.host.container
                    else ()
                ),
            ),
            (
                Remedy("main-process", "CPG705", (("workers", same(str(workers))),)),
                *([Remedy("more-shared-memory", "CPG705")] if facts.host.container else []),
            ),
            Evidence(
                seen=(
                    (Words("size of /dev/shm", "/dev/shm 的大小"), size(place.total)),
                    (Words("free", "剩余"), size(place.free)),
                    (Words("needed", "需要"), size(needed)),
                )
            ),
            treated=call.treated,
        )
    )


def open_files(facts: Facts, call: Call) -> Check:
    """CPG105: workers and what waits of their batches keep files open in the main process."""
    assert facts.host is not None
    limit, workers = facts.host.open_files_soft, workers_of(facts, call)
    if not workers:
        return ok(Words(f"open files: {NO_WORKERS.en}", f"打开文件数：{NO_WORKERS.zh}"))
    needed = open_files_needed(workers)
    if limit is None:
        return ok(Words("open files: no limit is known", "打开文件数：没有已知的上限"))
    if limit >= needed:
        return ok(
            Words(
                f"{limit:,} open files are allowed; {workers} workers need up to {needed}",
                f"允许打开 {limit:,} 个文件；{workers} 个工作进程最多需要 {needed} 个",
            )
        )
    highest = facts.host.open_files_hard
    raised = highest is None or highest >= needed
    return found(
        Finding(
            "CPG105",
            severity(call, Severity.warning),
            Words(
                f"only {limit} open files are allowed; {workers} workers need up to {needed}",
                f"只允许打开 {limit} 个文件；{workers} 个工作进程最多需要 {needed} 个",
            ),
            (
                Words(
                    f"The main process keeps up to {A_WORKER} files open for each worker: its"
                    " pipes, and the shared memory of batches that wait.",
                    f"主进程为每个工作进程最多打开 {A_WORKER} 个文件：管道，以及等待中的批次所占的"
                    "共享内存。",
                ),
                Words(
                    "Where the limit is reached, the call ends with “Too many open files”.",
                    "一旦达到上限，调用就会以 “Too many open files” 报错结束。",
                ),
            ),
            (
                Remedy("main-process", "CPG706", (("workers", same(str(workers))),)),
                Remedy("raise-limit", "CPG706")
                if raised
                else Remedy("file-system-sharing", "CPG706"),
            ),
            Evidence(
                seen=(
                    (Words("allowed", "允许"), same(str(limit))),
                    (
                        Words("can be raised to", "可提高到"),
                        Words("any number", "不限") if highest is None else same(str(highest)),
                    ),
                    (Words("needed", "需要"), same(str(needed))),
                )
            ),
            treated=call.treated,
        )
    )


def model_of(facts: Facts, call: Call) -> RemoteCode | None:
    """The chosen model in the cache, where its weights are there."""
    codes = (each for each in examined(facts).remote_code if each.dna_llm == call.dna_llm)
    return next((each for each in codes if each.weights is not None), None)


def needed_for(model: RemoteCode, facts: Facts, call: Call) -> int:
    """The least bytes for the model and a batch of the call."""
    assert model.weights is not None
    layers = -1 if model.layers is None or model.width is None else model.layers
    return model_memory_needed(
        model.weights, call.batch_size, window_tokens(facts), layers, model.width or 0
    )


def size_unknown(what: Words, call: Call) -> Check:
    """There is nothing to reckon with, as before a model's first download."""
    return skipped(
        Words(
            f"{what.en}: the weights of {call.dna_llm} are not in the cache, so their size is not"
            " known",
            f"{what.zh}：缓存中没有 {call.dna_llm} 的权重，大小未知",
        )
    )


def too_small(
    code: str,
    model: RemoteCode,
    facts: Facts,
    call: Call,
    *,
    there: int,
    title: Words,
    cause: Words,
    others: tuple[Remedy, ...],
) -> Finding:
    """Memory of `there` bytes does not hold model and batch; a smaller batch may be held.

    others: remedies beside a smaller batch, of the page that has that one, too.
    """
    assert model.weights is not None
    needed = needed_for(model, facts, call)
    a_window = (needed - model.weights) // call.batch_size
    fitting = max(0, (there - model.weights) // a_window) if a_window else 0
    helps = bool(fitting)
    batches = (("batch", same(str(call.batch_size))), ("smaller", same(str(fitting))))
    smaller = Remedy("smaller-batch", others[0].page, batches)
    return Finding(
        code,
        severity(call, Severity.warning) if helps else Severity.warning,
        title,
        (
            Words(
                f"The weights take {size(model.weights).en}, and each window of a batch at least"
                f" {size(a_window).en}: CpGPT asks for the"
                " hidden states of all layers.",
                f"权重占 {size(model.weights).zh}，批次中每个窗口至少再占"
                f" {size(a_window).zh}：CpGPT 要求模型返回"
                "所有层的隐藏状态。",
            ),
            cause,
        ),
        (*([smaller] if helps else []), *others),
        Evidence(
            seen=(
                (Words("weights", "权重"), size(model.weights)),
                (Words("needed at least", "至少需要"), size(needed)),
                (Words("there", "现有"), size(there)),
            )
        ),
        treated=call.treated and helps,
    )


MEMORY = Words("memory for model and batch", "模型和批次所需的内存")
GPU_MEMORY = Words("GPU memory for model and batch", "模型和批次所需的 GPU 显存")


def memory(facts: Facts, call: Call) -> Check:
    """CPG106: memory for model and batch, where the CPU computes."""
    assert facts.host is not None
    torch = facts.accelerator.torch if facts.accelerator else None
    if torch is not None and torch.cuda_available:
        return skipped(
            Words(
                f"{MEMORY.en}: the GPU computes (CPG307)",
                f"{MEMORY.zh}：由显卡（GPU）计算（CPG307）",
            )
        )
    known = (facts.host.memory_available, facts.host.memory_limit)
    amounts = [each for each in known if each is not None]
    model = model_of(facts, call)
    if model is None:
        return size_unknown(MEMORY, call)
    if not amounts:
        return unknown(
            Words(f"{MEMORY.en}: how much there is is not known", f"{MEMORY.zh}：现有多少未知")
        )
    there, needed = min(amounts), needed_for(model, facts, call)
    if needed <= there:
        return ok(
            Words(
                f"memory: {size(there).en} are there; model and batch need at least"
                f" {size(needed).en}",
                f"内存：现有 {size(there).zh}；模型和批次至少需要 {size(needed).zh}",
            )
        )
    return found(
        too_small(
            "CPG106", model, facts, call, there=there,
            title=Words(
                f"memory is too small for this model with batch_size={call.batch_size}:"
                f" {size(there).en}, at least {size(needed).en} needed",
                f"内存不够用：batch_size={call.batch_size} 时这个模型至少需要 {size(needed).zh}，"
                f"现有 {size(there).zh}",
            ),
            cause=Words(
                "Linux then ends the process (“Killed”), or it swaps and hardly gets on.",
                "这时 Linux 会终止进程（“Killed”），或者大量使用交换分区，几乎没有进展。",
            ),
            others=(Remedy("more-memory", "CPG707"), Remedy("smaller-model", "CPG707")),
        )
    )  # fmt: skip


def gpu_memory(facts: Facts, call: Call) -> Check:
    """CPG307: memory of the first CUDA device, which is the one that CpGPT takes."""
    torch = facts.accelerator.torch if facts.accelerator else None
    if torch is None or not torch.devices:
        return skipped(
            Words(
                f"{GPU_MEMORY.en}: torch has no CUDA device",
                f"{GPU_MEMORY.zh}：torch 没有可用的 CUDA 设备",
            )
        )
    model = model_of(facts, call)
    if model is None:
        return size_unknown(GPU_MEMORY, call)
    device, needed = torch.devices[0], needed_for(model, facts, call)
    if needed <= device.memory:
        return ok(
            Words(
                f"{device.name} has {size(device.memory).en}; model and batch need at least"
                f" {size(needed).en}",
                f"{device.name} 有 {size(device.memory).zh} 显存；模型和批次至少需要"
                f" {size(needed).zh}",
            )
        )
    return found(
        too_small(
            "CPG307", model, facts, call, there=device.memory,
            title=Words(
                f"{device.name} has too little memory for this model with"
                f" batch_size={call.batch_size}: {size(device.memory).en}, at least"
                f" {size(needed).en} needed",
                f"{device.name} 的显存不够用：batch_size={call.batch_size} 时这个模型至少需要"
                f" {size(needed).zh}，而它只有 {size(device.memory).zh}",
            ),
            cause=Words(
                "The call ends with “CUDA out of memory”.",
                "调用会以 “CUDA out of memory” 报错结束。",
            ),
            others=(Remedy("other-card", "CPG709"), Remedy("cpu", "CPG709")),
        )
    )  # fmt: skip


RULES = (
    Rule("CPG104", Words("shared memory", "共享内存"), shared_memory, ("host",)),
    Rule("CPG105", Words("the limit of open files", "打开文件数上限"), open_files, ("host",)),
    Rule("CPG106", MEMORY, memory, ("host", "examined")),
    Rule("CPG307", GPU_MEMORY, gpu_memory, ("torch", "examined")),
)
