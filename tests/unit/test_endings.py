"""run-embed ends as it should: its worker is gone, its record closed, its exit code right."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cpgpt_doctor.embed import signals
from cpgpt_doctor.genome import fasta
from tests import standin
from tests.processes import HANG, all_end, usual_signals

CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
# Half a second for the first part, five for the second: what a test does between its commit and
# that of the second is done by then on a slow machine, too.
SLOW = {"ROW_SECONDS": "0.008"}
LOCATIONS = 700  # more than one part


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return standin.make_folder(tmp_path / "dependencies")


class Running:
    """run-embed over a stand-in, and what it has started."""

    def __init__(self, folder: Path, locations: int = LOCATIONS, **options: object) -> None:
        self.folder = folder
        # Background jobs ignore SIGINT, nohup's SIGHUP, and what they start inherits that.
        options.setdefault("preexec_fn", usual_signals)
        self.process = standin.start(folder, locations, **options)
        self.children: set[psutil.Process] = set()

    def look(self) -> None:
        with contextlib.suppress(psutil.Error):
            self.children |= set(psutil.Process(self.process.pid).children(recursive=True))

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + HANG
        while not condition():
            self.look()
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.look()

    def committed(self) -> int:
        parts = standin.record(self.folder).get("parts", [])
        assert isinstance(parts, list)
        return sum(part["rows"] for part in parts)

    def embedding(self) -> bool:
        return bool(standin.record(self.folder).get("batch_measured"))

    def send_twice(self, number: int) -> None:
        """Not as the same event; and again after a minute, since two that wait are one."""
        self.process.send_signal(number)
        time.sleep(2 * signals.SAME_EVENT)
        self.process.send_signal(number)
        again = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < again:
            self.look()
            time.sleep(0.02)
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """The exit code and what was written to standard error; nothing that it started lives."""
        deadline = time.monotonic() + HANG
        while self.process.poll() is None:  # its output fits into the pipes
            self.look()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        out, err = self.process.communicate()
        self.out = (out or b"").decode()
        assert self.children
        assert all_end(self.children)
        return self.process.returncode, (err or b"").decode()


def stored(folder: Path) -> dict[str, int]:
    from cpgpt_doctor.store import layout, transaction

    address = layout.StorePaths(
        folder, standin.SPECIES, standin.DNA_LLM, standin.CONTEXT, standin.WIDTH
    )
    rows = layout.named_rows(address)
    transaction.check_fit(address, rows)
    for location, row in rows.items():
        (data,) = layout.read_rows(address, [row])
        assert memoryview(data).cast("f")[0] == int(location.partition(":")[2]) + 1
    return rows


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_embedding_keeps_the_finished_parts_and_closes_the_record(
    folder: Path, number: signal.Signals
) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    running.process.send_signal(number)
    code, err = running.end()
    assert code == CODES[number]
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert err.splitlines()[-1] == (
        f"cpgpt-doctor: interrupted ({name}); what is finished is kept, start it again to go on"
    )
    assert "Traceback" not in err
    record = standin.record(folder)
    assert record["status"] == "interrupted"
    assert record["problem"] == f"ended by {name}"
    assert 0 < running.committed() == len(stored(folder)) < LOCATIONS
    assert not (folder / ".cpgpt-doctor" / "staging").exists()
    again = Running(folder)
    assert again.end()[0] == 0
    assert len(stored(folder)) == LOCATIONS


def test_slurm_s_warning_ends_a_run_at_a_part_s_border_and_another_start_goes_on(
    folder: Path,
) -> None:
    """A few seconds before the part under way is done; the exit code says: again."""
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    first = running.committed()
    running.process.send_signal(signal.SIGUSR1)
    code, err = running.end()
    assert code == 75
    assert err.splitlines()[-1] == (
        "cpgpt-doctor: ended by SIGUSR1 before all was done; start it again to go on"
    )
    assert standin.record(folder)["status"] == "interrupted"
    assert standin.record(folder)["problem"] == "ended by SIGUSR1"
    assert first < running.committed() == len(stored(folder)) < LOCATIONS
    assert again(folder)[0] == 0
    assert len(stored(folder)) == LOCATIONS


def test_slurm_s_warning_ends_a_run_at_once_where_no_part_is_under_way(folder: Path) -> None:
    running = Running(folder, variables={"HANG_IN": "load"})
    running.wait_until(lambda: running.children)
    running.process.send_signal(signal.SIGUSR1)
    assert running.end()[0] == 75


HANGS_IN_A_PART = """if op == 'embed' and len(command['locations']) == 64:
        open({!r}, 'w').close()
        time.sleep(1000)
