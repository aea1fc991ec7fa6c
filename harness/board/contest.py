"""What the cards of one challenge are ranked by: the one place where its rules are put together.

Three sources say how a challenge is ranked: the rules of its manifest (or those in its newest card
where no manifest holds the challenge), the organiser's decisions beside the cards, and the hidden
signals, which a public ranking may neither weigh nor name. `Rulebook.contest_of` combines them.
Whoever shows a board gets a `Contest` or a finished ranking and never combines rules by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.board.decisions import Decisions
from harness.board.entry import Entry, data_digest, signals_of
from harness.board.public import public_rules
from harness.board.teams import Teams
from harness.card.records import ScoreCard
from harness.challenge import Challenge, RankingRules, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """What all ranked cards have in common, and the rules that they are ranked by.

    Attributes
    ----------
    data : str
        Digest of the challenge's data and split, see `data_digest`.
    working_point : float
        FPR at which entries are ranked.
    signals : tuple of str
        Signals that count.
    teams : Teams
        Which team each card belongs to.
    flaws : tuple of str
        What is wrong with the organiser's decisions: every board says it.
    """

    challenge: str
    data: str
    scorer_version: int
    working_point: float
    signals: tuple[str, ...]
    target: Target
    rules: RankingRules
    teams: Teams = field(default_factory=Teams)
    flaws: tuple[str, ...] = ()

    def team_of(self, entry: Entry) -> str:
        """Return the present name of the team that an entry belongs to."""
        return self.teams.of_card(entry.card).name


@dataclass(frozen=True, kw_only=True, slots=True)
class Rulebook:
    """All that rules one challenge beside its cards.

    Attributes
    ----------
    challenge : Challenge or None
        As a manifest has it; None: the newest card says rules and target.
    decisions : Decisions
        The organiser's.
    is_private : bool
        Weigh and name hidden signals: for the organiser alone.
    """

    challenge: Challenge | None = None
    decisions: Decisions = field(default_factory=Decisions)
    is_private: bool = False

    def contest_of(self, entries: Sequence[Entry]) -> Contest:
        """Say what is ranked together of `entries`, at least one card of the challenge.

        The newest official card of the highest scorer version sets the data.
        """
        newest = _newest(entries)
        rules = _with_decisions(self._stated_rules(newest), self.decisions)
        stated = self.challenge or newest.challenge
        return Contest(
            challenge=newest.challenge.name,
            data=data_digest(newest.challenge),
            scorer_version=newest.scorer_version,
            working_point=newest.challenge.working_point,
            signals=_counting(signals_of(newest), rules),
            target=stated.target,
            rules=rules,
            teams=Teams.of(self.decisions),
            flaws=self.decisions.flaws,
        )

    def _stated_rules(self, newest: ScoreCard) -> RankingRules:
        """Return the rules before any decision; public ones hold no hidden signal's weight."""
        if self.challenge is None:
            return newest.challenge.ranking
        if self.is_private:
            return self.challenge.ranking
        hidden = set(self.challenge.processes("hidden")) - self.decisions.revealed
        return public_rules(self.challenge.ranking, hidden)


def _newest(entries: Sequence[Entry]) -> ScoreCard:
    return max(
        (entry.card for entry in entries),
        key=lambda card: (
            card.is_official,
            card.scorer_version,
            card.created_at,
            card.submission.digest,
        ),
    )


def _counting(signals: tuple[str, ...], rules: RankingRules) -> tuple[str, ...]:
    """Return the signals that count: all, or those with a weight."""
    if not rules.signal_weights:
        return signals
    weighed = tuple(name for name in signals if name in rules.signal_weights)
    return weighed + tuple(sorted(set(rules.signal_weights) - set(weighed)))


def _with_decisions(rules: RankingRules, made: Decisions) -> RankingRules:
    """Apply the organiser's decisions to the rules, in their order."""
    deadline, retracted = rules.deadline, dict(rules.retracted)
    for one in made.decisions:
        match one.kind:
            case "freeze":
                deadline = one.deadline
            case "thaw":
                deadline = rules.deadline
            case "retract" if one.card is not None:
                retracted[one.card] = one.reason
            case "reinstate" if one.card is not None:
                retracted.pop(one.card, None)
    return rules.model_copy(update={"deadline": deadline, "retracted": retracted})
