"""CPG7xx: failures recognised in a log, by their wording and by the frames that led there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cpgpt_doctor import logs
from cpgpt_doctor.findings import Evidence, Finding, Location, Severity
from cpgpt_doctor.logs import Failure, Frame, Log, Noted, Raised
from cpgpt_doctor.rules.failure_words import LABELS, TOLD, expected, preferred
from cpgpt_doctor.rules.frames import CPGPT, path, through, users_line
from cpgpt_doctor.words import Words, same

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
    """A failure, by its signs in exceptions and by lines that are no exceptions."""

    code: str
    signs: tuple[Sign, ...]
    lines: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True)
class Sighting:
    """One failure of a code, as often as it was printed alike."""

    code: str
    error: str
    at_line: int
    times: int
    location: Location | None
    groups: tuple[tuple[str, str], ...]
    weak: bool


@dataclass(frozen=True)
class Unknown:
    """An error that no rule knows."""

    error: str
    at_line: int
    times: int
    location: Location | None


@dataclass(frozen=True)
class Explained:
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]


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
                pattern(r"Can't get attribute '(?P<object>\w+)' on <module '__mp?_?main__'"),
                shown=by(CHILD),
                alone=False,
            ),
        ),
    ),
    FailureRule(
        "CPG702",
        (Sign(pattern(r"prefetch_factor option could only be specified in multiprocessing")),),
    ),
    FailureRule("CPG703", (Sign(pattern(r"persistent_workers option needs num_workers > 0")),)),
    FailureRule(
        "CPG704",
        (
            Sign(
                pattern(
                    r"DataLoader worker \(pid[^)]*\)? ?[\d, ]*\)?"
                    r" is killed by signal: (?!Bus error)(?P<signal>[\w ]+)"
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
                r"ERROR: Unexpected (?P<signal>segmentation fault|floating-point exception)"
                r" encountered in worker"
            ),
        ),
    ),
    FailureRule(
        "CPG705",
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
            Sign(pattern(r"\[Errno 24\]|Too many open files")),
            Sign(pattern(r"received \d+ items of ancdata")),
        ),
        (pattern(r"\[Errno 24\] Too many open files"),),
    ),
    FailureRule(
        "CPG707",
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
            pattern(rf"^\S*\s*Killed process \d+ {PYTHON_PROCESS}"),
            pattern(r"oom-kill:.*\btask=(?:python[\d.]*|pt_\w+),"),
            pattern(r"slurmstepd: error: Detected \d+ oom[-_]kill event"),
            pattern(r"slurmstepd: error: .*[Ee]xceeded .*memory limit"),
            pattern(r"^srun: error: \S+: tasks? [\d,-]+: Out Of Memory"),
            pattern(r"\bOOMKilled\b"),
            pattern(r"TERM_MEMLIMIT: job killed"),
            pattern(r"terminate called after throwing an instance of 'std::bad_alloc'"),
            # The shell's own report, in a terminal and of a script, in English and in Chinese.
            pattern(r"^(?:Killed|已杀死)$"),
            pattern(r": line \d+: +\d+ Killed +(?P<command>\S.*)"),
            pattern(r"^(?:zsh: |\[\d+\] +[+-]? *\d+ )killed +(?P<command>\S.*)"),
        ),
    ),
    FailureRule(
        "CPG708",
        (
            Sign(pattern(r"MPS backend out of memory(?:.*max allowed: (?P<limit>[\d.]+ \w+))?")),
            Sign(pattern(r"RuntimeError: Invalid buffer size: (?P<asked>[\d.]+ ?\w+)")),
        ),
        (
            pattern(r"MPS backend out of memory \(MPS allocated: .*max allowed: (?P<limit>[\d.]+ \w+)"),
            pattern(r"\(0*8:kIOGPUCommandBufferCallbackErrorOutOfMemory\)"),
        ),
    ),
    FailureRule(
        "CPG709",
        (
            Sign(
                pattern(
                    r"(?:CUDA|HIP) out of memory(?:\. Tried to allocate (?P<asked>[\d.]+ \w+))?"
                    r"(?:.*?(?:capac?i?ty of (?P<card>[\d.]+ \w+)|; (?P<older_card>[\d.]+ \w+) total))?"
                )
            ),
            Sign(pattern(r"(?:CUDA|HIP) error: out of memory|cudaErrorMemoryAllocation")),
            Sign(pattern(r"(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|HIPBLAS)_STATUS_ALLOC_FAILED")),
        ),
        (pattern(r"(?:CUDA|HIP) out of memory\. Tried to allocate (?P<asked>[\d.]+ \w+)"),),
    ),
    FailureRule(
        "CPG710",
        (
            Sign(pattern(r"Cannot re-initialize CUDA in forked subprocess")),
            Sign(pattern(r"CUDA error: initialization error"), shown=in_worker, alone=False),
        ),
    ),
    FailureRule(
        "CPG711",
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
            Sign(pattern(rf"couldn't connect to 'https://{HOSTS}'")),
            Sign(pattern(r"(?P<repository>\S+) is not a local folder and is not a valid model identifier")),
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
            Sign(pattern(r"CpGPT (?:dependencies for|model) '(?P<repository>[^']+)' (?:are|is) not available")),
        ),
    ),
    FailureRule(
        "CPG713",
        (
            Sign(pattern(r"No such file or directory: '(?P<file>[^']*\d+bp_dna_embeddings\.mmap)'")),
            Sign(pattern(r"DNA embeddings file is missing: (?P<file>.*\d+bp_dna_embeddings\.mmap)")),
            Sign(pattern(r"mmap length is greater than file size"), shown=by(CPGPT), alone=False),
        ),
    ),
    FailureRule(
        "CPG714",
        (
            Sign(pattern(r"Ensembl species (?P<species>.+) not found in Ensembl metadata")),
            Sign(pattern(r"dna_llm must be one of dict_keys\(.*\)(?:, got (?P<model>.+))?$")),
            Sign(pattern(r"Unsupported DNA language model: (?P<model>.+)")),
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
            Sign(pattern(r"cannot import name '(?P<name>find_pruneable_heads_and_indices)' from 'transformers")),
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
            Sign(pattern(r"no kernel image is available for execution on the device")),
            Sign(pattern(r"CUBLAS_STATUS_ARCH_MISMATCH|cudaErrorNoKernelImageForDevice")),
        ),
        (
            pattern(
                r"(?P<gpu>\S[\w ().-]*) with CUDA capability (?P<capability>sm_\w+)"
                r" is not compatible with the current PyTorch installation"
            ),
            pattern(r"does not include kernels for this GPU"),
            pattern(r"^(?:.*: )?CUDA error: no kernel image is available for execution on the device"),
        ),
    ),
    FailureRule(
        "CPG717",
        (Sign(pattern(r"KeyError: [\"']+(?P<sequence>\S+) not in "), shown=of_the_genome, alone=False, weak=True),),
        (
            pattern(r"Error processing sequence at index \d+: [\"'\\]*(?P<sequence>\S+) not in "),
            pattern(r"Error processing sequence at index \d+: (?P<reason>[^\"}]{1,120})"),
        ),
    ),
)  # fmt: skip

# A weak sign counts for nothing where one of these says why.
SAYS_WHY = {"CPG704": {"CPG701", "CPG705", "CPG706", "CPG711"}, "CPG717": {"CPG717"}}


def watched() -> Iterator[str]:
    for rule in FAILURES:
        for each in (*(sign.text for sign in rule.signs if sign.alone), *rule.lines):
            yield re.sub(r"\?P<\w+>", "?:", each.pattern)


# For logs.read: the wordings of all rules.
WATCH = re.compile("|".join(f"(?:{each})" for each in watched()))

# Exceptions that only pass another one on, or end what another one broke.
WRAPPERS = re.compile(
    r"RemoteTraceback|ProcessRaisedException|ProcessExitedException|ChildFailedError"
    r"|(?:Base)?ExceptionGroup$"
)
NO_ERRORS = ("KeyboardInterrupt", "SystemExit", "GeneratorExit")
# The other end of a broken start of a worker.
OTHER_END = re.compile(r"EOFError|BrokenPipeError|UnpicklingError: pickle data was truncated")


def matched(sign: Sign, raised: Raised, chain: Chain) -> re.Match[str] | None:
    found = sign.text.search(raised.error)
    if found is None:
        return None
    if not (sign.shown(raised, chain) if raised.frames else sign.alone):
        return None
    if sign.then is not None:
        return sign.then.search("\n".join((*raised.after, "")))
    return found


def error_text(sign: Sign, raised: Raised, found: re.Match[str]) -> str:
    """The error's line, and those below it as far as the sign goes."""
    if sign.then is None:
        return raised.error
    below = "\n".join((*raised.after, ""))
    end = below.find("\n", found.end() - 1)
    return "\n".join(
        line.strip() for line in (raised.error + "\n" + below[:end]).splitlines() if line.strip()
    )


