"""CPG7xx: by what each failure is recognised, its wording and the frames that led there.

The wordings are those of Python 3.10 to 3.14, of torch 2.2 to today, and of Linux, macOS and
Windows; tests/logs has them as they were printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cpgpt_doctor.logs import Frame, Noted, Raised, Watched
from cpgpt_doctor.rules.failures.frames import CPGPT, path, through

Chain = tuple[Raised, ...]


def always(raised: Raised, chain: Chain) -> bool:
    return True


@dataclass(frozen=True)
class Sign:
    """One wording of an error.

    text: searched in the error's line, "Kind: message"; its named groups are shown as evidence.
    then: must follow in the lines below, too. shown: what the frames have to show; `alone` says
    whether the wording is enough in a log that shows no frames. weak: it says that something
    failed, and not what: where another rule says what, this sign counts for nothing. unless: what
    must not be in the line, since it would be another failure that tells of this one's words.
    """

    text: re.Pattern[str]
    then: re.Pattern[str] | None = None
    shown: Callable[[Raised, Chain], bool] = always
    alone: bool = True
    weak: bool = False
    unless: re.Pattern[str] | None = None


def anywhere(noted: Noted, found: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True)
class Line:
    """A line that is no exception. shown: what it and the lines near it have to show."""

    text: re.Pattern[str]
    shown: Callable[[Noted, re.Match[str]], bool] = anywhere
    unless: re.Pattern[str] | None = None


@dataclass(frozen=True)
class FailureRule:
    """A failure, by its signs in exceptions and by lines that are no exceptions.

    words: what a log shows without frames has one of them. A sign that is enough without frames
    is looked for in lines too: not every program prints an exception's type.
    """

    code: str
    words: tuple[str, ...]
    signs: tuple[Sign, ...]
    lines: tuple[Line, ...] = ()

    @cached_property
    def told(self) -> tuple[Line, ...]:
        """All lines that tell of it."""
        whole = (sign for sign in self.signs if sign.alone and not sign.weak and sign.then is None)
        return (*self.lines, *(Line(sign.text, unless=sign.unless) for sign in whole))


# What frames show.

PROCESS = re.compile(r"(?:^|/)multiprocessing/process\.py$")
STARTER = re.compile(r"(?:^|/)multiprocessing/popen_(?:spawn|forkserver)\w*\.py$")
REDUCTION = re.compile(r"(?:^|/)multiprocessing/reduction\.py$")
CHILD = re.compile(r"(?:^|/)multiprocessing/(?:spawn|forkserver)\.py$")
TASKS = re.compile(r"(?:^|/)(?:multiprocessing/pool|concurrent/futures/\w+)\.py$")
POOL = re.compile(r"(?:^|/)(?:multiprocessing/(?:pool|queues)|concurrent/futures/\w+)\.py$")
SHARER = re.compile(r"(?:^|/)multiprocessing/(?:connection|resource_sharer)\.py$")
SEMAPHORES = re.compile(r"(?:^|/)multiprocessing/(?:synchronize|heap|shared_memory)\.py$")
DATALOADER = re.compile(r"(?:^|/)torch/utils/data/")
HUB = re.compile(r"(?:^|/)huggingface_hub/")
REMOTE_CODE = re.compile(r"(?:^|/)transformers_modules/")
TRANSFORMERS = re.compile(r"(?:^|/)transformers/")
FOREIGN = re.compile(r"(?:java|javax|org|com|io|net|scala|kotlin|System|Microsoft)\.[\w.]*[A-Z]")
PYTHON_COMMAND = re.compile(
    r"python|\.py\b|\bpytest|\btorchrun|\bcpgpt|\bipython|\bjupyter|\baccelerate\b|\bcelery\b"
    r"|\bgunicorn|\buvicorn|\bpapermill|\bdeepspeed\b|\blightning\b"
)
# A command typed at a shell's prompt.
PROMPT = re.compile(
    r"(?:\S{0,60}[@:][^$#%]{0,120}|\([\w.-]+\) .{0,80}|\s*)[$#%]\s+(?P<command>\S.*)"
)
OTHER_PROGRAM = re.compile(
    r"\bnpm (?:ERR!|error)|\byarn\b|\bwebpack\b|\bgulp\b|\bcc1plus\b|\bg?cc\b|\bcargo\b|\bmvn\b"
    r"|\bRscript\b|\bsamtools\b|\bbwa\b|\bjava\b|\bnode\b"
)
GENOME = re.compile(r"(?:^|/)pyfaidx/")
IN_WORKER = re.compile(r"in DataLoader worker process \d+")


def by(pattern: re.Pattern[str]) -> Callable[[Raised, Chain], bool]:
    """The exception came through such a file."""
    return lambda raised, chain: through(raised.frames, pattern)


def starts_process(raised: Raised, chain: Chain) -> bool:
    """A new process was being started with what cannot be pickled.

    Tasks, results and items of queues are pickled by `dumps`, and are no dataset. A traceback that
    was shortened to CpGPT's own frame shows the loop over its DataLoader.
    """
    last = raised.frames[-1]
    return (
        through(raised.frames, STARTER)
        or any(REDUCTION.search(path(each)) and each.function == "dump" for each in raised.frames)
        or (through(raised.frames, DATALOADER) and not POOL.search(path(last)))
        or CPGPT.search(path(last)) is not None
    )


def sent_to_worker(raised: Raised, chain: Chain) -> bool:
    """It was being pickled for another process, and was no pool's task or result."""
    return through(raised.frames, REDUCTION) and not through(raised.frames, TASKS)


