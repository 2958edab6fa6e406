"""Look at the environment: the interpreter, packages, torch, CpGPT's embedder, workers' starts.

A module with `look` is a stage of an examination (`stages.py`); what it sees is plain data.
"""
