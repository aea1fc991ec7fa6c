"""A card among the others of its challenge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.board.contest import Contest
from harness.board.entry import Entry
from harness.board.history import Place, places_over_time
from harness.board.order import Ranked, Ranking, Unranked
from harness.card.records import ScoreCard


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A card among the others of its challenge.

    Attributes
    ----------
    place : Ranked, Unranked or None
        None for an older card of a team, which no longer counts.
    earlier : sequence of Entry
        All cards of the team on this challenge, oldest first, this one among them.
    twins : sequence of str
        Other teams that handed in the very same network.
    places : sequence of Place
        The place of each of the team's cards when it was scored; empty if it is the only one.
    """

    entry: Entry
    contest: Contest
    place: Ranked | Unranked | None
    n_ranked: int
    earlier: Sequence[Entry]
    twins: Sequence[str] = ()
    places: Sequence[Place] = ()

    @property
    def team(self) -> str:
        """Present name of its team."""
        return self.contest.team_of(self.entry)

    @property
    def card(self) -> ScoreCard:
        """The card itself."""
        return self.entry.card


def subject_of(entry: Entry, made: Ranking, entries: Sequence[Entry]) -> Subject:
    """Find an entry's place on its board and its team's other cards."""
    place = next((item for item in made.listed if item.entry.key == entry.key), None)
    team_of = made.contest.team_of
    earlier = [other for other in entries if team_of(other) == team_of(entry)]
    earlier.sort(key=lambda other: (other.card.order, other.key))
    return Subject(
        entry=entry,
        contest=made.contest,
        place=place,
        n_ranked=len(made.ranked),
        earlier=tuple(earlier),
        twins=made.twins_of(entry),
        places=tuple(places_over_time(earlier, entries, made.contest)) if len(earlier) > 1 else (),
    )
