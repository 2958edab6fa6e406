"""The names of a matrix's columns, without its values: Arrow and Feather, or Parquet.

pyarrow is what CpGPT reads them with, so it is in the interpreter that runs CpGPT.
"""

from __future__ import annotations

from typing import Any, TextIO

from cpgpt_doctor.patient.channel import send

AT_ONCE = 20_000  # names in one message
OF_PANDAS = "__index_level_"  # a column that pandas makes of a table's index


def main(request: dict[str, Any], channel: TextIO, commands: TextIO) -> None:
    """Send the names in messages of `{"columns"}`, then `{"end"}`; or `{"error", "missing"}`.

    request: `path`, and `kind`: "arrow" (a file), "stream" or "parquet".
    """
    try:
        names = of_file(request["path"], request["kind"])
    except ImportError as error:
        send(channel, {"error": str(error), "missing": True})
        return
    except Exception as error:  # pyarrow's own are many, and it raises OSError too
        text = " ".join(f"{type(error).__name__}: {error}".split())
        send(channel, {"error": text, "missing": False})
        return
    names = [each for each in names if not each.startswith(OF_PANDAS)]
    for start in range(0, len(names), AT_ONCE):
        send(channel, {"columns": names[start : start + AT_ONCE]})
    send(channel, {"end": len(names)})


def of_file(path: str, kind: str) -> list[str]:
    import pyarrow

    if kind == "parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_schema(path).names)
    with pyarrow.memory_map(path) as source:
        if kind == "stream":
            return list(pyarrow.ipc.open_stream(source).schema.names)
        return list(pyarrow.ipc.open_file(source).schema.names)
