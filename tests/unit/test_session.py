"""The patient's stages share an interpreter; one that fails is a result, and the next goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cpgpt_doctor import cli
from cpgpt_doctor.facts import ProbeFailure
from cpgpt_doctor.patient import protocol
from cpgpt_doctor.probes import collect, host, runner, session
from cpgpt_doctor.probes.task import Task
from tests.environment import clean_environment

HANG = 600.0  # seconds after which something is taken to hang
SLEEPER = "import time; time.sleep(100_000)"
WELL = "return {'pid': os.getpid()}, False"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes end by signals here")


@pytest.fixture
def name(tmp_path: Path) -> Iterator[str]:
    """A word on the command lines of what a test starts."""
    word = f"sleeper-{tmp_path.name}-{os.getpid()}"
    yield word
    for each in sleepers(word):
        each.kill()


@pytest.fixture
def examine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> Callable[..., session.Answers]:
    """A session whose stages are bodies of functions of the test's own, in their order."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(session, "MODULE", "stages_of_a_test")

    def examined(*bodies: str, seconds: float = HANG, **more: Any) -> session.Answers:
        source = (
            "import json, os, signal, subprocess, sys, time, types\n"
            "from cpgpt_doctor.patient import stages\n"
            f"SLEEPER, NAME = {SLEEPER!r}, {name!r}\n"
            "def main(request, channel, commands):\n"
            "    global CHANNEL\n"
            "    CHANNEL = channel\n"
            "    stages.main(request, channel, commands)\n"
        )
        names = tuple(f"stage{number}" for number in range(len(bodies)))
        for stage, body in zip(names, bodies, strict=True):
            lines = "".join(f"    {line}\n" for line in body.splitlines())
            source += f"def {stage}(request):\n{lines}"
            source += (
                f"sys.modules['cpgpt_doctor.patient.observe.{stage}'] ="
                f" types.SimpleNamespace(look={stage})\n"
            )
        (tmp_path / "stages_of_a_test.py").write_text(source)
        request = {"scratch": str(tmp_path)}
        return session.examine(sys.executable, names, request, seconds, **more)

    return examined


def sleepers(name: str) -> list[psutil.Process]:
    """Who runs with the word on the command line."""
    return [
        each for each in psutil.process_iter(["cmdline"]) if name in (each.info["cmdline"] or [])
    ]


def pid(answer: dict[str, Any] | ProbeFailure) -> int:
    assert isinstance(answer, dict), answer
    return int(answer["pid"])


def failure(answer: dict[str, Any] | ProbeFailure) -> ProbeFailure:
    assert isinstance(answer, ProbeFailure), answer
    return answer


def test_stages_share_an_interpreter(examine: Any) -> None:
    answers = examine(WELL, WELL, WELL)
    assert list(answers) == ["stage0", "stage1", "stage2"]
    assert len({pid(answer) for answer in answers.values()}) == 1


GARBLED = ("garbled", "its answer is not JSON")
FAILS = {
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", ("killed", "SIGSEGV")),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", ("killed", "SIGKILL")),
    "os._exit": ("os._exit(3)", ("exited", "status 3")),
    "os._exit, as if all were well": ("os._exit(0)", GARBLED),
    "sys.exit": ("sys.exit(4)", ("exited", "status 4")),
    "an exception": ("raise ValueError('x')", ("exited", "status 1")),
    "what JSON has no form for": ("return {'x': object()}, False", ("exited", "status 1")),
    "a hang": ("time.sleep(100_000)", ("timeout", "5 s")),
    "text on the channel": ("CHANNEL.write('hello\\n')\n" + WELL, GARBLED),
    "text without an end": ("CHANNEL.write('hel'); CHANNEL.flush(); os._exit(0)", GARBLED),
    "JSON of another kind": ("CHANNEL.write('[1]\\n')\n" + WELL, GARBLED),
    "JSON nested too deep": ("CHANNEL.write('[' * 100_000 + '\\n')\n" + WELL, GARBLED),
    "bytes that are no text": ("CHANNEL.buffer.write(b'\\xff\\xfe\\n')\n" + WELL, GARBLED),
    "another stage's answer": (
        "CHANNEL.write(json.dumps({'stage': 'stage2', 'facts': {}, 'spent': False}) + '\\n')\n"
        + WELL,
        GARBLED,
    ),
    "facts that are none": ("return [], False", GARBLED),
}


