"""Imports point one way, and patient-side code needs nothing of the doctor's."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import cpgpt_doctor
from cpgpt_doctor import cli

ROOT = Path(cpgpt_doctor.__file__).parent
INSPECTED = {"torch", "cpgpt", "pyfaidx", "transformers", "numpy", "huggingface_hub", "pyarrow"}
# What each part may import of this package, itself included: commands → (embed, reports, probes,
# rules) → (store, genome, logs, pages) → (facts, findings, words); patient → nothing else.
SAID = {"facts", "findings", "intent", "words"}
ALLOWED = {
    "__init__.py": set(),
    "__main__.py": {"cli"},
    "cli.py": {"commands", "config", "errors", "reports"},
    "commands": {
        *("commands", "config", "errors", "facts", "findings", "intent", "words"),
        *("catalogue", "redact", "report", "reports", "rules", "embed", "audit", "repair"),
        *("baseline", "bench", "check", "explain", "fix"),
    },
    "baseline.py": {"errors", "findings", "json_file", "reports", "words"},
    "bench.py": {"errors", "facts", "probes"},
    "check.py": {"errors", "facts", "genome", "probes", "reports", "sources"},
    "fix.py": {"errors", "facts", "findings", "intent", "reports", "rules", "sources"},
    "config.py": {"errors"},
    "at_hand.py": {"errors", "facts", "findings", "intent", "rules", "sources"},
    "explain.py": {
        "at_hand",
        "catalogue",
        "errors",
        "logs",
        "pages",
        "redact",
        "reports",
        "rules",
        "words",
    },
    "embed": {
        *("embed", "disk", "errors", "facts", "findings", "intent", "patient", "words"),
        *("genome", "logs", "probes", "redact", "report", "rules", "store"),
    },
    # The workers that it computes with are embed's.
    "audit": {
        *("audit", "embed", "errors", "facts", "findings", "intent", "patient"),
        *("genome", "report", "rules", "store"),
    },
    "repair": {
        *("repair", "audit", "disk", "embed", "errors", "facts", "findings", "genome", "intent"),
        *("patient", "probes", "redact", "report", "rules", "store", "words"),
    },
    # embed, bench, repair and facts: what these commands' work is shown from.
    "reports": {
        *("reports", "errors", "words", "findings", "report", "pages", "catalogue", "culprits"),
        *("redact", "embed", "bench", "repair", "facts", "store"),
    },
    "probes": {"probes", "disk", "errors", "facts", "genome", "patient", "store"},
    "rules": {"rules", "logs", "pages", *SAID},
    "store": {"store", "disk", "errors", "facts", "genome"},
    "genome": {"genome", "disk", "errors", "facts"},
    "sources": {"sources", "errors", "facts", "findings"},
    "logs": {"logs"},
    "pages": {"pages", "findings", "words"},
    "catalogue.py": {"pages", "words"},
    "culprits.py": {"facts", "words"},
    "redact.py": {"facts"},
    "report.py": {"facts", "findings", "intent"},
    "facts": {"facts", "errors", "json_file"},
    "findings.py": {"facts", "words"},
    "intent.py": {"facts"},
    "words.py": set(),
    "disk.py": set(),
    "json_file.py": {"errors"},
    "errors.py": set(),
    "patient": {"patient"},
}

# The same within patient/: what is computed may use what is looked at, never the reverse.
START = ("boot.py", "channel.py", "protocol.py", "stages.py", "upstream.py", "__init__.py")
ALLOWED_IN_PATIENT = {
    **{name: {"channel", "protocol", "upstream"} for name in START},
    "pickling": {"pickling"},
    "observe": {"observe", "pickling", "channel", "upstream"},
    "compute": {"compute", "observe", "channel", "upstream"},
}


def imports(path: Path) -> set[str]:
    """Modules imported anywhere in a file, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(str(node.module))
            if node.module in ("cpgpt_doctor", "cpgpt_doctor.patient"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(part: str) -> list[Path]:
    return [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))


def test_every_part_of_the_package_has_its_place() -> None:
    parts = {
        path.name
        for path in ROOT.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts == set(ALLOWED)


def test_every_command_is_a_file_of_commands() -> None:
    files = {path.stem for path in (ROOT / "commands").glob("*.py")}
    shared = {"__init__", "options", "output"}
    assert files - shared == {name.replace("-", "_") for name in cli.COMMANDS}


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_point_one_way(part: str) -> None:
    for path in files(part):
        own = {name.split(".")[1] for name in imports(path) if name.startswith("cpgpt_doctor.")}
        assert own - {"__version__"} <= ALLOWED[part], path


def test_patient_side_code_needs_only_the_standard_library_and_what_it_inspects() -> None:
    for path in files("patient"):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert tops - sys.stdlib_module_names - INSPECTED == {"cpgpt_doctor"} & tops, path


def test_the_patients_side_is_its_start_and_three_parts() -> None:
    parts = {path.name for path in (ROOT / "patient").iterdir() if path.name != "__pycache__"}
    assert parts == set(ALLOWED_IN_PATIENT)


@pytest.mark.parametrize("part", ALLOWED_IN_PATIENT)
def test_imports_point_one_way_on_the_patients_side(part: str) -> None:
    top = "cpgpt_doctor.patient."
    for path in files(f"patient/{part}"):
        own = {name.removeprefix(top).split(".")[0] for name in imports(path) if top in name}
        assert own <= ALLOWED_IN_PATIENT[part], path


def test_rules_do_no_input_or_output_and_have_no_clock() -> None:
    banned = {"os", "time", "pathlib", "subprocess", "torch", "datetime", "random", "psutil"}
    for path in files("rules"):
        assert not {name.partition(".")[0] for name in imports(path)} & banned, path


def test_only_one_file_knows_where_cpgpts_names_are() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name not in ("upstream.py", "workers.py"):
            for text in ("cpgpt.data", "dna_llm_embedder"):
                code = [
                    node.value
                    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                ]
                assert not [each for each in code if text in each], path
