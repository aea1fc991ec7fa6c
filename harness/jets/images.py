"""Images of jets: pT in cells around the centre, turned and flipped the same way for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.jets.momenta import Array, filled, pieces, wrapped

N_PIXELS, WIDTH = 37, 3.2


def jet_images(
    jets: NDArray[np.floating],
    *,
    n_pixels: int = N_PIXELS,
    width: float = WIDTH,
    rotated: bool = True,
    normalised: bool = True,
) -> NDArray[np.float32]:
    """Return the pT of constituents in square cells, the centre of the jet in the middle.

    Constituents are shifted so that their centre of pT lies at the origin; turned, so that their
    principal axis is vertical; flipped, so that the quadrant of the most pT is at the upper right.
    Only then are they put into cells.

    Parameters
    ----------
    jets : ndarray, shape (n, m, 3)
        pT [GeV], eta, phi [rad].
    n_pixels : int
        Cells in a row and a column.
    width : float
        Extent of the image in eta and in phi; what lies outside is left out.
    rotated : bool
        Whether to turn and flip.
    normalised : bool
        Whether the cells of an image add up to 1; else they are in GeV.

    Returns
    -------
    ndarray of float32, shape (n, n_pixels, n_pixels)
        Rows are phi after the rotation, columns eta. All zero without constituents.

    References
    ----------
    S. Macaluso, D. Shih, arXiv:1803.00107, section 3.
    """
    found = np.zeros((len(jets), n_pixels, n_pixels), np.float32)
    for piece in pieces(jets):
        pt, x, y = _shifted(filled(jets[piece]))
        if rotated:
            x, y = _turned(pt, x, y)
            x, y = _flipped(pt, x, y)
        found[piece] = _filled_cells(pt, x, y, n_pixels, width)
    if normalised:
        total = found.sum(axis=(1, 2), keepdims=True)
        np.divide(found, total, out=found, where=total > 0)
    return found


def _shifted(jets: Array) -> tuple[Array, Array, Array]:
    """Return pT, and eta and phi relative to the centre of pT; each of shape (n, m)."""
    pt, eta, phi = jets[..., 0], jets[..., 1], jets[..., 2]
    if not jets.shape[1]:
        return pt, eta, phi
    # Relative to the leading constituent, so that no jet is cut by the end of phi.
    phi = wrapped(phi - phi[:, :1])
    return pt, eta - _mean(pt, eta), phi - _mean(pt, phi)


def _mean(pt: Array, values: Array) -> Array:
    total = pt.sum(axis=1, keepdims=True)
    weighted = (pt * values).sum(axis=1, keepdims=True)
    mean: Array = np.divide(weighted, total, where=total > 0, out=np.zeros_like(total))
    return mean


def _turned(pt: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Turn the axis of the largest spread to the vertical."""
    xx, yy, xy = ((pt * one * other).sum(axis=1) for one, other in ((x, x), (y, y), (x, y)))
    turn = np.pi / 2 - np.arctan2(2 * xy, xx - yy) / 2
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    return cosine * x - sine * y, sine * x + cosine * y


def _flipped(pt: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Mirror each axis, so that the quadrant with the most pT is that of positive x and y."""
    quadrant = (x < 0) * 1 + (y < 0) * 2
    sums = np.stack([(pt * (quadrant == one)).sum(axis=1) for one in range(4)], axis=1)
    best = np.argmax(sums, axis=1)[:, None]
    return np.where(best & 1, -x, x), np.where(best & 2, -y, y)


def _filled_cells(
    pt: Array, x: Array, y: Array, n_pixels: int, width: float
) -> NDArray[np.float32]:
    column, row = (np.floor((one / width + 0.5) * n_pixels).astype(np.int64) for one in (x, y))
    is_inside = (pt > 0) & (column >= 0) & (column < n_pixels) & (row >= 0) & (row < n_pixels)
    at = ((np.arange(len(pt))[:, None] * n_pixels + row) * n_pixels + column)[is_inside]
    cells = np.bincount(at, pt[is_inside], minlength=len(pt) * n_pixels**2)
    return cells.reshape(len(pt), n_pixels, n_pixels).astype(np.float32)
