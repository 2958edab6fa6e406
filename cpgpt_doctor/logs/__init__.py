"""Reads a traceback or a whole log, and says what it shows. It judges nothing (rules/failures).

`read(stream, watch)` streams a log of any length in bounded memory.
"""

from cpgpt_doctor.logs.cited import cited
from cpgpt_doctor.logs.lines import NoText
from cpgpt_doctor.logs.reader import alike, read
from cpgpt_doctor.logs.values import Failure, Frame, Log, Noted, Raised, Watch, Watched

__all__ = [
    "Failure",
    "Frame",
    "Log",
    "NoText",
    "Noted",
    "Raised",
    "Watch",
    "Watched",
    "alike",
    "cited",
    "read",
]
