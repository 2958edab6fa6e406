"""Run the code of pages in the patient's interpreter.

    PATIENT_PYTHON read_page_blocks.py REQUEST.json

REQUEST names `blocks`, each with its `code`, the `start_method` ("" for none) and a `dependencies`
folder of its own, and the file `out` that gets what each raised ("Type: text", null for nothing).
CpGPT is imported once; each block runs in a forked child.
"""

import json
import os
import sys


def main() -> None:
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    os.chdir(request["blocks"][0]["dependencies"])
    from cpgpt.data.components import dna_llm_embedder as module

    raised = []
    for block in request["blocks"]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.write(writing, json.dumps(run(block, module)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            raised.append(json.loads(answer.read()))
        os.waitpid(child, 0)
    with open(request["out"], "w") as stream:
        json.dump(raised, stream)


def run(block, module):
    import multiprocessing

    if block["start_method"]:
        multiprocessing.set_start_method(block["start_method"])
    names = {
        "__name__": "page",
        "embedder": module.DNALLMEmbedder(block["dependencies"]),
        "locations": ["1:100", "1:2000", "1:30000"],
        "species": "homo_sapiens",
    }
    try:
        exec(compile(block["code"], "page", "exec"), names)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    main()
