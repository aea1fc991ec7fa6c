"""A submission that was read: its declaration, its files and their digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import InvalidSubmissionError, UsageError
from harness.submission.declaration import Precision, Spec, read_spec
from harness.submission.digest import folder_digest, scan, stage
from harness.submission.validate import missing_folder, validate

__all__ = ["Precision", "Spec", "Submission", "read_submission"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A submission without static faults.

    Attributes
    ----------
    folder : Path
        Where it lies.
    spec : Spec
        Its `submission.yaml`.
    files : tuple of PurePosixPath
        The files that count.
    digest : str
        ``sha256:`` of these files.
    """

    folder: Path
    spec: Spec
    files: tuple[PurePosixPath, ...]
    digest: str

    def stage(self, parent: Path) -> Path:
        """Copy the files that count below `parent`, for a sandbox to see; return the folder.

        Raises
        ------
        InvalidSubmissionError
            The files changed since they were read.
        """
        return stage(self.folder, self.files, parent / self.spec.team, self.digest)


def read_submission(folder: Path) -> Submission:
    """Read a submission; all that is statically wrong is raised at once.

    Raises
    ------
    UsageError
        There is no such folder.
    InvalidSubmissionError
        `validate` finds problems.
    """
    if problem := missing_folder(folder):
        raise UsageError(problem)
    problems = validate(folder)
    spec, _ = read_spec(folder)
    if problems or spec is None:
        raise InvalidSubmissionError(*problems)
    files = scan(folder).files
    return Submission(folder=folder, spec=spec, files=files, digest=folder_digest(folder, files))
