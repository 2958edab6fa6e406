"""CPG7xx: failures recognised in a log."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cpgpt_doctor import logs, pages
from cpgpt_doctor.findings import Evidence, Finding, Location, Remedy, Severity, Values
from cpgpt_doctor.logs import Failure, Log, Noted, Raised, Watch
from cpgpt_doctor.rules.failures.frames import CPGPT, through, users_line
from cpgpt_doctor.rules.failures.signs import FAILURES, IN_WORKER, WATCHED, Chain, Line, Sign
from cpgpt_doctor.words import Words, same


@dataclass(frozen=True)
class Sighting:
    """One failure of a code, as often as it was printed alike."""

    code: str
    error: str
    at_line: int
    times: int
    location: Location | None
    groups: tuple[tuple[str, str], ...] = ()
    through_cpgpt: bool = False
    weak: bool = False
    training: bool = False


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


# A weak sign counts for nothing where one of these says why.
SAYS_WHY = {"CPG704": {"CPG701", "CPG705", "CPG706", "CPG711"}, "CPG717": {"CPG717"}}

# Exceptions that only pass another one on, or end what another one broke.
WRAPPERS = re.compile(
    r"RemoteTraceback|ProcessRaisedException|ProcessExitedException|ChildFailedError"
    r"|(?:Base)?ExceptionGroup$"
)
NO_ERRORS = ("KeyboardInterrupt", "SystemExit", "GeneratorExit")
# The other end of a broken start of a worker.
OTHER_END = re.compile(r"EOFError|BrokenPipeError|UnpicklingError: pickle data was truncated")

MODEL = re.compile(r"dna_llm|DNA LLM|DNA language model|nucleotide-|NTv3|DNABERT|hyenadna")

# Lines that one message may be broken into.
BROKEN_INTO = 3

# A longer line, and a logger's record as it lies in memory, are not shown whole.
LONGEST_LINE = 300
RECORD = re.compile(r"^\s*\{|Record was: \{|'(?:message|msg|record)': ")
# So much is shown of an error that no rule knows.
LONGEST_UNKNOWN = 300

OTHER_PROCESS = re.compile(r"\bProcess \d+ has ([\d.]+) ([KMGT])iB memory in use")
THIS_PROCESS = re.compile(r"this process has ([\d.]+) ([KMGT])iB memory in use")
TRAINER = re.compile(
    r"(?:^|/)(?:lightning|pytorch_lightning)/|(?:^|/)cpgpt/(?:train\.py$|trainer/)"
)

# What the named groups of a sign tell.
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
    "folder": Words("folder", "目录"),
    "species": Words("species", "物种"),
    "model": Words("model", "模型"),
    "key": Words("name", "名字"),
    "name": Words("name", "函数名 / 类名"),
    "gpu": Words("GPU", "显卡（GPU）"),
    "capability": Words("capability", "计算能力"),
    "sequence": Words("names", "序列名"),
    "reason": Words("reason", "原因"),
    "index": Words("indices", "下标"),
}


def matched(sign: Sign, raised: Raised, chain: Chain) -> re.Match[str] | None:
    found = sign.text.search(raised.error) or broken(sign, raised)
    if found is None or (sign.unless is not None and sign.unless.search(raised.error)):
        return None
    if not (sign.shown(raised, chain) if raised.frames else sign.alone):
        return None
    if sign.then is not None:
        return sign.then.search("\n".join((*raised.after, "")))
    return found


def broken(sign: Sign, raised: Raised) -> re.Match[str] | None:
    """The wording in an error's line and the next ones, which a terminal or a log has broken.

    Where the first has no message, it is the next line's.
    """
    if not sign.alone or sign.then is not None or not raised.after:
        return None
    below = [each.strip() for each in raised.after[:BROKEN_INTO]]
    for text in (" ".join((raised.error, *below)), raised.error + "".join(below)):
        found = sign.text.search(text)
        if found is not None and found.start() < len(raised.error):
            return found
    if not raised.message and below[0]:
        return sign.text.search(f"{raised.kind}: {below[0]}")
    return None


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
                if best is not None and best.error == raised.error and best.location:
                    break  # handed on to another process: the line in the first one counts
                if best is None or best.weak or not sign.weak:
                    best = Sighting(
                        rule.code,
                        error_text(sign, raised, found),
                        raised.at_line,
                        failure.times,
                        None if failure.mixed else place(raised, failure.chain),
                        groups(found),
                        any(through(each.frames, CPGPT) for each in failure.chain),
                        sign.weak,
                        any(through(each.frames, TRAINER) for each in failure.chain),
                    )
                break
        if best is not None:
            yield best


def told(line: Line, noted: Noted) -> re.Match[str] | None:
    """Where the line tells of the failure; it may cite its words, too."""
    if line.unless is not None and line.unless.search(noted.text):
        return None
    for found in line.text.finditer(noted.text):
        if not logs.cited(noted.text, *found.span()) and line.shown(noted, found):
            return found
    return None


def noted_sightings(noted: Noted) -> Iterator[Sighting]:
    for rule in FAILURES:
        for line in rule.told:
            found = told(line, noted)
            if found is not None:
                whole = len(noted.text) <= LONGEST_LINE and not RECORD.search(noted.text)
                error = (noted.text if whole else found.group()).strip()
                yield Sighting(rule.code, error, noted.at_line, noted.times, None, groups(found))
                break


def judge(log: Log) -> Explained:
    """Every known failure of the log, one finding for each user's line, and what is not known."""
    seen: list[Sighting] = []
    unknown: list[Unknown] = []
    others: list[Failure] = []
    for failure in log.failures:
        found = list(sightings(failure))
        seen += found
        if not found or is_group(failure):
            others.append(failure)
    for noted in log.noted:
        found = list(noted_sightings(noted))
        seen += found
        if not found and noted.logged:
            unknown.append(Unknown(noted.text, noted.at_line, noted.times, None))
    seen = list(with_reasons(seen))
    unknown += [each for failure in others for each in unknown_of(failure, known=bool(seen))]
    if not seen and not unknown:
        unknown = [
            Unknown("", failure.at_line, failure.times, place(failure.chain[-1], failure.chain))
            for failure in others
            if not failure.chain[-1].kind
        ]
    return Explained(findings(seen), merged(unknown))