def groups(found: re.Match[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.strip()) for name, value in found.groupdict().items() if value)


def place(raised: Raised, chain: Chain) -> Location | None:
    """The user's line of this exception, or else of the others of its chain."""
    for each in (raised, *reversed(chain)):
        line = users_line(each.frames)
        if line is not None:
            return line
    return None


def sightings(failure: Failure) -> Iterator[Sighting]:
    """What the rules see in a chain: of each code its strongest sign, of these the last."""
    for rule in FAILURES:
        best: Sighting | None = None
        for raised in failure.chain:
            for sign in rule.signs:
                found = matched(sign, raised, failure.chain)
                if found is None:
                    continue
                if best is None or best.weak or not sign.weak:
                    best = Sighting(
                        rule.code,
                        error_text(sign, raised, found),
                        raised.at_line,
                        failure.times,
                        place(raised, failure.chain),
                        groups(found),
                        sign.weak,
                    )
                break
        if best is not None:
            yield best


def noted_sightings(noted: Noted) -> Iterator[Sighting]:
    for rule in FAILURES:
        for line in rule.lines:
            found = line.search(noted.text)
            if found is not None:
                error = found.group().strip() if len(noted.text) > 300 else noted.text.strip()
                yield Sighting(
                    rule.code, error, noted.at_line, noted.times, None, groups(found), False
                )
                break


