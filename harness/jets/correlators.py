"""Energy correlation functions of jets, and the ratios that tell one, two and three prongs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.jets.momenta import Array, filled, wrapped

# Bytes of the largest table of pairs that is worked on at a time; it stays in a processor's cache.
_PAIR_BYTES = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyCorrelators:
    """Generalised energy correlation functions of jets; all of shape (n,), without a unit.

    With the fractions ``z`` of pT and the distances ``R`` in eta and phi to the power beta:

    Attributes
    ----------
    e2 : ndarray
        Sum over pairs of ``z z R``.
    e3 : ndarray
        Sum over triples of ``z z z`` and all three distances (``3e3`` of the reference).
    e3_two : ndarray
        The same with the two smallest of the three distances (``2e3`` of the reference).

    References
    ----------
    A. J. Larkoski, G. P. Salam, J. Thaler, arXiv:1305.0007 (C2); A. J. Larkoski, I. Moult,
    D. Neill, arXiv:1409.6298 (D2); I. Moult, L. Necib, J. Thaler, arXiv:1609.07483 (N2).
    """

    e2: Array
    e3: Array
    e3_two: Array

    @property
    def c2(self) -> Array:
        """``C2 = 3e3 / e2^2``; 0 for jets of one constituent."""
        return _ratio(self.e3, self.e2**2)

    @property
    def d2(self) -> Array:
        """``D2 = 3e3 / e2^3``; 0 for jets of one constituent."""
        return _ratio(self.e3, self.e2**3)

    @property
    def n2(self) -> Array:
        """``N2 = 2e3 / e2^2``; 0 for jets of one constituent."""
        return _ratio(self.e3_two, self.e2**2)


def energy_correlators(jets: NDArray[np.floating], beta: float = 1.0) -> EnergyCorrelators:
    """Return the energy correlation functions of jets, over all of their constituents.

    The time grows with the third power of the number of constituents.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)
        pT [GeV], eta, phi [rad].
    beta : float
        Power of the distances.

    Examples
    --------
    >>> jets = np.array([[[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 2.0]]])
    >>> found = energy_correlators(jets)
    >>> round(float(found.e2[0]), 4), round(float(found.e3_two[0]), 4)
    (0.5148, 0.0625)
    """
    counts = np.count_nonzero(jets[..., 0] > 0, axis=1)
    # Jets of similar sizes together, so that little is computed of what is empty.
    order = np.argsort(counts, kind="stable")
    found = np.zeros((3, len(jets)))
    start = 0
    while start < len(order):
        n_most = max(int(counts[order[min(start + 64, len(order)) - 1]]), 1)
        n_now = max(1, min(64, _PAIR_BYTES // (8 * n_most**2)))
        chosen = order[start : start + n_now]
        found[:, chosen] = _correlators(filled(jets[chosen]), beta)
        start += n_now
    return EnergyCorrelators(e2=found[0], e3=found[1], e3_two=found[2])


def _correlators(jets: Array, beta: float) -> tuple[Array, Array, Array]:
    """Return the three sums of a few jets, shape (n, m, 3)."""
    total = jets[..., 0].sum(axis=1, keepdims=True)
    share = np.divide(jets[..., 0], total, out=np.zeros_like(jets[..., 0]), where=total > 0)
    eta = jets[..., 1, None] - jets[:, None, :, 1]
    phi = wrapped(jets[..., 2, None] - jets[:, None, :, 2])
    distance = (eta**2 + phi**2) ** (beta / 2)
    pairs = share[:, :, None] * distance
    two = np.einsum("nij,nj->n", pairs, share) / 2
    three = np.einsum("nij,nji->n", pairs @ pairs, pairs) / 6
    return two, three, _two_smallest(share, distance)


def _two_smallest(share: Array, distance: Array) -> Array:
    """Sum ``z z z`` times the two smallest distances over triples: all three over the largest.

    In float32, in which this takes half the time.
    """
    found = np.zeros(len(share))
    near = distance.astype(np.float32)
    for last in range(2, share.shape[1]):
        to_last, among = near[:, last, :last], near[:, :last, :last]
        largest = np.maximum(to_last[:, :, None], to_last[:, None, :])
        np.maximum(largest, among, out=largest)
        # Where all three are zero, so is the product.
        np.maximum(largest, np.finfo(np.float32).tiny, out=largest)
        np.divide(among, largest, out=largest)
        weight = share[:, :last].astype(np.float32) * to_last
        of_pairs = weight[:, None, :] @ (largest @ weight[:, :, None])
        found += share[:, last] * of_pairs[:, 0, 0]
    return found / 2


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
