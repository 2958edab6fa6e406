"""Logs as they were printed: known failures are found in them, look-alikes are not.

tests/logs has a file for each; its first lines say where it comes from and what is to be found.
"""

from __future__ import annotations

import io
import json
import re
import time
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cpgpt_doctor import logs, pages
from cpgpt_doctor.findings import Finding, Severity
from cpgpt_doctor.reports import view
from cpgpt_doctor.rules import failures
from cpgpt_doctor.rules.failures import FAILURES, WATCH, Explained, Sighting, recognise
from cpgpt_doctor.rules.failures.recognition import remedies
from cpgpt_doctor.words import Language
from tests.unit.test_pages import blocks

FOLDER = Path(__file__).parent
KNOWN = sorted((FOLDER / "known").glob("*.txt"))
ALIKE = sorted((FOLDER / "alike").glob("*.txt"))
CODES = tuple(rule.code for rule in FAILURES)


@dataclass(frozen=True)
class Recorded:
    """A log and what its first lines say of it."""

    headers: dict[str, str]
    text: str

    @property
    def expected(self) -> set[str]:
        return set(self.headers["expect"].split()) - {"none"}


def recorded(path: Path) -> Recorded:
    text = path.read_bytes().decode()
    headers = {}
    while header := re.match(r"# (source|expect|user-line|why): (.*)\n", text):
        headers[header[1]] = header[2]
        text = text[header.end() :]
    return Recorded(headers, text)


def explain(text: str | bytes) -> Explained:
    data = text.encode() if isinstance(text, str) else text
    return failures.judge(logs.read(io.BytesIO(data), WATCH))


def codes(explained: Explained) -> list[str]:
    return sorted(found.code for found in explained.findings)


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", KNOWN, ids=name)
def test_a_known_failure_is_found_and_nothing_else(path: Path) -> None:
    log = recorded(path)
    explained = explain(log.text)
    assert codes(explained) == sorted(log.expected)
    for found in explained.findings:
        assert found.severity is Severity.error
        assert found.evidence.error
        first_line = found.evidence.error.splitlines()[0]
        assert first_line in logs_text(log.text)


