"""Jets in a graph: masses, coordinates and images of constituents, of plain Keras operations.

These are for challenges whose target is no FPGA: they compute in float32, without words. The
inputs are those of the layout `constituents`, ``(n, m, 3)``: pT [GeV], eta, phi [rad], by falling
pT, zero where there is none. `harness.jets` computes the same of arrays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.jets.images import N_PIXELS, WIDTH

if TYPE_CHECKING:
    from keras import KerasTensor

# Smaller sums of pT are those of a jet without constituents.
_TINY = 1e-6


def jet_coordinates(x: KerasTensor) -> tuple[KerasTensor, KerasTensor, KerasTensor, KerasTensor]:
    """Return what a network sees of constituents: shares of pT, and angles from the centre of pT.

    Parameters
    ----------
    x : KerasTensor, shape (n, m, 3)

    Returns
    -------
    total : KerasTensor, shape (n, 1)
        Sum of pT [GeV].
    share : KerasTensor, shape (n, m)
        pT over that sum.
    eta, phi : KerasTensor, shape (n, m)
        Relative to the means, which pT weighs; 0 where there is no constituent.
    """
    from keras import ops

    pt, eta, phi = x[:, :, 0], x[:, :, 1], x[:, :, 2]
    total = ops.sum(pt, axis=1, keepdims=True)
    share = pt / ops.maximum(total, _TINY)
    # Relative to the leading constituent first, so that no jet is cut by the end of phi, and the
    # sums stay small.
    eta = eta - eta[:, :1]
    phi = ops.mod(phi - phi[:, :1] + math.pi, 2 * math.pi) - math.pi
    is_there = ops.cast(pt > 0.0, "float32")
    eta, phi = (
        (one - ops.sum(share * one, axis=1, keepdims=True)) * is_there for one in (eta, phi)
    )
    return total, share, eta, phi


def jet_mass(x: KerasTensor) -> KerasTensor:
    """Return the mass of each jet [GeV], shape (n, 1): that of the sum of its constituents.

    As `harness.jets.jet_mass`, but for the rounding of float32.
    """
    from keras import ops

    total, share, eta, phi = jet_coordinates(x)
    energy, along, px, py = (
        ops.sum(share * one, axis=1, keepdims=True)
        for one in (ops.cosh(eta), ops.sinh(eta), ops.cos(phi), ops.sin(phi))
    )
    squared = (energy - along) * (energy + along) - px * px - py * py
    return total * ops.sqrt(ops.maximum(squared, 0.0))


def jet_image(x: KerasTensor, *, n_pixels: int = N_PIXELS, width: float = WIDTH) -> KerasTensor:
    """Return shares of pT in cells, the jet turned and flipped; shape (n, n_pixels, n_pixels).

    As `harness.jets.jet_images`, normalised; a constituent on the edge of two cells may fall into
    the other one, since all is computed in float32.

    Parameters
    ----------
    x : KerasTensor, shape (n, m, 3)
    n_pixels : int
        Cells in a row and a column.
    width : float
        Extent of the image in eta and in phi.

    References
    ----------
    S. Macaluso, D. Shih, arXiv:1803.00107, section 3.
    """
    from keras import ops

    _, share, eta, phi = jet_coordinates(x)
    column, row = _flipped(share, *_turned(share, eta, phi))
    cells = np.arange(n_pixels, dtype=np.float32)
    in_column, in_row = (
        ops.cast(
            ops.equal(
                ops.expand_dims(ops.floor((one * 1 / width + 0.5) * n_pixels), axis=-1), cells
            ),
            "float32",
        )
        for one in (column, row)
    )
    image = ops.einsum("bir,bic->brc", ops.expand_dims(share, axis=-1) * in_row, in_column)
    inside = ops.sum(image, axis=(1, 2), keepdims=True)
    return image / ops.maximum(inside, _TINY)


def _turned(share: KerasTensor, x: KerasTensor, y: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """Turn the axis of the largest spread to the vertical."""
    from keras import ops

    xx, yy, xy = (
        ops.sum(share * one * other, axis=1, keepdims=True)
        for one, other in ((x, x), (y, y), (x, y))
    )
    turn = math.pi / 2 - ops.arctan2(2.0 * xy, xx - yy) * 0.5
    cosine, sine = ops.cos(turn), ops.sin(turn)
    return cosine * x - sine * y, sine * x + cosine * y


def _flipped(share: KerasTensor, x: KerasTensor, y: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """Mirror each axis, so that the quadrant with the most pT is that of positive x and y."""
    from keras import ops

    is_left, is_low = (ops.cast(one < 0.0, "float32") for one in (x, y))
    quadrants = ((1.0 - is_left, 1.0 - is_low), (is_left, 1.0 - is_low),
                 (1.0 - is_left, is_low), (is_left, is_low))  # fmt: skip
    sums = ops.stack(
        [ops.sum(share * across * along, axis=1) for across, along in quadrants], axis=-1
    )
    best = ops.expand_dims(ops.argmax(sums, axis=-1), axis=-1)
    mirror_x = ops.cast(ops.logical_or(ops.equal(best, 1), ops.equal(best, 3)), "float32")
    mirror_y = ops.cast(best >= 2, "float32")
    return x * (1.0 - 2.0 * mirror_x), y * (1.0 - 2.0 * mirror_y)
