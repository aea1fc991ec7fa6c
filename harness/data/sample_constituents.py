"""Constituents of jets in an embedded sample: many rows of one kind, close to each other.

The first of an event, the hardest, is stored as it is; the others by their difference to it, phi
around the turn. All is arithmetic of integers. Rows are put together in bands, [0], [1], [2, 3],
[4 to 7], ..., so that numbers of one size lie in one stream: for each band pT as the (never
negative) difference to the row before, then eta, then phi, event after event.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.data.sample_coding import (
    Coding,
    Steps,
    StreamReader,
    check_group,
    join_values,
    split_values,
)

# Added to differences of angles, which then fill the middle of a byte above two low bits.
_CENTRE = 2560
# Bytes of the number of constituents of one event.
_COUNT = np.dtype("<u2")


def constituent_streams(steps: Steps, coding: Coding) -> Iterator[bytes]:
    """Give the streams of a chunk of events.

    Parameters
    ----------
    steps : ndarray of int16, shape (n, n_rows, 3)

    Raises
    ------
    ValueError
        A row is filled after an empty one, pT does not fall, or an empty row holds an angle.
    """
    counts = (steps[..., 0] > 0).sum(axis=1)
    check_group(steps, counts, "constituents")
    yield from (counts.astype(_COUNT).view(np.uint8).reshape(-1, 2).T[side].tobytes()
                for side in (0, 1))  # fmt: skip
    differences = _differences(steps.astype(np.int32), coding)
    for band in _bands(steps.shape[1]):
        of_band = differences[:, band][_is_filled(counts, band)]
        yield from split_values(of_band[:, 0], 0)
        yield from split_values(of_band[:, 1], coding.n_low_bits)
        yield from split_values(of_band[:, 2], coding.n_low_bits)


def read_constituents(reader: StreamReader, steps: Steps, coding: Coding) -> Steps:
    """Fill `steps`, shape (n, n_rows, 3), which holds zeros, from the streams of its chunk.

    Raises
    ------
    ValueError
        A stream is damaged.
    """
    n_events, n_rows, _ = steps.shape
    sides = [np.frombuffer(reader.take(n_events), np.uint8).astype(np.int64) for _ in range(2)]
    counts = sides[0] | (sides[1] << 8)
    if (counts > n_rows).any():
        raise ValueError("an event has more constituents than rows")
    found = np.zeros(steps.shape, np.int32)
    for band in _bands(n_rows):
        is_filled = _is_filled(counts, band)
        n_values = int(is_filled.sum())
        columns = [
            join_values(reader, n_values, n_low_bits).astype(np.int32)
            for n_low_bits in (0, coding.n_low_bits, coding.n_low_bits)
        ]
        found[:, band][is_filled] = np.stack(columns, axis=-1)
    steps[:] = _sums(found, counts, coding)
    return steps


def _bands(n_rows: int) -> Iterator[slice]:
    start, stop = 0, 1
    while start < n_rows:
        yield slice(start, min(stop, n_rows))
        start, stop = stop, 2 * stop


def _is_filled(counts: NDArray[np.int64], band: slice) -> NDArray[np.bool_]:
    is_filled: NDArray[np.bool_] = np.arange(band.start, band.stop) < counts[:, None]
    return is_filled


def _differences(steps: NDArray[np.int32], coding: Coding) -> NDArray[np.int32]:
    """Return what is stored of each row; empty rows hold anything."""
    found = steps.copy()
    found[:, 1:, 0] = steps[:, :-1, 0] - steps[:, 1:, 0]
    found[:, 1:, 1] -= steps[:, :1, 1]
    found[:, 1:, 2] = _around(steps[:, 1:, 2] - steps[:, :1, 2], coding)
    found[:, 1:, 1:] += _CENTRE
    found[:, 0, 1:] += coding.offset
    return found


def _sums(stored: NDArray[np.int32], counts: NDArray[np.int64], coding: Coding) -> Steps:
    """Return the rows of what is stored: the inverse of `_differences`."""
    found = stored.copy()
    found[:, 0, 1:] -= coding.offset
    found[:, 1:, 1:] -= _CENTRE
    found[:, 1:, 0] = found[:, :1, 0] - np.cumsum(stored[:, 1:, 0], axis=1)
    found[:, 1:, 1] += found[:, :1, 1]
    found[:, 1:, 2] = _around(found[:, 1:, 2] + found[:, :1, 2], coding)
    found[np.arange(stored.shape[1]) >= counts[:, None]] = 0
    return found.astype(np.int16)


def _around(phi: NDArray[np.int32], coding: Coding) -> NDArray[np.int32]:
    """Bring phi into the whole steps of one turn: from -limit to limit, pi in steps."""
    # floor(pi * 256) is 804 on every machine.
    limit = int(np.pi * coding.angle_steps)
    inside: NDArray[np.int32] = (phi + limit) % (2 * limit + 1) - limit
    return inside
