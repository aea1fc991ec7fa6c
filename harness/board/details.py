"""What a talk or a paper needs of a board beside its figures: who, when, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.board.decisions import Decision
from harness.challenge import Name, Utc, Value

if TYPE_CHECKING:
    from harness.board.order import Ranking


class EntryDetails(Value):
    """What is known of one entry beside its figures.

    Attributes
    ----------
    received : str or None
        When the organiser received it; None: not recorded, so that the time of scoring counts.
    decisions : tuple of str
        Decisions in force that name its team or its card, in words.
    """

    team: Name
    card: str
    authors: tuple[str, ...]
    description: str
    references: tuple[str, ...]
    received: Utc | None
    created: str
    scorer_version: int
    decisions: tuple[str, ...]


class BoardDetails(Value):
    """What is known of a board beside its figures.

    Attributes
    ----------
    deadline : str or None
        In force, after all decisions.
    decisions : tuple of Decision
        Those that are in force, oldest first.
    entries : tuple of EntryDetails
        In the order of the board's rows.
    """

    deadline: Utc | None
    decisions: tuple[Decision, ...]
    entries: tuple[EntryDetails, ...]


def details_of(made: Ranking) -> BoardDetails:
    """Gather the details of a ranking."""
    contest = made.contest
    found = []
    for item in made.listed:
        card, team = item.entry.card, contest.team_of(item.entry)
        names = {team, card.submission.team}
        found.append(
            EntryDetails(
                team=team,
                card=item.entry.key.partition("/")[2],
                authors=card.submission.authors,
                description=card.submission.description,
                references=card.submission.references,
                received=card.submission.received,
                created=card.created,
                scorer_version=card.scorer_version,
                decisions=tuple(
                    decision_text(one)
                    for one in contest.decisions
                    if _is_about(one, names, item.entry.key)
                ),
            )
        )
    return BoardDetails(
        deadline=contest.rules.deadline, decisions=contest.decisions, entries=tuple(found)
    )


def _is_about(decision: Decision, names: set[str], key: str) -> bool:
    if decision.card is not None:
        return decision.card == key
    return decision.team in names or decision.to in names


def decision_text(decision: Decision) -> str:
    """Say in one line what was decided, when and why.

    Examples
    --------
    >>> decision_text(Decision(kind="withdraw", team="ant", reason="asked", decided=None))
    'withdraw ant (no date): asked'
    """
    subject = decision.card or decision.signal or decision.deadline or decision.team or ""
    new_name = f" to {decision.to}" if decision.to else ""
    return (
        f"{decision.kind} {subject}{new_name} ({decision.decided or 'no date'}): {decision.reason}"
    )
