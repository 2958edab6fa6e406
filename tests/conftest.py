"""What the tests share: interpreters with real CpGPT, and a world with a real genome."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import numpy as np
import pytest

from cpgpt_doctor.patient.compute import demo
from tests.environment import clean_environment

# Children without variables of their own, and what reads them in this process, get these too.
for _name in os.environ.keys() - clean_environment():
    del os.environ[_name]
os.environ.update(clean_environment())

HERE = Path(__file__).parent
LAMBDA = HERE / "data" / "lambda_phage.fa"
DNA_LLM = "nucleotide-transformer-v2-500m-multi-species"
# Interpreters by CpGPT release: one of each family. `make test` makes them.
PATIENTS = {
    "0.0.13": Path(sys.executable),
    "0.0.7": Path(sys.prefix) / "families" / "0.0.7" / "bin" / "python",
    "0.0.3": Path(sys.prefix) / "families" / "0.0.3" / "bin" / "python",
}
# The full figures of a release are taken with more: CPGPT_DOCTOR_TEST_LOCATIONS=2000
# CPGPT_DOCTOR_TEST_CONTEXT=2001 pytest tests/e2e/test_reference_rows.py
LOCATIONS = int(os.environ.get("CPGPT_DOCTOR_TEST_LOCATIONS", "80"))
CONTEXT = int(os.environ.get("CPGPT_DOCTOR_TEST_CONTEXT", "201"))


# What a file takes in `make test`, in seconds on one core; the others take little.
SECONDS = {
    "e2e/test_reference_rows.py": 150,
    "e2e/test_verify.py": 110,
    "e2e/test_run_embed.py": 95,
    "e2e/test_store_fit.py": 80,
    "patient/test_audit_faults.py": 60,
    "e2e/test_kinds.py": 50,
    "e2e/test_repair.py": 50,
    "e2e/test_check.py": 45,
    "sources/test_really_runs.py": 40,
    "e2e/test_into.py": 40,
    "e2e/test_given.py": 40,
    "patient/test_dependencies.py": 40,
    "unit/test_endings.py": 40,
    "unit/test_pages.py": 35,
    "e2e/test_ci_preflight.py": 30,
    "e2e/test_bench.py": 25,
    "e2e/test_demo.py": 20,
    "patient/test_sharing.py": 20,
    "e2e/test_hostile_places.py": 20,
    "unit/test_session.py": 20,
    "e2e/test_hostile_store.py": 15,
    "e2e/test_bad_input.py": 15,
    "e2e/test_names_changed.py": 15,
    "patient/test_worker_resources.py": 15,
    "patient/test_tokens.py": 10,
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark as `full` what is not in the sample of a test's cases; then put slow tests first."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sample"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for each in cases.values():
        marker = each[0].get_closest_marker("sample")
        assert marker
        step = len(each) / marker.args[0]
        chosen = {int(at * step) for at in range(marker.args[0])}
        for at, item in enumerate(each):
            if at not in chosen:
                item.add_marker("full")
    yield  # those marked `full` are left out here
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [item for pile in piles(items, processes) for item in pile]


def piles(items: list[pytest.Item], count: int) -> list[list[pytest.Item]]:
    """The tests in as many piles of one size, slow files first in each and about as slow in all.

    Processes that work side by side (`--dist worksteal`) begin with a pile each, since they are
    given equal parts in this order, and take from the ends of the others' when theirs is done. A
    file stays whole, since its tests share what they make.
    """
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path.relative_to(HERE).as_posix(), []).append(item)
    made: list[list[pytest.Item]] = [[] for _ in range(count)]
    taken = [0] * count
    # The last part has what does not divide.
    sizes = [(len(items) + at) // count for at in range(count)]
    slow = sorted(files.keys() & SECONDS.keys(), key=lambda name: (-SECONDS[name], name))
    for name in slow:
        room = [at for at in range(count) if len(made[at]) + len(files[name]) <= sizes[at]]
        if room:  # else it is with the rest
            at = min(room, key=lambda each: taken[each])
            made[at] += files.pop(name)
            taken[at] += SECONDS[name]
    rest = [item for name in sorted(files, key=rank) for item in files[name]]
    for pile, size in zip(made, sizes, strict=True):
        missing = size - len(pile)
        pile += rest[:missing]
        del rest[:missing]
    return made


def rank(name: str) -> tuple[int, str]:
    """Whole commands before what needs the patient, and both before the rest."""
    return {"e2e": 0, "patient": 1}.get(name.partition("/")[0], 2), name


@pytest.fixture(scope="session", params=list(PATIENTS))
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """`path`, which `make` makes on the first call in all processes that run tests side by side."""
    made = path.with_name(f"{path.name}.made")
    with filelock.FileLock(path.with_name(f"{path.name}.lock")):
        if not made.exists():
            make(path)
            made.touch()
    return path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes share which run tests side by side: for use with `once`."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@dataclass(frozen=True)
class World:
    """A folder of this process with dependencies that CpGPT can use, and a model in a cache.

    shared: what all processes have in common; see `once`.
    """

    folder: Path
    genome: Path
    variables: dict[str, str]
    shared: Path

    def under(self, **variables: str) -> World:
        """The same with other variables for what is run in it."""
        return replace(self, variables={**self.variables, **variables})

    def dependencies(self, name: str) -> Path:
        """A fresh dependencies folder over the world's genome."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        (path / "genomes").mkdir(parents=True)
        metadata = [
            {
                "organism": {"name": "homo_sapiens", "scientific_name": "Homo sapiens"},
                "assembly": {
                    "assembly_default": "Lambda",
                    "sequences": [{"name": name} for name in sequence_names(self.genome)],
                },
            }
        ]
        text = json.dumps(metadata)
        (path / "genomes" / "species_metadata_EnsemblVertebrates.json").write_text(text)
        (path / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa").symlink_to(self.genome)
        return path

    def in_patient(
        self, release: str, script: str | Path, request: dict[str, object]
    ) -> np.ndarray:
        """Run tests/SCRIPT in the release's interpreter; it writes rows, which are returned."""
        place = Path(tempfile.mkdtemp(prefix="patient-", dir=self.folder))
        path = place / "request.json"
        path.write_text(json.dumps({**request, "out": str(place / "rows.npy")}))
        ran = subprocess.run(
            [PATIENTS[release], HERE / script, path],
            env=clean_environment(**self.variables),
            capture_output=True,
            encoding="utf-8",
        )
        assert ran.returncode == 0, ran.stderr
        return np.load(place / "rows.npy")

    def facts(self, release: str) -> Path:
        """An examination of the release's environment, made once for all tests."""

        def make(path: Path) -> None:
            asked = ("check", "--python", PATIENTS[release], "--num-workers", 2)
            ran = self.doctor(*asked, "--save-facts", path, "--no-redact", "--fail-on", "never")
            assert ran.returncode == 0, ran.stderr

        return once(self.shared / f"facts-{release}.json", make)

    def doctor(self, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        """Run cpgpt-doctor as a user does."""
        return subprocess.run(
            [sys.executable, "-m", "cpgpt_doctor", *map(str, arguments)],
            env=clean_environment(**self.variables),
            capture_output=True,
            encoding="utf-8",
            **options,  # type: ignore[call-overload]
        )


def sequence_names(genome: Path) -> list[str]:
    with genome.open() as stream:
        return [line[1:].split()[0] for line in stream if line.startswith(">")]


def write_genome(path: Path) -> None:
    """Lambda's genome as chromosome 1, and a sequence with what real genomes have beside ACGT."""
    bases = "".join(LAMBDA.read_text().splitlines()[1:])
    mixed = (
        bases[:3000] + "N" * 3000 + bases[3000:6000].lower() + bases[6000:9000] + "RYN" + "A" * 500
    )
    with path.open("w") as out:
        for name, sequence in (("1", bases), ("2", mixed)):
            out.write(f">{name} dna\n")
            out.writelines(sequence[at : at + 70] + "\n" for at in range(0, len(sequence), 70))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> World:
    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        write_genome(folder / "genome.fa")
        demo.write_model(str(folder / "hf"), f"InstaDeepAI/{DNA_LLM}")

    made = once(shared / "world", make)
    variables = {"HF_HOME": str(made / "hf"), "HF_HUB_OFFLINE": "1"}
    return World(tmp_path_factory.mktemp("world"), made / "genome.fa", variables, shared)


@pytest.fixture(scope="session")
def locations() -> list[str]:
    """Locations in lambda, and some at a chromosome's ends, in N runs and in lower case."""
    rng = random.Random(5)
    plain = [f"1:{position}" for position in rng.sample(range(48_000), LOCATIONS)]
    special = ["1:0", "1:7", "1:48501", "2:2950", "2:3050", "2:5950", "2:6100", "2:9000", "2:12002"]
    mixed = plain + special
    rng.shuffle(mixed)
    return mixed


@pytest.fixture(scope="session")
def made_by_cpgpt(world: World, locations: list[str]) -> Callable[[str], Path]:
    """Stores by release that unmodified CpGPT made of the locations, each made once.

    Beside `dependencies` lies what CpGPT reads from it: rows.npy.
    """

    def store(release: str) -> Path:
        def make(folder: Path) -> None:
            folder.mkdir(exist_ok=True)
            dependencies = world.dependencies(f"reference-{release}")
            rows = world.in_patient(
                release,
                "reference.py",
                {
                    "dependencies": str(dependencies),
                    "genome": str(world.genome),
                    "locations": locations,
                    "dna_llm": DNA_LLM,
                    "context_len": CONTEXT,
                },
            )
            np.save(folder / "rows.npy", rows)
            dependencies.rename(folder / "dependencies")

        return once(world.shared / f"made-by-cpgpt-{release}", make) / "dependencies"

    return store


@pytest.fixture(scope="session")
def reference(made_by_cpgpt: Callable[[str], Path]) -> Callable[[str], np.ndarray]:
    """Reference rows by release: what unmodified CpGPT stores for each location."""

    def rows(release: str) -> np.ndarray:
        return np.load(made_by_cpgpt(release).with_name("rows.npy"))

    return rows
