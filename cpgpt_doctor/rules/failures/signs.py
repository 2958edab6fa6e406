"""CPG7xx: by what each failure is recognised, its wording and the frames that led there.

The wordings are those of Python 3.10 to 3.14, of torch 2.2 to today, and of Linux, macOS and
Windows; tests/logs has them as they were printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cpgpt_doctor.logs import Frame, Raised, Watched
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
    failed, and not what: where another rule says what, this sign counts for nothing.
    """

    text: re.Pattern[str]
    then: re.Pattern[str] | None = None
    shown: Callable[[Raised, Chain], bool] = always
    alone: bool = True
    weak: bool = False


@dataclass(frozen=True)
class FailureRule:
    """A failure, by its signs in exceptions and by lines that are no exceptions.

    words: what a log shows without frames has one of them.
    """

    code: str
    words: tuple[str, ...]
    signs: tuple[Sign, ...]
    lines: tuple[re.Pattern[str], ...] = ()


# What frames show.

REDUCTION = re.compile(r"(?:^|/)multiprocessing/reduction\.py$")
CHILD = re.compile(r"(?:^|/)multiprocessing/(?:spawn|forkserver)\.py$")
SHARER = re.compile(r"(?:^|/)multiprocessing/(?:connection|resource_sharer)\.py$")
SEMAPHORES = re.compile(r"(?:^|/)multiprocessing/(?:synchronize|heap|shared_memory)\.py$")
DATALOADER = re.compile(r"(?:^|/)torch/utils/data/")
HUB = re.compile(r"(?:^|/)huggingface_hub/")
REMOTE_CODE = re.compile(r"(?:^|/)transformers_modules/")
TRANSFORMERS = re.compile(r"(?:^|/)transformers/")
GENOME = re.compile(r"(?:^|/)pyfaidx/")
IN_WORKER = re.compile(r"in DataLoader worker process \d+")


def by(pattern: re.Pattern[str]) -> Callable[[Raised, Chain], bool]:
    """The exception came through such a file."""
    return lambda raised, chain: through(raised.frames, pattern)


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


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


HOSTS = r"(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com)"
# The kernel kills whoever holds most memory: only Python's processes are the user's run.
PYTHON_PROCESS = r"\((?:python[\d.]*|pt_\w+|ipython\d*|jupyter[\w-]*|cpgpt[\w-]*)\)"

