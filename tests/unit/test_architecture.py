"""Imports point one way, and patient-side code needs nothing of the doctor's."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import cpgpt_doctor

ROOT = Path(cpgpt_doctor.__file__).parent
INSPECTED = {"torch", "cpgpt", "pyfaidx", "transformers", "numpy", "huggingface_hub"}
# What each part may import of this package. Rules never import probes, reports never rules.
ALLOWED = {
    "patient": {"patient"},
    "rules": {"rules", "facts", "findings", "intent", "words", "logs", "pages"},
    "probes": {"probes", "patient", "facts", "errors", "embed"},
    "reports": {
        *("reports", "facts", "findings", "intent", "errors", "words", "culprits", "pages"),
        *("report", "redact", "catalogue"),
        *("embed", "bench"),  # what a run and a measurement are shown from
    },
    "logs": {"logs"},
    "pages": {"findings", "words"},
    "catalogue.py": {"pages", "words"},
    "culprits.py": {"facts", "words"},
    "words.py": set(),
    "embed": {
        *("embed", "facts", "findings", "errors", "probes", "intent", "patient"),
        *("rules", "report", "redact"),
    },
    "report.py": {"facts", "findings", "intent"},
    "baseline.py": {"errors", "findings", "json_file", "reports", "words"},
    "audit": {
        *("audit", "embed", "facts", "findings", "intent", "errors", "patient"),
        *("rules", "report"),
    },
    "facts": {"facts", "errors", "json_file"},
    "json_file.py": {"errors"},
    "findings.py": {"facts", "words"},
    "intent.py": {"facts"},
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
            if node.module == "cpgpt_doctor":
                found |= {f"cpgpt_doctor.{alias.name}" for alias in node.names}
    return found


def files(part: str) -> list[Path]:
    return [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_point_one_way(part: str) -> None:
    for path in files(part):
        own = {name.split(".")[1] for name in imports(path) if name.startswith("cpgpt_doctor.")}
        assert own - {"__version__"} <= ALLOWED[part], path


def test_patient_side_code_needs_only_the_standard_library_and_what_it_inspects() -> None:
    for path in files("patient"):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert tops - sys.stdlib_module_names - INSPECTED == {"cpgpt_doctor"} & tops, path


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
