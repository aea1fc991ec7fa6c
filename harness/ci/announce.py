"""The comment of a finished run: its artefact fetched, judged as hostile, and shown.

Run by a workflow that holds a token which may write comments, so it runs nothing and checks nothing
out of the pull request: it reads the event, asks the forge, and reads one archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.ci.artefact import MAX_ARCHIVE_BYTES, Artefact, only_teams, read_archive
from harness.ci.comment import MARKER, Rivals, comment_text, make_comment
from harness.ci.github import FinishedRun, Forge
from harness.ci.plan import SUBMISSIONS
from harness.errors import DataError

# The account in whose name a workflow's own token writes.
ROBOT = "github-actions[bot]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """What was done: `number` is the pull request's, `body` what its comment says now."""

    outcome: Literal["created", "updated", "nothing to do"]
    detail: str
    number: int | None = None
    body: str = ""


def announce(
    forge: Forge, run: FinishedRun, rivals: Rivals, *, artefact: str, author: str = ROBOT
) -> Announcement:
    """Write the comment of the pull request that `run` was of.

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
        return Announcement(outcome="nothing to do", detail="the run was not of a pull request")
    found = forge.pull_request_of(run)
    if found is None:
        detail = (
            "no open pull request has this commit as its head: it was pushed to or closed since"
        )
        return Announcement(outcome="nothing to do", detail=detail)
    teams = {
        parts[1]
        for path in forge.changed_files(found)
        if len(parts := path.split("/")) > 2 and parts[0] == SUBMISSIONS
    }
    if not teams:
        return Announcement(outcome="nothing to do", detail="it touches no submission")
    try:
        told = read_archive(forge.artefact(run, artefact, MAX_ARCHIVE_BYTES))
        body = _body(only_teams(told, teams), rivals)
    except DataError as error:
        body = (
            f"{MARKER}\n\n## Not shown\n\nWhat the run left behind can't be read: "
            f"{comment_text(error.problems[0].what)}."
        )
    outcome = forge.put_comment(found.number, body, marker=MARKER, author=author)
    return Announcement(outcome=outcome, detail="", number=found.number, body=body)


def _body(told: Artefact, rivals: Rivals) -> str:
    challenge = rivals.rulebook.challenge
    if challenge is not None and told.summary.challenge != challenge.name:
        raise DataError(f"it is of the challenge {told.summary.challenge}")
    return make_comment(told.summary, told.cards, rivals, remarks=told.remarks)
