"""CPG501 and CPG518: the genome that windows are read from."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.genome import GenomeFacts
from cpgpt_doctor.findings import Check, Evidence, Finding, Location, Severity, found, ok
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.data.common import line, quoted, verified, ways
from cpgpt_doctor.rules.rule import Rule
from cpgpt_doctor.words import Words, same


def seen(facts: Facts) -> GenomeFacts:
    assert facts.genome is not None
    return facts.genome


def is_there(facts: Facts, call: Call) -> Check:
    """CPG501: CpGPT would download it; run-embed does not."""
    genome = seen(facts)
    if genome.found != "missing":
        return ok(Words(f"the genome is there: {genome.path}", f"基因组文件存在：{genome.path}"))
    compressed = (
        (Words("compressed copy beside it", "旁边的压缩文件"), same(genome.packed))
        if genome.packed
        else None
    )
    if genome.packed:
        cause = Words(
            "A compressed copy stands beside it. CpGPT reads windows by their position, which a"
            " compressed file does not allow.",
            "旁边有一个压缩的副本。CpGPT 按位置读取窗口，压缩文件做不到这一点。",
        )
    elif call.treated:
        cause = Words(
            "CpGPT would download it from Ensembl. run-embed downloads nothing.",
            "CpGPT 会从 Ensembl 下载它。run-embed 不下载任何东西。",
        )
    else:
        cause = Words(
            "CpGPT will download it from Ensembl: 1 GB for a human genome, 3 GB unpacked.",
            "CpGPT 会从 Ensembl 下载它：人类基因组约 1 GB，解压后约 3 GB。",
        )
    first = ("decompress",) if genome.packed else ("fetch",)
    packed = {"packed": quoted(genome.packed)} if genome.packed else {}
    return found(
        Finding(
            "CPG501",
            Severity.error if call.treated else Severity.warning,
            Words("the genome is missing", "缺少基因组文件"),
            (cause,),
            ways(facts, "CPG501", *first, "name-it", **packed),
            Evidence(seen=(compressed,) if compressed else ()),
            Location(genome.path),
            values=verified(facts, "CPG501"),
        )
    )


def is_readable(facts: Facts, call: Call) -> Check:
    """CPG518: compressed, or with what is no code of a nucleotide where windows are read."""
    genome = seen(facts)
    problems = []
    if genome.found == "compressed":
        problems.append(compressed_genome(facts))
    held = facts.locations.in_genome if facts.locations else None
    if held is not None and held.foreign.count:
        problems.append(
            Finding(
                "CPG518",
                Severity.error,
                Words(
                    f"the windows of {held.foreign.count} locations hold {held.letter!r}, which is"
                    " no code of a nucleotide",
                    f"{held.foreign.count} 个位点的窗口里有 {held.letter!r}，它不是核苷酸代码",
                ),
                (
                    Words(
                        "The file was cut short or overwritten, or holds proteins, say.",
                        "文件不完整、被覆盖过，或者不是基因组，例如是蛋白质序列。",
                    ),
                    Words(
                        "CpGPT embeds such a window without an error.",
                        "CpGPT 会照常计算这样的窗口，不会报错。",
                    ),
                ),
                ways(facts, "CPG518", "fetch-again"),
                Evidence(
                    seen=tuple(
                        (same(place.location), line(place.line)) for place in held.foreign.examples
                    )
                ),
                Location(genome.path),
                values=verified(facts, "CPG518"),
            )
        )
    if problems:
        return found(*problems)
    return ok(
        Words(
            "the genome can be read by position"
            + (f": {genome.sequences} sequences" if genome.sequences else ""),
            "基因组可以按位置读取" + (f"：{genome.sequences} 条序列" if genome.sequences else ""),
        )
    )


def compressed_genome(facts: Facts) -> Finding:
    genome = seen(facts)
    return Finding(
        "CPG518",
        Severity.error,
        Words("the genome is compressed", "基因组文件是压缩的"),
        (
            Words(
                "Windows are read by their position, which a gzip file does not allow.",
                "窗口按位置读取，gzip 文件做不到这一点。",
            ),
        ),
        ways(facts, "CPG518", "decompress"),
        location=Location(genome.path),
        values=verified(facts, "CPG518"),
    )


RULES = (
    Rule("CPG501", Words("the genome", "基因组"), is_there, ("genome",)),
    Rule("CPG518", Words("the genome's content", "基因组的内容"), is_readable, ("genome",)),
)
