"""CPG3xx: GPUs and what torch makes of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cpgpt_doctor.findings import (
    Check,
    Evidence,
    Finding,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
    unknown,
)
from cpgpt_doctor.rules.rule import Rule, severity
from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Facts, Torch
    from cpgpt_doctor.intent import Call


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
                "没有发现 NVIDIA 显卡（GPU），torch 不需要 CUDA",
            )
        )
    if torch.cuda_build:
        return ok(
            Words(
                f"torch {torch.version} is built for CUDA {torch.cuda_build}",
                f"torch {torch.version} 是 CUDA {torch.cuda_build} 版",
            )
        )
    if torch.rocm_build:
        return ok(
            Words(
                f"torch {torch.version} is built for ROCm {torch.rocm_build}, so it needs no CUDA",
                f"torch {torch.version} 是 ROCm {torch.rocm_build} 版，不需要 CUDA",
            )
        )
    names = gpu_names(facts)
    return found(
        Finding(
            "CPG301",
            Severity.warning,
            Words(
                f"{names} is here, and torch {torch.version} is a CPU build, without CUDA",
                f"本机有 {names}，但装的 torch {torch.version} 是 CPU 版（不含 CUDA）",
            ),
            (
                Words(
                    "The driver names a GPU, but this torch is a CPU build: it has no CUDA code.",
                    "驱动认出了显卡（GPU），但装的是 CPU 版 torch，里面没有 CUDA 代码。",
                ),
                Words(
                    "CpGPT's embedder then runs on the CPU, without saying more than one log line.",
                    "所以 CpGPT 的嵌入器用 CPU 计算，只在日志里留下一行说明。",
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
            "CUDA_VISIBLE_DEVICES 隐藏了所有显卡（GPU）。",
        )
    problem = torch_of(facts).cuda_problem
    if problem is not None:
        return Words(f"{problem}.", f"torch 的报错：{problem}。")
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
                "CUDA's driver: this torch is a CPU build, without CUDA",
                "CUDA 驱动：装的是 CPU 版 torch，不含 CUDA",
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
                "装的是 CUDA 版 torch，但没有可用的驱动",
            )
            if expected
            else Words(
                "torch is built for CUDA, and no NVIDIA GPU is seen here",
                "装的是 CUDA 版 torch，但没有发现 NVIDIA 显卡（GPU）",
            ),
            (
                why_no_cuda(facts),
                Words("CpGPT's embedder runs on the CPU.", "CpGPT 的嵌入器用 CPU 计算。"),
            ),
            tuple(map(Remedy, ways)),
            Evidence(
                seen=(
                    (Words("CUDA build", "torch 的 CUDA 版本"), same(torch.cuda_build)),
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
                "MPS 可用，但 CpGPT 的嵌入器使用 CPU",
            ),
            (
                Words(
                    "The embedder looks for CUDA and takes the CPU otherwise; it never looks for"
                    " MPS.",
                    "嵌入器只检查 CUDA，没有就用 CPU，从不检查 MPS。",
                ),
                Words(
                    "Rows computed on another device can differ from the CPU's in their last bits.",
                    "换一种设备计算，嵌入与 CPU 的结果在最后几位上可能不同。",
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
                "MPS：这个 torch 不支持 MPS",
            )
        )
    if torch.mps_available:
        return ok(Words("MPS is built in and available", "torch 支持 MPS，并且可用"))
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
            "torch 报告 MPS 不可用：macOS 版本低于它的要求，或者没有 MPS 设备。",
        )
    return found(
        Finding(
            "CPG304",
            Severity.note,
            Words(
                "MPS is built into this torch and not available",
                "这个 torch 支持 MPS，但这里不可用",
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


WATERMARK = "PYTORCH_MPS_HIGH_WATERMARK_RATIO"
FALLBACK = "PYTORCH_ENABLE_MPS_FALLBACK"
# https://docs.pytorch.org/docs/stable/mps_environment_variables.html
EFFECTS = {
    WATERMARK: Words(
        "the limit of what torch takes of the GPU's memory, as a share of the recommended most"
        " (1.7 by default; 0.0 for no limit)",
        "torch 占用 GPU 显存的上限，按系统建议的最大值的倍数计（默认 1.7；0.0 表示不设上限）",
    ),
    FALLBACK: Words(
        "with 1, operations that MPS lacks run on the CPU, without an error",
        "设为 1 时，MPS 不支持的运算改由 CPU 完成，不会报错",
    ),
}
WITHOUT_LIMIT = Words(
    "Without that limit a process can take so much memory that the whole system stops.",
    "没有这个上限，一个进程可能占满内存，使整个系统停止响应。",
)
OTHER_DEVICE = Words(
    "Numbers that the CPU computes can differ from those of MPS in their last bits, and nothing"
    " says which were.",
    "CPU 与 MPS 的计算结果在最后几位上可能不同，而且看不出哪些是 CPU 算的。",
)


def mps_variables(facts: Facts, call: Call) -> Check:
    """CPG305: variables that change what MPS does where memory or an operation is missing."""
    assert facts.accelerator is not None
    variables = facts.accelerator.variables
    if not torch_of(facts).mps_built:
        return skipped(
            Words(
                "MPS's variables: this torch is built without MPS",
                "MPS 的环境变量：这个 torch 不支持 MPS",
            )
        )
    no_limit = is_zero(variables.get(WATERMARK))
    falls_back = variables.get(FALLBACK) not in (None, "", "0")
    seen = [name for name in (WATERMARK, FALLBACK) if name in variables]
    if not seen:
        return ok(Words("no variable changes what MPS does", "没有改变 MPS 行为的环境变量"))
    names = " ".join(seen)
    return found(
        Finding(
            "CPG305",
            Severity.warning if no_limit or falls_back else Severity.note,
            Words(
                f"{', '.join(seen)}: set in this environment",
                f"这个环境设置了 {'、'.join(seen)}",
            ),
            (
                *([WITHOUT_LIMIT] if no_limit else []),
                *([OTHER_DEVICE] if falls_back else []),
                Words(
                    "CpGPT's embedder itself computes on the CPU; they concern run-embed on MPS,"
                    " and other programs.",
                    "CpGPT 的嵌入器本身在 CPU 上计算；受影响的是在 MPS 上运行的 run-embed 和其他"
                    "程序。",
                ),
            ),
            (Remedy("unset", values=(("names", same(names)),)),),
            Evidence(
                seen=tuple(
                    (
                        same(name),
                        Words(
                            f"{variables[name]!r}: {EFFECTS[name].en}",
                            f"{variables[name]!r}：{EFFECTS[name].zh}",
                        ),
                    )
                    for name in seen
                )
            ),
        )
    )


def is_zero(text: str | None) -> bool:
    try:
        return text is not None and float(text) == 0
    except ValueError:
        return False


# Compute capabilities of GPUs that are part of a system on a chip (Tegra): what is built for one of
# these, or for another of their generation, does not run on the other.
ON_A_CHIP = {(5, 3), (6, 2), (7, 2), (8, 7), (10, 1), (11, 0)}
SAME_CHIP = {(10, 1), (11, 0)}  # its name from CUDA 13 on


def runs(architecture: str, capability: tuple[int, int]) -> bool:
    """Whether code of torch's build list ("sm_86", "compute_90") runs on a GPU.

    Machine code runs within its major version, from its minor one on. PTX, which the driver
    compiles, runs from its version on. What ends in "a" runs on that capability alone, in "f" on
    its family. https://docs.nvidia.com/cuda/cuda-programming-guide, compute capabilities; torch
    itself draws the line for machine code in the same place (torch/cuda/__init__.py).
    """
    written = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
    if written is None:
        return True  # of what is not understood nothing is claimed
    kind, major, minor, ending = written.groups()
    built = (int(major), int(minor))
    if built == capability or {built, capability} == SAME_CHIP:
        return True
    if ending == "a":
        return False
    if kind == "compute" and not ending:
        return capability >= built
    if {built, capability} & ON_A_CHIP:
        return False
    return built[0] == capability[0] and capability[1] >= built[1]


def built_for_gpu(facts: Facts, call: Call) -> Check:
    """CPG306: the first CUDA device, which CpGPT takes, against torch's build list."""
    torch = torch_of(facts)
    if not torch.devices or torch.rocm_build or not torch.architectures:
        return skipped(
            Words(
                "the GPU's architecture: torch names no CUDA device",
                "显卡（GPU）架构：torch 没有列出 CUDA 设备",
            )
        )
    device = torch.devices[0]
    written = re.fullmatch(r"(\d+)\.(\d+)", device.capability)
    if written is None:
        return unknown(
            Words(
                f"the GPU's architecture: {device.capability!r} cannot be read",
                f"显卡（GPU）架构：无法解析 {device.capability!r}",
            )
        )
    capability = (int(written[1]), int(written[2]))
    listed = ", ".join(torch.architectures)
    if any(runs(each, capability) for each in torch.architectures):
        return ok(
            Words(
                f"torch {torch.version} has code for {device.name} (sm_{written[1]}{written[2]})",
                f"torch {torch.version} 支持 {device.name} 的架构（sm_{written[1]}{written[2]}）",
            )
        )
    return found(
        Finding(
            "CPG306",
            Severity.error,
            Words(
                f"torch {torch.version} has no code for {device.name}"
                f" (sm_{written[1]}{written[2]})",
                f"torch {torch.version} 不支持 {device.name} 的架构（sm_{written[1]}{written[2]}）",
            ),
            (
                Words(
                    "The driver works, so CpGPT takes the GPU; this build has neither machine code"
                    " nor PTX that runs on it.",
                    "驱动正常，CpGPT 会使用这块显卡（GPU）；但这个 torch 里既没有适用于它的机器码，"
                    "也没有适用的 PTX。",
                ),
                Words(
                    "The call ends with “no kernel image is available for execution on the device”"
                    " (CPG716).",
                    "调用会以 “no kernel image is available for execution on the device” 报错结束"
                    "（CPG716）。",
                ),
            ),
            (Remedy("fitting-build", "CPG716"), Remedy("cpu", "CPG716")),
            Evidence(
                seen=(
                    (same("GPU"), same(f"{device.name}, {device.capability}")),
                    (Words("built for", "支持的架构"), same(listed)),
                )
            ),
        )
    )


RULES = (
    Rule(
        "CPG301",
        Words("GPU and torch's build", "显卡（GPU）与 torch 的版本"),
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
    Rule(
        "CPG305",
        Words("MPS's variables", "MPS 的环境变量"),
        mps_variables,
        ("torch",),
    ),
    Rule(
        "CPG306",
        Words("the GPU's architecture", "显卡（GPU）架构"),
        built_for_gpu,
        ("torch",),
    ),
)
