"""What a repair would do: from what was seen of a folder, a list of actions, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cpgpt_doctor.errors import InputError
from cpgpt_doctor.facts.dependencies import DependenciesFacts, Elsewhere, StoreSeen
from cpgpt_doctor.facts.store import StoreFacts
from cpgpt_doctor.repair import changes
from cpgpt_doctor.repair.backup import Draft
from cpgpt_doctor.rules.data import dependencies, stores
from cpgpt_doctor.store import layout, places, record
from cpgpt_doctor.store.layout import StorePaths
from cpgpt_doctor.words import Words

CHUNK_ROWS = 256
EITHER = Words(
    "nothing in the files says which index is right: verify does; then name it with --index",
    "从文件看不出哪个索引是对的：请先用 verify 判断，再用 --index 指定",
)
LOST = Words(
    "what the index said is lost: put a copy of it back, or embed into a new folder",
    "索引里的内容已经丢失：请放回它的备份，或者在新目录里重新计算",
)
WIDTH = Words("how wide this model's rows are is not known", "不知道这个模型的一行有多少个数")


@dataclass(frozen=True)
class Chosen:
    """Which stores of a folder; None: all."""

    species: str | None = None
    dna_llm: str | None = None
    context_len: int | None = None

    def has(self, store: StoreFacts) -> bool:
        asked = self.species, self.dna_llm, self.context_len
        there = store.species, store.dna_llm, store.context_len
        return all(one in (None, other) for one, other in zip(asked, there, strict=True))


@dataclass(frozen=True)
class Action:
    """A change that mends a finding.

    code: of its rule; path: the finding's place. what, keeps: in a sentence each. computed: rows;
    seconds: that takes, None where nothing is computed. written: bytes, the backup's included.
    build: draws the backup up. also: other codes that it mends at the same place.
    """

    code: str
    path: str
    what: Words
    keeps: Words
    written: int
    build: Callable[[Draft], None]
    computed: int = 0
    seconds: float | None = None
    also: tuple[str, ...] = ()

    def mends(self, code: str, path: str) -> bool:
        return code in (self.code, *self.also) and path == self.path

    def is_one_of(self, others: Sequence[Action]) -> bool:
        """Whether it was done already: to do it again would not help."""
        return any((each.code, each.path, each.what) == self.key for each in others)

    @property
    def key(self) -> tuple[str, str, Words]:
        return self.code, self.path, self.what


@dataclass(frozen=True)
class Left:
    """A finding that no action mends: why not, and what to do."""

    code: str
    path: str
    why: Words


@dataclass(frozen=True)
class Plan:
    actions: tuple[Action, ...] = ()
    left: tuple[Left, ...] = ()


def public(planned: Plan, redact: Callable[[str], str]) -> Plan:
    """The plan as it is shown, without personal data."""

    def clean(words: Words) -> Words:
        return Words(redact(words.en), redact(words.zh))

    return Plan(
        tuple(
            replace(each, path=redact(each.path), what=clean(each.what), keeps=clean(each.keeps))
            for each in planned.actions
        ),
        tuple(replace(each, path=redact(each.path), why=clean(each.why)) for each in planned.left),
    )


def paths_of(store: StoreFacts) -> StorePaths:
    return StorePaths(
        Path(store.dependencies), store.species, store.dna_llm, store.context_len, store.width
    )


def of_files(
    folder: DependenciesFacts, chosen: Chosen, index: Path | None, move_here: bool
) -> Plan:
    """What can be mended without computing rows, in the order in which it is to be done.

    index: the one that the user says the rows are of. move_here: whether stores in a folder below
    are to be moved to where CpGPT looks. Raises InputError where the index is none.
    """
    stores = [each for each in folder.stores if chosen.has(each.store)]
    if index is not None and len(stores) != 1:
        raise InputError(
            f"--index {index}: which of the {len(stores)} stores of {folder.folder} is meant? Name"
            " it with --species, --dna-llm and --context-len"
        )
    actions: list[Action] = []
    left: list[Left] = []
    for seen in stores:
        if seen.store.damage is not None:
            left.append(Left("CPG509", seen.store.database, LOST))
            continue
        for each in of_a_store(seen, index):
            if isinstance(each, Action):
                actions.append(each)
            else:
                left.append(each)
    for elsewhere in folder.elsewhere:
        moved = hidden(folder, elsewhere, move_here)
        if isinstance(moved, Action):
            actions.append(moved)
        elif moved is not None:
            left.append(moved)
    return Plan(tuple(actions), tuple(left))


def of_a_store(seen: StoreSeen, index: Path | None) -> Iterator[Action | Left]:
    store = seen.store
    if store.unfinished is not None:
        yield unfinished(seen)
    fitting = adopted_index(seen, index)
    if fitting is not None:
        yield fitting
    elif any(
        dependencies.whose(seen, each) == "either" for each in dependencies.contradicting(seen)
    ):
        yield Left("CPG519", store.rows, EITHER)
    elif store.unnamed is not None:
        yield unnamed(seen)
    elif store.unfinished is None:
        misfit = a_row_each(seen)
        if misfit is not None:
            yield misfit
    if store.checkpoint is not None:
        yield checkpoint(store)


# CPG519, CPG520: the index that fits


def adopted_index(seen: StoreSeen, index: Path | None) -> Action | None:
    """Adopt the index that the rows are of: found near by, or named by the user."""
    store = seen.store
    paths = paths_of(store)
    if index is not None:
        other, named = index, len(checked_index(index, paths))
    else:
        fits = dependencies.fitting(seen)
        if fits is None:
            return None
        other, named = Path(fits.path), fits.named
    own = store.index.named if store.index else 0
    foreign = index is not None or dependencies.named_by_all(seen) is None
    return adopted(paths, other, own, named, "CPG519" if foreign else "CPG520")


def adopted(
    paths: StorePaths, other: Path, own: int, named: int | None = None, code: str = "CPG519"
) -> Action:
    """Adopt an index; own: how many locations the store's names now; named: how many it names."""
    count = len(checked_index(other, paths)) if named is None else named
    return Action(
        code,
        str(paths.rows),
        Words(
            f"adopt {other}: its {count:,} locations become the index of these rows, instead of"
            f" {own:,}; no row is read or written",
            f"采用 {other}：其中的 {count:,} 个位点成为这些嵌入的索引（原来是 {own:,} 个）；"
            "不读写任何一行嵌入",
        ),
        Words("the old index, whole", "原来的索引，完整保留"),
        3 * max(size_of(paths.database), size_of(other)),
        partial(adopt, paths=paths, index=other, own=own),
    )


