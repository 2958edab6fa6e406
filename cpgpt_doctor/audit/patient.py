"""What an audit asks of the patient: rows computed alone, and looks through files of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from cpgpt_doctor.embed.supervisor import Worker
from cpgpt_doctor.store import layout
from cpgpt_doctor.store.layout import StorePaths


def rows_in(paths: StorePaths) -> int:
    """How many whole rows the file has, named or not."""
    return (layout.size(paths) or 0) // paths.row_bytes


class Rows(Protocol):
    """Computes and finds rows; every row is the bytes of its float32 numbers.

    padding: of the installed release's kind of rows.
    """

    padding: int

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        """The row of each location computed alone; None: as the installed release pads."""
        ...

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        """In which rows of the store each of these stands, up to rounding."""
        ...

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        """The rows of the store that are closest to each of these, with how far they are."""
        ...

    def lengths(self, locations: Sequence[str]) -> list[int]:
        """Tokens of each window, without padding."""
        ...

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        """For each row the nearest of the others but that of its own number, and how far it is."""
        ...


class Patient:
    """A worker in the patient's interpreter with the model loaded, and a folder of its own."""

    def __init__(
        self,
        worker: Worker,
        work: Path,
        paths: StorePaths,
        request: dict[str, Any],
    ) -> None:
        """Load the model. request: as the worker's `load` has it. paths: of the store."""
        self.worker, self.work = worker, work
        self.loaded = worker.ask({"op": "load", "folder": str(work / "load"), **request})
        self.paths = dataclasses.replace(paths, width=int(self.loaded["width"]))
        self.padding = int(self.loaded["model"]["padding"])

    def check_tokens(self, locations: list[str]) -> None:
        """From then on tokens are looked up where that gives CpGPT's own."""
        self.worker.ask({"op": "tokens", "locations": locations})

    def alone(
        self, locations: Sequence[str], padding: int | None = None, letters: str | None = None
    ) -> list[bytes]:
        if not locations:
            return []
        staged = dataclasses.replace(self.paths, dependencies=self.work / "part")
        once = list(dict.fromkeys(locations))
        self.worker.ask(
            {
                "op": "embed",
                "folder": str(staged.dependencies),
                "locations": once,
                "alone": True,
                "padding": None if padding == self.padding else padding,
                "letters": letters,
            }
        )
        rows = layout.named_rows(staged)
        return list(layout.read_rows(staged, [rows[each] for each in locations]))

    def find(self, rows: Sequence[bytes]) -> list[list[int]]:
        return [list(each) for each in self.looked_for("find", rows)]

    def closest(self, rows: Sequence[bytes]) -> list[list[tuple[int, float]]]:
        return [[(row, apart) for row, apart in each] for each in self.looked_for("closest", rows)]

    def looked_for(self, how: str, rows: Sequence[bytes]) -> list[Any]:
        """Look through the file of rows for each of these."""
        answer = self.worker.ask(
            {
                "op": how,
                "path": str(self.paths.rows.resolve()),
                "row_bytes": self.paths.row_bytes,
                "rows": rows_in(self.paths),
                "wanted": self.file("wanted", rows),
            }
        )
        return list(answer["rows"])

    def lengths(self, locations: Sequence[str]) -> list[int]:
        answer = self.worker.ask({"op": "lengths", "locations": list(locations)})
        return list(answer["lengths"])

    def nearest(
        self, rows: Sequence[bytes], others: Sequence[bytes]
    ) -> list[tuple[int, float | None]]:
        answer = self.worker.ask(
            {
                "op": "nearest",
                "rows": self.file("rows", rows),
                "others": self.file("others", others),
                "width": self.paths.width,
            }
        )
        return [(at, apart) for at, apart in answer["nearest"]]

    def file(self, name: str, rows: Sequence[bytes]) -> str:
        path = self.work / name
        path.write_bytes(b"".join(rows))
        return str(path)
