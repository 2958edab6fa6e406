"""The bench as a chart: speed and wrong windows by worker setting."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from cpgpt_doctor.bench import Measured
from cpgpt_doctor.errors import InputError
from cpgpt_doctor.reports import files

FORMATS = ("svg", "png")
INCHES = (10.0, 4.5)
LEAST = 10.0  # windows a second, where the axis begins
COLOURS = {"cpgpt": "#c44e52", "safe": "#4c72b0"}


def check(path: Path) -> None:
    """Raise InputError, before anything is measured, where the chart could not be drawn."""
    if path.suffix.lower().lstrip(".") not in FORMATS:
        raise InputError(f"--plot {path}: the name has to end in .svg or .png")
    files.check(path, "--plot")
    figure_class()


def figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("--plot needs matplotlib: pip install 'cpgpt-doctor[plot]'") from error
    return Figure


def save(measured: Measured, path: Path) -> None:
    """Draw the chart in the format that the file's suffix names."""
    image = io.BytesIO()
    draw(measured).savefig(image, format=path.suffix.lower().lstrip("."), dpi=150)
    files.write(image.getvalue(), path, "--plot")


def draw(measured: Measured) -> Any:
    figure = figure_class()(figsize=INCHES, layout="constrained")
    speed, wrong = figure.subplots(1, 2, sharey=True)
    settings = measured.settings
    names = [setting.name for setting in settings]
    colours = [COLOURS[setting.path] for setting in settings]
    labels = [f"{each.rate:,.0f}" if each.rate else "does not run" for each in settings]
    # On a logarithmic axis a bar from its left end has no length, and still has its label.
    rates = [setting.rate or LEAST for setting in settings]
    bars = speed.barh(names, rates, color=colours)
    speed.bar_label(bars, labels, padding=3)
    speed.set_xscale("log")
    speed.set_xlim(LEAST, max(rates) * 5)
    speed.set_xlabel("windows a second, median (logarithmic)")
    speed.invert_yaxis()
    bars = wrong.barh(names, [setting.wrong for setting in settings], color=colours)
    counts = [f"{each.wrong} of {each.compared:,}" if each.compared else "" for each in settings]
    wrong.bar_label(bars, counts, padding=3)
    wrong.set_xlim(0, max(1.0, *(each.wrong * 1.35 for each in settings)))
    wrong.xaxis.get_major_locator().set_params(integer=True)
    wrong.set_xlabel("wrong windows, all rounds")
    for axes in (speed, wrong):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"Loading of {measured.dna_llm}, batch_size={measured.batch_size}, {measured.cpus} CPUs,"
        f" CpGPT {measured.versions['CpGPT']}",
        fontsize="medium",
    )
    return figure
