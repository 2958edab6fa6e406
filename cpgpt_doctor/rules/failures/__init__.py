"""7xx: failures recognised in a log. Their findings come from their pages whole."""

from cpgpt_doctor.rules.failures.recognition import (
    WATCH,
    Explained,
    Sighting,
    Unknown,
    judge,
    recognise,
)
from cpgpt_doctor.rules.failures.signs import FAILURES

__all__ = ["FAILURES", "WATCH", "Explained", "Sighting", "Unknown", "judge", "recognise"]