@pytest.mark.parametrize(("body", "ends"), FAILS.values(), ids=FAILS.keys())
def test_a_stage_that_fails_is_a_result_and_the_next_goes_on_in_a_new_interpreter(
    examine: Any, name: str, body: str, ends: tuple[str, str]
) -> None:
    starts = "subprocess.Popen([sys.executable, '-c', SLEEPER, NAME], start_new_session=True)\n"
    answers = examine(
        "print('earlier words')\n" + WELL,
        f"print('last words')\n{starts}{body}",
        starts + WELL,
        seconds=5.0 if ends[0] == "timeout" else HANG,
    )
    failed = failure(answers["stage1"])
    assert (failed.kind, failed.detail) == ends
    assert failed.probe == "stage1"
    assert "last words" in failed.output
    assert "earlier words" not in failed.output
    assert pid(answers["stage0"]) != pid(answers["stage2"])
    assert sleepers(name) == []


def test_what_hangs_is_waited_for_twice_at_the_most(examine: Any) -> None:
    """The others go on side by side: they may hang for the same reason."""
    hangs = "time.sleep(100_000)"
    answers = examine(WELL, hangs, hangs, WELL, hangs, seconds=5.0)
    kinds = [
        "well" if isinstance(each, dict) else each.kind
        for each in (answers[f"stage{number}"] for number in range(5))
    ]
    assert kinds == ["well", "timeout", "timeout", "well", "timeout"]


def test_a_spent_interpreter_ends_and_another_goes_on(examine: Any) -> None:
    answers = examine(WELL, "return {'pid': os.getpid()}, True", WELL)
    first, second, third = (pid(answers[f"stage{number}"]) for number in range(3))
    assert first == second != third


def test_a_stage_that_cannot_answer_after_others_is_asked_in_a_new_interpreter(
    examine: Any,
) -> None:
    fresh = "len(request['stages']) == 2"
    answers = examine(WELL, f"if not {fresh}: return None, True\n{WELL}", WELL)
    first, second, third = (pid(answers[f"stage{number}"]) for number in range(3))
    assert first != second == third


def test_a_stage_that_never_can_is_not_asked_for_ever(examine: Any) -> None:
    answers = examine(WELL, "return None, True", WELL)
    assert failure(answers["stage1"]).kind == "garbled"
    assert pid(answers["stage0"]) != pid(answers["stage2"])


def test_exit_handlers_are_called_though_the_interpreter_is_not_taken_apart(
    examine: Any, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    examine(f"import atexit\natexit.register(open, {str(left)!r}, 'w')\n" + WELL)
    assert left.exists()


def test_each_interpreter_has_an_index_of_its_own(examine: Any) -> None:
    index = "return {'index': request['index']}, False"
    answers = examine(index, index, "os._exit(1)", index)
    first, second, last = (answers[f"stage{number}"]["index"] for number in (0, 1, 3))
    assert first == second != last


def test_a_session_that_is_stopped_leaves_nobody_behind(
    examine: Any, tmp_path: Path, name: str
) -> None:
    there = tmp_path / "there"
    stopped = threading.Event()
    body = (
        "subprocess.Popen([sys.executable, '-c', SLEEPER, NAME], start_new_session=True)\n"
        f"open({str(there)!r}, 'w').close()\ntime.sleep(100_000)"
    )
    running = Task(lambda: examine(WELL, body, WELL, stopped=stopped))
    until = time.monotonic() + HANG
    while not there.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    stopped.set()
    answers = running.result(HANG)
    assert "stage2" not in answers
    assert sleepers(name) == []


def test_where_the_interpreter_itself_cannot_answer_no_other_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `python` that is none fails at once, though there are other stages."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho started >> \"$0.log\"\necho 'no Python' >&2\nexit 3\n")
    python.chmod(0o755)
    stages = ("python", "packages", "embedder")
    answers = session.examine(str(python), stages, {"scratch": str(tmp_path)}, HANG)
    assert list(answers) == ["python"]
    assert failure(answers["python"]).output == "no Python\n"
    assert (tmp_path / "python.log").read_text() == "started\n"