def logs_text(text: str) -> str:
    """The text without colours, as a reader sees it."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize(
    "path", [path for path in KNOWN if "user-line" in recorded(path).headers], ids=name
)
def test_the_users_own_line_is_named(path: Path) -> None:
    log = recorded(path)
    (found,) = explain(log.text).findings
    assert found.location is not None
    assert f"{found.location.path}:{found.location.line}" == log.headers["user-line"]
    shown = found.location.call
    if path.stem not in ("704-from-standard-input-py310", "716-prompt"):  # these show no source
        assert shown is not None
        assert shown in logs_text(log.text)


@pytest.mark.parametrize("path", ALIKE, ids=name)
def test_a_look_alike_is_not_taken_for_a_known_failure(path: Path) -> None:
    assert recorded(path).headers["why"]
    assert codes(explain(recorded(path).text)) == []


@pytest.mark.parametrize("path", KNOWN + ALIKE, ids=name)
def test_windows_line_ends_and_utf_16_change_nothing(path: Path) -> None:
    log = recorded(path)
    windows = log.text.replace("\r", "").replace("\n", "\r\n")
    assert set(codes(explain(windows))) == log.expected
    assert set(codes(explain(windows.encode("utf-16")))) == log.expected


def test_every_code_is_covered_with_a_source_for_each_log() -> None:
    assert len(KNOWN) >= 30
    assert len(ALIKE) >= 20
    covered = {code for path in KNOWN for code in recorded(path).expected}
    assert covered == set(CODES) == {f"CPG{number}" for number in range(701, 719)}
    for path in KNOWN + ALIKE:
        source = recorded(path).headers["source"]
        assert re.match(r"printed by a run: \S|https://github\.com/\S+/(?:issues|pull)/\d+", source)


def test_every_line_that_a_rule_fits_has_a_word_that_is_watched_for() -> None:
    """Lines without one are passed over."""
    told = [recorded(path).text for path in KNOWN]
    told += [pages.read(code, "en").parts["error"] for code in CODES]
    lines = {logs_text(line) for text in told for line in re.split(r"[\r\n]+", text)}
    fitted = 0
    for rule in FAILURES:
        patterns = (*(s.text for s in rule.signs if s.alone), *(line.text for line in rule.lines))
        for line in lines:
            if any(each.search(line) for each in patterns):
                fitted += 1
                assert any(word in line for word in rule.words), (rule.code, line)
    assert fitted > 100


# What is not known.


def unknown(path: str) -> list[tuple[str, str | None]]:
    told = explain(recorded(FOLDER / path).text).unknown
    return [
        (each.error, each.location and f"{Path(each.location.path).name}:{each.location.line}")
        for each in told
    ]


def test_an_unknown_error_is_named_with_the_users_line() -> None:
    assert unknown("alike/bug-in-dataset.txt") == [("KeyError: 5", "in_worker.py:21")]
    assert unknown("alike/exception-group.txt") == [("ValueError: part 1 is empty", "groups.py:11")]
    assert unknown("alike/notebook-key-error.txt") == [("KeyError: 'homo_sapiens'", "In[1]:4")]
    assert unknown("alike/plain-pickle-binary.txt") == [
        ("TypeError: cannot pickle 'BufferedReader' instances", "alike.py:25")
    ]


def test_of_a_group_what_is_known_and_what_is_not_are_both_named() -> None:
    assert unknown("known/707-exception-group.txt") == [
        ("FileNotFoundError: [Errno 2] No such file or directory: 'part2.txt'", "groups_sync.py:9")
    ]


def test_an_unknown_error_line_is_named() -> None:
    assert unknown("alike/logged-error.txt") == [
        ("2026-11-23 11:39:06,399 - cohort - ERROR - plate 7 has no sample sheet", None)
    ]


def test_a_process_that_died_is_not_passed_over() -> None:
    ((error, _),) = unknown("alike/bus-error-of-the-script.txt")
    assert "Bus error" in error


def test_a_job_that_slurm_ended_is_not_passed_over() -> None:
    assert any("TIME LIMIT" in error for error, _ in unknown("alike/slurm-time-limit.txt"))


def test_prose_is_no_error() -> None:
    assert unknown("alike/prose.txt") == []


def test_a_traceback_that_was_cut_off_is_named() -> None:
    text = recorded(FOLDER / "alike/own-mmap-missing.txt").text
    (cut,) = explain(text.rpartition("FileNotFoundError")[0]).unknown
    assert cut.error == ""
    assert cut.location is not None


def test_what_only_follows_from_a_known_failure_is_not_called_unknown() -> None:
    """torchrun's ChildFailedError, and the connection of a worker that did not start."""
    told = explain(recorded(FOLDER / "known/707-torchrun-ranks.txt").text).unknown
    assert not [each for each in told if "ChildFailedError" in each.error]


# Whole logs.

ERROR = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
TRACEBACK = f"""\
Traceback (most recent call last):
  File "/home/user/embed.py", line 12, in <module>
    embedder.parse_dna_embeddings(locations, species)
{ERROR}
"""


def test_the_same_failure_many_times_is_one_finding_with_a_count() -> None:
    (found,) = explain("epoch\n" + TRACEBACK * 300).findings
    assert [(key.en, value.en) for key, value in found.evidence.seen] == [
        ("log line", "5"),
        ("printed", "300 times"),
        ("asked for", "2.00 GiB"),
    ]


def test_two_places_of_one_failure_are_two_findings() -> None:
    found = explain(TRACEBACK + TRACEBACK.replace("line 12", "line 30")).findings
    assert [each.location and each.location.line for each in found] == [12, 30]


def test_everything_known_in_a_log_is_found_in_its_order() -> None:
    parts = ["703-torch213", "705-semaphores-py313", "707-numpy2", "714-species", "716-prompt"]
    text = "".join(recorded(FOLDER / f"known/{part}.txt").text for part in parts)
    assert [found.code for found in explain(text).findings] == [f"CPG{p[:3]}" for p in parts]


