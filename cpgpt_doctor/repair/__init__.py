"""Mend a store: actions, each with its backup, which can be killed and undone."""
