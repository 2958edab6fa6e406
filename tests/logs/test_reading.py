"""Logs as they come to a reader: behind prefixes, broken, packed, mixed; what is only cited."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cpgpt_doctor import logs
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.explain import log_markdown, read_log
from cpgpt_doctor.rules import failures
from cpgpt_doctor.rules.failures import WATCH, Explained
from tests.logs.corpus import Entry, Half, entries

ERROR = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
TRACEBACK = f"""\
Traceback (most recent call last):
  File "/home/user/embed.py", line 12, in <module>
    embedder.parse_dna_embeddings(locations, species)
  File "/home/user/venv/lib/python3.12/site-packages/torch/nn/modules/module.py", line 1532, in call
    return forward_call(*args, **kwargs)
{ERROR}
"""


def explain(text: str | bytes) -> Explained:
    data = text.encode() if isinstance(text, str) else text
    return failures.judge(logs.read(io.BytesIO(data), WATCH))


def seen(text: str | bytes) -> list[tuple[str, int | None]]:
    """Codes, and the user's line of each."""
    return [
        (each.code, each.location.line if each.location else None)
        for each in explain(text).findings
    ]


def codes(text: str | bytes) -> list[str]:
    return [code for code, _ in seen(text)]


def each_line(text: str, change: Callable[[int, str], str]) -> str:
    lines = text.splitlines()
    return "".join(change(number, line) + "\n" for number, line in enumerate(lines, 1))


# Behind prefixes.


@pytest.mark.parametrize("indent", ["    ", "\t", "  ", "\t\t", " "])
def test_a_traceback_that_is_indented_as_a_whole_is_one(indent: str) -> None:
    log = each_line(TRACEBACK, lambda _, line: indent + line)
    assert seen("started\n" + log + "ended\n") == [("CPG709", 12)]
    assert seen("started\n" + log.partition("\n")[2]) == [("CPG709", 12)]


def test_of_a_traceback_whose_places_alone_are_indented_the_error_is_found() -> None:
    log = each_line(TRACEBACK, lambda _, line: line if line == ERROR else "    " + line)
    assert seen(log) == [("CPG709", 12)]


NUMBERED: dict[str, Callable[[int, str], str]] = {
    "cat -n": lambda number, line: f"{number:6}\t{line}",
    "grep -n": lambda number, line: f"{number}:{line}",
    "grep -Hn": lambda number, line: f"run-3.log:{number}:{line}",
}


@pytest.mark.parametrize("form", NUMBERED)
def test_the_numbers_of_lines_hide_nothing(form: str) -> None:
    number = NUMBERED[form]
    assert seen(each_line("epoch 1\n" * 96 + TRACEBACK, number)) == [("CPG709", 12)]
    headless = TRACEBACK.partition("\n")[2]
    assert seen(each_line(headless, number)) == [("CPG709", 12)]
    assert codes(each_line(ERROR, number)) == ["CPG709"]


def test_processes_that_write_into_one_log_are_told_apart_by_their_prefixes() -> None:
    other = TRACEBACK.replace("line 12", "line 30").replace(
        ERROR, "ValueError: persistent_workers option needs num_workers > 0"
    )
    for first, second in [
        ("[rank0]: ", "[rank1]: "),
        ("(embed pid=11) ", "(embed pid=12) "),
        ("embed-1  | ", "embed-2  | "),
        ("0: ", "1: "),
    ]:
        a = each_line(TRACEBACK, lambda _, line, p=first: p + line).splitlines()  # type: ignore[misc]
        b = each_line(other, lambda _, line, p=second: p + line).splitlines()  # type: ignore[misc]
        mixed = "\n".join(line for pair in zip(a, b, strict=True) for line in pair)
        assert sorted(seen(mixed)) == [("CPG703", 30), ("CPG709", 12)]


def test_where_tracebacks_without_prefixes_are_mixed_no_place_is_named() -> None:
    other = TRACEBACK.replace("line 12", "line 30")
    mixed = "\n".join(
        line
        for pair in zip(TRACEBACK.splitlines(), other.splitlines(), strict=True)
        for line in pair
    )
    assert seen(mixed) == [("CPG709", None)]
    assert seen(TRACEBACK + other) == [("CPG709", 12), ("CPG709", 30)]


def test_records_of_docker_and_of_loggers_are_read() -> None:
    docker = each_line(TRACEBACK, lambda _, line: json.dumps({"log": line + "\n", "stream": "err"}))
    assert seen(docker) == [("CPG709", 12)]
    record = {"level": "error", "message": "embedding failed", "exc_info": TRACEBACK}
    assert seen(json.dumps(record)) == [("CPG709", 12)]
    assert codes(json.dumps({"error": {"type": "x", "message": ERROR}})) == ["CPG709"]
    rule = {"match": "CUDA out of memory. Tried to allocate", "advice": "a smaller batch"}
    assert codes(json.dumps(rule)) == []


