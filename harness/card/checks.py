"""Checks of the scores, and what they changed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.card.figures import Count, Interval, Probability, Text
from harness.challenge import Name, Value


class ChangedRate(Value):
    """TPR of signal events before and after they were changed, or of published and fresh ones.

    Attributes
    ----------
    difference : Interval
        Of after minus before: paired where the events are the same, else of two samples.
    """

    before: Probability
    after: Probability
    difference: Interval


class Check(Value):
    """One integrity check of the scores.

    Attributes
    ----------
    outcome : str
        ``same`` (bit for bit), ``noise`` (within the arithmetic's tolerance), ``leak`` (a score
        depends on more than its own event) or ``diagnostic`` (no verdict is drawn).
    max_difference : float
        Largest difference, in units of the spread of the scores, or of an event's distance from
        their median where that is larger.
    rates : mapping of signal to ChangedRate
        Of a diagnostic, at the challenge's working point if that was reached.
    """

    name: Name
    outcome: Literal["same", "noise", "leak", "diagnostic"]
    n_events: Count
    max_difference: float
    detail: Text = ""
    rates: dict[Name, ChangedRate] = Field(default_factory=dict)

    @property
    def is_of_other_events(self) -> bool:
        """Whether it needs a feature that these events have not: pages leave it out."""
        return not self.n_events and self.detail.startswith("not measured: the layout has no ")
