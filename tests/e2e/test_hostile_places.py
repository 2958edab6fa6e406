"""`check` where much of what a desk has is missing: it works, and its report is complete."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest

from cpgpt_doctor import facts as facts_of
from cpgpt_doctor.reports.stream import Guarded
from tests.environment import clean_environment, on_disk
from tests.machines import recorded

SCHEMA = json.loads(
    resources.files("cpgpt_doctor.reports").joinpath("check.schema.json").read_text()
)
DOCTOR = (sys.executable, "-m", "cpgpt_doctor")
DEAD = "http://127.0.0.1:9"  # the discard port: nobody answers
NO_NETWORK = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), DEAD),
    **dict.fromkeys(("all_proxy", "ALL_PROXY"), DEAD),
}
ASCII_ONLY = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FORMATS = ("terminal", "markdown", "html", "json", "sarif", "github", "junit")
# The user that owns nothing, who may read what he does not own (this interpreter may lie in the
# home folder of root), and write nothing of it.
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a namespace or another user takes root"
)
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="descriptors are closed by a POSIX shell"
)


def start(
    *command: object,
    folder: Path,
    without: tuple[str, ...] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in clean_environment().items() if name not in without}
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**kept, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def statuses(text: bytes) -> dict[str, str]:
    """The status of every check of a JSON report that is valid."""
    data: dict[str, Any] = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    return {each["code"]: each["status"] for each in data["checks"]}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a quick check knows of this environment at a desk."""
    folder = tmp_path_factory.mktemp("desk")
    ran = start(*DOCTOR, "check", "--quick", "--format", "json", folder=folder)
    assert ran.returncode in (0, 1), ran.stderr
    known = statuses(ran.stdout)
    assert {"ok", "skipped"} <= set(known.values())
    return known


