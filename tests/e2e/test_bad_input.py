"""A wrong call or input ends in one line that says what and where, and nothing is written."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlitedict

from cpgpt_doctor import check, cli
from cpgpt_doctor.facts import Facts
from cpgpt_doctor.probes import collect
from tests.conftest import World, write_genome
from tests.environment import clean_environment
from tests.machines import recorded
from tests.processes import usual_signals

NOTE = "examining the environment, the genome and the locations"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A genome without a model: what is refused here is refused before a model is needed."""
    write_genome(tmp_path / "genome.fa")
    return World(tmp_path, tmp_path / "genome.fa", {"HF_HUB_OFFLINE": "1"}, tmp_path)


@pytest.fixture
def dependencies(world: World) -> Path:
    return world.dependencies("dependencies")


def given(world: World, content: str | bytes) -> Path:
    path = world.folder / "given.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder, with what changes when it is written to."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = status.st_mtime_ns, status.st_size
    return found


def refused(world: World, *arguments: object, **options: object) -> str:
    """Run the doctor; it must refuse the call as it should. Return the line that it says."""
    before = listing(world.folder)
    ran = world.doctor(*arguments, cwd=world.folder, **options)
    assert listing(world.folder) == before
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    *notes, line = ran.stderr.splitlines()
    assert set(notes) <= {NOTE}
    assert line.startswith("cpgpt-doctor: ")
    return line.removeprefix("cpgpt-doctor: ")


def refused_run(world: World, folder: Path, content: str | bytes = "1:5\n", *more: object) -> str:
    path = given(world, content)
    return refused(world, "run-embed", "--dependencies-dir", folder, "--locations", path, *more)


def found(
    world: World, folder: Path, content: str | bytes = "1:5\n", *more: object, **options: object
) -> list[dict[str, Any]]:
    """Run it; it must refuse by findings, as it should. Return those that are errors."""
    path = given(world, content)
    before = listing(world.folder)
    ran = world.doctor(
        "run-embed", "--dependencies-dir", folder, "--locations", path, "--format", "json", *more,
        cwd=world.folder, **options,
    )  # fmt: skip
    assert listing(world.folder) == before
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines() == [NOTE]
    data = json.loads(ran.stdout)
    assert data["exit_code"] == 2
    return [each for each in data["findings"] if each["severity"] == "error"]


def one(world: World, folder: Path, *arguments: Any) -> dict[str, Any]:
    (finding,) = found(world, folder, *arguments)
    return finding


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--nope"],
        ["run-embed", "--nope"],
        ["run-embed", "--num-workers", "-1"],
        ["run-embed", "--num-workers", "1.5"],
        ["run-embed", "--batch-size", "0"],
        ["run-embed", "--context-len", "-5"],
        ["run-embed", "--device", "tpu"],
        ["check", "--num-workers", "-1"],
        ["check", "--start-method", "thread"],
        ["check", "--dna"],
        [],
        ["nope"],
    ],
    ids=" ".join,
)
@pytest.mark.sample(4)
def test_a_wrong_option_is_named_under_the_usage(world: World, arguments: list[str]) -> None:
    before = listing(world.folder)
    ran = world.doctor(*arguments, cwd=world.folder)
    assert listing(world.folder) == before
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    line = ran.stderr.splitlines()[-1]
    assert re.match(r"cpgpt-doctor( check| run-embed)?: ", line)
    wrong = next((word for word in arguments if word.startswith("-")), "".join(arguments))
    assert wrong in line


@pytest.mark.parametrize("option", ["--dependencies-dir", "--locations"])
def test_a_run_without_its_two_options_is_told_which(world: World, option: str) -> None:
    other = {"--dependencies-dir": "--locations", "--locations": "--dependencies-dir"}[option]
    assert option in refused(world, "run-embed", other, "x")


def test_a_context_that_cpgpt_refuses_is_refused(world: World, dependencies: Path) -> None:
    line = refused_run(world, dependencies, "1:5\n", "--context-len", 50)
    assert line.startswith("--context-len 50: ")
    assert "100" in line


