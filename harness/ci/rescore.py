"""All cards made anew after a fix of the harness, from kept scores or else from the submissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.card.files import CARD_SUFFIX, SCORES_SUFFIX, write_card
from harness.card.records import SCORER_VERSION
from harness.ci.intake import ScoringSettings, SubmittedFiles, prepare, score_requests
from harness.ci.process import ScoringRequest
from harness.ci.publish import read_branch
from harness.ci.session import BoardWork, open_session
from harness.errors import DataError, ExitCode
from harness.scoring.audit import rescore_card


@dataclass(frozen=True, kw_only=True, slots=True)
class Redone:
    """What came of one team's card.

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
    """Make the newest official card of each team anew; old cards stay in the history.

    Parameters
    ----------
    handed : sequence of SubmittedFiles
        Submissions that can run again where no scores were kept.
    settings : ScoringSettings
        Challenge, results and how to score.
    """
    entries = CardIndex(settings.results, is_private=True).refresh().entries
    newest: dict[str, Entry] = {}
    for entry in sorted(
        entries.get(settings.rules.name, ()), key=lambda one: (one.card.created, one.key)
    ):
        if entry.card.is_official:
            newest[entry.card.submission.team] = entry
    by_team = {one.team: one for one in handed}
    redone: list[Redone] = []
    again: dict[str, ScoringRequest] = {}
    for team, entry in sorted(newest.items()):
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


def _from_scores(entry: Entry, settings: ScoringSettings) -> Redone | str:
    """Make a card anew from the scores beside it; say why not where that can't be done."""
    path = _path(settings.results, settings.rules.name, entry)
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
    received = entry.card.submission.received or entry.card.created
    request = prepare(replace(handed, received=received), settings)
    if not isinstance(request, ScoringRequest) or request.digest != entry.card.submission.digest:
        return None
    return request


def _path(results: Path, challenge: str, entry: Entry) -> Path:
    return results / challenge / f"{entry.key}{CARD_SUFFIX}"
