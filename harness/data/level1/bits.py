"""Decisions of many algorithms, from bits of one algorithm to bits of one event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Shifts and masks that exchange rows and columns of 8 x 8 bits in a word of 64: first within blocks
# of 2 x 2, then of 4 x 4, then of 8 x 8 (H. S. Warren, "Hacker's Delight", 2nd edition, 7-3).
_STEPS = ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))


def transpose_bits(columns: Sequence[NDArray[np.uint8]], n_events: int) -> NDArray[np.uint8]:
    """Pack the bits of columns event by event, as `numpy.packbits` along the second axis does.

    Parameters
    ----------
    columns : sequence of uint8 arrays, shape (at least n_events / 8,)
        Bits of one column each, the first event in the lowest bit of the first byte, as Arrow keeps
        them.
    n_events : int
        How many events there are.

    Returns
    -------
    uint8 array, shape (n_events, ceil(len(columns) / 8))
        The first column in the highest bit of the first byte.

    Examples
    --------
    >>> transpose_bits([np.uint8([0b01]), np.uint8([0b11])], 2)
    array([[192],
           [ 64]], dtype=uint8)
    """
    n_words = -(-n_events // 8)
    packed = np.empty((-(-len(columns) // 8), 8 * n_words), np.uint8)
    for group, row in enumerate(packed):
        block = np.zeros((n_words, 8), np.uint8)
        for number, column in enumerate(columns[8 * group : 8 * group + 8]):
            block[:, 7 - number] = column[:n_words]
        words = block.view("<u8")[:, 0]
        for shift, mask in _STEPS:
            exchanged = (words ^ (words >> np.uint64(shift))) & np.uint64(mask)
            words = words ^ exchanged ^ (exchanged << np.uint64(shift))
        row[:] = words.astype("<u8", copy=False).view(np.uint8)
    return np.ascontiguousarray(packed[:, :n_events].T)
