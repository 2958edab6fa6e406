"""CPG605, 606, 609 and 610: what a program does around its calls."""

from __future__ import annotations

from cpgpt_doctor.facts import Facts
from cpgpt_doctor.facts.sources import Outcome, Setting, SourceCall, SourceFile
from cpgpt_doctor.findings import (
    Check,
    Edit,
    Evidence,
    Finding,
    Remedy,
    Severity,
    found,
    ok,
    skipped,
)
from cpgpt_doctor.intent import Call
from cpgpt_doctor.rules.sources import places
from cpgpt_doctor.rules.sources.circumstances import (
    calls,
    circumstances,
    count,
    outcomes,
    start_method,
)
from cpgpt_doctor.rules.sources.workers import SEVERITY, asked
from cpgpt_doctor.words import Words, same

SPECIES = ("human", "mammalian")  # the folders that CpGPT's download makes
ROWS = "dna_embeddings"
UNSENDABLE = ("genome", "cpgpt")  # datasets of CPG602


def forks(facts: Facts, call: Call) -> Check:
    """CPG605: the start method fork is set."""
    around = circumstances(facts, call)
    findings = []
    seen = 0
    for file, each in calls(facts, around, "start-method"):
        seen += 1
        methods = outcomes(each.setting("method"), around.platform)
        if not any(one.value == "fork" for one in methods):
            continue
        if around.platform == "win32":
            findings.append(of_fork(file, each, Severity.error, "windows"))
        elif uses_workers(facts, call, file):
            findings.append(of_fork(file, each, Severity.warning, around.platform))
        else:
            findings.append(of_fork(file, each, Severity.note, around.platform))
    if findings:
        return found(*findings)
    if not seen:
        return skipped(Words("no start method is set", "没有设置启动方式"))
    return ok(Words("the start method that is set is not fork", "设置的启动方式不是 fork"))


def uses_workers(facts: Facts, call: Call, file: SourceFile) -> bool:
    """Whether a file, or one that belongs with it, asks for workers."""
    around = circumstances(facts, call)
    return any(
        (count(one) or 0) > 0
        for other, each in calls(facts, around, "embed", "loader", "data-module")
        if other.path in file.related
        for one in outcomes(each.setting("num_workers"), around.platform)
    )


def of_fork(file: SourceFile, call: SourceCall, severity: Severity, case: str) -> Finding:
    causes = {
        "windows": Words(
            "Windows has no fork: the call raises ValueError.",
            "Windows 没有 fork：这个调用会抛出 ValueError。",
        ),
        "darwin": Words(
            "On macOS, a forked process that uses system libraries can crash.",
            "在 macOS 上，fork 出的进程使用系统库时可能崩溃。",
        ),
    }
    shared = Words(
        "It hides “cannot pickle”; the cause remains: forked workers share one position in the"
        " genome file, and some rows are wrong (CPG202).",
        "它只是让 “cannot pickle” 不再出现，原因还在：fork 出的工作进程共享基因组文件的读取位置，"
        "部分嵌入会出错（CPG202）。",
    )
    own = (causes[case],) if case in causes else ()
    return Finding(
        "CPG605",
        severity,
        Words("the start method fork is set", "代码设置了启动方式 fork"),
        own if case == "windows" else (shared, *own),
        (Remedy("leave-out", values=(("path", places.quoted(file.path)),)),),
        location=places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=tuple(places.edit(each, "", safe=False) for each in call.removal),
    )


def main_guard(facts: Facts, call: Call) -> Check:
    """CPG606: workers that import the script, which starts workers.

    Where the dataset cannot be sent to a worker at all, as CpGPT's, that is what is said (CPG601).
    """
    around = circumstances(facts, call)
    findings = []
    seen = 0
    for file, each in calls(facts, around, "loader"):
        if file.kind != "python" or each.dataset in UNSENDABLE:
            continue
        method, _ = start_method(facts, file, around)
        here = outcomes(each.setting("num_workers"), around.platform)
        wanted = [one for one in here if (count(one) or 0) > 0]
        started = wanted if method in ("spawn", "forkserver") else []
        seen += bool(wanted)
        if started and each.at_import:
            findings.append(of_guard(file, each, started[0], method))
    if findings:
        return found(*findings)
    if not seen:
        return skipped(Words("no workers are started", "没有启动工作进程"))
    return ok(
        Words(
            "workers do not start workers when they import the script",
            "工作进程导入脚本时不会再启动工作进程",
        )
    )


