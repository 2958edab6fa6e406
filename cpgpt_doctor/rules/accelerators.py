"""CPG3xx: GPUs and what torch makes of them."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts, Torch
from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.rule import Rule, severity
from cpgpt_doctor.words import Words, same


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
        return ok(
            Words(
                "no NVIDIA GPU is seen here, so torch needs no CUDA",
                "这里没有发现 NVIDIA GPU，torch 不需要 CUDA",
            )
        )
    if torch.cuda_build:
        return ok(
            Words(
                f"torch {torch.version} is built for CUDA {torch.cuda_build}",
                f"torch {torch.version} 是为 CUDA {torch.cuda_build} 构建的",
            )
        )
    if torch.rocm_build:
        return ok(
            Words(
                f"torch {torch.version} is built for ROCm {torch.rocm_build}, so it needs no CUDA",
                f"torch {torch.version} 是为 ROCm {torch.rocm_build} 构建的，不需要 CUDA",
            )
        )
    names = gpu_names(facts)
    return found(
        Finding(
            "CPG301",
            Severity.warning,
            Words(
                f"{names} is here, and torch {torch.version} is built without CUDA",
                f"本机有 {names}，但 torch {torch.version} 的构建不含 CUDA",
            ),
            (
                Words(
                    "The driver names a GPU, but this build of torch has no CUDA code.",
                    "驱动程序报告有 GPU，但这个 torch 构建里没有 CUDA 代码。",
                ),
                Words(
                    "CpGPT's embedder then runs on the CPU, without saying more than one log line.",
                    "于是 CpGPT 的嵌入器在 CPU 上运行，只在日志里留下一行说明。",
                ),
            ),
            tuple(map(Remedy, ("cuda-build", "pytorch-index", "stay-on-cpu"))),
            Evidence(seen=((same("GPU"), same(names)), (same("torch"), same(torch.version)))),
        )
    )


def why_no_cuda(facts: Facts) -> Words:
    """What keeps a CUDA build of torch from its GPU, as far as torch says."""
    variables = facts.accelerator.variables if facts.accelerator else {}
    if hidden(variables):
        return Words(
            "CUDA_VISIBLE_DEVICES hides every GPU.",
            "CUDA_VISIBLE_DEVICES 隐藏了所有 GPU。",
        )
    problem = torch_of(facts).cuda_problem
    if problem is not None:
        return Words(f"{problem}.", f"torch 的说明：{problem}。")
    return Words(
        "torch.cuda.is_available() is False, without a reason given.",
        "torch.cuda.is_available() 为 False，没有给出原因。",
    )


def hidden(variables: dict[str, str]) -> bool:
    return variables.get("CUDA_VISIBLE_DEVICES") in ("", "-1")


def no_driver(facts: Facts, call: Call) -> Check:
    """CPG302: a CUDA build that finds nothing to run on."""
    assert facts.host is not None
    assert facts.accelerator is not None
    torch = torch_of(facts)
    if not torch.cuda_build:
        return skipped(
            Words(
                "CUDA's driver: this torch is built without CUDA",
                "CUDA 驱动：这个 torch 的构建不含 CUDA",
            )
        )
    if torch.cuda_available:
        names = ", ".join(device.name for device in torch.devices)
        return ok(
            Words(
                f"CUDA {torch.cuda_build} works: {names}",
                f"CUDA {torch.cuda_build} 可用：{names}",
            )
        )
    expected = bool(facts.host.gpus)
    masked = hidden(facts.accelerator.variables)
    ways: tuple[str, ...]
    if expected:
        ways = ("show-gpu",) if masked else ("update-driver", "older-build")
    else:
        ways = ("container-gpus",) if facts.host.container else ()
    none_found = Words("none found", "未发现")
    return found(
        Finding(
            "CPG302",
            Severity.warning if expected else Severity.note,
            Words(
                "torch is built for CUDA and has no usable driver",
                "torch 是为 CUDA 构建的，但没有可用的驱动",
            )
            if expected
            else Words(
                "torch is built for CUDA, and no NVIDIA GPU is seen here",
                "torch 是为 CUDA 构建的，而这里没有发现 NVIDIA GPU",
            ),
            (
                why_no_cuda(facts),
                Words("CpGPT's embedder runs on the CPU.", "CpGPT 的嵌入器在 CPU 上运行。"),
            ),
            tuple(map(Remedy, ways)),
            Evidence(
                seen=(
                    (Words("CUDA build", "构建所用的 CUDA"), same(torch.cuda_build)),
                    (
                        Words("driver", "驱动"),
                        same(facts.host.driver) if facts.host.driver else none_found,
                    ),
                    (same("GPU"), same(gpu_names(facts)) if expected else none_found),
                )
            ),
        )
    )


def mps_unused(facts: Facts, call: Call) -> Check:
    """CPG303: Apple's GPU is available, and CpGPT's embedder never uses it."""
    torch = torch_of(facts)
    if not torch.mps_available:
        return skipped(Words("MPS: not available here", "MPS：这里不可用"))
    return found(
        Finding(
            "CPG303",
            severity(call, Severity.warning),
            Words(
                "MPS is available, and CpGPT's embedder uses the CPU",
                "MPS 可用，而 CpGPT 的嵌入器使用 CPU",
            ),
            (
                Words(
                    "The embedder looks for CUDA and takes the CPU otherwise; it never looks for"
                    " MPS.",
                    "嵌入器只检查 CUDA，没有就用 CPU，从不检查 MPS。",
                ),
                Words(
                    "Rows computed on another device can differ from the CPU's in their last bits.",
                    "换一种设备计算，得到的行与 CPU 的结果在最后几位上可能不同。",
                ),
            ),
            (Remedy("use-mps"), Remedy("stay-on-cpu")),
            treated=call.treated,
        )
    )


def mps_unavailable(facts: Facts, call: Call) -> Check:
    """CPG304: why MPS, though built in, is not available."""
    torch = torch_of(facts)
    if not torch.mps_built:
        return skipped(
            Words(
                "MPS: this torch is built without it",
                "MPS：这个 torch 的构建不含 MPS",
            )
        )
    if torch.mps_available:
        return ok(Words("MPS is built in and available", "torch 含有 MPS，并且可用"))
    assert facts.python is not None
    intel = facts.python.rosetta or facts.python.machine == "x86_64"
    if intel:
        why = Words(
            "This Python is an x86-64 one; MPS needs an arm64 Python on Apple silicon.",
            "这个 Python 是 x86-64 版的；MPS 需要在 Apple 芯片上使用 arm64 版的 Python。",
        )
    else:
        why = Words(
            "torch says no: macOS is older than it needs, or no MPS device is present.",
            "torch 报告不可用：macOS 版本低于它的要求，或者没有 MPS 设备。",
        )
    return found(
        Finding(
            "CPG304",
            Severity.note,
            Words(
                "MPS is built into this torch and not available",
                "这个 torch 含有 MPS，但不可用",
            ),
            (
                why,
                Words(
                    "CpGPT's embedder uses the CPU in any case.",
                    "无论如何，CpGPT 的嵌入器都使用 CPU。",
                ),
            ),
            (Remedy("arm64-python" if intel else "newer-macos"),),
        )
    )


RULES = (
    Rule(
        "CPG301",
        Words("GPU and torch's build", "GPU 与 torch 的构建"),
        built_without_cuda,
        ("host", "torch"),
    ),
    Rule("CPG302", Words("CUDA's driver", "CUDA 驱动"), no_driver, ("host", "torch")),
    Rule("CPG303", same("MPS"), mps_unused, ("torch",)),
    Rule(
        "CPG304",
        Words("MPS's availability", "MPS 是否可用"),
        mps_unavailable,
        ("python", "torch"),
    ),
)
