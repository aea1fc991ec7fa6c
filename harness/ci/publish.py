"""On the main branch: what is new is scored, on the public challenge and on the private one.

Only this counts. The submissions are read from the main branch's commit; new cards are written
beside the old ones, which never change. The public sees only the public part of cards of a private
challenge. The output of a run on private data is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from harness.board.decisions import read_decisions
from harness.board.index import CardIndex
from harness.board.public import public_part
from harness.board.teams import Teams
from harness.card.files import read_card, write_card
from harness.challenge import is_name, utc
from harness.ci.documents import Scoring, Summary
from harness.ci.folders import SUBMISSIONS
from harness.ci.following import follow_main
from harness.ci.git import Repository
from harness.ci.history import BoardFolder
from harness.ci.intake import ScoringSettings, SubmittedFiles, prepare, read_tree, score_requests
from harness.ci.ledger import Attempt, add_attempts, failed_before, n_counted, read_attempts
from harness.ci.private import PrivatePlace, open_contest, open_results
from harness.ci.process import ScoringRequest
from harness.ci.queue import find_card, not_run
from harness.ci.session import BoardWork, open_session
from harness.errors import EnvironmentFaultError, ExitCode


def publish(
    work: BoardWork, commit: str, settings: ScoringSettings, *, private: PrivatePlace | None = None
) -> list[Summary]:
    """Score what is new in a commit of the main branch, and publish cards and pages.

    Parameters
    ----------
    settings : ScoringSettings
        Of the public challenge; its `results` are those of the board.
    private : PrivatePlace, optional
        A private challenge that is scored as well.

    Returns
    -------
    list of Summary
        Of the public challenge, then of the private one.
    """
    with open_session(work) as clone:
        head = clone.resolve(commit)
        handed = read_branch(clone, head)
        follow_main(clone, head, work.board.results, settings.rules.name)
        summaries = [publish_public(handed, settings)]
        if private is not None:
            with _private_settings(private, settings) as own:
                follow_main(clone, head, work.board.results, own.rules.name)
                summaries.append(publish_private(handed, own, work.board))
    return summaries


@contextmanager
def _private_settings(place: PrivatePlace, settings: ScoringSettings) -> Iterator[ScoringSettings]:
    """Give the settings of a private challenge: its rules, its manifest and its results."""
    with (
        open_contest(place.manifest, place.challenge, None) as contest,
        open_results(place.results) as results,
    ):
        manifests = (*settings.manifests, contest.manifest)
        yield replace(settings, rules=contest.rules, manifests=manifests, results=results)


def published_exit_code(summaries: Sequence[Summary]) -> int:
    """Report a fault of the platform; a submission that failed is no fault of the board."""
    faults = [one for made in summaries for one in made.scorings if one.is_fault_of_platform]
    return ExitCode.ENVIRONMENT if faults else ExitCode.SCORED


def read_branch(repository: Repository, commit: str) -> list[SubmittedFiles]:
    """Read every submission of a commit, and when the main branch received it.

    Raises
    ------
    EnvironmentFaultError
        The clone is shallow: it does not know when.
    """
    if repository.text("rev-parse", "--is-shallow-repository") == "true":
        raise EnvironmentFaultError(
            "the clone is shallow, so it does not know when submissions were received",
            where=str(repository.folder),
            fix="git fetch --unshallow; in a workflow: fetch-depth: 0",
        )
    handed = []
    for entry in repository.entries(f"{commit}:{SUBMISSIONS}"):
        if not (entry.is_folder and is_name(entry.path)):
            continue
        _, seconds = repository.commit_times(commit, f"{SUBMISSIONS}/{entry.path}")[0]
        received = utc(datetime.fromtimestamp(seconds, UTC))
        handed.append(read_tree(repository, entry.path, entry.object, received=received))
    return handed


def publish_public(
    handed: Sequence[SubmittedFiles], settings: ScoringSettings, *, now: datetime | None = None
) -> Summary:
    """Score what is new on the public challenge; cards go below ``settings.results``."""
    return _publish(handed, settings, now or datetime.now(UTC))


def publish_private(
    handed: Sequence[SubmittedFiles],
    settings: ScoringSettings,
    board: BoardFolder,
    *,
    now: datetime | None = None,
) -> Summary:
    """Score what is new on the private challenge.

    Parameters
    ----------
    settings : ScoringSettings
        Its `results` are the organiser's.
    board : BoardFolder
        Where the public parts of the cards go.

    Returns
    -------
    Summary
        Without any text that a run printed.
    """
    quota = settings.rules.intake.max_private_per_day
    teams = Teams.of(read_decisions(board.results, settings.rules.name))
    summary = _publish(handed, settings, now or datetime.now(UTC), quota=quota, teams=teams)
    for scoring in summary.scorings:
        if scoring.status == "scored" and scoring.card is not None:
            path = settings.results / scoring.challenge / f"{scoring.card}.json"
            write_card(public_part(read_card(path)), board.results)
    silent = tuple(one.model_copy(update={"message": ""}) for one in summary.scorings)
    return summary.model_copy(update={"scorings": silent})


def _publish(
    handed: Sequence[SubmittedFiles],
    settings: ScoringSettings,
    now: datetime,
    *,
    quota: int | None = None,
    teams: Teams | None = None,
) -> Summary:
    challenge = settings.rules.name
    attempts = read_attempts(settings.results, challenge)
    prepared = [_unless_failed(prepare(one, settings), attempts, settings) for one in handed]
    if quota is not None:
        counts = {one.team: n_counted(attempts, one.team, now, teams or Teams()) for one in handed}
        spent = {team for team, n_scored in counts.items() if n_scored >= quota}
        prepared = _within_quota(prepared, spent, settings)
    requests = [one for one in prepared if isinstance(one, ScoringRequest)]
    decided = [one for one in prepared if isinstance(one, Scoring)]
    scored = score_requests(requests, settings)
    add_attempts(settings.results, challenge, scored, now)
    scorings = tuple(sorted((*decided, *scored), key=lambda one: one.team))
    return Summary(challenge=challenge, plan=None, scorings=scorings)


def _unless_failed(
    request: ScoringRequest | Scoring, attempts: Sequence[Attempt], settings: ScoringSettings
) -> ScoringRequest | Scoring:
    """Return the request, or the failure of files that this scorer has rejected before."""
    if isinstance(request, Scoring) or settings.is_forced:
        return request
    before = failed_before(attempts, request.team, request.digest)
    if before is None:
        return request
    message = "these files failed before, by the same scorer: see attempts.jsonl"
    return not_run(request, "failed", message, exit_code=before.exit_code)


def _within_quota(
    prepared: Sequence[ScoringRequest | Scoring], spent: Collection[str], settings: ScoringSettings
) -> list[ScoringRequest | Scoring]:
    """Let the teams in `spent` wait; files that have a card already cost nothing."""
    index = CardIndex(settings.results, is_private=True).refresh()
    there = index.entries.get(settings.rules.name, ())
    message = "the team has used up its scorings of today: a run after midnight UTC scores this"
    return [
        not_run(one, "waiting", message)
        if isinstance(one, ScoringRequest) and one.team in spent and find_card(there, one) is None
        else one
        for one in prepared
    ]