def checked_index(index: Path, paths: StorePaths) -> changes.Table:
    """The table of an index that names a row each, all of which the file has."""
    if not index.exists():
        raise InputError(f"{index}: no such file")
    table = changes.read_table(index, paths)
    seen = layout.shape(table)
    if not table:
        raise InputError(
            f"{index}: names no row of {paths.species}, {paths.dna_llm}, {paths.context_len}"
        )
    if seen.shared or seen.outside:
        raise InputError(f"{index}: its {len(table)} locations do not have a row each")
    have = layout.size(paths) or 0
    if paths.width is None or have < len(table) * paths.row_bytes:
        there = f"{have // paths.row_bytes} rows" if paths.width else "rows of a width not known"
        raise InputError(
            f"{index}: names {len(table)} rows, and {paths.rows} has {there}; it is not of these"
        )
    return table


def adopt(draft: Draft, *, paths: StorePaths, index: Path, own: int) -> None:
    table = checked_index(index, paths)
    if len(layout.named_rows(paths)) != own:  # by CpGPT, whose new rows would lose their names
        raise InputError(f"{paths.database}: was changed meanwhile; start again")
    changes.put_table(draft, paths, table, source=index)
    changes.put_record(draft, paths, table)


# CPG505, CPG515: what CpGPT has left behind


