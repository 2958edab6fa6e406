"""CPG405: the model that a run loads is in the cache, or would have to be downloaded."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.findings import Check, Evidence, Finding, Severity, found, ok, skipped
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import quoted, verified, ways
from cpgpt_doctor.rules.rule import Rule, examined
from cpgpt_doctor.words import Words, same


def is_cached(facts: Facts, call: Call) -> Check:
    """CPG405: run-embed and verify download nothing unasked; CpGPT does."""
    model = call.dna_llm
    code = next((each for each in examined(facts).remote_code if each.dna_llm == model), None)
    if code is None or code.repository is None:
        return skipped(
            Words(f"{model}: this CpGPT names no repository", f"{model}：CpGPT 没有给出它的仓库")
        )
    if code.cached:
        return ok(Words(f"{model} is cached", f"{model} 已在缓存中"))
    if not call.treated:
        return ok(
            Words(
                f"{model} is not cached; CpGPT downloads it when it is first used",
                f"{model} 不在缓存中；第一次使用时 CpGPT 会下载它",
            )
        )
    executable = facts.python.executable if facts.python else "python"
    return found(
        Finding(
            "CPG405",
            Severity.error,
            Words(
                f"{model} is not in the Hugging Face cache: nothing is downloaded unasked",
                f"{model} 不在 Hugging Face 缓存中：未经要求不会下载",
            ),
            (
                Words(
                    "The cache is looked for where HF_HOME says, else below the home folder.",
                    "缓存在 HF_HOME 指定的位置查找；没有设置时，在主目录下查找。",
                ),
            ),
            ways(
                facts,
                "CPG405",
                "fetch",
                "other-cache",
                python=quoted(executable),
                repo=same(code.repository),
            ),
            Evidence(seen=((Words("repository", "仓库"), same(code.repository)),)),
            values=verified(facts, "CPG405"),
        )
    )


RULES = (Rule("CPG405", Words("the model's cache", "模型缓存"), is_cached, ("examined",)),)
