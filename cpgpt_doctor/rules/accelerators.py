"""CPG3xx: GPUs and what torch makes of them."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts, Torch
from cpgpt_doctor.findings import Check, Evidence, Finding, Remedy, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule, severity


def torch_of(facts: Facts) -> Torch:
    assert facts.accelerator is not None
    assert facts.accelerator.torch is not None
    return facts.accelerator.torch


def gpu_names(facts: Facts) -> str:
    assert facts.host is not None
    return ", ".join(gpu.name for gpu in facts.host.gpus)


def built_without_cuda(facts: Facts, call: Call) -> Check:
    """CPG301: an NVIDIA GPU that this torch cannot use, by the way it was built."""
    assert facts.host is not None
    torch = torch_of(facts)
    if not facts.host.gpus:
        return ok("no NVIDIA GPU is seen here, so torch needs no CUDA")
    if torch.cuda_build or torch.rocm_build:
        return ok(f"torch {torch.version} is built for CUDA {torch.cuda_build}")
    return found(
        Finding(
            "CPG301",
            Severity.warning,
            f"{gpu_names(facts)} is here, and torch {torch.version} is built without CUDA",
            (
                "The driver names a GPU, but this build of torch has no CUDA code.",
                "CpGPT's embedder then runs on the CPU, without saying more than one log line.",
            ),
            (
                Remedy(
                    "recommended",
                    "Install a CUDA build of torch",
                    "The plain package from PyPI is built for CUDA on Linux; a build for one"
                    " CUDA version comes from PyTorch's own index.",
                    commands=("pip install --force-reinstall torch",),
                ),
            ),
            Evidence(seen=(("GPU", gpu_names(facts)), ("torch", torch.version))),
            verify=("python -c 'import torch; print(torch.cuda.is_available())'",),
            expected="True",
        )
    )


def no_driver(facts: Facts, call: Call) -> Check:
    """CPG302: a CUDA build that finds nothing to run on."""
    assert facts.host is not None
    torch = torch_of(facts)
    if not torch.cuda_build:
        return skipped("CUDA's driver: this torch is built without CUDA")
    if torch.cuda_available:
        return ok(f"CUDA {torch.cuda_build} works: {', '.join(d.name for d in torch.devices)}")
    expected = bool(facts.host.gpus)
    variables = facts.accelerator.variables if facts.accelerator else {}
    hidden = variables.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    why = torch.cuda_problem or "torch.cuda.is_available() is False, without a reason given"
    if hidden:
        why = "CUDA_VISIBLE_DEVICES hides every GPU"
    return found(
        Finding(
            "CPG302",
            Severity.warning if expected else Severity.note,
            "torch is built for CUDA and has no usable driver"
            if expected
            else "torch is built for CUDA, and no NVIDIA GPU is seen here",
            (
                why + ".",
                "CpGPT's embedder runs on the CPU.",
            ),
            (
                Remedy(
                    "recommended",
                    "Show a GPU to this process" if hidden else "Update the NVIDIA driver",
                    "The GPU is seen, but not by torch.",
                    commands=("unset CUDA_VISIBLE_DEVICES",) if hidden else ("nvidia-smi",),
                ),
            )
            if expected
            else (),
            Evidence(
                seen=(
                    ("CUDA build", torch.cuda_build),
                    ("driver", facts.host.driver or "none found"),
                    ("GPU", gpu_names(facts) or "none found"),
                )
            ),
        )
    )


def mps_unused(facts: Facts, call: Call) -> Check:
    """CPG303: Apple's GPU is available, and CpGPT's embedder never uses it."""
    torch = torch_of(facts)
    if not torch.mps_available:
        return skipped("MPS: not available here")
    return found(
        Finding(
            "CPG303",
            severity(call, Severity.warning),
            "MPS is available, and CpGPT's embedder uses the CPU",
            (
                "The embedder looks for CUDA and takes the CPU otherwise; it never looks for MPS.",
                "Rows computed on another device can differ from the CPU's in their last bits.",
            ),
            (
                Remedy(
                    "recommended",
                    "Let run-embed use MPS",
                    "It moves the loaded model there and says so in its plan.",
                    commands=(
                        "cpgpt-doctor run-embed --device mps --dependencies-dir DIR"
                        " --locations FILE",
                    ),
                ),
                Remedy("possible", "Stay on the CPU", "It works, and is the reference."),
            ),
            treated=call.treated,
        )
    )


def mps_unavailable(facts: Facts, call: Call) -> Check:
    """CPG304: why MPS, though built in, is not available."""
    torch = torch_of(facts)
    if not torch.mps_built:
        return skipped("MPS: this torch is built without it")
    if torch.mps_available:
        return ok("MPS is built in and available")
    assert facts.python is not None
    if facts.python.rosetta or facts.python.machine == "x86_64":
        why = "This Python is an x86-64 one; MPS needs an arm64 Python on Apple silicon."
    else:
        why = "torch says no: macOS is older than it needs, or no MPS device is present."
    return found(
        Finding(
            "CPG304",
            Severity.note,
            "MPS is built into this torch and not available",
            (why, "CpGPT's embedder uses the CPU in any case."),
        )
    )


RULES = (
    Rule("CPG301", "GPU and torch's build", built_without_cuda, ("host", "torch")),
    Rule("CPG302", "CUDA's driver", no_driver, ("host", "torch")),
    Rule("CPG303", "MPS", mps_unused, ("torch",)),
    Rule("CPG304", "MPS's availability", mps_unavailable, ("python", "torch")),
)
