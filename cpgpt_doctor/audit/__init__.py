"""The audit of a finished store: rows computed again, and what those that differ are."""