def lost_connection(raised: Raised, chain: Chain) -> bool:
    """The main process was fetching a batch from a worker that was gone."""
    return through(raised.frames, DATALOADER) and through(raised.frames, SHARER)


def in_worker(raised: Raised, chain: Chain) -> bool:
    return any(IN_WORKER.search(each.message) for each in chain)


def not_raised_by_hand(raised: Raised, chain: Chain) -> bool:
    """Python itself ran out, no `raise MemoryError` in somebody's code."""
    return not raised.frames or not (raised.frames[-1].text or "").startswith("raise ")


def of_the_metadata(raised: Raised, chain: Chain) -> bool:
    """The key was looked up in CpGPT's table of species and models."""
    last = raised.frames[-1] if raised.frames else Frame("", None)
    return CPGPT.search(path(last)) is not None and "ensembl_metadata_dict[" in (last.text or "")


def of_the_genome(raised: Raised, chain: Chain) -> bool:
    return any(through(each.frames, GENOME) and through(each.frames, CPGPT) for each in chain)


def of_python(raised: Raised, chain: Chain) -> bool:
    """Not an exception of Java's, Scala's or .NET's."""
    return FOREIGN.match(raised.kind) is None


def of_a_python_command(raised: Raised, chain: Chain) -> bool:
    """The command that was killed is Python's, where the error shows one."""
    found = re.search(r"Command (.+) died with", raised.message)
    return found is None or PYTHON_COMMAND.search(found[1]) is not None


def python_command(noted: Noted, found: re.Match[str]) -> bool:
    return PYTHON_COMMAND.search(found["command"]) is not None


def of_python_here(noted: Noted, found: re.Match[str]) -> bool:
    """Nothing near the line shows that it was another program which was killed."""
    commands = [shown for text in noted.near if (shown := PROMPT.match(text))]
    return not any(OTHER_PROGRAM.search(text) for text in noted.near) and all(
        PYTHON_COMMAND.search(shown["command"]) for shown in commands[-1:]
    )


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


HOSTS = r"(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com)"
# The kernel kills whoever holds most memory: only Python's processes are the user's run.
PYTHON_PROCESS = r"\((?:python[\d.]*|pt_\w+|ipython\d*|jupyter[\w-]*|cpgpt[\w-]*)\)"

