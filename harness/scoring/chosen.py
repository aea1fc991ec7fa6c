"""Which challenges a submission is scored on: those of its declaration, unless one is stated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.challenge import Challenge
from harness.data.manifest import Manifest, load_manifest
from harness.errors import InvalidSubmissionError, Problem, UsageError
from harness.submission.declaration import FILE_NAME, Spec
from harness.submission.validate import read_submission


def chosen_challenges(
    spec: Spec, manifest: Manifest, stated: str | None = None
) -> tuple[Challenge, ...]:
    """Return the challenge that is stated, or else those that a submission declares, in its order.

    Of a submission that declares none it is the default one.

    Raises
    ------
    UsageError
        There is no challenge of the name that is stated.
    InvalidSubmissionError
        The submission names challenges that are not there.
    """
    if stated is not None or not spec.challenges:
        return (manifest.challenge(stated),)
    if problems := tuple(unknown_challenges(spec, manifest)):
        raise InvalidSubmissionError(*problems)
    return tuple(manifest.challenge(name) for name in spec.challenges)


def unknown_challenges(spec: Spec, manifest: Manifest) -> Iterator[Problem]:
    """Say which challenges a submission names that are not there, and what may be meant."""
    for name in spec.challenges:
        try:
            manifest.challenge(name)
        except UsageError as error:
            (found,) = error.problems
            where = f"{FILE_NAME}, field challenges"
            yield Problem(what=found.what, where=where, expected=found.expected, fix=found.fix)


def challenges_of_folder(
    folder: Path, stated: str | None = None, manifests: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Return the names of the challenges that the submission in `folder` is scored on.

    Raises
    ------
    HarnessError
        The submission is not valid, or see `chosen_challenges`.
    """
    spec = read_submission(folder).spec
    return tuple(one.name for one in chosen_challenges(spec, load_manifest(*manifests), stated))
