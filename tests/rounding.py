"""How far apart the same scores may lie on two processors, or in two orders of their sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics.consistency import spread_of

# Half the distance of 1 from the next float32.
UNIT_ROUNDOFF = 2.0**-24


def rounding_of(scores: NDArray[np.float64], *, n_terms: int) -> NDArray[np.float64]:
    """Return how far the rounding of float32 sums may move each of `scores`.

    A float32 sum of n terms, in whatever order they are added, lies within n 2^-24 of the sum of
    their sizes [1]_. Two orders lie at most twice that apart: which one a library takes hangs on
    the processor's vector instructions and on how many events come at once. Sums of sums, such as
    those of a network's layers, have the terms of all of them on the way from an event to its
    score: `n_terms` counts these.

    The size is that of the terms, not of their sum: a score near zero can be the difference of two
    large numbers. So the size is taken to be the spread of the scores, or the score itself where
    that is larger, as `harness.metrics.consistency` does, whose tolerance of 2^-13 is this one of
    1,024 terms.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002,
       section 4.2.
    """
    size = np.maximum(spread_of(scores), np.abs(scores))
    return 2 * n_terms * UNIT_ROUNDOFF * size


def assert_same_but_for_rounding(found: ArrayLike, expected: ArrayLike, *, n_terms: int) -> None:
    """Compare scores whose float32 sums may have been added in another order.

    Parameters
    ----------
    n_terms : int
        See `rounding_of`; 0 where nothing is rounded, so that the scores must be equal.
    """
    found, expected = (np.asarray(scores, np.float64) for scores in (found, expected))
    assert found.shape == expected.shape
    change, allowed = np.abs(found - expected), rounding_of(expected, n_terms=n_terms)
    worst = int(np.argmax(change - allowed))
    assert (change <= allowed).all(), (
        f"score {worst} is {found[worst]!r}, not {expected[worst]!r}: {change[worst]:.3g} away, "
        f"{allowed[worst]:.3g} are allowed"
    )
