"""run-embed over a stand-in for its worker, for faults of the supervisor: no torch, no model.

`python standin.py FOLDER LOCATIONS OPTION ...` is the command line of run-embed from after the
examination on.
What the stand-in does is said by variables: ROW_SECONDS, for each location; HANG_IN, a command in
which it stays; EXAMINE_SECONDS, for the examination. NUM_WORKERS, GRACE_SECONDS and MOST_SET_ASIDE
are settings of run-embed's own; DEVICE is what the stand-in says that it computes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SPECIES, DNA_LLM, CONTEXT, WIDTH = "homo_sapiens", "a-model", 201, 4

# Runs as an interpreter: its arguments are those of any worker, and are not looked at.
WORKER = """#!{python}
import json, os, pickle, sqlite3, struct, sys, threading, time

ONE_AT_A_TIME = threading.Lock()
ANSWERS = dict(database="built", load="loaded", tokens="checked", measure="measured")
SPECIES, DNA_LLM, CONTEXT, WIDTH = {settings!r}


def send(**message):
    with ONE_AT_A_TIME:
        print(json.dumps(message), flush=True)


def beat():
    while True:
        send(event="alive", cpu=time.process_time())
        time.sleep(0.02)


def database(folder, value):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "ensembl_metadata.db")
    if os.path.exists(path):
        os.unlink(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
    connection.execute("INSERT INTO unnamed VALUES (?, ?)", (SPECIES, pickle.dumps(value)))
    connection.commit()
    connection.close()


def embed(folder, locations, wrong=0.0, **more):
    step = max(1, len(locations) // 5)
    for done in range(0, len(locations), step):
        send(event="progress", done=done)
        time.sleep(float(os.environ.get("ROW_SECONDS", "0")) * step)
    rows = {{location: at for at, location in enumerate(locations)}}
    database(folder, {{DNA_LLM: {{CONTEXT: rows}}}})
    place = os.path.join(folder, "dna_embeddings", SPECIES, DNA_LLM)
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, f"{{CONTEXT}}bp_dna_embeddings.mmap"), "wb") as out:
        for location in locations:
            out.write(struct.pack("4f", *[float(location.partition(":")[2]) + 1 + wrong] * WIDTH))
    send(event="embedded", **more)


{before}
threading.Thread(target=beat, daemon=True).start()
sys.stdin.readline()
for line in sys.stdin:
    command = json.loads(line)
    op = command["op"]
    while op == os.environ.get("HANG_IN"):
        time.sleep(1)
    {each}
    if op == "reference":
        embed(command["folder"], command["locations"], without_prefetch=False)
        continue
    if op == "embed":
        embed(command["folder"], command["locations"])
        continue
    if op == "database":
        database(command["folder"], {{"assembly": "X"}})
    model = dict(weights="w", precision="float32", padding=1)
    versions = dict(CpGPT="0.0.13")
    device = command.get("device", "cpu")
    send(event=ANSWERS[op], versions=versions, model=model, device=device, used=True)
"""


def write_worker(path: Path, before: str = "", each: str = "pass") -> Path:
    """Write a stand-in; `before` runs at its start, `each` for each command `op`."""
    text = WORKER.format(
        python=sys.executable,
        settings=(SPECIES, DNA_LLM, CONTEXT, WIDTH),
        before=before,
        each=each,
    )
    path.write_text(text)
    path.chmod(0o755)
    return path


def make_folder(folder: Path) -> Path:
    """A dependencies folder, with a stand-in for an interpreter in it."""
    (folder / "genomes").mkdir(parents=True)
    (folder / "genomes" / "x.fa").write_text(">1 dna\n" + "ACGT" * 20 + "\n")
    write_worker(folder / "python")
    return folder


def main(folder: Path, locations: int, *options: str) -> int:
    from cpgpt_doctor import cli
    from cpgpt_doctor.embed import preflight, run, signals, treatments
    from cpgpt_doctor.embed.examine import Inputs
    from cpgpt_doctor.facts import Facts
    from cpgpt_doctor.genome import fasta
    from cpgpt_doctor.store import observe
    from cpgpt_doctor.store.layout import StorePaths

    def examine() -> None:
        seconds = os.environ.get("EXAMINE_SECONDS")
        if seconds:
            subprocess.run(["sleep", seconds], stdin=subprocess.DEVNULL)

    def prepare(asked: preflight.EmbedRequest) -> preflight.Preflight:
        with ThreadPoolExecutor(1) as pool:  # as the probes run
            pool.submit(examine).result()
        path = folder / "genomes" / "x.fa"
        inputs = Inputs(folder, path, fasta.index(path, folder / ".cpgpt-doctor"))
        paths = StorePaths(folder, SPECIES, DNA_LLM, CONTEXT, WIDTH)
        wanted = tuple(f"1:{at}" for at in range(locations))
        store = observe.look(paths)
        job = run.EmbedJob(
            python=str(folder / "python"),
            inputs=inputs,
            paths=paths,
            seen=store.facts,
            locations=tuple(each for each in wanted if each not in store.rows),
            all_locations=wanted,
            batch_size=8,
            num_workers=int(os.environ.get("NUM_WORKERS", "0")),
            start_method=None,
            device=os.environ.get("DEVICE", "cpu"),
            fallback=asked.fallback,
            plan=(),
            patient={},
            intent={},
        )
        report = preflight.judged(Facts(store=store.facts), asked, of_data=True)
        return preflight.Preflight(report, job)

    most = int(os.environ.get("MOST_SET_ASIDE", treatments.MOST_SET_ASIDE))
    treatments.MOST_SET_ASIDE = most
    signals.GRACE_SECONDS = float(os.environ.get("GRACE_SECONDS", signals.GRACE_SECONDS))
    preflight.prepare = prepare
    named = ("--dependencies-dir", str(folder), "--locations", "-")
    return cli.main(["run-embed", *named, *options])


def start(folder: Path, locations: int, **options: object) -> subprocess.Popen[bytes]:
    """Start it, in a session of its own; `options` are those of Popen, `variables` and `asked`."""
    variables = options.pop("variables", {})
    asked = options.pop("asked", ())
    assert isinstance(asked, tuple)
    assert isinstance(variables, dict)
    root = str(Path(__file__).parents[1])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": root, **variables}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, __file__, str(folder), str(locations), *asked],
        env=environment,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def record(folder: Path) -> dict[str, object]:
    """run.json; empty where there is none yet."""
    for path in (folder / "dna_embeddings").rglob("*.run.json"):
        return dict(json.loads(path.read_text()))
    return {}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