def quick(
    *before: object,
    folder: Path,
    without: tuple[str, ...] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The statuses of a quick check that `before` starts."""
    asked = (*DOCTOR, "check", "--quick", "--format", "json")
    ran = start(*before, *asked, folder=folder, without=without, variables=variables)
    assert ran.returncode in (0, 1), ran.stderr
    assert ran.stderr == b""
    return statuses(ran.stdout)


def test_proxies_that_do_not_answer(usual: dict[str, str], tmp_path: Path) -> None:
    assert quick(folder=tmp_path, variables=NO_NETWORK) == usual


def test_a_full_check_needs_neither_network_nor_home(tmp_path: Path) -> None:
    """As root, in a network namespace that has no interface up; else with dead proxies."""
    alone = ("unshare", "--net") if sys.platform == "linux" and os.geteuid() == 0 else ()
    asked = ("check", "--via", "run-embed", "--format", "json", "--save-facts", "facts.json")
    ran = start(
        *(*alone, *DOCTOR, *asked),
        folder=tmp_path,
        variables={"HOME": str(tmp_path / "missing"), **NO_NETWORK},
    )
    assert ran.returncode in (0, 1), ran.stderr
    # What is about the tokenizer is not known: it is not in the cache of a home that is not there.
    unknown = {code for code, status in statuses(ran.stdout).items() if status == "unknown"}
    assert unknown <= {"CPG207", "CPG209"}
    seen = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"))
    assert seen["failures"] == seen["skipped"] == []
    parts = ("host", "python", "packages", "accelerator", "embedder", "workers")
    assert all(seen[part] for part in parts)
    assert [each.name for each in tmp_path.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("home", [None, "missing"])
def test_no_home_folder(usual: dict[str, str], tmp_path: Path, home: str | None) -> None:
    variables = {"HOME": str(tmp_path / home)} if home else {}
    assert quick(folder=tmp_path, without=("HOME", "USER", "LOGNAME"), variables=variables) == usual
    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_home_of_a_user_whom_the_machine_does_not_know(
    usual: dict[str, str], tmp_path: Path
) -> None:
    """As in a container that is started with some user's number."""
    stranger = [part.replace("65534", "54321") for part in NOBODY]
    places = ("HOME", "USER", "LOGNAME", "TMPDIR")
    assert quick(*stranger, folder=Path("/"), without=places) == usual


@as_root
def test_another_user_who_owns_nothing(usual: dict[str, str], tmp_path: Path) -> None:
    nowhere = {"HOME": "/nonexistent", "USER": "nobody", "LOGNAME": "nobody"}
    assert quick(*NOBODY, folder=tmp_path, without=("TMPDIR",), variables=nowhere) == usual
    assert list(tmp_path.iterdir()) == []


def read_only(*folders: object) -> tuple[str, ...]:
    """A command that starts another where `folders` cannot be written, by root either."""
    script = (
        'for each in "$@"; do [ "$each" = -- ] && break; mount --bind "$each" "$each" || exit 9;'
    )
    script += (
        ' mount -o remount,bind,ro "$each" || exit 9; shift; done; shift; cd "$PWD"; exec "$@"'
    )
    return ("unshare", "--mount", "sh", "-c", script, "sh", *map(str, folders), "--")


@as_root
def test_a_read_only_file_system(usual: dict[str, str], tmp_path: Path) -> None:
    """Only the temporary folder can be written."""
    (temporary := tmp_path / "temporary").mkdir()
    (place := tmp_path / "place").mkdir()
    package = Path(__file__).parents[2]
    sealed = read_only(place, package, sys.prefix, sys.base_prefix)
    tried = start(*sealed, "touch", place / "file", folder=place)
    assert b"Read-only file system" in tried.stderr
    assert quick(*sealed, folder=place, variables={"TMPDIR": str(temporary)}) == usual
    assert list(temporary.iterdir()) == []


@as_root
@pytest.mark.parametrize("asked", ["--output", "--save-facts"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, asked: str) -> None:
    ran = start(
        *(*read_only(tmp_path), *DOCTOR, "check", "--quick", asked, "report.json"), folder=tmp_path
    )
    assert ran.returncode == 2
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith(f"cpgpt-doctor: {asked} report.json: ")
    assert "Read-only file system" in line


@as_root
def test_no_temporary_folder_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    places = [each for each in ("/tmp", "/var/tmp", "/usr/tmp") if Path(each).is_dir()]
    ran = start(
        *(*read_only(*places), *DOCTOR, "check", "--quick"), folder=tmp_path, without=("TMPDIR",)
    )
    assert ran.returncode == 3
    assert ran.stdout == b""
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith("cpgpt-doctor: no temporary folder can be written")
    assert "TMPDIR" in line


@posix
@pytest.mark.parametrize(
    "closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "</dev/null >/dev/null 2>/dev/null"]
)
@pytest.mark.sample(3)
def test_no_terminal_and_no_streams(usual: dict[str, str], tmp_path: Path, closed: str) -> None:
    script = f'exec "$@" {closed}'
    asked = ("check", "--quick", "--format", "json", "--output", "report.json")
    ran = start("setsid", "sh", "-c", script, "sh", *DOCTOR, *asked, folder=tmp_path)
    assert ran.returncode in (0, 1), ran.stderr
    assert statuses((tmp_path / "report.json").read_bytes()) == usual


# Python ends with 120 where its own last flush fails, which PYTHONUNBUFFERED hides.
BUFFERED = ({}, {"PYTHONUNBUFFERED": "1"})
# `bench` without its minutes of measuring.
BENCH = (
    *(sys.executable, "-c"),
    "import sys\nfrom cpgpt_doctor import bench, cli\nfrom tests.e2e.test_bench import USUAL\n"
    "bench.measure = lambda **asked: USUAL\nsys.exit(cli.main(sys.argv[1:]))",
    "bench",
)
RECORDED = Path(recorded.__file__).with_name("linux-py313-cpgpt0.0.7.json")
SHOWN = {
    **{
        f"check, {style}": (
            *(*DOCTOR, "check", "--facts", str(RECORDED), "--fail-on", "never"),
            *("--format", style),
        )
        for style in FORMATS
    },
    "explain": (*DOCTOR, "explain", "CPG201"),
    "explain, markdown": (*DOCTOR, "explain", "CPG201", "--format", "markdown"),
    "explain --log": (*DOCTOR, "explain", "--log", str(Path(__file__).resolve())),
    "bench": BENCH,
    "bench, json": (*BENCH, "--format", "json"),
    "run-embed": (*DOCTOR, "run-embed", "--demo", "--dry-run"),
    "--help": (*DOCTOR, "--help"),
}


@posix
@pytest.mark.parametrize("variables", BUFFERED, ids=["", "unbuffered"])
@pytest.mark.parametrize("shown", sorted(SHOWN.keys() - {"run-embed"}))
@pytest.mark.sample(8)
def test_a_report_that_a_full_disk_lost_is_no_success(
    tmp_path: Path, shown: str, variables: dict[str, str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    ran = started(SHOWN[shown], ">/dev/full", tmp_path, variables)
    assert ran.returncode == 3
    notes = [line for line in ran.stderr.decode().splitlines() if "measuring" not in line]
    assert notes == ["cpgpt-doctor: standard output cannot be written: No space left on device"]


@posix
@pytest.mark.parametrize("shown", sorted(SHOWN.keys() - {"--help"}))
@pytest.mark.sample(5)
def test_a_report_that_has_nowhere_to_go_is_refused(tmp_path: Path, shown: str) -> None:
    ran = started(SHOWN[shown], ">&-", tmp_path)
    assert ran.returncode == 3
    (line,) = ran.stderr.decode().splitlines()
    assert line == "cpgpt-doctor: standard output is closed; send it to a file: > FILE"
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("variables", BUFFERED, ids=["", "unbuffered"])
@pytest.mark.parametrize("lost", ["2>&-", "2>/dev/full"])
@pytest.mark.sample(2)
def test_words_that_cannot_be_said_change_neither_report_nor_exit_code(
    tmp_path: Path, lost: str, variables: dict[str, str]
) -> None:
    if lost == "2>/dev/full" and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    refused = started((*DOCTOR, "explain", "CPG999"), lost, tmp_path, variables)
    assert (refused.returncode, refused.stdout) == (2, b"")
    no_option = started((*DOCTOR, "explain", "--none"), lost, tmp_path, variables)
    assert (no_option.returncode, no_option.stdout) == (2, b"")
    heard = started(BENCH, lost, tmp_path, variables)
    assert heard.returncode == 0
    assert heard.stdout == started(BENCH, "", tmp_path, variables).stdout


def started(
    command: tuple[str, ...],
    redirected: str,
    folder: Path,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[bytes]:
    """Run by a shell that redirects; this package's tests can be imported."""
    repository = str(Path(__file__).parents[2])
    script = f'exec "$@" {redirected}'
    variables = {"PYTHONPATH": repository, **variables}
    return start("sh", "-c", script, "sh", *command, folder=folder, variables=variables)


@posix
@pytest.mark.parametrize("variables", BUFFERED, ids=["", "unbuffered"])
def test_a_reader_that_leaves_early_changes_no_exit_code(
    tmp_path: Path, facts: Path, variables: dict[str, str]
) -> None:
    """Under pipefail, as in many CI jobs, it is that of the whole line."""
    script = 'set -o pipefail; "$@" | head -n 1'
    for style in ("terminal", "json"):
        asked = ("check", "--facts", facts, "--verbose", "--format", style)
        ran = start(
            *("bash", "-c", script, "bash", *DOCTOR, *asked), folder=tmp_path, variables=variables
        )
        assert ran.stderr == b""
        assert len(ran.stdout.splitlines()) == 1
        assert ran.returncode == 1
    page = ("explain", "CPG201")
    ran = start("bash", "-c", script, "bash", *DOCTOR, *page, folder=tmp_path, variables=variables)
    assert (ran.returncode, ran.stderr) == (0, b"")


class Failing(io.StringIO):
    """A pipe that fails with an error of the platform's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


def test_a_pipe_without_a_reader_is_known_on_windows_too() -> None:
    """Windows says EINVAL, not EPIPE."""
    stream = Guarded(Failing(errno.EINVAL))
    stream.write("text")
    assert stream.lost("win32") is None
    assert stream.lost("linux") == os.strerror(errno.EINVAL)
    stream = Guarded(Failing(errno.ENOSPC))
    stream.write("text")
    assert stream.lost("win32") == os.strerror(errno.ENOSPC)
    assert Guarded(Failing(errno.EPIPE)).lost() is None  # nothing was written yet
    stream = Guarded(Failing(errno.EPIPE))
    stream.write("text")
    assert stream.lost("linux") is None


def test_half_a_character_is_shown_as_its_escape() -> None:
    """An index can hold one in the name of a location, and UTF-8 cannot."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream = Guarded(written)
    stream.write("1:5 \ud800 é")
    stream.flush()
    assert written.buffer.getvalue() == "1:5 \\ud800 é".encode()  # type: ignore[attr-defined]


@posix
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What a library prints to descriptor 1 or 2 would go into that file."""
    script = (
        "from cpgpt_doctor.reports.stream import guarded\n"
        "with guarded():\n"
        "    with open('opened', 'w') as file: file.write(str(file.fileno()))\n"
    )
    started((sys.executable, "-c", script), "<&- >&- 2>&-", tmp_path)
    assert int((tmp_path / "opened").read_text()) > 2


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment that has findings: neither torch nor CpGPT is there."""
    folder = tmp_path_factory.mktemp("facts")
    venv.create(folder / "bare", with_pip=False)
    asked = ("--quick", "--python", "bare/bin/python", "--save-facts", "facts.json")
    ran = start(*DOCTOR, "check", *asked, folder=folder)
    assert ran.returncode == 1, ran.stderr
    return folder / "facts.json"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.sample(5)
def test_standard_output_that_knows_only_ascii(
    tmp_path: Path, facts: Path, style: str, language: str
) -> None:
    asked = ("check", "--facts", facts, "--format", style, "--lang", language)
    ran = start(*DOCTOR, *asked, folder=tmp_path, variables=ASCII_ONLY)
    if (style, language) == ("terminal", "zh"):
        assert ran.returncode == 2
        assert b"PYTHONUTF8=1" in ran.stderr
        return
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr == b""
    assert b"CPG402" in ran.stdout
    if style == "terminal":
        assert ran.stdout.isascii()
        assert b"\\u" not in ran.stdout  # every mark has a plain likeness
    else:
        assert ran.stdout.decode("utf-8")  # these are files, whatever the terminal


def test_a_bench_on_a_terminal_that_knows_only_ascii(tmp_path: Path) -> None:
    ran = started(BENCH, "", tmp_path, ASCII_ONLY)
    assert ran.returncode == 0, ran.stderr
    assert b'"under 5 %"' in ran.stdout
    assert ran.stdout.isascii()
    data = started((*BENCH, "--format", "json"), "", tmp_path, ASCII_ONLY)
    assert json.loads(data.stdout.decode("utf-8"))["schema"] == "cpgpt-doctor/bench/v1"


def test_a_check_under_lang_c_is_complete(usual: dict[str, str], tmp_path: Path) -> None:
    assert quick(folder=tmp_path, variables=ASCII_ONLY) == usual


def test_names_with_other_letters_under_lang_c(usual: dict[str, str], tmp_path: Path) -> None:
    """A folder's name that the locale cannot write is no reason to fail."""
    (place := tmp_path / on_disk("数据 é")).mkdir()
    assert quick(folder=place, variables=ASCII_ONLY) == usual
    ran = start(*DOCTOR, "check", "--quick", "--verbose", folder=place, variables=ASCII_ONLY)
    assert ran.returncode in (0, 1), ran.stderr
    assert ran.stderr == b""


GONE = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
# What each option for a new file takes to write one, quickly.
WRITTEN = {
    "check --output": (
        *(*DOCTOR, "check", "--facts", str(RECORDED), "--fail-on", "never"),
        *("--format", "json", "--output"),
    ),
    "check --save-facts": (
        *(*DOCTOR, "check", "--facts", str(RECORDED), "--fail-on", "never", "--save-facts"),
    ),
    "explain --output": (*DOCTOR, "explain", "CPG201", "--format", "markdown", "--output"),
    "bench --plot": (*BENCH, "--plot"),
}
BEGINS = {"explain --output": b"# ", "bench --plot": b"<?xml"}


def named(path: Path, asked: str) -> Path:
    """A chart's name has to end in .svg."""
    return path.with_name(path.name + ".svg") if asked == "bench --plot" else path


def written(asked: str, path: object, folder: Path) -> bytes:
    """Write a new file by the option; the line that is said, which is none where it works."""
    repository = {"PYTHONPATH": str(Path(__file__).parents[2])}
    ran = start(*WRITTEN[asked], path, folder=folder, variables=repository)
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(b"measuring")]
    assert (ran.returncode, len(lines)) in ((0, 0), (2, 1)), ran.stderr
    return b"".join(lines)


def whole(data: bytes, asked: str) -> bool:
    return data.startswith(BEGINS.get(asked, b"{\n")) and data.endswith((b"}\n", b"\n"))


@posix
@pytest.mark.parametrize("asked", WRITTEN)
def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path: Path, asked: str) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (target := elsewhere / "target").write_bytes(b"old " * 10**5)
    target.chmod(0o640)
    link = named(tmp_path / "link", asked)
    link.symlink_to("elsewhere/target")
    # The name that was guessed, and followed to a file of somebody's.
    (victim := tmp_path / "victim").write_bytes(b"kept")
    (tmp_path / f".{link.name}.partial").symlink_to("victim")
    (elsewhere / ".target.partial").symlink_to("../victim")
    before = {*tmp_path.rglob("*")}
    assert written(asked, link, tmp_path) == b""
    assert str(link.readlink()) == "elsewhere/target"
    assert whole(target.read_bytes(), asked)
    assert target.stat().st_mode & 0o777 == 0o640
    assert victim.read_bytes() == b"kept"
    assert {*tmp_path.rglob("*")} == before


@posix
@pytest.mark.parametrize("asked", WRITTEN)
@pytest.mark.sample(2)
def test_a_fifo_is_written_to_and_stays(tmp_path: Path, asked: str) -> None:
    fifo = named(tmp_path / "fifo", asked)
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        try:
            assert written(asked, fifo, tmp_path) == b""
            assert fifo.is_fifo()
            assert reader.stdout
            assert whole(reader.stdout.read(), asked)
        finally:
            reader.kill()


@as_root
@pytest.mark.parametrize("asked", WRITTEN)
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.sample(3)
def test_a_device_is_written_to_and_stays(tmp_path: Path, asked: str, linked: bool) -> None:
    """A node of our own with the numbers of /dev/null, in a folder that root can write to."""
    node = named(tmp_path / "node", asked)
    subprocess.run(["mknod", node, "c", "1", "3"], check=True)
    path = named(tmp_path / "link", asked) if linked else node
    if linked:
        path.symlink_to(node.name)
    before = {*tmp_path.iterdir()}
    assert written(asked, path, tmp_path) == b""
    assert node.is_char_device()
    assert path.is_symlink() == linked
    assert {*tmp_path.iterdir()} == before


@posix
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_behind_a_descriptor_is_written_on(
    tmp_path: Path, number: int, linked: bool
) -> None:
    """By a link of the test's own: code that replaced /dev/stdout would harm the machine."""
    place = Path(f"/dev/fd/{number}")
    if not place.exists():
        pytest.skip(f"no {place} here")
    if linked:
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    asked = (*WRITTEN["explain --output"], str(place))
    sent = f"{number}>>out; echo after >>out"
    (tmp_path / "out").write_bytes(b"before\n")
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {sent}', "sh", *asked], cwd=tmp_path, env=clean_environment()
    )
    assert ran.returncode == 0
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert (lines[0], lines[-1]) == (b"before", b"after")
    assert lines[1].startswith(b"# ")
    assert {each.name for each in tmp_path.iterdir()} == {"out", *(["link"] if linked else [])}
    assert place.is_symlink() or not linked


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int) -> None:
    asked = (*WRITTEN["explain --output"], "new")
    subprocess.run(
        ["sh", "-c", f'umask {umask:o}; touch any; "$@"', "sh", *asked],
        cwd=tmp_path,
        env=clean_environment(),
        check=True,
    )
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize("asked", WRITTEN)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none/x.svg", "there is no folder none"),
        ("folder.svg", "is a folder"),
        ("file/x.svg", "cannot be written: Not a directory"),
        ("loop.svg", "cannot be written: Too many levels of symbolic links"),
        ("lost.svg", "there is no folder "),
        ("", "an empty one"),
    ],
)
@pytest.mark.sample(8)
def test_a_file_that_cannot_be_is_refused_before_any_work(
    tmp_path: Path, asked: str, name: str, said: str
) -> None:
    """Before the facts are read, which are none here; and so before they would be taken."""
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "loop.svg").symlink_to("loop.svg")
    (tmp_path / "lost.svg").symlink_to("missing/x")
    before = {*tmp_path.iterdir()}
    option = asked.split()[1]
    if option == "--save-facts":
        call = ("check", "--facts", "none.json", option, name)
        ran = start(*DOCTOR, *call, folder=tmp_path)
        assert ran.returncode == 2
        line = ran.stderr
    else:
        line = written(asked, name, tmp_path)
    assert said.encode() in line
    assert option.encode() in line
    assert {*tmp_path.iterdir()} == before
    assert (tmp_path / "file").read_bytes() == b"kept"


