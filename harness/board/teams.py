"""Which team a card belongs to: teams are renamed and withdrawn by decisions of the organiser.

A card keeps the name that it was scored under. A renamed team takes its cards along: those received
until the decision. Whoever uses the old name after that is another team.
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
    """A team as it stands now: its name, and the decision that withdrew it, if one did."""

    name: str
    withdrawal: Decision | None = None


@dataclass(frozen=True, slots=True)
class Teams:
    """The renames and withdrawals of one board that hold, oldest first."""

    decisions: tuple[Decision, ...] = ()

    @classmethod
    def of(cls, made: Decisions) -> Teams:
        """Choose the decisions on teams; a rename that was taken back is left out."""
        held: list[Decision] = []
        for one in made.decisions:
            if one.kind in {"rename", "withdraw", "readmit"}:
                held.append(one)
            elif one.kind == "unrename":
                pairs = [(kept.kind, kept.team, kept.to) for kept in held]
                taken_back = ("rename", one.team, one.to)
                if taken_back in pairs:
                    del held[len(pairs) - 1 - pairs[::-1].index(taken_back)]
        return cls(tuple(held))

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
        return Standing(name=name, withdrawal=withdrawal)

    def of_card(self, card: ScoreCard) -> Standing:
        """Return the team of a card as it stands now."""
        return self.standing(card.submission.team, card.received_at)

    def moved(self, cards: Iterable[ScoreCard]) -> dict[str, str]:
        """Return the present names of teams by names that only old cards have."""
        pairs = {card.submission.team: self.of_card(card).name for card in cards}
        present = {self.of_card(card).name for card in cards}
        return {old: new for old, new in pairs.items() if old not in present}


def _is_until(received: datetime, decision: Decision) -> bool:
    return decision.decided is None or received <= instant(decision.decided)
