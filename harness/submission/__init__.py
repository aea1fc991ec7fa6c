"""Submissions: read, checked without running them, exported and scored."""

from harness.submission.validate import Submission, read_submission

__all__ = ["Submission", "read_submission"]
