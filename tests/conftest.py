"""What the tests share: interpreters with real CpGPT, and a world with a real genome."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cpgpt_doctor.patient import demo
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
LOCATIONS = int(os.environ.get("CPGPT_DOCTOR_TEST_LOCATIONS", "150"))
CONTEXT = int(os.environ.get("CPGPT_DOCTOR_TEST_CONTEXT", "201"))


@pytest.fixture(scope="session", params=list(PATIENTS))
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(frozen=True)
class World:
    """A folder with dependencies that CpGPT can use, and a model in a cache."""

    folder: Path
    genome: Path
    variables: dict[str, str]

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

    def in_patient(self, release: str, script: str, request: dict[str, object]) -> np.ndarray:
        """Run tests/SCRIPT in the release's interpreter; it writes rows, which are returned."""
        out = self.folder / "rows.npy"
        path = self.folder / "request.json"
        path.write_text(json.dumps({**request, "out": str(out)}))
        subprocess.run(
            [PATIENTS[release], HERE / script, path],
            check=True,
            env=clean_environment(**self.variables),
            capture_output=True,
        )
        return np.load(out)

    def facts(self, release: str) -> Path:
        """An examination of the release's environment, made once for all runs of the tests."""
        path = self.folder / f"facts-{release}.json"
        if not path.exists():
            saved = ("--save-facts", path, "--no-redact", "--fail-on", "never")
            ran = self.doctor("check", "--via", "run-embed", "--python", PATIENTS[release], *saved)
            assert ran.returncode == 0, ran.stderr
        return path

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
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    write_genome(folder / "genome.fa")
    demo.write_model(str(folder / "hf"), f"InstaDeepAI/{DNA_LLM}")
    variables = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    return World(folder, folder / "genome.fa", variables)


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
def reference(world: World, locations: list[str]):
    """Reference rows by release, each computed once, by unmodified CpGPT."""
    computed: dict[str, np.ndarray] = {}

    def rows(release: str) -> np.ndarray:
        if release not in computed:
            computed[release] = world.in_patient(
                release,
                "reference.py",
                {
                    "dependencies": str(world.dependencies(f"reference-{release}")),
                    "genome": str(world.genome),
                    "locations": locations,
                    "dna_llm": DNA_LLM,
                    "context_len": CONTEXT,
                },
            )
        return computed[release]

    return rows
