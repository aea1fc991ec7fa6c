"""The report of `harness watch`; boards show those that lie beside the cards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.board.streams import StreamSummary
from harness.card.figures import Count, Interval, Probability, Text
from harness.challenge import Name, Value

# Of the dependence on a condition, where nothing in the files says it.
NOT_KNOWN = "not known, as not both streams say it of each event"
# Of a map of occupancy.
N_ETA, ETA_RANGE = 16, (-4.0, 4.0)
_MOST_CELLS = 64 * N_ETA
AlarmFamily = Literal["rate", "occupancy", "spectrum"]


class RateByCondition(Value):
    """The rate under one condition, such as at some pile-up, beside that of the reference.

    Attributes
    ----------
    condition, title, unit : str
        Of the challenge; `label` names the bin.
    n_events, n_accepted : int
        Of the stream.
    """

    condition: Name
    title: str = Field(max_length=40)
    unit: str = Field(default="", max_length=16)
    label: str = Field(max_length=80)
    n_events: Count
    n_accepted: Count
    rate: Probability
    interval: Interval
    reference_rate: Probability
    reference_interval: Interval


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

    family: AlarmFamily
    what: str
    sentence: Text
    since: int
    raised: int
    observed: Count
    expected: Annotated[float, Field(ge=0)]
    p: Probability
    trend: tuple[float, ...] = Field(default=(), max_length=100)
    expected_trend: float = 0.0
    map: tuple[float, ...] = Field(default=(), max_length=_MOST_CELLS)


class WatchReport(Value):
    """What is not as in the reference.

    Attributes
    ----------
    data, reference : StreamSummary
        The two streams; `n_events` and `n_reference` are the kept events of them.
    conditions : tuple of RateByCondition
        Empty where the files do not say it, of either stream.
    alarms_per_day : float
        The most false alarms that are expected in a day of running.
    n_tests : mapping of family to int
        Properties of each family; each is tested in windows of several lengths, on both sides.
    trial : str or None
        The fault that was put into the events from the middle section on.
    """

    schema_version: Literal[1] = 1
    kind: Literal["watch"] = "watch"
    team: Name
    challenge: Name
    verdict: Text
    data: StreamSummary
    reference: StreamSummary
    n_sections: Count
    n_events: Count
    n_reference: Count
    alarms_per_day: float
    section_s: float
    n_tests: dict[AlarmFamily, Count]
    alarm_p: dict[AlarmFamily, Probability]
    alarms: tuple[Alarm, ...]
    conditions: tuple[RateByCondition, ...] = ()
    trial: Name | None = None
    trial_from: int | None = None
    warnings: tuple[Text, ...] = ()
