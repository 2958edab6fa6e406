"""Errors that end a command with one line and a fixed exit code."""


class InputError(Exception):
    """The call or its input is wrong (exit 2). The text is one line: what, where and what to do."""


class DoctorError(Exception):
    """The doctor itself could not do its work (exit 3). The text is one line."""
