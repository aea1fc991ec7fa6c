"""A confidence band of a ROC curve, from the points that a card holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.card.physics import RocPoints
from harness.metrics.intervals import clopper_pearson, threshold_ranks
from harness.metrics.roc import CONFIDENCE_LEVEL


def roc_band(
    points: RocPoints, *, n_background: int, n_signal: int, level: float = CONFIDENCE_LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an interval of the TPR at each FPR of a curve: each by itself covers at least `level`.

    It is `harness.metrics.intervals.conservative_interval` with the curve's own points in place of
    the scores: the two thresholds between which the true one lies are moved outwards to the next
    points. At FPR 1, where everything passes, the band has no width.

    Parameters
    ----------
    points : RocPoints
        FPR rising.
    n_background, n_signal : int
        Events that the curve was made of.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n_points,)
    """
    fpr, tpr = np.array(points.fpr), np.array(points.tpr)
    part_level = (1.0 + level) / 2.0
    lower, upper = np.ones(len(fpr)), np.ones(len(fpr))
    for i, rate in enumerate(fpr.tolist()):
        if rate >= 1.0:
            continue
        ranks = threshold_ranks(rate, n_background, level=part_level)
        # Where fewer background events pass than the tight rank says, the threshold is higher.
        tight = int(np.searchsorted(fpr, max(ranks.tight - 1, 0) / n_background, "right")) - 1
        loose = int(np.searchsorted(fpr, ranks.loose / n_background, "left"))
        n_tight = round(tpr[tight] * n_signal) if tight >= 0 else 0
        n_loose = round(tpr[loose] * n_signal) if loose < len(fpr) else n_signal
        lower[i] = clopper_pearson(n_tight, n_signal, level=part_level).lower
        upper[i] = clopper_pearson(n_loose, n_signal, level=part_level).upper
    return lower, upper
