"""CpGPT's embedding store: its format, read and committed by us, and our record beside it."""
