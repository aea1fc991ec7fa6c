"""What a picture is of: the physics of a card, of its file, or of scores that were evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol, TypeAlias

from harness.board.contest import Contest
from harness.board.entry import shown_on
from harness.board.public import public_part
from harness.board.rows import titles_of
from harness.card.figures import UnreachedWorkingPoint
from harness.card.files import read_card
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.challenge import Merit
from harness.errors import UsageError


class Evaluated(Protocol):
    """What `harness.evaluate` returns."""

    @property
    def name(self) -> str:
        """What the scores are called."""

    @property
    def physics(self) -> Physics:
        """AUC, rates, ROC, distribution."""

    @property
    def contest(self) -> Contest:
        """By what the challenge ranks."""


Drawable: TypeAlias = str | PathLike[str] | ScoreCard | Evaluated


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is drawn of one card or evaluation; `titles` says how its signals are printed."""

    name: str
    physics: Physics
    working_point: float
    merit: Merit | None
    titles: dict[str, str]

    def n_signal(self, signal: str) -> int | None:
        """Count the events of a signal; None where no working point was reached."""
        for point in self.physics.working_points:
            if not isinstance(point, UnreachedWorkingPoint):
                return point.rates[signal].n_events
        return None


def subject_of(what: Drawable) -> Subject:
    """Read what a picture is of; of a card, without its hidden signals.

    Raises
    ------
    UsageError
        The card holds no scores.
    DataError
        The file is no card.
    """
    if not isinstance(what, str | PathLike | ScoreCard):
        return Subject(
            name=what.name,
            physics=what.physics,
            working_point=what.contest.working_point,
            merit=what.contest.merit,
            titles={name: name for name in what.physics.auc},
        )
    card = public_part(what if isinstance(what, ScoreCard) else read_card(Path(what)))
    physics = shown_on(card, card.challenge.target)
    if physics is None:
        raise UsageError(f"the card of {card.submission.team} holds no scores")
    return Subject(
        name=card.submission.team,
        physics=physics,
        working_point=card.challenge.working_point,
        merit=card.challenge.merit,
        titles=titles_of(card, tuple(physics.auc)),
    )


def chosen_signals(subjects: list[Subject], signals: list[str] | None) -> list[str]:
    """Return the signals to draw: those that are asked for, or all that every subject has.

    Raises
    ------
    UsageError
        There is none, or not such a one.
    """
    every = [name for name in subjects[0].physics.auc if all(name in s.titles for s in subjects)]
    unknown = [name for name in signals or [] if name not in every]
    if unknown or not every:
        raise UsageError(
            f"no signal {', '.join(unknown)}" if unknown else "no signal that all of them have",
            expected=f"one of {', '.join(every)}" if every else "cards of one challenge",
        )
    return every if signals is None else signals
