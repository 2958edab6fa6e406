"""Start one patient-side module: `PATIENT_PYTHON boot.py MODULE`.

The module is named by its dotted path in this package and has `main(request, channel, commands)`:
`request` is the JSON object on the first line of standard input, `channel` takes one JSON object a
line and is what standard output was, `commands` is the rest of what was standard input.

Libraries print to standard output (CpGPT logs there), so it is pointed at standard error before
anything is imported: the channel carries our objects only.

The package is registered by its path instead of through `sys.path`: the doctor's own environment
must not leak into the patient's. This file is also what a spawned DataLoader worker imports again
as its main module, which registers the package there too.
"""

import importlib
import importlib.util
import json
import os
import sys

PACKAGE = "cpgpt_doctor"


def register() -> None:
    """Make this package importable without adding a folder to `sys.path`."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]  # put there by Python because this file is the script
    root = os.path.dirname(here)
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package at {root}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if PACKAGE not in sys.modules:
    register()

if __name__ == "__mp_main__" and sys.argv[1:] == [f"{PACKAGE}.patient.compute.worker"]:
    # A loading worker of run-embed is about to unpickle CpGPT's dataset, which imports its module.
    importlib.import_module(f"{PACKAGE}.patient.upstream").leave_out_heavy_parents()

if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Workers that this process forks close their standard input; ours is read by a thread.
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    request = json.loads(commands.readline())
    importlib.import_module(sys.argv[1]).main(request, channel, commands)
    channel.flush()