def merged(unknown: list[Unknown]) -> tuple[Unknown, ...]:
    """Each unknown failure once, with a text that a screen can hold."""
    together: dict[tuple[str, Location | None], Unknown] = {}
    for each in sorted(unknown, key=lambda each: each.at_line):
        key = (logs.alike(each.error), each.location)
        before = together.get(key)
        if before is not None:
            together[key] = replace(before, times=before.times + each.times)
        elif len(each.error) > LONGEST_UNKNOWN:
            together[key] = replace(each, error=each.error[:LONGEST_UNKNOWN].rstrip() + " …")
        else:
            together[key] = each
    return tuple(together.values())


def with_reasons(seen: list[Sighting]) -> Iterator[Sighting]:
    """Without weak sightings where others say why; these get the user's line of the former."""
    strong = {each.code for each in seen if not each.weak}
    lines: dict[str, Location | None] = {}
    for each in seen:
        if each.weak:
            for code in SAYS_WHY[each.code] & strong:
                lines[code] = lines.get(code) or each.location
    for each in seen:
        if not each.weak:
            yield replace(each, location=each.location or lines.get(each.code))
        elif not SAYS_WHY[each.code] & strong:
            yield each


def is_group(failure: Failure) -> bool:
    return failure.chain[0].kind.endswith("ExceptionGroup")


def unknown_of(failure: Failure, *, known: bool) -> Iterator[Unknown]:
    """The errors of a chain that no rule knows: its last, of a group each."""
    if failure.ignored:
        return
    told = [
        raised
        for raised in failure.chain
        if raised.kind
        and raised.kind not in NO_ERRORS
        and not IN_WORKER.search(raised.message)
        and not (known and (WRAPPERS.search(raised.kind) or OTHER_END.match(raised.error)))
    ]
    named = [raised for raised in told if not WRAPPERS.search(raised.kind)] or told
    for raised in named if is_group(failure) else named[-1:]:
        if is_group(failure) and any(
            matched(sign, raised, failure.chain) for rule in FAILURES for sign in rule.signs
        ):
            continue
        yield Unknown(raised.error, raised.at_line, failure.times, place(raised, failure.chain))


def findings(seen: list[Sighting]) -> tuple[Finding, ...]:
    """One finding for each code and user's line; sightings without a line join the first."""
    together: dict[tuple[str, str, int | None], list[Sighting]] = {}
    for each in sorted(seen, key=lambda each: (each.location is None, each.at_line)):
        if each.location is not None:
            key = (each.code, each.location.path, each.location.line)
        else:
            key = next(
                (known for known in together if known[0] == each.code), (each.code, "", None)
            )
        together.setdefault(key, []).append(each)
    made = [finding(code, each) for (code, _, _), each in together.items()]
    return tuple(found for _, found in sorted(made, key=lambda each: each[0]))


def finding(code: str, seen: list[Sighting]) -> tuple[int, Finding]:
    """The line of the log where it begins, and the finding."""
    seen = sorted(seen, key=lambda each: each.at_line)
    # The one that tells most: with the user's line, as it was printed most often (where processes
    # write at once, single lines are garbled).
    shown = max(seen, key=lambda each: (each.location is not None, not each.weak, each.times))
    times = sum(each.times for each in seen)
    details: dict[Words, dict[str, None]] = {}
    for each in seen:
        for name, value in each.groups:
            details.setdefault(LABELS[name], {})[value] = None
    return seen[0].at_line, Finding(
        code,
        Severity.error,
        pages.title(code),
        pages.causes(code),
        remedies(shown, tuple(seen)),
        Evidence(
            error=shown.error,
            seen=(
                (Words("log line", "日志行号"), same(str(shown.at_line))),
                (Words("printed", "出现次数"), printed(times)),
                *((label, some(tuple(values))) for label, values in details.items()),
            ),
        ),
        shown.location,
    )