@pytest.mark.parametrize("command", ["check", "run-embed", "verify"])
def test_a_folder_without_a_name_is_not_the_one_at_hand(command: str, world: World) -> None:
    """As --dependencies-dir "$DEPS" gives one where DEPS is not set."""
    ran = world.doctor(command, "--dependencies-dir", "", timeout=600)
    assert ran.returncode == 2
    assert "--dependencies-dir: a folder is needed, not ''" in ran.stderr


def test_an_unknown_species_is_refused_with_a_near_name(world: World, dependencies: Path) -> None:
    line = refused_run(world, dependencies, "1:5\n", "--species", "homo_sapien")
    assert line.startswith("--species homo_sapien: ")
    assert line.endswith("did you mean homo_sapiens?")
    with sqlitedict.SqliteDict(dependencies / "ensembl_metadata.db", autocommit=True) as table:
        table["mus_musculus"] = {"assembly": "GRCm39"}
    line = refused_run(world, dependencies, "1:5\n", "--species", "mus_muscullus")
    assert "ensembl_metadata.db" in line
    assert line.endswith("did you mean mus_musculus?")
    assert "did you mean" not in refused_run(world, dependencies, "1:5\n", "--species", "x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no location"),
        (b"\x00\x01\x02" * 1000, "zero byte"),
        (os.urandom(16).join([b"\xff\xfe", b"\xff"]), "is not UTF-8"),
        (gzip.compress(b"1:5\n", mtime=0), "gzip -dc"),
        ("symbol,gene\ncg1,TP53\n", ":1: has neither"),
    ],
    ids=["empty", "zeros", "binary", "gzip", "header"],
)
def test_a_wrong_file_of_locations_is_named(
    world: World, dependencies: Path, content: str | bytes, said: str
) -> None:
    line = refused_run(world, dependencies, content)
    assert line.startswith(str(world.folder / "given.txt"))
    assert said in line


@pytest.mark.parametrize(
    ("content", "line", "shown"),
    [
        ("1:5\n1:1_000\n", 2, "1:1_000"),
        ("1:5\n\x1b[2J1:7\n", 2, r"\x1b[2J1:7"),
        ("probe,CpG_chrm,CpG_beg\ncg1,1,5\ncg2,NA,NA\n", 3, "NA:NA"),
    ],
    ids=["underscore", "escape code", "NA"],
)
def test_a_line_that_is_no_location_is_a_finding_at_that_line(
    world: World, dependencies: Path, content: str, line: int, shown: str
) -> None:
    finding = one(world, dependencies, content)
    assert finding["code"] == "CPG503"
    assert finding["location"]["path"] == str(world.folder / "given.txt")
    assert finding["location"]["line"] == line
    (seen,) = finding["evidence"]["seen"].values()
    assert seen.startswith(f"'{shown}': is not chromosome:position")


def test_a_missing_file_of_locations_is_named(world: World, dependencies: Path) -> None:
    for path, why in ((world.folder / "none", "No such file"), (dependencies, "Is a directory")):
        line = refused(world, "run-embed", "--dependencies-dir", dependencies, "--locations", path)
        assert line.startswith(f"--locations {path}: cannot be read: {why}")


def test_standard_input_is_named_as_a_file_is(world: World, dependencies: Path) -> None:
    call = "run-embed", "--dependencies-dir", dependencies, "--locations", "-"
    assert refused(world, *call, input="") == "standard input: holds no location"
    ran = world.doctor(*call, input="1:5\nchr1\n")
    assert ran.returncode == 2
    assert "line 2: 'chr1': is not chromosome:position" in ran.stdout
    closed = refused(world, *call, preexec_fn=lambda: os.close(0))
    assert closed == "--locations -: standard input is closed"


