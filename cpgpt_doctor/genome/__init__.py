"""The genome that windows are read from, and locations in it."""
