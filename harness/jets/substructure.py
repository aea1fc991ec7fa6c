"""Figures of jets that tell one, two and three prongs: mass, N-subjettiness, energy correlators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.jets.correlators import energy_correlators
from harness.jets.momenta import Array, jet_axis, jet_mass, n_constituents
from harness.jets.subjettiness import subjettiness

# Columns of `substructure`.
SUBSTRUCTURE = (
    *("mass", "n_constituents", "tau1", "tau2", "tau3", "tau4"),
    *("tau21", "tau32", "tau43", "n2", "d2"),
)
# Powers of the distances of the basis of N-subjettiness.
_BETAS = (0.5, 1.0, 2.0)


def substructure(jets: NDArray[np.floating], *, radius: float = 0.8) -> Array:
    """Return the figures by which jets are commonly cut on.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)
        pT [GeV], eta, phi [rad].
    radius : float
        Radius of the jets, by which tau is normalised.

    Returns
    -------
    ndarray of float64, shape (n, 11)
        In the order of `SUBSTRUCTURE`: mass [GeV], number of constituents, tau_1 to tau_4 and their
        ratios, N2 and D2; all with beta = 1. A ratio to a tau that is 0 is 0.

    Raises
    ------
    EnvironmentFaultError
        fastjet is not installed.
    """
    tau = subjettiness(jets, (1, 2, 3, 4), radius=radius)
    ratios = np.divide(
        tau[:, 1:], tau[:, :-1], out=np.zeros_like(tau[:, 1:]), where=tau[:, :-1] > 0
    )
    correlators = energy_correlators(jets)
    columns = (jet_mass(jets), n_constituents(jets), tau, ratios, correlators.n2, correlators.d2)
    return np.column_stack(columns)


def subjettiness_basis(
    jets: NDArray[np.floating], n_bodies: int = 6, *, radius: float = 0.8
) -> Array:
    """Return N-subjettiness that spans the phase space of M bodies, beside mass and pT.

    Parameters
    ----------
    n_bodies : int
        M, at least 3.

    Returns
    -------
    ndarray of float64, shape (n, 3 M - 2)
        Mass [GeV], pT [GeV], then tau_N for N = 1 to M - 2 with beta = 0.5, 1 and 2, and tau_(M-1)
        with beta = 1 and 2.

    Raises
    ------
    EnvironmentFaultError
        fastjet is not installed.

    References
    ----------
    K. Datta, A. Larkoski, arXiv:1704.08249, equation 2.1.
    """
    columns = [jet_mass(jets), jet_axis(jets)[:, 0]]
    for beta in _BETAS:
        last = n_bodies - 2 if beta == _BETAS[0] else n_bodies - 1
        axes: Sequence[int] = range(1, last + 1)
        columns.extend(subjettiness(jets, axes, beta=beta, radius=radius).T)
    return np.column_stack(columns)