FAILURES: tuple[FailureRule, ...] = (
    FailureRule(
        "CPG701",
        ("pickle", "Can't get attribute"),
        (
            Sign(
                pattern(
                    r"cannot pickle '(?P<object>[^']+)' (?:object|instances)"
                    r"|cannot pickle (?P<objects>\w+) objects?"
                    r"|can't pickle (?P<older>[\w.]+) objects"
                    r"|cannot serialize '(?P<oldest>[^']+)' object"
                    r"|Can't (?:pickle|get) local object (?P<local>'[^']+'|<[^>]+(?:>[^>]+)*>)"
                    r"|PicklingError: Can't pickle (?P<named><.+>):"
                    r"|h5py objects cannot be pickled"
                    r"|no default __reduce__ due to non-trivial __cinit__"
                    r"|ctypes objects containing pointers cannot be pickled"
                ),
                shown=starts_process,
                alone=False,
            ),
            # From 3.14 Python adds where in the object it was.
            Sign(
                pattern(r"(?:cannot|Can't) pickle "),
                then=pattern(r"when serializing \S*\bProcess (?:state|object)"),
            ),
            # What CpGPT's own dataset brings about, even where the log has only this line.
            Sign(
                pattern(
                    r"cannot pickle '(?P<object>(?:_io\.)?BufferedReader)' (?:object|instances)"
                    r"|Can't pickle (?P<named><function Fasta\.<lambda>.*>)"
                ),
                shown=sent_to_worker,
                unless=pattern("MaybeEncodingError"),  # a pool's result
            ),
            Sign(
                pattern(
                    r"Can't get attribute '(?P<object>\w+)' on <module '(?:__main__|__mp_main__)'"
                ),
                shown=by(CHILD),
                alone=False,
            ),
            # Only a process that did not run the script has such modules.
            Sign(
                pattern(
                    r"Can't get attribute '(?P<object>\w+)' on <module"
                    r" '(?:__main__' \((?:built-in|<class)|__mp_main__')"
                ),
                shown=by(CHILD),
            ),
        ),
    ),
    FailureRule(
        "CPG702",
        ("prefetch_factor option",),
        (Sign(pattern(r"prefetch_factor option could only be specified in multiprocessing")),),
    ),
    FailureRule(
        "CPG703",
        ("persistent_workers option",),
        (Sign(pattern(r"persistent_workers option needs num_workers > 0")),),
    ),
    FailureRule(
        "CPG704",
        (
            "DataLoader worker",
            "encountered in worker",
        ),
        (
            Sign(
                pattern(
                    r"DataLoader worker \(pid.{1,40}\) is killed by signal: (?!Bus error)"
                    r"(?P<signal>[\w ]+)"
                )
            ),
            Sign(pattern(r"DataLoader worker \(pid.{1,80}\) exited unexpectedly"), weak=True),
            Sign(
                pattern(
                    r"(?:ConnectionResetError|ConnectionRefusedError|ConnectionAbortedError"
                    r"|BrokenPipeError|EOFError|FileNotFoundError)"
                ),
                shown=lost_connection,
                alone=False,
                weak=True,
            ),
        ),
        (
            Line(
                pattern(
                    r"ERROR: Unexpected (?:segmentation fault|floating-point exception)"
                    r" encountered in worker"
                )
            ),
        ),
    ),
    FailureRule(
        "CPG705",
        (
            "DataLoader worker",
            "encountered in worker",
            "torch_",
            "shared memory",
            "unable to mmap",
        ),
        (
            Sign(pattern(r"DataLoader worker \(pid .{1,40}\) is killed by signal: Bus error")),
            Sign(
                pattern(
                    r"unable to (?:write to|resize|mmap \d+ bytes from) file </?torch_"
                    r"|unable to mmap \d+ bytes from file <filename not specified>"
                    r"|unable to allocate shared memory\(shm\) for file <"
                    r"|unable to open shared memory object <[^>]*>(?!.*\(24\))"
                )
            ),
            Sign(
                pattern(r"\[Errno 28\] No space left on device"),
                shown=by(SEMAPHORES),
                alone=False,
            ),
        ),
        (Line(pattern(r"Unexpected bus (?:error|ERROR) encountered in worker")),),
    ),
    FailureRule(
        "CPG706",
        (
            "oo many open files",
            "[Errno 24]",
            "items of ancdata",
        ),
        (
            # Python's own: Java, .NET and others have limits of their own, and other remedies.
            Sign(
                pattern(
                    r"^(?:\w+\.)*\w*(?:Error|error): .*(?:\[Errno 24\]|Too many open files)(?!\w)"
                ),
                shown=of_python,
            ),
            Sign(pattern(r"received \d+ items of ancdata")),
        ),
        (Line(pattern(r"\[Errno 24\] Too many open files(?! *\w)")),),
    ),
    FailureRule(
        "CPG707",
        (
            "memory",
            "Memory",
            "oom",
            "OOM",
            "[Errno 12]",
            "[WinError 1455]",
            "<1455>",
            "MEMLIMIT",
            "bad_alloc",
            "illed",
            "已杀死",
            "DefaultCPUAllocator",
            "posix_memalign",
            "Unable to allocate",
            "IGKILL",
            "137",
            "exitcode",
        ),
        (
            Sign(
                pattern(
                    r"DefaultCPUAllocator: (?:not enough memory|can't allocate memory)"
                    r"(?:: you tried to allocate (?P<asked>\d+ bytes))?"
                )
            ),
            Sign(pattern(r"CPUAllocator\.cpp:\d+\] posix_memalign\(")),
            # Before 2020 NumPy did not say how much it asked for.
            Sign(
                pattern(
                    r"MemoryError: Unable to allocate"
                    r" (?:(?P<asked>[\d.]+ \w+) for an )?array with shape"
                )
            ),
            Sign(
                pattern(r"(?:^|\.)MemoryError(?:: (?:std::bad_alloc|bad allocation))?$"),
                shown=not_raised_by_hand,
            ),
            Sign(pattern(r"\bArrowMemoryError: malloc of size (?P<asked>\d+) failed")),
            Sign(pattern(r"\[Errno 12\] Cannot allocate memory|\[WinError 1455\]")),
            # A process that the kernel ended, as those who waited for it tell.
            Sign(pattern(r"process \d+ terminated with signal SIGKILL")),
            Sign(
                pattern(r"(?:Command (?P<command>.{1,2000}) )?died with <Signals\.SIGKILL: 9>"),
                shown=of_a_python_command,
            ),
            Sign(pattern(r"shared file mapping: <[^>]*>, error code: <1455>")),
        ),
        (
            Line(pattern(rf"[Oo]ut of memory: Killed process \d+ {PYTHON_PROCESS}")),
            Line(pattern(rf"(?:^|\] |kernel: )Killed process \d+ {PYTHON_PROCESS}")),
            Line(pattern(rf"[Oo]ut of memory: Kill process \d+ {PYTHON_PROCESS}")),
            Line(pattern(r"oom-kill:.*\btask=(?:python[\d.]*|pt_\w+),")),
            Line(pattern(r"slurmstepd(?:-\S+)?: error: Detected \d+ oom[-_]kill event")),
            Line(pattern(r"slurmstepd(?:-\S+)?: error: .*[Ee]xceeded .*memory limit")),
            Line(pattern(r"(?:^|\s)srun: error: \S+: tasks? [\d,-]+: Out Of Memory")),
            Line(pattern(r"\bOOMKilled\b(?!\w)")),
            Line(pattern(r"TERM_MEMLIMIT: job killed|PBS: job killed: v?mem ")),
            Line(pattern(r"terminate called after throwing an instance of 'std::bad_alloc'")),
            # torchrun, in a table and in a line; -9 is SIGKILL.
            Line(
                pattern(r"^\W*exitcode *: -9\b|\(exitcode: -9\)|Signal 9 \(SIGKILL\) received by")
            ),
            Line(pattern(r"Process finished with exit code 137\b")),
            # The shell's own report, in a terminal and of a script, in English and in Chinese.
            Line(
                pattern(r"^(?:.{0,400}(?:it/s|s/it|/\d+)\]? ?)?(?:Killed|已杀死)$"), of_python_here
            ),
            Line(pattern(r": line \d+: +\d+ (?:Killed|已杀死) +(?P<command>\S.*)"), python_command),
            Line(pattern(r"^zsh: killed +(?P<command>\S.*)"), python_command),
            Line(
                pattern(r"^\[\d+\]\s*[+-]?\s+(?:\d+ )?[Kk]illed +(?P<command>\S.*)"), python_command
            ),
            Line(pattern(r"^make(?:\[\d+\])?: \*\*\* \[.*\] (?:Killed|已杀死)$"), of_python_here),
        ),
    ),
    FailureRule(
        "CPG708",
        (
            "MPS backend",
            "Invalid buffer size",
            "kIOGPU",
        ),
        (
            Sign(pattern(r"MPS backend out of memory(?:.*max allowed: (?P<limit>[\d.]+ \w+))?")),
            Sign(pattern(r"RuntimeError: Invalid buffer size: (?P<asked>[\d.]+ ?\w+)")),
        ),
        (Line(pattern(r"\(0*8:kIOGPUCommandBufferCallbackErrorOutOfMemory\)")),),
    ),
    FailureRule(
        "CPG709",
        (
            "out of memory",
            "ALLOC_FAILED",
            "cudaErrorMemory",
            "Tried to allocate",
        ),
        (
            Sign(
                pattern(
                    r"(?:CUDA|HIP) out of memory(?:\. Tried to allocate (?P<asked>[\d.]+ \w+))?"
                    r"(?:.*?(?:capaci?ty of (?P<card>[\d.]+ \w+)"
                    r"|; (?P<older_card>[\d.]+ \w+) total))?"
                )
            ),
            Sign(pattern(r"(?:CUDA|HIP) error: out of memory|cudaErrorMemoryAllocation")),
            Sign(pattern(r"(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|HIPBLAS)_STATUS_ALLOC_FAILED")),
        ),
        # The first line of the message was left out.
        (
            Line(
                pattern(
                    r"Tried to allocate (?P<asked>[\d.]+ \w+) \(GPU \d+;"
                    r" (?P<older_card>[\d.]+ \w+) total capacity"
                )
            ),
        ),
    ),
    FailureRule(
        "CPG710",
        ("re-initialize CUDA", "initialization error"),
        (
            Sign(pattern(r"Cannot re-initialize CUDA in forked subprocess")),
            Sign(pattern(r"CUDA error: initialization error"), shown=in_worker, alone=False),
            # Of releases before 1.1.
            Sign(
                pattern(r"cuda runtime error \(3\) : initialization error"),
                shown=by(PROCESS),
                alone=False,
            ),
        ),
        (Line(pattern(r"THCudaCheck FAIL .*error=3 : initialization error")),),
    ),
    FailureRule(
        "CPG711",
        (
            "attempt has been made to start",
            "RuntimeError",
            "not using fork to start",
            "proper idiom",
        ),
        (
            Sign(
                pattern(r"RuntimeError(?:: *)?$"),
                then=pattern(
                    r"An attempt has been made to start a new process before the"
                    r"(?:\s+current process has finished its bootstrapping phase\.)?"
                ),
            ),
            Sign(pattern(r"attempt has been made to start a new process before the")),
            Sign(
                pattern(r"^RuntimeError$"),
                shown=lambda raised, chain: any(
                    frame.function == "_check_not_importing_main" for frame in raised.frames
                ),
                alone=False,
            ),
        ),
        # Its first line was left out.
        (
            Line(pattern(r"This probably means that you are not using fork to start your$")),
            Line(pattern(r"child processes and you have forgotten to use the proper idiom$")),
        ),
    ),
    FailureRule(
        "CPG712",
        (
            "huggingface",
            "hf.co",
            "hf-mirror",
            "EntryNotFoundError",
            "GatedRepo",
            "RepositoryNotFound",
            "RevisionNotFound",
            "OfflineModeIsEnabled",
            "gated repo",
            "Access to model",
            "valid model identifier",
            "cached snapshot",
            "appropriate snapshot",
            "on the Hub",
            "CpGPT ",
        ),
        (
            Sign(
                pattern(
                    rf"couldn't connect to '\[?https://{HOSTS}"
                    r"(?:.*looks like (?P<repository>\S{1,200}) is not the path)?"
                )
            ),
            Sign(
                pattern(
                    r"(?<![^\s\"'*`>|])(?P<repository>[^\s\"'{}*`]{1,200}) is not a local folder"
                    r" and is not a valid model identifier"
                )
            ),
            Sign(
                pattern(r"You are trying to access a gated repo"),
                then=pattern(r"access to it at https://[\w.-]+/(?P<repository>\S+?)\.?\n"),
            ),
            Sign(pattern(r"You are trying to access a gated repo")),
            Sign(
                pattern(
                    r"\b(?:LocalEntryNotFoundError|GatedRepoError|RepositoryNotFoundError"
                    r"|RevisionNotFoundError|OfflineModeIsEnabled)(?::\s|$)"
                ),
                unless=pattern(r"\b(?:import|except|class)\b|:\s+#"),
            ),
            Sign(
                pattern(
                    r"Can't load \w[\w ]{0,80} for '(?P<repository>[^']+)'.{0,400}?"
                    rf"(?:\[[^\]]{{0,80}}\]\()?https://{HOSTS}"
                )
            ),
            Sign(
                pattern(
                    rf"Cannot (?:access gated repo for url|reach) https://{HOSTS}/"
                    r"(?:api/models/)?(?P<repository>[\w.-]+/[\w.-]+)?"
                )
            ),
            Sign(pattern(r"Access to model (?P<repository>\S+) is restricted")),
            Sign(
                pattern(
                    r"Cannot find an appropriate cached snapshot folder"
                    r"|An error happened while trying to locate the files? on the Hub"
                )
            ),
            Sign(pattern(rf"HTTPSConnectionPool\(host=\\?'{HOSTS}\\?'")),
            Sign(pattern(rf"\b[45]\d\d (?:Client|Server) Error.* for url: https://{HOSTS}/")),
            Sign(
                pattern(r"\b(?:ConnectError|ConnectTimeout|ReadTimeout|ProxyError|SSLError)\b"),
                shown=by(HUB),
                alone=False,
            ),
            Sign(
                pattern(
                    r"CpGPT (?:dependencies for|model) '(?P<repository>[^']+)'"
                    r" (?:are|is) not available"
                )
            ),
        ),
    ),
    FailureRule(
        "CPG713",
        ("_dna_embeddings.mmap",),
        (
            Sign(
                pattern(
                    r"(?:No such file or directory: '|DNA embeddings file is missing: )"
                    r"(?P<file>[^']*\d+bp_dna_embeddings\.mmap)(?:'|$)"
                )
            ),
            Sign(pattern(r"mmap length is greater than file size"), shown=by(CPGPT), alone=False),
        ),
    ),
    FailureRule(
        "CPG714",
        (
            "Ensembl species",
            "dna_llm must be",
            "DNA language model",
            "in the embedder",
            "Unsupported species",
        ),
        (
            Sign(pattern(r"Ensembl species (?P<species>.{1,200}) not found in Ensembl metadata")),
            Sign(
                pattern(
                    r"dna_llm must be one of dict_keys\(.{0,2000}\)(?:, got (?P<model>.{1,200}))?"
                )
            ),
            Sign(pattern(r"Unsupported DNA language model: (?P<model>.{1,200})")),
            Sign(pattern(r"Species (?P<species>\S+) not found in the embedder")),
            Sign(pattern(r"DNA LLM (?P<model>\S+) not found in the embedder for species")),
            Sign(
                pattern(r"Unsupported species '(?P<species>[^']+)'\. Choose from:"),
                shown=by(CPGPT),
            ),
            Sign(
                pattern(r"KeyError: '(?P<key>[A-Za-z][\w.-]*)'$"),
                shown=of_the_metadata,
                alone=False,
            ),
        ),
    ),
    FailureRule(
        "CPG715",
        (
            "find_pruneable_heads",
            "all_tied_weights_keys",
            "is_decoder",
        ),
        (
            Sign(
                pattern(
                    r"cannot import name '(?P<name>find_pruneable_heads_and_indices)'"
                    r"(?: from 'transformers|$)"
                )
            ),
            Sign(
                pattern(r"cannot import name '(?P<name>\w+)' from 'transformers\b"),
                shown=by(REMOTE_CODE),
                alone=False,
            ),
            Sign(
                pattern(r"has no attribute '(?P<name>all_tied_weights_keys|is_decoder)'"),
                shown=by(TRANSFORMERS),
            ),
        ),
    ),
    FailureRule(
        "CPG716",
        (
            "kernel image",
            "NoKernelImage",
            "ARCH_MISMATCH",
            "CUDA capability",
            "kernels for this GPU",
            "no longer supports this GPU",
        ),
        (
            Sign(pattern(r"no kernel image is available for execution on the device")),
            Sign(pattern(r"CUBLAS_STATUS_ARCH_MISMATCH|cudaErrorNoKernelImageForDevice")),
        ),
        (
            Line(
                pattern(
                    r"(?P<gpu>\S[\w ().-]{0,60}) with CUDA capability (?P<capability>sm_\w+)"
                    r" is not compatible with the current PyTorch installation"
                )
            ),
            Line(pattern(r"does not include kernels for this GPU")),
            Line(pattern(r"PyTorch no longer supports this GPU because it is too old")),
        ),
    ),
    FailureRule(
        "CPG717",
        ("Error processing sequence",),
        (
            Sign(
                pattern(r"KeyError: [\"']+(?P<sequence>\S+) not in "),
                shown=of_the_genome,
                alone=False,
                weak=True,
            ),
        ),
        # As pyfaidx says it, or marked by CpGPT's logger: other programs have the words too.
        (
            Line(
                pattern(
                    r"Error processing sequence at index (?P<index>\d+):"
                    r" [\"'\\]{0,4}(?P<sequence>\S{1,80}) not in [^\"']{0,400}"
                )
            ),
            Line(
                pattern(
                    r"Error processing sequence at index (?P<index>\d+):"
                    r" (?P<reason>(?:not enough|too many) values to unpack|invalid literal for int)"
                )
            ),
            Line(
                pattern(
                    r"(?:cpgpt|DNALLMEmbedder|DNADataset).{0,200}?"
                    r"Error processing sequence at index (?P<index>\d+): (?P<reason>[^\"}]{1,120})"
                )
            ),
        ),
    ),
    FailureRule(
        "CPG718",
        ("directory is missing: ",),
        (
            Sign(
                pattern(
                    r"(?:DNA embeddings|Species|DNA language model) directory is missing:"
                    r" (?P<folder>\S.{0,400}\bdna_embeddings\b.{0,400})"
                ),
                shown=by(CPGPT),
            ),
        ),
    ),
)


def watched(rule: FailureRule) -> Watched:
    """What a log can show of the failure without frames."""
    lines = (line.text for line in rule.lines)
    patterns = [*(sign.text for sign in rule.signs if sign.alone), *lines]
    without_names = [re.sub(r"\?P<\w+>", "?:", each.pattern) for each in patterns]
    return Watched(rule.words, re.compile("|".join(f"(?:{each})" for each in without_names)))


WATCHED = tuple(watched(rule) for rule in FAILURES)