def of_guard(file: SourceFile, call: SourceCall, outcome: Outcome, method: str) -> Finding:
    site = outcome.site
    edits = places.written(site, "num_workers", "0") if site else ()
    return Finding(
        "CPG606",
        Severity.error,
        Words(
            f"workers without a __main__ guard, which {method} needs",
            f"启用了工作进程却没有 __main__ 入口保护，而 {method} 需要它",
        ),
        (
            Words(
                f"Under {method}, each worker imports the script. What stands outside a guard runs"
                " again there and would start workers of its own: Python stops that with an error.",
                f"在 {method} 下，每个工作进程都会导入这个脚本，入口保护以外的代码会再运行一遍，"
                "又去启动工作进程，Python 会用报错阻止它。",
            ),
        ),
        (Remedy("main-guard"),),
        Evidence(
            error="RuntimeError: An attempt has been made to start a new process before the"
            " current process has finished its bootstrapping phase."
        ),
        places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
        edits=tuple(Edit(each.place, each.text, safe=False) for each in edits),
    )


def folders(facts: Facts, call: Call) -> Check:
    """CPG609: an embedder that looks where the download put neither rows nor index."""
    around = circumstances(facts, call)
    downloads = list(calls(facts, around, "download"))
    links = list(calls(facts, around, "link"))
    embedders = list(calls(facts, around, "embedder", "data-module"))
    findings = []
    for file, each in embedders:
        setting = each.setting("dependencies_dir")
        for other, download in downloads:
            if other.path in file.related and setting is not None:
                species = same_root(setting, download, around.platform)
                if species is not None:
                    findings.append(of_folder(file, each, setting, species, around.platform))
    for file, each in links:
        if links_rows_alone(each, around.platform):
            findings.append(of_link(file, each))
    if findings:
        return found(*{each.location: each for each in findings}.values())
    if not downloads or not embedders:
        return skipped(
            Words(
                "no download of dependencies beside an embedder",
                "没有同时出现依赖数据的下载和嵌入器",
            )
        )
    return ok(
        Words(
            "the embedder looks where the download puts rows and index",
            "嵌入器查找的目录就是下载存放嵌入文件和索引的目录",
        )
    )


def same_root(setting: Setting, download: SourceCall, platform: str) -> str | None:
    """The species' folder that is missing in the embedder's, where it is the download's root."""
    roots = {folder_text(each) for each in outcomes(download.setting("folder"), platform)}
    kinds = outcomes(download.setting("species"), platform)
    species = next((each.value for each in kinds if each.value in SPECIES), None)
    given = {folder_text(each) for each in outcomes(setting, platform)}
    if species is None or "" in given or not given & roots:
        return None
    return str(species)


def folder_text(outcome: Outcome) -> str:
    """A folder as text, one that hangs on something unknown by its name; "" where there is none."""
    if outcome.kind == "value" and isinstance(outcome.value, str):
        text = outcome.value
    else:
        text = outcome.detail
    return text.replace("\\", "/").rstrip("/").removeprefix("./")


def of_folder(
    file: SourceFile, call: SourceCall, setting: Setting, species: str, platform: str
) -> Finding:
    outcome = outcomes(setting, platform)[0]
    site = outcome.site
    folder = folder_text(outcome) or setting.text
    named = (("path", places.quoted(file.path)),)
    return Finding(
        "CPG609",
        Severity.error,
        Words(
            f"the embedder looks in {folder}, and the download puts rows and index into"
            f" {folder}/{species}",
            f"嵌入器在 {folder} 中查找，而下载把嵌入文件和索引放在 {folder}/{species} 中",
        ),
        (
            Words(
                "CpGPT finds nothing there, makes a new index and embeds again. Rows that are"
                " linked or copied to where it looks are then read under an index that is not"
                " theirs (CPG519).",
                "CpGPT 在那里什么也找不到，会新建索引并重新嵌入；如果再把嵌入文件链接或复制过去，"
                "读取时用的就不是它们自己的索引（CPG519）。",
            ),
        ),
        (
            Remedy(
                "species-folder",
                values=(("species", same(species)), ("path", places.quoted(file.path))),
            ),
        ),
        location=places.at(site, call) if site else places.location(call.place, call.text),
        values=named,
        edits=with_species(setting, outcome, species, yaml=places.is_yaml(file)),
    )


