"""On the main branch: what is new is scored, on the public challenge and on the private one.

Only this counts. The submissions are read from the main branch's commit; new cards are written
beside the old ones, which never change. Of a challenge that keeps something secret the public sees
the public parts of cards alone, and the output of its runs is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.board.decisions import read_decisions
from harness.board.index import CardIndex
from harness.board.teams import Teams
from harness.card.source import SourceCommit
from harness.challenge import is_name, utc
from harness.ci.documents import Scoring, Summary, failed
from harness.ci.folders import SUBMISSIONS
from harness.ci.following import follow_main
from harness.ci.git import Repository
from harness.ci.intake import (
    ScoringSettings,
    SubmittedFiles,
    challenges_of,
    prepare,
    read_tree,
    receive_folder,
    score_requests,
)
from harness.ci.ledger import (
    MAX_FAULTS,
    Attempt,
    add_attempts,
    attempts_at,
    n_counted,
    read_attempts,
)
from harness.ci.private import PrivatePlace
from harness.ci.process import ScoringRequest
from harness.ci.queue import find_card, not_run
from harness.ci.secrecy import open_challenges, show_public_parts
from harness.ci.session import BoardWork, open_session
from harness.errors import EnvironmentFaultError, ExitCode
from harness.scoring.readiness import cannot_be_scored


def publish(
    work: BoardWork,
    commit: str,
    settings: ScoringSettings,
    *,
    private: PrivatePlace | None = None,
    inbox: Path | None = None,
) -> list[Summary]:
    """Score what is new in a commit of the main branch, and publish cards and pages.

    Parameters
    ----------
    settings : ScoringSettings
        Of the public challenge; its `results` are those of the board.
    private : PrivatePlace, optional
        Where whole cards are kept that the public may not see; a private challenge.
    inbox : Path, optional
        A shared folder of submissions, in place of the commit.

    Returns
    -------
    list of Summary
        Of the public challenge, of the private one, then of the others that submissions declare.
    """
    with ExitStack() as stack:
        session = stack.enter_context(open_session(work))
        clone = session.clone
        settings = replace(settings, claims=session.claims, save=session.save)
        challenges = stack.enter_context(open_challenges(settings, private))
        head = None if inbox else clone.resolve(commit)
        handed = read_handed(work, clone, commit, inbox=inbox)
        shares = share_out(handed, settings)
        summaries = []
        for own in challenges:
            _follow(clone, head, own)
            # A private challenge is everybody's.
            summaries.append(publish_challenge(shares.get(own.rules.name, handed), own))
        for own in declared_beside(shares, settings):
            _follow(clone, head, own)
            summaries.append(_publish_beside(shares[own.rules.name], own))
    return summaries


def read_handed(
    work: BoardWork, clone: Repository, commit: str, *, inbox: Path | None
) -> list[SubmittedFiles]:
    """Read the submissions of a commit of the main branch, or of a shared folder."""
    if inbox is None:
        return read_branch(clone, clone.resolve(commit))
    return receive_folder(inbox, work.board.results, progress=work.tell)


def _follow(clone: Repository, head: str | None, settings: ScoringSettings) -> None:
    """Write down which teams the main branch has changed; a shared folder has no history."""
    if head is not None:
        follow_main(clone, head, settings.decided, settings.rules.name)


def publish_declared(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Summary]:
    """Score what is new on the public challenges, each submission on those that it declares."""
    shares = share_out(handed, settings)
    main = publish_challenge(shares[settings.rules.name], settings)
    beside = declared_beside(shares, settings)
    return [main, *(_publish_beside(shares[own.rules.name], own) for own in beside)]


def share_out(
    handed: Sequence[SubmittedFiles], settings: ScoringSettings
) -> dict[str, list[SubmittedFiles]]:
    """Return the submissions of each challenge: that of the settings, and those declared."""
    shares: dict[str, list[SubmittedFiles]] = {settings.rules.name: []}
    for one in handed:
        for rules in challenges_of(one, settings):
            shares.setdefault(rules.name, []).append(one)
    return shares


def declared_beside(shares: Collection[str], settings: ScoringSettings) -> list[ScoringSettings]:
    """Return the settings of the declared challenges beside that of `settings`."""
    return [
        replace(settings, rules=settings.declared.challenge(name))
        for name in shares
        if settings.declared is not None and name != settings.rules.name
    ]


def _publish_beside(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> Summary:
    """Publish a challenge that teams declare; where it cannot be scored here, all of it waits."""
    reason = cannot_be_scored(settings.rules)
    if not reason:
        return publish_challenge(handed, settings)
    name = settings.rules.name
    waiting = (
        Scoring(team=one.team, challenge=name, status="waiting", attempts=0, message=reason)
        for one in handed
    )
    return Summary(challenge=name, plan=None, scorings=tuple(waiting))


def published_exit_code(summaries: Sequence[Summary]) -> int:
    """Report a fault of the platform; a submission that failed is no fault of the board."""
    faults = [one for made in summaries for one in made.scorings if one.is_fault_of_platform]
    return ExitCode.ENVIRONMENT if faults else ExitCode.SCORED


def read_branch(
    repository: Repository, commit: str, *, now: datetime | None = None
) -> list[SubmittedFiles]:
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
    times = receipts(repository.first_parents(commit), int((now or datetime.now(UTC)).timestamp()))
    page = repository.page()
    handed = []
    for entry in repository.entries(f"{commit}:{SUBMISSIONS}"):
        if not (entry.is_folder and is_name(entry.path)):
            continue
        merge, _ = repository.commit_times(commit, f"{SUBMISSIONS}/{entry.path}")[0]
        received = utc(datetime.fromtimestamp(times[merge], UTC))
        one = read_tree(repository, entry.path, entry.object, received=received)
        source = None if page is None else SourceCommit(repository=page, commit=merge)
        handed.append(replace(one, source=source))
    return handed


def receipts(history: Sequence[tuple[str, int]], now: int) -> dict[str, int]:
    """Return when the main branch received each commit, whatever the commit itself says.

    A commit that was pushed as it is, not merged by a forge, brings a date that its author chose.
    It was not received before the commits below it; one of the future is received now.

    Parameters
    ----------
    history : sequence of (str, int)
        Commits, newest first, with the times that they say [s since 1970].

    Examples
    --------
    >>> receipts([("d", 70), ("c", 9999), ("b", 3), ("a", 50)], now=100)
    {'a': 50, 'b': 50, 'c': 100, 'd': 70}
    """
    found, newest = {}, 0
    for commit, seconds in reversed(history):
        if seconds <= now:
            newest = max(newest, seconds)
        found[commit] = newest if seconds <= now else now
    return found


def publish_challenge(
    handed: Sequence[SubmittedFiles], settings: ScoringSettings, *, now: datetime | None = None
) -> Summary:
    """Score what is new on one challenge; cards go below ``settings.results``.

    Where whole cards are kept apart from the board, the board gets their public parts, a quota
    holds, and the summary has no text that a run printed.
    """
    now = now or datetime.now(UTC)
    challenge = settings.rules.name
    attempts = read_attempts(settings.results, challenge)
    prepared = [_unless_given_up(prepare(one, settings), attempts, settings) for one in handed]
    if settings.public is not None:
        prepared = _within_quota(prepared, _spent(handed, attempts, settings, now), settings)
    requests = [one for one in prepared if isinstance(one, ScoringRequest)]
    decided = [one for one in prepared if isinstance(one, Scoring)]
    scored = score_requests(requests, settings)
    add_attempts(settings.results, challenge, scored, now)
    scorings = sorted((*decided, *scored), key=lambda one: one.team)
    unshown = show_public_parts(settings, [one.card for one in scorings])
    if settings.public is not None:
        scorings = [one.model_copy(update={"message": ""}) for one in scorings]
    scorings = [failed(one, unshown[one.card]) if one.card in unshown else one for one in scorings]
    return Summary(challenge=challenge, plan=None, scorings=tuple(scorings))


def _spent(
    handed: Sequence[SubmittedFiles],
    attempts: Sequence[Attempt],
    settings: ScoringSettings,
    now: datetime,
) -> frozenset[str]:
    """Return the teams that have used up their scorings of today."""
    teams = Teams.of(read_decisions(settings.decided, settings.rules.name))
    quota = settings.rules.intake.max_private_per_day
    names = {one.team for one in handed}
    return frozenset(name for name in names if n_counted(attempts, name, now, teams) >= quota)


def _unless_given_up(
    request: ScoringRequest | Scoring, attempts: Sequence[Attempt], settings: ScoringSettings
) -> ScoringRequest | Scoring:
    """Return the request, or the failure of files that this scorer does not try any more."""
    if isinstance(request, Scoring) or settings.is_forced:
        return request
    before = attempts_at(attempts, request.team, request.digest)
    own = [one for one in before if one.status == "failed" and not one.is_fault_of_platform]
    if own:
        message = "these files failed before, by the same scorer: see attempts.jsonl"
        return not_run(request, "failed", message, exit_code=own[-1].exit_code)
    n_faults = sum(one.is_fault_of_platform for one in before)
    if n_faults < MAX_FAULTS or settings.is_retrying:
        return request
    message = (
        f"given up: the platform failed in {n_faults} runs. The submission is not to blame: mend "
        "the machine, then `harness ci publish --retry`"
    )
    return not_run(request, "failed", message, exit_code=before[-1].exit_code)


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
