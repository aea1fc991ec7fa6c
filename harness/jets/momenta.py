"""Four-momenta, axes and masses of jets from massless constituents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Jets that are worked on at a time: with 200 constituents, four-momenta of 26 MB.
_AT_A_TIME = 4096


def pieces(jets: NDArray[np.floating], n_at_a_time: int = _AT_A_TIME) -> Iterator[slice]:
    """Cut jets into pieces, so that memory stays bounded."""
    for start in range(0, len(jets), n_at_a_time):
        yield slice(start, min(start + n_at_a_time, len(jets)))


def filled(jets: NDArray[np.floating]) -> Array:
    """Return jets in float64 without the last columns that are empty in all of them."""
    used: NDArray[np.bool_] = np.asarray((jets[..., 0] > 0).any(axis=0))
    n_used = len(used) - int(np.argmax(used[::-1])) if used.any() else 0
    return jets[:, :n_used].astype(np.float64)


def n_constituents(jets: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count the constituents of each jet: rows whose pT is not 0; shape (n,)."""
    return np.asarray(np.count_nonzero(jets[..., 0] > 0, axis=1), np.int64)


def four_momenta(jets: NDArray[np.floating]) -> Array:
    """Return E, px, py, pz of massless constituents.

    Parameters
    ----------
    jets : ndarray, shape (..., 3)
        pT [GeV], eta, phi [rad].

    Returns
    -------
    ndarray of float64, shape (..., 4)
        [GeV]; zero where pT is zero.

    Examples
    --------
    >>> four_momenta(np.array([3.0, 0.0, np.pi / 2])).round(3).tolist()
    [3.0, 0.0, 3.0, 0.0]
    """
    pt, eta, phi = np.moveaxis(np.asarray(jets, np.float64), -1, 0)
    return np.stack(
        [pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1
    )


def from_components(momenta: NDArray[np.floating]) -> Array:
    """Return pT, eta, phi of four-momenta, whose energies are not looked at.

    Parameters
    ----------
    momenta : ndarray, shape (..., 4)
        E, px, py, pz [GeV].

    Returns
    -------
    ndarray of float64, shape (..., 3)
        pT [GeV], eta, phi [rad] in [-pi, pi]; all zero where pT is zero.

    Examples
    --------
    >>> from_components(np.array([5.0, 3.0, 0.0, 4.0])).round(4).tolist()
    [3.0, 1.0986, 0.0]
    """
    _, px, py, pz = np.moveaxis(np.asarray(momenta, np.float64), -1, 0)
    pt = np.hypot(px, py)
    is_there = pt > 0
    eta = np.arcsinh(np.divide(pz, pt, out=np.zeros_like(pt), where=is_there))
    return np.stack([pt, eta, np.where(is_there, np.arctan2(py, px), 0.0)], axis=-1)


def jet_momentum(jets: NDArray[np.floating]) -> Array:
    """Sum the four-momenta of each jet's constituents.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)

    Returns
    -------
    ndarray of float64, shape (n, 4)
        E, px, py, pz [GeV].
    """
    found = np.zeros((len(jets), 4))
    for piece in pieces(jets):
        found[piece] = four_momenta(filled(jets[piece])).sum(axis=1)
    return found


def invariant_mass(momenta: NDArray[np.floating]) -> Array:
    """Return the mass of four-momenta E, px, py, pz [GeV]; 0 where rounding makes it imaginary.

    Examples
    --------
    >>> invariant_mass(np.array([5.0, 0.0, 3.0, 0.0])).tolist()
    4.0
    """
    energy, px, py, pz = np.moveaxis(np.asarray(momenta, np.float64), -1, 0)
    squared = (energy - pz) * (energy + pz) - px**2 - py**2
    mass: Array = np.sqrt(np.maximum(squared, 0.0))
    return mass


def jet_mass(jets: NDArray[np.floating]) -> Array:
    """Return the mass of each jet [GeV], shape (n,): that of the sum of its constituents."""
    return invariant_mass(jet_momentum(jets))


def jet_axis(jets: NDArray[np.floating]) -> Array:
    """Return pT [GeV], eta and phi [rad] of the sum of each jet's constituents; shape (n, 3)."""
    return from_components(jet_momentum(jets))


def centred(jets: NDArray[np.floating]) -> Array:
    """Return constituents with angles relative to the axis of their jet.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)

    Returns
    -------
    ndarray of float64, shape (n, m, 3)
        pT [GeV], eta and phi minus those of the jet; zero where there is no constituent.
    """
    relative = np.asarray(jets, np.float64).copy()
    axis = jet_axis(jets)
    relative[..., 1] -= axis[:, None, 1]
    relative[..., 2] = wrapped(relative[..., 2] - axis[:, None, 2])
    relative[relative[..., 0] <= 0] = 0.0
    return relative


def wrapped(phi: Array) -> Array:
    """Bring angles to [-pi, pi)."""
    inside: Array = (phi + np.pi) % (2 * np.pi) - np.pi
    return inside
