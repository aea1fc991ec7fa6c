"""Places on an axis of bins of unequal width, set side by side: its ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

_N_TICKS = 8
# How far from its even place a tick may stand, in distances of ticks, to be at a round number.
_NEAR = 0.3


def round_ticks(edges: Sequence[float]) -> dict[float, str]:
    """Return the places of ticks among bins of unequal width, with their round numbers."""
    n = len(edges) - 1
    gap = n / _N_TICKS
    found: dict[float, str] = {}
    for i in range(_N_TICKS + 1):
        ends = (max(0.0, (i - _NEAR) * gap), min(float(n), (i + _NEAR) * gap))
        low, high = (_value_at(edges, place) for place in ends)
        tick = _roundest(low, high)
        found[place_of(edges, tick)] = f"{tick:.6g}".replace("e+0", "e").replace("e-0", "e-")
    return found


def _roundest(low: float, high: float) -> float:
    """Return the roundest number from `low` to `high`.

    Examples
    --------
    >>> _roundest(4.1, 5.3), _roundest(-1, 3), _roundest(112, 148), _roundest(0.031, 0.034)
    (5.0, 0.0, 120.0, 0.032)
    """
    if low <= 0 <= high:
        return 0.0
    if low == high:
        return low
    exponent = math.floor(math.log10(max(abs(low), abs(high))))
    while True:
        for digit in (5, 2, 1):
            step = Fraction(10) ** exponent * digit
            tick = math.ceil(Fraction(low) / step) * step
            if tick <= Fraction(high):
                return float(tick)
        exponent -= 1


def place_of(edges: Sequence[float], value: float) -> float:
    """Return where `value` lies among the bins, as a fraction of their number."""
    if value <= edges[0]:
        return 0.0
    for i, (low, high) in enumerate(pairwise(edges)):
        if value <= high:
            return i + (value - low) / (high - low)
    return float(len(edges) - 1)


def _value_at(edges: Sequence[float], place: float) -> float:
    """Return the value at a place among bins, the inverse of `_place`."""
    i = min(int(place), len(edges) - 2)
    return edges[i] + (place - i) * (edges[i + 1] - edges[i])


def short_text(value: float) -> str:
    """Write the edge of a bin with two or three digits."""
    text = f"{value:.3g}" if 100 <= abs(value) < 10_000 else f"{value:.2g}"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
