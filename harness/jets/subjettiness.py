"""N-subjettiness: how well N axes describe a jet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.jets.clustering import awkward_momenta, import_fastjet
from harness.jets.momenta import Array, pieces


def subjettiness(
    jets: NDArray[np.floating],
    n_axes: Sequence[int] = (1, 2, 3),
    *,
    beta: float = 1.0,
    radius: float = 0.8,
) -> Array:
    """Return tau_N of jets, by fastjet, with the axes of the exclusive kT algorithm.

    ``tau_N = sum_k pT_k min(R_1k^beta, ..., R_Nk^beta) / sum_k pT_k radius^beta``; the axes are not
    moved to a minimum.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)
        pT [GeV], eta, phi [rad]; at least one constituent each.
    n_axes : sequence of int
        The numbers N.
    beta : float
        Power of the distances.
    radius : float
        Radius of the jets, by which tau is normalised.

    Returns
    -------
    ndarray of float64, shape (n, len(n_axes))
        0 where a jet has no more constituents than axes.

    Raises
    ------
    EnvironmentFaultError
        fastjet is not installed.

    References
    ----------
    J. Thaler, K. Van Tilburg, arXiv:1011.2268 and arXiv:1108.2701.
    """
    fastjet = import_fastjet("N-subjettiness")
    import awkward as ak

    definition = fastjet.JetDefinition(fastjet.kt_algorithm, radius)
    found = np.zeros((len(jets), len(n_axes)))
    for piece in pieces(jets):
        block = np.asarray(jets[piece], np.float64)
        is_there = block[..., 0] > 0
        pt, eta, phi = block[is_there].T
        momenta = awkward_momenta(pt, eta, phi, is_there.sum(axis=1))
        sequence = fastjet.ClusterSequence(momenta, definition)
        tau = sequence.njettiness(
            measure_definition="NormalizedMeasure",
            axes_definition="KT_Axes",
            njets=list(n_axes),
            beta=beta,
            R0=radius,
        )
        found[piece] = ak.to_numpy(tau)
    return found