LINES = [
    b"",
    b"null",
    b"3",
    b"[]",
    b"{}",
    b'"x"',
    b"\xff",
    b"{" * 100_000,
    b'{"stage": 3, "facts": {}, "spent": false}',
    b'{"stage": "a", "facts": [], "spent": false}',
    b'{"stage": "a", "facts": {}, "spent": 1}',
    b'{"stage": "a", "facts": {}}',
    b'{"stage": "a", "facts": {}, "spent": false, "more": 1}',
]


@pytest.mark.parametrize("line", LINES, ids=[repr(line[:50]) for line in LINES])
def test_a_line_that_is_no_message_is_none(line: bytes) -> None:
    assert protocol.read(line) is None


def test_a_message_is_read_as_it_was_sent() -> None:
    seen = protocol.Seen("packages", {"installed": {"torch": "2.0"}}, True)
    assert protocol.read(json.dumps(seen._asdict()).encode()) == seen


def fake_packages(folder: Path, torch: str, embedder: str = "import torch\n") -> None:
    """A CpGPT and a torch of which nothing but the import is there."""
    components = folder / "cpgpt" / "data" / "components"
    components.mkdir(parents=True)
    for each in (components.parent.parent, components.parent, components):
        (each / "__init__.py").write_text("")
    (components / "dna_llm_embedder.py").write_text(embedder)
    (folder / "torch.py").write_text(torch)


@pytest.mark.parametrize(
    ("torch", "kind"),
    [("import os; os.abort()", "killed"), ("import os; os._exit(7)", "exited")],
)
def test_a_torch_that_ends_the_interpreter_disturbs_no_stage_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: str, kind: str
) -> None:
    fake_packages(tmp_path, torch)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    facts = collect.collect(sys.executable)
    assert facts.host is not None
    assert facts.python is not None
    assert facts.packages is not None
    assert [(each.probe, each.kind) for each in facts.failures] == [
        ("accelerator", kind),
        ("embedder", kind),
        ("workers", kind),
    ]


def test_a_torch_that_cannot_be_imported_is_asked_in_an_interpreter_that_has_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second import of a broken package often says something else."""
    fake_packages(
        tmp_path,
        "import sys\n"
        "before = getattr(sys, 'tried', 0)\n"
        "sys.tried = before + 1\n"
        "raise ImportError(f'tried {before} times before')\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    facts = collect.collect(sys.executable, leave_out=("workers",))
    assert facts.embedder is not None
    assert facts.embedder.imported.error == "tried 0 times before"
    assert facts.accelerator is not None
    assert facts.accelerator.outcome.error == "tried 0 times before"


def test_asking_for_the_start_method_sets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CpGPT's guard depends on whether one is set."""
    fake_packages(
        tmp_path,
        "",
        "import multiprocessing\n"
        "raise ImportError(str(multiprocessing.get_start_method(allow_none=True)))\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    facts = collect.collect(sys.executable, leave_out=("workers",))
    assert facts.embedder is not None
    assert facts.embedder.imported.error == "None"


def test_variables_are_the_users_though_packages_set_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = "import os\nos.environ['OMP_NUM_THREADS'] = '1'\nos.environ['CUDA_VISIBLE_DEVICES'] = ''"
    fake_packages(tmp_path, sets)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    facts = collect.collect(sys.executable, leave_out=("workers",))
    assert facts.accelerator is not None
    assert facts.accelerator.variables["OMP_NUM_THREADS"] == "7"
    assert "CUDA_VISIBLE_DEVICES" not in facts.accelerator.variables


# What is asked of torch, where it has found no GPU.
TORCH = """
import time, types, warnings
time.sleep(0.3)
__version__ = "0"
version = types.SimpleNamespace(cuda=CUDA, hip=None)
no = lambda: False
asked = []
def is_available():
    if not asked:
        warnings.warn("CUDA: the driver is too old")
    asked.append(1)
    return False
cuda = types.SimpleNamespace(is_available=is_available, is_initialized=no)
backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_built=no, is_available=no))
"""
# In the place of the embedder's stage, one that imports torch and does a little with it.
STAND_IN = """
import sys, types
from cpgpt_doctor.patient import stages
def look(request):
    import torch
    LITTLE
    return {}, False
sys.modules['cpgpt_doctor.patient.observe.embedder'] = types.SimpleNamespace(look=look)
main = stages.main
"""


@pytest.fixture
def accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], dict[str, Any]]:
    """What the accelerator's stage says of a torch built for `cuda`, after another's `little`."""

    def seen(cuda: str, little: str) -> dict[str, Any]:
        (tmp_path / "torch.py").write_text(TORCH.replace("CUDA,", f"{cuda},"))
        (tmp_path / "stand_in.py").write_text(STAND_IN.replace("LITTLE", little))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(session, "MODULE", "stand_in")
        stages = ("python", "embedder", "accelerator")
        answers = session.examine(sys.executable, stages, {"scratch": str(tmp_path)}, HANG)
        answer = answers["accelerator"]
        assert isinstance(answer, dict), answer
        return answer

    return seen


