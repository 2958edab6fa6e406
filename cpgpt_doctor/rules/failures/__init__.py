"""7xx: failures recognised in a log. Their findings come from their pages whole."""

from cpgpt_doctor.rules.failures.recognition import Explained, Sighting, Unknown, judge, recognise
from cpgpt_doctor.rules.failures.signs import FAILURES, WATCH

__all__ = ["FAILURES", "WATCH", "Explained", "Sighting", "Unknown", "judge", "recognise"]