"""


def test_a_signal_does_not_wait_for_a_part_that_a_warning_lets_go_on(folder: Path) -> None:
    begun = folder / "begun"
    standin.write_worker(folder / "python", each=HANGS_IN_A_PART.format(str(begun)))
    running = Running(folder)
    running.wait_until(begun.exists)
    running.process.send_signal(signal.SIGUSR1)
    time.sleep(2 * signals.SAME_EVENT)
    running.process.send_signal(signal.SIGTERM)
    assert running.end()[0] == 143
    assert standin.record(folder)["problem"] == "ended by SIGTERM"


def test_a_run_under_a_time_limit_ends_at_a_border_and_another_start_goes_on(
    folder: Path,
) -> None:
    running = Running(folder, variables={"ROW_SECONDS": "0.03"}, asked=("--time-limit", "00:00:15"))
    code, err = running.end()
    assert code == 75
    assert err.splitlines()[-1] == (
        "cpgpt-doctor: ended by --time-limit before all was done; start it again to go on"
    )
    record = standin.record(folder)
    assert record["problem"] == "ended by --time-limit"
    assert record["pending"] is None
    (line,) = [each for each in record["plan"] if each["setting"] == "time_limit"]  # type: ignore[attr-defined]
    assert line["asked"] == "00:00:15"
    assert line["applied"] in running.out
    assert running.committed() == len(stored(folder)) < LOCATIONS
    assert again(folder)[0] == 0
    assert len(stored(folder)) == LOCATIONS


def test_a_time_limit_that_comes_before_the_model_is_loaded_ends_the_run(folder: Path) -> None:
    running = Running(folder, variables={"HANG_IN": "load"}, asked=("--time-limit", "00:00:04"))
    code, err = running.end()
    assert code == 75
    assert "ended by --time-limit" in err.splitlines()[-1]


def test_a_signal_while_the_worker_hangs_ends_it(folder: Path) -> None:
    running = Running(folder, variables={"HANG_IN": "load"})
    running.wait_until(lambda: running.children)
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 130
    assert standin.record(folder)["status"] == "interrupted"


def test_a_signal_while_the_worker_is_stopped_ends_it(folder: Path) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.embedding)
    for child in running.children:
        with contextlib.suppress(psutil.NoSuchProcess):  # that of unmodified CpGPT has ended
            child.suspend()
    running.process.send_signal(signal.SIGTERM)
    assert running.end()[0] == 143


@pytest.mark.parametrize("number", CODES)
def test_a_signal_in_the_examination_ends_it_and_what_it_started(
    folder: Path, number: signal.Signals
) -> None:
    running = Running(folder, variables={"EXAMINE_SECONDS": "1000"})
    running.wait_until(lambda: running.children)
    running.process.send_signal(number)
    code, err = running.end()
    assert code == CODES[number]
    assert "interrupted" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not standin.record(folder)


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


def in_commit(running: Running) -> bool:
    """Whether the main thread is at a database that somebody else has locked."""
    opened = Path(f"/proc/{running.process.pid}/fd")
    with contextlib.suppress(OSError):
        return any(each.readlink().name == "ensembl_metadata.db" for each in opened.iterdir())
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_second_signal_ends_it_at_once_even_where_the_database_is_waited_for(
    folder: Path,
) -> None:
    running = Running(folder, variables={**SLOW, "GRACE_SECONDS": str(2 * HANG)})
    running.wait_until(running.committed)
    kept = running.committed()
    with locked(folder / "ensembl_metadata.db"):
        running.wait_until(lambda: in_commit(running))
        running.send_twice(signal.SIGINT)
        code, err = running.end()
    assert code == 130
    assert "(Ctrl-C); what is finished is kept" in err.splitlines()[-1]
    assert standin.record(folder)["status"] == "interrupted"
    assert len(stored(folder)) == kept


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_first_signal_lets_a_commit_end(folder: Path) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    kept = running.committed()
    with locked(folder / "ensembl_metadata.db"):
        running.wait_until(lambda: in_commit(running))
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert running.process.poll() is None
    assert running.end()[0] == 143
    assert standin.record(folder)["status"] == "interrupted"
    assert kept < running.committed() == len(stored(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_signal_while_a_commit_waits_leaves_no_part_out_of_the_record(
    folder: Path, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with said.open("wb") as err:
        running = Running(folder, variables=SLOW, stderr=err)
        running.wait_until(running.committed)
        with locked(folder / "ensembl_metadata.db"):
            running.wait_until(lambda: "locked by another program" in said.read_text())
            running.process.send_signal(signal.SIGTERM)
        assert running.end()[0] == 143
    assert running.committed() == len(stored(folder))


def test_nohup_and_background_jobs_stay_without_the_signals_that_they_ignore(
    folder: Path,
) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    running = Running(folder, variables=SLOW, preexec_fn=ignore)
    running.wait_until(running.committed)
    for number in (signal.SIGHUP, signal.SIGINT):
        running.process.send_signal(number)
    assert running.end()[0] == 0
    assert standin.record(folder)["status"] == "complete"


@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_closed_pipe_is_no_reason_to_end(folder: Path, unbuffered: dict[str, str]) -> None:
    """As `run-embed ... 2>&1 | grep -m1 x` does."""
    read, write = os.pipe()
    running = Running(folder, variables=unbuffered, stdout=write, stderr=write)
    os.close(write)
    os.read(read, 10)
    os.close(read)
    assert running.end()[0] == 0
    assert standin.record(folder)["status"] == "complete"
    assert len(stored(folder)) == LOCATIONS


def test_output_that_cannot_be_written_changes_no_exit_code(folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        running = Running(folder, stdout=full, stderr=full)
        assert running.end()[0] == 0
    assert standin.record(folder)["status"] == "complete"


def test_output_that_was_closed_before_the_start_is_no_reason_to_end(folder: Path) -> None:
    def close() -> None:
        os.close(1)
        os.close(2)

    running = Running(folder, preexec_fn=close)
    assert running.end()[0] == 0


def test_a_closed_terminal_ends_it_and_closes_the_record(folder: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    # The terminal becomes the session's, so that closing it sends SIGHUP.
    running = Running(
        folder,
        variables=SLOW,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )
    os.close(theirs)
    os.set_blocking(ours, False)

    def read() -> int:
        with contextlib.suppress(BlockingIOError):
            os.read(ours, 65536)
        return running.committed()

    running.wait_until(read)
    os.close(ours)
    assert running.end()[0] == 129
    assert standin.record(folder)["status"] == "interrupted"


SENT = {
    "garbled": "print('{\"event', flush=True)",
    "not an object": "print('[1]', flush=True)",
    "unknown": "send(event='surprise')",
    "the answer to something else": "send(event='built')",
    "cut at the end of the pipe": "sys.stdout.write('{\"ev'); sys.stdout.flush(); os._exit(0)",
    "no done": "send(event='progress')",
}


@pytest.mark.parametrize("what", SENT)
def test_a_worker_that_says_something_else_is_lost_and_the_record_says_so(
    folder: Path, what: str
) -> None:
    standin.write_worker(folder / "python", each=f"if op == 'tokens': {SENT[what]}")
    running = Running(folder)
    code, err = running.end()
    assert code == 1
    assert "Traceback" not in err
    record = standin.record(folder)
    assert record["status"] == "unfinished"
    assert "the worker was lost 3 times" in str(record["problem"])
    last = err.splitlines()[-1]
    expected = ("cannot be read", "answered", "in the middle of a line")
    assert any(words in last for words in expected), last


def test_a_fault_of_the_doctor_closes_the_record_too(folder: Path) -> None:
    """A loaded worker without versions: nothing that run-embed expects."""
    standin.write_worker(folder / "python", each="if op == 'load': send(event='loaded'); continue")
    running = Running(folder)
    code, err = running.end()
    assert code == 3
    assert "Traceback" not in err
    record = standin.record(folder)
    assert record["status"] == "unfinished"
    assert "versions" in str(record["problem"])


def test_a_disk_that_fills_while_the_model_loads_leaves_room_for_the_record(
    tmp_path: Path,
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = standin.make_folder(place / "dependencies")
        # As a library that cannot write its cache.
        fails = "if op == 'load': open('/dev/full', 'w').write('x')"
        waits = "if op == 'load':\n        while not os.path.exists({!r}): time.sleep(0.05)\n    "
        full = place / "full"
        standin.write_worker(folder / "python", each=waits.format(str(full)) + fails)
        running = Running(folder)
        running.wait_until(lambda: running.children)
        fill(place / "filler")
        full.mkdir()
        code, err = running.end()
        assert code == 1
        assert "the disk is full" in err.splitlines()[-1]
        record = standin.record(folder)
        assert record["status"] == "unfinished"
        assert "the disk is full" in str(record["problem"])
    finally:
        subprocess.run(["umount", place], check=True)


HANDLED = """
import signal, sys, time
def ready(): print("ready", flush=True)
from cpgpt_doctor.genome import fasta
from cpgpt_doctor.embed import signals
signals.CHILDREN_SECONDS, signals.GRACE_SECONDS, signals.SAME_EVENT = {limits}
try:
    with signals.handled():
        {work}
    print("went on")
