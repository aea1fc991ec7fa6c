"""What the scores are worth: rates, areas, curves, the figure of merit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.card.figures import Count, Interval, NotMeasured, Probability, UnreachedWorkingPoint
from harness.card.in_trigger import MenuGain, Stability
from harness.card.mass import MassFigures
from harness.challenge import Merit, Name, Value


class Auc(Value):
    """Area under the ROC curve; tied scores count half."""

    value: Probability
    interval: Interval


class SignalRate(Value):
    """Signal efficiency at one working point.

    Attributes
    ----------
    tpr : float
        ``n_passing / n_events``: per preselected event.
    interval : Interval
        Holds the uncertainty of the threshold and that of the signal count.
    significance_improvement : float
        TPR / sqrt(FPR) at the working point's nominal FPR.
    """

    n_passing: Count
    n_events: Count
    tpr: Probability
    interval: Interval
    significance_improvement: float


class WorkingPoint(Value):
    """A threshold on the score, set on test background.

    An event passes if ``score >= threshold``, or ``score > threshold`` if `is_strict`.

    Attributes
    ----------
    fpr : float
        The false positive rate aimed at.
    n_allowed : int
        k = floor(fpr (N + 1)): background events that may pass.
    n_passing : int
        Background events that pass; at most k.
    is_low_statistics : bool
        k < 10: shown, never ranked.
    rates : mapping of signal to SignalRate
        What each signal keeps.
    """

    fpr: Probability
    threshold: float
    is_strict: bool
    n_allowed: Count
    n_passing: Count
    fpr_realised: Probability
    is_low_statistics: bool
    rates: dict[Name, SignalRate]


class RocPoints(Value):
    """Log-spaced points of a ROC curve: TPR at the tightest threshold that keeps each FPR."""

    fpr: tuple[Probability, ...]
    tpr: tuple[Probability, ...]


class Histogram(Value):
    """Counts of scores in common bins, for plots; `edges` has one entry more than counts."""

    edges: tuple[float, ...]
    counts: dict[Name, tuple[Count, ...]]


class SignalMerit(Value):
    """The figure of merit of one signal.

    Attributes
    ----------
    n_background, n_signal : int
        Events that pass the cut that it is measured at; of an AUC, all test events.
    is_low_statistics : bool
        Too few events decide it: shown, never ranked.
    """

    value: float
    interval: Interval
    n_background: Count
    n_signal: Count
    is_low_statistics: bool


class MeasuredMerit(Value):
    """The challenge's figures of merit, where they are no rates at its working point.

    Attributes
    ----------
    replicates : mapping of signal to tuple of float
        The figure in each of the keyed bootstrap replicates, as in `Physics`.
    """

    merit: Merit
    signals: dict[Name, SignalMerit | NotMeasured]
    replicates: dict[Name, tuple[float, ...]]


class Accuracy(Value):
    """Share of events on the right side of the best cut, for as many background as signal events.

    Attributes
    ----------
    interval : Interval
        For the cuts that were chosen.
    n_background, n_signal : int
        Events that were judged.
    """

    value: Probability
    interval: Interval
    n_background: Count
    n_signal: Count


class Physics(Value):
    """How well one set of scores tells signals from background.

    Attributes
    ----------
    arithmetic : str
        Whose scores these are: the ``float`` network's or the ``firmware``'s.
    replicates : mapping of signal to tuple of float
        TPR at the challenge's working point in each of the keyed bootstrap replicates; replicate
        i of two cards of one challenge weighs every event alike, so cards can be compared in
        pairs.
    merit : MeasuredMerit or None
        What the challenge ranks; None where that is what `working_points` and `replicates` hold.
    menu : MenuGain or None
        What the scores add to the menu of the trigger, where the challenge has one.
    stability : Stability or None
        The rates of the working points by run, pile-up and the like, where the challenge has them.
    mass : MassFigures or None
        What cuts on the score do to the mass of the events, where the challenge states one.
    accuracy : mapping of signal to Accuracy, or None
        Of a tagger, where the challenge ranks the rejection of background.
    """

    arithmetic: Literal["float", "firmware"]
    n_background: Count
    auc: dict[Name, Auc]
    working_points: tuple[WorkingPoint | UnreachedWorkingPoint, ...]
    replicates: dict[Name, tuple[Probability, ...]]
    roc: dict[Name, RocPoints]
    scores: Histogram | None = None
    merit: MeasuredMerit | None = Field(default=None, exclude_if=lambda merit: merit is None)
    menu: MenuGain | None = Field(default=None, exclude_if=lambda menu: menu is None)
    stability: Stability | None = Field(default=None, exclude_if=lambda found: found is None)
    mass: MassFigures | None = Field(default=None, exclude_if=lambda found: found is None)
    accuracy: dict[Name, Accuracy] | None = Field(
        default=None, exclude_if=lambda found: found is None
    )

    def at(self, fpr: float) -> WorkingPoint | UnreachedWorkingPoint:
        """Return the working point whose nominal FPR is `fpr`.

        Raises
        ------
        KeyError
            There is none.
        """
        for point in self.working_points:
            if point.fpr == fpr:
                return point
        raise KeyError(fpr)
