"""What went through a trigger, in the reports of `harness cluster` and `harness watch`."""

from __future__ import annotations

from pydantic import Field

from harness.card.figures import Count
from harness.challenge import Value

MOST_SOURCES = 20


class StreamSummary(Value):
    """A stream that went through the trigger.

    Attributes
    ----------
    sources : tuple of str
        As they were named; the first 20.
    """

    sources: tuple[str, ...] = Field(max_length=MOST_SOURCES)
    n_sources: Count
    n_events: Count
    n_accepted: Count
