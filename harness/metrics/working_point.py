"""The cut on the score that keeps a false positive rate, decided by test background alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import UnreachedWorkingPoint
from harness.card.physics import WorkingPoint
from harness.errors import DataError
from harness.metrics.scores import RankedScores

# With fewer background events allowed above the cut, the threshold's own noise (1/sqrt(k) of the
# rate) exceeds 30 %: such a working point is shown and never ranked.
LOW_STATISTICS = 10
# Share of the background with one score, and of the allowed events that pass, that is warned of.
_MANY_TIED, _FEW_PASSING = 0.5, 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A cut on the score: an event passes if ``score >= threshold``, or ``>`` if `is_strict`."""

    threshold: float
    is_strict: bool = False

    def n_passing(self, sample: RankedScores) -> int:
        """Count the events of `sample` that pass."""
        if self.is_strict:
            return sample.n_above(self.threshold)
        return sample.n_at_least(self.threshold)


def count_allowed(fpr: float, n_background: int) -> int:
    """Return k = floor(fpr (N + 1)), the background events that may pass.

    The rate is taken as the decimal number that it is written as, so that 1e-5 of 1,000,000 is
    10 whatever the binary rounding of 1e-5.

    Parameters
    ----------
    fpr : float
        False positive rate aimed at, 0 < fpr < 1.
    n_background : int
        N, the test background events.

    Raises
    ------
    DataError
        The rate is not between 0 and 1.

    Notes
    -----
    For a continuous score the true FPR above the k-th largest of N background scores is
    Beta(k, N + 1 - k), of mean k / (N + 1) <= fpr.

    Examples
    --------
    >>> count_allowed(1e-5, 999_999), count_allowed(1e-5, 999_998), count_allowed(0.29, 99)
    (10, 9, 29)
    """
    if not 0.0 < fpr < 1.0:
        raise DataError(
            f"false positive rate {fpr!r}",
            where="the challenge's working points",
            expected="a number between 0 and 1",
            fix="correct the manifest",
        )
    return int(Fraction(repr(float(fpr))) * (n_background + 1))


def set_cut(background: RankedScores, n_allowed: int) -> Cut:
    """Return the loosest cut on a background score that at most `n_allowed` background pass.

    The threshold is the smallest background score t with #{b >= t} <= k. If even the largest
    background score is shared by more than k events there is none, and the cut is ``score > max``:
    ties never buy rate, and a constant score passes nothing.

    Parameters
    ----------
    background : RankedScores
        Test background; its k + 1 largest scores are enough.
    n_allowed : int
        k, 1 <= k <= N.

    Examples
    --------
    >>> import numpy as np
    >>> scores = RankedScores(ascending=np.array([1.0, 2.0, 2.0, 3.0]), n_events=4)
    >>> set_cut(scores, 1), set_cut(scores, 2).threshold, set_cut(scores, 3).threshold
    (Cut(threshold=3.0, is_strict=False), 3.0, 2.0)
    """
    candidate = background.from_top(n_allowed)
    if background.n_at_least(candidate) <= n_allowed:
        return Cut(threshold=candidate)
    n_above = background.n_above(candidate)
    if n_above == 0:
        return Cut(threshold=candidate, is_strict=True)
    return Cut(threshold=background.from_top(n_above))


def tie_warnings(
    background: NDArray[np.float64], point: WorkingPoint | UnreachedWorkingPoint
) -> Iterator[str]:
    """Say where equal scores take from an entry what its rate allows it.

    Parameters
    ----------
    background : float64 array, shape (n,)
        Scores of the test background; higher = more anomalous.
    point : WorkingPoint or UnreachedWorkingPoint
        The challenge's.

    Examples
    --------
    >>> list(tie_warnings(np.array([0.0, 0.0, 0.0, 1.0]), UnreachedWorkingPoint(
    ...     fpr=1e-5, not_measured="few events")))
    ['75 % of the background have the score 0: finer words would tell more of it apart']
    """
    values, counts = np.unique(background, return_counts=True)
    most = int(np.argmax(counts))
    share = counts[most] / len(background)
    if share >= _MANY_TIED:
        yield (
            f"{100 * share:.3g} % of the background have the score {values[most]:g}: finer words "
            "would tell more of it apart"
        )
    if isinstance(point, WorkingPoint) and point.n_passing < _FEW_PASSING * point.n_allowed:
        yield (
            f"at FPR {point.fpr:g} only {point.n_passing} of the {point.n_allowed} background "
            "events pass that may: the next ones share one score, and pass all or none"
        )
