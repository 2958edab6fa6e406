"""`bench`: every setting is measured, the words follow from the figures, and errors are a line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cpgpt_doctor.bench import Forward, Measured, Setting, share, slower
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import bench_plot
from cpgpt_doctor.reports.bench_terminal import conclusion
from tests.conftest import PATIENTS, World

FORWARD = Forward("a GPU", 0.006, 9, batch=1, tokens=384, parameters=500_000_000, demo=False)


def bench(world: World, *arguments: object) -> dict[str, Any]:
    ran = world.doctor("bench", "--format", "json", "--windows", 40, *arguments)
    assert ran.returncode == 0, ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    return data


def test_every_setting_is_measured_and_drawn(world: World, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    genome = tmp_path / "genome.fa"  # of this test alone: others index the shared one
    genome.write_bytes(world.genome.read_bytes())
    data = bench(world, "--genome", genome, "--batch-size", 2, "--plot", chart)
    settings = [(each["path"], each["workers"]) for each in data["settings"]]
    assert settings == [("cpgpt", 0), ("cpgpt", 2), ("cpgpt", 4), ("cpgpt", 8), ("safe", 0)]
    for each in data["settings"]:
        assert each["windows_per_second"] > 0, each
        assert len(each["rates"]) == 3
        assert each["compared"] == 3 * data["windows"]
    for at in (0, -1):
        assert data["settings"][at]["wrong"] == 0
    assert data["safe_windows"] > data["windows"]
    assert data["forward"]["demo"]
    assert data["forward"]["seconds"] > 0
    assert "<svg" in chart.read_text()
    assert not genome.with_name("genome.fa.fai").exists()


@pytest.mark.full
def test_a_release_without_a_guard_and_a_method_that_pickles(world: World) -> None:
    """CpGPT 0.0.7 crashes at num_workers=0, and its dataset cannot be sent to spawned workers."""
    data = bench(world, "--python", PATIENTS["0.0.7"], "--start-method", "spawn")
    first, second = data["settings"][:2]
    assert first["rates"]
    assert "CPG203" in first["note"]
    assert not second["rates"]
    assert "cannot pickle" in second["note"]
    assert data["safe_over_best_workers"] is None


def test_without_a_tokenizer_one_line_says_how_to_get_it(world: World, tmp_path: Path) -> None:
    empty = world.under(HF_HOME=str(tmp_path))
    ran = empty.doctor("bench", "--genome", world.genome)
    assert ran.returncode == 2
    assert ran.stdout == ""
    (line,) = [each for each in ran.stderr.splitlines() if each.startswith("cpgpt-doctor:")]
    assert "run-embed --demo" in line
    assert "HF_HOME" in line


def test_a_chart_that_cannot_be_drawn_is_refused_before_measuring(world: World) -> None:
    ran = world.doctor("bench", "--plot", "chart.pdf")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert ".svg or .png" in ran.stderr


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'cpgpt-doctor\[plot\]'"):
        bench_plot.check(Path("chart.png"))


def test_matplotlib_is_imported_for_a_chart_only() -> None:
    script = "import sys, cpgpt_doctor.cli, cpgpt_doctor.bench, cpgpt_doctor.reports.bench_plot;"
    shown = "print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script + shown], capture_output=True, text=True)
    assert ran.stdout.strip() == "False"


def setting(path: Any, workers: int, rate: float | None, wrong: int = 0) -> Setting:
    rates = (rate,) if rate else ()
    return Setting(path, workers, "fork" if workers else None, rates, 6000, wrong, None)


def made(
    *settings: Setting, forward: Forward | None = FORWARD, problem: str | None = None
) -> Measured:
    return Measured(
        python="3.11.7",
        platform="Linux",
        cpus=2,
        versions={"CpGPT": "0.0.13"},
        genome=None,
        dna_llm="nucleotide-transformer-v2-500m-multi-species",
        batch_size=1,
        windows=2000,
        safe_windows=16000,
        plain=1.0,
        table=True,
        settings=settings,
        forward=forward,
        forward_problem=problem,
    )


USUAL = made(
    setting("cpgpt", 0, 500.0),  # 2 ms a window
    setting("cpgpt", 2, 400.0, wrong=20),
    setting("cpgpt", 8, 625.0, wrong=160),
    setting("safe", 0, 50_000.0),
)


def test_what_loading_costs_a_run() -> None:
    """With 6 ms a forward pass, 2 ms of loading before it are a quarter of 8 ms."""
    base, _, eight, safe = USUAL.settings
    assert share(base, FORWARD) == pytest.approx(0.25)
    assert share(eight, FORWARD) == 0.0
    assert slower(base, USUAL) == pytest.approx(2 / 6)
    assert slower(safe, USUAL) == pytest.approx(0.02 / 6)
    loading_bound = replace(USUAL, forward=replace(FORWARD, seconds=0.0008))
    assert share(eight, loading_bound.forward) == pytest.approx(0.5)
    assert slower(base, loading_bound) == pytest.approx(2.8 / 1.6 - 1)


def test_the_conclusion_corrects_the_claim() -> None:
    workers, wrong, safe, run = conclusion(USUAL)
    assert "500 windows a second without workers, and 625 with its best setting, 8" in workers
    assert "25.0 % more" in workers
    assert "20 of 6,000 with 2; 160 of 6,000 with 8 workers" in wrong
    assert "100.0 times CpGPT's num_workers=0 and 80.0 times its best worker setting" in safe
    assert "is not right here: loading is 25.0 % of such a run" in run
    assert "33.3 % longer" in run
    assert "40.00 ms a window or more with CpGPT's own loading, and 0.40 ms or more" in run


def test_the_conclusion_confirms_the_claim_with_a_slow_model() -> None:
    run = conclusion(replace(USUAL, forward=replace(FORWARD, seconds=0.1)))[-1]
    assert "is confirmed here" in run
    assert "2.0 % longer" in run


@pytest.mark.parametrize("forward", [None, replace(FORWARD, demo=True)])
def test_without_a_real_model_nothing_is_confirmed(forward: Forward | None) -> None:
    run = conclusion(replace(USUAL, forward=forward))[-1]
    assert run.startswith("No forward pass of CpGPT's model was timed")
    assert "here" not in run.replace("where", "")
    assert "40.00 ms" in run


def test_where_no_workers_run_the_words_say_so() -> None:
    measured = made(
        setting("cpgpt", 0, 500.0), setting("cpgpt", 2, None), setting("safe", 0, 50_000.0)
    )
    workers, wrong, safe, run = conclusion(measured)
    assert "with workers it does not run here" in workers
    assert "No workers ran" in wrong
    assert "best worker" not in safe
    assert "loading that costs nothing" in run


def test_a_chart_as_png(tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    bench_plot.check(path)
    bench_plot.save(USUAL, path)
    assert path.read_bytes().startswith(b"\x89PNG")