except signals.Interrupted as error:
    print(f"interrupted {{error}}")
    sys.exit(error.exit_code)
"""


def handled(
    work: str,
    *numbers: int,
    wait: float = 0.0,
    grace: float = HANG,
    same: float = signals.SAME_EVENT,
) -> tuple[int, str]:
    """Run Python's `work` under signals.handled with these limits, and send it signals."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANDLED.format(work=work, limits=(0.2, grace, same))],
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=usual_signals,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
        time.sleep(wait)
    try:
        out, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:  # two signals that waited for the process are one
        process.send_signal(numbers[-1])
        out, _ = process.communicate(timeout=HANG)
    return process.returncode, out


def test_a_signal_waits_for_the_end_of_a_held_section() -> None:
    work = "with signals.held():\n            ready(); time.sleep(0.5); print('kept')"
    assert handled(work, signal.SIGTERM) == (143, "kept\ninterrupted SIGTERM\n")


def test_signals_of_the_same_event_are_one() -> None:
    """As `timeout` sends them, and a shell whose terminal is closed."""
    work = "with signals.held():\n            ready(); time.sleep(0.5); print('kept')"
    sent = (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM)
    assert handled(work, *sent, same=HANG) == (129, "kept\ninterrupted SIGHUP\n")


def test_a_signal_that_is_swallowed_ends_the_process_all_the_same() -> None:
    work = (
        "\n        with signals.at_once(lambda: print('last words', flush=True)):"
        "\n            try: ready(); time.sleep(1000)"
        "\n            except KeyboardInterrupt: time.sleep(1000)"
    )
    assert handled(work, signal.SIGTERM, grace=1.0) == (143, "last words\n")