def test_torch_takes_as_long_as_its_import_took_wherever_that_was(accelerator: Any) -> None:
    outcome = accelerator("None", "pass")["outcome"]
    assert outcome["ok"]
    assert outcome["seconds"] >= 0.3


def test_why_there_is_no_gpu_is_told_though_another_stage_has_asked_before(
    accelerator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch says it once in a process; where there is a driver, there is something to say."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nexit 9\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    torch = accelerator("'12.8'", "torch.cuda.is_available()")["torch"]
    assert torch["cuda_problem"] == "CUDA: the driver is too old"


def test_the_session_goes_on_where_the_caller_ignores_the_end_of_children(tmp_path: Path) -> None:
    """As some supervisors do; the system then tells nobody how a child ended."""
    ran = subprocess.run(
        [sys.executable, "-m", "cpgpt_doctor", "check", "--quick", "--format", "json"],
        cwd=tmp_path,
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert ran.returncode in (0, 1), ran.stderr
    assert json.loads(ran.stdout)["findings"] is not None
    assert list(tmp_path.glob("cpgpt-doctor-*")) == []


def test_facts_of_another_form_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: session.Answers = {"python": {"version": "3.11.7"}, "packages": {"installed": 3}}
    facts = collect.facts_of("python", collect.areas(collect.PROBES), seen)
    assert facts.packages is None
    (failed,) = facts.failures
    assert (failed.probe, failed.kind) == ("packages", "garbled")
    assert "packages.installed" in failed.output


def test_a_host_that_cannot_be_looked_at_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MEMORY", tmp_path / "gone")  # Linux without /proc
    failed = failure(collect.look_at_host())
    assert (failed.probe, failed.kind) == ("host", "exited")
    assert failed.detail.startswith("FileNotFoundError: ")


def test_a_host_that_hangs_is_not_waited_for() -> None:
    held = threading.Event()

    def hang() -> dict[str, Any]:
        held.wait(HANG)
        return {}

    failed = failure(collect.host_in_time(Task(hang), 0.1))
    held.set()
    assert (failed.probe, failed.kind) == ("host", "timeout")


def test_what_is_done_meanwhile_is_done_while_the_patient_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the other here."""
    there, done = tmp_path / "there", tmp_path / "done"
    fake_packages(
        tmp_path,
        f"import os, time\nopen({str(there)!r}, 'w').close()\n"
        f"while not os.path.exists({str(done)!r}): time.sleep(0.01)\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def meanwhile() -> None:
        until = time.monotonic() + HANG
        while not there.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        done.touch()

    facts = collect.collect(sys.executable, leave_out=("workers",), meanwhile=meanwhile)
    assert [each for each in facts.failures if each.kind == "timeout"] == []


def test_an_error_meanwhile_ends_the_session(tmp_path: Path, name: str) -> None:
    def fail() -> None:
        raise ValueError("x")

    before = set(psutil.Process().children())
    with pytest.raises(ValueError, match="x"):
        collect.collect(sys.executable, meanwhile=fail)
    assert set(psutil.Process().children()) <= before


def test_an_interpreter_that_cannot_be_started_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(runner.InputError, match="cannot be started"):
        collect.collect(str(tmp_path / "none"))


def test_a_signal_that_another_error_wraps_is_still_one() -> None:
    """Python up to 3.11 raises RuntimeError for what comes while a class is made."""
    signalled = cli.Terminated(signal.SIGTERM)
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = signalled
    assert cli.interruption(wrapped) is signalled
    assert cli.interruption(signalled) is signalled
    assert cli.interruption(RuntimeError("x")) is None
