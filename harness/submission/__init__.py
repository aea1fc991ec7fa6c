"""What participants hand in: read, checked without running it, exported and scored."""

from harness.submission.validate import Submission, read_submission

__all__ = ["Submission", "read_submission"]
