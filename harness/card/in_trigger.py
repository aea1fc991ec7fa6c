"""What an entry does inside a trigger that has a menu: what it adds, and how stable its rate is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.card.figures import Count, Interval, NotMeasured, Probability, UnreachedWorkingPoint
from harness.challenge import Name, Value

Label = Annotated[str, Field(max_length=64)]


class AddedRate(Value):
    """What an entry adds to the menu, of one process.

    Attributes
    ----------
    n_added : int
        Events that pass and that the menu does not accept.
    value : float
        ``n_added / n_events``: the efficiency of (menu or entry) minus that of the menu.
    interval : Interval
        Holds the uncertainty of the threshold and that of the counts.
    """

    n_added: Count
    n_events: Count
    value: Probability
    interval: Interval


class AddedPoint(Value):
    """What an entry adds to the menu at one threshold.

    Attributes
    ----------
    fixed : str
        Which rate of background is kept at `fpr`: ``total``, all that passes, or ``added``, what
        passes and the menu does not accept.
    n_allowed : int
        k = floor(fpr (N + 1)): background events that may be among those.
    n_passing : int
        Background events that pass, whatever the menu says.
    background : AddedRate
        The rate that the entry adds.
    is_low_statistics : bool
        k < 10: shown, never ranked.
    """

    fpr: Probability
    fixed: Literal["total", "added"]
    threshold: float
    is_strict: bool
    n_allowed: Count
    n_passing: Count
    is_low_statistics: bool
    background: AddedRate
    signals: dict[Name, AddedRate]


class UnreachedAddedPoint(Value):
    """A rate that the test background is too small for."""

    fpr: Probability
    fixed: Literal["total", "added"]
    not_measured: Annotated[str, Field(max_length=4000)]


class MenuGain(Value):
    """What an entry adds to the menu at every working point.

    Attributes
    ----------
    replicates : mapping of signal to tuple of float
        What is added at the challenge's working point, as total rate, in each of the keyed
        bootstrap replicates, as in `Physics`.
    pure_replicates : mapping of signal to tuple of float
        The same as added rate; cards of older scorers have none.
    """

    points: tuple[AddedPoint | UnreachedAddedPoint, ...]
    replicates: dict[Name, tuple[Probability, ...]]
    pure_replicates: dict[Name, tuple[Probability, ...]] = Field(
        default_factory=dict, exclude_if=lambda found: not found
    )

    def replicates_of(self, fixed: Literal["total", "added"]) -> dict[Name, tuple[float, ...]]:
        """Return the replicates where that rate is kept."""
        return self.replicates if fixed == "total" else self.pure_replicates

    def at(self, fpr: float, fixed: Literal["total", "added"]) -> AddedPoint | UnreachedAddedPoint:
        """Return what is added where that rate is kept at `fpr`.

        Raises
        ------
        KeyError
            It was not measured there.
        """
        for point in self.points:
            if (point.fpr, point.fixed) == (fpr, fixed):
                return point
        raise KeyError(fpr)


class Drift(Value):
    """Change of a rate relative to another at the same threshold: 0.1 is 10 % more."""

    value: float
    interval: Interval


class RateInBin(Value):
    """The rate of background under one condition, such as in one run.

    Attributes
    ----------
    lower, upper : float
        Edges of the bin, which holds lower <= value < upper; equal for a bin of one value. The
        outermost bins also hold what is beyond.
    rate : float
        ``n_passing / n_events``.
    interval : Interval
        Of the rate at this threshold; see docs/statistics.md.
    drift : Drift or NotMeasured
        Against the rate of all test background at the same threshold.
    """

    label: Label
    lower: float
    upper: float
    n_events: Count
    n_passing: Count
    rate: Probability
    interval: Interval
    drift: Drift | NotMeasured


class Transfer(Value):
    """A threshold that was set under one condition and applied to another.

    Attributes
    ----------
    set_on, applied_to : str
        Labels of the two bins.
    n_allowed, n_set : int
        Background events of the first that may pass, and that pass.
    n_events, n_passing : int
        Background events of the second, and those that pass.
    drift : Drift or NotMeasured
        Rate in the second over that in the first; holds the uncertainty of the threshold.
    """

    set_on: Label
    applied_to: Label
    n_allowed: Count
    n_set: Count
    n_events: Count
    n_passing: Count
    rate: Probability
    interval: Interval
    drift: Drift | NotMeasured
    is_low_statistics: bool


class RatesByCondition(Value):
    """The rate of one threshold as a function of one condition.

    Attributes
    ----------
    is_binned : bool
        Whether bins are ranges, not single values.
    transfers : tuple of Transfer
        Of a condition whose values are bins: each pair of them, both ways.
    """

    name: Name
    title: Annotated[str, Field(max_length=40)]
    unit: Annotated[str, Field(max_length=16)] = ""
    is_binned: bool
    bins: tuple[RateInBin, ...]
    transfers: tuple[Transfer, ...] = ()


class StablePoint(Value):
    """How stable the rate of one threshold is.

    Attributes
    ----------
    n_passing, n_events : int
        Of all test background, on which the threshold was set.
    """

    fpr: Probability
    n_passing: Count
    n_events: Count
    is_low_statistics: bool
    conditions: tuple[RatesByCondition, ...]


class Stability(Value):
    """How stable the rate of each working point is under the conditions of the challenge."""

    points: tuple[StablePoint | UnreachedWorkingPoint, ...]

    def at(self, fpr: float) -> StablePoint | UnreachedWorkingPoint:
        """Return the rates of the threshold of `fpr`.

        Raises
        ------
        KeyError
            There is no such working point.
        """
        for point in self.points:
            if point.fpr == fpr:
                return point
        raise KeyError(fpr)


class AcceptedShare(Value):
    """What part of one process a decision accepts, with its 95 % interval."""

    n_accepted: Count
    n_events: Count
    value: Probability
    interval: Interval


class MenuRow(Value):
    """What the menu, or one of its algorithms, accepts of the test events.

    Attributes
    ----------
    n_alone : mapping of process to int
        Events that no other algorithm accepts; empty for the menu.
    """

    title: Annotated[str, Field(max_length=120)]
    shares: dict[Name, AcceptedShare]
    n_alone: dict[Name, Count] = Field(default_factory=dict, exclude_if=lambda found: not found)


class MenuSummary(Value):
    """What a trigger has today: its menu, and each algorithm at its own rate.

    Attributes
    ----------
    input_rate_khz : float or None
        Rate of the background that is a share of 1.
    algorithms : tuple of MenuRow
        Those that all processes have, the largest rate first.
    """

    input_rate_khz: float | None = None
    menu: MenuRow
    algorithms: tuple[MenuRow, ...] = ()
