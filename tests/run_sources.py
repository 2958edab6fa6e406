"""Run scripts of the corpus with real CpGPT, as a user's interpreter would.

    PATIENT_PYTHON run_sources.py REQUEST.json

REQUEST names `cases`, each with its `code`, its `name`, the `folder` that it runs in and the
`start_method` that is set before; the file `out` gets what each raised ("Type: text", null for
nothing). CpGPT is imported once; each case runs in a forked child.
"""

import json
import os
import signal
import sys

SECONDS = 600  # for a case: a limit for one that hangs


def main() -> None:
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    from cpgpt.data.components import dna_llm_embedder  # noqa: F401

    raised = []
    for case in request["cases"]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            signal.alarm(SECONDS)
            os.write(writing, json.dumps(run(case)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        raised.append(json.loads(said) if said else f"ended with {status}")
    with open(request["out"], "w") as stream:
        json.dump(raised, stream)


def run(case):
    import multiprocessing

    if "set_start_method" not in case["code"]:  # it sets its own
        multiprocessing.set_start_method(case["start_method"], force=True)
    os.chdir(case["folder"])
    sys.path.insert(0, case["folder"])
    sys.argv = [case["name"]]
    try:
        exec(compile(case["code"], case["name"], "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:2000]
    return None


if __name__ == "__main__":
    main()
