"""Cards made again after a fix of the harness, from kept scores or else from the submissions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from harness.board.decisions import read_decisions
from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.board.teams import Teams
from harness.card.files import CARD_SUFFIX, SCORES_SUFFIX, write_card
from harness.card.records import SCORER_VERSION
from harness.challenge import utc
from harness.ci.intake import ScoringSettings, SubmittedFiles, prepare, score_requests
from harness.ci.private import PrivatePlace
from harness.ci.process import ScoringRequest
from harness.ci.publish import read_branch
from harness.ci.secrecy import open_challenges, show_public_parts
from harness.ci.session import BoardWork, open_session
from harness.errors import DataError, ExitCode
from harness.scoring.audit import rescore_card

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
    work: BoardWork, commit: str, settings: ScoringSettings, *, private: PrivatePlace | None = None
) -> list[Redone]:
    """Make the cards of a board again, and its pages; `commit` holds the submissions.

    The challenges are those of `publish`, and so is what the board gets of them.
    """
    with open_session(work) as clone, open_challenges(settings, private) as challenges:
        handed = read_branch(clone, clone.resolve(commit))
        return [one for own in challenges for one in rescore_all(handed, own)]


def redone_exit_code(redone: Sequence[Redone]) -> int:
    """Report whether a card could not be made again."""
    is_failed = any(one.outcome == "failed" for one in redone)
    return ExitCode.ENVIRONMENT if is_failed else ExitCode.SCORED


def rescore_all(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Redone]:
    """Make the newest official card of each team again; old cards stay in the history.

    The oldest come first: where the budget ends, the next run goes on with those that wait.

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
    for team, entry in _newest_entries(settings).items():
        done = _from_scores(entry, settings)
        request = _request(entry, by_team.get(team), settings) if isinstance(done, str) else None
        if isinstance(done, Redone):
            redone.append(done)
        elif request is not None:
            again[entry.key] = request
        else:
            detail = f"{done}; and the files that it was scored from are not here"
            redone.append(_redone(entry.key, settings, "failed", detail))
    redone += _scored_again(again, settings)
    show_public_parts(settings, [one.made for one in redone])
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


def _newest_entries(settings: ScoringSettings) -> dict[str, Entry]:
    """Return the newest official card of each team, by its present name, the oldest card first."""
    challenge = settings.rules.name
    ours = CardIndex(settings.results, is_private=True).refresh().entries.get(challenge, ())
    teams = Teams.of(read_decisions(settings.public or settings.results, challenge))
    newest: dict[str, Entry] = {}
    for one in sorted(ours, key=lambda one: (one.card.created_at, one.key)):
        if one.card.is_official:
            team = teams.of_card(one.card).name
            newest.pop(team, None)
            newest[team] = one
    return newest


def _from_scores(entry: Entry, settings: ScoringSettings) -> Redone | str:
    """Make a card again from the scores beside it, or say why that is not possible."""
    if settings.deadline is not None and time.time() > settings.deadline:
        return _redone(entry.key, settings, "waiting", "the budget of the whole run is used up")
    path = settings.results / settings.rules.name / f"{entry.key}{CARD_SUFFIX}"
    try:
        made = rescore_card(path, manifests=settings.manifests)
    except DataError as error:
        return error.problems[0].what
    if not made.changes and entry.card.scorer_version == SCORER_VERSION:
        return _redone(entry.key, settings, "unchanged", made=entry.key)
    folder = path.with_suffix("")
    artefacts = sorted(folder.iterdir()) if folder.is_dir() else []
    scores = path.with_suffix(SCORES_SUFFIX).read_bytes()
    path = write_card(made.card, settings.results, scores=scores, artefacts=artefacts)
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