def test_a_second_signal_does_not_wait_for_a_held_section() -> None:
    work = (
        "\n        with signals.at_once(lambda: print('last words', flush=True)), signals.held():"
        "\n            ready(); time.sleep(1000)"
    )
    sent = (signal.SIGTERM, signal.SIGTERM)
    assert handled(work, *sent, wait=2 * signals.SAME_EVENT) == (143, "last words\n")


def test_last_words_that_hang_do_not_keep_the_process() -> None:
    work = (
        "\n        with signals.at_once(lambda: time.sleep(1000)), signals.held():"
        "\n            ready(); time.sleep(1000)"
    )
    assert handled(work, signal.SIGHUP, grace=1.0) == (129, "")


def test_after_the_run_signals_are_handled_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in CODES}
    with signals.handled():
        assert all(signal.getsignal(number) != before[number] for number in CODES)
    assert {number: signal.getsignal(number) for number in CODES} == before
    assert signal.set_wakeup_fd(-1) == -1


def test_windows_has_no_sighup_and_its_ctrl_break_ends_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGUSR2 stands for the SIGBREAK of Windows."""
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR2, raising=False)
    with pytest.raises(signals.Interrupted) as caught, signals.handled():
        signal.raise_signal(signal.SIGUSR2)
    assert caught.value.exit_code == 128 + signal.SIGUSR2


def again(folder: Path) -> tuple[int, str]:
    """The exit code and the output of another run over the same locations."""
    process = standin.start(folder, LOCATIONS)
    out, err = process.communicate(timeout=HANG)
    assert b"Traceback" not in err, err
    return process.returncode, out.decode()


def test_a_part_that_was_committed_and_not_noted_is_known_by_what_was_noted_before(
    folder: Path,
) -> None:
    """As a run leaves it that is killed between its commit and its record."""
    assert Running(folder).end()[0] == 0
    path = next(folder.rglob("*.run.json"))
    record = json.loads(path.read_text())
    record["pending"] = record["parts"].pop()
    path.write_text(json.dumps(record))
    code, out = again(folder)
    assert code == 0
    assert "looked at" not in out
    assert standin.record(folder)["parts"][-1] == record["pending"]  # type: ignore[index]


def test_another_program_that_saves_an_older_index_is_named_and_ends_the_run(
    folder: Path,
) -> None:
    """CpGPT keeps the index in memory, and writes it back whole when it saves."""
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    database = folder / "ensembl_metadata.db"
    older = folder / "older.db"
    older.write_bytes(database.read_bytes())
    first = running.committed()
    running.wait_until(lambda: running.committed() > first)
    older.replace(database)
    code, err = running.end()
    assert code == 1
    assert "another program saved over the index" in err.splitlines()[-1]
    assert "warning[CPG523]" in running.out
    assert "is kept" not in err.splitlines()[-1]
    assert len(stored(folder)) == first  # what the older index names, each with its own row


def test_brackets_in_a_path_are_shown_as_they_are(tmp_path: Path) -> None:
    folder = standin.make_folder(tmp_path / "a [old]" / "b[" / "c]")
    code, out = again(folder)
    assert code == 0
    assert f"store: {folder}" in out


def test_a_second_run_on_the_same_folder_is_refused(folder: Path) -> None:
    running = Running(folder, variables={"HANG_IN": "load"})
    running.wait_until(lambda: running.children)
    second = standin.start(folder, LOCATIONS)
    _, err = second.communicate(timeout=HANG)
    assert second.returncode == 2
    assert b"is at work on this folder" in err
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 130


def test_a_genome_that_is_replaced_during_the_run_ends_it(folder: Path) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    new = folder / "new.fa"
    new.write_text(">1 dna\n" + "CATG" * 20 + "\n")
    new.replace(folder / "genomes" / "x.fa")
    code, err = running.end()
    assert code == 1
    assert "was changed or replaced during the run" in err
    assert 0 < running.committed() == len(stored(folder)) < LOCATIONS


def test_an_index_that_is_made_to_lie_in_mid_run_ends_it(folder: Path) -> None:
    running = Running(folder, variables=SLOW)
    running.wait_until(running.committed)
    path, kept = folder / "genomes" / "x.fa", folder / ".cpgpt-doctor"
    right = fasta.index(path, kept)
    lying = tuple(dataclasses.replace(each, offset=each.offset + 7) for each in right.sequences)
    fasta.keep_index(fasta.Index(right.identity, lying), path, kept)
    code, err = running.end()
    assert code == 1
    assert "the index of the genome was changed by something else" in err
    assert 0 < running.committed() == len(stored(folder)) < LOCATIONS


LOSES_A_LOADING_WORKER = """if op == 'load': asked = command['num_workers']
    if op == 'embed' and asked:
        said = 'DataLoader worker (pid 7) is killed by signal: Killed.'
        send(event='error', type='RuntimeError', message=said)
        continue
