"""CPG7xx: what is said of each failure; the pages say more, and the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cpgpt_doctor.findings import InlineRemedy as Remedy
from cpgpt_doctor.rules.releases import OTHER_ROWS
from cpgpt_doctor.rules.workers import NO_WORKERS, RUN_EMBED
from cpgpt_doctor.words import Words

EXPLAIN = "cpgpt-doctor explain --log FILE"


@dataclass(frozen=True)
class Told:
    """gone: the text that a new log must not hold."""

    title: Words
    causes: tuple[Words, ...]
    remedies: tuple[Remedy, ...]
    gone: str
    verify: tuple[str, ...] = (EXPLAIN,)


# Names of what the wordings of errors tell.
LABELS: dict[str, Words] = {
    "object": Words("object", "对象"),
    "objects": Words("object", "对象"),
    "older": Words("object", "对象"),
    "oldest": Words("object", "对象"),
    "local": Words("object", "对象"),
    "named": Words("object", "对象"),
    "signal": Words("signal", "信号"),
    "asked": Words("asked for", "请求大小"),
    "limit": Words("limit", "上限"),
    "card": Words("memory of the card", "显存总量"),
    "older_card": Words("memory of the card", "显存总量"),
    "command": Words("command", "命令"),
    "repository": Words("asked for", "请求的名字"),
    "file": Words("file", "文件"),
    "species": Words("species", "物种"),
    "model": Words("model", "模型"),
    "key": Words("name", "名字"),
    "name": Words("name", "名字"),
    "gpu": Words("GPU", "GPU"),
    "capability": Words("capability", "计算能力"),
    "sequence": Words("names", "序列名"),
    "reason": Words("reason", "原因"),
}


def expected(code: str) -> Words:
    """What the verification then shows."""
    gone = TOLD[code].gone
    return Words(
        f"FILE is the log of the new run: {code} is no longer named, and “{gone}” no longer stands"
        " in it.",
        f"FILE 是新一次运行的日志：其中不再报告 {code}，也不再出现 “{gone}”。",
    )


def preferred(code: str, error: str, *, through_cpgpt: bool) -> tuple[Remedy, ...]:
    """The remedies, with the one first that fits this error best."""
    remedies = TOLD[code].remedies
    first = 0
    if code in ("CPG701", "CPG702") and not through_cpgpt:
        first = 1  # a DataLoader of the user's own
    elif code == "CPG712" and re.search(r"gated|\b40[13]\b", error):
        first = 3
    elif code == "CPG714" and error.startswith("KeyError") and MODEL.search(error):
        first = 2
    elif code == "CPG714" and MODEL.search(error):
        first = 1
    return (remedies[first], *remedies[:first], *remedies[first + 1 :])


MODEL = re.compile(r"dna_llm|DNA LLM|DNA language model|nucleotide-|NTv3|DNABERT|hyenadna")

CPGPT_CALL = "embedder.parse_dna_embeddings(locations, species, num_workers={})"
UP_TO_7 = Words(
    "CpGPT up to 0.0.7 then stops with an error about prefetch_factor: CPG702.",
    "CpGPT 0.0.7 及以前的版本接着会报一个与 prefetch_factor 有关的错：见 CPG702。",
)
RIGHT_ANYWAY = Words(
    "Right for CpGPT's embedder in any case (CPG201, CPG202); run-embed does so by default.",
    "对 CpGPT 的 embedder 来说，本来就应该这样设置（CPG201、CPG202）；run-embed 默认就是如此。",
)


def main_process(why: Words, workers: int = 8) -> Remedy:
    return Remedy(
        "recommended",
        Words(
            "Load in the main process, with num_workers=0",
            "在主进程中加载，即 num_workers=0",
        ),
        why,
        before=CPGPT_CALL.format(workers),
        after=NO_WORKERS,
        drawbacks=(UP_TO_7,),
    )


FORK = Remedy(
    "not-recommended",
    Words("Start workers with fork", "用 fork 启动工作进程"),
    Words("It trades a crash for wrong rows.", "这是拿“崩溃”换“结果出错”。"),
    after='import multiprocessing\n\nmultiprocessing.set_start_method("fork", force=True)',
    warning=Words(
        "CpGPT's forked workers share one position in the genome file and read wrong windows,"
        " without an error (CPG202).",
        "CpGPT 的 fork 工作进程共用基因组文件的同一个读取位置，会读错窗口，而且没有任何报错"
        "（CPG202）。",
    ),
)
RELEASE_8 = Words(
    "Each release has its own range of torch versions, so pip may change torch too.",
    "每个版本要求的 torch 版本范围不同，pip 可能会连 torch 一起更换。",
)
KEPT = Words(
    "run-embed keeps finished parts: started again, it goes on where it was.",
    "run-embed 会保留已完成的部分：重新启动后从中断处继续。",
)
MEMORY_OF_A_BATCH = Words(
    "The intermediate results grow with batch_size and with the tokens of the longest window in"
    " it: CpGPT pads every window of a batch to that one, and a window of N has six times as many"
    " tokens.",
    "中间结果随 batch_size 增长，也随批次中最长窗口的 token 数增长："
    "CpGPT 会把批次里的每个窗口都补齐"
    "到最长的那个，而全 N 窗口的 token 数是普通窗口的六倍。",
)

WORKER_STARTS = {
    "CPG701": Told(
        Words(
            "Something that a worker needs cannot be pickled",
            "发给工作进程的对象无法被 pickle",
        ),
        (
            Words(
                "The start method is spawn or forkserver (macOS, Windows, Linux from Python 3.14):"
                " a worker is a new process with none of your objects.",
                "启动方式是 spawn 或 forkserver（macOS、Windows、Python 3.14 起的 Linux）：工作进程"
                "是全新的进程，里面没有你的任何对象。",
            ),
            Words(
                "What it needs is pickled to be sent there; for DataLoader these are the dataset,"
                " the collate function and worker_init_fn.",
                "它需要的东西要先 pickle 再发送过去；对 DataLoader 来说，就是数据集、collate 函数和"
                " worker_init_fn。",
            ),
            Words(
                "Open files, locks, database connections and generators belong to one process, and"
                " a lambda or an inner function has no name that a worker could import.",
                "打开的文件、锁、数据库连接和生成器只属于一个进程；lambda 和函数内部定义的函数没有"
                "可供工作进程导入的名字。",
            ),
            Words(
                "The error names the first object that fails: mending it can uncover the next.",
                "报错只提到最先失败的那个对象，修好它可能会露出下一个。",
            ),
        ),
        (
            main_process(
                Words(
                    "Nothing is sent, so nothing has to be pickled. Right for CpGPT's embedder,"
                    " whose dataset holds four such objects (CPG201).",
                    "什么都不用发送，也就不需要 pickle。对 CpGPT 的 embedder 来说这就是正解：它的"
                    "数据集里有四个这样的对象（CPG201）。",
                ),
                4,
            ),
            Remedy(
                "recommended",
                Words(
                    "Give what is sent a name, in a module",
                    "让要发送的东西在模块里有名字",
                ),
                Words(
                    "Right for a dataset or a collate function of your own: def it at the top of a"
                    " module, use functools.partial for arguments, and open files in the worker,"
                    " at the first use.",
                    "适合你自己的数据集或 collate 函数：在模块顶层用 def 定义函数，需要带参数时用"
                    " functools.partial，文件则等到工作进程第一次用到时再打开。",
                ),
                drawbacks=(
                    Words(
                        "From a notebook, put functions and classes into a .py file and import"
                        " them.",
                        "如果写在 notebook 里，请把函数和类移到 .py 文件中再导入。",
                    ),
                ),
            ),
            FORK,
        ),
        "pickle",
        ("cpgpt-doctor check --num-workers 0", EXPLAIN),
    ),
    "CPG702": Told(
        Words("prefetch_factor without workers", "没有工作进程却设置了 prefetch_factor"),
        (
            Words(
                "prefetch_factor is the number of batches that each worker loads ahead; with"
                " num_workers=0 PyTorch accepts only None.",
                "prefetch_factor 是每个工作进程预先加载的批次数；num_workers=0 时 PyTorch 只接受"
                " None。",
            ),
            Words(
                "CpGPT up to 0.0.7 passes prefetch_factor=2 whatever the number of workers.",
                "CpGPT 0.0.7 及以前的版本，不管有几个工作进程，一律传入 prefetch_factor=2。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words(
                    "Let run-embed set workers and prefetch_factor together",
                    "交给 run-embed，同时设好工作进程和 prefetch_factor",
                ),
                Words(
                    "It works with every release of CpGPT and needs no change of your environment.",
                    "适用于所有 CpGPT 版本，也不需要改动你的环境。",
                ),
                commands=(RUN_EMBED,),
            ),
            Remedy(
                "recommended",
                Words(
                    "In your own DataLoader, set it with workers only",
                    "在自己的 DataLoader 中，只在有工作进程时设置",
                ),
                Words(
                    "None leaves PyTorch its default: 2 with workers, nothing without.",
                    "None 表示用 PyTorch 的默认值：有工作进程时为 2，没有时不设置。",
                ),
                before="from torch.utils.data import DataLoader\n\nnum_workers = 0\n"
                "DataLoader([1], num_workers=num_workers, prefetch_factor=2)",
                after="from torch.utils.data import DataLoader\n\nnum_workers = 0\n"
                "DataLoader([1], num_workers=num_workers,"
                " prefetch_factor=2 if num_workers > 0 else None)",
            ),
            Remedy(
                "possible",
                Words("Take CpGPT 0.0.8 or later", "升级到 CpGPT 0.0.8 或更高版本"),
                Words(
                    "It sets prefetch_factor with workers only. Where another release is not"
                    " wanted, CPG203 has a wrapper that takes it away.",
                    "新版本只在有工作进程时才设置 prefetch_factor。如果不想换版本，CPG203 给出了"
                    "一个能去掉它的包装写法。",
                ),
                commands=("pip install --upgrade 'CpGPT>=0.0.8'",),
                drawbacks=(OTHER_ROWS, RELEASE_8),
            ),
        ),
        "prefetch_factor option",
        ("cpgpt-doctor check --num-workers 0", EXPLAIN),
    ),
    "CPG703": Told(
        Words("persistent_workers without workers", "没有工作进程却设置了 persistent_workers"),
        (
            Words(
                "persistent_workers=True keeps worker processes alive after the dataset has been"
                " read once; with num_workers=0 there is nothing to keep.",
                "persistent_workers=True 的作用，是数据集读完一遍之后不结束工作进程；num_workers=0"
                " 时没有东西可以保留。",
            ),
            Words(
                "CpGPT's embedder asks for it only with workers: look in code of your own.",
                "CpGPT 的 embedder 只在有工作进程时才要求保留：请在你自己的代码里找。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Make it depend on num_workers", "让它由 num_workers 决定"),
                Words(
                    "Do the same for prefetch_factor, which PyTorch refuses in the same way"
                    " (CPG702).",
                    "prefetch_factor 也要照此处理，PyTorch 会以同样的方式拒绝它（CPG702）。",
                ),
                before="from torch.utils.data import DataLoader\n\nnum_workers = 0\n"
                "DataLoader([1], num_workers=num_workers, persistent_workers=True)",
                after="from torch.utils.data import DataLoader\n\nnum_workers = 0\n"
                "DataLoader([1], num_workers=num_workers, persistent_workers=num_workers > 0)",
            ),
            Remedy(
                "possible",
                Words("Leave the argument out", "去掉这个参数"),
                Words(
                    "Enough where the data is read once, as in an embedding run.",
                    "数据只读一遍的场合（例如一次嵌入运行），这样就够了。",
                ),
                before="DataLoader(dataset, num_workers=0, persistent_workers=True)",
                after="DataLoader(dataset, num_workers=0)",
            ),
        ),
        "persistent_workers option",
    ),
    "CPG704": Told(
        Words("A DataLoader worker was killed or ended", "DataLoader 的工作进程被杀死或意外退出"),
        (
            Words(
                "One of the processes that load data is gone; PyTorch learns of it only"
                " afterwards, and cannot know why.",
                "一个负责加载数据的进程没了；PyTorch 事后才得知，不可能知道为什么。",
            ),
            Words(
                "Killed is most often memory (CPG707), Segmentation fault a crash in a native"
                " library, Terminated a time limit or a scheduler.",
                "Killed 多半是内存不足（CPG707），Segmentation fault 是某个原生库崩溃，Terminated"
                " 是时间限制或调度系统。",
            ),
            Words(
                "For a plain exit code 1 the reason is an earlier traceback in the log.",
                "如果只是 exit code 1，原因就在日志里更早的一段 traceback 中。",
            ),
        ),
        (
            main_process(
                Words(
                    "No worker, so none can die, less memory is used, and an error in the code"
                    " shows with its whole traceback.",
                    "没有工作进程，自然不会有工作进程死掉，占用的内存也更少；如果是代码里的错误，"
                    "现在就能看到完整的 traceback。",
                )
            ),
            Remedy(
                "recommended",
                Words(
                    "Let run-embed go on without workers",
                    "交给 run-embed，不用工作进程继续运行",
                ),
                Words(
                    "It has no workers by default, goes on without them after one died, and keeps"
                    " finished parts.",
                    "它默认不使用工作进程；有工作进程死掉之后会改为不用工作进程继续，已完成的部分会"
                    "保留。",
                ),
                commands=(RUN_EMBED,),
            ),
            Remedy(
                "possible",
                Words("Find out who killed the worker", "查清是谁杀死了工作进程"),
                Words(
                    "Worth it where workers are really needed, for a dataset of your own. In a"
                    " batch job ask the scheduler.",
                    "只有你自己的数据集确实需要工作进程时，才值得这样查。在批处理作业里请问调度"
                    "系统。",
                ),
                commands=(
                    "sudo dmesg | grep -i -E 'killed process|out of memory|segfault'",
                    "free -h",
                    "df -h /dev/shm",
                ),
            ),
        ),
        "DataLoader worker",
        ("cpgpt-doctor check --num-workers 0", EXPLAIN),
    ),
    "CPG705": Told(
        Words("Not enough shared memory for workers", "工作进程的共享内存不足"),
        (
            Words(
                "Workers hand their batches over in shared memory, on Linux the file system"
                " /dev/shm, which has a size of its own.",
                "工作进程通过共享内存交出批次；在 Linux 上它是文件系统 /dev/shm，有自己的大小。",
            ),
            Words(
                "Docker gives a container 64 MB of it, if no size is named.",
                "如果不指定，Docker 只给容器 64 MB。",
            ),
            Words(
                "CpGPT's own batches are small: if they do not fit, something else fills /dev/shm.",
                "CpGPT 自己的批次很小：如果连这都放不下，说明是别的东西占满了 /dev/shm。",
            ),
        ),
        (
            main_process(
                Words(
                    f"No shared memory is used at all. {RIGHT_ANYWAY.en}",
                    f"完全不使用共享内存。{RIGHT_ANYWAY.zh}",
                )
            ),
            Remedy(
                "possible",
                Words("Give the container more", "给容器更多共享内存"),
                Words(
                    "Right for a dataset of your own whose batches are large, such as images.",
                    "适合你自己的、批次很大的数据集，例如图像。",
                ),
                commands=("docker run --shm-size=2g IMAGE",),
            ),
            Remedy(
                "possible",
                Words("Fewer and smaller batches ahead", "减少预加载的批次，缩小批次"),
                Words(
                    "For your own loaders on a shared machine: it needs no right to change the"
                    " machine.",
                    "适合在共用机器上运行你自己的加载器：不需要改动机器的权限。",
                ),
                before="DataLoader(dataset, batch_size=64, num_workers=8)",
                after="DataLoader(dataset, batch_size=16, num_workers=2, prefetch_factor=1)",
            ),
        ),
        "shared memory",
        ("df -h /dev/shm", EXPLAIN),
    ),
    "CPG706": Told(
        Words("Too many open files", "打开的文件太多"),
        (
            Words(
                "Each process has a limit of open files; ulimit -n shows it.",
                "每个进程能打开的文件数都有上限，可用 ulimit -n 查看。",
            ),
            Words(
                "On Linux, a tensor that came from a worker keeps a file descriptor for as long as"
                " it lives; batches that are kept in a list keep them all.",
                "在 Linux 上，从工作进程收到的张量只要还存在，就一直占着一个文件描述符；把批次都"
                "收进列表，描述符就全被占住。",
            ),
            Words(
                "CpGPT's embedder keeps no batch: with it the limit is very low, or something else"
                " in the process holds files open.",
                "CpGPT 的 embedder 不会保留批次：用它时碰到这个错，说明上限非常低，或者进程里有别的"
                "代码打开了很多文件。",
            ),
        ),
        (
            main_process(
                Words(
                    f"No descriptors are passed at all. {RIGHT_ANYWAY.en}",
                    f"完全不传递描述符。{RIGHT_ANYWAY.zh}",
                )
            ),
            Remedy(
                "recommended",
                Words("Raise the limit", "提高上限"),
                Words(
                    "Right for datasets of your own that need workers. Say it in the same shell,"
                    " or in the job script, before Python is started.",
                    "适合你自己的、确实需要工作进程的数据集。要在同一个 shell 或作业脚本里、启动"
                    " Python 之前执行。",
                ),
                commands=("ulimit -Hn", "ulimit -n 4096"),
            ),
            Remedy(
                "recommended",
                Words("Do not keep the workers' tensors", "不要保留工作进程传来的张量"),
                Words(
                    "A copy lies in ordinary memory and holds no descriptor.",
                    "副本放在普通内存里，不占描述符。",
                ),
                before="batches = [batch for batch in loader]",
                after="batches = [batch.clone() for batch in loader]",
            ),
            Remedy(
                "possible",
                Words("Pass file names instead of descriptors", "用文件名代替描述符"),
                Words(
                    "For machines on which the limit cannot be raised.",
                    "适合无法提高上限的机器。",
                ),
                after="import torch.multiprocessing\n\n"
                'torch.multiprocessing.set_sharing_strategy("file_system")',
                drawbacks=(
                    Words(
                        "When a process is killed, files can stay in /dev/shm (CPG705).",
                        "进程被杀死时，可能会有文件留在 /dev/shm 里（CPG705）。",
                    ),
                ),
            ),
        ),
        "Too many open files",
        ("ulimit -n", EXPLAIN),
    ),
    "CPG710": Told(
        Words("CUDA in a forked worker", "在 fork 出的工作进程中使用 CUDA"),
        (
            Words(
                "On Linux up to Python 3.13, workers are forked: copies of the main process, which"
                " cannot use its connection to the GPU.",
                "在 Python 3.13 及以前的 Linux 上，工作进程是 fork 出来的，也就是主进程的副本，不能"
                "使用主进程与 GPU 的连接。",
            ),
            Words(
                "The dataset, the collate function or worker_init_fn calls CUDA. CpGPT's own never"
                " do: look in code of your own.",
                "数据集、collate 函数或 worker_init_fn 调用了 CUDA。CpGPT 自己的从不这样做：请在你"
                "自己的代码里找。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Keep the GPU out of the workers", "不要在工作进程里使用 GPU"),
                Words(
                    "Workers load and prepare on the CPU; the main process moves the finished"
                    " batch, as CpGPT does.",
                    "工作进程在 CPU 上加载和准备数据，由主进程把做好的批次搬过去，CpGPT 自己也是"
                    "这样做的。",
                ),
                before="def collate(items):\n"
                '    return torch.stack(items).to("cuda")\n\n\n'
                "for batch in DataLoader(dataset, num_workers=4, collate_fn=collate):\n"
                "    model(batch)",
                after="for batch in DataLoader(dataset, num_workers=4, collate_fn=torch.stack,"
                " pin_memory=True):\n"
                '    model(batch.to("cuda", non_blocking=True))',
            ),
            Remedy(
                "recommended",
                Words(
                    "Load in the main process, with num_workers=0",
                    "在主进程中加载，即 num_workers=0",
                ),
                Words(
                    "No second process, and the code may use the GPU where it likes. Right for"
                    " CpGPT's embedder (CPG201, CPG202).",
                    "没有第二个进程，代码可以在任何地方使用 GPU。对 CpGPT 的 embedder 来说就应该这"
                    "样"
                    "（CPG201、CPG202）。",
                ),
                before="DataLoader(dataset, num_workers=4, collate_fn=collate)",
                after="DataLoader(dataset, num_workers=0, collate_fn=collate)",
            ),
            Remedy(
                "possible",
                Words(
                    "The start method spawn, as the message says",
                    "按报错所说，改用 spawn 启动方式",
                ),
                Words(
                    "For a dataset of your own that can be pickled.",
                    "适合你自己的、可以被 pickle 的数据集。",
                ),
                after='DataLoader(dataset, num_workers=4, multiprocessing_context="spawn")',
                drawbacks=(
                    Words(
                        "Everything that is sent to a worker has to be pickled, which CpGPT's"
                        " dataset cannot be (CPG201).",
                        "发送给工作进程的一切都要能被 pickle，而 CpGPT 的数据集不能（CPG201）。",
                    ),
                ),
            ),
        ),
        "Cannot re-initialize CUDA",
    ),
    "CPG711": Told(
        Words("The script has no __main__ guard", "脚本缺少 __main__ 保护"),
        (
            Words(
                "The start method is spawn or forkserver: a worker is a new Python process, and it"
                " imports the main script.",
                "启动方式是 spawn 或 forkserver：工作进程是一个全新的 Python 进程，"
                "它会导入主脚本。",
            ),
            Words(
                "Importing runs everything that is not inside a function or a guard, so the worker"
                " itself tries to start workers, before it is ready.",
                "导入时，凡是不在函数里、也没有保护的代码都会执行，于是工作进程自己还没准备好，就又"
                "去启动工作进程。",
            ),
            Words(
                "The main process then reports only that the worker is gone.",
                "主进程随后只会报告工作进程没了。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Put the work under a guard", "给代码加上保护"),
                Words(
                    "Imports and definitions stay at the left margin; everything that does"
                    " something goes into main. With workers, the guard alone only uncovers the"
                    " next error (CPG201); hence num_workers=0 as well.",
                    "导入和定义可以顶格写，真正干活的代码都放进 main。如果还用工作进程，"
                    "光加保护只会"
                    "露出下一个错（CPG201），所以同时要用 num_workers=0。",
                ),
                before="from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder\n\n"
                'embedder = DNALLMEmbedder("dependencies")\n'
                'embedder.parse_dna_embeddings(["1:100000"], "homo_sapiens", num_workers=4)',
                after="from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder\n\n\n"
                "def main() -> None:\n"
                '    embedder = DNALLMEmbedder("dependencies")\n'
                '    embedder.parse_dna_embeddings(["1:100000"], "homo_sapiens", num_workers=0)\n'
                '\n\nif __name__ == "__main__":\n    main()',
            ),
            main_process(
                Words(
                    "No new process, so nothing imports the script again; run-embed needs no"
                    " script at all.",
                    "没有新进程，也就没有谁会再次导入脚本；而 run-embed 根本不需要脚本。",
                ),
                4,
            ),
            FORK,
        ),
        "bootstrapping phase",
    ),
}

OUT_OF_MEMORY = {
    "CPG707": Told(
        Words("Out of memory on the CPU", "内存不足（CPU）"),
        (
            Words(
                "The computer, the container or the batch job has no memory left: it has to hold"
                " the model, the intermediate results of a batch, and each worker.",
                "电脑、容器或批处理作业已经没有内存：模型、一个批次的中间结果和每个工作进程都要放"
                "进去。",
            ),
            MEMORY_OF_A_BATCH,
            Words(
                "Killed means SIGKILL, which no program can answer: most often it is the system's"
                " memory killer that sends it.",
                "Killed 表示 SIGKILL，任何程序都无法应对：发送它的多半是系统的内存杀手。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("A smaller batch", "减小批次"),
                Words(
                    "Halve it until it fits; 1 is CpGPT's own default. With run-embed the rows stay"
                    " the same.",
                    "每次减半，直到放得下；1 是 CpGPT 自己的默认值。用 run-embed 时，各行结果保持"
                    "不变。",
                ),
                before="embedder.parse_dna_embeddings(locations, species, batch_size=8,"
                " num_workers=0)",
                after="embedder.parse_dna_embeddings(locations, species, batch_size=4,"
                " num_workers=0)",
                commands=(f"{RUN_EMBED} --batch-size 4",),
                gains=(KEPT,),
            ),
            Remedy(
                "recommended",
                Words("No workers", "不用工作进程"),
                Words(
                    "Each worker needs memory besides. Right for CpGPT's embedder in any case"
                    " (CPG201, CPG202).",
                    "每个工作进程还要另外占内存。对 CpGPT 的 embedder 来说，本来就应该这样设置"
                    "（CPG201、CPG202）。",
                ),
                before="embedder.parse_dna_embeddings(locations, species, batch_size=4,"
                " num_workers=8)",
                after="embedder.parse_dna_embeddings(locations, species, batch_size=4,"
                " num_workers=0)",
                drawbacks=(UP_TO_7,),
            ),
            Remedy(
                "possible",
                Words("More memory for the container or job", "给容器或作业更多内存"),
                Words(
                    "Right where batch_size=1 without workers fails too: then the model itself does"
                    " not fit.",
                    "如果 batch_size=1 且不用工作进程也失败，说明模型本身就放不下，这时应该用它。",
                ),
                commands=("free -h", "docker run --memory=16g IMAGE", "sbatch --mem=16G JOB"),
            ),
        ),
        "Killed",
    ),
    "CPG708": Told(
        Words("Out of memory on Apple's GPU (MPS)", "Apple GPU（MPS）内存不足"),
        (
            Words(
                "GPU and CPU share one memory, and PyTorch stops at a limit that it sets itself"
                " (PYTORCH_MPS_HIGH_WATERMARK_RATIO).",
                "GPU 和 CPU 共用同一块内存，PyTorch 到达它自己设定的上限就会停下"
                "（PYTORCH_MPS_HIGH_WATERMARK_RATIO）。",
            ),
            MEMORY_OF_A_BATCH,
            Words(
                "CpGPT's embedder never uses MPS by itself (CPG303): it was moved there by"
                " run-embed, or by code of yours.",
                "CpGPT 的 embedder 本身从不使用 MPS（CPG303）：是 run-embed 或你自己的代码把模型放"
                "上去的。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("A smaller batch", "减小批次"),
                Words(
                    "If 2 does not fit, 1 is the smallest.",
                    "如果 2 还放不下，最小可以用 1。",
                ),
                commands=(f"{RUN_EMBED} --device mps --batch-size 2",),
                gains=(KEPT,),
            ),
            Remedy(
                "recommended",
                Words("The CPU", "改用 CPU"),
                Words(
                    "Right where the model does not fit with a batch of 1. In code of your own,"
                    ' leave out .to("mps").',
                    "批次为 1 时模型仍然放不下，就用这个办法。在你自己的代码里，"
                    '去掉 .to("mps") 即可。',
                ),
                commands=(f"{RUN_EMBED} --device cpu",),
            ),
            Remedy(
                "possible",
                Words("End what else uses the GPU", "结束其他占用 GPU 的程序"),
                Words(
                    "Ends the cause where “other allocations” is large, for example a forgotten"
                    " notebook.",
                    "如果 “other allocations” 很大，这样能去掉病根，例如一个忘了关的 notebook。",
                ),
                commands=("ps -axo pid,rss,command | sort -k2 -n -r | head",),
            ),
            Remedy(
                "not-recommended",
                Words("Switch the limit off", "关闭上限"),
                Words(
                    "The message advises it; a smaller batch is the better answer.",
                    "报错信息里建议这样做，但减小批次才是更好的办法。",
                ),
                commands=("export PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0",),
                warning=Words(
                    "PyTorch itself says that this may cause system failure.",
                    "PyTorch 自己也说这可能导致系统故障。",
                ),
            ),
        ),
        "MPS backend out of memory",
    ),
    "CPG709": Told(
        Words("Out of memory on the GPU (CUDA)", "GPU 显存不足（CUDA）"),
        (
            Words(
                "The model's weights and the intermediate results of a batch have to fit into the"
                " card's memory.",
                "模型权重和一个批次的中间结果都要放进显存。",
            ),
            MEMORY_OF_A_BATCH,
            Words(
                "What other processes hold is gone for this one; the message names them where"
                " PyTorch knows them.",
                "被其他进程占着的显存，这个进程就用不了；PyTorch 知道时会在报错里写出来。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("A smaller batch", "减小批次"),
                Words(
                    "Halve it until it fits; 1 is CpGPT's own default.",
                    "每次减半，直到放得下；1 是 CpGPT 自己的默认值。",
                ),
                before="embedder.parse_dna_embeddings(locations, species, batch_size=32,"
                " num_workers=0)",
                after="embedder.parse_dna_embeddings(locations, species, batch_size=8,"
                " num_workers=0)",
                commands=(f"{RUN_EMBED} --batch-size 4",),
                gains=(KEPT,),
            ),
            Remedy(
                "recommended",
                Words("Free the card, or take another", "腾出显卡，或换一块"),
                Words(
                    "Right where the message names another process, or where batch_size=1 fails"
                    " too.",
                    "如果报错里提到了别的进程，或者 batch_size=1 也失败，就用这个办法。",
                ),
                commands=("nvidia-smi", "CUDA_VISIBLE_DEVICES=1 python FILE"),
            ),
            Remedy(
                "possible",
                Words("Less fragmentation", "减少碎片"),
                Words(
                    "It helps where “reserved by PyTorch but unallocated” is large, and must be set"
                    " before Python starts.",
                    "如果 “reserved by PyTorch but unallocated” 的数值很大，会有帮助；必须在启动"
                    " Python 之前设置。",
                ),
                commands=("export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",),
            ),
            Remedy(
                "possible",
                Words("The CPU", "改用 CPU"),
                Words(
                    "For a few locations, or where no card is large enough.",
                    "适合位点很少，或者没有足够大的显卡的情况。",
                ),
                commands=(f"{RUN_EMBED} --device cpu",),
            ),
        ),
        "out of memory",
    ),
}

MODEL_AND_STORE = {
    "CPG712": Told(
        Words(
            "The model could not be fetched from Hugging Face",
            "无法从 Hugging Face 获取模型",
        ),
        (
            Words(
                "CpGPT loads the model by its name on the hub: what is not in the cache has to come"
                " from there.",
                "CpGPT 按模型在 hub 上的名字加载它：缓存里没有的，就要从那里获取。",
            ),
            Words(
                "The hub cannot be reached (compute nodes, proxies), offline mode forbids asking,"
                " the repository asks for a login, or it has no such name.",
                "连不上 hub（计算节点、代理）、离线模式禁止联网、仓库要求登录，"
                "或者根本没有这个名字。",
            ),
            Words(
                "Another user, container or HF_HOME has another cache.",
                "换了用户、容器或 HF_HOME，缓存也就换了。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words(
                    "Fetch the model once, where there is a network",
                    "在能联网的地方先下载一次",
                ),
                Words(
                    "On most clusters the login node has a network, and the same home folder as the"
                    " compute nodes. For another model, run-embed prints the command.",
                    "在多数集群上，登录节点可以联网，而且与计算节点共用同一个主目录。其他模型的下载"
                    "命令由 run-embed 给出。",
                ),
                commands=(
                    'python -c "from huggingface_hub import snapshot_download as get;'
                    " get('InstaDeepAI/nucleotide-transformer-v2-500m-multi-species')\"",
                ),
            ),
            Remedy(
                "recommended",
                Words("Use the cache that has it", "使用已有模型的缓存"),
                Words(
                    "Right in containers and in batch jobs whose home folder is another one.",
                    "适合主目录不同的容器和批处理作业。",
                ),
                commands=("export HF_HOME=DIR", 'ls "$HF_HOME/hub"'),
            ),
            Remedy(
                "possible",
                Words("Open the way to the hub", "打通到 hub 的网络"),
                Words(
                    "Ask your network's administrators for the proxy's name.",
                    "代理地址请向网络管理员询问。",
                ),
                commands=(
                    "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE",
                    "export HTTPS_PROXY=http://proxy.example.org:3128",
                    "curl -sI https://huggingface.co | head -1",
                ),
            ),
            Remedy(
                "possible",
                Words("Log in", "登录"),
                Words(
                    "Right only where the log says gated, 401 or 403: accept the terms on the"
                    " model's page first.",
                    "只有日志里出现 gated、401 或 403 时才用它：先在模型页面上接受条款。",
                ),
                commands=("hf auth login",),
            ),
        ),
        "huggingface.co",
        ("cpgpt-doctor check", EXPLAIN),
    ),
    "CPG713": Told(
        Words(
            "The store is missing after a run that ended well",
            "运行“成功”结束，存储却不见了",
        ),
        (
            Words(
                "CpGPT writes rows into a .mmap.tmp, which it makes for 10,000 rows or for as many"
                " as the store had before, and renames it to .mmap at the end.",
                "CpGPT 把各行写进 .mmap.tmp，创建时按 10,000 行或存储原有的行数留出空间，"
                "结束时再改名"
                "为 .mmap。",
            ),
            Words(
                "Up to 0.0.7 it does so only if there are fewer rows than the file was made for."
                " The rows are not lost: the file kept its temporary name.",
                "0.0.7 及以前的版本，只有当行数少于创建时的行数才会改名。数据没有丢：文件只是还留着"
                "临时的名字。",
            ),
            Words(
                "Where no such run was made, the path is another one than that of the store.",
                "如果没有做过这样的运行，那就是路径不对，存储在别处。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words(
                    "Take CpGPT 0.0.8 or later, and make the same call again",
                    "升级到 CpGPT 0.0.8 或更高版本，再执行一次同样的调用",
                ),
                Words(
                    "The later release finds the .mmap.tmp, has nothing left to compute, and gives"
                    " it its name. Only if the run ended with “processed successfully”.",
                    "新版本会找到 .mmap.tmp，发现没有需要计算的，于是给它改好名字。"
                    "前提是那次运行确实"
                    "以 “processed successfully” 结束。",
                ),
                after=NO_WORKERS,
                commands=("pip install --upgrade 'CpGPT>=0.0.8'",),
                drawbacks=(OTHER_ROWS, RELEASE_8),
            ),
            Remedy(
                "possible",
                Words("Rename the file yourself", "自己给文件改名"),
                Words(
                    "For a store that is only read from now on. Species, model and length in the"
                    " path are yours.",
                    "适合以后只读不写的存储。路径中的物种、模型和长度请换成你自己的。",
                ),
                commands=(
                    "cd DIR/dna_embeddings/homo_sapiens/"
                    "nucleotide-transformer-v2-500m-multi-species",
                    "test ! -e 2001bp_dna_embeddings.mmap || mv 2001bp_dna_embeddings.mmap"
                    " 2001bp_dna_embeddings.mmap.old",
                    "mv 2001bp_dna_embeddings.mmap.tmp 2001bp_dna_embeddings.mmap",
                ),
                warning=Words(
                    "Add nothing to this store with CpGPT up to 0.0.7: in a trial such rows were"
                    " read wrong, without an error.",
                    "之后不要再用 CpGPT 0.0.7 及以前的版本往这个存储里添加：实测中这些行被读错，"
                    "而且"
                    "没有任何报错。",
                ),
            ),
            Remedy(
                "not-recommended",
                Words("Run it again with the same release", "用同一版本再运行一次"),
                Words(
                    "It finds every location in its metadata, computes nothing, and leaves the"
                    " name as it is.",
                    "它会发现所有位点都已在元数据中，于是什么也不计算，名字也照旧。",
                ),
            ),
        ),
        "_dna_embeddings.mmap'",
    ),
    "CPG714": Told(
        Words("Species or model unknown to CpGPT", "CpGPT 不认识这个物种或模型"),
        (
            Words(
                "Embedding asks for Ensembl's name of the species: lower case, with underscores."
                " Downloading asks for human or mammalian.",
                "嵌入时要用 Ensembl 的物种名：小写，单词之间用下划线。"
                "下载时要用 human 或 mammalian。",
            ),
            Words(
                "Models are known by the last part of their name on the hub; each release has its"
                " own list.",
                "模型用的是它在 hub 上名字的后半部分，每个版本有自己的列表。",
            ),
            Words(
                "ensembl_metadata.db lists species and models as of the release that made it; a"
                " newer CpGPT does not add its own models to it.",
                "ensembl_metadata.db 里的物种和模型，以创建它的那个版本为准；较新的 CpGPT 不会补上"
                "自己的模型。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Ensembl's name for the species", "使用 Ensembl 的物种名"),
                Words(
                    "Human is homo_sapiens, mouse mus_musculus. run-embed proposes the nearest"
                    " names.",
                    "人是 homo_sapiens，小鼠是 mus_musculus。run-embed 会给出最接近的名字。",
                ),
                before='embedder.parse_dna_embeddings(locations, "human", num_workers=0)',
                after='embedder.parse_dna_embeddings(locations, "homo_sapiens", num_workers=0)',
            ),
            Remedy(
                "recommended",
                Words("A model from the list", "使用列表里的模型"),
                Words(
                    "To use a trained CpGPT model, take the DNA model with which it was trained:"
                    " each gives other embeddings.",
                    "要使用训练好的 CpGPT 模型，就必须用训练它时的那个 DNA 模型："
                    "每个模型给出的嵌入都"
                    "不同。",
                ),
                commands=(
                    'python -c "from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder'
                    " as E; print(*E('DIR').llm_embedding_size_dict, sep='\\n')\"",
                ),
            ),
            Remedy(
                "possible",
                Words("Let an older folder learn the model", "让旧的依赖目录认识新模型"),
                Words(
                    "Only for the KeyError that names a model of the list. A new, empty"
                    " dependencies folder is the other way.",
                    "只适用于 KeyError 中的名字确实在模型列表里的情况。另一个办法是换一个新的、空的"
                    "依赖目录。",
                ),
                before='embedder.parse_dna_embeddings(locations, "homo_sapiens",'
                ' dna_llm="NTv3_8M_pre", num_workers=0)',
                after='embedder.ensembl_metadata_dict["homo_sapiens"]'
                '.setdefault("NTv3_8M_pre", {})\n'
                'embedder.parse_dna_embeddings(locations, "homo_sapiens",'
                ' dna_llm="NTv3_8M_pre", num_workers=0)',
            ),
        ),
        "dna_llm must be",
        (f"{RUN_EMBED} --species homo_sapiens --dry-run", EXPLAIN),
    ),
    "CPG715": Told(
        Words(
            "The model needs a name that transformers removed",
            "模型需要的名字已从 transformers 中移除",
        ),
        (
            Words(
                "The model brings code of its own (trust_remote_code=True), written for"
                " transformers 4.",
                "这个模型自带代码（trust_remote_code=True），是为 transformers 4 写的。",
            ),
            Words(
                "transformers 5 removed a name that this code needs, and CpGPT sets no upper"
                " limit.",
                "transformers 5 移除了这段代码需要的一个名字，而 CpGPT 没有设上限。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("A transformers before 5", "安装 5 以前的 transformers"),
                Words(
                    "CpGPT and the model stay as they are. Start Python again afterwards, and the"
                    " kernel of a notebook.",
                    "CpGPT 和模型都不用动。装完之后要重新启动 Python 和 notebook 的内核。",
                ),
                commands=("pip install 'transformers<5'",),
            ),
            Remedy(
                "not-recommended",
                Words("Write the function back into transformers", "把这个函数补回 transformers"),
                Words(
                    "It is often advised for small scripts; it does not carry a whole model.",
                    "网上常有人对小脚本这样建议，但它撑不起一整个模型。",
                ),
                after="import transformers.pytorch_utils\n\n"
                "transformers.pytorch_utils.find_pruneable_heads_and_indices = my_copy",
                warning=Words(
                    "Loading then fails further on: a model of that age lacks all_tied_weights_keys"
                    " and others.",
                    "加载会在后面失败：这种年代的模型缺少 all_tied_weights_keys 等东西。",
                ),
            ),
        ),
        "cannot import name",
        (
            'python -c "from transformers.pytorch_utils import find_pruneable_heads_and_indices"',
            "cpgpt-doctor check",
        ),
    ),
    "CPG716": Told(
        Words("PyTorch was built without code for this GPU", "这个 PyTorch 没有为这块 GPU 编译"),
        (
            Words(
                "A build of PyTorch holds code for a list of generations of cards (sm_86 and the"
                " like), and this card is not on the list: it is newer, or so old that it was left"
                " out.",
                "一个 PyTorch 编译版本只含一部分显卡的代码（sm_86 之类的编号），"
                "而这块显卡不在列表里："
                "它更新，或者太旧、已被舍弃。",
            ),
            Words(
                "torch.cuda.is_available() is True all the same, so CpGPT takes the card.",
                "torch.cuda.is_available() 却仍然是 True，所以 CpGPT 会选用这块显卡。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Install a build that has your card", "安装支持你这块显卡的编译版本"),
                Words(
                    "The first line shows card and list. cu126 is an example: an old card needs the"
                    " build for an older CUDA, a new card the newest.",
                    "第一行显示显卡的编号和支持的列表。cu126 只是举例：旧显卡要选较旧的 CUDA，"
                    "新显卡"
                    "选最新的。",
                ),
                commands=(
                    'python -c "import torch; print(torch.__version__,'
                    ' torch.cuda.get_device_capability(), torch.cuda.get_arch_list())"',
                    "pip install --force-reinstall torch"
                    " --index-url https://download.pytorch.org/whl/cu126",
                ),
                drawbacks=(
                    Words(
                        "CpGPT 0.0.5 to 0.0.10 ask for torch up to 2.6, which is older than the"
                        " newest cards: with such a card take CpGPT 0.0.11 or later.",
                        "CpGPT 0.0.5 到 0.0.10 要求 torch 不高于 2.6，比最新的显卡还要旧："
                        "这样的显卡"
                        "请用 CpGPT 0.0.11 或更高版本。",
                    ),
                ),
            ),
            Remedy(
                "possible",
                Words("Compute on the CPU", "改用 CPU 计算"),
                Words(
                    "Right for a card that no current build serves.",
                    "适合已经没有任何编译版本支持的显卡。",
                ),
                commands=(f"{RUN_EMBED} --device cpu", 'CUDA_VISIBLE_DEVICES="" python FILE'),
            ),
            Remedy(
                "not-recommended",
                Words("Build PyTorch for the card", "为这块显卡自行编译 PyTorch"),
                Words(
                    "Only where no ready build fits and the card has to be used: it takes long, and"
                    " has to be done again for every release.",
                    "只有在没有现成版本可用、又非用这块显卡不可时才考虑：耗时很长，"
                    "而且每换一个版本都"
                    "要重来。",
                ),
                commands=('export TORCH_CUDA_ARCH_LIST="8.6"',),
            ),
        ),
        "no kernel image",
        ("python -c \"import torch; print(torch.ones(3, device='cuda').sum().item())\"", EXPLAIN),
    ),
    "CPG717": Told(
        Words("Sequence names that the genome does not have", "基因组中没有的序列名"),
        (
            Words(
                "Ensembl's genomes, which CpGPT downloads, name chromosomes 1, X, MT; UCSC's, and"
                " many tables, chr1, chrX, chrM.",
                "CpGPT 下载的是 Ensembl 的基因组，染色体叫 1、X、MT；UCSC 的基因组和很多表格则写作"
                " chr1、chrX、chrM。",
            ),
            Words(
                "CpGPT does not find the name, logs it, and goes on with a window of nothing but N:"
                " it stores that window's embedding as the location's. The run ends"
                " “successfully”; the rows are wrong.",
                "CpGPT 查不到这个名字，只写一行日志，就改用一个全是 N 的窗口继续，并把它的嵌入当作"
                "这个位点的存下来。运行“成功”结束，而这些行是错的。",
            ),
            Words(
                "Where batches are larger than 1, a window of N also changes the rows of the others"
                " in its batch (CPG514).",
                "批次大于 1 时，全 N 窗口还会改变同一批次其他窗口的行（CPG514）。",
            ),
        ),
        (
            Remedy(
                "recommended",
                Words("Let run-embed check the locations first", "先用 run-embed 检查位点"),
                Words(
                    "It refuses unknown names, unreadable positions and windows of nothing but N"
                    " before anything is computed, and cannot overlook a location.",
                    "未知的名字、无法读取的位置、全是 N 的窗口，都会在计算之前被拒绝，不会漏掉任何"
                    "位点。",
                ),
                commands=(f"{RUN_EMBED} --dry-run",),
            ),
            Remedy(
                "recommended",
                Words("Write the names as the genome does", "按基因组的写法改写名字"),
                Words(
                    "It is what CpGPT's own tables expect: names without chr.",
                    "CpGPT 自己的表格用的就是不带 chr 的名字。",
                ),
                before='locations = ["chr1:100000", "chrM:3000"]',
                after="def ensembl_name(location: str) -> str:\n"
                '    name, position = location.removeprefix("chr").split(":")\n'
                "    return f\"{'MT' if name == 'M' else name}:{position}\"\n\n\n"
                'locations = [ensembl_name(location) for location in ["chr1:100000", "chrM:3000"]]',
            ),
            Remedy(
                "recommended",
                Words("Compute wrong rows again in a new folder", "在新目录里重新计算错误的行"),
                Words(
                    "Needed where the location's name was right and the genome the wrong one: the"
                    " name is stored, so CpGPT and run-embed take it as done.",
                    "如果位点名是对的、基因组用错了，就必须这样做：名字已经存下，CpGPT 和 run-embed"
                    " 都会当作已完成。",
                ),
                commands=(
                    "mkdir -p NEW/genomes",
                    'ln -s "$(cd DIR/genomes && pwd)"/* NEW/genomes/',
                    "cpgpt-doctor run-embed --dependencies-dir NEW --locations FILE",
                ),
            ),
        ),
        "Error processing sequence",
    ),
}

TOLD: dict[str, Told] = {**WORKER_STARTS, **OUT_OF_MEMORY, **MODEL_AND_STORE}
