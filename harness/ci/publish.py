"""On the main branch: what is new is scored, on the public challenge and on the private one.

Only this counts. It reads the submissions from the main branch's commit, writes cards beside those
that are there, and never touches an old one. Of a private challenge the public sees the public part
of the cards; what a run on private data printed is seen by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from harness.board.public import public_part
from harness.card.files import read_card, write_card
from harness.challenge import utc
from harness.ci.documents import Scoring, Summary
from harness.ci.git import Repository
from harness.ci.history import BoardFolder
from harness.ci.intake import Handed, Settings, prepare, read_tree
from harness.ci.ledger import add_attempts, failed_before, n_counted, read_attempts
from harness.ci.plan import SUBMISSIONS, is_team
from harness.ci.process import Request
from harness.ci.queue import score_all
from harness.errors import EnvironmentFaultError, Problem


def read_branch(repository: Repository, commit: str) -> list[Handed]:
    """Read every submission of a commit, and when the main branch received it.

    Raises
    ------
    EnvironmentFaultError
        The clone is shallow: it does not know when.
    """
    if repository.text("rev-parse", "--is-shallow-repository") == "true":
        raise EnvironmentFaultError(
            Problem(
                what="the clone is shallow, so it does not know when submissions were received",
                where=str(repository.folder),
                fix="git fetch --unshallow; in a workflow: fetch-depth: 0",
            )
        )
    handed = []
    for entry in repository.entries(f"{commit}:{SUBMISSIONS}"):
        if entry.mode != "040000" or not is_team(entry.path):
            continue
        _, seconds = repository.commit_times(commit, f"{SUBMISSIONS}/{entry.path}")[0]
        received = utc(datetime.fromtimestamp(seconds, UTC))
        handed.append(read_tree(repository, entry.path, entry.object, received=received))
    return handed


def publish_public(
    handed: Sequence[Handed], settings: Settings, *, now: datetime | None = None
) -> Summary:
    """Score what is new on the public challenge; cards go below ``settings.results``."""
    return _publish(handed, settings, now or datetime.now(UTC), quota=None)


def publish_private(
    handed: Sequence[Handed],
    settings: Settings,
    board: BoardFolder,
    *,
    now: datetime | None = None,
) -> Summary:
    """Score what is new on the private challenge.

    Parameters
    ----------
    settings : Settings
        Its `results` are the organiser's.
    board : BoardFolder
        Where the public parts of the cards go.

    Returns
    -------
    Summary
        Without any text that a run printed.
    """
    quota = settings.rules.intake.max_private_per_day
    summary = _publish(handed, settings, now or datetime.now(UTC), quota=quota)
    for scoring in summary.scorings:
        if scoring.status == "scored" and scoring.card is not None:
            path = settings.results / scoring.challenge / f"{scoring.card}.json"
            write_card(public_part(read_card(path)), board.results)
    silent = tuple(one.model_copy(update={"message": ""}) for one in summary.scorings)
    return summary.model_copy(update={"scorings": silent})


def _publish(
    handed: Sequence[Handed], settings: Settings, now: datetime, *, quota: int | None
) -> Summary:
    challenge = settings.rules.name
    attempts = read_attempts(settings.results, challenge)
    counts = Counter({one.team: n_counted(attempts, one.team, now) for one in handed})
    decided: list[Scoring] = []
    requests: list[Request] = []
    for one in handed:
        request = prepare(one, settings)
        if isinstance(request, Scoring):
            decided.append(request)
        elif (before := failed_before(attempts, request.team, request.digest)) is not None and (
            not settings.is_forced
        ):
            decided.append(_failed_before(request, before.exit_code))
        else:
            requests.append(request)
    if quota is not None:
        known = {one.team for one in _known(requests, settings)}
        over = [one for one in requests if one.team not in known and counts[one.team] >= quota]
        decided += [_waiting(one) for one in over]
        requests = [one for one in requests if one not in over]
    scored = score_all(
        requests,
        settings.results,
        score=settings.score,
        jobs=settings.jobs,
        cluster=settings.cluster,
        is_forced=settings.is_forced,
        progress=settings.progress,
    )
    add_attempts(settings.results, challenge, scored, now)
    scorings = tuple(sorted((*decided, *scored), key=lambda one: one.team))
    return Summary(challenge=challenge, plan=None, scorings=scorings)


def _known(requests: Sequence[Request], settings: Settings) -> list[Request]:
    from harness.board.index import CardIndex
    from harness.ci.queue import find_card

    entries = CardIndex(settings.results, is_private=True).refresh().entries
    there = entries.get(settings.rules.name, ())
    return [one for one in requests if find_card(there, one) is not None]


def _failed_before(request: Request, exit_code: int) -> Scoring:
    return Scoring(
        team=request.team,
        challenge=request.challenge,
        digest=request.digest,
        status="failed",
        exit_code=exit_code,
        message="these files failed before, by the same scorer: see attempts.jsonl",
        attempts=0,
    )


def _waiting(request: Request) -> Scoring:
    return Scoring(
        team=request.team,
        challenge=request.challenge,
        digest=request.digest,
        status="waiting",
        message="the team's scorings of today are used up: scored by a run after midnight UTC",
        attempts=0,
    )