def test_locations_that_the_genome_does_not_have_are_counted_with_examples(
    world: World, dependencies: Path
) -> None:
    content = "1:5\nchr1:7\nchr2:8\nchrX:9\nchrX:10\n1:48502\n"
    names, outside = found(world, dependencies, content)
    assert names["code"] == "CPG502"
    assert names["title"].startswith("4 of 6 locations name a sequence that the genome does not")
    seen = names["evidence"]["seen"]
    assert seen["chr1"] == "the genome has '1'"
    for example, line in (("chr1:7", 2), ("chr2:8", 3), ("chrX:9", 4)):
        assert seen[example] == f"line {line}"
    assert "chrX:10" not in seen
    assert outside["code"] == "CPG503"
    assert outside["title"] == "1 of 6 locations are past the end of their sequence"
    assert outside["evidence"]["seen"] == {"1:48502": "line 6"}


def test_the_last_position_of_a_sequence_is_not_past_its_end(
    world: World, dependencies: Path
) -> None:
    finding = one(world, dependencies, "1:48501\n1:48502\n2:1" + "0" * 17 + "\n")
    assert finding["title"] == "2 of 3 locations are past the end of their sequence"


@pytest.mark.parametrize(
    ("names", "location", "hint"),
    [
        (["chr1", "chrM"], "1:5", "the genome has 'chr1'"),
        (["1", "MT"], "chrM:5", "the genome has 'MT'"),
        (["1", "MT"], "M:5", "the genome has 'MT'"),
        (["chr1", "chrM"], "MT:5", "the genome has 'chrM'"),
        (["NC_1", "NC_2", "NC_3", "NC_4"], "1:5", "NC_1, NC_2, NC_3, …"),
    ],
)
def test_a_name_that_would_fit_otherwise_written_is_hinted_at(
    world: World, dependencies: Path, names: list[str], location: str, hint: str
) -> None:
    genome = world.folder / "other.fa"
    genome.write_text("".join(f">{name}\nACGTACGTACGT\n" for name in names))
    finding = one(world, dependencies, location + "\n", "--genome", genome)
    assert hint in finding["evidence"]["seen"].values()


def test_windows_of_nothing_but_n_are_refused_unless_allowed_by_name(
    world: World, dependencies: Path
) -> None:
    finding = one(world, dependencies, "1:5\n2:4500\n2:4501\n", "--context-len", 201)
    assert finding["code"] == "CPG507"
    assert finding["title"] == "the windows of 2 locations are nothing but N"
    assert finding["location"]["line"] == 2
    commands = [line for each in finding["remedies"] for line in each["commands"]]
    assert any(line.endswith("--allow-all-n") for line in commands)


def test_a_folder_that_is_none_is_named(world: World, dependencies: Path) -> None:
    file = given(world, "1:5\n")
    for folder in (world.folder / "none", file, file / "below", Path("/proc/none")):
        assert refused_run(world, folder) == f"--dependencies-dir {folder}: no such folder"


@pytest.fixture
def read_only(dependencies: Path) -> Iterator[Path]:
    """A folder that cannot be written to, by root either."""
    again = ["mount", "-o", "remount,bind,ro", str(dependencies)]
    mounted = subprocess.run(
        ["mount", "--bind", str(dependencies), str(dependencies)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a folder cannot be mounted here: {mounted.stderr.strip()}")
    if subprocess.run(again, capture_output=True).returncode != 0:
        subprocess.run(["umount", str(dependencies)], check=True)
        pytest.skip("a folder cannot be mounted to be read only here")
    yield dependencies
    subprocess.run(["umount", str(dependencies)], check=True)


def test_a_folder_that_cannot_be_written_to_is_refused_at_once(
    world: World, read_only: Path
) -> None:
    line = refused_run(world, read_only)
    assert line == f"--dependencies-dir {read_only}: cannot be written to"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not FASTA: it holds no sequence"),
        (b"1:5\n", ":1: not FASTA"),
        (b">1\nACGT\nAC\nACGT\n", ":3: shorter than the other lines"),
        (b">1\nACGT\n>1\nACGT\n", ":3: the name '1' stands twice"),
        (b">1\nAC\0GT\n", ":2: holds a zero byte"),
        (b">1\rACGT\r", ":1: a line ends in CR without LF"),
    ],
    ids=["empty", "not FASTA", "ragged", "twice", "zero", "CR"],
)
@pytest.mark.sample(3)
def test_a_wrong_genome_is_named_with_the_line(
    world: World, dependencies: Path, content: bytes, said: str
) -> None:
    genome = world.folder / "other.fa"
    genome.write_bytes(content)
    line = refused_run(world, dependencies, "1:5\n", "--genome", genome)
    assert line.startswith(str(genome))
    assert said in line


