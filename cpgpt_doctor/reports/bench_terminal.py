"""The bench on a terminal: a table of the settings, and what follows from it in plain words."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from cpgpt_doctor.bench import Measured, Setting, ratio, share, slower

CLAIM = 0.05  # the fix document: with num_workers=0 a run on a GPU is under 5 % slower
CLAIM_WORDS = "The fix document's “under 5 %” for num_workers=0"
FORKED = "CPG202"


def render(measured: Measured, console: Console) -> None:
    console.print(header(measured), soft_wrap=True)
    console.print(table(measured))
    for line in notes(measured):
        console.print(line)
    for line in conclusion(measured):
        console.print()
        console.print(line)


def header(measured: Measured) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    genome = measured.genome or "a made-up genome"
    return (
        f"{measured.cpus} CPUs, {measured.platform}, Python {measured.python}, {versions}\n"
        f"{measured.dna_llm}, batch_size={measured.batch_size}, {genome}: {measured.windows:,}"
        f" windows a round ({measured.safe_windows:,} for the safe path), {measured.plain:.1%} of"
        " them upper-case ACGT only; medians of the rounds"
    )


def table(measured: Measured) -> Table:
    """A line a setting. The share of the run needs a forward pass of CpGPT's model."""
    shown = Table(box=None, padding=(0, 1), pad_edge=False)
    shown.add_column("setting", no_wrap=True)
    for column in ("windows\na second", "least to most", "wrong\nwindows", "share of\nthe run"):
        shown.add_column(column, justify="right", no_wrap=True)
    for setting in measured.settings:
        shown.add_row(setting.name, *cells(setting, measured))
    return shown


def notes(measured: Measured) -> list[str]:
    """Each note once, with the settings that it belongs to."""
    by_note: dict[str, list[str]] = {}
    for setting in measured.settings:
        if setting.note:
            by_note.setdefault(setting.note, []).append(str(setting.workers))
    return [f"CpGPT, {' / '.join(of)} workers: {note}" for note, of in by_note.items()]


def cells(setting: Setting, measured: Measured) -> tuple[str, str, str, str]:
    if setting.rate is None:
        return ("-", "-", "-", "-")
    part = share(setting, measured.real_forward)
    return (
        f"{setting.rate:,.0f}",
        f"{min(setting.rates):,.0f} - {max(setting.rates):,.0f}",
        f"{setting.wrong} of {setting.compared:,}",
        "-" if part is None else percent(part),
    )


def conclusion(measured: Measured) -> list[str]:
    """What the figures say, a paragraph each."""
    return [
        about_workers(measured),
        about_wrong(measured),
        about_safe(measured),
        about_run(measured),
    ]


def about_workers(measured: Measured) -> str:
    base, best = measured.without_workers, measured.best_workers
    if base.rate is None:
        return f"CpGPT's own loading without workers did not run: {base.note}."
    start = f"CpGPT's own code loads {base.rate:,.0f} windows a second without workers"
    if best is None or best.rate is None:
        return f"{start}; with workers it does not run here."
    gain = best.rate / base.rate - 1
    said = (
        f"{percent(gain)} more"
        if gain > 0
        else f"{percent(-gain)} fewer, so that workers do not pay"
    )
    return f"{start}, and {best.rate:,.0f} with its best setting, {best.workers} workers: {said}."


def about_wrong(measured: Measured) -> str:
    ran = [setting for setting in measured.settings if setting.workers and setting.rates]
    wrong = [setting for setting in ran if setting.wrong]
    if not ran:
        return "No workers ran, so none could read a wrong window."
    if not wrong:
        return (
            "No window was wrong with workers this time. That proves nothing where they are"
            f" forked: they share one position in the genome file ({FORKED})."
        )
    counts = "; ".join(
        f"{setting.wrong} of {setting.compared:,} with {setting.workers}" for setting in wrong
    )
    return f"Workers delivered wrong windows, without an error: {counts} workers ({FORKED})."


def about_safe(measured: Measured) -> str:
    safe = measured.safe
    times = [
        f"{value:.1f} times {name}"
        for name, value in (
            ("CpGPT's num_workers=0", ratio(safe, measured.without_workers)),
            ("its best worker setting", ratio(safe, measured.best_workers)),
        )
        if value is not None
    ]
    how = "" if measured.table else " This tokenizer's tokens cannot be looked up."
    return (
        f"The safe path (run-embed) loads {safe.rate or 0:,.0f} windows a second in one process,"
        f" {' and '.join(times)}; {safe.wrong} of {safe.compared:,} windows differ from CpGPT's"
        f" own.{how}"
    )


def about_run(measured: Measured) -> str:
    """Confirm or correct the claim that num_workers=0 slows a run by less than 5 %."""
    base, safe, forward = measured.without_workers, measured.safe, measured.real_forward
    if base.loading is None or safe.loading is None:
        return "The fix document's “under 5 %” cannot be judged: a setting did not run."
    holds = (
        f"{CLAIM_WORDS} holds where a forward pass takes {milliseconds(base.loading / CLAIM)} a"
        " window or more with CpGPT's own loading, and"
        f" {milliseconds(safe.loading / CLAIM)} or more with the safe path."
    )
    if forward is None:
        why = measured.forward_problem or "the cached model is run-embed's demo"
        return f"No forward pass of CpGPT's model was timed ({why}). {holds}"
    more, safe_more = slower(base, measured), slower(safe, measured)
    assert more is not None
    assert safe_more is not None
    compared = "CpGPT's best workers" if measured.best_workers else "loading that costs nothing"
    verdict = "is confirmed here" if more < CLAIM else "is not right here"
    reckoned = (
        "Reckoned: without workers, loading and the model follow each other; with workers they"
        " overlap entirely"
        + (", which they cannot where both need the CPU." if forward.device == "cpu" else ".")
    )
    return (
        f"A forward pass takes {milliseconds(forward.a_window)} a window on {forward.device}"
        f" ({forward.parameters / 1e6:,.0f} million parameters). {CLAIM_WORDS} {verdict}: loading"
        f" is {percent(share(base, forward) or 0.0)} of such a run, which takes {longer(more)} than"
        f" with {compared}. With the safe path loading is {percent(share(safe, forward) or 0.0)},"
        f" and the run takes {longer(safe_more)}. {reckoned} {holds}"
    )


def longer(more: float) -> str:
    return f"{percent(more)} longer" if more >= 0 else f"{percent(-more)} less time"


def percent(value: float) -> str:
    return f"{value:.1%}".replace("%", " %")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"
