"""The accepted events, and what today's triggers would keep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.card.figures import Count, Interval, NotMeasured, Probability
from harness.card.physics import WorkingPoint
from harness.challenge import Name, Value


class Distribution(Value):
    """Counts of events in bins of one observable; the outermost bins also hold what is beyond.

    Attributes
    ----------
    name, title, unit : str
        ``met``, "Missing transverse momentum", "GeV"; the unit of a count is empty.
    edges : tuple of float
        One more than there are bins.
    counts : mapping of process to tuple of int
        Events of each process in each bin.
    """

    name: Name
    title: str = Field(max_length=80)
    unit: str = Field(max_length=16)
    edges: tuple[float, ...]
    counts: dict[Name, tuple[Count, ...]]


class Share(Value):
    """How many events of one origin there are, and how many of them pass."""

    n_events: Count
    n_passing: Count


class Accepted(Value):
    """What the entry accepts at the challenge's working point.

    Attributes
    ----------
    arithmetic : str
        Whose scores chose the events.
    passing, every : tuple of Distribution
        The same observables of the events that pass and of every test event.
    composition : mapping of origin to Share, or NotMeasured
        Of which processes the accepted background is made, where the simulation knows it.
    """

    fpr: Probability
    arithmetic: Literal["float", "firmware"]
    passing: tuple[Distribution, ...]
    every: tuple[Distribution, ...]
    composition: dict[Name, Share] | NotMeasured


class Gain(Value):
    """TPR of the entry over that of today's cuts at the same rate; paired interval."""

    ratio: float = Field(ge=0)
    interval: Interval


class TriggerCuts(Value):
    """What a trigger of simple cuts keeps at the same rate: any of its observables over its cut.

    Attributes
    ----------
    thresholds : mapping of observable to float
        The cuts [GeV], each passed by the same number of background events.
    point : WorkingPoint
        Rate and TPR of the cuts together.
    gain : mapping of signal to Gain or NotMeasured
        TPR of the entry divided by that of the cuts.
    """

    thresholds: dict[Name, float]
    point: WorkingPoint
    gain: dict[Name, Gain | NotMeasured]
