"""Submissions: read, checked without running them, exported and scored.

Nothing is imported here: a step in a sandbox loads only what it runs.
"""