def test_a_compressed_genome_is_a_finding_with_the_command(
    world: World, dependencies: Path
) -> None:
    genome = world.folder / "other.fa"
    genome.write_bytes(gzip.compress(b">1\nACGT\n", mtime=0))
    finding = one(world, dependencies, "1:5\n", "--genome", genome)
    assert (finding["code"], finding["location"]["path"]) == ("CPG518", str(genome))
    assert f"gzip -dc {genome} > genome.fa" in finding["remedies"][0]["commands"]


@pytest.mark.parametrize("kind", ["FIFO", "folder", "device"])
def test_a_genome_that_cannot_be_read_by_position_is_refused_at_once(
    world: World, dependencies: Path, kind: str
) -> None:
    path = world.folder / "given.fa"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    for line in (
        refused_run(world, dependencies, "1:5\n", "--genome", path),
        refused(world, "check", "--genome", path),
    ):
        assert line.startswith(f"{path}: the genome cannot be read: it is a")


def test_locations_one_base_off_are_refused_with_the_option_that_mends_them(
    world: World, dependencies: Path
) -> None:
    bases = "".join(world.genome.read_text().split(">")[1].split("\n")[1:])
    starts = [at for at in range(len(bases)) if bases[at : at + 2] == "CG"][:50]
    content = "CHR,MAPINFO\n" + "".join(f"1,{at + 1}\n" for at in starts)
    for text in (content, content.replace("CHR,MAPINFO", "chrom,position")):
        finding = one(world, dependencies, text)
        assert finding["code"] == "CPG517"
        assert finding["evidence"]["seen"]["CG one base to the left"] == "100.0%"
        assert finding["remedies"][0]["commands"][0].endswith("--positions 1-based")


def test_a_missing_genome_is_named(world: World, dependencies: Path) -> None:
    none = world.folder / "none.fa"
    assert refused_run(world, dependencies, "1:5\n", "--genome", none) == (
        f"--genome {none}: no such file"
    )
    path = dependencies / "genomes" / "homo_sapiens.Lambda.dna.toplevel.fa"
    path.unlink()
    finding = one(world, dependencies)
    assert (finding["code"], finding["title"]) == ("CPG501", "the genome is missing")
    assert finding["location"]["path"] == str(path)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(b">1\nACGT\n"))
    assert f"gzip -dk {path}.gz" in one(world, dependencies)["remedies"][0]["commands"]


@pytest.mark.parametrize("content", [None, b"", b"not JSON", b"\xff\xfe", b'{"a": 1}', b"[1]"])
@pytest.mark.sample(2)
def test_wrong_species_metadata_is_named(
    world: World, dependencies: Path, content: bytes | None
) -> None:
    path = dependencies / "genomes" / "species_metadata_EnsemblVertebrates.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert refused_run(world, dependencies).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [b"", b"not a database " * 100])
def test_a_database_that_is_none_is_named(world: World, dependencies: Path, content: bytes) -> None:
    path = dependencies / "ensembl_metadata.db"
    path.write_bytes(content)
    finding = one(world, dependencies)
    assert (finding["code"], finding["location"]["path"]) == ("CPG509", str(path))


