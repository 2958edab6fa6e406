"""Embed with CpGPT's own code: the worker of run-embed and verify, the measurements of bench."""