def with_species(
    setting: Setting, outcome: Outcome, species: str, *, yaml: bool
) -> tuple[Edit, ...]:
    """The folder's expression with the species' folder behind it."""
    site = outcome.site
    if site is None or site.edit != "replace":
        return ()
    text = site.text
    place = places.location(site.place)
    if yaml:
        return (Edit(place, f"{text.rstrip('/')}/{species}", safe=False),)
    if text[:1] in "'\"" and text[-1:] == text[:1] and text.count(text[0]) == 2:
        return (Edit(place, f"{text[:-1].rstrip('/')}/{species}{text[-1]}", safe=False),)
    both = "'" in text and '"' in text
    if both or "{" in text or "\\" in text or text.endswith("…"):
        return ()
    quote = "'" if '"' in text else '"'
    return (Edit(place, f"f{quote}{{{text}}}/{species}{quote}", safe=False),)


def links_rows_alone(call: SourceCall, platform: str) -> bool:
    """Whether a link or a copy takes a download's rows without the index beside them."""
    return any(
        folder_text(each).endswith(tuple(f"{species}/{ROWS}" for species in SPECIES))
        for each in outcomes(call.setting("from"), platform)
    )


def of_link(file: SourceFile, call: SourceCall) -> Finding:
    return Finding(
        "CPG609",
        Severity.error,
        Words(
            "rows are linked or copied without the index that names them",
            "链接或复制了嵌入文件，却没有带上它们的索引",
        ),
        (
            Words(
                "Which row belongs to which location is in ensembl_metadata.db beside the folder"
                " dna_embeddings. Without it CpGPT makes a new index, and reads the rows of other"
                " locations (CPG519).",
                "哪一行属于哪个位点，记录在 dna_embeddings 目录旁边的 ensembl_metadata.db 里。"
                "没有它，CpGPT 会新建索引，读到的是其他位点的嵌入（CPG519）。",
            ),
        ),
        (Remedy("species-folder", values=(("path", places.quoted(file.path)),)),),
        location=places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
    )


def repeated(facts: Facts, call: Call) -> Check:
    """CPG610: embedding that is tried again, or goes on in parts, in a loop."""
    around = circumstances(facts, call)
    unsafe = {
        each.call.place
        for each in asked(facts, around, "embed")
        if SEVERITY.get(each.consequence) is Severity.error
    }
    findings = []
    seen = 0
    for file, each in calls(facts, around, "embed"):
        seen += 1
        if each.repeated == "retry":
            findings.append(of_repeated(file, each, "retry"))
        elif each.repeated == "loop" and not around.guarded:
            findings.append(of_repeated(file, each, "loop"))
        elif each.repeated == "loop" and each.place in unsafe:
            findings.append(of_repeated(file, each, "unsafe"))
    if findings:
        return found(*findings)
    if not seen:
        return skipped(Words("no call of parse_dna_embeddings", "没有 parse_dna_embeddings 调用"))
    return ok(
        Words(
            "parse_dna_embeddings is not repeated for one store",
            "没有对同一份嵌入文件反复调用 parse_dna_embeddings",
        )
    )


def of_repeated(file: SourceFile, call: SourceCall, case: str) -> Finding:
    causes = {
        "retry": Words(
            "A call that failed leaves a store half written. CpGPT's next call trusts what it"
            " finds there: it drops rows behind an old checkpoint (CPG510), or takes a copy that"
            " was not finished for whole (CPG515).",
            "失败的调用会留下只写了一半的嵌入文件，而 CpGPT 的下一次调用会相信它：丢弃旧检查点之后"
            "的行（CPG510），或把没有复制完的文件当成完整的（CPG515）。",
        ),
        "loop": Words(
            "Each call of CpGPT up to 0.0.7 adds to the store: up to 0.0.3 that zeroes the rows"
            " that are there (CPG516), and from 10,000 rows on they stay in a file that nobody"
            " reads (CPG505).",
            "0.0.7 及以前的 CpGPT，每次调用都会向已有的嵌入文件追加：0.0.3 及以前会把原有的行清零"
            "（CPG516），达到 10,000 行以后，结果会留在一个没有人读取的文件里（CPG505）。",
        ),
        "unsafe": Words(
            "Its workers are unsafe (CPG601), and each turn adds rows to the same store.",
            "它的工作进程不安全（CPG601），而每次循环都会向同一份嵌入文件追加行。",
        ),
    }
    return Finding(
        "CPG610",
        Severity.warning,
        {
            "retry": Words(
                "parse_dna_embeddings is tried again after it failed",
                "parse_dna_embeddings 失败后会再次调用",
            ),
        }.get(
            case,
            Words(
                "parse_dna_embeddings is called in a loop for one store",
                "在循环中对同一份嵌入文件调用 parse_dna_embeddings",
            ),
        ),
        (causes[case],),
        (Remedy("run-embed"), Remedy("one-call")),
        location=places.location(call.place, call.text),
        values=(("path", places.quoted(file.path)),),
    )