def prefixed(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


def test_lines_of_several_workers_are_told_apart_by_what_stands_before_them() -> None:
    first = prefixed(recorded(FOLDER / "known/707-numpy2.txt").text, "[rank0]: ").splitlines()
    second = prefixed(recorded(FOLDER / "known/703-torch213.txt").text, "[rank1]: ").splitlines()
    shuffled = [line for pair in zip(first, second, strict=False) for line in pair]
    shuffled += first[len(second) :] + second[len(first) :]
    found = explain("\n".join(shuffled)).findings
    assert {each.code: each.location and each.location.line for each in found} == {
        "CPG703": 8,
        "CPG707": 9,
    }


@pytest.mark.parametrize(
    "prefix",
    [
        "2023-10-06 05:57:22 | ERROR | stderr | ",
        "2026-11-23T11:36:36.233Z ",
        "web_1  | ",
        "(embed pid=4711) ",
        "Nov 23 11:36:36 node7 embed[4711]: ",
    ],
)
def test_a_prefix_of_every_line_hides_nothing(prefix: str) -> None:
    log = recorded(FOLDER / "known/712-offline.txt")
    (found,) = explain(prefixed(log.text, prefix)).findings
    assert found.code == "CPG712"
    assert found.location is not None
    assert f"{found.location.path}:{found.location.line}" == log.headers["user-line"]


def test_a_structured_log_holds_a_traceback_in_one_line() -> None:
    record = json.dumps({"level": "error", "exception": TRACEBACK})
    (found,) = explain(record).findings
    assert found.code == "CPG709"
    assert found.location is not None
    assert found.location.line == 12


def test_a_progress_bar_without_an_end_and_a_dumped_array_hide_nothing() -> None:
    bar = "".join(f"\r{number}%|███| {number}/100" for number in range(100)) * 2000
    array = "[" + "0.125, " * 300_000 + "]"
    explained = explain(f"{bar}{TRACEBACK}{array}\n{TRACEBACK}")
    assert codes(explained) == ["CPG709"]
    assert explained.findings[0].evidence.seen[1][1].en == "2 times"


@pytest.mark.parametrize(
    "line",
    [
        "a." * 30_000 + "Error",
        "(a" * 30_000 + "Error: x",
        "dna_llm must be one of dict_keys(" + ")" * 60_000,
        "Error processing sequence at index 1: " + "'" * 60_000,
        "CUDA out of memory. Tried to allocate 1 GiB" + "; 1 G" * 10_000,
        "Traceback (most recent call last):" * 1500,
        "x: line " * 8000 + "Bus error",
        " " * 60_000 + "Error",
        "[x] " * 15_000 + "Error",
        "1:" * 30_000 + "Error",
        "- > * " * 10_000 + "Error",
        "2026-01-01 10:00:00 " * 3000 + "Error",
        "Can't load it for 'x'" + "[" * 40_000,
        "\"'`" * 20_000 + "CUDA out of memory",
        "\n".join(["a b " * 10] * 3000) + "CUDA out of memory",
    ],
)
def test_no_line_takes_long(line: str) -> None:
    """A pattern that goes back and forth over such a line takes minutes."""
    begin = time.process_time()
    explain(line)
    assert time.process_time() - begin < 30


def test_memory_does_not_grow_with_the_log() -> None:
    def peak(times: int) -> int:
        line = "2026-11-23 11:36:36,233 - embed - INFO - batch {} of 100000, ERROR none\n"
        data = "".join(line.format(number) for number in range(times)).encode()
        tracemalloc.start()
        logs.read(io.BytesIO(data), WATCH)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(120_000) < 1.5 * peak(30_000)


def test_a_known_failure_is_kept_after_thousands_of_unknown_ones() -> None:
    letters = "abcdefghijklmnop"
    names = [a + b + c + d for a in letters for b in letters for c in letters for d in letters]
    noise = "".join(f"ValueError: no sample {name}\n" for name in names[:20_000])
    log = logs.read(io.BytesIO((noise + TRACEBACK).encode()), WATCH)
    assert log.left_out > 0
    assert codes(failures.judge(log)) == ["CPG709"]


# One error's text, as the supervisor of run-embed has it.


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("TypeError: cannot pickle 'BufferedReader' instances", "CPG701"),
        (
            "RuntimeError: DataLoader worker (pid 1234) is killed by signal: Killed. ",
            "CPG704",
        ),
        (
            "RuntimeError: [enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not"
            " enough memory: you tried to allocate 8000000000 bytes.",
            "CPG707",
        ),
        ("MemoryError", "CPG707"),
        ("RuntimeError: MPS backend out of memory (MPS allocated: 8.89 GB", "CPG708"),
        (ERROR, "CPG709"),
        ("RuntimeError: \n        An attempt has been made to start a new process before the\n"
         "        current process has finished its bootstrapping phase.", "CPG711"),
        ("TypeError: cannot pickle '_thread.lock' object", None),
        ("KeyError: 'homo_sapiens'", None),
        ("ValueError: mmap length is greater than file size", None),
        ("killed", None),
        ("", None),
    ],
)  # fmt: skip
def test_recognise_gives_the_code_of_one_errors_text(text: str, code: str | None) -> None:
    assert recognise(text) == code


