"""run-embed over a stand-in goes on where a failure can be treated, and stops where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import standin
from tests.processes import HANG
from tests.unit.test_endings import stored
from tests.unit.test_treatments import CUDA

LOCATIONS = 700


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return standin.make_folder(tmp_path / "dependencies")


def run(folder: Path, *asked: str, locations: int = LOCATIONS, **variables: str) -> tuple[int, str]:
    """The exit code and what was written to standard output and error."""
    process = standin.start(folder, locations, variables=variables, asked=asked)
    out, err = process.communicate(timeout=HANG)
    assert b"Traceback" not in err, err
    return process.returncode, (out + err).decode()


def record(folder: Path) -> dict[str, Any]:
    return standin.record(folder)


def done(folder: Path) -> list[str]:
    return [each["done"] for each in record(folder)["treatments"]]


OUT_OF_MEMORY = """if op == 'load': batch, where = command['batch_size'], command['device']
    if op == 'embed' and len(command['locations']) > 16 and where != 'cpu' and batch > {}:
        send(event='error', type='OutOfMemoryError', message={!r})
        sys.exit(1)
"""
SAID = CUDA.removeprefix("OutOfMemoryError: ")


def test_out_of_memory_on_the_gpu_halves_the_batch_until_it_fits(folder: Path) -> None:
    standin.write_worker(folder / "python", each=OUT_OF_MEMORY.format(2, SAID))
    code, said = run(folder, DEVICE="cuda")
    assert code == 0, said
    assert done(folder) == ["batch_size: 8 -> 4", "batch_size: 4 -> 2"]
    assert {each["code"] for each in record(folder)["treatments"]} == {"CPG709"}
    assert "CPG709: batch_size: 8 -> 4" in said
    assert len(stored(folder)) == LOCATIONS


def test_where_no_batch_fits_the_run_stops_with_the_finding_and_its_remedies(folder: Path) -> None:
    standin.write_worker(folder / "python", each=OUT_OF_MEMORY.format(0, SAID))
    code, said = run(folder, DEVICE="cuda")
    assert code == 1
    assert "error[CPG709]" in said
    assert "run-embed.log" in said
    assert "not finished: OutOfMemoryError: CUDA out of memory" in said.splitlines()[-1]
    assert done(folder)[-1] == "batch_size: 2 -> 1"


def test_where_no_batch_fits_the_cpu_computes_the_rest_if_it_may(folder: Path) -> None:
    standin.write_worker(folder / "python", each=OUT_OF_MEMORY.format(0, SAID))
    code, said = run(folder, "--fallback", "cpu", DEVICE="cuda")
    assert code == 0, said
    assert done(folder)[-1] == "device: cuda -> cpu"
    assert [each["device"] for each in record(folder)["proofs"]] == ["cuda", "cpu"]
    assert len(stored(folder)) == LOCATIONS


# Once, at the first part: a file says that it has happened.
DIES_ONCE = """if op == 'embed' and len(command['locations']) == 64 and not os.path.exists({0!r}):
        open({0!r}, 'w').close()
        os.kill(os.getpid(), 9)
"""


def test_a_worker_that_is_killed_once_starts_again_with_the_same_part(folder: Path) -> None:
    each = DIES_ONCE.format(str(folder / "happened"))
    standin.write_worker(folder / "python", each=each)
    code, said = run(folder)
    assert code == 0, said
    assert done(folder) == ["the worker is started again"]
    assert record(folder)["parts"][0]["rows"] == 64
    assert len(stored(folder)) == LOCATIONS


POISONED = """if op in ('embed', 'reference', 'measure') and {0!r} & set(command['locations']):
        os.abort()
"""


def test_locations_that_kill_the_worker_each_time_are_set_aside_and_named(folder: Path) -> None:
    """One of them among those that are measured in the beginning."""
    poison = {"1:3", "1:300", "1:699"}
    standin.write_worker(folder / "python", each=POISONED.format(poison))
    code, said = run(folder)
    assert code == 1, said
    assert [each["location"] for each in record(folder)["set_aside"]] == ["1:3", "1:300", "1:699"]
    assert "3 of 700 locations ended the worker each time" in said.splitlines()[-1]
    assert "1:3, 1:300, 1:699" in said.splitlines()[-1]
    assert record(folder)["verification"]["rows"] == LOCATIONS - 3
    assert set(stored(folder)) == {f"1:{at}" for at in range(LOCATIONS)} - poison
    standin.write_worker(folder / "python")
    code, said = run(folder)
    assert code == 0, said
    assert record(folder)["set_aside"] == []
    assert len(stored(folder)) == LOCATIONS


BREAKS_LATER = """if os.path.exists({0!r}) and op == 'embed': os.abort()
    if op == 'embed' and '1:100' in command['locations']:
        open({0!r}, 'w').close()
        os.abort()
"""


def test_a_device_that_breaks_sets_nothing_aside_and_the_run_stops(folder: Path) -> None:
    each = BREAKS_LATER.format(str(folder / "broken"))
    standin.write_worker(folder / "python", each=each)
    code, said = run(folder)
    assert code == 1
    assert "something other than the locations is wrong" in said.splitlines()[-1]
    assert "which worked before" in said.splitlines()[-1]
    assert record(folder)["set_aside"] == []
    assert len(stored(folder)) == 64


def test_more_locations_that_kill_than_may_be_set_aside_stop_the_run(folder: Path) -> None:
    flag = folder / "later"
    each = (
        f"if op == 'embed' and len(command['locations']) == 64: open({str(flag)!r}, 'w').close()\n"
        f"    if op == 'embed' and os.path.exists({str(flag)!r}) and"
        " {'1:70', '1:71', '1:72', '1:73'} & set(command['locations']): os.abort()"
    )
    standin.write_worker(folder / "python", each=each)
    code, said = run(folder, locations=100, MOST_SET_ASIDE="2")
    assert code == 1
    assert "more than 2 locations end the worker each time, at last 1:72" in said.splitlines()[-1]
    assert [each["location"] for each in record(folder)["set_aside"]] == ["1:70", "1:71"]
    assert len(stored(folder)) == 70


DIES_IN_VERIFYING = """if op == 'embed' and command['alone'] and not os.path.exists({0!r}):
        open({0!r}, 'w').close()
        os.kill(os.getpid(), 9)
"""


def test_a_worker_that_is_killed_while_rows_are_computed_again_starts_again(folder: Path) -> None:
    each = DIES_IN_VERIFYING.format(str(folder / "happened"))
    standin.write_worker(folder / "python", each=each)
    code, said = run(folder)
    assert code == 0, said
    assert done(folder) == ["the worker is started again"]
    assert record(folder)["status"] == "complete"
