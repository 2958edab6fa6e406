"""What culprits are and why they cannot travel to a worker, in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpgpt_doctor.words import Words, same

if TYPE_CHECKING:
    from cpgpt_doctor.facts import Culprit

RUNNING = Words(
    "the state of code that runs exists only in its own process",
    "正在运行的代码的状态只存在于它自己的进程中",
)
DESCRIPTOR = Words(
    "its descriptor and position belong to this process",
    "文件描述符和读取位置属于本进程",
)
# Of each kind in patient/pickling/unpicklable.py; {name}, {place}, {holds}, {type} are filled in.
KINDS = {
    "open-file": Words(
        f"an open file{{name}}: {DESCRIPTOR.en}", f"已打开的文件{{name}}：{DESCRIPTOR.zh}"
    ),
    "closed-file": Words(
        f"a closed file{{name}}: {DESCRIPTOR.en}", f"已关闭的文件{{name}}：{DESCRIPTOR.zh}"
    ),
    "file": Words(f"a file: {DESCRIPTOR.en}", f"文件：{DESCRIPTOR.zh}"),
    "lambda": Words(
        "a lambda defined at {place}{holds}: it has no name that a worker could import",
        "在 {place} 定义的 lambda{holds}：没有可供工作进程导入的名字",
    ),
    "local-function": Words(
        "a function defined inside another, at {place}{holds}: no worker can import it",
        "定义在另一个函数内部的函数，位于 {place}{holds}：工作进程无法导入它",
    ),
    "renamed-function": Words(
        "a function defined at {place}, which {name} is not, or no longer",
        "在 {place} 定义的函数，而 {name} 这个名字并不指向它，或已不再指向它",
    ),
    "local-class": Words(
        "a class defined inside a function, {name}: no worker can import it",
        "定义在函数内部的类 {name}：工作进程无法导入它",
    ),
    "renamed-class": Words(
        "a class that is not what {name} is, or no longer",
        "一个类，而 {name} 这个名字并不指向它，或已不再指向它",
    ),
    "module": Words(
        "the module {name}: modules are imported, not sent",
        "模块 {name}：模块是导入的，不会被发送",
    ),
    "thread-lock": Words(
        "a thread lock, which exists only in its own process",
        "线程锁，只存在于它自己的进程中",
    ),
    "thread-local": Words(
        "thread-local data, which belong to a thread of this process",
        "线程局部数据，属于本进程的某个线程",
    ),
    "generator": Words(f"a generator: {RUNNING.en}", f"生成器：{RUNNING.zh}"),
    "coroutine": Words(f"a coroutine: {RUNNING.en}", f"协程：{RUNNING.zh}"),
    "async-generator": Words(
        f"an asynchronous generator: {RUNNING.en}",
        f"异步生成器：{RUNNING.zh}",
    ),
    "stack-frame": Words(f"a stack frame: {RUNNING.en}", f"栈帧：{RUNNING.zh}"),
    "traceback": Words(
        f"a traceback, which holds stack frames: {RUNNING.en}",
        f"traceback，其中含有栈帧：{RUNNING.zh}",
    ),
    "code-object": Words(
        "a code object, which pickle does not send",
        "代码对象，pickle 不会发送它",
    ),
    "closure-variable": Words(
        "a variable of a closure, which pickle does not send",
        "闭包中的变量，pickle 不会发送它",
    ),
    "read-only-dictionary": Words(
        "a read-only view of a dictionary, which pickle does not send",
        "字典的只读视图，pickle 不会发送它",
    ),
    "memory-view": Words(
        "a view of another object's memory, which exists only in this process",
        "另一个对象的内存视图，只存在于本进程中",
    ),
    "pickle-buffer": Words(
        "a buffer for pickle's protocol 5, which DataLoader does not use",
        "供 pickle 协议 5 使用的缓冲区，而 DataLoader 不使用该协议",
    ),
    "regex-match": Words(
        "the match of a regular expression, which pickle does not send",
        "正则表达式的匹配结果，pickle 不会发送它",
    ),
    "dictionary-view": Words(
        "a view of a dictionary, which pickle does not send",
        "字典的视图，pickle 不会发送它",
    ),
    "thread-queue": Words(
        "a queue between threads, which exists only in its own process",
        "线程之间的队列，只存在于它自己的进程中",
    ),
    "memory-map": Words(
        "a memory map: its addresses belong to this process",
        "内存映射：它的地址属于本进程",
    ),
    "sqlite-connection": Words(
        "an open SQLite connection, which may not be carried to another process",
        "已打开的 SQLite 连接，不能带到另一个进程",
    ),
    "sqlite-cursor": Words(
        "a cursor of an open SQLite connection, which belongs to this process",
        "已打开的 SQLite 连接的游标，属于本进程",
    ),
    "weak-reference": Words(
        "a weak reference: it points to an object of this process and does not keep it alive",
        "弱引用：它指向本进程中的一个对象，又不使该对象存活",
    ),
    "context-variable": Words(
        "a context variable, whose value belongs to this process",
        "上下文变量，它的值属于本进程",
    ),
    "context": Words("a context, which belongs to this process", "上下文，属于本进程"),
    "fork-only-lock": Words(
        "a lock of multiprocessing for forked workers: make it with the context of the workers",
        "multiprocessing 的锁，只供 fork 出的工作进程使用：请用工作进程所用的 context 创建它",
    ),
    "computed-tensor": Words(
        "a tensor computed from others that require gradients: detach() it first",
        "由需要梯度的张量计算得到的张量：请先对它调用 detach()",
    ),
    "ctypes-object": Words(
        "a ctypes object, {type}: it holds an address of this process's memory",
        "ctypes 对象 {type}：它持有本进程内存中的地址",
    ),
    "pickling-raises": Words(
        "an object of {type}, whose pickling raises at {place}",
        "{type} 的对象，序列化它时在 {place} 抛出异常",
    ),
    "reduce-unpicklable": Words(
        "an object of {type}, whose __reduce__ gives what cannot be pickled",
        "{type} 的对象，它的 __reduce__ 给出了无法序列化的内容",
    ),
    "not-picklable": Words(
        "an object of {type}, which gives no way to pickle it",
        "{type} 的对象，它没有提供序列化的办法",
    ),
    "too-deep": Words(
        "nested or linked too deep: the pickler follows it by recursion, which has a limit",
        "嵌套或链接得太深：pickler 以递归方式逐层进入，而递归深度有上限",
    ),
}
FILES = ("open-file", "closed-file")
CACHED = Words("with a cache, {}", "带缓存的函数：{}")
LATER = Words("an object of {type} ({kind})", "{type} 的对象（{kind}）")


def about(culprit: Culprit) -> Words:
    """What a culprit is and why it cannot travel.

    Facts of 0.1.0 say it themselves, in English: that stands as it is, in both languages. A kind
    that a later version knows stands as it is, too.
    """
    if not culprit.kind:
        return same(culprit.about)
    words = KINDS.get(culprit.kind, LATER)
    en = words.en.format(**parts(culprit, ", {}", " (it holds {})", ", "))
    zh = words.zh.format(**parts(culprit, " {}", "（引用了 {}）", "、"))
    return Words(CACHED.en.format(en), CACHED.zh.format(zh)) if culprit.cached else Words(en, zh)


def parts(culprit: Culprit, file: str, holds: str, between: str) -> dict[str, str]:
    """What is filled in; a file's name and a function's variables come with words around them."""
    name = culprit.name or ""
    if culprit.kind in FILES:
        name = file.format(name) if name else ""
    return {
        "kind": culprit.kind,
        "type": culprit.type,
        "name": name,
        "place": culprit.place or "?",
        "holds": holds.format(between.join(culprit.holds)) if culprit.holds else "",
    }