def remedies(shown: Sighting, others: tuple[Sighting, ...] = ()) -> tuple[Remedy, ...]:
    """All remedies of the page, with the one first that fits this error best.

    others: of the same failure, which may say more: the shell says that a process was killed, and
    Slurm why.
    """
    seen = seen_values(shown)
    known = [
        Remedy(name, values=tuple(each for each in seen if each[0] in remedy.placeholders))
        for name, remedy in pages.remedies(shown.code, "en").items()
    ]
    if shown.code == "CPG712" and "CpGPT dependencies for" in shown.error:
        return (Remedy("download", page="CPG718"), *known)
    first = next((fit for each in (shown, *others) if (fit := fits_best(each))), None)
    if first is None:
        return tuple(known)
    best = next(replace(remedy, advice="recommended") for remedy in known if remedy.id == first)
    return (best, *(remedy for remedy in known if remedy.id != first))


def fits_best(shown: Sighting) -> str | None:
    """The remedy for this error, where it is not the one that the page has first."""
    match shown.code:
        case "CPG701" if not shown.through_cpgpt and dict(shown.groups).keys() & {"local", "named"}:
            return "named-in-module"  # a function or class, in a DataLoader of the user's own
        case "CPG701" if not shown.through_cpgpt and "Can't get attribute" in shown.error:
            return "named-in-module"
        case "CPG702" if not shown.through_cpgpt:
            return "only-with-workers"
        case "CPG707" if re.search(r"\bslurmstepd|\bsrun: |OOMKilled|MEMLIMIT|PBS: ", shown.error):
            return "more-memory"  # a limit of the job's or the container's
        case "CPG707" | "CPG709" if shown.training:
            return "training-batch"
        case "CPG709" if held_by_others(shown.error):
            return "other-card"
        case "CPG712" if re.search(r"gated|\b40[13]\b", shown.error):
            return "log-in"
        case "CPG714" if MODEL.search(shown.error):
            return "learn-model" if shown.error.startswith("KeyError") else "model-name"
        case "CPG718" if re.search(r"[\\/](?:human|mammalian)[\\/]dna_embeddings", shown.error):
            return "download"  # the embedder has the right folder, and nothing is in it
    return None


def held_by_others(error: str) -> bool:
    """Whether other processes hold more of the card than this one, as PyTorch's message says."""
    others = [gigabytes(each) for each in OTHER_PROCESS.finditer(error)]
    this = THIS_PROCESS.search(error)
    return this is not None and sum(others) > gigabytes(this)


def gigabytes(found: re.Match[str]) -> float:
    return float(found[1]) * {"K": 2**-20, "M": 2**-10, "G": 1.0, "T": 2**10}[found[2]]


def seen_values(shown: Sighting) -> Values:
    """What is filled in in remedies. They are pasted into shells: nothing but plain names."""
    groups = dict(shown.groups)
    values: dict[str, str] = {}
    call = (shown.location and shown.location.call) or ""
    if workers := re.search(r"\bnum_workers=([1-9]\d{0,3})\b", call):
        values["workers"] = workers[1]
    batch = re.search(r"\bbatch_size=([1-9]\d{0,5})\b", call)
    if batch and int(batch[1]) > 1:
        values["batch"] = batch[1]
        values["smaller"] = str(int(batch[1]) // 2)
    if shown.code == "CPG712":
        repository = groups.get("repository", "")
        if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII):
            values["model"] = repository
    elif shown.code == "CPG716":
        generation = re.fullmatch(r"sm_(\d)\d", groups.get("capability", ""))
        if generation and int(generation[1]) < 7:
            values["build"] = "cu126"  # older than what later builds have
    elif shown.code == "CPG714" and fits_best(shown) == "learn-model":
        values["model"] = groups["key"]
    elif shown.code == "CPG718":
        folder = re.fullmatch(
            r"([\w./~][\w./~-]*?)(?:/(?:human|mammalian))?/dna_embeddings\b.*", groups["folder"]
        )
        if folder:
            values["folder"] = folder[1]
    return tuple((name, same(value)) for name, value in values.items())


def printed(times: int) -> Words:
    return Words("1 time" if times == 1 else f"{times} times", f"{times} 次")


def some(values: tuple[str, ...]) -> Words:
    """The first few."""
    few = ", ".join(values[:8])
    more = len(values) - 8
    return Words(f"{few} and {more} more", f"{few} 等，另有 {more} 个") if more > 0 else same(few)


def known(shown: Failure | Noted) -> bool:
    found = sightings(shown) if isinstance(shown, Failure) else noted_sightings(shown)
    return next(found, None) is not None


# For logs.read.
WATCH = Watch(WATCHED, known)


def recognise(text: str) -> str | None:
    """The code of the failure that an error's text tells of, None where no rule knows it."""
    explained = judge(logs.read(io.BytesIO(text.encode()), WATCH))
    return explained.findings[0].code if explained.findings else None
