"""Cards made again after a fix of the harness, from kept scores or else from the submissions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from harness.board.contest import Rulebook
from harness.board.decisions import read_decisions
from harness.board.eligibility import is_valid
from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.card.files import CARD_SUFFIX, write_again
from harness.card.records import SCORER_VERSION
from harness.challenge import utc
from harness.ci.intake import ScoringSettings, SubmittedFiles, prepare, score_requests
from harness.ci.private import PrivatePlace
from harness.ci.process import ScoringRequest
from harness.ci.publish import declared_beside, read_handed, share_out
from harness.ci.secrecy import open_challenges, show_public_parts
from harness.ci.session import BoardWork, open_session
from harness.errors import DataError, ExitCode, HarnessError, attempt
from harness.scoring.audit import rescore_card
from harness.scoring.readiness import cannot_be_scored

Outcome: TypeAlias = Literal["unchanged", "rescored", "scored again", "waiting", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Redone:
    """What happened to the card of one team.

    Attributes
    ----------
    outcome : str
        ``unchanged``: the kept scores give it digit for digit. ``rescored``: from the kept
        scores. ``scored again``: the submission ran. ``waiting``: the budget was used up, the
        next run goes on with it. ``failed``: `detail` says why.
    made : str or None
        Name of the new card.
    """

    challenge: str
    card: str
    outcome: Outcome
    detail: str = ""
    made: str | None = None


def rescore_board(
    work: BoardWork,
    commit: str,
    settings: ScoringSettings,
    *,
    private: PrivatePlace | None = None,
    inbox: Path | None = None,
) -> list[Redone]:
    """Make the cards of a board again, and its pages; `commit` and `inbox` hold the submissions.

    The challenges are those of `publish`, and so is what the board gets of them.
    """
    with ExitStack() as stack:
        session = stack.enter_context(open_session(work))
        clone = session.clone
        settings = replace(settings, claims=session.claims, save=session.save)
        challenges = stack.enter_context(open_challenges(settings, private))
        handed = read_handed(work, clone, commit, inbox=inbox)
        if inbox is not None:
            # Teams may have handed in both ways; a shared folder needs no git.
            merged = attempt(partial(read_handed, work, clone, commit, inbox=None))
            handed += [] if isinstance(merged, HarnessError) else merged
        others = declared_beside(share_out(handed, settings), settings)
        every = (*challenges, *(own for own in others if not cannot_be_scored(own.rules)))
        return [one for own in every for one in rescore_all(handed, own)]


def redone_exit_code(redone: Sequence[Redone]) -> int:
    """Report whether a card could not be made again."""
    is_failed = any(one.outcome == "failed" for one in redone)
    return ExitCode.ENVIRONMENT if is_failed else ExitCode.SCORED


def rescore_all(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Redone]:
    """Make the official cards of each team again; old cards stay in the history.

    Of equal files the newest card is made again. The oldest come first: where the budget ends, the
    next run goes on with those that wait.

    Parameters
    ----------
    handed : sequence of SubmittedFiles
        Submissions that can run again where no scores were kept.
    settings : ScoringSettings
        Challenge, results and how to score.
    """
    by_team = {one.team: one for one in handed}
    redone: list[Redone] = []
    again: dict[str, ScoringRequest] = {}
    for one in _to_redo(settings):
        entry = one.entry
        done = attempt(partial(_from_scores, entry, settings))
        if isinstance(done, HarnessError) and not isinstance(done, DataError):
            done = _redone(entry.key, settings, "failed", str(done))
        if isinstance(done, Redone):
            redone.append(done)
        elif (request := _request(entry, by_team.get(one.team), settings)) is not None:
            again[entry.key] = request
        elif one.is_needed:
            reason = done.problems[0].what
            detail = f"{reason}; and the files that it was scored from are not here"
            redone.append(_redone(entry.key, settings, "failed", detail))
    redone += _scored_again(again, settings)
    unshown = show_public_parts(settings, [one.made for one in redone])
    redone = [
        replace(one, outcome="failed", detail=unshown[one.made].problems[0].what)
        if one.made in unshown
        else one
        for one in redone
    ]
    return sorted(redone, key=lambda one: one.card)


def _scored_again(again: Mapping[str, ScoringRequest], settings: ScoringSettings) -> list[Redone]:
    """Run submissions again, by the names of the cards that they replace."""
    outcomes: Mapping[str, Outcome] = {"scored": "scored again", "waiting": "waiting"}
    scored = score_requests(list(again.values()), replace(settings, is_forced=True))
    return [
        _redone(key, settings, outcomes.get(one.status, "failed"), one.message, made=one.card)
        for key, one in zip(again, scored, strict=True)
    ]


def _redone(
    card: str,
    settings: ScoringSettings,
    outcome: Outcome,
    detail: str = "",
    *,
    made: str | None = None,
) -> Redone:
    # Who reads the log of a run may learn nothing of what is kept secret.
    told = detail if settings.public is None else ""
    return Redone(challenge=settings.rules.name, card=card, outcome=outcome, detail=told, made=made)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ToRedo:
    """A card that is made again.

    Attributes
    ----------
    team : str
        Its present name.
    is_needed : bool
        The card counts, or would if it were not late or taken back: it must not be left out.
    """

    entry: Entry
    team: str
    is_needed: bool


def _to_redo(settings: ScoringSettings) -> list[_ToRedo]:
    """Choose the newest official card of each submission, the oldest first.

    Another card than the team's last one may count, and which one does can change by a decision.
    """
    challenge = settings.rules.name
    ours = CardIndex(settings.results, is_private=True).refresh().entries.get(challenge, ())
    official = [one for one in ours if one.card.is_official]
    if not official:
        return []
    rules = Rulebook(
        challenge=settings.rules,
        decisions=read_decisions(settings.results, challenge),
        is_private=True,
    )
    contest = rules.contest_of(official)
    newest: dict[tuple[str, str], Entry] = {}
    last: dict[tuple[str, bool], Entry] = {}
    # Of two cards of one second, the one with the higher number is the later.
    for one in sorted(official, key=lambda one: (one.card.received_at, one.card.order)):
        team = contest.team_of(one)
        newest[team, one.card.submission.digest] = one
        last[team, False] = one
        last |= {(team, True): one} if is_valid(one, contest) else {}
    needed = {one.key for one in last.values()}
    chosen = sorted(newest.items(), key=lambda item: (item[1].card.created_at, item[1].key))
    return [_ToRedo(entry=one, team=team, is_needed=one.key in needed) for (team, _), one in chosen]


def _from_scores(entry: Entry, settings: ScoringSettings) -> Redone:
    """Make a card again from the scores beside it.

    Raises
    ------
    DataError
        That is not possible: the submission must run again.
    """
    if settings.deadline is not None and time.time() > settings.deadline:
        return _redone(entry.key, settings, "waiting", "the budget of the whole run is used up")
    path = settings.results / settings.rules.name / f"{entry.key}{CARD_SUFFIX}"
    made = rescore_card(path, manifests=settings.manifests)
    if not made.changes and entry.card.scorer_version == SCORER_VERSION:
        return _redone(entry.key, settings, "unchanged", made=entry.key)
    path = write_again(made.card, path, settings.results)
    key = f"{entry.card.submission.team}/{path.name.removesuffix(CARD_SUFFIX)}"
    detail = f"{len(made.changes)} figures changed"
    return _redone(entry.key, settings, "rescored", detail, made=key)


def _request(
    entry: Entry, handed: SubmittedFiles | None, settings: ScoringSettings
) -> ScoringRequest | None:
    if handed is None:
        return None
    received = utc(entry.card.received_at)
    request = prepare(replace(handed, received=received), settings)
    if not isinstance(request, ScoringRequest) or request.digest != entry.card.submission.digest:
        return None
    return request