def unfinished(seen: StoreSeen) -> Action | Left:
    store = seen.store
    assert store.unfinished is not None
    paths, named = paths_of(store), store.index.named if store.index else 0
    if stores.is_a_copy(store):
        return Action(
            "CPG515",
            store.unfinished.path,
            Words(
                "set the unfinished copy aside; the whole file of rows stays as it is",
                "把未完成的副本移开；完整的嵌入文件保持不变",
            ),
            Words("the copy, whole", "这个副本，完整保留"),
            0,
            lambda draft: draft.move_away(paths.unfinished),
        )
    why = not_taken(paths, named, store)
    if why is not None:
        return Left("CPG505", store.unfinished.path, why)
    if store.size is None:
        return Action(
            "CPG505",
            store.unfinished.path,
            Words(
                f"give the unfinished file its name: it has all {named:,} rows that are named",
                f"给未完成的文件改回正式的名字：它有全部 {named:,} 行",
            ),
            Words(
                "every row; what it holds after them goes into the backup",
                "每一行；后面多出的内容移到备份里",
            ),
            0,
            partial(rename_unfinished, paths=paths, named=named),
        )
    have = store.size // paths.row_bytes
    return Action(
        "CPG505",
        store.unfinished.path,
        Words(
            f"take {named - have:,} rows out of the unfinished file and add them to the"
            f" {have:,} of the finished one",
            f"从未完成的文件里取出 {named - have:,} 行，接在已完成文件的 {have:,} 行之后",
        ),
        Words("every row, and the unfinished file", "每一行，以及未完成的文件"),
        2 * (named - have) * paths.row_bytes,
        partial(take_rows, paths=paths, named=named),
    )