@pytest.mark.parametrize("command", ["check", "run-embed"])
@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/no/such/python", "cannot be started: No such file or directory"),
        ("/", "a folder without bin/python"),
        (shutil.which("true"), "does not work as a Python interpreter: it printed nothing"),
        (shutil.which("cat"), "does not work as a Python interpreter: "),
    ],
)
@pytest.mark.sample(3)
def test_an_interpreter_that_is_none_is_named(
    world: World, dependencies: Path, command: str, python: str, said: str
) -> None:
    if command == "check":
        line = refused(world, "check", "--python", python)
    else:
        line = refused_run(world, dependencies, "1:5\n", "--python", python)
    assert line.startswith(f"--python {python}: {said}")


def test_a_python_without_cpgpt_is_a_finding(
    world: World, dependencies: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    path = given(world, "1:5\n")
    before = listing(world.folder)
    ran = world.doctor(
        "run-embed", "--dependencies-dir", dependencies, "--locations", path,
        "--python", bare / "bin" / "python", cwd=world.folder,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "CPG402" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
    assert ran.stderr.splitlines() == [NOTE]
    assert listing(world.folder) == before


def test_a_model_that_this_cpgpt_does_not_have_is_refused_with_those_it_has(
    world: World, dependencies: Path
) -> None:
    line = refused_run(world, dependencies, "1:5\n", "--dna-llm", "hyenadna-huge")
    assert line.startswith("--dna-llm hyenadna-huge: this CpGPT has DNABERT-2-117M, ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "not a text file"),
        (b"", "not JSON"),
        (b"{\n'a': 1}", ":2: not JSON"),
        (b"[]", "not facts of this version"),
        (b'{"schema": "other/v9"}', "'other/v9' found"),
        (
            b'{"schema": "cpgpt-doctor/facts/v1", "host": 3}',
            "facts.host: an object is expected, not 3",
        ),
        (b'{"schema": %s}' % (b"9" * 5000), "not facts"),
        (b"[" * 100_000, "not facts"),
    ],
    ids=["missing", "binary", "empty", "not JSON", "list", "other", "fields", "number", "nested"],
)
@pytest.mark.sample(3)
def test_wrong_facts_are_named(world: World, content: bytes | None, said: str) -> None:
    path = world.folder / "facts.json"
    if content is not None:
        path.write_bytes(content)
    line = refused(world, "check", "--facts", path)
    assert line.startswith(str(path))
    assert said in line


def test_a_check_names_what_it_cannot_read_or_write(world: World) -> None:
    none = world.folder / "none" / "x"
    assert refused(world, "check", "--genome", none) == f"--genome {none}: no such file"
    line = refused(world, "check", "--quick", "--save-facts", none)
    assert line == f"--save-facts {none}: there is no folder {none.parent}"


def test_debug_shows_where_an_error_came_from(world: World, dependencies: Path) -> None:
    call = "run-embed", "--dependencies-dir", dependencies, "--locations", given(world, "\n")
    ran = world.doctor(*call, "--debug")
    assert ran.returncode == 2
    assert "Traceback (most recent call last)" in ran.stderr
    assert "locations.py" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("cpgpt-doctor: ")


RECORDED = Path(recorded.__file__).with_name("linux-py313-cpgpt0.0.7.json")


@pytest.mark.parametrize("value", ["²", "٣", "9" * 5000, " 4", "+4", ""])
@pytest.mark.parametrize("option", ["--num-workers", "--batch-size"])
@pytest.mark.sample(3)
def test_a_number_that_is_no_plain_number_is_refused(world: World, option: str, value: str) -> None:
    line = refused(world, "check", "--facts", RECORDED, option, value)
    assert f"argument {option}: a whole number from " in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '[tool.cpgpt-doctor]\nnum-workers = "²"',
            "tool.cpgpt-doctor.num-workers: a number is needed",
        ),
        ("[tool.cpgpt-doctor]\nbatch-size = 0", "tool.cpgpt-doctor.batch-size: a whole number"),
        (
            '[tool.cpgpt-doctor]\npython = "a\\u0000b"',
            "tool.cpgpt-doctor.python: holds a zero byte",
        ),
        (f"many = {'9' * 5000}", "not TOML"),
        (f"deep = {'[' * 20_000}{']' * 20_000}", "not TOML"),
    ],
    ids=["superscript", "zero", "zero byte", "digits", "nested"],
)
@pytest.mark.sample(2)
def test_a_pyproject_that_does_not_fit_is_named(world: World, content: str, said: str) -> None:
    path = world.folder / "pyproject.toml"
    path.write_text(f"{content}\n", encoding="utf-8")
    line = refused(world, "check", "--facts", RECORDED)
    assert line.startswith(f"{path}: {said}")


