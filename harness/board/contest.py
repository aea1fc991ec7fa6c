"""What the cards of one challenge are ranked by: the one place where its rules are put together.

Three sources say how a challenge is ranked: the rules of its manifest (or those in its newest card
where no manifest holds the challenge), the organiser's decisions beside the cards, and the hidden
signals, which a public ranking may neither weigh nor name. `Rulebook.contest_of` combines them.
Whoever shows a board gets a `Contest` or a finished ranking and never combines rules by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.board.decisions import Decision, Decisions
from harness.board.entry import Entry, data_digest, fits, signals_of
from harness.board.public import public_rules
from harness.board.teams import Teams
from harness.card.consistency import n_replicates
from harness.card.records import SCORER_VERSION, ScoreCard
from harness.card.run import ScoredChallenge
from harness.challenge import AnyTarget, Challenge, Merit, RankingRules, StatedTarget, TprAtFpr


def final_title(title: str) -> str:
    """Label the title of a challenge that was opened."""
    return f"Final: {title}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """What all ranked cards have in common, and the rules that they are ranked by.

    Attributes
    ----------
    data : str
        Digest of the challenge's data and split, see `data_digest`.
    working_point : float
        FPR at which entries are ranked; cards scored at another one are not.
    n_replicates : int
        Bootstrap replicates that most cards have: others cannot be compared with them.
    signals : tuple of str
        Signals that count.
    target : Target, CpuTarget or NoTarget
        The gate: an entry that does not keep its limits is not ranked.
    other_targets : tuple of StatedTarget
        What entries are judged against as well.
    merit : Merit
        The figure of each signal that entries are ranked by; cards scored for another are not.
    teams : Teams
        Which team each card belongs to.
    is_final : bool
        The challenge was opened: every output says so.
    flaws : tuple of str
        What is wrong with the organiser's decisions: every board says it.
    decisions : tuple of Decision
        Those that are in force.
    """

    challenge: str
    data: str
    scorer_version: int
    working_point: float
    n_replicates: int = 0
    signals: tuple[str, ...]
    target: AnyTarget
    rules: RankingRules
    merit: Merit
    other_targets: tuple[StatedTarget, ...] = ()
    teams: Teams = field(default_factory=Teams)
    is_final: bool = False
    flaws: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def title_of(self, title: str) -> str:
        """Return the title of the board of a challenge that is called `title`."""
        return final_title(title) if self.is_final else title

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
    is_final : bool
        The challenge was opened: its board is the last one.
    """

    challenge: Challenge | None = None
    decisions: Decisions = field(default_factory=Decisions)
    is_private: bool = False
    is_final: bool = False

    def contest_of(self, entries: Sequence[Entry]) -> Contest:
        """Say what is ranked together of `entries`, at least one card of the challenge.

        The manifest sets the working point. Of the cards that fit its data, or of all if none
        does, the newest official one of the highest scorer version sets the data.
        """
        newest = self._newest(entries)
        rules = _with_decisions(self._stated_rules(newest), self.decisions, entries)
        stated = self.challenge or newest.challenge
        return Contest(
            challenge=newest.challenge.name,
            data=data_digest(newest.challenge),
            scorer_version=newest.scorer_version,
            working_point=stated.working_point,
            n_replicates=_usual_replicates([*entries, Entry(key="", card=newest)]),
            signals=_counting(signals_of(newest), rules),
            target=stated.target,
            other_targets=stated.other_targets,
            rules=rules,
            merit=merit_of_rules(stated),
            teams=Teams.of(self.decisions),
            is_final=self.is_final,
            flaws=self.decisions.flaws,
            decisions=self.decisions.in_force,
        )

    def _newest(self, entries: Sequence[Entry]) -> ScoreCard:
        return max(
            (entry.card for entry in entries),
            key=lambda card: (
                self.challenge is not None and fits(card, self.challenge),
                card.is_official,
                card.scorer_version,
                card.order,
                card.submission.digest,
            ),
        )

    def _stated_rules(self, newest: ScoreCard) -> RankingRules:
        """Return the rules before any decision; public ones hold no hidden signal's weight."""
        if self.challenge is None:
            return newest.challenge.ranking
        if self.is_private:
            return self.challenge.ranking
        hidden = set(self.challenge.processes("hidden")) - self.decisions.revealed
        return public_rules(self.challenge.ranking, hidden)


def contest_of_challenge(challenge: Challenge) -> Contest:
    """Return the contest of scores that are on no card yet: by the manifest, decisions apart."""
    return Contest(
        challenge=challenge.name,
        data="",
        scorer_version=SCORER_VERSION,
        working_point=challenge.working_point,
        signals=_counting(challenge.signals, challenge.ranking),
        target=challenge.target,
        other_targets=challenge.other_targets,
        rules=challenge.ranking,
        merit=merit_of_rules(challenge),
    )


def merit_of_rules(stated: Challenge | ScoredChallenge) -> Merit:
    """Return what is ranked: where nothing is stated, the TPR at the working point."""
    return stated.merit or TprAtFpr(fpr=stated.working_point)


def _usual_replicates(entries: Sequence[Entry]) -> int:
    """Return how many replicates most of these cards have; 0 if none has any."""
    found = Counter(n for entry in entries for n in n_replicates(entry.card))
    return max(found, key=lambda n: (found[n], n), default=0)


def _counting(signals: tuple[str, ...], rules: RankingRules) -> tuple[str, ...]:
    """Return the signals that count: all, or those with a weight."""
    if not rules.signal_weights:
        return signals
    weighed = tuple(name for name in signals if name in rules.signal_weights)
    return weighed + tuple(sorted(set(rules.signal_weights) - set(weighed)))


def _with_decisions(rules: RankingRules, made: Decisions, entries: Sequence[Entry]) -> RankingRules:
    """Apply the organiser's decisions to the rules, in their order.

    A retraction is of the files that a card was scored from: it holds for every card of them,
    such as the one that a rescoring makes.
    """
    files = {
        entry.key: (entry.card.submission.team, entry.card.submission.digest) for entry in entries
    }

    def same(card: str) -> set[str]:
        return {card, *(key for key in files if files[key] == files.get(card))}

    deadline, retracted = rules.deadline, dict[str, str]()
    for card, reason in rules.retracted.items():
        retracted |= dict.fromkeys(same(card), reason)
    for one in made.decisions:
        match one.kind:
            case "freeze":
                deadline = one.deadline
            case "thaw":
                deadline = rules.deadline
            case "retract" if one.card is not None:
                retracted |= dict.fromkeys(same(one.card), one.reason)
            case "reinstate" if one.card is not None:
                retracted = {key: retracted[key] for key in retracted.keys() - same(one.card)}
    return rules.model_copy(update={"deadline": deadline, "retracted": retracted})
