"""Code that runs in the patient's interpreter.

The patient is the Python environment that runs CpGPT. The doctor is usually not installed there,
so these modules need the standard library and what they inspect (torch, CpGPT, pyfaidx,
transformers, numpy), and nothing else of this package. `boot.py` is how they are started.
"""
