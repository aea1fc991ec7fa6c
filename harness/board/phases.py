"""The phases of a contest: open until its deadline, closed after it, final once it was opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.board.contest import Contest
from harness.challenge import instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One phase.

    Attributes
    ----------
    starts, ends : str or None
        In UTC; None: that is not set.
    is_now : bool
        The contest is in this phase.
    """

    name: str
    meaning: str
    starts: str | None = None
    ends: str | None = None
    is_now: bool


def phases_of(contest: Contest, now: datetime, *, has_hidden: bool) -> tuple[Phase, ...]:
    """Return the phases of a contest in their order.

    Parameters
    ----------
    has_hidden : bool
        It has signals that are hidden until it is opened.
    """
    deadline = contest.rules.deadline
    is_over = deadline is not None and now >= instant(deadline)
    phases = [
        Phase(
            name="Open",
            meaning="What is received counts."
            if deadline
            else "What is received counts; there is no deadline.",
            ends=deadline,
            is_now=not is_over and not contest.is_final,
        )
    ]
    if deadline is not None:
        phases.append(
            Phase(
                name="Closed",
                meaning="What was received before is still scored; what comes now is not ranked.",
                starts=deadline,
                is_now=is_over and not contest.is_final,
            )
        )
    if has_hidden or contest.is_final:
        phases.append(
            Phase(
                name="Final",
                meaning="The organiser has opened the contest: hidden figures are shown and count.",
                is_now=contest.is_final,
            )
        )
    return tuple(phases)