def not_taken(paths: StorePaths, named: int, store: StoreFacts) -> Words | None:
    """Why the rows of an unfinished file cannot be taken over; None where they can."""
    assert store.unfinished is not None
    if paths.width is None:
        return WIDTH
    if not named or store.index is None or store.index.shared or store.index.outside:
        return Words(
            "no index says which locations its rows are of; call CpGPT (from 0.0.8 on) again with"
            " the same locations, which goes on from there",
            "没有索引说明这些行对应哪些位点；用同样的位点再次调用 CpGPT（0.0.8 及以后），"
            "它会接着计算",
        )
    have = store.unfinished.size // paths.row_bytes
    if have < named:
        return Words(
            f"it has {have:,} rows, and the index names {named:,}; put an older copy of the rows"
            " back",
            f"它只有 {have:,} 行，而索引里有 {named:,} 行；请放回较早的嵌入文件",
        )
    if store.size is not None and not continues(paths, store.size // paths.row_bytes):
        return Words(
            "it does not begin with the rows of the finished file, so nothing says whose rows it"
            " has; keep both, and let verify compare them",
            "它开头的行与已完成的文件不同，无法确定是谁的嵌入；两个都保留，用 verify 比较",
        )
    return None


def continues(paths: StorePaths, count: int) -> bool:
    """Whether the unfinished file begins with the rows of the finished one, or with zeros there, as
    CpGPT up to 0.0.3 leaves it."""
    with paths.rows.open("rb") as one, paths.unfinished.open("rb") as other:
        for _ in range(0, count, CHUNK_ROWS):
            left = min(count * paths.row_bytes - one.tell(), CHUNK_ROWS * paths.row_bytes)
            mine, theirs = one.read(left), other.read(left)
            if mine != theirs and theirs.count(0) != len(theirs):
                return False
    return True


def rename_unfinished(draft: Draft, *, paths: StorePaths, named: int) -> None:
    changes.check_writable(paths.unfinished, in_place=False)
    draft.rename(paths.unfinished, paths.rows)
    if layout.filled(paths.unfinished, paths.row_bytes) > named:
        changes.put_tail(draft, paths, named * paths.row_bytes, standing=paths.unfinished)
    changes.count(draft, paths, named, named)


def take_rows(draft: Draft, *, paths: StorePaths, named: int) -> None:
    whole = paths.rows.stat().st_size // paths.row_bytes * paths.row_bytes
    changes.put_tail(draft, paths, whole, (paths.unfinished, named * paths.row_bytes))
    draft.move_away(paths.unfinished)
    changes.count(draft, paths, named, named)


# CPG506: locations without a row of their own


def a_row_each(seen: StoreSeen) -> Action | Left | None:
    """Let each location that stays have a row of its own; None where all have."""
    store = seen.store
    if store.index is None or not store.index.named:
        return None
    paths = paths_of(store)
    shared = store.index.shared or store.index.outside
    missing = stores.rows_missing(store)
    if not shared and not missing:
        return None
    code, path = "CPG506", store.database if shared else store.rows
    if store.size is None or store.width is None:
        return Left(
            code,
            path,
            Words(
                "there is no file of rows; put it back from a copy, or download it again",
                "没有嵌入文件；请从备份放回，或者重新下载",
            )
            if store.size is None
            else WIDTH,
        )
    table = layout.named_rows(paths)
    have = store.size // paths.row_bytes
    owner = {row: location for location, row in table.items() if 0 <= row < have}
    out = [location for location, row in table.items() if owner.get(row) != location]
    renumbered = Words(
        "the last rows move into places that are free",
        "末尾的行移到空出的位置",
    )
    return taken_out(
        paths,
        code,
        table,
        out,
        Words(
            f"take {len(out):,} locations out of the index, which have no row of their own;"
            f" {renumbered.en}; run-embed computes them anew",
            f"把 {len(out):,} 个没有自己的行的位点从索引中移出；{renumbered.zh}；"
            "之后可以用 run-embed 重新计算",
        )
        if out
        else Words(
            f"give the {len(table):,} locations the first rows: {renumbered.en}",
            f"让 {len(table):,} 个位点使用最前面的行：{renumbered.zh}",
        ),
        path=path,
    )


def taken_out(
    paths: StorePaths,
    code: str,
    table: changes.Table,
    out: Sequence[str],
    what: Words,
    also: tuple[str, ...] = (),
    path: str | None = None,
) -> Action | Left:
    """Let locations leave the index, and the rows that stay be the first ones."""
    if len(out) == len(table):
        return Left(
            code,
            path or str(paths.rows),
            Words(
                f"all {len(table):,} rows are wrong and none can be computed here; put an older"
                " copy back, or embed into a new folder",
                f"全部 {len(table):,} 行都是错的，这里又无法计算；请放回较早的副本，"
                "或者在新目录里重新计算",
            ),
        )
    behind = max(table.values()) + 1 - (len(table) - len(out))
    return Action(
        code,
        path or str(paths.rows),
        what,
        Words(
            "the old index, the rows that change, and a list of the locations, taken-out.tsv",
            "原来的索引、有变动的行，以及移出位点的列表 taken-out.tsv",
        ),
        4 * max(0, behind) * paths.row_bytes + 3 * size_of(paths.database),
        partial(leave, paths=paths, table=table, out=frozenset(out)),
        also=also,
    )


def leave(draft: Draft, *, paths: StorePaths, table: changes.Table, out: frozenset[str]) -> None:
    if layout.named_rows(paths) != table:
        raise InputError(f"{paths.database}: was changed meanwhile; start again")
    changes.take_out(draft, paths, table, out)


# CPG508: rows in a folder below, where CpGPT does not look


def hidden(folder: DependenciesFacts, each: Elsewhere, move_here: bool) -> Action | Left | None:
    """Move a store from a folder below; None where its rows are those of a store here."""
    key = each.species, each.dna_llm, each.context_len
    here = StorePaths(Path(folder.folder), *key, layout.WIDTHS.get(each.dna_llm))
    there = StorePaths(Path(each.folder), *key, here.width)
    if here.rows.exists() and here.rows.samefile(there.rows):
        return None
    why = None
    if sum((x.species, x.dna_llm, x.context_len) == key for x in folder.elsewhere) > 1:
        why = Words(
            "several folders below have such rows: give CpGPT the one that you mean",
            "下级目录中有好几处这样的嵌入：请把要用的那个目录交给 CpGPT",
        )
    elif each.here or here.rows.exists():
        why = Words(
            "there are rows here, too: hold them against each other with verify --against",
            "这里也有嵌入：请用 verify --against 比较两者",
        )
    elif places.cache_of(there.rows) or places.cache_of(there.database):
        why = Words(
            "they lie in a cache that other programs share: run-embed --into takes them over",
            "它们在其他程序共用的缓存里：请用 run-embed --into 接管",
        )
    elif not move_here:
        why = Words(
            f"give CpGPT {each.folder}; or, if nothing uses that folder, --move-here moves rows and"
            " index here",
            f"请把 {each.folder} 交给 CpGPT；如果没有程序使用那个目录，"
            "可以加 --move-here 把嵌入和索引移到这里",
        )
    if why is not None:
        return Left("CPG508", folder.folder, why)
    return Action(
        "CPG508",
        folder.folder,
        Words(
            f"move the {each.named:,} rows in {each.folder}, and their index, to where CpGPT looks",
            f"把 {each.folder} 中的 {each.named:,} 行嵌入连同索引移到 CpGPT 查找的地方",
        ),
        Words("every row, and both indexes as they were", "每一行，以及两个索引原来的样子"),
        3 * (size_of(here.database) + size_of(there.database)),
        partial(move, here=here, there=there),
    )


def move(draft: Draft, *, here: StorePaths, there: StorePaths) -> None:
    changes.check_writable(there.rows, in_place=False)
    table = layout.named_rows(there)
    draft.rename(there.rows, here.rows)
    if record.record_path(there).exists():
        draft.rename(record.record_path(there), record.record_path(here))
    changes.put_table(draft, here, table, source=there.database)
    changes.put_table(draft, there, {}, counted=False)


# CPG520, CPG510


def unnamed(seen: StoreSeen) -> Action | Left:
    store = seen.store
    assert store.unnamed is not None
    paths, named = paths_of(store), store.index.named if store.index else 0
    over = max(0, (seen.filled or 0) - named)
    return Action(
        "CPG520",
        store.rows,
        Words(
            f"set {over:,} rows that nobody names aside; the {named:,} named ones stay as they are",
            f"把 {over:,} 行没有命名的嵌入移开；已命名的 {named:,} 行保持不变",
        ),
        Words("the rows that are set aside, in the backup", "移开的行，保存在备份里"),
        (store.size or 0) - named * paths.row_bytes if named else 0,
        partial(set_aside_unnamed, paths=paths),
    )


def set_aside_unnamed(draft: Draft, *, paths: StorePaths) -> None:
    named = len(layout.named_rows(paths))
    if not named:
        changes.check_writable(paths.rows.parent, in_place=False)
        draft.move_away(paths.rows)
    else:
        changes.put_tail(draft, paths, named * paths.row_bytes)
    changes.count(draft, paths, named, named)


def checkpoint(store: StoreFacts) -> Action:
    paths = paths_of(store)
    return Action(
        "CPG510",
        str(paths.checkpoint),
        Words(
            "set the old checkpoint aside, so that CpGPT drops no row",
            "把旧的检查点移开，这样 CpGPT 不会丢掉任何一行",
        ),
        Words("the checkpoint", "这个检查点"),
        0,
        lambda draft: draft.move_away(paths.checkpoint),
    )


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