@as_root
@pytest.mark.parametrize("asked", WRITTEN)
@pytest.mark.sample(2)
def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path, asked: str) -> None:
    """A file system of 16 KiB, of which the old file takes 12."""
    (small := tmp_path / "small").mkdir()
    mounted = (
        "mount -t tmpfs -o size=16k none small && head -c 12000 /dev/zero >small/x.svg || exit 9"
    )
    show = "code=$?; ls -A small; wc -c <small/x.svg; exit $code"
    ran = start(
        *("unshare", "--mount", "sh", "-c", f'{mounted}; "$@"; {show}', "sh"),
        *(*WRITTEN[asked], small / "x.svg"),
        folder=tmp_path,
        variables={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout.split()[-2:] == [b"x.svg", b"12000"]
    line = ran.stderr.splitlines()[-1].decode()
    assert line.endswith("x.svg: cannot be written: No space left on device")


@as_root
def test_a_file_that_another_may_not_write_is_refused_and_kept(tmp_path: Path) -> None:
    """In a folder of his, too, where it could be replaced."""
    (file := tmp_path / "file").write_bytes(b"kept")
    for each in (tmp_path, *list(tmp_path.parents)[:3]):
        if each.name.startswith("pytest-of") or "pytest" in each.name or each == tmp_path:
            each.chmod(0o755)
    tmp_path.chmod(0o777)
    file.chmod(0o444)
    ran = start(*NOBODY, *WRITTEN["explain --output"], file, folder=tmp_path, without=("TMPDIR",))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode() == (
        f"cpgpt-doctor: --output {file}: cannot be written: Permission denied\n"
    )
    assert file.read_bytes() == b"kept"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@posix
def test_facts_taken_in_a_folder_whose_name_is_no_unicode_can_be_read_again(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"d\xe9p\xf4t")
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system takes Unicode only")
    asked = ("check", "--quick", "--no-redact", "--fail-on", "never", "--save-facts", "facts.json")
    ran = start(*DOCTOR, *asked, folder=place)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert facts_of.read(place / "facts.json").host


@posix
@pytest.mark.parametrize("command", ["check", "check --facts", "run-embed --demo", "bench"])
def test_a_folder_that_is_gone_is_one_line_with_what_to_do(tmp_path: Path, command: str) -> None:
    asked = [*command.split(), *([RECORDED] if "--facts" in command else [])]
    ran = start("sh", "-c", GONE, "sh", *DOCTOR, *asked, folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, b"")
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith("cpgpt-doctor: the folder that you are in is gone (")
    assert "cd ~" in line
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_page_needs_no_folder(tmp_path: Path) -> None:
    ran = start("sh", "-c", GONE, "sh", *DOCTOR, "explain", "CPG201", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"CPG201" in ran.stdout


@as_root
def test_a_folder_above_that_may_not_be_looked_into_has_no_table(tmp_path: Path) -> None:
    (closed := tmp_path / "closed").mkdir()
    (place := closed / "place").mkdir()
    place.chmod(0o777)
    (closed / "pyproject.toml").write_text("[tool.cpgpt-doctor]\nnone = 1\n")
    closed.chmod(0o700)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom cpgpt_doctor import cli, config\n"
        "cli.parser()\nos.setegid(65534)\nos.seteuid(65534)\n"
        "print(config.settings(Path.cwd(), cli.parser()))\n"
    )
    ran = start(sys.executable, "-c", script, folder=place)
    assert (ran.returncode, ran.stdout) == (0, b"({}, None)\n"), ran.stderr
