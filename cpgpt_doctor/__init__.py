"""cpgpt-doctor: examine an environment for CpGPT's DNA embedding, and run that embedding safely."""

__version__ = "0.1.0"