# Broken.


@pytest.mark.parametrize("width", [64, 72, 80, 100])
@pytest.mark.parametrize("at_blanks", [True, False])
def test_lines_broken_at_the_width_of_a_terminal_are_put_together(
    width: int, at_blanks: bool
) -> None:
    command = ["fold", "-w", str(width), *(["-s"] if at_blanks else [])]
    broken = subprocess.run(
        command, input=TRACEBACK, capture_output=True, text=True, check=True
    ).stdout
    assert codes(broken) == ["CPG709"]
    assert seen(broken) == [("CPG709", 12)]
    alone = "OSError: models/nt is not a local folder and is not a \nvalid model identifier listed"
    assert codes(alone) == ["CPG712"]


def test_a_message_on_the_line_below_its_type_is_read() -> None:
    assert codes("ValueError:\npersistent_workers option needs num_workers > 0\n") == ["CPG703"]
    assert codes("ValueError:\nno sample sheet\n") == []


def test_an_error_and_the_first_line_of_another_are_not_one() -> None:
    text = "ValueError: no sheet of plate 3\n" + TRACEBACK
    assert seen(text) == [("CPG709", 12)]


def test_typographic_quotes_are_quotes() -> None:
    curly = TRACEBACK.replace(' "', " “").replace('"', "”")
    assert "“" in curly
    assert seen(curly) == [("CPG709", 12)]
    assert codes("TypeError: cannot pickle ‘BufferedReader’ instances") == ["CPG701"]


