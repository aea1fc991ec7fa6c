"""The same figures from a second simulation of a process: how robust an entry is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.card.checks import ChangedRate
from harness.card.figures import NotMeasured
from harness.card.in_trigger import Drift
from harness.card.physics import WorkingPoint
from harness.card.stress import ChangedArea
from harness.metrics.accepted import passing
from harness.metrics.intervals import difference_of_shares
from harness.metrics.roc import measure_auc, place
from harness.metrics.scores import rank_samples
from harness.metrics.stability import drift_of_transfer

Scores = NDArray[np.float64]


def drift_of_rate(point: WorkingPoint, n_background: int, other: Scores) -> Drift | NotMeasured:
    """Compare the rate of other background with the nominal one at the same threshold.

    The interval holds the uncertainty of the threshold, which was set on nominal background.
    """
    return drift_of_transfer(
        point.n_passing, n_background, int(passing(other, point).sum()), len(other)
    )


def changed_rates(
    points: Sequence[WorkingPoint], process: str, other: Scores
) -> dict[str, ChangedRate]:
    """Compare the TPR of a signal with that of its other simulation, at each frozen threshold.

    Returns
    -------
    mapping of FPR, as text, to ChangedRate
        The interval is Newcombe's, of two independent samples at one threshold.
    """
    found = {}
    for point in points:
        rate, n_passing = point.rates[process], int(passing(other, point).sum())
        found[f"{point.fpr:g}"] = ChangedRate(
            before=rate.tpr,
            after=n_passing / len(other),
            difference=difference_of_shares(rate.n_passing, rate.n_events, n_passing, len(other)),
        )
    return found


def changed_areas(
    nominal: tuple[Scores, Mapping[str, Scores]], other: tuple[Scores, Mapping[str, Scores]]
) -> dict[str, ChangedArea]:
    """Compare the areas under the ROC curves of two pairs of background and signals.

    Parameters
    ----------
    nominal, other : tuple of float64 array and mapping of signal to float64 array
        Scores of background, and of the same signals.
    """
    found = {}
    for name in other[1]:
        areas = []
        for background, signals in (nominal, other):
            ranked = rank_samples([background, signals[name]])
            areas.append(measure_auc(place(*ranked)))
        found[name] = ChangedArea(before=areas[0], after=areas[1])
    return found
