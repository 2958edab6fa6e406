"""The commands: each has its arguments and its run in one file."""