FAILURES: tuple[FailureRule, ...] = (
    FailureRule(
        "CPG701",
        ("pickle",),
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
                shown=by(REDUCTION),
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
                shown=by(REDUCTION),
            ),
            Sign(
                pattern(
                    r"Can't get attribute '(?P<object>\w+)' on <module '(?:__main__|__mp_main__)'"
                ),
                shown=by(CHILD),
                alone=False,
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
            pattern(
                r"ERROR: Unexpected (?:segmentation fault|floating-point exception)"
                r" encountered in worker"
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
        ),
        (
            Sign(pattern(r"DataLoader worker \(pid .{1,40}\) is killed by signal: Bus error")),
            Sign(
                pattern(
                    r"unable to (?:write to|resize|mmap \d+ bytes from) file </?torch_"
                    r"|unable to allocate shared memory\(shm\) for file <"
                    r"|unable to open shared memory object <[^>]*>[^:]*:(?!.*\(24\))"
                )
            ),
            Sign(
                pattern(r"\[Errno 28\] No space left on device"),
                shown=by(SEMAPHORES),
                alone=False,
            ),
        ),
        (pattern(r"ERROR: Unexpected bus error encountered in worker"),),
    ),
    FailureRule(
        "CPG706",
        (
            "oo many open files",
            "[Errno 24]",
            "items of ancdata",
        ),
        (
            Sign(pattern(r"\[Errno 24\]|Too many open files")),
            Sign(pattern(r"received \d+ items of ancdata")),
        ),
        (pattern(r"\[Errno 24\] Too many open files"),),
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
        ),
        (
            Sign(
                pattern(
                    r"DefaultCPUAllocator: (?:not enough memory|can't allocate memory)"
                    r"(?:: you tried to allocate (?P<asked>\d+ bytes))?"
                )
            ),
            Sign(pattern(r"MemoryError: Unable to allocate (?P<asked>[\d.]+ \w+) for an array")),
            Sign(
                pattern(r"(?:^|\.)MemoryError(?:: (?:std::bad_alloc|bad allocation))?$"),
                shown=not_raised_by_hand,
            ),
            Sign(pattern(r"\bArrowMemoryError: malloc of size (?P<asked>\d+) failed")),
            Sign(pattern(r"\[Errno 12\] Cannot allocate memory|\[WinError 1455\]")),
            Sign(pattern(r"shared file mapping: <[^>]*>, error code: <1455>")),
        ),
        (
            pattern(rf"[Oo]ut of memory: Killed process \d+ {PYTHON_PROCESS}"),
            pattern(rf"(?:^|\] |kernel: )Killed process \d+ {PYTHON_PROCESS}"),
            pattern(r"oom-kill:.*\btask=(?:python[\d.]*|pt_\w+),"),
            pattern(r"slurmstepd: error: Detected \d+ oom[-_]kill event"),
            pattern(r"slurmstepd: error: .*[Ee]xceeded .*memory limit"),
            pattern(r"^srun: error: \S+: tasks? [\d,-]+: Out Of Memory"),
            pattern(r"\bOOMKilled\b"),
            pattern(r"TERM_MEMLIMIT: job killed|PBS: job killed: v?mem "),
            pattern(r"terminate called after throwing an instance of 'std::bad_alloc'"),
            # The shell's own report, in a terminal and of a script, in English and in Chinese.
            pattern(r"^(?:Killed|已杀死)$"),
            pattern(r": line \d+: +\d+ Killed +(?P<command>\S.*)"),
            pattern(r"^zsh: killed +(?P<command>\S.*)"),
            pattern(r"^\[\d+\]\s*[+-]?\s+(?:\d+ )?[Kk]illed +(?P<command>\S.*)"),
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
        (
            pattern(
                r"MPS backend out of memory \(MPS allocated: .*max allowed: (?P<limit>[\d.]+ \w+)"
            ),
            pattern(r"\(0*8:kIOGPUCommandBufferCallbackErrorOutOfMemory\)"),
        ),
    ),
    FailureRule(
        "CPG709",
        (
            "out of memory",
            "ALLOC_FAILED",
            "cudaErrorMemory",
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
        (pattern(r"(?:CUDA|HIP) out of memory\. Tried to allocate (?P<asked>[\d.]+ \w+)"),),
    ),
    FailureRule(
        "CPG710",
        ("re-initialize CUDA",),
        (
            Sign(pattern(r"Cannot re-initialize CUDA in forked subprocess")),
            Sign(pattern(r"CUDA error: initialization error"), shown=in_worker, alone=False),
        ),
    ),
    FailureRule(
        "CPG711",
        (
            "attempt has been made to start",
            "RuntimeError",
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
            "valid model identifier",
            "CpGPT ",
        ),
        (
            Sign(
                pattern(
                    rf"couldn't connect to 'https://{HOSTS}'"
                    r"(?:.*looks like (?P<repository>\S{1,200}) is not the path)?"
                )
            ),
            Sign(
                pattern(
                    r"(?<!\S)(?P<repository>\S{1,200}) is not a local folder"
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
                    r"|RevisionNotFoundError|OfflineModeIsEnabled)\b"
                )
            ),
            Sign(pattern(rf"Can't load \w[\w ]* for '(?P<repository>[^']+)'.*'https://{HOSTS}")),
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
                    r" from 'transformers"
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
        (
            pattern(
                r"cannot import name '(?P<name>find_pruneable_heads_and_indices)'"
                r" from 'transformers"
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
        ),
        (
            Sign(pattern(r"no kernel image is available for execution on the device")),
            Sign(pattern(r"CUBLAS_STATUS_ARCH_MISMATCH|cudaErrorNoKernelImageForDevice")),
        ),
        (
            pattern(
                r"(?P<gpu>\S[\w ().-]{0,60}) with CUDA capability (?P<capability>sm_\w+)"
                r" is not compatible with the current PyTorch installation"
            ),
            pattern(r"does not include kernels for this GPU"),
            pattern(r"CUDA error: no kernel image is available for execution on the device"),
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
        (
            pattern(
                r"Error processing sequence at index \d+: [\"'\\]{0,4}(?P<sequence>\S{1,80}) not in"
                r" [^\"']{0,400}"
            ),
            pattern(r"Error processing sequence at index \d+: (?P<reason>[^\"}]{1,120})"),
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
    patterns = [*(sign.text for sign in rule.signs if sign.alone), *rule.lines]
    without_names = [re.sub(r"\?P<\w+>", "?:", each.pattern) for each in patterns]
    return Watched(rule.words, re.compile("|".join(f"(?:{each})" for each in without_names)))


# For logs.read.
WATCH = tuple(watched(rule) for rule in FAILURES)
