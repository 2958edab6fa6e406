"""Rules: pure functions from Facts to checks. No I/O, no clock, no import of torch."""
