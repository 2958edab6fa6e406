"""What culprits are, in both languages.

The patient's interpreter says it in English (`describe` in patient/anatomy.py), and facts keep it
so. Its sentences are of fixed forms around names and paths, which are recognised here.
"""

from __future__ import annotations

import re

from cpgpt_doctor.words import Words, same

LOCK = "线程锁，只存在于它自己的进程中"
WEAK = "弱引用：它指向本进程中的一个对象，又不使该对象存活"
RUNNING = "正在运行的代码的状态只存在于它自己的进程中"
VIEW = "字典的视图，pickle 不会发送它"
WHOLE = {
    "nested or linked too deep: the pickler follows it by recursion, which has a limit": (
        "嵌套或链接得太深：pickler 以递归方式逐层进入，而递归深度有上限"
    ),
    "a lock of multiprocessing for forked workers: make it with the context of the workers": (
        "multiprocessing 的锁，只供 fork 出的工作进程使用：请用工作进程所用的 context 创建它"
    ),
    "a tensor computed from others that require gradients: detach() it first": (
        "由需要梯度的张量计算得到的张量：请先对它调用 detach()"
    ),
    "a thread lock, which exists only in its own process": LOCK,
    "thread-local data, which belong to a thread of this process": (
        "线程局部数据，属于本进程的某个线程"
    ),
    "a generator: the state of code that runs exists only in its own process": (
        f"生成器：{RUNNING}"
    ),
    "a coroutine: the state of code that runs exists only in its own process": f"协程：{RUNNING}",
    "an asynchronous generator: the state of code that runs exists only in its own process": (
        f"异步生成器：{RUNNING}"
    ),
    "a stack frame: the state of code that runs exists only in its own process": f"栈帧：{RUNNING}",
    "a traceback, which holds stack frames: the state of code that runs exists only in its own"
    " process": f"traceback，其中含有栈帧：{RUNNING}",
    "a code object, which pickle does not send": "代码对象，pickle 不会发送它",
    "a variable of a closure, which pickle does not send": "闭包中的变量，pickle 不会发送它",
    "a read-only view of a dictionary, which pickle does not send": (
        "字典的只读视图，pickle 不会发送它"
    ),
    "a view of another object's memory, which exists only in this process": (
        "另一个对象的内存视图，只存在于本进程中"
    ),
    "a buffer for pickle's protocol 5, which DataLoader does not use": (
        "供 pickle 协议 5 使用的缓冲区，而 DataLoader 不使用该协议"
    ),
    "the match of a regular expression, which pickle does not send": (
        "正则表达式的匹配结果，pickle 不会发送它"
    ),
    "a view of a dictionary, which pickle does not send": VIEW,
    "a queue between threads, which exists only in its own process": (
        "线程之间的队列，只存在于它自己的进程中"
    ),
    "a memory map: its addresses belong to this process": "内存映射：它的地址属于本进程",
    "an open SQLite connection, which may not be carried to another process": (
        "已打开的 SQLite 连接，不能带到另一个进程"
    ),
    "a cursor of an open SQLite connection, which belongs to this process": (
        "已打开的 SQLite 连接的游标，属于本进程"
    ),
    "a weak reference, which means an object of this process and does not keep it alive": WEAK,
    "a context variable, whose value belongs to this process": "上下文变量，它的值属于本进程",
    "a context, which belongs to this process": "上下文，属于本进程",
}
FILES = {"an open file": "已打开的文件", "a closed file": "已关闭的文件", "a file": "文件"}
# A pattern of the English, and the Chinese around the names and paths in it; a group that is not
# there is empty.
FORMS = (
    (
        r"a lambda defined at (?P<place>.+?)(?: \(it holds (?P<holds>[^()]+)\))?"
        r": it has no name that a worker could import",
        "在 {place} 定义的 lambda{holds}：没有可供工作进程导入的名字",
    ),
    (
        r"a function defined inside another, at (?P<place>.+?)(?: \(it holds (?P<holds>[^()]+)\))?"
        r": no worker can import it",
        "定义在另一个函数内部的函数，位于 {place}{holds}：工作进程无法导入它",
    ),
    (
        r"a function defined at (?P<place>.+), which (?P<name>\S+) is not, or no longer",
        "在 {place} 定义的函数，而 {name} 这个名字并不指向它，或已不再指向它",
    ),
    (
        r"a class defined inside a function, (?P<name>.+): no worker can import it",
        "定义在函数内部的类 {name}：工作进程无法导入它",
    ),
    (
        r"a class that is not what (?P<name>.+) is, or no longer",
        "一个类，而 {name} 这个名字并不指向它，或已不再指向它",
    ),
    (
        r"the module (?P<name>.+): modules are imported, not sent",
        "模块 {name}：模块是导入的，不会被发送",
    ),
    (
        r"a ctypes object, (?P<name>.+): it holds an address of this process's memory",
        "ctypes 对象 {name}：它持有本进程内存中的地址",
    ),
    (
        r"an object of (?P<name>.+), whose pickling raises at (?P<place>.+)",
        "{name} 的对象，pickle 它时在 {place} 抛出异常",
    ),
    (
        r"an object of (?P<name>.+), whose __reduce__ gives what cannot be pickled",
        "{name} 的对象，它的 __reduce__ 给出了无法被 pickle 的内容",
    ),
    (
        r"an object of (?P<name>.+), which gives no way to pickle it",
        "{name} 的对象，它没有提供 pickle 的办法",
    ),
)
CACHED = "with a cache, "


def about(text: str) -> Words:
    """What a culprit is and why it cannot travel; a text of no known form stays as it is."""
    if text in WHOLE:
        return Words(text, WHOLE[text])
    if text.startswith(CACHED):
        return Words(text, f"带缓存的函数：{about(text.removeprefix(CACHED)).zh}")
    file = re.fullmatch(
        r"(an open file|a closed file|a file)(?:, (.*))?"
        r": its descriptor and position belong to this process",
        text,
        re.DOTALL,
    )
    if file:
        kind, name = FILES[file[1]], f" {file[2]}" if file[2] else ""
        return Words(text, f"{kind}{name}：文件描述符和读写位置属于本进程")
    for pattern, chinese in FORMS:
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match:
            parts = match.groupdict()
            if "holds" in parts:
                holds = (parts["holds"] or "").replace(", ", "、")
                parts["holds"] = f"（引用了 {holds}）" if holds else ""
            return Words(text, chinese.format(**parts))
    return same(text)
