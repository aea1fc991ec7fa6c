"""Significance of a count over a background that is known with an uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, xlogy

# Of smaller relative variances of the background the limit of none is taken.
_KNOWN = 1e-12


def local_significance(
    observed: ArrayLike, expected: ArrayLike, uncertainty: ArrayLike
) -> NDArray[np.float64]:
    """Return the significance of counts by the profile likelihood; negative of a deficit.

    The background b was measured as `expected` with the standard deviation `uncertainty`, as if
    ``(expected / uncertainty)^2`` events were counted in a region ``expected / uncertainty^2``
    times as large. Then ``Z = sqrt(q0)`` in closed form. With the expected count in place of an
    observed one it is the median significance of the Asimov data set.

    References
    ----------
    G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727, eq. 12 (q0) and section 5 (Asimov);
    T.-P. Li, Y.-Q. Ma, Astrophys. J. 272 (1983) 317, eq. 17; G. Cowan, "Discovery sensitivity for
    a counting experiment with background uncertainty" (2012), eq. 20.

    Examples
    --------
    >>> z = local_significance([100, 130, 70], 100.0, [0.0, 0.0, 0.0])
    >>> [round(one, 3) for one in (z + 0.0).tolist()]
    [0.0, 2.866, -3.173]
    >>> round(float(local_significance(130, 100.0, 10.0)), 3)
    1.981
    """
    n, b, sigma = (np.asarray(one, np.float64) for one in (observed, expected, uncertainty))
    b = np.maximum(b, 1e-9)
    variance = np.maximum(sigma**2, _KNOWN * b)
    tau = b / variance
    # Under background alone the best b is what both regions together say, b (1 + change).
    change = (n - b) / (b * (1.0 + tau))
    q0 = 2.0 * (xlogy(n, n / b) - (n + tau * b) * np.log1p(change))
    return np.asarray(np.sign(n - b) * np.sqrt(np.maximum(q0, 0.0)), np.float64)


def p_of(z: float) -> float:
    """Return the one-sided probability of a significance of at least `z`.

    Examples
    --------
    >>> f"{p_of(5.0):.3g}", p_of(0.0)
    ('2.87e-07', 0.5)
    """
    return float(ndtr(-z))


def z_of(p_value: float) -> float:
    """Return the significance of a one-sided probability, at most 38 and at least -38.

    Examples
    --------
    >>> round(z_of(2.867e-7), 3)
    5.0
    """
    return float(np.clip(-ndtri(p_value), -38.0, 38.0))