@pytest.mark.parametrize("content", ["tool = 5", 'tool = "cpgpt-doctor"', "tool = []"])
def test_a_pyproject_without_tables_of_tools_is_none_of_ours(world: World, content: str) -> None:
    (world.folder / "pyproject.toml").write_text(f"{content}\n")
    ran = world.doctor("check", "--facts", RECORDED, "--fail-on", "never", cwd=world.folder)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_home_folder_in_pyproject_is_known_by_its_sign(world: World) -> None:
    home = replace(world, variables={"HOME": str(world.folder / "home")})
    path = world.folder / "pyproject.toml"
    for option in ("python", "genome", "baseline"):
        path.write_text(f'[tool.cpgpt-doctor]\n{option} = "~/x/none"\n')
        line = refused(home, "check")
        assert line.startswith(f"--{option} {world.folder / 'home' / 'x' / 'none'}: ")
    path.write_text('[tool.cpgpt-doctor]\nbaseline = "~nobody-of-this-name/x"\n')
    line = refused(home, "check")
    assert line.startswith(f"--baseline {world.folder}/~nobody-of-this-name/x: ")


def test_locations_beside_a_demo_are_refused_and_not_replaced(world: World) -> None:
    line = refused(world, "run-embed", "--demo", "--locations", given(world, "1:5\n"))
    assert line == "--demo has locations of its own; leave --locations out"


def test_a_bench_without_what_cpgpt_needs_names_the_rule(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = bare / "bin" / "python"
    ran = world.doctor("bench", "--python", python, cwd=world.folder)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        f"cpgpt-doctor: torch cannot be imported by {python} (ModuleNotFoundError: No module named"
        " 'torch'); name the interpreter that runs CpGPT with --python, or see: cpgpt-doctor"
        " explain CPG401"
    )
    packages = Path(next(bare.glob("lib/python3*/site-packages")))
    for name in ("torch", "numpy", "pyfaidx", "transformers"):
        (packages / f"{name}.py").write_text("")
    ran = world.doctor("bench", "--python", python, cwd=world.folder)
    assert ran.returncode == 2, ran.stderr
    assert "cpgpt cannot be imported by" in ran.stderr
    assert ran.stderr.endswith("explain CPG402\n")


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/no/such/python", "cannot be started: No such file or directory"),
        (shutil.which("true"), "does not work as a Python interpreter: it printed nothing"),
    ],
)
def test_a_bench_names_an_interpreter_that_is_none(world: World, python: str, said: str) -> None:
    ran = world.doctor("bench", "--python", python, cwd=world.folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1] == f"cpgpt-doctor: --python {python}: {said}"


