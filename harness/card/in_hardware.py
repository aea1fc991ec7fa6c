"""Figures of the firmware as a global trigger counts them: bunch crossings and integers."""

from __future__ import annotations

import math

from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import Merit, point_text

# Proton bunches of the LHC cross every 25 ns (L. Evans and P. Bryant, JINST 3 (2008) S08001).
BUNCH_CROSSING_NS = 25.0
# Nanoseconds are products of decimal numbers: 75.00000000000001 ns are three crossings.
_ROUNDING_NS = 1e-6


def crossings(
    figure: Figure | NotMeasured, period: Figure | NotMeasured | None = None
) -> int | None:
    """Count the bunch crossings that a time takes, the last one begun; None: not measured.

    Parameters
    ----------
    figure : Figure or NotMeasured
        Nanoseconds, or cycles of `period`.
    period : Figure, NotMeasured or None
        Nanoseconds of one cycle.
    """
    if isinstance(figure, NotMeasured) or isinstance(period, NotMeasured):
        return None
    time_ns = figure.value * (1.0 if period is None else period.value)
    return max(1, math.ceil((time_ns - _ROUNDING_NS) / BUNCH_CROSSING_NS))


def lowest_integer(point: WorkingPoint, step: float) -> int:
    """Return the smallest integer of the score's word that passes a working point.

    Examples
    --------
    >>> point = WorkingPoint(
    ...     fpr=1e-3, threshold=2.5, is_strict=True, n_allowed=10, n_passing=9,
    ...     fpr_realised=9e-4, is_low_statistics=False, rates={},
    ... )
    >>> lowest_integer(point, step=0.25)
    11
    """
    integer = point.threshold / step
    return math.floor(integer) + 1 if point.is_strict else math.ceil(integer)


def hardware_rows(
    firmware: Firmware, physics: Physics | NotMeasured, merit: Merit | None
) -> list[tuple[str, str, str]]:
    """Say how long the firmware takes in bunch crossings, and what integer a score must reach.

    Returns
    -------
    list of (name, value, what it follows from)
    """
    rows = []
    times = (
        ("latency", crossings(firmware.latency_ns), firmware.latency_ns),
        (
            "initiation interval",
            crossings(firmware.interval_cycles, firmware.clock_period_ns),
            firmware.interval_cycles,
        ),
    )
    for name, count, figure in times:
        if count is not None and isinstance(figure, Figure):
            unit = "bunch crossing" if count == 1 else "bunch crossings"
            source = f"{figure.evidence}: of {BUNCH_CROSSING_NS:g} ns, the last one begun"
            rows.append((name, f"{count:,} {unit}", source))
    word = firmware.score_word
    if word is None or isinstance(physics, NotMeasured):
        return rows
    for point in physics.working_points:
        if isinstance(point, WorkingPoint):
            integer = lowest_integer(point, word.step)
            sign = ">" if point.is_strict else ">="
            rows.append(
                (
                    f"lowest integer that passes at {point_text(merit, point.fpr)}",
                    f"{integer:,}",
                    f"score {sign} {point.threshold:.8g}; the output is {word.word}",
                )
            )
    return rows
