"""The report of `harness watch`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.card.figures import Count, Probability, Text
from harness.challenge import Name, Value


class Alarm(Value):
    """Something that is not as in the reference.

    Attributes
    ----------
    family : str
        ``rate``, ``occupancy`` or ``spectrum``.
    since, raised : int
        The section from which on it is so, as the likelihood prefers; and the one at whose end the
        alarm was raised.
    observed, expected : float
        Events with the property since then, and what the reference leads to expect.
    p : float
        When it was raised, in one of all tests.
    trend : tuple of float
        Counts per event, over groups of consecutive sections, at most 100 of them.
    expected_trend : float
        What the reference leads to expect.
    map : tuple of float
        Of a map of occupancy, row by row in eta: counts since then over expected ones; 1 where
        fewer than ten are expected and seen.
    """

    family: Literal["rate", "occupancy", "spectrum"]
    what: str
    sentence: Text
    since: int
    raised: int
    observed: Count
    expected: Annotated[float, Field(ge=0)]
    p: Probability
    trend: tuple[float, ...] = Field(default=(), max_length=100)
    expected_trend: float = 0.0
    map: tuple[float, ...] = ()


class WatchReport(Value):
    """What is not as in the reference.

    Attributes
    ----------
    alarms_per_day : float
        The most false alarms that are expected in a day of running.
    n_tests : mapping of family to int
        Properties of each family; each is tested in windows of several lengths, on both sides.
    trial : str or None
        The fault that was put into the events from the middle section on.
    """

    schema_version: Literal[1] = 1
    team: Name
    challenge: Name
    verdict: Text
    n_sections: Count
    n_events: Count
    n_reference: Count
    alarms_per_day: float
    section_s: float
    n_tests: dict[Name, Count]
    alarm_p: dict[Name, Probability]
    alarms: tuple[Alarm, ...]
    trial: Name | None = None
    trial_from: int | None = None
    warnings: tuple[Text, ...] = ()
