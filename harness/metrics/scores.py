"""Scores put in order once; every figure of a sample is read off its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import DataError, InvalidSubmissionError

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedScores:
    """The scores of one sample in rising order; higher = more anomalous.

    Attributes
    ----------
    ascending : ndarray of float32 or float64, shape (m,)
        All scores of the sample, or its m largest.
    n_events : int
        Size of the sample, at least m.
    """

    ascending: Floats
    n_events: int

    def from_top(self, rank: int) -> float:
        """Return the `rank`-th largest score; rank 1 is the largest.

        Raises
        ------
        IndexError
            The sample, or the part of it that is held, has fewer scores.
        """
        if not 1 <= rank <= len(self.ascending):
            raise IndexError(f"rank {rank} of {len(self.ascending)} scores")
        return float(self.ascending[-rank])

    def n_at_least(self, threshold: float) -> int:
        """Count the events with ``score >= threshold``."""
        return len(self.ascending) - self._position(threshold, is_after_ties=False)

    def n_above(self, threshold: float) -> int:
        """Count the events with ``score > threshold``."""
        return len(self.ascending) - self._position(threshold, is_after_ties=True)

    def _position(self, threshold: float, *, is_after_ties: bool) -> int:
        # A float64 needle would make searchsorted copy a float32 haystack of millions. Between a
        # threshold and the float32 that it is rounded to there is no float32 score.
        with np.errstate(over="ignore"):
            needle = np.asarray(threshold, dtype=self.ascending.dtype)
        rounded = float(needle)
        is_right = is_after_ties if rounded == threshold else rounded < threshold
        return int(np.searchsorted(self.ascending, needle, "right" if is_right else "left"))


def check_scores(scores: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return `scores` as float64 of shape (n,), or say what is wrong with them.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of one sample.
    name : str
        The sample's name, for the message.

    Raises
    ------
    DataError
        There is no event: the sample is at fault, not the submission.
    InvalidSubmissionError
        The scores are not one real number per event, or some are NaN or infinite.
    """
    array = np.asarray(scores)
    where = f"scores of {name}"
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise InvalidSubmissionError(
            f"an array of shape {array.shape} and type {array.dtype}",
            where=where,
            expected="one real number per event, shape (n,)",
            fix="let the network end in a single value",
        )
    if array.size == 0:
        raise DataError(
            "no event",
            where=where,
            expected="at least one event of every sample",
            fix="check the file, and that the split leaves it a test part",
        )
    values = array.astype(np.float64, copy=False)
    is_finite = np.isfinite(values)
    if not is_finite.all():
        n_nan = int(np.isnan(values).sum())
        n_infinite = int(values.size - is_finite.sum()) - n_nan
        raise InvalidSubmissionError(
            f"{n_nan} NaN and {n_infinite} infinite among {values.size} scores",
            where=where,
            expected="finite numbers only",
            fix="look for a logarithm or division of zero, or an overflow, in the network",
        )
    return values


def rank_samples(samples: Sequence[NDArray[np.float64]]) -> list[RankedScores]:
    """Sort samples that will be compared with each other.

    Where every score of every sample is exactly a float32, as a network's outputs are, the
    scores are sorted as float32, which is faster and changes nothing.
    """
    narrow = [as_float32(sample) for sample in samples]
    if any(sample is None for sample in narrow):
        return [_rank(sample) for sample in samples]
    return [_rank(sample) for sample in narrow if sample is not None]


def _rank(scores: Floats) -> RankedScores:
    ascending: Floats = scores.copy()
    ascending.sort()
    return RankedScores(ascending=ascending, n_events=len(scores))


def as_float32(scores: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Return `scores` as float32 if none of them changes by it."""
    # Most scores that are not float32 show it in the first few.
    head = scores[:64]
    with np.errstate(over="ignore", under="ignore"):
        if not np.array_equal(head.astype(np.float32), head):
            return None
        narrow = scores.astype(np.float32)
    return narrow if np.array_equal(narrow, scores) else None