def test_a_dataset_of_pyproject_lies_in_its_folder_and_one_of_the_call_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imported by a real probe; the others are left out."""
    (here := tmp_path / "project" / "scripts").mkdir(parents=True)
    module = "class D(list): pass\ndef made(): return D([{}])\n"
    (tmp_path / "project" / "ourdata.py").write_text(module.format(1))
    (here / "mydata.py").write_text(module.format(2))
    (tmp_path / "project" / "pyproject.toml").write_text(
        '[tool.cpgpt-doctor]\ndataset = "ourdata:made"\nfail-on = "never"\n'
    )
    seen = []

    def observe(**asked: Any) -> Facts:
        seen.append(
            collect.collect(
                asked["python"],
                dataset=asked["dataset"],
                dataset_folder=str(asked["dataset_folder"]),
                leave_out=tuple(set(collect.PROBES) - {"python", "own_dataset"}),
            )
        )
        return seen[-1]

    monkeypatch.setattr(check, "observe", observe)
    monkeypatch.chdir(here)
    cli.main(["check"])
    cli.main(["check", "--dataset", "mydata:made"])
    cli.main(["check", "--dataset", "ourdata:made"])
    outcomes = [facts.own_dataset.outcome for facts in seen if facts.own_dataset]
    assert [each.ok for each in outcomes] == [True, True, False]
    assert outcomes[2].error == "No module named 'ourdata'"


ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b2Jgone\x7f\rover"
FORMS = ("terminal", "markdown", "html", "json", "sarif", "github", "junit")


@pytest.fixture
def hostile(world: World) -> Path:
    """Facts with an error whose text clears a screen and sets a window's title."""
    data = json.loads(RECORDED.read_text(encoding="utf-8"))
    data["packages"]["cpgpt"] = None
    data["embedder"] = None
    error = {"ok": False, "error_type": "ImportError", "error": f"bad {ESCAPES}", "seconds": 1.0}
    data["accelerator"] = {**data["accelerator"], "outcome": error, "torch": None}
    data["python"]["executable"] = f"/bin/{ESCAPES}"
    path = world.folder / "hostile.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("placed", ["shown", "file", "in colour"])
@pytest.mark.sample(7)
def test_no_text_of_an_error_commands_the_terminal(
    world: World, hostile: Path, form: str, placed: str
) -> None:
    summary = world.folder / "summary"
    variables = {"GITHUB_STEP_SUMMARY": str(summary)}
    if placed == "in colour":
        variables["FORCE_COLOR"] = "1"
    asked = ("--verbose", "--fail-on", "never", "--format", form)
    place = ("--output", "report") if placed == "file" else ()
    there = replace(world, variables=variables)
    ran = there.doctor("check", "--facts", hostile, *asked, *place, cwd=world.folder)
    assert ran.returncode == 0, ran.stderr
    text = (world.folder / "report").read_text("utf-8") if placed == "file" else ran.stdout
    if form == "github":
        text += summary.read_text("utf-8")
    assert "CPG401" in text
    if form == "terminal" and placed == "in colour":
        assert "\x1b[" in text
        text = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert not set(text) & set("\x1b\x07\x9b\x7f")


def test_no_name_in_an_error_line_commands_the_terminal(world: World) -> None:
    line = refused(world, "check", "--facts", ESCAPES)
    assert not set(line) & set("\x1b\x07\x9b\x7f")
    line = refused(world, "check", f"--{ESCAPES}")
    assert not set(line) & set("\x1b\x07\x9b\x7f")


def test_no_error_in_a_log_commands_the_terminal(world: World) -> None:
    log = given(world, f"Traceback (most recent call last):\nValueError: {ESCAPES}\n")
    for form in ("terminal", "markdown"):
        ran = world.doctor("explain", "--log", log, "--format", form)
        assert ran.returncode == 1, ran.stderr
        assert "ValueError" in ran.stdout
        assert not set(ran.stdout) & set("\x1b\x07\x9b\x7f")


@pytest.mark.parametrize(
    "asked",
    [("check", "--facts", RECORDED, "--fail-on", "never"), ("explain", "CPG201")],
    ids=["check", "explain"],
)
def test_a_width_that_no_terminal_has_is_not_taken(world: World, asked: tuple[object, ...]) -> None:
    def shown(variables: dict[str, str]) -> str:
        ran = replace(world, variables=variables).doctor(*asked)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    usual = shown({})
    assert len(usual) > 1000
    assert shown({"COLUMNS": "40"}) != usual
    for columns in ("0", "1", "19", "²", "-5", "x", "9" * 30):
        assert shown({"COLUMNS": columns, "LINES": columns}) == usual, columns


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_a_program_that_calls_main_has_its_signals_back_afterwards() -> None:
    script = (
        "import signal; from cpgpt_doctor import cli; cli.main(['explain', 'CPG201']);"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL;"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environment(),
        capture_output=True,
        text=True,
        preexec_fn=usual_signals,
    )
    assert ran.returncode == 0, ran.stderr