"""


def test_a_run_goes_on_without_loading_workers_where_one_was_lost(folder: Path) -> None:
    standin.write_worker(folder / "python", each=LOSES_A_LOADING_WORKER)
    running = Running(folder, variables={"NUM_WORKERS": "2"})
    code, err = running.end()
    assert code == 0, err
    record = standin.record(folder)
    assert record["workers"] == 0
    assert [each["code"] for each in record["plan"]] == ["CPG208"]  # type: ignore[attr-defined]
    assert len(stored(folder)) == LOCATIONS


WRONG_AT_FIRST = """if op == 'embed' and len(command['locations']) == 64:
        embed(command['folder'], command['locations'], wrong=0.5)
        continue
"""


def test_a_first_part_that_is_wrong_is_found(folder: Path) -> None:
    """Of all parts of a run some rows are computed again, not only of the whole."""
    standin.write_worker(folder / "python", each=WRONG_AT_FIRST)
    running = Running(folder)
    code, err = running.end()
    assert code == 1
    assert "4 of 12 rows computed again alone differ" in err
    assert standin.record(folder)["status"] == "unfinished"


OTHER_THAN_CPGPT = """if op == 'reference':
        embed(command['folder'], command['locations'], wrong=0.5, without_prefetch=False)
        continue
"""


def test_rows_that_differ_from_unmodified_cpgpt_stop_the_run_before_anything_is_stored(
    folder: Path,
) -> None:
    standin.write_worker(folder / "python", each=OTHER_THAN_CPGPT)
    running = Running(folder)
    code, err = running.end()
    assert code == 1
    assert "rows computed by unmodified CpGPT and by run-embed differ" in err
    assert not list(folder.rglob("*.mmap"))
    assert not (folder / "ensembl_metadata.db").exists()


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(b"\0" * 4096):
            pass


# The real worker tells what went wrong, and lives.
TELLS = """
def embed(folder, locations, embed=embed, **more):
    try:
        embed(folder, locations, **more)
    except Exception as error:
        send(event="error", type=type(error).__name__, message=str(error))
"""


def test_a_disk_that_fills_in_mid_run_ends_it_and_leaves_the_store_readable(
    tmp_path: Path,
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = standin.make_folder(place / "dependencies")
        standin.write_worker(folder / "python", before=TELLS)
        running = Running(folder, variables=SLOW)
        running.wait_until(running.committed)
        fill(place / "filler")
        code, err = running.end()
        assert code == 1
        assert "disk is full" in err.splitlines()[-1]
        assert "Traceback" not in err
        (place / "filler").unlink()
        assert 0 < running.committed() == len(stored(folder)) < LOCATIONS
        assert again(folder)[0] == 0
        assert len(stored(folder)) == LOCATIONS
    finally:
        subprocess.run(["umount", place], check=True)