@pytest.mark.parametrize("code", CODES)
def test_the_error_texts_of_a_page_are_recognised(code: str) -> None:
    """Those that tell enough without their frames."""
    needs_frames = {
        "CPG701": ("_thread.lock", "<lambda>", "Can't get attribute"),
        "CPG710": ("Caught RuntimeError",),
        "CPG713": ("successfully", "mmap length"),
        "CPG714": ("KeyError",),
        "CPG717": ("Logging error",),
    }
    for block in blocks(pages.read(code, "en").parts["error"]):
        if not any(text in block.text for text in needs_frames.get(code, ())):
            assert recognise(block.text) == code, block.text


# What is said of a failure is what its page says.

LANGUAGES: tuple[Language, ...] = ("en", "zh")
HEADING = {
    "en": re.compile(r"^### Remedy (\d+): (.*) \((.*)\)$", re.M),
    "zh": re.compile(r"^### 方案 (\d+)：(.*)（(.*)）$", re.M),
}
ADVICE = {"recommended": "推荐", "possible": "可行", "not recommended": "不推荐"}


def bare(text: str) -> str:
    """A page's text as one line without marks: white space and backticks do not count."""
    return re.sub(r"[`\s]", "", text)


def found(code: str) -> Finding:
    """A finding of the code, from a log; its remedies show what the page shows as a document."""
    path = next(path for path in KNOWN if code in recorded(path).expected)
    value = next(each for each in explain(recorded(path).text).findings if each.code == code)
    return replace(
        value, remedies=tuple(replace(each, values=(), advice=None) for each in value.remedies)
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_a_findings_texts_are_its_pages(code: str, language: Language) -> None:
    shown = view.finding(found(code), language)
    page = pages.read(code, language)
    assert shown.title == page.title.replace("`", "")
    steps = re.split(r"^\d+\. ", page.parts["cause"], flags=re.M)
    assert steps[0] == "", "the causes are a numbered list, and nothing else"
    assert [bare(cause) for cause in shown.causes] == [bare(step) for step in steps[1:]]
    commands = [block.text for block in blocks(page.parts["verify"]) if block.language == "bash"]
    assert "\n".join(shown.verify) + "\n" == commands[0]
    assert shown.expected
    assert code in shown.expected or code == "CPG715"
    assert bare(shown.expected) == bare(page.parts["verify"].split("```\n\n")[-1])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_a_finding_has_every_remedy_of_its_page_whole(code: str, language: Language) -> None:
    shown = {each.title: each for each in view.finding(found(code), language).remedies}
    text = pages.read(code, language).text
    headings = list(HEADING[language].finditer(text))
    assert {match[2].replace("`", "") for match in headings} == set(shown)
    assert [match[1] for match in headings] == [str(n + 1) for n in range(len(headings))]
    ends = [match.start() for match in headings[1:]] + [len(text)]
    for match, end in zip(headings, ends, strict=True):
        remedy = shown[match[2].replace("`", "")]
        advice = remedy.advice.replace("-", " ")
        assert match[3] == (advice if language == "en" else ADVICE[advice])
        section = re.split(r"^## ", text[match.end() : end], flags=re.M)[0]
        for each in blocks(section):
            known = {
                "python": (remedy.before, remedy.after),
                "bash": ("\n".join(remedy.commands),),
            }[each.language]
            assert each.text.removesuffix("\n") in known, remedy.title
        prose = bare(re.sub(r"```.*?```", "", section, flags=re.S))
        said = (*remedy.gains, *remedy.drawbacks, remedy.warning or "", remedy.why)
        assert all(bare(each) in prose for each in said), remedy.title
        left = prose
        for each in sorted(said, key=len, reverse=True):
            left = left.replace(bare(each), "", 1)
        labels = "Before❌|After✅|Run|修改前❌|修改后✅|运行"
        assert re.fullmatch(rf"(?:{labels}|-✅|-⚠️|-❌)*", left), (remedy.title, left)


@pytest.mark.parametrize("code", CODES)
def test_remedies_have_the_same_ids_in_both_languages(code: str) -> None:
    english, chinese = (pages.remedies(code, language) for language in LANGUAGES)
    assert list(english) == list(chinese)
    assert len(english) >= 2
    assert {remedy.id for remedy in found(code).remedies} == set(english)


def test_of_the_pages_only_those_of_what_was_seen_are_read_and_each_once() -> None:
    for function in (pages.source, pages.read, pages.remedies, pages.raw_parts):
        function.cache_clear()
    lines = "".join(TRACEBACK.replace("line 12", f"line {12 + n}") for n in range(100))
    assert len(explain(lines * 20).findings) == 100
    assert pages.source.cache_info().misses == len(LANGUAGES)


def sighted(code: str, error: str, *, through_cpgpt: bool = True) -> Sighting:
    return Sighting(code, error, 1, 1, None, (("key", "NTv3_8M_pre"),), through_cpgpt)


def first(code: str, error: str, *, through_cpgpt: bool = True) -> str:
    known = remedies(sighted(code, error, through_cpgpt=through_cpgpt))
    ordered = [each.id for each in known]
    of_page = pages.remedies(code, "en")
    assert (known[0].advice or of_page[ordered[0]].advice) == "recommended"
    assert ordered[1:] == [each for each in of_page if each != ordered[0]]
    return ordered[0]


def test_the_remedy_that_fits_the_error_comes_first_and_the_others_as_on_the_page() -> None:
    error = "OSError: You are trying to access a gated repo.\n401 Client Error."
    assert first("CPG712", error) == "log-in"
    assert first("CPG712", "OSError: We couldn't connect to") == "fetch-once"
    assert first("CPG714", "ValueError: dna_llm must be one of") == "model-name"
    assert first("CPG714", "KeyError: 'NTv3_8M_pre'") == "learn-model"
    assert first("CPG714", "KeyError: 'human'") == "species-name"
    assert first("CPG702", "ValueError: prefetch_factor option", through_cpgpt=False) == (
        "only-with-workers"
    )
    lock = "TypeError: cannot pickle '_thread.lock' object"
    assert first("CPG701", lock, through_cpgpt=False) == "main-process"
    slurm = "slurmstepd: error: Detected 1 oom_kill event in StepId=1.batch"
    assert first("CPG707", slurm) == "more-memory"
    assert first("CPG707", "MemoryError") == "smaller-batch"
    others = "Process 1 has 3.37 GiB memory in use. This process has 440.00 MiB memory in use."
    others = others.replace("This", "Including non-PyTorch memory, this")
    assert first("CPG709", others) == "other-card"
    assert first("CPG709", "CUDA error: out of memory") == "smaller-batch"
    assert first("CPG701", "TypeError: cannot pickle") == "main-process"


def remedy_first(text: str) -> str:
    (finding,) = explain(text).findings
    return finding.remedies[0].id


def test_the_remedy_is_for_what_was_done() -> None:
    function = """\
Traceback (most recent call last):
  File "/home/user/a.py", line 9, in <module>
    list(DataLoader([1], num_workers=1, collate_fn=make()))
  File "/home/user/lib/python3.12/multiprocessing/popen_spawn_posix.py", line 47, in _launch
    reduction.dump(process_obj, fp)
AttributeError: Can't pickle local object 'make.<locals>.collate'
"""
    assert remedy_first(function) == "named-in-module"
    wanted = "AttributeError: Can't pickle local object 'make.<locals>.collate'"
    lock = function.replace(wanted, "TypeError: cannot pickle '_thread.lock' object")
    assert remedy_first(lock) == "main-process"
    # The very text of the page that users wrote, without a frame of CpGPT's.
    assert remedy_first("TypeError: cannot pickle 'BufferedReader' instances") == "main-process"
    training = TRACEBACK.replace("/home/user/embed.py", "/opt/lib/lightning/pytorch/loops/fit.py")
    assert remedy_first(training) == "training-batch"
    assert remedy_first(TRACEBACK) == "smaller-batch"
    slurm = "slurmstepd: error: Detected 1 oom_kill event in StepId=1234.batch."
    assert (
        remedy_first(f"run.sh: line 3: 47 Killed      python embed.py\n{slurm}\n") == "more-memory"
    )
    assert remedy_first("run.sh: line 3: 47 Killed      python embed.py\n") == "smaller-batch"


def test_the_build_of_pytorch_is_one_that_has_the_card() -> None:
    warning = (
        "NVIDIA {} with CUDA capability {} is not compatible with the current PyTorch installation."
    )
    for card, capability, build in [
        ("GeForce RTX 5090", "sm_120", "cu128"),
        ("GB200", "sm_100", "cu128"),
        ("Tesla P40", "sm_61", "cu126"),
    ]:
        remedy = shown_remedies(warning.format(card, capability))["CPG716.fitting-build"]
        assert remedy.commands[1].endswith(f"torch torchvision --index-url {URL}/{build}")


URL = "https://download.pytorch.org/whl"


def shown_remedies(text: str) -> dict[str, view.Remedy]:
    (finding,) = explain(text).findings
    return {each.id: each for each in view.finding(finding, "en").remedies}


def test_what_is_missing_from_the_download_is_downloaded_first() -> None:
    missing = (
        "FileNotFoundError: CpGPT dependencies for 'human' are not available from Hugging Face"
    )
    shown = shown_remedies(missing)
    assert next(iter(shown)) == "CPG718.download"
    assert {each.partition(".")[0] for each in list(shown)[1:]} == {"CPG712"}
    folder = "/data/deps/human/dna_embeddings/homo_sapiens"
    shown = shown_remedies(f"FileNotFoundError: Species directory is missing: {folder}")
    assert next(iter(shown)) == "CPG718.download"
    assert 'local_dir="/data/deps")' in (shown["CPG718.download"].after or "")


def test_remedies_hold_what_was_seen() -> None:
    call = "embedder.parse_dna_embeddings(locations, species, batch_size=12, num_workers=6)"
    memory = TRACEBACK.replace("embedder.parse_dna_embeddings(locations, species)", call)
    smaller = shown_remedies(memory)["CPG709.smaller-batch"]
    assert "batch_size=12," in (smaller.before or "")
    assert "batch_size=6," in (smaller.after or "")
    assert smaller.commands[0].endswith("--batch-size 6")
    killed = memory.replace(
        ERROR, "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. "
    )
    assert "num_workers=6)" in (shown_remedies(killed)["CPG704.main-process"].before or "")
    other = (
        "OSError: InstaDeepAI/NTv3_8M_pre is not a local folder and is not a valid model identifier"
    )
    (fetch,) = shown_remedies(other)["CPG712.fetch-once"].commands
    assert fetch.endswith("get('InstaDeepAI/NTv3_8M_pre')\"")
    species = "FileNotFoundError: Species directory is missing: deps/dna_embeddings/homo_sapiens"
    given = shown_remedies(species)["CPG718.folder-of-download"]
    assert (given.before, given.after) == (
        'embedder = DNALLMEmbedder("deps")',
        'embedder = DNALLMEmbedder("deps/human")',
    )


def test_a_log_puts_no_code_into_remedies() -> None:
    hostile = "x/y');__import__('os').system('id')#"
    bad = f"OSError: {hostile} is not a local folder and is not a valid model identifier"
    (fetch,) = shown_remedies(bad)["CPG712.fetch-once"].commands
    assert fetch.endswith("get('InstaDeepAI/nucleotide-transformer-v2-500m-multi-species')\"")
    for folder in ('a";id;"', "$(id)", "`id`", "-rf a", "a b"):
        text = f"FileNotFoundError: Species directory is missing: {folder}/dna_embeddings/x"
        for remedy in shown_remedies(text).values():
            assert folder not in str(remedy), remedy
