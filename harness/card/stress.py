"""How the figures move when the simulation is varied."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.card.checks import ChangedRate
from harness.card.figures import Count, Interval, NotMeasured, Probability, Text
from harness.card.in_trigger import Drift
from harness.card.physics import Auc
from harness.challenge import Name, Value


class StressedRate(Value):
    """What a threshold that was set on nominal background lets pass of varied background.

    Attributes
    ----------
    fpr : float
        The nominal false positive rate of the working point.
    n_passing : int
        Varied events that pass.
    fpr_realised : float
        Per nominal event: events that the variation lost are among those counted.
    interval : Interval
        Of `fpr_realised`, for this threshold.
    ratio : float or NotMeasured
        `fpr_realised` over the rate that nominal background realises at this threshold.
    n_gained, n_lost : int or None
        Events that pass varied and not nominal, and the other way round; None where the varied
        events are others.
    drift : Drift, NotMeasured or None
        Of a second simulation: `ratio` minus 1 with its interval, which holds the uncertainty of
        the threshold.
    """

    fpr: Probability
    n_passing: Count
    fpr_realised: Probability
    interval: Interval
    ratio: float | NotMeasured
    n_gained: Count | None = None
    n_lost: Count | None = None
    drift: Drift | NotMeasured | None = Field(default=None, exclude_if=lambda one: one is None)


class ChangedArea(Value):
    """Area under the ROC curve with the nominal simulation, and with a second one."""

    before: Auc
    after: Auc


class Variation(Value):
    """Background, or a signal, as another detector or another simulation would give it.

    Attributes
    ----------
    n_events : int
        Nominal events that were varied, or events of the other simulation.
    n_selected : int
        Those of them that still pass the preselection of the data set.
    variation_of : str or None
        The process of which it is a second simulation, where the challenge says so.
    rates : tuple of StressedRate
        Of background.
    signal_rates : mapping of FPR, as text, to ChangedRate
        Of a second simulation of a signal: its TPR at the thresholds of nominal background.
    auc : mapping of signal to ChangedArea
        Of a second simulation; of a signal with that of the background, where there is one.
    """

    name: Name
    title: str = Field(max_length=80)
    what: Text
    n_events: Count
    n_selected: Count
    variation_of: Name | None = Field(default=None, exclude_if=lambda one: one is None)
    rates: tuple[StressedRate, ...]
    signal_rates: dict[str, ChangedRate] = Field(
        default_factory=dict, exclude_if=lambda found: not found
    )
    auc: dict[Name, ChangedArea] = Field(default_factory=dict, exclude_if=lambda one: not one)


class SkippedVariation(Value):
    """A variation that could not be made, with the reason."""

    name: Name
    title: str = Field(max_length=80)
    not_measured: Text


class Stress(Value):
    """How stable the rate is: thresholds fixed on nominal background, background varied.

    Attributes
    ----------
    arithmetic : str
        Whose scores these are.
    """

    arithmetic: Literal["float", "firmware"]
    variations: tuple[Variation | SkippedVariation, ...]
