"""Cards made again after a fix of the harness, from kept scores or else from the submissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.board.teams import Teams
from harness.card.files import CARD_SUFFIX, SCORES_SUFFIX, write_card
from harness.card.records import SCORER_VERSION
from harness.challenge import utc
from harness.ci.intake import ScoringSettings, SubmittedFiles, prepare, score_requests
from harness.ci.process import ScoringRequest
from harness.ci.publish import read_branch
from harness.ci.session import BoardWork, open_session
from harness.errors import DataError, ExitCode
from harness.scoring.audit import rescore_card


@dataclass(frozen=True, kw_only=True, slots=True)
class Redone:
    """What happened to the card of one team.

    Attributes
    ----------
    outcome : str
        ``unchanged``: the kept scores give it digit for digit. ``rescored``: from the kept
        scores. ``scored again``: the submission ran. ``failed``: `detail` says why.
    """

    card: str
    outcome: Literal["unchanged", "rescored", "scored again", "failed"]
    detail: str = ""


def rescore_board(work: BoardWork, commit: str, settings: ScoringSettings) -> list[Redone]:
    """Make the cards of a board again, and its pages; `commit` holds the submissions."""
    with open_session(work) as clone:
        return rescore_all(read_branch(clone, clone.resolve(commit)), settings)


def redone_exit_code(redone: Sequence[Redone]) -> int:
    """Report whether a card could not be made again."""
    is_failed = any(one.outcome == "failed" for one in redone)
    return ExitCode.ENVIRONMENT if is_failed else ExitCode.SCORED


def rescore_all(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Redone]:
    """Make the newest official card of each team again; old cards stay in the history.

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
        if isinstance(done, Redone):
            redone.append(done)
            continue
        request = _request(entry, by_team.get(team), settings)
        if request is None:
            detail = f"{done}; and the files that it was scored from are not here"
            redone.append(Redone(card=entry.key, outcome="failed", detail=detail))
        else:
            again[entry.key] = request
    scored = score_requests(list(again.values()), replace(settings, is_forced=True))
    for key, scoring in zip(again, scored, strict=True):
        is_done = scoring.status == "scored"
        outcome: Literal["scored again", "failed"] = "scored again" if is_done else "failed"
        redone.append(Redone(card=key, outcome=outcome, detail=scoring.message))
    return sorted(redone, key=lambda one: one.card)


def _newest_entries(settings: ScoringSettings) -> dict[str, Entry]:
    """Return the newest official card of each team, by its present name."""
    snapshot = CardIndex(settings.results, is_private=True).refresh()
    ours = snapshot.entries.get(settings.rules.name, ())
    teams = Teams.of(snapshot.decisions_of(settings.rules.name))
    by_time = sorted(ours, key=lambda one: (one.card.created_at, one.key))
    return {teams.of_card(one.card).name: one for one in by_time if one.card.is_official}


def _from_scores(entry: Entry, settings: ScoringSettings) -> Redone | str:
    """Make a card again from the scores beside it, or say why that is not possible."""
    path = settings.results / settings.rules.name / f"{entry.key}{CARD_SUFFIX}"
    try:
        made = rescore_card(path, manifests=settings.manifests)
    except DataError as error:
        return error.problems[0].what
    if not made.changes and entry.card.scorer_version == SCORER_VERSION:
        return Redone(card=entry.key, outcome="unchanged")
    folder = path.with_suffix("")
    artefacts = sorted(folder.iterdir()) if folder.is_dir() else []
    scores = path.with_suffix(SCORES_SUFFIX).read_bytes()
    write_card(made.card, settings.results, scores=scores, artefacts=artefacts)
    detail = f"{len(made.changes)} figures changed"
    return Redone(card=entry.key, outcome="rescored", detail=detail)


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
