"""The comment of a finished run: its artefact is fetched, read as hostile, and shown.

A workflow runs this with a token that may write comments. So nothing of the pull request is run or
checked out: the code reads the event, asks the forge, and reads one archive.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.ci.artefact import MAX_ARCHIVE_BYTES, RunArtefact, only_teams, read_archive
from harness.ci.comment import MARKER, Rivals, comment_on, comment_text
from harness.ci.folders import SUBMISSIONS
from harness.ci.github import FinishedRun, Forge, read_event
from harness.errors import DataError, UsageError

# The account in whose name a workflow's own token writes.
ROBOT = "github-actions[bot]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """What was done: `number` is that of the pull request, `body` the text of its comment."""

    outcome: Literal["created", "updated", "nothing to do"]
    detail: str
    number: int | None = None
    body: str = ""

    def __str__(self) -> str:
        """Return one line for a log."""
        place = f" on #{self.number}" if self.number else ""
        return f"comment {self.outcome}{place}. {self.detail}".strip()


def post_comment(
    rivals: Rivals, *, artefact: str, event: Path | None, repository: str | None, api: str
) -> Announcement:
    """Write the comment of the run that a workflow's event is about; the token is GITHUB_TOKEN.

    Parameters
    ----------
    rivals, artefact
        See `announce`.
    event : Path or None
        File with the event.
    repository : str or None
        ``owner/name``.
    api : str
        Address of the forge's API.

    Raises
    ------
    UsageError
        Event, repository or token is missing.
    """
    token = os.environ.get("GITHUB_TOKEN")
    if event is None or not repository or not token:
        raise UsageError(
            "--post needs the event, the repository and a token",
            expected="GITHUB_EVENT_PATH, GITHUB_REPOSITORY and GITHUB_TOKEN, as workflows have",
        )
    forge = Forge(repository=repository, token=token, api=api.rstrip("/"))
    return announce(forge, read_event(event), rivals, artefact=artefact)


def announce(
    forge: Forge, run: FinishedRun, rivals: Rivals, *, artefact: str, author: str = ROBOT
) -> Announcement:
    """Write the comment of the pull request that a run belongs to.

    Parameters
    ----------
    forge : Forge
        Asked for the pull request, its files and the artefact.
    run : FinishedRun
        From the event, never from the artefact.
    rivals : Rivals
        What the cards are compared with.
    artefact : str
        Name of what the run left.
    """
    if run.event != "pull_request":
        return _nothing("the run was not of a pull request")
    found = forge.pull_request_of(run)
    if found is None:
        return _nothing(
            "no open pull request has this commit as its head: it was pushed to or closed since"
        )
    teams = {
        parts[1]
        for path in forge.changed_files(found)
        if len(parts := path.split("/")) > 2 and parts[0] == SUBMISSIONS
    }
    if not teams:
        return _nothing("it touches no submission")
    try:
        left = read_archive(forge.artefact(run, artefact, MAX_ARCHIVE_BYTES))
        body = _body(only_teams(left, teams), rivals)
    except DataError as error:
        body = (
            f"{MARKER}\n\n## Not shown\n\nWhat the run left behind cannot be read: "
            f"{comment_text(error.problems[0].what)}."
        )
    outcome = forge.put_comment(found.number, body, marker=MARKER, author=author)
    return Announcement(outcome=outcome, detail="", number=found.number, body=body)


def _nothing(detail: str) -> Announcement:
    return Announcement(outcome="nothing to do", detail=detail)


def _body(left: RunArtefact, rivals: Rivals) -> str:
    challenge = rivals.rulebook.challenge
    if challenge is not None and left.summary.challenge != challenge.name:
        raise DataError(f"it is of the challenge {left.summary.challenge}")
    return comment_on(left, rivals)