def judge(log: Log) -> Explained:
    """Every known failure of the log, one finding for each user's line, and what is not known."""
    seen: list[Sighting] = []
    unknown: list[Unknown] = []
    others: list[Failure] = []
    for failure in log.failures:
        found = list(sightings(failure))
        seen += found
        if not found:
            others.append(failure)
    for noted in log.noted:
        found = list(noted_sightings(noted))
        seen += found
        if not found and noted.logged:
            unknown.append(Unknown(noted.text, noted.at_line, noted.times, None))
    strong = {each.code for each in seen if not each.weak}
    seen = [each for each in seen if not (each.weak and strong & SAYS_WHY.get(each.code, set()))]
    unknown += [each for failure in others for each in unknown_of(failure, known=bool(seen))]
    if not seen and not unknown:
        unknown = [
            Unknown("", failure.at_line, failure.times, place(failure.chain[-1], failure.chain))
            for failure in others
            if not failure.chain[-1].kind
        ]
    return Explained(findings(seen), tuple(sorted(unknown, key=lambda each: each.at_line)))


def unknown_of(failure: Failure, *, known: bool) -> Iterator[Unknown]:
    """The errors of a chain that no rule knows: its last, of a group each."""
    if failure.ignored:
        return
    grouped = failure.chain[0].kind.endswith("ExceptionGroup")
    told = [
        raised
        for raised in failure.chain
        if raised.kind
        and raised.kind not in NO_ERRORS
        and not IN_WORKER.search(raised.message)
        and not (known and (WRAPPERS.search(raised.kind) or OTHER_END.match(raised.error)))
    ]
    named = [raised for raised in told if not WRAPPERS.search(raised.kind)] or told
    for raised in named if grouped else named[-1:]:
        yield Unknown(
            raised.error, raised.at_line, failure.times, place(raised, failure.chain)
        )


def findings(seen: list[Sighting]) -> tuple[Finding, ...]:
    """One finding for each code and user's line; sightings without a line join the first."""
    together: dict[tuple[str, Location | None], list[Sighting]] = {}
    for each in sorted(seen, key=lambda each: (each.location is None, each.at_line)):
        key = (each.code, each.location)
        if each.location is None:
            key = next((known for known in together if known[0] == each.code), key)
        together.setdefault(key, []).append(each)
    made = [finding(code, location, each) for (code, location), each in together.items()]
    return tuple(found for _, found in sorted(made, key=lambda each: each[0]))


def finding(code: str, location: Location | None, seen: list[Sighting]) -> tuple[int, Finding]:
    """The line of the log where it begins, and the finding."""
    seen = sorted(seen, key=lambda each: each.at_line)
    shown = next((each for each in seen if not each.weak), seen[0])
    times = sum(each.times for each in seen)
    told = TOLD[code]
    details: dict[Words, dict[str, None]] = {}
    for each in seen:
        for name, value in each.groups:
            details.setdefault(LABELS[name], {})[value] = None
    return seen[0].at_line, Finding(
        code,
        Severity.error,
        told.title,
        told.causes,
        preferred(code, shown.error, location),
        Evidence(
            error=shown.error,
            seen=(
                (Words("log line", "日志行号"), same(str(shown.at_line))),
                (Words("printed", "出现次数"), printed(times)),
                *((label, some(tuple(values))) for label, values in details.items()),
            ),
        ),
        location,
        verify=told.verify,
        expected=expected(code),
    )


def printed(times: int) -> Words:
    return Words("once" if times == 1 else f"{times} times", "1 次" if times == 1 else f"{times} 次")


def some(values: tuple[str, ...]) -> Words:
    """The first few."""
    few = ", ".join(values[:8])
    more = len(values) - 8
    return Words(f"{few} and {more} more", f"{few} 等，另有 {more} 个") if more > 0 else same(few)


def recognise(text: str) -> str | None:
    """The code of the failure that an error's text tells of, None where no rule knows it."""
    explained = judge(logs.read(io.BytesIO(text.encode()), WATCH))
    return explained.findings[0].code if explained.findings else None
