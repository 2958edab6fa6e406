"""`status`: what a run-embed does, seen from outside."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from cpgpt_doctor.commands.options import Commands, add_debug, folder
from cpgpt_doctor.reports import stream

if TYPE_CHECKING:
    from cpgpt_doctor.embed.status import Status, Store

EXAMPLES = """\
examples:
  cpgpt-doctor status dependencies
  cpgpt-doctor status dependencies --format json | jq '.stores[].doing'

exit code: 0 looked at, 2 there is no such folder, or a record that cannot be read.
"""


def add(commands: Commands) -> None:
    status = commands.add_parser(
        "status",
        help="what a run-embed does, seen from outside",
        description="Say what a run-embed on a dependencies folder does, or how the last one ended."
        " Nothing is written, and the run is not disturbed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_debug(status)
    status.add_argument("folder", type=folder, metavar="DIR", help="the dependencies folder")
    status.add_argument("--format", choices=("terminal", "json"), default="terminal")
    status.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cpgpt_doctor.embed.status import look

    found = look(args.folder)
    if args.format == "json":
        stream.write_utf8(stream.json_text(as_json(found)))
        return 0
    console = stream.console(sys.stdout, "en")
    for line in lines(found):
        console.print(line, soft_wrap=True)
    return 0


def as_json(found: Status) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "lock": {"holder": found.holder, "seen": found.seen},
        "stores": [
            {
                **dataclasses.asdict(store.ran),
                "record": str(store.path),
                "doing": store.doing,
                "rate": store.rate,
                "left": store.left,
                "parts": len(store.ran.parts),
                "last_part": dataclasses.asdict(store.ran.parts[-1]) if store.ran.parts else None,
            }
            for store in found.stores
        ],
    }


def lines(found: Status) -> list[str]:
    told = [f"{found.folder}: {held(found)}"]
    for store in found.stores:
        told += ["", f"{store.path}", *(f"  {line}" for line in store_lines(store))]
    if not found.stores:
        told.append("no run has stored anything here yet")
    return told


def held(found: Status) -> str:
    if not found.seen:
        return "this system does not tell who holds the lock"
    if found.holder is None:
        return "no run is at work here (on this machine)"
    return f"process {found.holder} holds the lock"


def store_lines(store: Store) -> list[str]:
    from cpgpt_doctor.reports.run_terminal import lasting

    ran = store.ran
    told = [what(store)]
    if ran.asked:
        told.append(
            f"{ran.asked} locations asked for, {ran.stored_before} of them stored before,"
            f" {ran.committed} committed by this run, {store.left} left"
        )
    if ran.parts:
        last = ran.parts[-1]
        told.append(
            f"{len(ran.parts)} parts in all; the last one, of {last.rows} locations, took"
            f" {last.seconds:.1f} s and was committed at {last.committed}"
        )
    if store.rate:
        left = f": about {lasting(store.left / store.rate)} for what is left" if store.left else ""
        told.append(f"{store.rate:.1f} locations a second over the last parts{left}")
    if ran.treatments:
        treated = ran.treatments[-1]
        told.append(
            f"{len(ran.treatments)} failures treated, the last at {treated.when}: {treated.done}"
            f" ({treated.why})"
        )
    if ran.set_aside:
        told.append("set aside: " + ", ".join(each.location for each in ran.set_aside))
    return told


def what(store: Store) -> str:
    ran = store.ran
    where = f"process {ran.process.pid} on {ran.process.host}" if ran.process else "a process"
    if store.doing == "ended":
        return f"{ran.status} at {ran.written}" + (f": {ran.problem}" if ran.problem else "")
    return {
        "running": f"running since {ran.started}, {where}",
        "stopped": f"halted (SIGSTOP): {where}; it goes on with: kill -CONT",
        "elsewhere": f"running since {ran.started} by its record, {where}, not seen from here",
        "gone": f"was killed: {where} did not close its record (last written {ran.written});"
        " what is finished is kept, start it again to go on",
    }[store.doing]