# Packed, and of other encodings.


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_log_is_read(pack: Callable[[bytes], bytes]) -> None:
    assert seen(pack(b"epoch 1\n" * 300_000 + TRACEBACK.encode())) == [("CPG709", 12)]
    twice = pack(b"epoch 1\n") + pack(TRACEBACK.encode())  # as log rotation appends
    assert seen(twice) == [("CPG709", 12)]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_log_that_is_cut_off_is_refused_in_one_line(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    log = tmp_path / "run.log.packed"
    log.write_bytes(pack(TRACEBACK.encode() * 50)[:-20])
    with pytest.raises(InputError, match=r"run\.log\.packed: is compressed .*cut off"):
        read_log(str(log))


def test_a_log_packed_in_another_way_is_not_called_a_log_without_failures(tmp_path: Path) -> None:
    log = tmp_path / "run.log.zst"
    log.write_bytes(b"\x28\xb5\x2f\xfd\x24\x0a" + bytes(20))
    with pytest.raises(InputError, match=r"compressed \(zstd\): unpack it first"):
        read_log(str(log))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read(encoding: str) -> None:
    assert seen(("嵌入 1\r\n" * 50 + TRACEBACK).encode(encoding)) == [("CPG709", 12)]


@pytest.mark.parametrize("megabytes", [20, pytest.param(200, marks=pytest.mark.full)])
def test_a_failure_at_the_end_of_a_very_long_line_is_found(megabytes: int) -> None:
    """A dumped array, and then the error without a line's end between."""

    class Long(io.RawIOBase):
        """So many megabytes of numbers and the error, never in memory at once."""

        left = megabytes << 20

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            if self.left > 0:
                self.left -= size
                return b"0.125, " * (size // 7)
            if self.left > -(1 << 30):
                self.left = -(1 << 30)
                return b"]" + ERROR.encode()
            return b""

    log = logs.read(Long(), WATCH)  # type: ignore[arg-type]
    assert [each.code for each in failures.judge(log).findings] == ["CPG709"]
    assert log.lines == 1


# What is kept.


def test_known_failures_are_not_crowded_out_by_unknown_ones_that_have_their_words() -> None:
    """Such as pickling errors of a pool, thousands of them, before one of a DataLoader."""
    pool = """\
Traceback (most recent call last):
  File "/home/user/tasks.py", line {}, in <module>
    pool.map(load, tasks)
  File "/home/user/venv/lib/python3.12/multiprocessing/pool.py", line 771, in get
    raise self._value
AttributeError: Can't pickle local object 'main.<locals>.load_{}'
"""
    letters = "abcdefghijklmnop"
    many = "".join(pool.format(n, letters[n % 16] * (1 + n // 16)) for n in range(3000))
    log = logs.read(io.BytesIO((many + TRACEBACK).encode()), WATCH)
    assert log.left_out > 0
    assert [each.code for each in failures.judge(log).findings] == ["CPG709"]


def test_equal_unknown_failures_are_one_and_what_is_shown_of_it_is_bounded() -> None:
    text = "".join(f"ValueError: no sample {n} " + "x" * 5000 + "\n\n" * 20 for n in range(30))
    (unknown,) = explain(text).unknown
    assert unknown.times == 30
    assert unknown.at_line == 1
    assert len(unknown.error) < 400


def test_markdown_has_a_heading_with_code_and_title_for_each_answer(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text(TRACEBACK + "ValueError: persistent_workers option needs num_workers > 0\n")
    headings = [
        line
        for line in log_markdown(read_log(str(log)), "en").splitlines()
        if line.startswith("## ")
    ]
    assert [line.split(" · ")[0].split()[-1] for line in headings] == ["CPG709", "CPG703"]
    assert all(len(line.split(" · ")[1]) > 10 for line in headings)


def test_717_shows_reasons_and_indices_and_no_raw_record() -> None:
    record = (
        "Record was: {'elapsed': datetime.timedelta(seconds=3), 'message':"
        " \"Error processing sequence at index 7: 'chr2 not in genome.fa.'\", 'name': 'cpgpt'}"
    )
    line = "cpgpt -DNALLMEmbedder: Error processing sequence at index 4: bad position -3"
    (found,) = explain(f"{record}\n{line}\n").findings
    told = {key.en: value.en for key, value in found.evidence.seen}
    assert told["indices"] == "7, 4"
    assert told["names"] == "chr2"
    assert told["reason"] == "bad position -3"
    assert "timedelta" not in (found.evidence.error or "")


def test_717_is_cpgpts() -> None:
    assert codes("Error processing sequence at index 3: timeout of the server") == []
    assert codes("Error processing sequence at index 3: 'chr9 not in genome.fa.'") == ["CPG717"]


# What is only cited.

CITED = [
    '    raise ValueError("persistent_workers option needs num_workers > 0")',
    "        raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')",
    '    12\t    raise ValueError("persistent_workers option needs num_workers > 0")',
    'src/a.py:41:    raise ValueError("persistent_workers option needs num_workers > 0")',
    '    if "CUDA out of memory" in str(error):',
    f'    text = "{ERROR}"',
    f"# {ERROR}",
    "// RuntimeError: received 0 items of ancdata",
    "workers = 0  # RuntimeError: received 0 items of ancdata",
    f"| `{ERROR}` | a smaller batch |",
    f"If you see `{ERROR}`, use a smaller batch.",
    f'The message "{ERROR}" means that memory was short.',
    f"- **{ERROR}** means that memory was short.",
    f"## {ERROR}",
    '    - contains: "Out of memory: Killed process 12 (python)"',
    '  {"match": "DefaultCPUAllocator: not enough memory", "advice": "less"}',
    '            "CUDA out of memory. Tried to allocate"',
    f'    f"{ERROR}"',
    f"It replaces PyTorch's '{ERROR}' with advice",
    "from .errors import GatedRepoError, RepositoryNotFoundError",
    "    GatedRepoError,",
    "If you encounter CUDA out of memory, try a smaller tile.",
    "    Raises RuntimeError: CUDA out of memory. where the batch is too large",
    '-    raise ValueError("persistent_workers option needs num_workers > 0")',
]
TOLD = [
    f'"{ERROR}"',
    f"`{ERROR}`",
    f"**{ERROR}**",
    f"> {ERROR}",
    f"E   {ERROR}",
    f"embedding of plate 3 failed: {ERROR}",
    f"出错了：{ERROR}",
    "failed: OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')",
    '    "exception": "CUDA out of memory. Tried to allocate 2.00 GiB",',
    "Exception string: 'CUDA out of memory. Tried to allocate 2.00 GiB",
    "####### epoch 1 ####### CUDA out of memory. Tried to allocate 2.00 GiB",
]


@pytest.mark.parametrize("line", CITED)
def test_words_of_a_failure_in_source_code_and_documents_are_no_failure(line: str) -> None:
    assert codes(f"before\n{line}\nafter\n") == []


@pytest.mark.parametrize("line", TOLD)
def test_words_of_a_failure_that_a_program_printed_are_one(line: str) -> None:
    assert codes(f"before\n{line}\nafter\n") == ["CPG709"]


def test_too_many_open_files_are_pythons_and_not_javas() -> None:
    assert codes("OSError: [Errno 24] Too many open files: 'betas.csv'") == ["CPG706"]
    assert codes("RuntimeError: Too many open files. Communication is no longer possible") == [
        "CPG706"
    ]
    assert codes("java.net.SocketException: Too many open files") == []
    assert codes("Caused by: java.io.IOException: Too many open files") == []
    assert codes("System.Net.Sockets.SocketException: Too many open files") == []


def test_a_shells_killed_needs_a_python_command() -> None:
    script = "run.sh: line 3:  4711 Killed                  {}\n"
    assert codes(script.format("python embed.py --batch-size 8")) == ["CPG707"]
    assert codes(script.format("torchrun --nproc-per-node 2 train.py")) == ["CPG707"]
    assert codes(script.format("sleep 30")) == []
    assert codes("Embedding:  12%|█▏   | 12/100 [00:09<01:08,  1.29it/s]Killed\n") == ["CPG707"]
    assert codes("$ python embed.py\nKilled\n") == ["CPG707"]
    assert codes("user@node7:~$ samtools sort a.bam\nKilled\n") == []
    assert codes("gulp build\nKilled\nnpm ERR! errno 137\n") == []


def test_a_pools_task_or_result_that_cannot_be_pickled_is_no_dataset() -> None:
    assert (
        codes(
            "multiprocessing.pool.MaybeEncodingError: Error sending result: '[<x>]'. Reason:"
            " 'TypeError(\"cannot pickle 'BufferedReader' instances\")'"
        )
        == []
    )


def test_a_traceback_shortened_to_cpgpts_own_frame_is_recognised() -> None:
    text = """\
Traceback (most recent call last):
  File "scripts/embed.py", line 204, in <module>
    embedder.parse_dna_embeddings(
  File "/opt/cpgpt/cpgpt/data/components/dna_llm_embedder.py", line 436, in parse_dna_embeddings
    for batch in dataloader:
TypeError: cannot pickle '_thread.lock' object
"""
    assert seen(text) == [("CPG701", 204)]


FORMS = [
    ("CPG707", "Process finished with exit code 137 (interrupted by signal 9: SIGKILL)"),
    ("CPG707", "  exitcode  : -9 (pid: 4711)"),
    ("CPG707", "ERROR:torch.distributed.elastic.multiprocessing.api:failed (exitcode: -9) rank 3"),
    ("CPG707", "  traceback : Signal 9 (SIGKILL) received by PID 4711"),
    ("CPG707", "ProcessExitedException: process 0 terminated with signal SIGKILL"),
    (
        "CPG707",
        "CalledProcessError: Command '['python', 'a.py']' died with <Signals.SIGKILL: 9>.",
    ),
    ("CPG707", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000 bytes."),
    ("CPG707", "numpy.core._exceptions.MemoryError: Unable to allocate array with shape (9, 9)"),
    ("CPG709", "CUDA error: out of memory"),
    ("CPG709", "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ("CPG709", "报错了RuntimeError: CUDA error: out of memory"),
    ("CPG711", "        This probably means that you are not using fork to start your"),
    ("CPG712", "OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/a/b"),
    (
        "CPG712",
        "Can't load the model for 'a/b'. If you were trying to load it from 'https://huggingface.co/models'",
    ),
    ("CPG712", "Cannot access gated repo for url https://huggingface.co/a/b/resolve/main/c.json."),
    (
        "CPG712",
        "Cannot find an appropriate cached snapshot folder for the specified revision on the disk",
    ),
    ("CPG712", "HTTPSConnectionPool(host='cdn-lfs-us-1.hf-mirror.com', port=443): Read timed out."),
    ("CPG701", "AttributeError: Can't get attribute 'W' on <module '__mp_main__' from 'a.py'>"),
]


@pytest.mark.parametrize(("code", "line"), FORMS)
def test_forms_of_known_failures(code: str, line: str) -> None:
    assert codes(f"epoch 1\n{line}\n") == [code]


# The corpus.

HALVES: tuple[Half, ...] = ("tune", "score")


def right(entry: Entry) -> bool:
    named = set(codes(entry.text))
    return entry.codes <= named if entry.codes else not named


def test_the_corpus_is_as_large_as_it_says_and_each_log_is_in_one_half() -> None:
    both = {half: list(entries(half)) for half in HALVES}
    every = [entry for half in HALVES for entry in both[half]]
    assert sum(bool(entry.codes) for entry in every) >= 300
    assert sum(not entry.codes for entry in every) >= 150
    assert not {entry.text for entry in both["tune"]} & {entry.text for entry in both["score"]}
    for entry in every:
        assert entry.text.strip()
        assert entry.codes or entry.why
        assert entry.origin.startswith(("https://", "printed by a run: "))


@pytest.mark.parametrize("half", HALVES)
def test_what_is_found_in_the_corpus_does_not_become_less(half: Half) -> None:
    """The shares of benchmarks/logs.md, rounded down; of `score` nothing else is told."""
    every = list(entries(half))
    known = [right(entry) for entry in every if entry.codes]
    alike = [right(entry) for entry in every if not entry.codes]
    assert sum(known) >= 0.98 * len(known)
    assert sum(alike) >= 0.98 * len(alike)


def test_the_benchmark_runs_and_shows_both_halves() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "logs.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.count("known failures found") == 2
