"""Reads users' scripts, notebooks and configs without running them, and edits them in place.

`project.read` says what stands in them, as facts; what is right or wrong there, the rules say.
"""
