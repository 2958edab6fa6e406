"""What stops each object of the test zoo from being pickled: our answer, Ray's and dill's.

    python benchmarks/unpicklable_table.py [--python INTERPRETER] [--seconds 20] > FILE

FILE is benchmarks/unpicklable.md, as it stands here.

INTERPRETER has ray and dill, and whatever the zoo's specimens need (CpGPT, torch). Each tool runs
in a process of its own, which is ended and started again when it takes too long or dies.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable
from tests.zoo import SPECIMENS, Specimen

TOOLS = ("ours", "ray", "dill")
MARKS = {"right": "✓", "part": "◐", "wrong": "✗"}
DEPTH = 10  # Ray follows a way no further; by default it stops at 3
PACKAGES = ("ray", "dill", "torch", "numpy", "transformers", "CpGPT", "pyfaidx", "loguru")

EXPLANATION = """\
**Expected** are the paths of everything that DataLoader's pickler (`ForkingPickler` with torch's
reductions) refuses, in its order; the tests prove each list against that pickler: it goes through
when these objects are kept from it, and fails when any one is not. **✓**: the very same objects
are named (or, rightly, that there is none). **◐**: rightly refused, but other objects are named,
or not all, or none. **✗**: called picklable where it is not, or the other way round; or no answer.
What is shown are the names given. Ray is asked with `ray.util.inspect_serializability` (depth
{depth}), dill with `dill.pickles` and `dill.detect.badobjects` (depth 1; deeper, it names
thousands of methods). Both are good tools for another question: Ray judges by cloudpickle, which
takes lambdas and local classes, and dill by its own pickler, which takes locks and open files as
well; a DataLoader uses neither. Both look for culprits among attributes, by name, so that what
sits in a list or a dictionary, or comes from `__getstate__` or `__reduce__`, is not named itself,
and properties are run; Ray stops at the first it finds. Each answer was given in a process of its
own, with a time limit; where there was none in time, or the process died, the table says so. Of
{count} specimens: {scores}.
"""


def ours(obj: Any) -> tuple[bool, list[str], list[int] | None]:
    found = [culprit.path for culprit in find_unpicklable(obj, "x").culprits]
    return not found, found, None


def ray(obj: Any) -> tuple[bool, list[str], list[int] | None]:
    from ray.util import inspect_serializability

    fine, failures = inspect_serializability(obj, "x", depth=DEPTH, print_file=io.StringIO())
    names = [".".join(map(str, failure.path)) for failure in failures]
    return fine, sorted(names), [id(failure.obj) for failure in failures]


def dill(obj: Any) -> tuple[bool, list[str], list[int] | None]:
    from dill import detect, pickles

    if pickles(obj, safe=True):
        return True, [], []
    bad = detect.badobjects(obj, depth=1, safe=True)
    # An object's own methods, which every object has, are named beside its attributes.
    bad = {name: part for name, part in bad.items() if not hasattr(object, name)}
    return False, [f"x.{name}" for name in bad], [id(part) for part in bad.values()]


def judged(specimen: Specimen, obj: Any, tool: str) -> tuple[str, list[str]]:
    """The mark of a tool's answer, and the names that it gave."""
    try:
        fine, names, objects = {"ours": ours, "ray": ray, "dill": dill}[tool](obj)
    except Exception as error:
        return "wrong", [f"raises {type(error).__name__}"]
    if fine != (not specimen.culprits):
        return "wrong", names
    if objects is None:
        return "right" if tuple(names) == specimen.culprits else "part", names
    return "right" if set(objects) == expected_objects(specimen, obj) else "part", names


def expected_objects(specimen: Specimen, obj: Any) -> set[int] | None:
    if not specimen.same:
        return None
    from tests import zoo

    return {id(eval(path, {**vars(zoo), "x": obj})) for path in specimen.culprits}


def serve(tool: str) -> None:
    """Judge the specimens whose names come in; answers go to what was standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    by_name = {each.name: each for each in SPECIMENS}
    for line in sys.stdin:
        specimen = by_name[json.loads(line)]
        answers.write(json.dumps(judged(specimen, specimen.make(), tool)) + "\n")
        answers.flush()


class Judge:
    """A tool in its own process."""

    def __init__(self, python: str, tool: str, seconds: float) -> None:
        self.command = [python, __file__, "--tool", tool]
        self.seconds = seconds
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self.listen, args=(self.process, self.answers), daemon=True).start()

    @staticmethod
    def listen(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answers.put(line)
        answers.put("")

    def ask(self, specimen: Specimen) -> tuple[str, list[str]]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(specimen.name) + "\n")
        self.process.stdin.flush()
        try:
            answer = self.answers.get(timeout=self.seconds)
            failure = "its process died"
        except queue.Empty:
            answer, failure = "", f"no answer in {self.seconds:.0f} s"
        if answer:
            mark, names = json.loads(answer)
            return mark, names
        self.process.kill()
        self.process.wait()
        self.start()
        return "wrong", [failure]


def cell(names: list[str] | tuple[str, ...], nothing: str = "pickles") -> str:
    """A few names, each as code, short enough for a table."""
    if not names:
        return nothing
    shown = [name if len(name) <= 60 else f"{name[:24]}…{name[-12:]}" for name in names]
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return ", ".join(as_code(name) for name in shown[:6]) + more


def as_code(name: str) -> str:
    if name.startswith(("raises ", "no answer", "its process")):
        return f"*{name}*"
    return "`" + name.replace("|", "\\|").replace("`", "'") + "`"


def versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for package in PACKAGES:
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            continue


def table(python: str, seconds: float) -> Iterator[str]:
    rows, scores = [], {tool: dict.fromkeys(MARKS, 0) for tool in TOOLS}
    judges = {tool: Judge(python, tool, seconds) for tool in TOOLS}
    specimens = [each for each in SPECIMENS if each.is_here]
    for specimen in specimens:
        cells = [specimen.name, cell(specimen.culprits)]
        for tool, judge in judges.items():
            mark, names = judge.ask(specimen)
            scores[tool][mark] += 1
            nothing = "pickles" if specimen.culprits and mark == "wrong" else "does not pickle"
            cells.append(
                MARKS[mark] if mark == "right" else f"{MARKS[mark]} {cell(names, nothing)}"
            )
        rows.append(f"| {' | '.join(cells)} |")
    told = "; ".join(
        f"{tool} " + ", ".join(f"{scores[tool][mark]} {sign}" for mark, sign in MARKS.items())
        for tool in TOOLS
    )
    yield "# What stops an object from being pickled: three answers\n"
    yield EXPLANATION.format(depth=DEPTH, count=len(specimens), scores=told)
    yield f"{', '.join(versions())}, {platform.system()}; {seconds:.0f} s for each answer.\n"
    yield "| Specimen | Expected | Ours | Ray | dill |"
    yield "|---|---|---|---|---|"
    yield from rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="an interpreter with ray and dill")
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each answer")
    parser.add_argument("--tool", choices=TOOLS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tool:
        serve(arguments.tool)
    else:
        for line in table(arguments.python, arguments.seconds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
