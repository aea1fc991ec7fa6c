"""Which team a card belongs to: teams are renamed, withdrawn and disqualified by decisions.

A card keeps the name that it was scored under. A renamed team takes its cards along: those received
until the decision. Whoever uses the old name after that is another team. A team that was
disqualified gets rid of it by no rename: its old names stay disqualified, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from harness.board.decisions import Decision, Decisions
from harness.card.records import ScoreCard
from harness.challenge import instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A team as it stands now: its name, and the decisions that took it out, if any did."""

    name: str
    withdrawal: Decision | None = None
    disqualification: Decision | None = None

    @property
    def is_out(self) -> bool:
        """Whether no card of the team counts."""
        return self.withdrawal is not None or self.disqualification is not None


@dataclass(frozen=True, slots=True)
class Teams:
    """The renames and withdrawals of one board that hold, oldest first."""

    decisions: tuple[Decision, ...] = ()

    @classmethod
    def of(cls, made: Decisions) -> Teams:
        """Choose the decisions on teams; a rename that was taken back is left out."""
        held: list[Decision] = []
        for one in made.decisions:
            if one.kind in _ON_TEAMS:
                held.append(one)
            elif one.kind == "unrename":
                held = _without_rename(held, one)
        return cls(tuple(held))

    @property
    def disqualified(self) -> dict[str, Decision]:
        """The decisions that disqualify teams, by each name that they have or had since."""
        found: dict[str, Decision] = {}
        for one in self.decisions:
            team = one.team or ""
            match one.kind:
                case "disqualify":
                    found[team] = one
                case "requalify":
                    undone = found.get(team)
                    found = {name: kept for name, kept in found.items() if kept is not undone}
                case "rename" if one.to is not None and team in found:
                    found[one.to] = found[team]
        return found

    def standing(self, team: str, received: datetime) -> Standing:
        """Follow a team from the name that it had when it handed something in."""
        name, withdrawal = team, None
        for one in self.decisions:
            if one.team != name:
                continue
            match one.kind:
                case "rename" if one.to is not None and _is_until(received, one):
                    name = one.to
                case "withdraw":
                    withdrawal = one
                case "readmit":
                    withdrawal = None
        banned = self.disqualified.get(name)
        return Standing(name=name, withdrawal=withdrawal, disqualification=banned)

    def of_card(self, card: ScoreCard) -> Standing:
        """Return the team of a card as it stands now."""
        return self.standing(card.submission.team, card.received_at)

    def moved(self, cards: Iterable[ScoreCard]) -> dict[str, str]:
        """Return the present names of teams by names that only old cards have."""
        pairs = {card.submission.team: self.of_card(card).name for card in cards}
        present = {self.of_card(card).name for card in cards}
        return {old: new for old, new in pairs.items() if old not in present}


_ON_TEAMS = {"rename", "withdraw", "readmit", "disqualify", "requalify"}


def _without_rename(held: list[Decision], undone: Decision) -> list[Decision]:
    """Leave the last such rename out; who was disqualified under the new name is so under the old.

    Parameters
    ----------
    held : list of Decision
        Those on teams, oldest first.
    undone : Decision
        An ``unrename``.
    """
    wanted = ("rename", undone.team, undone.to)
    found = [i for i, one in enumerate(held) if (one.kind, one.team, one.to) == wanted]
    if not found:
        return held
    before, after = held[: found[-1]], held[found[-1] + 1 :]
    moved = [
        one.model_copy(update={"team": undone.team})
        for one in after
        if one.kind in {"disqualify", "requalify"} and one.team == undone.to
    ]
    return [*before, *after, *moved]


def _is_until(received: datetime, decision: Decision) -> bool:
    return decision.decided is None or received <= instant(decision.decided)
